"""The Laplace approximation to a logistic likelihood with a normal intercept for each group.

Given its standardised effect u_g, row i of group g has log odds eta_i = x_i beta + sd u_g. With u_g
at its mode and D_g = 1 + sd^2 sum w pi (1 - pi), a group's log-likelihood is approximately

    sum w log P(y_i | u_g) - u_g^2 / 2 - log(D_g) / 2

(Tierney and Kadane 1986, doi:10.1080/01621459.1986.10478240; what lme4 maximises with one
quadrature point). `docs/methods/propensity.md` derives the gradient.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: The last step towards the modes, in log odds (the next would be its square), and the most steps.
_CLOSE, _STEPS = 1e-6, 200


@dataclass(frozen=True, slots=True)
class Grouped:
    """Rows in groups.

    Parameters
    ----------
    x : ndarray, shape (n, p)
    y : ndarray, shape (n,)
        Zeros and ones.
    weights : ndarray, shape (n,)
    group : ndarray of int, shape (n,)
        0 .. G - 1.
    groups : int
        G.
    """

    x: Floats
    y: Floats
    weights: Floats
    group: Ints
    groups: int

    def add_up(self, rows: Floats) -> Floats:
        """Return the sums of a number of each row by group, shape (G,)."""
        sums = np.bincount(self.group, weights=rows, minlength=self.groups)
        return sums.astype(np.float64, copy=False)


@dataclass(frozen=True, slots=True)
class Laplace:
    """The approximation at one place.

    Parameters
    ----------
    value : float
        Log-likelihood.
    effects : ndarray, shape (G,)
        Modes of the standardised effects u.
    probability : ndarray, shape (n,)
        At the modes.
    by_eta : ndarray, shape (n,)
        Times the columns and added up, the derivative by `beta`.
    by_sd : ndarray, shape (n,)
        Added up, the derivative by the standard deviation.
    mode_by_eta : ndarray, shape (n,)
        Times the columns and added up by group, the derivative of u by `beta`.
    mode_by_sd : ndarray, shape (G,)
        The derivative of u by the standard deviation.
    """

    value: float
    effects: Floats
    probability: Floats
    by_eta: Floats
    by_sd: Floats
    mode_by_eta: Floats
    mode_by_sd: Floats


def approximate(data: Grouped, beta: Floats, sd: float, start: Floats) -> Laplace:
    """Find the modes and what follows from them.

    Parameters
    ----------
    data : Grouped
    beta : ndarray, shape (p,)
    sd : float
        Of the groups' effects; its sign only turns that of u.
    start : ndarray, shape (G,)
        Where to look for the modes first.

    Returns
    -------
    Laplace

    Examples
    --------
    >>> one = Grouped(np.ones((2, 1)), np.array([0.0, 1.0]), np.ones(2), np.zeros(2, int), 1)
    >>> round(approximate(one, np.zeros(1), 0.0, np.zeros(1)).value, 6)
    -1.386294
    """
    w, group, fixed = data.weights, data.group, data.x @ beta
    u = _modes(data, fixed, sd, start)
    eta = fixed + sd * u[group]
    p = expit(eta)
    residual, curve = w * (data.y - p), w * p * (1 - p)
    # Third derivative by eta: how the curvature of a row changes.
    turn = curve * (1 - 2 * p)
    pull, spread, tilt = data.add_up(residual), data.add_up(curve), data.add_up(turn)
    inner = 1 + sd**2 * spread
    mode_by_sd = (pull - sd * spread * u) / inner
    ratio = sd**2 / inner
    by_eta = residual - 0.5 * (ratio[group] * turn - (ratio**2 * tilt)[group] * curve)
    by_sd = (
        residual * u[group]
        - (sd / inner)[group] * curve
        - 0.5 * (ratio * (u + sd * mode_by_sd))[group] * turn
    )
    value = float(w @ (data.y * eta - np.logaddexp(0.0, eta)) - 0.5 * (u @ u + np.log(inner).sum()))
    return Laplace(value, u, p, by_eta, by_sd, -(sd / inner)[group] * curve, mode_by_sd)


def _modes(data: Grouped, fixed: Floats, sd: float, start: Floats) -> Floats:
    """Return the modes of u by Newton's method, all groups side by side."""
    if sd == 0:
        return np.zeros(data.groups)
    w, u = data.weights, start.copy()
    for _ in range(_STEPS):
        p = expit(fixed + sd * u[data.group])
        pull = data.add_up(w * (data.y - p))
        inner = 1 + sd**2 * data.add_up(w * p * (1 - p))
        whole = sd * (sd * pull - u) / inner
        # Shortened so that no step can overshoot: a logistic curve's third derivative is at most
        # its second (Sun and Tran-Dinh 2019, doi:10.1007/s10107-018-1282-4).
        step = np.sign(whole) * np.log1p(np.abs(whole))
        u = u + step / sd
        if np.abs(step).max(initial=0.0) < _CLOSE:
            break
    return u
