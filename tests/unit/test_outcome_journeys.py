"""Outcomes of every kind from a table to what leaves: scores, rows, bounds, what is withheld."""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from baseeval.cohort.building import build_cohort
from baseeval.cohort.describing import describe
from baseeval.disclosure.describing import release_descriptions
from baseeval.disclosure.profiles import get_profile
from baseeval.disclosure.releasing import release
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError, PlanError
from baseeval.introducing import about
from baseeval.measures.kinds import RANK
from baseeval.pipeline import estimate_all, make_designs
from baseeval.plan import plan_from_keys
from baseeval.reporting.amounts import difference_words, level_words, size, span
from baseeval.reporting.found import glance
from baseeval.reporting.method import all_results, methods
from baseeval.reporting.phrasebook import VARIANTS as SPOKEN
from baseeval.reporting.sentences import sentence
from baseeval.results import RESULT_COLUMNS, RESULT_KEY, VARIANTS

ARMS = {"column": "arm", "base": ["b"], "host_mainstream": ["h"], "non_host": ["n"]}
GRADES = ["low", "middle", "high"]
OUTCOMES = [
    {"name": "away", "kind": "binary", "attended": "in", "possible": "all", "missed_at_least": 0.1},
    {"name": "left", "kind": "binary", "column": "left", "bounds": [0, 1], "better": "neither"},
    {"name": "grade", "kind": "ordinal", "column": "grade", "order": GRADES, "bounds": [0, 1]},
    {"name": "suspensions", "kind": "count", "column": "out", "better": "lower"},
    {
        "name": "own",
        "kind": "continuous",
        "column": "own",
        "comparable": "within_school",
        "contrasts": ["base_vs_host"],
    },
    {"name": "lone", "kind": "continuous", "column": "lone"},
]
PUPILS = 40  # an arm


def pupils():
    """Lay out three arms of forty: two in schools A to D, the third in E to H."""
    places = product("bhn", range(PUPILS))
    frame = pd.DataFrame(places, columns=["arm", "n"])
    frame["pupil_id"] = frame["arm"] + frame["n"].astype(str)
    frame["school_id"] = [("EFGH" if a == "n" else "ABCD")[n % 4] for a, n in places_of(frame)]
    step = {"b": 2, "h": 3, "n": 4}
    frame["all"] = 190
    # A tenth missed by every second pupil of base, every third of the host, every fourth of others.
    frame["in"] = [171 if n % step[a] == 0 else 172 for a, n in places_of(frame)]
    frame["left"] = [("yes" if n % 2 else "No") if n >= 12 else "" for _, n in places_of(frame)]
    frame["grade"] = [GRADES[(n + (a == "b")) % 3] for a, n in places_of(frame)]
    # Two pupils of base have three suspensions each; elsewhere every second pupil has one.
    frame["out"] = [3 * (n < 2) if a == "b" else n % 2 for a, n in places_of(frame)]
    frame["own"] = [float((7 * n + 3 * (a == "b")) % 11) for a, n in places_of(frame)]
    frame["lone"] = [
        float(n) if s == "A" else None for s, n in zip(frame["school_id"], frame["n"], strict=True)
    ]
    return frame


def places_of(frame):
    return list(zip(frame["arm"], frame["n"], strict=True))


def plan_of(*outcomes, **changes):
    keys = {
        "study": {"name": "kinds", "title": "Kinds"},
        "data": {"table": "p.csv"},
        "arms": ARMS,
        "outcomes": list(outcomes),
        "analysis": {"models": ["unadjusted"]},
        **changes,
    }
    return plan_from_keys(keys, Path("study.toml"))


@pytest.fixture(scope="module")
def run():
    """Walk from a table to what leaves, with nothing adjusted for: numbers to check by hand."""
    frame = pupils()
    cohort = build_cohort(plan_of(*OUTCOMES), Engine(), {"table": frame})
    designs = make_designs(cohort)
    rows = estimate_all(cohort, designs)
    described = describe(cohort)
    out = release(
        rows,
        designs.balance,
        cohort.flow,
        descriptions=described,
        missing=cohort.missing,
        about=about(cohort, designs),
    )
    return frame, cohort, rows, described, out


def row_of(rows, outcome, contrast="base_vs_host", variant="main"):
    held = rows[(rows["outcome"] == outcome) & (rows["contrast"] == contrast)]
    (one,) = held[held["variant"] == variant].to_dict("records")
    return one


def test_a_binary_outcome_is_a_difference_in_proportions(run):
    _, _, rows, _, _ = run
    assert row_of(rows, "away")["estimate"] == pytest.approx(20 / 40 - 14 / 40)
    assert row_of(rows, "away")["unit"] == "proportion of pupils"
    assert row_of(rows, "left")["estimate"] == pytest.approx(0)
    assert (row_of(rows, "left")["n_first"], row_of(rows, "left")["n_second"]) == (28, 28)


def test_the_effect_size_of_a_binary_outcome_is_in_pooled_sd(run):
    frame, _, rows, _, _ = run
    yes = (frame["all"] - frame["in"]) * 10 >= frame["all"]
    within = yes.groupby(frame["arm"]).apply(lambda v: float(v.astype(float).var(ddof=1)))
    sd = np.sqrt(within.mean())  # arms of one size
    assert row_of(rows, "away")["effect_size"] == pytest.approx((20 - 14) / 40 / sd)


def test_an_ordinal_outcome_is_a_difference_in_places(run):
    frame, _, rows, _, _ = run
    code = frame["grade"].map(GRADES.index)
    below = [(np.sum(code < c) + np.sum(code == c) / 2) / len(code) for c in code]
    means = pd.Series(below).groupby(frame["arm"]).mean()
    assert row_of(rows, "grade")["estimate"] == pytest.approx(means["b"] - means["h"])
    assert row_of(rows, "grade")["unit"] == RANK


def test_a_count_is_a_mean_number_a_pupil(run):
    _, _, rows, _, _ = run
    assert row_of(rows, "suspensions")["estimate"] == pytest.approx(6 / 40 - 20 / 40)


def test_bounds_take_in_every_pupil_and_keep_the_headline(run):
    _, _, rows, _, _ = run
    low, high = (row_of(rows, "left", variant=v) for v in ("bound_low", "bound_high"))
    # 14 of 28 have it, 12 are missing in either arm: 14/40 to 26/40.
    assert low["estimate"] == pytest.approx(14 / 40 - 26 / 40)
    assert high["estimate"] == pytest.approx(26 / 40 - 14 / 40)
    assert (low["n_first"], low["filled_first"], low["filled_second"]) == (40, 12, 12)
    assert [low["headline"], high["headline"]] == [False, False]
    assert {low["role"], high["role"], low["family"]} == {"secondary", ""}
    assert row_of(rows, "left")["headline"]
    assert not rows.duplicated(list(RESULT_KEY)).any()
    assert set(rows.loc[rows["variant"] != "main", "outcome"]) == {"left", "grade"}


def test_nobody_missing_bounds_the_effect_by_itself(run):
    _, _, rows, _, _ = run
    main, low, high = (
        row_of(rows, "grade", variant=v) for v in ("main", "bound_low", "bound_high")
    )
    assert low["estimate"] == high["estimate"] == pytest.approx(main["estimate"])


def test_a_scale_of_a_school_s_own_has_one_contrast_and_a_flag(run):
    _, _, rows, _, _ = run
    assert set(rows.loc[rows["outcome"] == "own", "contrast"]) == {"base_vs_host"}
    assert "scale_within_school" in row_of(rows, "own")["flags"]


def test_schools_with_one_arm_tell_nothing_on_a_scale_of_their_own():
    frame = pupils()
    frame.loc[(frame["arm"] == "h") & (frame["school_id"] == "D"), "own"] = None
    own = next(outcome for outcome in OUTCOMES if outcome["name"] == "own")
    cohort = build_cohort(plan_of(own), Engine(), {"table": frame})
    (row,) = estimate_all(cohort, make_designs(cohort)).to_dict("records")
    shared = frame[frame["arm"].isin(["b", "h"]) & frame["school_id"].isin(list("ABC"))]
    means = shared.groupby("arm")["own"].mean()
    assert row["estimate"] == pytest.approx(means["b"] - means["h"])
    assert (row["n_first"], row["schools_first"]) == (30, 3)


def test_no_school_with_both_arms_leaves_no_estimate_on_a_scale_of_their_own():
    frame = pupils()
    frame.loc[(frame["arm"] == "h") == frame["school_id"].isin(["A", "B"]), "own"] = None
    own = next(outcome for outcome in OUTCOMES if outcome["name"] == "own")
    cohort = build_cohort(plan_of(own), Engine(), {"table": frame})
    (row,) = estimate_all(cohort, make_designs(cohort)).to_dict("records")
    assert np.isnan(row["estimate"])
    assert "model_failed" in row["flags"]
    assert (row["n_first"], row["n_second"]) == (0, 0)


def test_an_outcome_of_one_school_is_told(run):
    _, cohort, _, _, out = run
    (note,) = [note for note in cohort.notes if note.startswith("Lone")]
    assert note == (
        "Lone is recorded in one school only: no other school can be compared with it, and from "
        "one school no range can be worked out."
    )
    assert note in out.about.notes


def test_few_with_any_withhold_every_row_that_would_tell(run):
    _, _, rows, _, out = run
    for contrast in ("base_vs_host", "base_vs_non_host"):
        assert row_of(rows, "suspensions", contrast)["unlike_first"] == 2
        released = row_of(out.results, "suspensions", contrast)
        assert np.isnan(released["estimate"])
        assert "suppressed" in released["flags"]
    assert np.isfinite(row_of(out.results, "suspensions", "host_vs_non_host")["estimate"])
    described = out.descriptions[out.descriptions["outcome"] == "suspensions"]
    assert described.set_index("arm")["mean"].isna().to_dict() == {
        "base": True,
        "host_mainstream": False,
        "non_host": False,
    }
    assert list(out.results.columns) == list(RESULT_COLUMNS)


def test_enough_with_and_without_leave(run):
    _, _, _, _, out = run
    assert np.isfinite(row_of(out.results, "away")["estimate"])
    assert np.isfinite(row_of(out.results, "left", variant="bound_low")["estimate"])


def test_bounds_that_would_tell_how_few_are_missing_are_withheld(run):
    _, _, rows, _, out = run
    assert row_of(rows, "grade", variant="bound_low")["filled_first"] == 0
    assert np.isnan(row_of(out.results, "grade", variant="bound_low")["estimate"])
    assert np.isfinite(row_of(out.results, "grade")["estimate"])


def test_bounds_go_with_their_row(run):
    _, _, rows, _, _ = run
    few = rows.assign(
        unlike_first=rows["unlike_first"].where(rows["outcome"] != "left", 3),
    )
    released = release(few).results
    left = released[released["outcome"] == "left"]
    assert left["estimate"].isna().all()
    one = rows.assign(unlike_first=None, unlike_second=None)
    main = (one["outcome"] == "left") & (one["variant"] == "main")
    one.loc[main, "n_first"] = 4
    left = release(one).results.query("outcome == 'left'")
    kept = left.groupby("contrast")["estimate"].apply(lambda v: v.notna().any())
    assert not kept.any()


@pytest.mark.parametrize("profile", ["srs", "ees", "trust"])
def test_places_of_all_arms_go_together(run, profile):
    # Their mean is a half: two would tell the third.
    described = run[3].query("outcome == 'grade'").assign(unlike=[3, None, None])
    released = release_descriptions(
        described.assign(status="").to_dict("records"), get_profile(profile)
    )
    assert [record["mean"] is None for record in released] == [True] * 3
    assert {record["status"] for record in released} == {"suppressed"}


@pytest.mark.parametrize(("profile", "told"), [("srs", False), ("ees", True)])
def test_that_nobody_has_any_is_told_where_a_zero_is_no_secret(run, profile, told):
    row = run[3].query("outcome == 'suspensions' and arm == 'base'").to_dict("records")[0]
    nobody = row | {"mean": 0.0, "sd": 0.0, "p25": 0.0, "p50": 0.0, "p75": 0.0, "unlike": 0}
    (released,) = release_descriptions([nobody], get_profile(profile))
    assert (released["mean"] == 0.0) == told


# ---- Words --------------------------------------------------------------------------------------


def test_sentences_of_each_kind(run):
    _, _, _, _, out = run
    known = {outcome.name: outcome for outcome in out.about.outcomes}
    sure = {
        "verdict": "favours_first",
        "ci_low": 0.05,
        "ci_high": 0.25,
        "flags": "nothing_adjusted",
    }
    told = {
        name: sentence(row_of(out.results, name) | sure | {"estimate": 0.15}, known[name])
        for name in ("away", "grade", "suspensions")
    }
    both = "for pupils with a base place than for pupils at the same schools without one"
    assert told["away"].startswith(
        f"The share counted under “Away” was higher {both}, by 15.0 percentage points (about 15 "
        "in 100 pupils). Differences between 5.0 and 25.0 percentage points higher fit the data."
    )
    assert told["grade"].startswith(f"Grade was higher {both}, by 15.0 places in 100. ")
    row = row_of(out.results, "suspensions", "host_vs_non_host") | sure | {"estimate": -0.3}
    assert sentence(row, known["suspensions"]).startswith("The number of suspensions was lower for")
    assert ", by 0.30 a pupil." in sentence(row, known["suspensions"])


def test_amounts_of_each_kind():
    assert size(0.12, "proportion of leavers") == "12.0 percentage points (about 12 in 100 leavers)"
    assert size(0.03, "proportion of the week") == "3.0 percentage points"
    assert size(-0.05, RANK) == "5.0 places in 100"
    assert span(-0.2, 1.07, "proportion of pupils").endswith("to 100 percentage points higher")
    assert span(-0.2, 1.07, "points") == "anywhere from 0.2 points lower to 1.1 points higher"
    assert (difference_words("a pupil"), level_words("a pupil")) == ("number a pupil",) * 2
    assert level_words("proportion of pupils") == "per cent of pupils"


def test_every_variant_but_the_main_one_has_words():
    assert set(SPOKEN) == set(VARIANTS) - {"main"}


def test_the_report_tells_bounds_apart_and_what_was_not_asked(run):
    _, _, _, _, out = run
    sheets = {sheet.caption.split(":")[0]: sheet for sheet in all_results(out)}
    marks = [
        line[2] for line in sheets["Left"].rows if line[0].endswith("same schools without one")
    ]
    assert [mark.split(": ")[-1] for mark in marks[1:]] == ["lowest possible", "highest possible"]
    assert marks[0].endswith("★ headline")
    assert "Lowest possible" in dict(methods(out))["What missing results could change"]
    (line,) = [line for line in glance(out).rows if line[0] == "Own"]
    assert [tag.words for tag in line[2:]] == ["Not asked", "Not asked"]


# ---- Refused with the data in hand --------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "column", "value", "words"),
    [
        ({"kind": "binary", "column": "left"}, "left", "often", "labels"),
        ({"kind": "binary", "column": "n"}, "n", 2, "0 to 1 is possible"),
        (
            {"kind": "ordinal", "column": "grade", "order": GRADES},
            "grade",
            "top",
            "low, middle, hi",
        ),
        ({"kind": "count", "column": "out"}, "out", 0.5, "a number that is not whole"),
        ({"kind": "count", "column": "out"}, "out", -1, "0 or more is possible"),
        (
            {"kind": "continuous", "column": "n", "bounds": [0, 38]},
            "n",
            None,
            "3 rows have a value of `y` outside its `bounds` of 0 to 38",
        ),
    ],
)
def test_values_that_a_kind_cannot_have(outcome, column, value, words):
    frame = pupils()
    if value is not None:
        frame[column] = frame[column].astype(object)
        frame.loc[5, column] = value
    with pytest.raises(DataError) as caught:
        build_cohort(plan_of({"name": "y", **outcome}), Engine(), {"table": frame})
    (problem,) = caught.value.problems
    assert words in str(problem)
    assert not {"often", "top"} & set(str(problem).split())


def test_a_tidy_table_standardised_within_school_is_refused():
    frame = pupils()
    by_school = frame.groupby("school_id")["n"]
    frame["z"] = ((frame["n"] - by_school.transform("mean")) / by_school.transform("std")).round(2)
    outcome = {"name": "z", "kind": "continuous", "column": "z"}
    with pytest.raises(DataError, match="it was standardised within school"):
        build_cohort(plan_of(outcome), Engine(), {"table": frame})
    allowed = outcome | {"comparable": "within_school", "contrasts": ["base_vs_host"]}
    assert build_cohort(plan_of(allowed), Engine(), {"table": frame}).contrasts


# ---- From a source ------------------------------------------------------------------------------


def source(attainment, *outcomes):
    """Build a cohort of six pupils in three schools who enter in 2016/17."""
    where = {
        "a": ("1", 1),
        "b": ("1", 1),
        "c": ("1", 0),
        "d": ("2", 0),
        "e": ("2", 0),
        "f": ("3", 0),
    }
    census = pd.DataFrame(
        {
            "pupil_id": name,
            "year": year,
            "term": "SPR",
            "urn": school if year == 2017 else "9",
            "year_group": str(year - 2010),
            "primary_need": "ASD",
            "sen_unit": flag * (year == 2017),
        }
        for name, (school, flag) in where.items()
        for year in (2016, 2017)
    )
    keys = {
        "study": {"name": "s", "title": "S"},
        "data": {"source": "contracts", "files": {}},
        "eligibility": {"needs": ["ASD"], "years": ["7"]},
        "outcomes": list(outcomes),
    }
    plan = plan_from_keys(keys, Path("study.toml"))
    return build_cohort(plan, Engine(), {"pupils": census, "attainment": attainment})


def test_why_there_is_no_result_comes_from_a_source():
    results = pd.DataFrame(
        [
            ("a", "101", None),
            ("b", "", "below_standard"),
            ("c", "absent", None),
            ("d", "99", None),
            ("e", "", None),
        ],
        columns=["pupil_id", "value", "status"],
    ).assign(year=2017, measure="reading", date="2017-05-15")
    cohort = source(
        results,
        {"name": "entered", "kind": "binary", "column": "reading", "counts": "entered"},
        {"name": "below", "kind": "binary", "column": "reading", "counts": "below_standard"},
        {"name": "order", "kind": "ordinal", "column": "reading", "floor": "below_standard"},
    )
    rows = cohort.engine.collect(cohort.outcomes, ["outcome", "pupil"]).to_pylist()
    held = {name: {} for name in ("entered", "below", "order")}
    for row in rows:
        held[row["outcome"]][row["pupil"]] = row["value"]
    assert held["entered"] == {"a": 1, "b": 1, "c": 0, "d": 1}
    assert held["below"] == {"a": 0, "b": 1, "d": 0}
    # b is below all, then d, then a; nobody else has a place.
    assert held["order"] == pytest.approx({"b": 1 / 6, "d": 3 / 6, "a": 5 / 6})
    missing = cohort.missing.query("name == 'below' and arm == 'non_host'")
    assert missing["reason"].tolist() == ["blank", "no row at this wave"]


def test_a_column_that_knows_no_reasons_cannot_be_counted_by_them():
    results = pd.DataFrame(
        {"pupil_id": ["a"], "year": [2017], "measure": ["reading"], "value": [1]}
    )
    with pytest.raises(PlanError, match="is no measure of `attainment`"):
        source(
            results, {"name": "y", "kind": "binary", "column": "days_in_base", "counts": "entered"}
        )
