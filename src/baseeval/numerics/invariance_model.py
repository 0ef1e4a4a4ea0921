"""The models that the steps of the invariance ladder compare, and where their fits start."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.factor_model import MATRICES, FactorModel, Moments

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: The steps, each with all that is equal below it.
STEPS = ("configural", "metric", "scalar")


def measurement_model(
    data: Sequence[Moments],
    pattern: Flags,
    step: str,
    waves: int = 1,
    identification: str = "variance",
) -> FactorModel:
    """Lay out the model of one step.

    Parameters
    ----------
    data : sequence of Moments
        One a group; items of wave 1, then of wave 2, and so on.
    pattern : ndarray of bool, shape (p, m)
        Which item of a wave belongs to which factor.
    step : str
        One of :data:`STEPS`.
    waves : int
    identification : str
        ``variance`` or ``marker``.

    Returns
    -------
    FactorModel
    """
    items, factors = pattern.shape
    level, marked = STEPS.index(step), identification == "marker"
    layout, leading = _Layout(), np.zeros(pattern.shape)
    for group, own in enumerate(data):
        for wave in range(waves):
            cell, first = (group, wave), group == wave == 0
            at, on = wave * items, wave * factors
            loading, residual = _starts(own, pattern, at)
            if first:
                leading = loading
            # A factor's sign is free: every cell takes the first one's.
            loading = loading * np.where((loading * leading).sum(axis=0) < 0, -1.0, 1.0)
            shared: tuple[int, ...] = () if level >= 1 else cell
            for factor in range(factors):
                marker = int(np.argmax(pattern[:, factor]))
                unit = loading[marker, factor] if marked else 1.0
                unit = unit if abs(unit) > 1e-6 else 1e-3
                for item in map(int, np.flatnonzero(pattern[:, factor])):
                    fixed = marked and item == marker
                    layout.put(
                        "loading",
                        (group, at + item, on + factor),
                        1.0 if fixed else loading[item, factor] / unit,
                        None if fixed else (item, factor, *shared),
                    )
                for other in range(on + factor):
                    layout.put("factor_covariance", (group, on + factor, other), 0.0, "own")
                still = not marked and (first or level == 0)
                layout.put(
                    "factor_covariance",
                    (group, on + factor, on + factor),
                    unit**2,
                    None if still else "own",
                )
                if level == 2 and not first:
                    layout.put("factor_mean", (group, on + factor, 0), 0.0, "own")
            for item in range(items):
                place = at + item
                layout.put(
                    "intercept",
                    (group, place, 0),
                    own.mean[place],
                    (item, *(() if level == 2 else cell)),
                )
                layout.put("residual_covariance", (group, place, place), residual[item], "own")
                for before in range(item, place, items):
                    layout.put("residual_covariance", (group, place, before), 0.0, "own")
    return layout.model(len(data), items * waves, factors * waves)


class _Layout:
    """Entries of a model as they are put down, and which share a parameter."""

    def __init__(self) -> None:
        self.entries: list[tuple[int, int, int, int, int, float]] = []
        self.known: defaultdict[Hashable, int] = defaultdict(lambda: len(self.known))

    def put(
        self, matrix: str, place: tuple[int, int, int], value: float, shared: Hashable | None
    ) -> None:
        """Put an entry down: fixed where `shared` is None, its own parameter where ``own``."""
        key = (matrix, place) if shared == "own" else (matrix, shared)
        parameter = -1 if shared is None else self.known[key]
        self.entries.append((MATRICES.index(matrix), *place, parameter, float(value)))

    def model(self, groups: int, items: int, factors: int) -> FactorModel:
        """Return the entries as arrays."""
        *places, value = zip(*self.entries, strict=True)
        matrix, group, row, column, parameter = (np.array(p, dtype=np.intp) for p in places)
        return FactorModel(
            groups, items, factors, matrix, group, row, column, parameter, np.array(value)
        )


def _starts(own: Moments, pattern: Flags, at: int) -> tuple[Floats, Floats]:
    """Return loadings and residual variances to start from, by principal factors."""
    items, factors = pattern.shape
    block = own.covariance[at : at + items, at : at + items]
    sd = np.sqrt(np.diag(block))
    loading = np.zeros((items, factors))
    for factor in range(factors):
        members = np.flatnonzero(pattern[:, factor])
        r = block[np.ix_(members, members)] / np.outer(sd[members], sd[members])
        shared = np.abs(r - np.eye(len(members))).max(axis=1, initial=0.3)
        np.fill_diagonal(r, np.minimum(shared, 0.9))
        values, vectors = np.linalg.eigh(r)
        leading = vectors[:, -1] * np.sqrt(max(values[-1], 0.1))
        leading = leading if leading.sum() >= 0 else -leading
        loading[members, factor] = sd[members] * np.clip(leading, -0.95, 0.95)
    explained = (loading**2).max(axis=1) / sd**2
    return loading, sd**2 * (1 - np.clip(explained, 0.1, 0.9))
