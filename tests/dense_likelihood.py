"""A linear mixed model's likelihood from whole n by n matrices: what every quick one must equal."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from baseeval.numerics.mixed_models.blocks import Block
from baseeval.numerics.mixed_models.coordinates import Coordinates, Sums, make_coordinates
from baseeval.numerics.mixed_models.likelihood import Effects, Profile
from baseeval.numerics.mixed_models.templates import Layout


@dataclass(frozen=True)
class DenseLikelihood:
    """The `Likelihood` of some rows, any terms, by definition; for a few hundred rows."""

    whole: Block
    layout: Layout
    intercept: int | None

    @property
    def n(self) -> int:
        return len(self.whole.y)

    @cached_property
    def weights(self) -> np.ndarray:
        return np.ones(self.n) if self.whole.weights is None else self.whole.weights

    @cached_property
    def sizes(self) -> tuple[np.ndarray, ...]:
        return tuple(np.sqrt((self.weights[:, None] * z**2).mean(0)) for z in self.whole.z)

    @cached_property
    def coordinates(self) -> Coordinates:
        x, y, w = self.whole.x, self.whole.y, self.weights
        shift, centre = np.zeros(x.shape[1]), 0.0
        if self.intercept is not None:
            shift, centre = x.mean(0), float(y.mean())
            shift[self.intercept] = 0.0
        x, y = x - shift, y - centre
        wx, log_weights = w[:, None] * x, float(np.log(w).sum())
        sums = Sums(
            x.T @ wx, wx.T @ y, y @ (w * y), self.n, log_weights, shift, centre, self.intercept
        )
        return make_coordinates(sums)

    @cached_property
    def columns(self) -> tuple[np.ndarray, np.ndarray]:
        """X and y in the coordinates, shapes (n, k) and (n,)."""
        at = self.coordinates
        x = at.columns(self.whole.x - at.sums.shift)
        return x, at.outcome(self.whole.y - at.sums.centre, x)

    def members(self, term: int) -> np.ndarray:
        """Which rows belong to which level, shape (n, levels)."""
        codes = self.whole.groups[term]
        return np.asarray(codes[:, None] == np.arange(codes.max() + 1))

    def covariance(self, covariances: list[np.ndarray]) -> np.ndarray:
        """V over sigma^2, shape (n, n)."""
        v = np.diag(1 / self.weights)
        for z, codes, own in zip(self.whole.z, self.whole.groups, covariances, strict=True):
            v += (z @ own @ z.T) * (codes[:, None] == codes)
        return v

    def profile(self, theta: np.ndarray) -> Profile:
        v = self.covariance(self.layout.covariances(theta))
        inverse = np.linalg.inv(v)
        x, y = self.columns
        information = x.T @ inverse @ x
        beta = np.linalg.solve(information, x.T @ inverse @ y)
        e = y - x @ beta
        shapes, spreads, fades = [], [], []
        for term, z in enumerate(self.whole.z):
            q = z.shape[1]
            shape, spread, fade = np.zeros((q, q)), np.zeros((q, q)), np.zeros((q, q))
            for rows in self.members(term).T:
                swept = np.where(rows[:, None], z, 0.0).T @ inverse
                score, load = swept @ e, swept @ x
                shape += swept[:, rows] @ z[rows]
                spread += np.outer(score, score)
                fade += load @ np.linalg.solve(information, load.T)
            shapes.append(shape)
            spreads.append(spread)
            fades.append(fade)
        return Profile(
            log_det=float(np.linalg.slogdet(v)[1]),
            rss=float(e @ inverse @ e),
            beta=beta,
            information=information,
            shapes=tuple(shapes),
            spreads=tuple(spreads),
            fades=tuple(fades),
        )

    def moments(self, covariances: list[np.ndarray]) -> tuple[float, np.ndarray]:
        v, x = self.covariance(covariances), self.columns[0]
        return float(np.linalg.slogdet(v)[1]), x.T @ np.linalg.solve(v, x)

    def effects(self, theta: np.ndarray) -> tuple[Effects, ...]:
        covariances = self.layout.covariances(theta)
        inverse = np.linalg.inv(self.covariance(covariances))
        x, y = self.columns
        e = y - x @ self.profile(theta).beta
        found = []
        for term, (z, own) in enumerate(zip(self.whole.z, covariances, strict=True)):
            modes, variance, loadings = [], [], []
            for rows in self.members(term).T:
                swept = own @ np.where(rows[:, None], z, 0.0).T @ inverse
                modes.append(swept @ e)
                variance.append(own - swept[:, rows] @ z[rows] @ own)
                loadings.append(swept @ x)
            found.append(Effects(np.array(modes), np.array(variance), np.array(loadings)))
        return tuple(found)
