"""How alike the arms still are among those who have an outcome: balance, read after the gate."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from baseeval.cohort.building import Cohort
from baseeval.effects.occasions import covered, occasions
from baseeval.numerics.balance import effective_size, is_binary, standardiser
from baseeval.results import Weights

Floats = NDArray[np.float64]

_COLUMNS = [
    "outcome",
    "form",
    "wave",
    "contrast",
    "design",
    "estimand",
    "n_first",
    "n_second",
    "n_effective_first",
    "n_effective_second",
    "schools_first",
    "schools_second",
    "largest_smd",
    "fewest_at_largest",
]


def respondents_balance(cohort: Cohort, designs: Iterable[Weights]) -> pd.DataFrame:
    """Repeat the balance of each design on the pupils who have each outcome.

    Parameters
    ----------
    cohort : Cohort
    designs : iterable of Weights
        Of two arms each.

    Returns
    -------
    pandas.DataFrame
        One row an outcome, form, wave, contrast and design: counts, effective sizes and the
        largest standardised difference, over the standard deviations of the whole design.
        ``fewest_at_largest`` is for disclosure control: of the covariate at which the
        difference is largest, the fewest pupils of an arm who have it or lack it; missing
        for a number.
    """
    times = occasions(cohort)
    rows: list[dict[str, object]] = []
    for design in designs:
        columns = design.covariates
        spreads = np.array(
            [standardiser(column, design.treated, design.estimand) for column in columns.T]
        )
        for time in covered(times, design.contrast):
            values = pd.Series(time.values["value"].to_numpy(), index=time.values["pupil"])
            known = np.isfinite(values.reindex(design.pupil).to_numpy(dtype=float))
            rows.append(
                {
                    "outcome": time.outcome.name,
                    "form": time.form,
                    "wave": time.wave,
                    "contrast": design.contrast,
                    "design": design.method,
                    "estimand": design.estimand,
                    **_among(design, spreads, known & (design.weights > 0)),
                }
            )
    return pd.DataFrame.from_records(rows, columns=_COLUMNS)


def _among(design: Weights, spreads: Floats, used: NDArray[np.bool_]) -> dict[str, object]:
    """Compare the arms of a design among the rows that are used."""
    arms = [used & design.treated, used & ~design.treated]
    row: dict[str, object] = {}
    for side, arm in zip(("first", "second"), arms, strict=True):
        row[f"n_{side}"] = int(arm.sum())
        row[f"n_effective_{side}"] = effective_size(design.weights[arm])
        row[f"schools_{side}"] = len(set(design.school[arm]))
    row["largest_smd"], row["fewest_at_largest"] = float("nan"), float("nan")
    if not (len(spreads) and all(arm.any() for arm in arms)):
        return row
    means = [
        np.average(design.covariates[arm], axis=0, weights=design.weights[arm]) for arm in arms
    ]
    apart = np.abs(means[0] - means[1])
    nothing = apart <= 1e-12 * np.maximum(1.0, np.abs(means[0]))
    with np.errstate(divide="ignore", invalid="ignore"):
        sizes = np.where(nothing, 0.0, apart / spreads)
    largest = int(np.argmax(sizes))
    row["largest_smd"] = float(sizes[largest])
    if is_binary(design.covariates[:, largest]):
        row["fewest_at_largest"] = min(
            min(float(held.sum()), float(len(held) - held.sum()))
            for held in (design.covariates[arm, largest] for arm in arms)
        )
    return row
