"""Fitted chances of the arms, what stands in their way, and how they vary with the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.results import Estimation

Floats = NDArray[np.float64]

#: A column's covariate and, of a category, its level.
Name = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """How the numbers that a model estimates move with rows, and the chances with them.

    Parameters
    ----------
    scores : ndarray, shape (n, q)
    bread : ndarray, shape (q, q)
        As of `baseeval.results.Estimation`.
    carry : callable
        From derivatives of a number of each row by its chances, shape (n, k), to
        derivatives by what is estimated, shape (n, q).
    """

    scores: Floats
    bread: Floats
    carry: Callable[[Floats], Floats]

    def estimation(self, by_chances: Floats) -> Estimation:
        """Return how weights were estimated.

        Parameters
        ----------
        by_chances : ndarray, shape (n, k)
            Derivative of each row's weight by its chances.

        Returns
        -------
        Estimation
        """
        return Estimation(scores=self.scores, bread=self.bread, d_weights=self.carry(by_chances))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosting:
    """The chance that a pupil's school hosts a base, where a model has it.

    Parameters
    ----------
    chance : ndarray, shape (n,)
    carry : callable, optional
        From derivatives of a number of each row by that chance, shape (n,), to derivatives by what
        is estimated, shape (n, q) as of the scores' `moves`.
    """

    chance: Floats
    carry: Callable[[Floats], Floats] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Fitted chances of the arms.

    Parameters
    ----------
    chances : ndarray, shape (n, k)
        Rows add up to one.
    model : str
        A name of `baseeval.design.scoring.MODELS`.
    separated : bool
        Whether no finite estimate exists: chances then mean nothing.
    separating : tuple of (covariate, level)
        The columns that tell arms apart without doubt, where they do.
    certain : int
        Rows whose arm is told from another without doubt.
    rare : tuple of str
        Arms with fewer than ten pupils for each column of the model.
    moves : Moves, optional
        Where they were asked for and the model has them.
    hosting : Hosting, optional
        Where the model has a chance that the school hosts.
    flags, notes : tuple of str
        As of `baseeval.design.spec.Made`.
    """

    chances: Floats
    model: str
    separated: bool = False
    separating: tuple[Name, ...] = ()
    certain: int = 0
    rare: tuple[str, ...] = ()
    moves: Moves | None = None
    hosting: Hosting | None = None
    flags: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def first(self) -> Floats:
        """Return the chance of the first arm, shape (n,)."""
        return self.chances[:, 0]
