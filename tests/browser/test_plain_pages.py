"""The pages of a check and of a register in a real browser: silent, accessible, never too wide."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from baseeval.reporting.check_html import check_page
from baseeval.reporting.register_page import register_page

FOLDER = Path(__file__).resolve().parents[1] / "unit"
CHECKS: dict[str, Any] = runpy.run_path(str(FOLDER / "check_example.py"))
REGISTERS: dict[str, Any] = runpy.run_path(str(FOLDER / "register_example.py"))

PAGES: dict[str, Callable[[], str]] = {
    "a check": lambda: check_page(CHECKS["check_example"]()),
    "a check without a fault": lambda: check_page(CHECKS["clean_example"]()),
    "a check with questions": lambda: check_page(CHECKS["questions_example"]()),
    "a register": lambda: register_page(REGISTERS["register_example"](), "Anyshire"),
    "a register of nothing": lambda: register_page(REGISTERS["bare_example"](), "Anyshire"),
}


@pytest.fixture(scope="module", params=PAGES)
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(PAGES[request.param](), encoding="utf-8")
    return path.as_uri()


def test_the_console_is_empty_and_nothing_is_asked_for(page: Page, address: str, look: Any) -> None:
    look.is_silent(page, address)


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_axe_finds_nothing_and_the_page_never_scrolls_sideways(
    page: Page, address: str, width: int, look: Any
) -> None:
    look.fits(page, address, width)


def test_the_keyboard_reaches_the_content(page: Page, address: str, look: Any) -> None:
    look.is_reached_by_keyboard(page, address)


def test_prints(page: Page, address: str, look: Any) -> None:
    look.prints(page, address)
