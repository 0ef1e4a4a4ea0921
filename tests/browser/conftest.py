"""A real browser, where the machine has one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder `browser`."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Open Chromium without a window, once a session."""
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    if executable is None:
        pytest.skip("no chromium on this machine")
    with sync_playwright() as playwright:
        # Containers run as root, where the sandbox cannot start; the pages are our own.
        opened = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Open an empty page that can reach no network."""
    context = browser.new_context(offline=True)
    yield context.new_page()
    context.close()


class Look:
    """What is asked of every page that baseeval writes."""

    @staticmethod
    def is_silent(page: Page, address: str) -> None:
        """The console is empty, and nothing but the page itself is asked for."""
        said: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        page.wait_for_load_state("networkidle")
        assert said == []
        assert asked == [address]

    @staticmethod
    def fits(page: Page, address: str, width: int) -> None:
        """All of it unfolded, it never scrolls sideways, and axe finds nothing."""
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(address)
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()

    @staticmethod
    def is_reached_by_keyboard(page: Page, address: str) -> None:
        """The first link leads to the content."""
        page.goto(address)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"

    @staticmethod
    def prints(page: Page, address: str) -> None:
        """It can be printed."""
        page.goto(address)
        assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")


@pytest.fixture(scope="session")
def look() -> type[Look]:
    """Give the tests of a page what all pages share."""
    return Look
