"""Judging a design: how alike the arms are before and after it, and whom it keeps."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from baseeval.design.arm_pairs import Laid
from baseeval.design.balance_rows import balance_rows
from baseeval.design.overlapping import overlap_rows
from baseeval.errors import Problem, UsageError
from baseeval.results import Balance, Weights

Floats = NDArray[np.float64]

#: Size of a difference that `p_over_limit` asks about: OHDSI's CohortMethod, version 6.
LIMIT = 0.10


def check_balance(
    designs: Weights | Iterable[Weights],
    *,
    limit: float = LIMIT,
    icc: float | None = None,
    distance: bool | Floats = False,
) -> Balance:
    """Compare the covariates of the arms before and after one design or several.

    Parameters
    ----------
    designs : Weights or iterable of Weights
        Of two arms or more. For the respondents of an outcome, give the weights
        with those of the others set to zero.
    limit : float
        Standardised difference that must be passed beyond chance before
        `chance` says `over_limit`.
    icc : float, optional
        Share of an outcome's variance that lies between schools: adds the design
        effect of weights and schools together.
    distance : bool or ndarray, shape (n,)
        Whether the propensity is judged like a covariate, named `distance` as in
        MatchIt; or scores of one's own, of the rows of one design. Left out
        where a design has no score for every row.

    Returns
    -------
    Balance
        Mean differences are divided by the standard deviation before the design,
        before and after alike: of the arm that an ATT or ATC is about, else the
        root of the mean of all arms' variances; `denominator` names it.
        ``docs/methods/balance.md`` defines every column.

    Raises
    ------
    UsageError
        `limit`, `icc` or `distance` is not one that can be.

    Examples
    --------
    >>> weights = Weights(
    ...     weights=np.array([1.0, 1.0, 1.0, 0.0]),
    ...     arm=np.array([0, 0, 1, 1]),
    ...     covariates=np.array([[1.0], [3.0], [2.0], [9.0]]),
    ...     names=(("age", ""),),
    ...     method="nearest",
    ...     estimand="ATT",
    ...     target="first",
    ... )
    >>> row = check_balance(weights).table.loc[0]
    >>> float(row["smd_after"]), row["denominator"], row["band"]
    (0.0, 'SD of first', 'alike')
    """
    several = [designs] if isinstance(designs, Weights) else list(designs)
    _check(several, limit, icc, distance)
    table: list[dict[str, object]] = []
    overlap: list[dict[str, object]] = []
    target: list[dict[str, object]] = []
    binned: list[dict[str, object]] = []
    for design in several:
        laid = Laid(design, _score(design, distance))
        rows, aimed = balance_rows(laid, limit)
        judged, counted = overlap_rows(laid, rows, icc)
        table += rows
        overlap += judged
        binned += counted
        target += aimed
    return Balance(
        pd.DataFrame.from_records(table, columns=None if table else _BALANCE_COLUMNS),
        pd.DataFrame.from_records(overlap, columns=None if overlap else _OVERLAP_COLUMNS),
        pd.DataFrame.from_records(target),
        pd.DataFrame.from_records(binned),
    )


_BALANCE_COLUMNS = [
    "contrast",
    "design",
    "estimand",
    "covariate",
    "level",
    "mean_first_before",
    "mean_second_before",
    "mean_first_after",
    "mean_second_after",
    "smd_before",
    "smd_after",
    "variance_ratio_before",
    "variance_ratio_after",
    "ks_before",
    "ks_after",
    "n_first",
    "n_second",
    "count_first",
    "count_second",
]

_OVERLAP_COLUMNS = [
    "contrast",
    "design",
    "estimand",
    "target",
    "n_first",
    "n_second",
    "n_effective_first",
    "n_effective_second",
    "schools_first",
    "schools_second",
    "share_outside_support",
    "max_smd_before",
    "max_smd_after",
    "flags",
]


def _check(
    designs: list[Weights], limit: float, icc: float | None, distance: bool | Floats
) -> None:
    problems = []
    if not limit >= 0:
        problems.append(Problem("limit", "it must be at least 0", "Give 0.1, for example."))
    if icc is not None and not 0 <= icc < 1:
        problems.append(Problem("icc", "it must be at least 0 and below 1", "Give 0.15, say."))
    if not isinstance(distance, bool):
        sizes = {len(design.arm) for design in designs}
        if sizes != {len(distance)} or not np.isfinite(distance).all():
            problems.append(
                Problem(
                    "distance",
                    "it must be one finite number for each row of the design",
                    "Give the scores that the design was made with.",
                )
            )
    if problems:
        raise UsageError(problems)


def _score(design: Weights, distance: bool | Floats) -> Floats | None:
    """Return the column that is judged as `distance`."""
    if not isinstance(distance, bool):
        return np.asarray(distance, dtype=float)
    score = design.propensity if distance else None
    if score is not None and score.ndim == 1 and np.isfinite(score).all():
        return score
    return None
