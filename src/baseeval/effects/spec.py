"""What a model can do, what it is given and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.errors import EstimationError, Problem
from baseeval.numerics.cr2 import Interval

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EffectSample:
    """The rows of one estimate: every one with an outcome and a positive weight.

    Parameters
    ----------
    outcome : ndarray, shape (n,)
    first : ndarray of bool, shape (n,)
        True for the first arm.
    weights : ndarray, shape (n,)
        Positive, with mean one in each arm.
    covariates : ndarray, shape (n, p)
        May hold dependent columns; the model leaves those out.
    school : ndarray of int, shape (n,)
        0 to G - 1.
    """

    outcome: Floats
    first: NDArray[np.bool_]
    weights: Floats
    covariates: Floats
    school: NDArray[np.intp]

    @property
    def shared_schools(self) -> int:
        """Return the number of schools that hold pupils of both arms."""
        return len(set(self.school[self.first]) & set(self.school[~self.first]))


@dataclass(frozen=True, slots=True)
class ModelFit:
    """An estimate and its interval.

    Parameters
    ----------
    estimate : float
        First minus second, in units of the outcome.
    interval : Interval
    parameters : int
        Coefficients fitted.
    flags : tuple of str
    inference : str
        How the interval was made, where that follows from the schools at hand;
        empty where the model's specification says it.
    """

    estimate: float
    interval: Interval
    parameters: int
    flags: tuple[str, ...] = ()
    inference: str = ""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Capabilities of a model.

    Parameters
    ----------
    name : str
        As the plan names it.
    summary : str
        What it does, in a sentence.
    kinds : tuple of str
        Kinds of outcome it can serve.
    carries_designs : bool
        Whether it takes the weights of a design; else it runs once without.
    uses_covariates : bool
    inference : str
        How its interval is made; `ladder` where a row says which step was taken.
    generalises_to : str
    fit : callable
        From an EffectSample to a ModelFit.
    source : str
    """

    name: str
    summary: str
    kinds: tuple[str, ...]
    carries_designs: bool
    uses_covariates: bool
    inference: str
    generalises_to: str
    fit: Callable[[EffectSample], ModelFit]
    source: str


def identified(x: Floats) -> Floats:
    """Return the columns of a model, or refuse them where rows are too few to fit them.

    Parameters
    ----------
    x : ndarray, shape (n, p)
        Intercept, arm, then covariates; full column rank.

    Returns
    -------
    ndarray, shape (n, p)

    Raises
    ------
    EstimationError
        There are no more rows than coefficients.
    """
    if x.shape[0] <= x.shape[1]:
        raise EstimationError(
            Problem(
                "the model",
                f"{x.shape[1]} coefficients are asked of {x.shape[0]} pupils",
                "Adjust for fewer covariates.",
            ),
            flag="model_failed",
        )
    return x
