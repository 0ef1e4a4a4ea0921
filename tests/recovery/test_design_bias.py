"""Designs recover what the generator knows, with no model of the outcome, at 200 schools.

`benchmarks/design_bias.py` makes the whole table, every design on every world.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

STUDY: dict[str, Any] = runpy.run_path(
    str(Path(__file__).resolve().parents[2] / "benchmarks" / "bias_study.py")
)


def found(world: str, draws: int, designs: tuple[str, ...]) -> pd.DataFrame:
    """The table of one world of 200 schools."""
    (ground,) = [each for each in STUDY["GROUNDS"] if each.name == world]
    rows = [
        row
        for seed in range(1, draws + 1)
        for row in STUDY["one_draw"](ground, seed, ("none", *designs))
    ]
    return STUDY["table"](pd.DataFrame(rows))


def assert_recovered(table: pd.DataFrame, designs: tuple[str, ...]) -> None:
    assert set(table["design"]) == {"none", *designs}
    plain = table[table["design"] == "none"]
    assert (plain["bias"].abs() > 0.1).all()  # there is something to recover from
    assert (
        table.loc[table["missed"], ["world", "contrast", "design", "bias"]].to_numpy().tolist()
        == []
    )


def test_quick_designs_recover_the_effect() -> None:
    designs = ("propensity (auto)", "propensity, all arms", "entropy", "entropy, all arms")
    assert_recovered(found("clean", 10, designs), designs)


def test_a_hidden_cause_is_not_recovered() -> None:
    """They miss where a severity that no table shows places pupils: the check can fail."""
    table = found("hidden_severity", 4, ("entropy",))
    within = table[(table["contrast"] == "base_vs_host") & (table["design"] == "entropy")]
    assert (within["bias"] + 2 * within["error"] < -0.1).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    "world", [each.name for each in STUDY["GROUNDS"] if each.schools is not None]
)
def test_every_design_recovers_the_effect_where_its_assumptions_hold(world: str) -> None:
    designs = tuple(each.title for each in STUDY["WAYS"] if each.method != "none")
    assert_recovered(found(world, 40, designs), designs)
