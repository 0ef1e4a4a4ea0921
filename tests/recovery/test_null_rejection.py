"""Where no arm has an effect, a test at 5% rejects in about 5% of studies of seven schools.

The layout is the study's own: `base` and `host_mainstream` pupils inside the same five schools,
`non_host` pupils in two others, schools of unequal size; and three hosts against four others.
Outcomes are drawn here with plain numpy, so neither the worlds nor the cohort has a part in it.
Where bases differ (`slope`, SD of a school's own base effect in pupil SDs, mean zero) a random
intercept alone takes that variation for evidence; the last test shows that it does, in the very
draws in which ours does not.

Bounds: the nominal rate plus 3.5 Monte Carlo standard errors, as 24 rates or more are looked at.
CR2 with Satterthwaite's df errs downwards at two or three df, so the lower bound only asks that
the test can reject at all; that it finds what is there is a test of its own.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pytest
from scipy.stats import t as student

from baseeval.effects.multilevel import MULTILEVEL
from baseeval.effects.regression import REGRESSION
from baseeval.effects.spec import EffectSample
from baseeval.numerics.mixed_models.satterthwaite_df import satterthwaite_df
from baseeval.numerics.mixed_models.templates import diagonal_template
from baseeval.numerics.mixed_models.two_level import fit_two_level
from baseeval.results import ARMS, CONTRASTS

MODELS = (MULTILEVEL, REGRESSION)
STUDY = {"hosts": 5, "others": 2}
MORE_OTHERS = {"hosts": 3, "others": 4}
FAST = [
    {**STUDY, "icc": 0.0, "slope": 0.0},
    {**MORE_OTHERS, "icc": 0.15, "slope": 0.3},
]
ALL = [
    {**layout, "icc": icc, "slope": slope}
    for layout in (STUDY, MORE_OTHERS)
    for icc in (0.0, 0.05, 0.15)
    for slope in (0.0, 0.3)
]


def draw_samples(
    rng: np.random.Generator,
    *,
    hosts: int,
    others: int,
    icc: float,
    slope: float,
    pupils: int = 119,
    effect: float = 0.0,
) -> dict[str, EffectSample]:
    """Draw one study: outcomes of total variance one, and each contrast's pupils."""
    count = hosts + others
    share = np.exp(0.35 * rng.standard_normal(count))
    sizes = np.maximum(6, np.round(pupils * share / share.sum()).astype(int))
    school = np.repeat(np.arange(count), sizes)
    in_base = rng.random(len(school)) < rng.beta(8, 8, count)[school]
    arm = np.where(school >= hosts, 2, np.where(in_base, 0, 1))
    own = rng.standard_normal((2, count))[:, school]
    y = math.sqrt(icc) * own[0] + math.sqrt(1 - icc) * rng.standard_normal(len(school))
    y += (arm == 0) * (effect + slope * own[1])
    samples = {}
    for contrast, pair in CONTRASTS.items():
        first, second = (ARMS.index(name) for name in pair)
        kept = (arm == first) | (arm == second)
        samples[contrast] = EffectSample(
            outcome=y[kept],
            first=arm[kept] == first,
            weights=np.ones(kept.sum()),
            covariates=np.empty((kept.sum(), 0)),
            school=np.unique(school[kept], return_inverse=True)[1],
        )
    return samples


def draw_many(draws: int, **cell: float) -> Iterator[dict[str, EffectSample]]:
    rng = np.random.default_rng([20261, draws, *(round(100 * value) for value in cell.values())])
    for _ in range(draws):
        yield draw_samples(rng, **cell)


def rejection_rates(draws: int, **cell: float) -> dict[tuple[str, str], float]:
    rejected = defaultdict(int)
    for samples in draw_many(draws, **cell):
        for contrast, sample in samples.items():
            for model in MODELS:
                p_value = model.fit(sample).interval.p_value
                assert np.isfinite(p_value)
                rejected[model.name, contrast] += p_value < 0.05
    return {key: count / draws for key, count in rejected.items()}


def most(draws: int) -> float:
    return 0.05 + 3.5 * math.sqrt(0.05 * 0.95 / draws)


def check_rates(draws: int, cell: dict[str, float]) -> None:
    rates = rejection_rates(draws, **cell)
    wrong = {key: rate for key, rate in rates.items() if not 0.004 < rate < most(draws)}
    assert not wrong, f"{cell}: {wrong}"


def label(cell: dict[str, float]) -> str:
    return "-".join(f"{name}{value}" for name, value in cell.items())


@pytest.mark.parametrize("cell", FAST, ids=label)
def test_no_effect_is_rejected_one_time_in_twenty(cell: dict[str, float]) -> None:
    check_rates(300, cell)


@pytest.mark.slow
@pytest.mark.parametrize("cell", ALL, ids=label)
def test_no_effect_is_rejected_one_time_in_twenty_closely(cell: dict[str, float]) -> None:
    check_rates(2000, cell)


def intercept_only_p_value(sample: EffectSample) -> float:
    """Test the arm in a model whose arms differ alike in every school."""
    x = np.column_stack([np.ones_like(sample.outcome), sample.first])
    template = diagonal_template(np.array([0]))
    fit = fit_two_level(x, x[:, :1], sample.outcome, sample.school, template)
    df = satterthwaite_df(fit, np.array([[0.0, 1.0]]))[0]
    ratio = abs(fit.beta[1]) / math.sqrt(fit.vcov[1, 1])
    return 2 * student.sf(ratio, df if np.isfinite(df) else len(x) - 2)


def check_against_intercept_only(draws: int) -> None:
    # Sixty pupils a school, as the mainstream of a host has: the larger the arms within a school,
    # the more of what is left between schools is the base's own effect.
    cell = {**STUDY, "icc": 0.05, "slope": 0.3, "pupils": 420}
    ours = naive = 0
    for samples in draw_many(draws, **cell):
        sample = samples["base_vs_host"]
        ours += MULTILEVEL.fit(sample).interval.p_value < 0.05
        naive += intercept_only_p_value(sample) < 0.05
    assert ours / draws < most(draws)
    assert naive / draws > most(draws)
    assert naive > 2 * ours


def test_bases_that_differ_deceive_a_random_intercept_and_not_us() -> None:
    check_against_intercept_only(300)


@pytest.mark.slow
def test_bases_that_differ_deceive_a_random_intercept_and_not_us_closely() -> None:
    check_against_intercept_only(2000)


def test_an_effect_that_is_there_is_found() -> None:
    cell = {**STUDY, "icc": 0.05, "slope": 0.0, "effect": 1.0}
    found = defaultdict(list)
    for samples in draw_many(60, **cell):
        for model in MODELS:
            fit = model.fit(samples["base_vs_host"])
            found[model.name].append((fit.estimate, fit.interval.p_value))
    for results in found.values():
        estimates, p_values = np.array(results).T
        assert np.mean(p_values < 0.05) > 0.8
        error = estimates.std(ddof=1) / math.sqrt(len(estimates))
        assert abs(estimates.mean() - 1) < 3.5 * error
