"""How a mean follows from a linear predictor, and the variance that goes with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Link:
    """A mean as a function of a linear predictor, and the variance that goes with it.

    Parameters
    ----------
    mean, slope : callable
        Of the linear predictor; the slope is the mean's derivative.
    variance : callable
        Of the mean, up to a factor.
    start : callable
        A linear predictor from the outcome, to begin with.
    """

    mean: Callable[[Floats], Floats]
    slope: Callable[[Floats], Floats]
    variance: Callable[[Floats], Floats]
    start: Callable[[Floats], Floats]


def _same(values: Floats) -> Floats:
    return values


def _chance_slope(eta: Floats) -> Floats:
    chance = expit(eta)
    return np.asarray(chance * (1 - chance))


#: Links by name. `log` has the variance of counts, which serves proportions and yes or no as well
#: (Zou 2004, doi:10.1093/aje/kwh090): the sandwich does not lean on it.
LINKS: Mapping[str, Link] = MappingProxyType(
    {
        "identity": Link(_same, np.ones_like, np.ones_like, _same),
        "logit": Link(
            expit, _chance_slope, lambda mean: mean * (1 - mean), lambda y: logit((y + 0.5) / 2)
        ),
        "log": Link(np.exp, np.exp, _same, lambda y: np.log((y + y.mean()) / 2)),
    }
)
