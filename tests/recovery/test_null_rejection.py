"""Where no arm has an effect, the ladder at 5% rejects in no more than 6% of small studies.

A shortened form of `benchmarks/null_table.py`, by the same harness and on the same worlds, with
3.5 Monte Carlo errors of room, as some thirty rates are looked at. A rate below 3% must be told
by the flag `conservative`. Where base effects differ between schools a random intercept alone
takes that variation for evidence: the test shows that it does, in the very draws in which the
ladder does not. Schools that host for reasons of their own bias the contrasts with others,
whatever the inference.
"""

from __future__ import annotations

import math
import runpy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from baseeval.effects.regression import REGRESSION
from baseeval.effects.spec import EffectSample
from baseeval.numerics.mixed_models.satterthwaite_df import satterthwaite_df
from baseeval.numerics.mixed_models.templates import diagonal_template
from baseeval.numerics.mixed_models.two_level import fit_two_level
from baseeval.stress.procedures import Ladder
from baseeval.stress.recovery import Question, Told, recover
from baseeval.stress.school_worlds import SchoolWorld

NULL: dict[str, Any] = runpy.run_path(
    str(Path(__file__).resolve().parents[2] / "benchmarks" / "null_worlds.py")
)
ROOM = 3.5
LADDER = {"ladder": Ladder()}
FAST = (
    SchoolWorld((2, 3, 2), icc=0.05),
    SchoolWorld((3, 4), icc=0.0, slope=0.3),
    SchoolWorld((3, 4), icc=0.15),
    SchoolWorld((5, 2), icc=0.05, slope=0.3),
    SchoolWorld((5, 2), pupils=17, icc=0.0),
    SchoolWorld((5, 2), pupils=17, prior=0.6),
)
THIRTY = (SchoolWorld((15, 15), pupils=20, icc=0.0, slope=0.3),)


def assert_honest(table: pd.DataFrame, asked: str) -> None:
    found = NULL["judged"](table, asked, ROOM)
    wrong = found[found["wrong"] != ""]
    assert wrong.empty, wrong[["world", "question", "rejection", "coverage", "wrong"]].to_string()
    assert (table["failed"] == 0).all()
    assert (table["bias"].abs() < ROOM * table["bias_error"]).all()


def test_a_true_null_is_rejected_no_more_than_it_may_be() -> None:
    table = recover(FAST, LADDER, draws=400)
    assert_honest(table, "null")
    # The test can reject at all, save where the flag says that it hardly does.
    assert (table["rejection"] > 0.004).all()


def test_intervals_cover_at_thirty_schools() -> None:
    assert_honest(recover(THIRTY, LADDER, draws=250), "coverage")


@pytest.mark.slow
@pytest.mark.parametrize("part", NULL["PARTS"][:2], ids=lambda part: part.title)
def test_the_null_table_holds(part: Any) -> None:
    assert_honest(recover(part.worlds, part.scored, draws=4000, workers=2), part.asked)


def by_intercept_only(sample: EffectSample) -> Told:
    """Test the arm in a model whose arms differ alike in every school."""
    x = np.column_stack([np.ones_like(sample.outcome), sample.first])
    template = diagonal_template(np.array([0]))
    fit = fit_two_level(x, x[:, :1], sample.outcome, sample.school, template)
    df = satterthwaite_df(fit, np.array([[0.0, 1.0]]))[0]
    df = df if np.isfinite(df) else len(x) - 2
    error = math.sqrt(fit.vcov[1, 1])
    wide = float(student.ppf(0.975, df)) * error
    p_value = float(2 * student.sf(abs(fit.beta[1]) / error, df))
    return Told(fit.beta[1], fit.beta[1] - wide, fit.beta[1] + wide, p_value)


@dataclass(frozen=True)
class WithinSchools:
    """The one question of a world that lies within schools."""

    world: SchoolWorld

    @property
    def name(self) -> str:
        return self.world.name

    def draw(self, rng: np.random.Generator) -> dict[str, Question]:
        return {"base_vs_host": self.world.draw(rng)["base_vs_host"]}


def test_bases_that_differ_deceive_a_random_intercept_and_not_the_ladder() -> None:
    # Sixty pupils a school, as the mainstream of a host has: the larger the arms within a school,
    # the more of what is left between schools is the base's own effect.
    world = WithinSchools(SchoolWorld((5, 2), pupils=60, slope=0.3))
    table = recover([world], {**LADDER, "intercept": by_intercept_only}, draws=250)
    rates = table.set_index("procedure")["rejection"]
    assert rates["intercept"] > 0.06 + ROOM * math.sqrt(0.05 * 0.95 / 250)
    assert rates["intercept"] > 2 * rates["ladder"]


@dataclass(frozen=True)
class ByRegression:
    """Least squares with CR2, the model that needs no ladder: Satterthwaite df of the design."""

    def __call__(self, sample: EffectSample) -> Told:
        fit = REGRESSION.fit(sample)
        interval = fit.interval
        return Told(fit.estimate, interval.low, interval.high, interval.p_value, ("conservative",))


def test_regression_with_cr2_is_honest_too() -> None:
    worlds = (FAST[0], FAST[3])
    assert_honest(recover(worlds, {"regression": ByRegression()}, draws=300), "null")


def test_an_effect_that_is_there_is_found_and_not_biased() -> None:
    table = recover([SchoolWorld((5, 2), pupils=17, effect=1.0)], LADDER, draws=200)
    table = table.set_index("question")
    assert table.loc["base_vs_host", "rejection"] > 0.8
    assert (table["bias"].abs() < ROOM * table["bias_error"]).all()
    assert (table["coverage"] > 0.95 - ROOM * math.sqrt(0.05 * 0.95 / 200)).all()


def test_schools_that_host_for_their_own_reasons_bias_what_lies_between_schools() -> None:
    world = SchoolWorld((5, 2), pupils=17, confounding=0.3)
    table = recover([world], LADDER, draws=300).set_index("question")
    between = table.loc[["base_vs_non_host", "host_vs_non_host"]]
    assert (abs(between["bias"] - 0.3) < ROOM * between["bias_error"]).all()
    within = table.loc["base_vs_host"]
    assert abs(within["bias"]) < ROOM * within["bias_error"]
