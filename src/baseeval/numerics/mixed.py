"""Linear mixed models with one grouping factor, from cross-products by group.

y = X beta + Z_g u_g + e, with u_g ~ N(0, sigma^2 L L') and L a lower triangle
whose entries are the parameters theta. One pass forms each group's
cross-products; after it the likelihood touches no row again. The deviance is
that of Bates et al. (2015, doi:10.18637/jss.v067.i01), equations (34) and (41);
its gradient is derived in `docs/methods/mixed.md`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Floats = NDArray[np.float64]

#: Standard deviations, over sigma, from which a variance left at zero is tried again.
_INSIDE = (0.03, 0.3, 1.0)
#: A diagonal entry below this is a variance at zero.
SINGULAR = 1e-5


@dataclass(frozen=True, slots=True)
class Template:
    """Which entry of the lower triangle L each element of theta fills.

    Parameters
    ----------
    size : int
        q, columns of Z.
    rows, columns : ndarray of int, shape (m,)
        Entry of L.
    parameter : ndarray of int, shape (m,)
        Position in theta; entries may share one.
    """

    size: int
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    parameter: NDArray[np.intp]

    @property
    def diagonal(self) -> NDArray[np.bool_]:
        """Return, for each parameter, whether it stands on the diagonal."""
        on = np.zeros(self.parameter.max() + 1, dtype=bool)
        on[self.parameter[self.rows == self.columns]] = True
        return on

    def factor(self, theta: Floats) -> Floats:
        """Return L, shape (q, q)."""
        lower = np.zeros((self.size, self.size))
        lower[self.rows, self.columns] = theta[self.parameter]
        return lower

    def collect(self, slope: Floats) -> Floats:
        """Add a derivative with respect to L up over the entries of each parameter."""
        total = np.bincount(self.parameter, slope[self.rows, self.columns])
        return total.astype(np.float64)


def full_template(size: int) -> Template:
    """Return the template of correlated effects: every entry free, column by column.

    Parameters
    ----------
    size : int

    Returns
    -------
    Template

    Examples
    --------
    >>> full_template(2).factor(np.array([1.0, 2.0, 3.0])).tolist()
    [[1.0, 0.0], [2.0, 3.0]]
    """
    pairs = [(row, column) for column in range(size) for row in range(column, size)]
    rows, columns = np.array(pairs, dtype=np.intp).T
    return Template(size, rows, columns, np.arange(len(pairs), dtype=np.intp))


def diagonal_template(parameter: NDArray[np.intp]) -> Template:
    """Return the template of independent effects that may share a variance.

    Parameters
    ----------
    parameter : ndarray of int, shape (q,)
        Position in theta of each column's standard deviation.

    Returns
    -------
    Template
    """
    diagonal = np.arange(len(parameter), dtype=np.intp)
    return Template(len(parameter), diagonal, diagonal, np.asarray(parameter, dtype=np.intp))


@dataclass(frozen=True, slots=True)
class CrossProducts:
    """What the likelihood needs of the data, G groups, q and p columns.

    Parameters
    ----------
    zz, zx, zy : ndarray, shapes (G, q, q), (G, q, p), (G, q)
    xx, xy, yy : ndarray (p, p), ndarray (p,), float
    n : int
        Rows.
    log_weights : float
        Sum of the logarithms of the prior weights.
    """

    zz: Floats
    zx: Floats
    zy: Floats
    xx: Floats
    xy: Floats
    yy: float
    n: int
    log_weights: float


@dataclass(frozen=True, slots=True)
class System:
    """A model in the coordinates in which it is fitted.

    Parameters
    ----------
    data : CrossProducts
        Of orthonormal columns and a residual outcome over its scale.
    template : Template
    reml : bool
    to_beta : ndarray, shape (p, p)
        Coefficients of the orthonormal columns to those of X.
    scale : float
        Unit of the outcome in these coordinates.
    """

    data: CrossProducts
    template: Template
    reml: bool
    to_beta: Floats
    scale: float


@dataclass(frozen=True, slots=True)
class MixedFit:
    """A fitted linear mixed model.

    Parameters
    ----------
    beta : ndarray, shape (p,)
    vcov : ndarray, shape (p, p)
        Model-based covariance of beta.
    theta : ndarray
        Entries of L.
    factor : ndarray, shape (q, q)
        L itself: random effects have covariance sigma^2 L L'.
    sigma : float
        Residual standard deviation.
    loglik : float
        REML or ML log-likelihood, with lme4's constants.
    effects : ndarray, shape (G, q)
        Conditional modes of the random effects.
    residuals : ndarray, shape (n,)
        y - X beta, without the random effects.
    singular : bool
        True where a variance or a combination of effects is at zero.
    converged : bool
    system : System
        The cross-products that were fitted, for inference.
    """

    beta: Floats
    vcov: Floats
    theta: Floats
    factor: Floats
    sigma: float
    loglik: float
    effects: Floats
    residuals: Floats
    singular: bool
    converged: bool
    system: System


@dataclass(frozen=True, slots=True)
class Profile:
    """The profiled likelihood at one theta.

    Parameters
    ----------
    deviance : float
        -2 log-likelihood, REML or ML.
    gradient : ndarray
        Its derivative with respect to theta.
    shape, spread : ndarray, shape (q, q)
        The derivative of the deviance with respect to L L', the covariance
        itself, is ``shape - spread / sigma2``.
    beta : ndarray, shape (p,)
    information : ndarray, shape (p, p)
        X'V^-1 X in units of sigma^2.
    sigma2 : float
    """

    deviance: float
    gradient: Floats
    shape: Floats
    spread: Floats
    beta: Floats
    information: Floats
    sigma2: float


def cross_products(
    x: Floats, z: Floats, y: Floats, groups: NDArray[np.intp], weights: Floats | None = None
) -> CrossProducts:
    """Form the cross-products of a mixed model in one pass.

    Parameters
    ----------
    x : ndarray, shape (n, p)
    z : ndarray, shape (n, q)
    y : ndarray, shape (n,)
    groups : ndarray of int, shape (n,)
        Group of each row, 0 to G - 1.
    weights : ndarray, shape (n,), optional
        Positive precision weights.

    Returns
    -------
    CrossProducts
    """
    log_weights = 0.0
    if weights is not None:
        root = np.sqrt(weights)
        x, z, y = x * root[:, None], z * root[:, None], y * root
        log_weights = float(np.log(weights).sum())
    order = np.argsort(groups, kind="stable")
    starts = np.searchsorted(groups[order], np.arange(groups.max() + 1))
    block = np.column_stack([z, x, y])[order]
    q = z.shape[1]
    by_group = np.stack(
        [np.add.reduceat(block * block[:, [column]], starts) for column in range(q)], axis=1
    )
    xy = x.T @ y
    return CrossProducts(
        by_group[:, :, :q],
        by_group[:, :, q:-1],
        by_group[:, :, -1],
        x.T @ x,
        xy,
        float(y @ y),
        len(y),
        log_weights,
    )


def profile(data: CrossProducts, template: Template, theta: Floats, reml: bool) -> Profile:
    """Evaluate the profiled deviance and its gradient at theta.

    Parameters
    ----------
    data : CrossProducts
    template : Template
    theta : ndarray
    reml : bool

    Returns
    -------
    Profile
    """
    lower = template.factor(theta)
    p, q = data.xx.shape[0], template.size
    inner = np.eye(q) + lower.T @ data.zz @ lower
    cholesky = np.linalg.cholesky(inner)
    right = np.concatenate([data.zz, data.zx, data.zy[:, :, None]], axis=2)
    # Z'V^-1 [Z, X, y] of each group, by the Woodbury identity.
    half = np.linalg.solve(cholesky, lower.T @ right)
    swept = right - np.swapaxes(half[:, :, :q], 1, 2) @ half
    xx = data.xx - np.einsum("gqp,gqr->pr", half[:, :, q:-1], half[:, :, q:-1])
    xy = data.xy - np.einsum("gqp,gq->p", half[:, :, q:-1], half[:, :, -1])
    yy = data.yy - float(np.sum(half[:, :, -1] ** 2))
    beta = np.linalg.solve(xx, xy)
    rss = yy - float(beta @ xy)
    free = data.n - p if reml else data.n
    log_det = 2 * float(np.log(np.diagonal(cholesky, axis1=1, axis2=2)).sum())
    # So few rows that the model reproduces them: the criterion has no lower end.
    with np.errstate(divide="ignore", invalid="ignore"):
        deviance = log_det - data.log_weights + free * (1 + np.log(2 * np.pi * rss / free))
    zx, score = swept[:, :, q:-1], swept[:, :, -1] - swept[:, :, q:-1] @ beta
    shape, spread = swept[:, :, :q].sum(axis=0), score.T @ score
    if reml:
        deviance += float(np.linalg.slogdet(xx)[1])
        shape = shape - np.einsum("gqp,pr,gsr->qs", zx, np.linalg.inv(xx), zx)
    with np.errstate(divide="ignore", invalid="ignore"):
        gradient = template.collect(2 * (shape - spread * free / rss) @ lower)
    return Profile(float(deviance), gradient, shape, spread, beta, xx, rss / free)


def fit_mixed_model(
    x: Floats,
    z: Floats,
    y: Floats,
    groups: NDArray[np.intp],
    template: Template,
    weights: Floats | None = None,
    reml: bool = True,
) -> MixedFit:
    """Fit a linear mixed model with one grouping factor.

    Parameters
    ----------
    x : ndarray, shape (n, p)
        Full column rank.
    z : ndarray, shape (n, q)
    y : ndarray, shape (n,)
    groups : ndarray of int, shape (n,)
        Group of each row, 0 to G - 1, every group present.
    template : Template
        :func:`full_template` or :func:`diagonal_template`.
    weights : ndarray, shape (n,), optional
        Positive precision weights.
    reml : bool

    Returns
    -------
    MixedFit
    """
    # Orthonormal columns and a residual outcome keep the cross-products exact
    # however far from zero the scores lie; both are undone at the end.
    root = np.ones_like(y) if weights is None else np.sqrt(weights)
    q_factor, r_factor = np.linalg.qr(x * root[:, None])
    first = q_factor.T @ (root * y)
    scale = float(np.linalg.norm(root * y - q_factor @ first)) / np.sqrt(len(y)) or 1.0
    basis = q_factor / root[:, None]
    data = cross_products(basis, z, (y - basis @ first) / scale, groups, weights)
    theta, converged = _minimise(data, template, reml)
    best = profile(data, template, theta, reml)
    r_inverse = np.linalg.inv(r_factor)
    sigma2 = best.sigma2 * scale**2
    beta = r_inverse @ (first + scale * best.beta)
    free = data.n - x.shape[1] if reml else data.n
    log_det_r = float(np.log(np.abs(np.diagonal(r_factor))).sum()) if reml else 0.0
    loglik = -best.deviance / 2 - free * np.log(scale) - log_det_r
    lower = template.factor(theta)
    inner = np.eye(template.size) + lower.T @ data.zz @ lower
    right = lower.T @ (data.zy - data.zx @ best.beta)[:, :, None]
    effects = scale * (lower @ np.linalg.solve(inner, right))[:, :, 0]
    return MixedFit(
        beta=beta,
        vcov=sigma2 * r_inverse @ np.linalg.inv(best.information) @ r_inverse.T,
        theta=theta,
        factor=lower,
        sigma=float(np.sqrt(sigma2)),
        loglik=float(loglik),
        effects=effects,
        residuals=y - x @ beta,
        singular=bool(np.abs(np.diagonal(lower)).min() < SINGULAR),
        converged=converged,
        system=System(data, template, reml, r_inverse, scale),
    )


def _minimise(data: CrossProducts, template: Template, reml: bool) -> tuple[Floats, bool]:
    """Find theta, and leave the boundary wherever the deviance falls inwards.

    A zero on the diagonal of L is a stationary point whether or not it is a
    minimum, so a descent that ends there is tried again from inside.
    """
    theta, deviance, converged = _descend(data, template, reml, template.diagonal.astype(float))
    for trial in _retries(data, template, reml, theta):
        found, value, good = _descend(data, template, reml, trial)
        if value < deviance:
            theta, deviance, converged = found, value, good
    nothing = np.zeros_like(theta)
    if profile(data, template, nothing, reml).deviance < deviance:
        return nothing, True
    return theta, converged


def _retries(
    data: CrossProducts, template: Template, reml: bool, theta: Floats
) -> Iterator[Floats]:
    """Yield points inside from which a theta on the boundary should be tried again.

    Independent effects: where the derivative with respect to a variance that
    ended at zero points inwards, which the gradient of theta cannot show.
    Correlated ones can also end where a correlation has the wrong sign, so any
    zero has them tried with either.
    """
    on_diagonal = template.diagonal
    at_zero = np.flatnonzero(on_diagonal & (theta <= SINGULAR))
    if not len(at_zero):
        return
    if not on_diagonal.all():
        for start in _INSIDE:
            for lean in (-0.5, 0.5):
                yield np.where(on_diagonal, start, lean * start)
        return
    at = profile(data, template, theta, reml)
    slope = np.diagonal(at.shape - at.spread / at.sigma2)
    for parameter in at_zero:
        if slope[template.rows[template.parameter == parameter]].sum() < 0:
            for start in _INSIDE:
                trial = theta.copy()
                trial[parameter] = start
                yield trial


def _descend(
    data: CrossProducts, template: Template, reml: bool, start: Floats
) -> tuple[Floats, float, bool]:
    bounds = [(0.0, None) if on else (None, None) for on in template.diagonal]

    def objective(theta: Floats) -> tuple[float, Floats]:
        at = profile(data, template, theta, reml)
        return at.deviance, at.gradient

    options = {"maxiter": 500, "ftol": 1e-15, "gtol": 1e-9}
    result = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    theta = _polish(data, template, reml, result.x)
    at = profile(data, template, theta, reml)
    inside = ~template.diagonal | (theta > SINGULAR)
    flat = bool(np.abs(at.gradient[inside]).max(initial=0.0) < 1e-4)
    return theta, at.deviance, flat


def _polish(data: CrossProducts, template: Template, reml: bool, theta: Floats) -> Floats:
    """Take Newton steps on the gradient, which knows theta better than the deviance does."""
    for _ in range(8):
        inside = np.flatnonzero(~template.diagonal | (theta > SINGULAR))
        at = profile(data, template, theta, reml)
        size = np.abs(at.gradient[inside]).max(initial=0.0)
        if size < 1e-11:
            break
        hessian = np.empty((len(inside), len(inside)))
        for column, parameter in enumerate(inside):
            step = np.zeros_like(theta)
            step[parameter] = 1e-5 * max(1.0, abs(theta[parameter]))
            above = profile(data, template, theta + step, reml).gradient[inside]
            below = profile(data, template, theta - step, reml).gradient[inside]
            hessian[:, column] = (above - below) / (2 * step[parameter])
        hessian = (hessian + hessian.T) / 2
        if np.linalg.eigvalsh(hessian)[0] <= 0:
            break
        trial = theta.copy()
        trial[inside] -= np.linalg.solve(hessian, at.gradient[inside])
        if np.any(trial[template.diagonal] < 0):
            break
        after = profile(data, template, trial, reml)
        if not np.abs(after.gradient[inside]).max() < size:
            break
        theta = trial
    return theta
