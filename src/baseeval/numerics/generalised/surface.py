"""A model's likelihood as a function of all its parameters, for a search."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.generalised.approximation import Approximation, approximate
from baseeval.numerics.generalised.climbing import NO_START, Look, standard_steps
from baseeval.numerics.generalised.grouped_rows import GroupedRows, dot
from baseeval.numerics.generalised.nodes import Nodes, normal_nodes
from baseeval.numerics.generalised.plain import Plain, information
from baseeval.numerics.generalised.systems import OneFactor, System, Terms, gather
from baseeval.numerics.generalised.two_factors import pair_factors

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: Bounds of the first guess of a standard deviation, its column at unit root mean square.
_LEAST, _MOST = 0.1, 1.5
#: Step of the one-sided differences that only shape the search, z at unit root mean square.
_STEP = 1e-4
#: Rows from which second derivatives are taken by differences to one side.
_MANY = 20_000


@dataclass(slots=True)
class Surface:
    """The likelihood of rows.

    Parameters
    ----------
    rows : GroupedRows
    points : int
        Quadrature points for each effect of a group; 1 is Laplace's approximation.
    quick : bool
        Whether the maximum alone is wanted, no covariance.
    """

    rows: GroupedRows
    points: int
    quick: bool = False
    system: System = field(init=False)
    nodes: Nodes | None = field(init=False)
    modes: Terms = field(init=False)

    def __post_init__(self) -> None:
        templates = self.rows.layout.templates
        one = len(templates) == 1
        self.system = OneFactor(self.rows) if one else pair_factors(self.rows)
        self.nodes = normal_nodes(self.points, templates[0].size) if self.points > 1 else None
        self.modes = tuple(
            np.zeros((template.size, size))
            for template, size in zip(templates, self.rows.levels, strict=True)
        )

    @property
    def look_back(self) -> Look:
        """Return how second derivatives are taken."""
        if self.quick:
            return Look.NONE
        return Look.ONE if len(self.rows.x) > _MANY else Look.BOTH

    def look(self, place: Floats) -> Approximation | None:
        """Evaluate at all parameters, the modes looked for where they were last."""
        found = approximate(self.rows, self.system, place, self.modes, self.nodes)
        if found is None or not np.isfinite(found.value):
            return None
        self.modes = found.modes
        return found

    def evaluate(self, place: Floats) -> tuple[float, Floats] | None:
        """Return the value and gradient by all parameters."""
        found = self.look(place)
        if found is None:
            return None
        slope = found.gradient(self.rows)
        return (found.value, slope) if np.isfinite(slope).all() else None

    @property
    def units(self) -> Floats:
        """Return the root mean square of the column of z of each element of theta."""
        found = []
        for template, z in zip(self.rows.layout.templates, self.rows.z, strict=True):
            size = np.mean(z**2, axis=1)[template.rows]
            held = np.bincount(template.parameter, size, template.count)
            found.append(np.sqrt(held / np.bincount(template.parameter, minlength=template.count)))
        units = np.concatenate(found)
        return np.where(units > 0, units, 1.0)

    def guess(self, plain: Plain) -> Floats:
        """Return theta to start from: moments of the residuals by group, effects uncorrelated."""
        rows, guesses = self.rows, []
        pulls = gather(rows, rows.z, plain.slopes.first)
        holds = gather(rows, tuple(z**2 for z in rows.z), -plain.slopes.second)
        for template, pull, hold, z in zip(
            rows.layout.templates, pulls, holds, rows.z, strict=True
        ):
            # Twice the derivative by a variance at zero over its expected fall.
            excess = (pull**2 - hold).sum(axis=1) / (hold**2).sum(axis=1)
            size = np.sqrt(np.mean(z**2, axis=1))
            sd = np.clip(np.sqrt(np.maximum(excess, 0.0)) * size, _LEAST, _MOST) / size
            theta = np.zeros(template.count)
            on = template.rows == template.columns
            theta[template.parameter[on]] = sd[template.rows[on]]
            guesses.append(theta)
        return np.concatenate(guesses)

    def turn(self, place: Floats, free: Flags) -> Floats:
        """Return steps of about one standard error in the free parameters.

        beta's part is that of the likelihood with modes that follow; differences of
        gradients give the few others'.
        """
        here = self.look(place)
        slope = self.evaluate(place)
        if here is None or slope is None:
            raise ValueError(NO_START)
        p = self.rows.x.shape[1]
        second = np.zeros((len(place), len(place)))
        second[:p, :p] = self._known(place, here)
        steps = np.full(len(place), _STEP)
        steps[p : p + self.rows.layout.count] /= self.units
        for column in range(p, len(place)):
            moved = place.copy()
            moved[column] += steps[column]
            there = self.evaluate(moved) if free[column] else None
            if there is None:
                second[column, column] = 0.01 / steps[column]
            else:
                second[column] = second[:, column] = (slope[1] - there[1]) / steps[column]
        return standard_steps(second[np.ix_(free, free)])

    def _known(self, place: Floats, here: Approximation) -> Floats:
        rows = self.rows
        curve = -here.slopes.second
        lowers = rows.layout.factors(rows.parts(place)[1])
        v = tuple(lower.T @ z for lower, z in zip(lowers, rows.z, strict=True))
        total = information(rows.x, curve)
        sums = [gather(rows, v, curve * column) for column in rows.x.T]
        solved = [here.factor.solve(one) for one in sums]
        for a, left in enumerate(sums):
            for b in range(a + 1):
                taken = sum(float(dot(m, n).sum()) for m, n in zip(left, solved[b], strict=True))
                total[a, b] -= taken
                if b < a:
                    total[b, a] -= taken
        return total
