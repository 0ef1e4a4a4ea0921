"""What designs say where they fail: the key at fault, and advice that fits what was asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import baseeval
from baseeval.errors import DataError, EstimationError


def table() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    base = np.repeat([1, 0], [6, 30])
    return pd.DataFrame(
        {
            "base": base,
            "x": rng.normal(size=36) + 0.5 * base,
            "need": np.tile(["a", "b"], 18),
            "same": "one",
        }
    )


def told(error: type[DataError | EstimationError], **choices: Any) -> str:
    make = baseeval.weight if choices.get("method") == "propensity" else baseeval.match
    with pytest.raises(error) as caught:
        make(**{"data": table(), "treated": "base", "covariates": ["x"], **choices})
    return str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"), [("caliper", {"need": 1.0}), ("sampling_weights", "need")]
)
def test_a_column_of_words_is_laid_to_the_key_that_names_it(key: str, value: Any) -> None:
    said = told(DataError, **{key: value})
    assert f"column `need`: `{key}` needs numbers" in said


@pytest.mark.parametrize("method", ["nearest", "optimal", "full"])
def test_only_restrictions_that_are_there_are_to_be_loosened(method: str) -> None:
    apart = table().assign(x=lambda rows: rows["x"] + 9 * rows["base"])
    own = {"data": apart, "distance": apart["x"].to_numpy(), "method": method}
    both = {"exact": ["need"], "caliper": 0.1, "caliper_unit": "raw"}
    strict = told(EstimationError, **own, anti_exact=["same"])
    assert "has a match within what partners must not share" in strict
    assert "Name less in `anti_exact`." in strict
    assert "caliper" not in strict
    assert "exactly" not in strict
    wide = told(EstimationError, **own, **both)
    assert "within the calipers and the exact strata" in wide
    assert "Widen the calipers, or match exactly on less." in wide


def test_advice_on_one_heavy_pupil_fits_the_method() -> None:
    matched = told(EstimationError, method="nearest", replace=True, largest_share=0.02)
    assert "`reuse`" in matched
    assert "`caliper`" in matched
    assert "`ratio`" in matched
    assert "rim" not in matched
    assert "ATO" not in matched
    weighted = told(EstimationError, method="propensity", largest_share=0.02)
    assert "Trim (`trim`), truncate (`truncate`)" in weighted
    assert "(estimand ATO)" in weighted
    assert "caliper" not in weighted


def test_a_share_just_beyond_the_limit_is_not_written_as_the_limit() -> None:
    frame = pd.DataFrame({"base": [1] * 49 + [0] * 49, "x": np.tile(np.arange(49.0), 2)})
    own = {"distance": frame["x"].to_numpy(), "data": frame}
    # Each of 49 partners holds 2.0408%.
    for limit, words in (
        (0.01, "holds 2% of the weight of that arm, more than the 1% allowed"),
        (0.02, "holds 2.04% of the weight of that arm, more than the 2% allowed"),
        (0.0204, "holds 2.041% of the weight of that arm, more than the 2.04% allowed"),
    ):
        assert words in told(EstimationError, **own, largest_share=limit)
