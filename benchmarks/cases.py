"""What is timed: a kernel, a peer, data for both, and the answer on which they must agree."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from naive import dense_cr2, scan_nearest
from statsmodels.discrete.discrete_model import Logit
from statsmodels.regression.mixed_linear_model import MixedLM

from baseeval.numerics.cr2 import cr2, weighted_parts
from baseeval.numerics.least_squares import fit_least_squares
from baseeval.numerics.logit import fit_logit
from baseeval.numerics.mixed_models.templates import diagonal_template
from baseeval.numerics.mixed_models.two_level import fit_two_level
from baseeval.numerics.nearest import match_nearest

Work = Callable[[], np.ndarray]


@dataclass(frozen=True)
class Case:
    name: str
    ours: Work
    peer: Work
    tolerance: float


@dataclass(frozen=True)
class Recipe:
    name: str
    build: Callable[[], Case | None]
    slow: bool = False


def pupils_in_schools(pupils: int, schools: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(pupils)
    school = np.sort(
        np.concatenate([np.arange(schools), rng.integers(0, schools, pupils - schools)])
    )
    x = np.column_stack(
        [np.ones(pupils), rng.random(pupils) < 0.4, rng.standard_normal((pupils, 4))]
    )
    y = x @ np.array([10, 0.3, 1, 0.5, -0.2, 0.1]) + 0.4 * rng.standard_normal(schools)[school]
    return x, y + rng.standard_normal(pupils), school


def mixed(pupils: int, schools: int) -> Case:
    x, y, school = pupils_in_schools(pupils, schools)

    def ours() -> np.ndarray:
        template = diagonal_template(np.array([0]))
        return fit_two_level(x, x[:, :1], y, school, template).beta

    def peer() -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(MixedLM(y, x, groups=school).fit(reml=True).fe_params)

    return Case(f"mixed, {pupils} pupils, {schools} schools: statsmodels", ours, peer, 1e-3)


def mixed_beside_mixedlm(pupils: int, schools: int) -> Case | None:
    if importlib.util.find_spec("mixedlm") is None:
        return None
    lmer = importlib.import_module("mixedlm").lmer
    x, y, school = pupils_in_schools(pupils, schools)
    names = [f"x{column}" for column in range(1, x.shape[1])]
    frame = pd.DataFrame(x[:, 1:], columns=names).assign(y=y, school=school.astype(str))
    formula = f"y ~ {' + '.join(names)} + (1 | school)"

    def ours() -> np.ndarray:
        template = diagonal_template(np.array([0]))
        return fit_two_level(x, x[:, :1], y, school, template).beta

    def peer() -> np.ndarray:
        return np.array(list(lmer(formula, frame).fixef().values()))

    return Case(f"mixed, {pupils} pupils, {schools} schools: mixedlm", ours, peer, 1e-5)


def logit() -> Case:
    rng = np.random.default_rng(5)
    x = np.column_stack([np.ones(100_000), rng.standard_normal((100_000, 9))])
    y = rng.random(len(x)) < 1 / (1 + np.exp(-x @ np.linspace(-0.5, 0.5, 10)))

    def peer() -> np.ndarray:
        return np.asarray(Logit(y.astype(float), x).fit(disp=0, tol=1e-10).params)

    return Case(
        "logit, 100000 rows, 10 columns: statsmodels", lambda: fit_logit(x, y).beta, peer, 1e-6
    )


def robust() -> Case:
    x, y, school = pupils_in_schools(3000, 40)

    def ours() -> np.ndarray:
        fit = fit_least_squares(x, y)
        parts = weighted_parts(x, fit.residuals, np.ones(len(y)), school, fit.bread)
        made = cr2(parts)
        return np.array([np.sqrt(made.vcov[1, 1]), made.df(np.eye(x.shape[1])[1])])

    return Case(
        "CR2 and df, 3000 pupils, 40 schools: dense",
        ours,
        lambda: dense_cr2(x, y, school, column=1),
        1e-6,
    )


def nearest() -> Case:
    rng = np.random.default_rng(7)
    score, treated = rng.random(60_000), np.arange(60_000) < 10_000
    rows = np.flatnonzero(treated)
    order = rows[np.argsort(-score[rows], kind="stable")]
    strata = np.zeros(len(score), dtype=np.intp)
    return Case(
        "nearest, 10000 to 50000: scan of all",
        lambda: match_nearest(score, treated, order, strata).astype(float),
        lambda: scan_nearest(score, treated, order),
        0.0,
    )


CASES = (
    Recipe("mixed, 5000 pupils, 50 schools: statsmodels", lambda: mixed(5_000, 50)),
    Recipe(
        "mixed, 100000 pupils, 1000 schools: statsmodels", lambda: mixed(100_000, 1_000), slow=True
    ),
    Recipe("mixed, 5000 pupils, 50 schools: mixedlm", lambda: mixed_beside_mixedlm(5_000, 50)),
    Recipe(
        "mixed, 100000 pupils, 1000 schools: mixedlm", lambda: mixed_beside_mixedlm(100_000, 1_000)
    ),
    Recipe("logit, 100000 rows, 10 columns: statsmodels", logit),
    Recipe("CR2 and df, 3000 pupils, 40 schools: dense", robust),
    Recipe("nearest, 10000 to 50000: scan of all", nearest),
)
