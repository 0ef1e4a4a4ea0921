"""The page of a world in a real browser: silent, accessible, never too wide."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
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


def test_the_console_is_empty_and_nothing_is_asked_for(page: Page, address: str, look: Any) -> None:
    look.is_silent(page, address)


@pytest.mark.parametrize("width", [320, 1280])
def test_axe_finds_nothing_and_the_page_never_scrolls_sideways(
    page: Page, address: str, width: int, look: Any
) -> None:
    look.fits(page, address, width)


def test_prints(page: Page, address: str, look: Any) -> None:
    look.prints(page, address)
