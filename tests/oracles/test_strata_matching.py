"""Subclassification, exact and coarsened exact matching against MatchIt.

Version 4.7.2 on Lalonde's data; 4.5.1, which gives the same there, on many settings of synthetic
data; and R's own rules for a number of bins.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import baseeval
from baseeval.numerics.coarsening import RULES, count_bins
from baseeval.numerics.subclassification import subclassify

CLOSE = {"rtol": 1e-10, "atol": 1e-12}
COVARIATES = ["age", "educ", "race", "married", "nodegree", "re74", "re75"]
SYNTHETIC = ["prior", "age", "income", "need", "fsm"]


def same_partition(ours: np.ndarray, theirs: list[Any]) -> bool:
    """Whether two numberings put the same rows together; theirs has None or 0 for no stratum."""
    labels = pd.Series([label if label else "none" for label in theirs])
    mine = pd.Series(ours).where(ours >= 0, "none")
    both = pd.crosstab(mine, labels).to_numpy() > 0
    return bool((both.sum(axis=0) == 1).all() and (both.sum(axis=1) == 1).all())


@pytest.mark.parametrize(
    ("case", "settings"),
    [
        ("subclass6", {"method": "subclass", "distance": "theirs"}),
        ("subclass6", {"method": "subclass"}),
        ("exact", {"method": "exact", "covariates": ["race", "married", "nodegree"]}),
        ("cem", {"method": "cem"}),
    ],
)
def test_lalonde(case: str, settings: dict[str, Any], reference: Any) -> None:
    stored = reference("matching.json")[case]
    request: dict[str, Any] = {"covariates": COVARIATES} | settings
    if request.get("distance") == "theirs":
        request["distance"] = np.array([float(value) for value in stored["distance17"]])
    found = baseeval.match(reference("lalonde.csv"), treated="treat", **request)
    assert_allclose(found.weights, stored["weights"], **CLOSE)
    assert found.subclass is not None
    assert same_partition(found.subclass, stored["subclass"])


def test_every_setting_on_synthetic_data(r_values: Any, r_data: Any) -> None:
    values, data = r_values("strata_matching"), r_data("strata_matching.csv")
    score = np.array([float(value) for value in values["score17"]])
    for name, case in values["cases"].items():
        settings = dict(case["settings"])
        if settings["method"] == "subclass":
            settings["distance"] = score
        for groups in settings.get("grouping", {}).values():
            # R writes a list of one as its one value.
            groups[:] = [group if isinstance(group, list) else [group] for group in groups]
        if "all" in settings.get("cutpoints", {}):
            settings["cutpoints"] = {"": settings["cutpoints"]["all"]}
        covariates = ["need", "fsm"] if settings["method"] == "exact" else SYNTHETIC
        found = baseeval.match(data, treated="treat", covariates=covariates, **settings)
        pairs = zip(case["strata"], data["treat"], strict=True)
        theirs = [case["weight"][f"{stratum} {treat}"] for stratum, treat in pairs]
        assert_allclose(found.weights, theirs, err_msg=name, **CLOSE)
        assert found.subclass is not None
        assert same_partition(found.subclass, case["strata"]), name
    assert len(values["cases"]) > 60


def test_subclasses_are_filled_up_row_for_row(r_values: Any) -> None:
    tied = 0
    for case in r_values("strata_matching")["filling"]:
        treated = np.array(case["treated"]) == 1
        score = np.array(case["score"])
        target = {"ATT": treated, "ATC": ~treated}.get(case["estimand"], np.ones_like(treated))
        found = subclassify(score, treated, target, case["subclasses"], case["min_per_arm"])
        assert (found + 1).tolist() == case["strata"]
        tied += len(np.unique(score)) < len(score)
    assert tied > 20


def test_numbers_of_bins_are_those_of_r(r_values: Any) -> None:
    for case in r_values("strata_matching")["bins"]:
        values = np.array(case["values"], dtype=float)
        assert [count_bins(values, rule) for rule in RULES] == [case[rule] for rule in RULES]
