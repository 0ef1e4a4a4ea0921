"""Reliability, factor models and the invariance ladder: worked values, derivatives, refusals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import approx_fprime

from baseeval.errors import BaseevalError, EstimationError, UsageError
from baseeval.measures.agreement import check_reliability
from baseeval.measures.comparability import check_invariance
from baseeval.numerics.factor import deviance_of, fit_factors, whitened
from baseeval.numerics.factor_model import Moments, build_matrices, is_singular, moments_of
from baseeval.numerics.invariance import Rules, climb
from baseeval.numerics.invariance_model import STEPS, measurement_model
from baseeval.numerics.reliability import cronbach_alpha, item_statistics
from baseeval.numerics.reliability_omega import mcdonald_omega

ONE = np.ones((4, 1), dtype=bool)
NAMES = ["b01", "b02", "b03", "b04"]


def draw(
    rng: np.random.Generator,
    n: int,
    loading: Sequence[float] = (0.8, 0.7, 0.9, 0.6),
    mean: float = 0.0,
    intercept: Sequence[float] = (0, 0, 0, 0),
) -> np.ndarray:
    factor = mean + rng.normal(size=(n, 1))
    return factor * loading + 0.6 * rng.normal(size=(n, len(loading))) + intercept


def table(n: int = 150, groups: Sequence[str] = ("base", "host"), seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frames = [pd.DataFrame(draw(rng, n), columns=NAMES).assign(arm=name) for name in groups]
    return pd.concat(frames, ignore_index=True)


# ---- items and alpha ----------------------------------------------------------------------------
def test_alpha_worked_by_hand() -> None:
    # Variances 1, 1, 7/3 (divisor 2), of the sum 31/3: alpha = 3/2 (1 - (13/3) / (31/3)).
    rows = np.array([[1.0, 2, 1], [2, 1, 2], [3, 3, 4]])
    assert_allclose(cronbach_alpha(rows).estimate, 1.5 * 18 / 31)


def test_item_statistics_count_everyone_and_correlate_complete_rows() -> None:
    rows = np.array([[1.0, 2, 2], [2, 1, np.nan], [3, 3, 1], [4, 4, 3], [np.nan, 4, 4]])
    found = item_statistics(rows)
    assert found.n.tolist() == [4, 5, 4]
    assert found.missing.tolist() == [1, 0, 1]
    assert_allclose(found.mean, [2.5, 2.8, 2.5])
    assert_allclose(found.sd[0], np.std([1, 2, 3, 4], ddof=1))
    assert found.values.tolist() == [1, 2, 3, 4]
    assert found.counts.tolist() == [[1, 1, 1, 1], [1, 1, 1, 2], [1, 1, 1, 1]]
    whole = rows[[0, 2, 3]]
    for item in range(3):
        rest = np.delete(whole, item, axis=1).sum(axis=1)
        assert_allclose(found.item_rest[item], np.corrcoef(whole[:, item], rest)[0, 1])


def test_an_item_nobody_answered_is_counted() -> None:
    found = item_statistics(np.array([[1.0, np.nan], [2.0, np.nan]]))
    assert found.n.tolist() == [2, 0]
    assert np.isnan(found.mean[1])
    assert np.isnan(found.item_rest).all()


def test_identical_items_have_alpha_one_and_no_doubt() -> None:
    rows = np.repeat(np.array([[1.0], [2.0], [4.0]]), 4, axis=1)
    found = cronbach_alpha(rows)
    assert_allclose([found.estimate, found.low, found.high], 1)


def test_alpha_by_school_is_the_sum_of_its_rows_influences() -> None:
    rows = draw(np.random.default_rng(3), 60)
    alone = cronbach_alpha(rows, clusters=np.arange(60))
    assert_allclose(alone.std_error, cronbach_alpha(rows).std_error)
    twice = cronbach_alpha(np.vstack([rows, rows]), clusters=np.tile(np.arange(60), 2))
    assert_allclose(twice.std_error, alone.std_error)
    assert_allclose([twice.low, twice.high], [alone.low, alone.high])


def test_the_errors_are_those_of_the_jackknife() -> None:
    rng = np.random.default_rng(4)
    rows = np.round(2.5 + np.exp(0.5 * draw(rng, 150)), 0)  # skewed, in steps

    def take(part: np.ndarray, name: str) -> list[float]:
        omega = mcdonald_omega(part)
        found = (cronbach_alpha(part), omega.sum_score, omega.standardised)
        return [getattr(one, name) for one in found]

    left_out = [take(np.delete(rows, row, axis=0), "estimate") for row in range(len(rows))]
    jackknife = np.sqrt((len(rows) - 1) * np.var(left_out, axis=0))
    assert_allclose(take(rows, "std_error"), jackknife, rtol=0.05)


REFUSED = {
    "one item": (np.ones((5, 1)), "at least 2 are needed"),
    "two rows": (np.array([[1.0, 2], [2, 1], [np.nan, 1]]), "2 rows have an answer"),
    "a constant item": (np.array([[1.0, 2, 3], [2, 2, 1], [3, 2, 2]]), "item 2"),
    "items that cancel": (np.array([[1.0, 4], [2, 3], [3, 2], [4, 1]]), "cancel out"),
}


@pytest.mark.parametrize(("rows", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_alpha_refuses(rows: np.ndarray, words: str) -> None:
    with pytest.raises(EstimationError, match=words):
        cronbach_alpha(rows)


def test_omega_refuses() -> None:
    rng = np.random.default_rng(5)
    rows = draw(rng, 50)
    with pytest.raises(EstimationError, match="at least 3 are needed"):
        mcdonald_omega(rows[:, :2])
    with pytest.raises(EstimationError, match="no inverse"):
        mcdonald_omega(np.column_stack([rows, rows[:, 0]]))
    with pytest.raises(EstimationError, match="no inverse"):
        mcdonald_omega(rows[:4])
    with pytest.raises(EstimationError, match="one school"):
        mcdonald_omega(rows, clusters=np.zeros(50, dtype=int))
    with pytest.raises(UsageError, match="Choose among adf, normal, feldt"):
        cronbach_alpha(rows, interval="fisher")


# ---- the factor model's kernel ------------------------------------------------------------------
@pytest.mark.parametrize("waves", [1, 2])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("identification", ["variance", "marker"])
def test_the_gradient_is_that_of_finite_differences(
    waves: int, step: str, identification: str
) -> None:
    rng = np.random.default_rng(6)
    pattern = np.kron(np.eye(2), np.ones((3, 1))).astype(bool)
    data = [moments_of(rng.normal(size=(50, 6 * waves)) @ mix(rng, 6 * waves)) for _ in range(2)]
    model = measurement_model(data, pattern, step, waves, identification)
    at = model.start + 0.02 * rng.normal(size=model.size)
    jacobian, residual = whitened(model, data, at)
    numeric = approx_fprime(at, lambda t: deviance_of(model, data, t), 1e-7)
    assert_allclose(-2 * jacobian.T @ residual, numeric, rtol=2e-4, atol=2e-3)


def mix(rng: np.random.Generator, size: int) -> np.ndarray:
    return np.eye(size) + 0.3 * rng.normal(size=(size, size))


def test_moments_made_by_a_model_are_found_again() -> None:
    """A population that the scalar model holds in: no misfit, and its own parameters."""
    rng = np.random.default_rng(7)
    data = [moments_of(draw(rng, 200)) for _ in range(2)]
    model = measurement_model(data, ONE, "scalar")
    truth = fit_factors(model, data).parameters
    made = build_matrices(model, truth)
    exact = [Moments(200, made.mean[g], made.covariance[g]) for g in range(2)]
    again = fit_factors(measurement_model(exact, ONE, "scalar"), exact)
    assert again.converged
    assert_allclose(again.chi2, 0, atol=1e-8)
    assert_allclose(again.parameters, truth, atol=1e-5)


def test_an_improper_solution_is_reported_and_not_judged() -> None:
    # r12 r13 / r23 = 1.28: the first item's residual variance can only be negative.
    r = np.array([[1.0, 0.8, 0.8], [0.8, 1.0, 0.5], [0.8, 0.5, 1.0]])
    data = [Moments(200, np.zeros(3), r)] * 2
    steps = climb(data, np.ones((3, 1), dtype=bool))
    assert ("residual_variance", 0, 0) in steps[0].fit.improper
    assert [step.verdict for step in steps] == ["not assessable"] * 3
    assert "below zero" in steps[0].why


def test_a_factor_without_common_variance_is_not_judged() -> None:
    steps = climb([Moments(200, np.zeros(4), np.eye(4))] * 2, ONE)
    assert [step.verdict for step in steps] == ["not assessable"] * 3


def test_singular_covariances_are_known() -> None:
    rng = np.random.default_rng(8)
    rows = rng.normal(size=(50, 3))
    assert not is_singular(moments_of(rows))
    assert not is_singular(moments_of(rows * [1e-6, 1, 1e6]))
    assert is_singular(moments_of(np.column_stack([rows, rows.sum(axis=1)])))
    assert is_singular(moments_of(rows * [1, 0, 1]))
    assert is_singular(moments_of(rows[:3]))
    with pytest.raises(EstimationError, match="no inverse"):
        fit_factors(
            measurement_model([moments_of(rows)], ONE[:3], "metric"), [moments_of(rows[:3])]
        )


def test_items_of_both_signs_take_one_sign_in_every_group() -> None:
    rng = np.random.default_rng(12)
    loading = (0.8, -0.8, 0.7, -0.7)
    data = [moments_of(draw(rng, 2000, loading)) for _ in range(4)]
    steps = climb(data, ONE)
    assert [step.verdict for step in steps] == ["holds"] * 3
    signs = np.sign(steps[0].fit.matrices.loading[:, :, 0])
    assert (signs == signs[0]).all()


def test_two_items_are_too_few_for_a_factor() -> None:
    data = [moments_of(np.random.default_rng(9).normal(size=(50, 2)))]
    with pytest.raises(EstimationError, match="at least three items"):
        fit_factors(measurement_model(data, ONE[:2], "configural"), data)


# ---- tables -------------------------------------------------------------------------------------
def test_reliability_by_arm_counts_and_notes() -> None:
    frame = table(groups=("base", "host", "non_host"))
    frame.loc[0:9, "b02"] = np.nan
    frame.loc[frame["arm"] == "non_host", "b03"] = 2.0
    frame.loc[299, "arm"] = None
    found = check_reliability(frame, NAMES, group="arm")
    scales = found.scales.set_index("group")
    assert scales.index.tolist() == ["base", "host", "non_host"]
    assert scales["complete"].tolist() == [140, 149, 150]
    assert scales["rows"].tolist() == [150, 149, 150]
    assert found.no_group == 1
    assert scales.loc["base", "note"] == ""
    assert scales.loc["base", "alpha_low"] < scales.loc["base", "alpha"]
    assert np.isnan(scales.loc["non_host", "alpha"])
    assert scales.loc["non_host", "note"].startswith("items `b03`: all 150 complete rows")
    assert found.items.query("group == 'base' and item == 'b02'")["missing"].item() == 10


def test_turning_items_round() -> None:
    frame = table(groups=("base",))
    other = frame.assign(b02=5 - frame["b02"])
    wide = (-20, 25)
    straight = check_reliability(frame, NAMES).scales
    turned = check_reliability(other, NAMES, reverse=["b02"], range=wide).scales
    assert_allclose(turned["alpha"], straight["alpha"])
    assert_allclose(turned["omega"], straight["omega"])
    found = check_reliability(other, NAMES).scales
    assert "load the other way" in found["note"].item()


def test_answers_are_counted_where_they_are_categories() -> None:
    rng = np.random.default_rng(10)
    frame = pd.DataFrame(np.clip(np.round(2.5 + draw(rng, 200)), 1, 4), columns=NAMES)
    answers = check_reliability(frame, NAMES).answers
    assert answers.groupby("item")["count"].sum().tolist() == [200] * 4
    assert len(check_reliability(table(), NAMES).answers) == 0


def test_no_group_with_an_alpha_is_an_error_that_names_the_item() -> None:
    frame = table().assign(b04=1.0)
    with pytest.raises(EstimationError, match="`b04`: all 300 complete rows give the same answer"):
        check_reliability(frame, NAMES)


CALLS = {
    "an absent column": ({"items": [*NAMES, "b05"]}, "no column `b05`"),
    "an item twice": ({"items": ["b01", "b01", "b02"]}, "named twice"),
    "no range": ({"items": NAMES, "reverse": ["b01"]}, "range of their answers"),
    "a stranger turned": ({"items": NAMES[:3], "reverse": ["b04"], "range": (1, 4)}, "not one of"),
    "out of range": ({"items": NAMES, "range": (-1, 1)}, "answers lie outside"),
    "words": ({"items": [*NAMES, "arm"]}, "not numbers"),
}


@pytest.mark.parametrize(("call", "words"), CALLS.values(), ids=CALLS.keys())
def test_misuse_teaches(call: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        check_reliability(table(), **call)


def test_no_rows_are_refused() -> None:
    with pytest.raises(UsageError, match="there are no rows"):
        check_reliability(table().iloc[:0], NAMES)
    with pytest.raises(UsageError, match="no row is left: 300 have no group"):
        check_invariance(table().assign(arm=None), NAMES, group="arm")
    with pytest.raises(EstimationError, match="0 rows have an answer to every item"):
        check_reliability(table().assign(b01=np.nan), NAMES)
    frame = table().assign(school=[np.nan, *range(299)])
    with pytest.raises(UsageError, match="1 row has no school"):
        check_reliability(frame, NAMES, school="school")


def test_an_empty_group_is_refused() -> None:
    frame = table()
    frame["arm"] = pd.Categorical(frame["arm"], ["base", "host", "non_host"])
    with pytest.raises(UsageError, match=r"group `non_host` of `arm`: nobody is in it"):
        check_invariance(frame, NAMES, group="arm")


def test_fewer_than_a_hundred_complete_cases_are_never_called_invariant() -> None:
    frame = table(n=120)
    frame.loc[0:20, "b01"] = np.nan
    found = check_invariance(frame, NAMES, group="arm")
    assert found.verdict == "not assessable"
    assert found.why == "fewer than 100 complete cases in base"
    assert found.steps["verdict"].tolist() == ["not assessable"] * 3
    assert found.steps["chi2"].isna().all()
    assert found.cases["complete"].tolist() == [99, 120]
    kind = check_invariance(frame, NAMES, group="arm", rules=Rules(least_cases=99))
    assert kind.verdict != "not assessable"


def test_a_constant_item_in_one_group_is_named() -> None:
    frame = table()
    frame.loc[frame["arm"] == "host", "b03"] = 4.0
    with pytest.raises(EstimationError, match=r"group `host`: all 150 complete cases.*`b03`"):
        check_invariance(frame, NAMES, group="arm")
    with pytest.raises(EstimationError, match="repeat one another"):
        check_invariance(frame.assign(b03=frame["b01"]), NAMES, group="arm")


def test_invariance_is_refused_where_nothing_is_compared() -> None:
    frame = table(groups=("base",)).assign(wave=1, pupil=np.arange(150))
    for call, words in [
        ({}, "neither a group nor a wave"),
        ({"group": "arm"}, "one group and one wave"),
        ({"wave": "wave"}, "cannot be told without the pupil"),
        ({"wave": "wave", "pupil": "pupil"}, "one group and one wave"),
        ({"group": "arm", "identification": "effects"}, "no way to set"),
        ({"group": "arm", "factors": {"a": NAMES[:2], "b": NAMES[2:]}}, "at least three items"),
        ({"group": "arm", "factors": {"a": NAMES[:3]}}, "belongs to 0 factors"),
        ({"group": "arm", "reference": "host"}, "is no group"),
    ]:
        with pytest.raises(BaseevalError, match=words):
            check_invariance(frame, NAMES, **call)


def test_waves_need_one_row_a_pupil_and_one_group() -> None:
    frame = table(n=200, groups=("base",)).assign(wave=1, pupil=np.arange(200))
    later = frame.assign(wave=2, b01=frame["b01"] + 1)
    whole = pd.concat([frame, later], ignore_index=True)
    with pytest.raises(UsageError, match="400 rows repeat a pupil and wave"):
        check_invariance(pd.concat([whole, whole]), NAMES, wave="wave", pupil="pupil")
    whole.loc[0, "arm"] = "host"
    with pytest.raises(UsageError, match="1 pupil is in more than one group"):
        check_invariance(whole, NAMES, group="arm", wave="wave", pupil="pupil")


def test_waves_use_pupils_with_every_wave() -> None:
    rng = np.random.default_rng(11)
    trait = rng.normal(size=(300, 1))
    frames = []
    for wave in (1, 2):
        rows = trait + 0.5 * rng.normal(size=(300, 1)) + 0.5 * rng.normal(size=(300, 4))
        rows[:, 2] += 0.8 * (wave == 2)
        frame = pd.DataFrame(rows, columns=NAMES)
        frames.append(frame.assign(wave=wave, pupil=np.arange(300)))
    data = pd.concat([frames[0], frames[1].iloc[20:]], ignore_index=True)
    found = check_invariance(data, NAMES, wave="wave", pupil="pupil")
    assert found.cases["complete"].item() == 280
    assert found.verdict == "metric"
    assert found.why.startswith("scalar: ")
    later = found.parameters.query("step == 'scalar' and kind == 'factor_mean'")
    assert later["wave"].tolist() == ["2"]
