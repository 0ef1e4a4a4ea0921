"""Outcomes by the name of their family and link, and what a family asks of its numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.generalised.beta_binomial import BetaTrials
from baseeval.numerics.generalised.binomials import (
    IdentityTrials,
    LogitTrials,
    LogTrials,
    ProbitTrials,
)
from baseeval.numerics.generalised.counts import NegativeBinomialCounts, PoissonCounts
from baseeval.numerics.generalised.ordered import OrderedLogit
from baseeval.numerics.generalised.slopes import Outcome

Floats = NDArray[np.float64]

_TRIALS: dict[tuple[str, str], Callable[[Floats, Floats], Outcome]] = {
    ("binomial", "logit"): LogitTrials,
    ("binomial", "probit"): ProbitTrials,
    ("binomial", "log"): LogTrials,
    ("binomial", "identity"): IdentityTrials,
    ("beta_binomial", "logit"): BetaTrials,
}
_COUNTS: dict[tuple[str, str], Callable[[Floats], Outcome]] = {
    ("poisson", "log"): PoissonCounts,
    ("negative_binomial", "log"): NegativeBinomialCounts,
}
#: Families whose outcome must vary from row to row, trials or not.
_CHECKED = ("poisson", "negative_binomial")
#: Families and their links, the first of each the usual one.
LINKS: dict[str, tuple[str, ...]] = {
    "binomial": ("logit", "probit", "log", "identity"),
    "beta_binomial": ("logit",),
    "poisson": ("log",),
    "negative_binomial": ("log",),
    "ordinal": ("logit",),
}


def make_outcome(
    y: Floats, family: str, link: str | None = None, trials: Floats | None = None
) -> Outcome:
    """Return an outcome of a family.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Successes; counts; or categories 0 .. K - 1, each held by a row.
    family : str
        One of `LINKS`.
    link : str, optional
        One of the family's; by default the first.
    trials : ndarray, shape (n,), optional
        Of the (beta-)binomial: by default one each.

    Returns
    -------
    Outcome

    Raises
    ------
    ValueError
        An unknown family or link, or numbers that the family cannot take.

    Examples
    --------
    >>> outcome = make_outcome(np.array([0.0, 2.0]), "binomial", trials=np.array([2.0, 2.0]))
    >>> round(outcome.level, 6)
    0.0
    """
    if family not in LINKS:
        raise ValueError(f"family {family!r} is not one of {', '.join(LINKS)}")
    chosen = LINKS[family][0] if link is None else link
    if chosen not in LINKS[family]:
        raise ValueError(f"family {family!r} has the links {', '.join(LINKS[family])}")
    if trials is not None and (family, chosen) not in _TRIALS:
        raise ValueError(f"family {family!r} has no trials")
    y = np.asarray(y, dtype=np.float64)
    problems = _problems(y, family)
    size = np.ones(len(y)) if trials is None else np.asarray(trials, dtype=np.float64)
    if (family, chosen) in _TRIALS and not problems:
        problems = _trial_problems(y, size, family)
    if problems:
        raise ValueError("; ".join(problems))
    if (family, chosen) in _TRIALS:
        return _TRIALS[family, chosen](y, size)
    if (family, chosen) in _COUNTS:
        return _COUNTS[family, chosen](y)
    return OrderedLogit(y.astype(np.intp), int(y.max()) + 1)


def _problems(y: Floats, family: str) -> list[str]:
    whole = np.isfinite(y) & (y >= 0) & (y == np.floor(y))
    found = []
    if not whole.all():
        found.append(f"{(~whole).sum()} outcomes are not whole numbers from zero")
    elif not len(y) or (family in _CHECKED and (y == y[0]).all()):
        found.append("the outcome does not vary")
    elif family == "ordinal":
        held = np.bincount(y.astype(np.intp))
        if len(held) < 2:
            found.append("the outcome has one category")
        elif (held == 0).any():
            found.append(f"{(held == 0).sum()} categories have no row: number those that have")
    return found


def _trial_problems(y: Floats, trials: Floats, family: str) -> list[str]:
    found = []
    odd = ~(np.isfinite(trials) & (trials > 0) & (trials == np.floor(trials)))
    if odd.any():
        return [f"{odd.sum()} numbers of trials are not whole numbers from one"]
    if (y > trials).any():
        found.append(f"{(y > trials).sum()} rows have more successes than trials")
    if y.sum() in (0.0, trials.sum()):
        found.append("the outcome does not vary")
    if family == "beta_binomial" and (trials == 1).all():
        found.append("a beta-binomial needs rows with more than one trial")
    return found
