"""The report in a real browser: silent, still, accessible, and no wider than its screen."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from baseeval.reporting.writing import report

FOLDER = Path(__file__).resolve().parents[1] / "unit"
EXAMPLE: dict[str, Any] = runpy.run_path(str(FOLDER / "released_example.py"))
STUDIES = ("released_example", "two_arms", "described_only")


@pytest.fixture(scope="module", params=STUDIES)
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp(request.param)
    report(EXAMPLE[request.param](), folder)
    return (folder / "report.html").as_uri()


def test_the_console_is_empty_and_nothing_is_asked_for(page: Page, address: str, look: Any) -> None:
    look.is_silent(page, address)


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_axe_finds_nothing_and_the_page_never_scrolls_sideways(
    page: Page, address: str, width: int, look: Any
) -> None:
    look.fits(page, address, width)


def test_reads_without_javascript(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(address)
    summary = page.locator("summary").first
    if summary.count():
        summary.press("Enter")
        assert page.locator("details[open] table").first.is_visible()
    assert page.locator("h1").is_visible()
    context.close()


def test_the_keyboard_reaches_the_content(page: Page, address: str, look: Any) -> None:
    look.is_reached_by_keyboard(page, address)


def test_prints(page: Page, address: str, look: Any) -> None:
    look.prints(page, address)
