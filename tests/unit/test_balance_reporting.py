"""What a reader sees of balance: bands as words, chance, three groups side by side, and whom."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baseeval.disclosure.released import Released
from baseeval.reporting.alike import headline_rows, likenesses
from baseeval.reporting.alike_sheets import moved_sheet, parts_sheet, spread_sheet
from baseeval.reporting.overlapping import overlapping
from baseeval.reporting.table_one import table_one
from baseeval.reporting.whom import whom
from baseeval.results import BALANCE_BANDS, CHANCE, CONTRASTS

EXAMPLE: dict[str, Any] = runpy.run_path(str(Path(__file__).with_name("released_example.py")))


@pytest.fixture(scope="module")
def released() -> Released:
    return EXAMPLE["released_example"]()


def told(released: Released, **changes: object) -> str:
    """Return what is said of the first comparison where all of its rows are so."""
    balance = released.balance.assign(**changes)
    return likenesses(replace(released, balance=balance))[0].told


@pytest.mark.parametrize(
    ("smd", "chance", "words"),
    [
        (0.05, "could_be_chance", "it is 0.05, so on what was recorded the groups are alike."),
        (0.2, "could_be_chance", "Chance alone could make a difference as large as that"),
        (-0.2, "over_limit", "so large that the model has to allow for it. It is far more than"),
        (0.26, "beyond_chance", "too large for a fair comparison, whatever the model. It is more"),
        (0.3, "unknown", "Whether chance alone could make it cannot be told."),
        (0.3, "", "too large for a fair comparison, whatever the model."),
    ],
)
def test_size_and_chance_are_both_said(
    released: Released, smd: float, chance: str, words: str
) -> None:
    said = told(released, smd_after=smd, chance=chance)
    assert words in said
    assert ("hance" in said) == (abs(smd) > 0.05 and bool(chance))


def test_a_difference_without_weights_is_left_to_the_model(released: Released) -> None:
    said = told(released, smd_before=0.2, smd_after=0.2, design="none")
    assert "was 0.20 standard deviations, so large that the model has to allow for it." in said
    assert "Nothing was weighted or matched" in said
    assert "withheld" in told(released, smd_before=np.nan, smd_after=np.nan)


def test_every_code_has_words(released: Released) -> None:
    for band in BALANCE_BANDS:
        for chance in CHANCE:
            rows = headline_rows(
                replace(released, balance=released.balance.assign(band=band, chance=chance))
            )["base_vs_host"]
            line = moved_sheet(rows, "title").rows[0]
            assert all(isinstance(cell, str) and cell != "–" for cell in line)
            assert "_" not in line[-1] + line[-2]


def test_the_divisor_is_named(released: Released) -> None:
    assert "“Pupils with a base place”" in likenesses(released)[0].divided
    pooled = replace(released, balance=released.balance.assign(denominator="pooled SD"))
    assert "over both groups" in likenesses(pooled)[0].divided
    unsaid = replace(released, balance=released.balance.assign(denominator=""))
    assert likenesses(unsaid)[0].divided == ""


def test_tables_that_say_nothing_are_not_there(released: Released) -> None:
    bare = released.balance.drop(columns=[c for c in released.balance if "_within" in c])
    bare = bare.drop(columns=[c for c in bare if "_between" in c or c.startswith("ovl")])
    rows = headline_rows(replace(released, balance=bare))["base_vs_host"]
    assert not parts_sheet(rows, "").rows
    assert not spread_sheet(rows, "").rows
    whole = headline_rows(released)["host_vs_non_host"]
    assert parts_sheet(whole, "").rows[1][1:] == ("withheld",) * 4


def test_three_groups_stand_side_by_side_and_the_unchanged_has_one_column(
    released: Released,
) -> None:
    sheet = table_one(released)
    assert sheet.heads[1:4] == (
        "Pupils with a base place, before",
        "Pupils at the same schools without one, before",
        "Pupils at schools with no base, before",
    )
    assert [head.partition(", made like ")[0] for head in sheet.heads[4:]] == [
        "Pupils at the same schools without one",
        "Pupils at schools with no base",
        "Pupils at schools with no base",
    ]
    cells = {row[0]: row[1:] for row in sheet.rows}
    assert cells["Free school meals: Yes"][0] == "50%"
    assert cells["Prior"][0] == "0.50"
    # Withheld in one comparison, shown in another: what is shown stands.
    assert cells["Free school meals: Yes"][2] == "32%"
    assert cells["Free school meals: Yes"][5] == "withheld"
    assert not table_one(EXAMPLE["two_arms"]()).rows


def test_whom_the_answers_describe(released: Released) -> None:
    few, kept, others = whom(released)
    assert few.told.startswith("About pupils with a base place: how they fared against pupils at ")
    assert "all whose records say enough, or all but so few" in few.told
    assert not few.numbers.rows
    assert "is 0.14 standard deviations, so it speaks of pupils a little unlike them." in kept.told
    assert kept.numbers.rows[1][1:] == ("30%", "30%", "0.02")
    assert "those whom it is about" in others.told
    assert whom(EXAMPLE["two_arms"]()) == ()


def test_the_overlap_is_drawn_with_its_numbers_beside_it(released: Released) -> None:
    drawn = overlapping(released, "base_vs_host", "entropy", "overlap-1")
    assert drawn is not None
    assert 'role="img"' in drawn.figure
    assert "were both equally large" in drawn.figure
    assert len(drawn.numbers.rows) == 8
    again = overlapping(released, "base_vs_host", "entropy", "overlap-1")
    assert again is not None
    assert drawn.figure == again.figure
    one_sided = released.propensity[released.propensity["arm"] == "base"]
    lacking = replace(released, propensity=one_sided)
    assert overlapping(lacking, "base_vs_host", "entropy", "o") is None


def test_every_comparison_has_its_figures(released: Released) -> None:
    found = likenesses(released)
    assert len(found) == len(CONTRASTS)
    for likeness in found:
        assert "a band at 0.05 and lines at 0.25" in likeness.figure
        assert likeness.overlap is not None
        assert len(likeness.folded) == 3
