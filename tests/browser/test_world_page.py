"""The page of a world in a real browser: silent, accessible, never too wide."""

from __future__ import annotations

import pyarrow as pa
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from baseeval.reporting.world_html import world_page
from baseeval.worlds import simulate
from baseeval.worlds.meeting import meet
from baseeval.worlds.reading import read_recipe


@pytest.fixture(scope="module", params=["trust"])
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    recipe, world = read_recipe(request.param), simulate(request.param)
    seen = meet(recipe, pa.Table.from_pandas(world.tables["pupils"]))
    path = tmp_path_factory.mktemp("world") / "world.html"
    path.write_text(world_page(recipe, world.truth, seen), encoding="utf-8")
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


@pytest.mark.parametrize("width", [320, 1280])
def test_axe_finds_nothing_and_the_page_never_scrolls_sideways(
    page: Page, address: str, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(address)
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_prints(page: Page, address: str) -> None:
    page.goto(address)
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
