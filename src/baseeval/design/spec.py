"""What a design method can do, what it is given and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from baseeval.design.sample import DesignSample
from baseeval.design.settings import Settings
from baseeval.results import Estimation

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a method made of a sample.

    Parameters
    ----------
    weights : ndarray, shape (n,)
        Not negative; zero for a row that is not used.
    propensity : ndarray, shape (n,) or (n, k), optional
        Fitted probability of the first arm, or of each of more than two arms.
    pairs : ndarray of int, shape (m, k), optional
        Rows of each arm that were matched with one another, -1 for none.
    subclass : ndarray of int, shape (n,), optional
        From 0; -1 for a row in none.
    estimation : Estimation, optional
        Where it was asked for and the mathematics allows it.
    school_factor : ndarray, shape (n,), optional
        The school's part of each weight, where weights have two.
    flags : tuple of str
        Codes of `baseeval.results.FLAGS`.
    notes : tuple of str
        What the holder of the data should know: counts and categories, never a
        pupil's value. They stay in the private folder.
    """

    weights: Floats
    propensity: Floats | None = None
    pairs: Ints | None = None
    subclass: Ints | None = None
    estimation: Estimation | None = None
    school_factor: Floats | None = None
    flags: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignSpec:
    """Capabilities of a design method.

    Parameters
    ----------
    name : str
        As the plan names it.
    kind : {"match", "weight", "none"}
        Which function serves it.
    summary : str
        What it does, in a sentence.
    words : str
        The same as a report says it, to complete "made alike by".
    estimands : tuple of str
        Those it can serve for two arms.
    make : callable
        From a DesignSample and Settings to a Made.
    source : str
        The paper it follows.
    estimands_of_several : tuple of str
        Those it can serve for three arms or more at once; none where it serves two only.
    needs_covariates : bool
    keeps_apart : bool
        Whether it heeds what partners must not share (`anti_exact`).
    all_rows : bool
        Whether it is given every row, so that scores and standard deviations are
        those of all of them, and sees to the exact strata itself; by default rows
        of a stratum that lacks an arm are kept from it.
    settings : tuple of str
        Names of the `Settings` that it reads, besides the estimand.
    """

    name: str
    kind: Literal["match", "weight", "none"]
    summary: str
    words: str
    estimands: tuple[str, ...]
    make: Callable[[DesignSample, Settings], Made]
    source: str
    estimands_of_several: tuple[str, ...] = ()
    needs_covariates: bool = True
    keeps_apart: bool = False
    all_rows: bool = False
    settings: tuple[str, ...] = ()
