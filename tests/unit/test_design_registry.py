"""The registry of designs: one file a method, from which everything else is told."""

from __future__ import annotations

import runpy
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import baseeval.design
from baseeval.design import registry
from baseeval.design.registry import DESIGNS
from baseeval.design.settings import Settings
from baseeval.errors import EstimationError, PlanError, UsageError
from baseeval.plan import DesignSection
from baseeval.study import read_study

SETTINGS = {each.name for each in fields(Settings)}
#: Settings that every method or none reads: they say whom, not how.
CENTRAL = {"estimand", "focal", "largest_share"}
#: Keys of the plan's section that are not choices of a method, and choices that no plan makes.
OWN_KEYS = {"methods", "target", "anti_exact", "sampling_weights"}
NOT_IN_PLANS = {"seed", "estimating_functions"}

NEW_METHOD = """
import numpy as np
from baseeval.design.sample import DesignSample
from baseeval.design.settings import Settings
from baseeval.design.spec import DesignSpec, Made


def half(sample: DesignSample, settings: Settings) -> Made:
    return Made(weights=np.where(sample.treated, 1.0, 0.5))


SPEC = DesignSpec(
    name="half", kind="weight", summary="Halves", words="halving", estimands=("ATT",), make=half,
    source="",
)
"""


@pytest.mark.parametrize("name", DESIGNS)
def test_every_method_says_what_it_is(name: str) -> None:
    spec = DESIGNS[name]
    assert spec.name == name
    assert spec.summary
    assert spec.words
    assert spec.source or name == "none"
    assert set(spec.settings) <= SETTINGS - CENTRAL
    assert spec.estimands
    assert len({*spec.settings}) == len(spec.settings)


def test_every_setting_is_read_by_a_method() -> None:
    read = {name for spec in DESIGNS.values() for name in spec.settings}
    assert SETTINGS - CENTRAL - read == set()


def test_the_plan_has_a_key_for_every_setting() -> None:
    keys = set(DesignSection.model_fields)
    assert keys - OWN_KEYS == SETTINGS - NOT_IN_PLANS


def test_a_file_is_all_that_a_new_method_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half.py").write_text(NEW_METHOD, encoding="utf-8")
    monkeypatch.setattr(registry.methods, "__path__", [*registry.methods.__path__, str(tmp_path)])
    found = runpy.run_path(str(registry.__file__))["DESIGNS"]
    assert found["half"].words == "halving"
    assert set(DESIGNS) < set(found)


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    age = rng.normal(size=60)
    return pd.DataFrame(
        {
            "small": (rng.random(60) < 0.4).astype(int),
            "place": np.repeat(["a", "b", "c"], 20),
            "age": age,
            "twin": age,
            "still": 1.0,
        }
    )


def test_a_setting_that_nothing_reads_is_refused() -> None:
    with pytest.raises(UsageError, match=r"subclasses.*`nearest` does not read this"):
        baseeval.match(frame(), treated="small", covariates=["age"], subclasses=3)


def test_three_arms_are_refused_by_a_method_for_two() -> None:
    with pytest.raises(UsageError, match=r"serves two arms, and there are 3.*entropy"):
        baseeval.match(frame(), treated="place", covariates=["age"])


def test_repeated_and_constant_covariates_are_told() -> None:
    found = baseeval.weight(frame(), treated="small", covariates=["age", "twin", "still"])
    alone = baseeval.weight(frame(), treated="small", covariates=["age"])
    np.testing.assert_allclose(found.weights, alone.weights, atol=1e-9)
    assert any("`twin` is the same as `age`" in note for note in found.notes)
    assert any("`still` is the same for every pupil" in note for note in found.notes)


def test_one_pupil_with_much_of_the_weight_is_refused_or_flagged() -> None:
    rng = np.random.default_rng(2)
    far = pd.DataFrame({"small": [1] * 5 + [0] * 30, "x": [3.0] * 5 + [*rng.normal(size=29), 4.0]})
    flagged = baseeval.weight(far, treated="small", covariates=["x"])
    assert "heavy_weight" in flagged.flags
    with pytest.raises(EstimationError, match=r"one pupil of second holds \d+% of the weight"):
        baseeval.weight(far, treated="small", covariates=["x"], largest_share=0.3)


@pytest.mark.parametrize("method", ["nearest", "subclass", "exact"])
def test_a_match_counts_each_pupil_by_the_survey_weight(method: str) -> None:
    table = frame().assign(need=np.tile(["x", "y"], 30), survey=np.linspace(1, 2, 60))
    asked = {"treated": "small", "covariates": ["need"], "method": method}
    if method != "exact":
        asked["distance"] = table["age"].to_numpy()
    plain = baseeval.match(table, **asked)
    counted = baseeval.match(table, **asked, sampling_weights="survey")
    np.testing.assert_allclose(counted.weights, plain.weights * table["survey"])


def test_rows_of_a_stratum_without_both_arms_are_counted() -> None:
    table = frame().assign(need=["only"] * 7 + ["both"] * 53)
    table.loc[:6, "small"] = 0
    found = baseeval.weight(table, treated="small", covariates=["age"], exact=["need"])
    assert found.weights[:7].tolist() == [0.0] * 7
    assert any("0 of first, 7 of second" in note for note in found.notes)


def test_a_plan_with_a_key_that_no_design_reads(tmp_path: Path, replication_plan: str) -> None:
    bad = replication_plan.replace("[design]", "[design]\nsubclasses = 5\n")
    (tmp_path / "study.toml").write_text(bad, encoding="utf-8")
    with pytest.raises(PlanError, match=r"subclasses.*none of the designs.*subclass"):
        read_study(tmp_path / "study.toml")


@pytest.fixture
def replication_plan(root: Path) -> str:
    return (root / "analyses" / "src_replication" / "study.toml").read_text(encoding="utf-8")
