"""The recovery harness: the same table whoever does the work, kept, and scored rightly."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from baseeval.effects.spec import EffectSample
from baseeval.errors import EstimationError, Problem
from baseeval.stress.procedures import Ladder
from baseeval.stress.recovery import Question, Told, recover
from baseeval.stress.school_worlds import SchoolWorld
from baseeval.stress.scoring import score_draws

WORLDS = (SchoolWorld((2, 2)), SchoolWorld((2, 2, 2), slope=0.2))


@dataclass(frozen=True)
class Normal:
    """Ten numbers, whose mean is asked for."""

    name: str = "normal"

    def draw(self, rng: np.random.Generator) -> dict[str, Question]:
        return {"mean": Question(1.0 + rng.standard_normal(10), 1.0)}


def known_spread(sample: np.ndarray) -> Told:
    wide = 1.959964 / np.sqrt(10)
    mean = float(sample.mean())
    return Told(mean, mean - wide, mean + wide, 0.01, ("known",))


def refuses_some(sample: np.ndarray) -> Told:
    if sample[0] > 1:
        raise EstimationError(Problem("the sample", "is not liked", "Draw again."))
    return known_spread(sample)


def test_processes_and_order_change_nothing() -> None:
    alone = recover(WORLDS, {"ladder": Ladder()}, draws=55)
    shared = recover(WORLDS, {"ladder": Ladder()}, draws=55, workers=2)
    pd.testing.assert_frame_equal(alone, shared)
    turned = recover(WORLDS[::-1], {"ladder": Ladder()}, draws=55)
    by_name = alone.sort_values(["world", "question"], ignore_index=True)
    turned = turned.sort_values(["world", "question"], ignore_index=True)
    pd.testing.assert_frame_equal(by_name, turned)
    other = recover(WORLDS, {"ladder": Ladder()}, draws=55, seed=2)
    assert (other["bias"] != alone["bias"]).all()


def test_what_is_finished_is_kept_and_found_again(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []

    def told(*progress: object) -> None:
        seen.append(progress)

    procedures = {"known": known_spread}
    first = recover([Normal()], procedures, draws=120, folder=tmp_path, progress=told)
    assert seen == [("normal", 50, 120), ("normal", 100, 120), ("normal", 120, 120)]
    again = recover([Normal()], procedures, draws=120, folder=tmp_path, progress=told)
    assert len(seen) == 3
    pd.testing.assert_frame_equal(first, again)
    assert len(list(tmp_path.iterdir())) == 1
    recover([Normal()], procedures, draws=10, folder=tmp_path, progress=told)
    assert len(seen) == 4


def test_rates_and_their_errors() -> None:
    table = recover([Normal()], {"known": known_spread, "picky": refuses_some}, draws=400)
    known, picky = table.set_index("procedure").loc[["known", "picky"]].to_dict("records")
    assert known["rejection"] == 1
    assert abs(known["coverage"] - 0.95) < 4 * known["coverage_error"]
    assert known["coverage_error"] == pytest.approx(
        np.sqrt(known["coverage"] * (1 - known["coverage"]) / 400)
    )
    assert known["rmse"] == pytest.approx(10**-0.5, rel=0.15)
    assert known["mean_length"] == pytest.approx(2 * 1.959964 / 10**0.5)
    assert known["notes"] == {"known": 1.0}
    assert 0.3 < picky["failed"] < 0.7
    assert picky["notes"]["failed"] == pytest.approx(picky["failed"])


def test_scores_of_a_table_worked_by_hand() -> None:
    rows = pd.DataFrame(
        {
            "world": "w",
            "question": "q",
            "procedure": "p",
            "truth": 1.0,
            "estimate": [0.0, 2.0, 3.0, np.nan],
            "low": [-1.0, 0.5, 2.0, np.nan],
            "high": [0.5, 3.5, 4.0, np.nan],
            "p_value": [0.5, 0.2, 0.01, np.nan],
            "notes": ["a", "a;b", "a", "failed"],
        }
    )
    (row,) = score_draws(rows).to_dict("records")
    assert (row["draws"], row["failed"]) == (4, 0.25)
    assert row["rejection"] == pytest.approx(1 / 3)
    assert row["coverage"] == pytest.approx(1 / 3)
    assert row["bias"] == pytest.approx(2 / 3)
    assert row["rmse"] == pytest.approx(np.sqrt(2))
    assert row["sd"] == pytest.approx(np.std([-1, 1, 2], ddof=1))
    assert row["bias_error"] == pytest.approx(row["sd"] / np.sqrt(3))
    assert row["mean_length"] == pytest.approx((1.5 + 3 + 2) / 3)
    assert row["notes"] == {"a": 0.75, "b": 0.25, "failed": 0.25}


def test_worlds_have_the_layout_that_they_say() -> None:
    rng = np.random.default_rng(1)
    apart = SchoolWorld((2, 3, 2), icc=0.0).draw(rng)
    samples: dict[str, EffectSample] = {name: each.sample for name, each in apart.items()}
    assert {name: len(set(s.school)) for name, s in samples.items()} == {
        "base_vs_host": 5,
        "base_vs_non_host": 4,
        "host_vs_non_host": 5,
    }
    assert all(sample.shared_schools == 0 for sample in samples.values())
    inside = SchoolWorld((5, 2), effect=0.4).draw(rng)
    assert inside["base_vs_host"].sample.shared_schools == 5
    assert [question.truth for question in inside.values()] == [0.4, 0.4, 0.0]


def test_worlds_have_the_variances_that_they_say() -> None:
    sample = SchoolWorld((400, 400), pupils=30, icc=0.15).draw(np.random.default_rng(3))
    y = sample["host_vs_non_host"].sample.outcome
    school = sample["host_vs_non_host"].sample.school
    assert y.var() == pytest.approx(1, abs=0.06)
    sizes = np.bincount(school)
    means = np.bincount(school, y) / sizes
    within = np.sum((y - means[school]) ** 2) / (len(y) - len(sizes))
    assert within == pytest.approx(0.85, abs=0.03)
