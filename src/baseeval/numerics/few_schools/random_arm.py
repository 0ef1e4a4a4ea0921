"""Pupils in schools by REML, the difference between the arms free to vary from school to school."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baseeval.errors import EstimationError, Problem
from baseeval.numerics.cr2 import Interval, cr2, mixed_parts, t_interval
from baseeval.numerics.few_schools.arm_cells import ArmSample
from baseeval.numerics.least_squares import independent_columns
from baseeval.numerics.mixed_models.blocks import Block, cut_blocks
from baseeval.numerics.mixed_models.fitting import MixedFit, fit_likelihood
from baseeval.numerics.mixed_models.kenward_roger import kenward_roger
from baseeval.numerics.mixed_models.nested import nested_likelihood
from baseeval.numerics.mixed_models.templates import Layout, diagonal_template

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: Position of the arm among the fixed columns.
_ARM = 1


@dataclass(frozen=True, slots=True)
class RandomArm:
    """A multilevel model of two arms.

    Parameters
    ----------
    x : ndarray, shape (n, p)
        Intercept, first arm, covariates; full rank.
    sample : ArmSample
    fit : MixedFit
    slopes : bool
        Whether the model holds a variance of an arm within schools.
    """

    x: Floats
    sample: ArmSample
    fit: MixedFit
    slopes: bool

    @property
    def estimate(self) -> float:
        """Return the first arm's fixed coefficient."""
        return float(self.fit.beta[_ARM])

    def robust_interval(self) -> Interval:
        """Return the interval by CR2 over schools with Satterthwaite df."""
        sample, fit = self.sample, self.fit
        root = np.sqrt(sample.weights)[:, None]
        arm = sample.first.astype(np.float64)
        z = np.ones((len(arm), 1))
        if self.slopes:
            z = np.column_stack([z, arm, 1.0 - arm])
        own = [float(lower[0, 0]) ** 2 for lower in fit.factors]
        residuals = sample.outcome - self.x @ fit.beta
        robust = cr2(
            mixed_parts(
                self.x * root,
                z * root,
                residuals * root[:, 0],
                np.diag([own[0], *own[1:], *own[1:]]),
                sample.school,
            )
        )
        return t_interval(
            self.estimate,
            float(np.sqrt(robust.vcov[_ARM, _ARM])),
            robust.df(np.eye(self.x.shape[1])[_ARM]),
        )

    def model_interval(self) -> Interval:
        """Return Kenward and Roger's interval, for weights all alike."""
        adjusted = kenward_roger(self.fit)
        return t_interval(
            self.estimate,
            float(np.sqrt(adjusted.vcov[_ARM, _ARM])),
            adjusted.df(np.eye(self.x.shape[1])[_ARM]),
        )


def fit_random_arm(sample: ArmSample) -> RandomArm:
    """Fit random schools and, where two or more hold both arms, random arms within them.

    Parameters
    ----------
    sample : ArmSample
        Weights enter as precision weights.

    Returns
    -------
    RandomArm

    Raises
    ------
    EstimationError
        There are too few pupils for the covariates, or the likelihood has no
        maximum that could be found.
    """
    arm = sample.first.astype(float)
    x = np.column_stack([np.ones_like(arm), arm, sample.covariates])
    x = x[:, independent_columns(x)]
    if len(x) <= x.shape[1]:
        raise EstimationError(
            Problem(
                "the model",
                f"{x.shape[1]} coefficients are asked of {len(x)} pupils",
                "Adjust for fewer covariates.",
            ),
            flag="model_failed",
        )
    cell = 2 * sample.school + ~sample.first
    held = np.unique(cell)
    slopes = int(np.sum(np.diff(held // 2) == 0)) >= 2
    ones = np.ones((len(arm), 1))
    groups = (sample.school, cell) if slopes else (sample.school,)
    weights = None if np.ptp(sample.weights) == 0 else sample.weights
    rows = Block(x, sample.outcome, (ones,) * len(groups), groups, weights)
    layout = Layout((diagonal_template([0]),) * len(groups))
    order = np.argsort(cell, kind="stable")
    likelihood = nested_likelihood(cut_blocks(rows, order), layout, (0, 1)[: len(groups)], 0)
    fit = fit_likelihood(likelihood)
    if not fit.converged:
        raise EstimationError(
            Problem(
                "model `multilevel`",
                "the likelihood has no maximum that could be found",
                "Use `regression`, or adjust for fewer covariates.",
            )
        )
    return RandomArm(x, sample, fit, slopes)
