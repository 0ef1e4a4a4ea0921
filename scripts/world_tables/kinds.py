"""Kinds of measures: each a ratio of sums whose expectation is zero."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.special import expit, logit

NEEDS = ("adhd", "language", "learning")

#: key, kind (mean, rate, sd, given), stated, num, den: of one draw.
Measure = tuple[str, str, float, float, float]


def mean_of(key: str, stated: float, resid: Any, weight: Any = 1.0) -> Measure:
    """A mean (or a coefficient, with x * resid and x * x * weight): stated plus num / den."""
    resid = np.asarray(resid, dtype=float)
    return key, "mean", stated, float(resid.sum()), float(np.sum(weight * np.ones_like(resid)))


def slope(key: str, stated: float, x: Any, resid: Any, weight: Any = 1.0) -> Measure:
    """The coefficient of x, all else as stated: `weight` is 1, or p (1 - p) on log odds."""
    x, resid = np.asarray(x, dtype=float), np.asarray(resid, dtype=float)
    return key, "mean", stated, float((x * resid).sum()), float((x * x * weight).sum())


def rate_of(key: str, stated: float, happened: Any, chance: Any) -> Iterator[Measure]:
    """A rate at the centre of a logistic part, whose chances follow what else it looks at."""
    if 0 < stated < 1:
        chance = np.broadcast_to(chance, np.shape(happened))
        resid, weight = happened - chance, chance * (1 - chance)
        yield key, "rate", stated, float(resid.sum()), float(weight.sum())


def spread_of(key: str, stated: float, values: Any) -> Iterator[Measure]:
    """The SD of values whose mean is known to be zero."""
    if stated > 0:
        values = np.asarray(values, dtype=float)
        yield key, "sd", stated, float((values**2 - stated**2).sum()), float(values.size)


def spread_from(key: str, stated: float, total: float, count: float) -> Iterator[Measure]:
    """An SD from a sum of squares, or of products, whose mean is its square."""
    if stated > 0:
        yield key, "sd", stated, float(total - count * stated**2), float(count)


def with_severity(
    key: str, rate: float, more: float, happened: Any, severity: Any
) -> Iterator[Measure]:
    """A rate, and the log odds that one SD of severity adds to it."""
    chance = expit(log_odds(rate) + more * severity)
    yield from rate_of(key, rate, happened, chance)
    if 0 < rate < 1 and more:
        weight = chance * (1 - chance)
        yield slope(f"{key}_severity", more, severity, happened - chance, weight)


def log_odds(rate: float) -> float:
    with np.errstate(divide="ignore"):  # rates of 0 and 1 stay 0 and 1
        return float(logit(rate))
