"""One level of groups taken out of a likelihood: by itself, or pooled by its Z'Z.

With A = Z'V^-1Z and R = Z'V^-1[X y] of a group, V without this level's effects,

    (V + Z Sigma Z')^-1 = V^-1 - V^-1Z C Z'V^-1,   C = Sigma K,   K = (I + A Sigma)^-1,

so log|V| gains log|I + A Sigma|, [X y]'V^-1[X y] loses R'C R, and Z'(V + Z Sigma Z')^-1 [Z X y]
is K [A R]. Sigma need not be positive definite as long as the covariance is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.mixed_models.nested_algebra import batches, mix, small_product, take_out

Floats = NDArray[np.float64]

#: Numbers that pooled squares may hold.
_MOST_NUMBERS = 2**24


@dataclass(frozen=True, slots=True)
class Taken:
    """What taking a level out of the likelihood does.

    Parameters
    ----------
    log_det : float
        Sum of log|I + A Sigma|.
    reduction : ndarray, shape (m, m)
        Sum of R'C R.
    inverse, middle : ndarray, shape (g, q, q)
        K and C.
    squares : ndarray, shape (q, m, q, m), or None
        Sum of F F' for rows of F = K R, where derivatives were asked for.
    """

    log_det: float
    reduction: Floats
    inverse: Floats
    middle: Floats
    squares: Floats | None = None


@dataclass(frozen=True, slots=True)
class Slopes:
    """A level's part of a profile: see :class:`Profile`, shapes (q, q) each."""

    shapes: Floats
    spreads: Floats
    fades: Floats

    def __add__(self, other: Slopes) -> Slopes:
        """Add another part up."""
        return Slopes(
            self.shapes + other.shapes, self.spreads + other.spreads, self.fades + other.fades
        )


@dataclass(frozen=True, slots=True)
class SeparateGroups:
    """Groups, each by itself.

    Parameters
    ----------
    gram : ndarray, shape (g, q, q)
    sums : ndarray, shape (q, g, m)
        R.
    """

    gram: Floats
    sums: Floats

    def take(self, sigma: Floats, derive: bool = True) -> Taken:
        """Take these groups' effects out.

        Parameters
        ----------
        sigma : ndarray, shape (q, q)
            Their covariance.
        derive : bool
            Whether :meth:`slopes` will be asked for.

        Returns
        -------
        Taken
        """
        inverse, middle, log_det = take_out(self.gram, sigma)
        q, count, m = self.sums.shape
        reduction, squares = np.zeros((m, m)), np.zeros((q * m, q * m))
        for part in batches(count, q * m):
            sums = self.sums[:, part]
            own = mix(inverse[part], sums)
            for row in range(q):
                for column in range(q):
                    if sigma[row, column]:
                        reduction += sigma[row, column] * (sums[row].T @ own[column])
            if derive:
                flat = own.transpose(1, 0, 2).reshape(-1, q * m)
                squares += flat.T @ flat
        return Taken(
            float(log_det.sum()),
            reduction,
            inverse,
            middle,
            squares.reshape(q, m, q, m) if derive else None,
        )

    def slopes(self, taken: Taken, combination: Floats, spread: Floats) -> Slopes:
        """Return the derivatives of the likelihood with respect to sigma.

        Parameters
        ----------
        taken : Taken
            With derivatives.
        combination : ndarray, shape (m,)
            From R to Z'V^-1(y - X beta).
        spread : ndarray, shape (m, m)
            (X'V^-1X)^-1, bordered with zeros.
        """
        assert taken.squares is not None
        shapes = small_product(taken.inverse, self.gram).sum(axis=0)
        return Slopes(
            shapes,
            np.einsum("ambn,m,n->ab", taken.squares, combination, combination),
            np.einsum("ambn,mn->ab", taken.squares, spread),
        )

    def by_group(self, taken: Taken) -> Floats:
        """Return R'C R of each group, shape (g, m, m)."""
        mixed = mix(taken.middle, self.sums)
        return self.sums.transpose(1, 2, 0) @ mixed.transpose(1, 0, 2)


@dataclass(frozen=True, slots=True)
class PooledGroups:
    """Groups that share A, pooled: K patterns.

    Parameters
    ----------
    gram : ndarray, shape (K, q, q)
    counts : ndarray, shape (K,)
        Groups of each pattern.
    squares : ndarray, shape (K, q, q, m, m)
        Sum over groups of R_a R_b', for rows a and b of R.
    """

    gram: Floats
    counts: Floats
    squares: Floats

    def take(self, sigma: Floats) -> Taken:
        """Take these groups' effects out, their covariance sigma (q, q)."""
        inverse, middle, log_det = take_out(self.gram, sigma)
        m = self.squares.shape[-1]
        reduction = middle.ravel() @ self.squares.reshape(-1, m * m)
        return Taken(float(self.counts @ log_det), reduction.reshape(m, m), inverse, middle)

    def slopes(
        self,
        taken: Taken,
        combination: Floats,
        spread: Floats,
        crosses: tuple[Floats, Floats, Floats] | None = None,
    ) -> Slopes:
        """Return the derivatives of the likelihood with respect to sigma.

        Parameters
        ----------
        taken : Taken
        combination : ndarray, shape (m,)
            From R to Z'V^-1(y - X beta).
        spread : ndarray, shape (m, m)
            (X'V^-1X)^-1, bordered with zeros.
        crosses : tuple of ndarray, shapes (K, q, q), optional
            Added between K and K': what another level takes from the shapes, spreads and fades.
        """
        sides = np.stack([np.outer(combination, combination).ravel(), spread.ravel()], axis=1)
        inside = self.squares.reshape(-1, len(sides)) @ sides
        inside = inside.reshape(*self.gram.shape, 2)
        parts = [np.zeros_like(self.gram), inside[..., 0], inside[..., 1]]
        if crosses is not None:
            parts = [part + cross for part, cross in zip(parts, crosses, strict=True)]
        turned = taken.inverse.transpose(0, 2, 1)
        found = [(taken.inverse @ part @ turned).sum(axis=0) for part in parts]
        found[0] += np.tensordot(self.counts, taken.inverse @ self.gram, 1)
        return Slopes(*found)


def pool_groups(groups: SeparateGroups) -> SeparateGroups | PooledGroups:
    """Pool groups by A where so many share theirs that it pays.

    Parameters
    ----------
    groups : SeparateGroups

    Returns
    -------
    SeparateGroups or PooledGroups
    """
    gram, sums = groups.gram, groups.sums
    (q, count, m) = sums.shape
    distinct, kinds = np.unique(gram.reshape(count, -1), axis=0, return_inverse=True)
    if 4 * len(distinct) * q > count or len(distinct) * (q * m) ** 2 > _MOST_NUMBERS:
        return groups
    kinds = kinds.ravel()
    order = np.argsort(kinds, kind="stable")
    ends = np.cumsum(np.bincount(kinds))
    squares = np.empty((len(distinct), q, q, m, m))
    for kind, members in enumerate(np.split(order, ends[:-1])):
        rows = sums[:, members].transpose(1, 0, 2).reshape(len(members), -1)
        squares[kind] = (rows.T @ rows).reshape(q, m, q, m).transpose(0, 2, 1, 3)
    counts = np.bincount(kinds).astype(np.float64)
    return PooledGroups(distinct.reshape(-1, q, q), counts, squares)
