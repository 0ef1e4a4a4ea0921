"""Holding a mixed model to R's fit of the same, for tests of several folders (by `runpy`)."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
from numpy.testing import assert_allclose

from baseeval.models.mixed_model import MixedModel


def check_fit(model: MixedModel, r: dict[str, Any], df: str | None = None) -> None:
    """Hold a fit to what a reader of both would notice.

    A coefficient to 1e-5 of its standard error, standard errors and variances to 1e-5, df to
    1e-4, a log-likelihood no lower than R's by 1e-8 of itself. Where the likelihood is flat,
    variances may differ if ours is the higher likelihood.
    """
    gain = model.loglik - r["logLik"]
    assert gain > -1e-8 * abs(r["logLik"])
    assert model.singular == r["singular"]
    se = np.array(r["se"])
    apart = by_name(model.fixed, "estimate", r) - r["beta"]
    assert np.abs(apart / se).max() < 1e-5
    if df != "kenward_roger":
        assert_allclose(by_name(model.fixed, "std_error", r), se, rtol=1e-5)
    theirs = {(c["grp"], c["var1"], c["var2"]): c["vcov"] for c in r["varcorr"]}
    expected = [theirs[key] for key in r_keys(model.variance)]
    assert len(expected) == len(theirs)
    if gain < 1e-7:
        found = model.variance["variance_or_covariance"]
        assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * max(theirs.values()))
    if df is not None:
        assert_allclose(by_name(model.fixed, "df", r), r[df]["df"], rtol=1e-4)
        if df == "kenward_roger":
            assert_allclose(by_name(model.fixed, "std_error", r), r[df]["se"], rtol=1e-5)


def by_name(table: pd.DataFrame, column: str, r: dict[str, Any]) -> np.ndarray:
    """Take a column of a table of terms, in R's order of the terms that it fitted."""
    named = pd.Series(table[column].to_numpy(dtype=float), index=map(plain_name, table["term"]))
    return named.loc[[plain_name(name) for name in r["coef_names"]]].to_numpy()


def plain_name(term: str) -> str:
    """Reduce R's and formulaic's name of a term to one, whatever the order of an interaction."""
    name = re.sub(r"\[T\.([^\]]*)\]", r"\1", term).replace("(Intercept)", "Intercept")
    return ":".join(sorted(name.split(":")))


def r_keys(table: pd.DataFrame) -> list[tuple[str, str | None, str | None]]:
    """Name each variance as R does."""
    name = {"Intercept": "(Intercept)", "": None}
    return [
        (row.group, name.get(row.term_1, row.term_1), name.get(row.term_2, row.term_2))
        for row in table.itertuples()
    ]
