"""Kinds of outcome besides a number: yes or no, an order, a count; scales of a school's own."""

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from baseeval.cohort.comparing_schools import check_scales
from baseeval.contracts.vocabulary import NO_RESULT
from baseeval.effects.bounding import worst_cases
from baseeval.effects.regression import fit_regression
from baseeval.effects.spec import EffectSample
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import PlanError
from baseeval.measures.kinds import RANK, note_of, unit_of
from baseeval.measures.ridits import ridits
from baseeval.measures.scoring import score
from baseeval.plan import OutcomeSection, plan_from_keys

ARMS = {"column": "arm", "base": ["b"], "host_mainstream": ["h"], "non_host": ["n"]}


def keys(*outcomes, **changes):
    return {
        "study": {"name": "kinds", "title": "Kinds"},
        "data": {"table": "p.csv"},
        "arms": ARMS,
        "outcomes": list(outcomes),
        "analysis": {"models": ["unadjusted"]},
        **changes,
    }


def faults(*outcomes, **changes):
    with pytest.raises(PlanError) as caught:
        plan_from_keys(keys(*outcomes, **changes), Path("study.toml"))
    return [problem.what for problem in caught.value.problems]


def scored(outcome, **columns):
    """Score typed columns; give the values and the reasons."""
    size = len(next(iter(columns.values())))
    with Engine() as engine:
        frame = engine.table(pa.table({"place": range(size), **columns}))
        made = score(OutcomeSection(name="y", **outcome))
        rows = frame.select("place", made.value.alias("value"), made.why.alias("why"))
        found = engine.collect(rows, ["place"]).to_pylist()
    return [row["value"] for row in found], [row["why"] for row in found]


# ---- Yes or no ----------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.1, 0.5, 0.07, 0.35, 1.0])
def test_a_share_of_sessions_missed_is_compared_exactly(share):
    limit = Fraction(str(share))
    possible = [p for p in range(1, 401) for _ in range(3)]
    edge = [math.ceil(limit * p) for p in range(1, 401)]
    missed = [max(0, min(p, e + d)) for p, e in enumerate(edge, start=1) for d in (-1, 0, 1)]
    nothing = pa.nulls(len(possible), pa.string())
    columns = {
        "in": [float(p - m) for p, m in zip(possible, missed, strict=True)],
        "all": [float(p) for p in possible],
        "why:in": nothing,
        "why:all": nothing,
    }
    outcome = {"kind": "binary", "attended": "in", "possible": "all", "missed_at_least": share}

    values, why = scored(outcome, **columns)

    exact = [float(Fraction(m, p) >= limit) for p, m in zip(possible, missed, strict=True)]
    assert values == exact
    assert 0 < sum(exact) < len(exact)
    assert set(why) == {None}


def test_without_sessions_nobody_is_absent_or_present():
    columns = {
        "in": [0.0, None, 9.0],
        "all": [0.0, 10.0, None],
        "why:in": [None, "blank", None],
        "why:all": [None, None, "x"],
    }
    outcome = {"kind": "binary", "attended": "in", "possible": "all", "missed_at_least": 0.1}

    assert scored(outcome, **columns) == (
        [None, None, None],
        ["no session was possible", "blank", "x"],
    )


WHY = ["below_standard", "not_entered", "disapplied", "absent", "annulled", "other", "blank"]
RESULT = {"r": [100.0, *[None] * 7], "why:r": [None, *WHY]}


@pytest.mark.parametrize(
    ("counts", "values"),
    [
        ("entered", [1, 1, 0, 0, 0, 1, 1, None]),
        ("below_standard", [0, 1, None, None, None, None, None, None]),
    ],
)
def test_why_there_is_no_result_is_an_outcome(counts, values):
    found, why = scored({"kind": "binary", "column": "r", "counts": counts}, **RESULT)

    assert found == values
    reasons = zip(values, [None, *WHY], strict=True)
    assert why == [None if value is not None else reason for value, reason in reasons]


def test_each_reason_of_the_vocabulary_is_decided():
    assert set(WHY) - {"blank"} == set(NO_RESULT)


# ---- An order -----------------------------------------------------------------------------------


def test_words_stand_in_the_order_of_the_plan():
    outcome = {"kind": "ordinal", "column": "g", "order": ["U", "1", "2"]}

    values, why = scored(outcome, **{"g": ["2", "U", None], "why:g": [None, None, "blank"]})

    assert values == [2, 0, None]
    assert why == [None, None, "blank"]


def test_below_the_standard_is_below_every_result():
    outcome = {"kind": "ordinal", "column": "r", "floor": "below_standard"}

    values, why = scored(outcome, **RESULT)

    assert values[1] < -1e9 < values[0]
    assert (values[2:], why[:3]) == ([None] * 6, [None, None, "not_entered"])


COUNTS = st.lists(st.integers(0, 30), min_size=2, max_size=6)


def mean_ridit(arm, places):
    return float(np.average(places, weights=arm))


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(2, 6))
def test_of_two_arms_ridits_differ_as_mann_whitney_says(data, size):
    arms = [
        np.array(data.draw(st.lists(st.integers(0, 20), min_size=size, max_size=size)))
        for _ in range(3)
    ]
    first, second, third = (arm + np.eye(size, dtype=int)[0] for arm in arms)
    codes = [np.repeat(np.arange(size), arm) for arm in (first, second, third)]

    def wins(one, two):
        u = mannwhitneyu(codes[one], codes[two], method="asymptotic").statistic
        return u / (len(codes[one]) * len(codes[two]))

    two = ridits(first + second)
    assert mean_ridit(first, two) - mean_ridit(second, two) == pytest.approx(wins(0, 1) - 0.5)
    # Of three: against a pupil drawn at random from all of them.
    pool = first + second + third
    three = ridits(pool)
    share = [arm.sum() / pool.sum() for arm in (first, second, third)]
    against = [sum(s * wins(arm, j) for j, s in enumerate(share)) for arm in (0, 1)]
    difference = mean_ridit(first, three) - mean_ridit(second, three)
    assert difference == pytest.approx(against[0] - against[1])
    assert mean_ridit(pool, three) == pytest.approx(0.5)


def test_ridits_of_a_worked_table():
    # Bross's own way: half of the category, and all that is below.
    assert ridits([17, 8, 3, 2]).tolist() == pytest.approx([8.5 / 30, 21 / 30, 26.5 / 30, 29 / 30])


# ---- Bounds -------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.booleans(), st.booleans(), st.floats(0.1, 5)),
        min_size=2,
        max_size=40,
    ),
    st.booleans(),
)
def test_bounds_hold_whatever_is_deleted_and_are_reached(rows, adversarial):
    full, first, gone, weights = (np.array(column) for column in zip(*rows, strict=True))
    first[:2] = True, False
    if adversarial:
        # The values that would make the difference largest are those that go.
        gone = np.where(first, full < 0.5, full > 0.5)
    seen = np.where(gone, np.nan, full)

    def difference(values):
        means = [np.average(values[arm], weights=weights[arm]) for arm in (first, ~first)]
        return means[0] - means[1]

    least, greatest = worst_cases(seen, first, 0.0, 1.0)
    assert difference(least) - 1e-12 <= difference(full) <= difference(greatest) + 1e-12
    shares = [np.sum(weights[arm & gone]) / np.sum(weights[arm]) for arm in (first, ~first)]
    assert difference(greatest) - difference(least) == pytest.approx(sum(shares))


# ---- Scales of a school's own -------------------------------------------------------------------


def found_in(groups, outcome="y", **options):
    plan = plan_from_keys(
        keys({"name": outcome, "kind": "continuous", "column": "y"}), Path("study.toml")
    )
    frame = pd.DataFrame(
        [
            {"outcome": outcome, "occasion": "1", "school": f"s{n}", "value": float(value)}
            for n, values in enumerate(groups)
            for value in values
        ]
    )
    with Engine() as engine:
        return check_scales(
            engine.table(pa.Table.from_pandas(frame, preserve_index=False)), plan, engine, "p.csv"
        )


def standardised(rng, size, ddof):
    values = rng.gamma(2.0, size=size)
    return (values - values.mean()) / values.std(ddof=ddof)


@pytest.mark.parametrize("decimals", [1, 2, 3, 12])
@pytest.mark.parametrize("ddof", [0, 1])
def test_standardised_within_school_is_seen_through_rounding(decimals, ddof):
    rng = np.random.default_rng(decimals)
    groups = [np.round(standardised(rng, n, ddof), decimals) for n in (8, 25, 60, 9)]

    (problem,) = found_in([*groups, [3.0, 4.0]])

    assert str(problem) == (
        "p.csv, `y`: `y` has a mean of 0 and a standard deviation of 1 in each of 4 schools: it "
        "was standardised within school, and says nothing of how schools differ. Give the figures "
        'as they were before that; or say `comparable = "within_school"` and '
        '`contrasts = ["base_vs_host"]` of the outcome, so that pupils are compared with pupils '
        "of their own school."
    )


@pytest.mark.parametrize("decimals", [1, 2, 12])
def test_standardised_over_all_schools_together_is_no_fault(decimals):
    rng = np.random.default_rng(4)
    groups = [rng.normal(school, 1, size=40) for school in (-0.3, 0.0, 0.1, 0.2)]
    together = np.concatenate(groups)
    groups = [np.round((g - together.mean()) / together.std(), decimals) for g in groups]

    assert found_in(groups) == []


def test_two_schools_or_few_values_prove_nothing():
    rng = np.random.default_rng(5)
    assert found_in([standardised(rng, 30, 0) for _ in range(2)]) == []
    assert found_in([standardised(rng, 7, 0) for _ in range(9)]) == []


# ---- Plans that are refused ---------------------------------------------------------------------

BINARY = {"name": "y", "kind": "binary", "column": "y"}
ORDINAL = {"name": "y", "kind": "ordinal", "column": "y"}
SOURCE = {"data": {"source": "npd", "files": {"census": "c.csv"}}, "arms": None}


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ({"name": "y", "kind": "binary"}, "kind 'binary' needs `column`"),
        (BINARY | {"attended": "a", "possible": "p"}, "needs `missed_at_least`"),
        (
            BINARY | {"attended": "a", "possible": "p", "missed_at_least": 0.1},
            "made from sessions takes no `column`",
        ),
        (BINARY | {"labels": {"often": 2.0}}, "stand for 1 or 0"),
        (BINARY | {"unit": "share of pupils"}, "begins with `proportion`"),
        (BINARY | {"counts": "entered"}, "give a `column` of 1 and 0"),
        (BINARY | {"order": ["a", "b"]}, "kind 'binary' takes no `order`"),
        (BINARY | {"standardise": "cohort"}, "`standardise` is not for the kind 'binary'"),
        (ORDINAL | {"forms": ["level", "gap"]}, "places do not subtract"),
        (ORDINAL | {"unit": "grade"}, "take `unit` out"),
        (ORDINAL | {"order": ["a", "A"]}, "`order` names something twice"),
        (ORDINAL | {"order": ["a"]}, "two at least"),
        (ORDINAL | {"floor": "below_standard"}, "write the lowest category in the column"),
        (ORDINAL | {"bounds": [1, 9]}, "are [0, 1]"),
        (BINARY | {"bounds": [1, 0]}, "[lowest possible, highest possible]"),
        (BINARY | {"bounds": [0, 1], "forms": ["gap"]}, "for the form 'level' alone"),
        (BINARY | {"comparable": "within_school"}, 'say `contrasts = ["base_vs_host"]`'),
        (BINARY | {"missed_at_least": 1.5}, "of at most 1"),
        (
            BINARY | {"contrasts": ["base_vs_host", "base_vs_host"]},
            "`contrasts` names something twice",
        ),
    ],
)
def test_what_an_outcome_cannot_ask(outcome, words):
    assert any(words in fault for fault in faults(outcome))


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (ORDINAL | {"order": ["a", "b"]}, "results of a source are numbers"),
        (BINARY | {"labels": {"often": 1.0}}, "figures of a source are 1 and 0"),
        (ORDINAL | {"comparable": "within_school"}, "cannot be compared with schools without"),
    ],
)
def test_what_an_outcome_of_a_source_cannot_ask(outcome, words):
    source = {key: value for key, value in (keys(outcome) | SOURCE).items() if value is not None}
    with pytest.raises(PlanError) as caught:
        plan_from_keys(source, Path("study.toml"))
    assert words in str(caught.value)


def test_a_scale_of_a_school_s_own_may_be_compared_within_it():
    own = ORDINAL | {"comparable": "within_school"}
    plan = plan_from_keys(keys(own | {"contrasts": ["base_vs_host"]}), Path("study.toml"))
    assert not plan.outcomes[0].serves("base_vs_non_host")
    hosts = {key: value for key, value in ARMS.items() if key != "non_host"}
    plan_from_keys(keys(own, arms=hosts), Path("study.toml"))


def test_notes_say_what_was_counted():
    persistent = {"attended": "a", "possible": "p", "missed_at_least": 0.1}
    section = OutcomeSection(name="y", kind="binary", **persistent)
    assert note_of(section).endswith(
        "Yes means that 10% or more of the sessions that were possible were missed."
    )
    assert unit_of(section) == "proportion of pupils"
    graded = OutcomeSection(**ORDINAL, floor="below_standard")
    assert unit_of(graded) == RANK
    assert note_of(graded).endswith("stand below every result.")


# ---- Recovery of a known difference -------------------------------------------------------------


def draw(rng):
    """Draw 20 schools of 20: a yes or no whose chance depends on arm, covariate and school."""
    school = np.repeat(np.arange(20), 20)
    first = np.tile([True, False], 200)
    x = rng.normal(size=400) + 0.4 * first
    chance = 0.35 + 0.15 * first + 0.05 * np.clip(x, -3, 3) + rng.uniform(-0.1, 0.1, 20)[school]
    outcome = (rng.random(400) < np.clip(chance, 0, 1)).astype(float)
    return outcome, first, x, school


def test_a_difference_in_proportions_is_recovered_and_bounds_cover_it():
    """Missing because of what is missing: the main row is off, the bounds are not."""
    rng, draws = np.random.default_rng(12), 200
    found, inside, off, covered = [], 0, [], 0
    for _ in range(draws):
        outcome, first, x, school = draw(rng)

        def fit(values, kept=slice(None), arms=(first, x, school)):
            arm, covariate, place = (column[kept] for column in arms)
            ones = np.ones(len(arm))
            sample = EffectSample(values[kept], arm, ones, covariate[:, None], place)
            return fit_regression(sample)

        made = fit(outcome)
        found.append(made.estimate)
        inside += made.interval.low < 0.15 < made.interval.high
        # Pupils of the first arm with no, and of the second with yes, are the ones who go.
        lost = (outcome == np.where(first, 0, 1)) & (rng.random(400) < 0.3)
        off.append(fit(outcome, ~lost).estimate)
        ends = worst_cases(np.where(lost, np.nan, outcome), first, 0.0, 1.0)
        low, high = (fit(end).interval for end in ends)
        covered += low.low < 0.15 < high.high
    error = np.std(found, ddof=1) / np.sqrt(draws)
    assert abs(np.mean(found) - 0.15) < 3 * error
    assert 0.90 <= inside / draws <= 0.99
    assert np.mean(off) > 0.25
    assert covered / draws >= 0.97
