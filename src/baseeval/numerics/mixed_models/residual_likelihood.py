"""The likelihood of a mixed model whose residuals are correlated within pupils.

Pupil i has rows of covariance sigma^2 Omega_i, the residuals' form and the effects of the
pupil itself together; a school adds sigma^2 Z Sigma Z'. Omega_i is a part of one
matrix over cells, so everything is a function of that matrix and of Sigma, and its
derivative comes by following the sums backwards. `docs/methods/residual-structures.md` derives it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from baseeval.numerics.mixed_models.coordinates import Coordinates
from baseeval.numerics.mixed_models.residual_forms import ResidualForm, slopes
from baseeval.numerics.mixed_models.residual_patterns import PatternSums
from baseeval.numerics.mixed_models.templates import Template

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ResidualModel:
    """Parameters of the covariance: schools' effects, pupils' effects, residuals.

    Parameters
    ----------
    school, pupil : Template or None
    form : ResidualForm
    cells : ndarray, shape (c, q)
        Columns of the pupils' effects in each cell.
    """

    school: Template | None
    pupil: Template | None
    form: ResidualForm
    cells: Floats

    @property
    def counts(self) -> tuple[int, int, int]:
        """Return the number of parameters of each part."""
        return (
            self.school.count if self.school else 0,
            self.pupil.count if self.pupil else 0,
            self.form.count,
        )

    @property
    def diagonal(self) -> NDArray[np.bool_]:
        """Return, for each parameter, whether it is a relative standard deviation of effects."""
        none = np.zeros(0, dtype=bool)
        return np.concatenate(
            [
                self.school.diagonal if self.school else none,
                self.pupil.diagonal if self.pupil else none,
                np.zeros(self.form.count, dtype=bool),
            ]
        )

    def parts(self, psi: Floats) -> list[Floats]:
        """Return the parameters of each part."""
        return np.split(psi, np.cumsum(self.counts)[:-1])

    def omega(self, psi: Floats) -> Floats:
        """Return the covariance of a pupil's cells over sigma^2, school apart."""
        _, of_pupil, phi = self.parts(psi)
        found = self.form.matrix(phi)
        if self.pupil is not None:
            lower = np.zeros((self.pupil.size,) * 2, dtype=psi.dtype)
            lower[self.pupil.rows, self.pupil.columns] = of_pupil[self.pupil.parameter]
            loads = self.cells @ lower
            found = found + loads @ loads.T
        return found


@dataclass(frozen=True, slots=True)
class ResidualProfile:
    """The likelihood at one psi, with what its derivatives need.

    Parameters
    ----------
    log_det : float
        log|V|.
    rss : float
    beta : ndarray, shape (k,)
    information : ndarray, shape (k, k)
        X'V^-1X.
    inverses : list of ndarray
        Omega^-1 of each pattern, shapes (P, s, s).
    school : ndarray, shape (q, q)
        L of the schools' effects.
    middle : ndarray, shape (S, q, q)
        (Sigma^-1 + Z'Omega^-1Z)^-1 of each school.
    zz : ndarray, shape (S, q, q)
        Z'Omega^-1Z.
    right : ndarray, shape (S, q, k + 1)
        Z'Omega^-1[X y].
    """

    log_det: float
    rss: float
    beta: Floats
    information: Floats
    inverses: list[Floats]
    school: Floats
    middle: Floats
    zz: Floats
    right: Floats

    @property
    def contrast(self) -> Floats:
        """Return the vector that turns [X y] into residuals."""
        return np.append(-self.beta, 1.0)


@dataclass(frozen=True, slots=True)
class ResidualLikelihood:
    """Sums by pattern, and the model whose likelihood they give.

    Parameters
    ----------
    model : ResidualModel
    coordinates : Coordinates
    sums : PatternSums
        Of columns in the coordinates.
    n : int
    units : ndarray, shape (m,)
        Root mean square of the column of Z that each parameter scales; else 1.
    """

    model: ResidualModel
    coordinates: Coordinates
    sums: PatternSums
    n: int
    units: Floats

    def profile(self, psi: Floats) -> ResidualProfile:
        """Evaluate the likelihood at psi, beta at its best; LinAlgError where V is not positive."""
        sums, k = self.sums, len(self.coordinates.kept)
        omega = self.model.omega(psi)
        inverses, log_det = [], 0.0
        for cells, pupils in zip(sums.patterns, sums.pupils, strict=True):
            lower = np.linalg.cholesky(omega[cells[:, :, None], cells[:, None, :]])
            diagonal = np.diagonal(lower, axis1=1, axis2=2)
            log_det += 2 * float(pupils @ np.log(diagonal).sum(axis=1))
            half = np.linalg.inv(lower)
            inverses.append(half.transpose(0, 2, 1) @ half)
        weights = np.concatenate([inverse.ravel() for inverse in inverses])[sums.entry]
        gram = np.tensordot(weights, sums.columns, 1)
        lower = self.lower(psi)
        q = len(lower)
        summed = self._add_pieces(weights)
        zz, right = summed[:, :, :q], summed[:, :, q:]
        block = np.eye(q) + lower.T @ zz @ lower
        if q:
            log_det += float(np.linalg.slogdet(block)[1].sum())
        middle = lower @ np.linalg.inv(block) @ lower.T
        gram = gram - right.reshape(-1, k + 1).T @ (middle @ right).reshape(-1, k + 1)
        information = gram[:k, :k]
        beta = np.linalg.solve(information, gram[:k, k])
        contrast = np.append(-beta, 1.0)
        rss = float(contrast @ gram @ contrast)
        return ResidualProfile(log_det, rss, beta, information, inverses, lower, middle, zz, right)

    def lower(self, psi: Floats) -> Floats:
        """Return L of the schools' effects."""
        school = self.model.school
        return np.zeros((0, 0)) if school is None else school.factor(self.model.parts(psi)[0])

    def pull(self, psi: Floats, at: ResidualProfile, of_gram: Floats, of_log_det: float) -> Floats:
        """Return the derivative with respect to psi of a function of what a profile gives.

        Parameters
        ----------
        psi : ndarray, shape (m,)
        at : ResidualProfile
        of_gram : ndarray, shape (k + 1, k + 1)
            Its derivative with respect to [X y]'V^-1[X y], symmetric.
        of_log_det : float
            Its derivative with respect to log|V|.

        Returns
        -------
        ndarray, shape (m,)
        """
        sums, model = self.sums, self.model
        weights = np.tensordot(sums.columns, of_gram, 2)
        swept = at.middle @ at.right
        of_right = -2 * swept @ of_gram
        of_zz = of_log_det * at.middle + swept @ of_gram @ swept.transpose(0, 2, 1)
        of_school = np.concatenate([of_zz, of_right], axis=2)
        if len(sums.pieces):
            own = np.einsum("fab,fab->f", sums.pieces, of_school[sums.piece_school])
            weights = weights + np.bincount(sums.piece_entry, own, len(weights))
        of_inverse = np.zeros(sum(inverse.size for inverse in at.inverses))
        of_inverse[sums.entry] += weights / 2
        of_inverse[sums.mirror] += weights / 2
        of_omega, start = np.zeros((len(model.cells),) * 2), 0
        for cells, pupils, inverse in zip(sums.patterns, sums.pupils, at.inverses, strict=True):
            own = of_inverse[start : start + inverse.size].reshape(inverse.shape)
            start += inverse.size
            slope = of_log_det * pupils[:, None, None] * inverse - inverse @ own @ inverse
            np.add.at(of_omega, (cells[:, :, None], cells[:, None, :]), slope)
        found = np.tensordot(slopes(model.omega, psi), of_omega, 2)
        if model.school is not None:
            slope = self._of_school(at, of_gram, of_log_det)
            found[: model.school.count] = model.school.collect(slope)
        return np.asarray(found)

    def _of_school(self, at: ResidualProfile, of_gram: Floats, of_log_det: float) -> Floats:
        """Return the derivative with respect to L of the schools' effects.

        From Z'V^-1Z = B - B M B and F = Z'V^-1[X y] = R - B M R, B = Z'Omega^-1Z.
        """
        keep = np.eye(len(at.school)) - at.zz @ at.middle
        left = keep @ at.right
        total = of_log_det * (keep @ at.zz).sum(axis=0)
        total = total - (left @ of_gram @ left.transpose(0, 2, 1)).sum(axis=0)
        return np.asarray((total + total.T) @ at.school)

    def _add_pieces(self, weights: Floats) -> Floats:
        """Return Z'Omega^-1[Z X y] of each school, shape (S, q, q + k + 1)."""
        sums = self.sums
        count, q, c = sums.pieces.shape
        starts = np.searchsorted(sums.piece_school, np.arange(sums.schools + 1))
        by_school = sparse.csr_matrix(
            (weights[sums.piece_entry], np.arange(count), starts), (sums.schools, count)
        )
        found = by_school @ sums.pieces.reshape(count, q * c)
        return np.asarray(found).reshape(sums.schools, q, c)
