"""Cumulative incidence against R: survival's multi-state curves and their jackknife."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from baseeval.numerics.competing_risks import cumulative_incidence


@pytest.mark.parametrize("case", ["alone", "clustered", "from_the_start"])
def test_cumulative_incidence(case: str, r_values: Any, r_data: Any) -> None:
    values, frame = r_values("competing_risks"), r_data("competing_risks.csv")
    if case == "from_the_start":
        frame = frame[frame.entry == 0]
    found = cumulative_incidence(
        frame.entry.to_numpy(dtype=float),
        frame.leaving.to_numpy(dtype=float),
        frame.way.to_numpy(),
        3,
        np.array(values["at"], dtype=float),
        frame.school.to_numpy() if case == "clustered" else None,
    )
    r = values[case]
    assert_allclose(found.incidence, r["incidence"], rtol=1e-10, atol=1e-14)
    assert_allclose(1 - found.any_way, r["still"], rtol=1e-10)
    assert_allclose(found.std_error, r["std_error"], rtol=1e-8, atol=1e-12)
    assert_allclose(found.any_std_error, r["still_std_error"], rtol=1e-8, atol=1e-12)
