"""The section [gate] of a study file: what it holds, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from baseeval.errors import PlanError
from baseeval.plan import GATE_RULES, plan_from_keys


def keys(**gate):
    return {
        "study": {"name": "gated", "title": "Gated", "question": "?"},
        "data": {"table": "pupils.csv", "pupil": "p", "school": "s"},
        "arms": {"column": "a", "base": ["b"], "host_mainstream": ["h"]},
        "outcomes": [{"name": "y", "kind": "continuous", "column": "y", "better": "higher"}],
        "covariates": {"adjust": ["prior"]},
        "gate": gate,
    }


def faults(written):
    with pytest.raises(PlanError) as caught:
        plan_from_keys(written, Path("study.toml"))
    return [str(problem) for problem in caught.value.problems]


def test_a_gate_holds_thresholds_in_the_order_in_which_they_are_told():
    gate = plan_from_keys(
        keys(effective_size=30, largest_smd=0.25, schools_per_arm=10, overlap=0, icc=0.2),
        Path("study.toml"),
    ).gate
    assert gate is not None
    assert list(gate.thresholds().items()) == [
        ("largest_smd", 0.25),
        ("overlap", 0.0),
        ("schools_per_arm", 10.0),
        ("effective_size", 30.0),
    ]
    assert (gate.icc, gate.power, gate.show_failed) == (0.2, 0.8, False)


def test_a_study_without_a_gate_has_none():
    written = keys()
    del written["gate"]
    assert plan_from_keys(written, Path("study.toml")).gate is None


@pytest.mark.parametrize("gate", [{}, {"icc": 0.2}, {"show_failed": True}])
def test_a_gate_that_asks_nothing_is_refused(gate):
    (fault,) = faults(keys(**gate))
    assert "gate: it asks nothing" in fault
    assert all(rule in fault for rule in GATE_RULES)


def test_what_needs_covariates_says_so():
    written = keys(largest_smd=0.1, overlap=0.1, schools_per_arm=3)
    written["covariates"] = {}
    found = faults(written)
    assert len(found) == 2
    assert "gate: `largest_smd` needs covariates" in found[0]
    assert "gate: `overlap` needs covariates" in found[1]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("largest_smd", 0),
        ("overlap", 1.0),
        ("overlap", "0.1"),
        ("schools_per_arm", 0),
        ("schools_per_arm", 2.5),
        ("effective_size", 0),
        ("smallest_detectable_effect", 0),
        ("icc", 1.0),
        ("r2_pupil", -0.1),
        ("effect_variance", -0.1),
        ("power", 1.0),
        ("alpha", 0),
        ("show_failed", "yes"),
    ],
)
def test_a_value_out_of_range_is_named(key, value):
    (fault,) = faults(keys(**{"schools_per_arm": 2, key: value}))
    assert fault.startswith(f"study.toml, [gate] {key}: ")
    ranges = {
        "largest_smd": "a number above 0 is",
        "overlap": "a number of at least 0 and below 1 is",
        "schools_per_arm": "a whole number of at least 1 is",
        "effective_size": "a number above 0 is",
        "smallest_detectable_effect": "a number above 0 is",
        "icc": "a number of at least 0 and below 1 is",
        "r2_pupil": "a number of at least 0 and below 1 is",
        "effect_variance": "a number of at least 0 is",
        "power": "a number above 0 and below 1 is",
        "alpha": "a number above 0 and below 1 is",
        "show_failed": "true or false is",
    }
    assert f"{key}: {ranges[key]} needed here" in fault


def test_an_unknown_key_names_the_nearest():
    (fault,) = faults(keys(schools_per_arm=2, largest_sdm=0.1))
    assert "Did you mean `largest_smd`?" in fault
