"""The page of a register in a real browser: silent, accessible, no wider than its screen."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from baseeval.reporting.register_page import register_page

FOLDER = Path(__file__).resolve().parents[1] / "unit"
EXAMPLES: dict[str, Any] = runpy.run_path(str(FOLDER / "register_example.py"))


@pytest.fixture(scope="module", params=("register_example", "bare_example"))
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp(request.param) / "register.html"
    path.write_text(register_page(EXAMPLES[request.param](), "Anyshire"), encoding="utf-8")
    return path.as_uri()


def test_the_console_is_empty_and_nothing_is_asked_for(page: Page, address: str) -> None:
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    page.wait_for_load_state("networkidle")
    assert said == []
    assert asked == [address]


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_axe_finds_nothing_and_the_page_never_scrolls_sideways(
    page: Page, address: str, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(address)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
