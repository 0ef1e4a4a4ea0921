"""Ways out of a base: stays worked by hand, what leaves of them, and what the report says."""

import dataclasses
import datetime as dt
import re
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import baseeval as be
from baseeval.cohort.assembling import assemble
from baseeval.cohort.leaving import WAYS_OUT_COLUMNS, count_ways_out
from baseeval.contracts.placements import WAYS_OUT
from baseeval.disclosure.releasing import release
from baseeval.engine.duckdb_engine import Engine
from baseeval.placement.stays import Spell, Stay, follow_stay, years_between
from baseeval.plan import plan_from_keys
from baseeval.reporting.html import render
from baseeval.results import ANY_WAY, Flow, results_table
from baseeval.sources.opening import open_tables

EXAMPLE = runpy.run_path(str(Path(__file__).with_name("released_example.py")))
UNTIL = dt.date(2023, 8, 31)


def day(text):
    return dt.date.fromisoformat(text)


def spell(base, start, end=None, left_for=None):
    return Spell(base, day(start), end and day(end), left_for)


# ---- One stay -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spells", "way", "out"),
    [
        # As the file says, whatever follows.
        (
            [
                spell("a", "2020-09-01", "2021-08-31", "mainstream"),
                spell("b", "2021-09-01"),
            ],
            "mainstream",
            "2021-09-01",
        ),
        ([spell("a", "2020-09-01", "2021-08-31")], "unknown", "2021-09-01"),
        ([spell("a", "2020-09-01")], "", "2023-09-01"),
        # An end after what is known is none yet.
        ([spell("a", "2020-09-01", "2024-07-31", "left_school")], "", "2023-09-01"),
        # Within the grace, and one day after it.
        (
            [spell("a", "2020-09-01", "2021-01-31"), spell("b", "2021-03-03")],
            "another_base",
            "2021-02-01",
        ),
        (
            [spell("a", "2020-09-01", "2021-01-31"), spell("b", "2021-03-04")],
            "unknown",
            "2021-02-01",
        ),
        # The same base goes on: after a change of share, and over the summer.
        (
            [
                spell("a", "2020-09-01", "2021-07-21"),
                spell("a", "2021-09-06", "2022-01-31"),
                spell("a", "2022-02-01", "2022-03-01", "special_school"),
            ],
            "special_school",
            "2022-03-02",
        ),
        (
            [spell("a", "2020-09-01", "2021-07-21"), spell("a", "2021-10-01")],
            "unknown",
            "2021-07-22",
        ),
        # In another base before the last day in this one; and in one that was over before it.
        (
            [spell("a", "2020-09-01", "2021-03-31"), spell("b", "2021-03-01")],
            "another_base",
            "2021-04-01",
        ),
        (
            [spell("a", "2020-09-01", "2021-03-31"), spell("b", "2021-01-01", "2021-02-01")],
            "unknown",
            "2021-04-01",
        ),
    ],
)
def test_a_stay_ends_as_the_rows_say(spells, way, out):
    found = follow_stay(spells[0], spells, UNTIL, 31)

    assert found == Stay(years_between(spells[0].start, day(out)), way)


def test_years_are_those_of_the_calendar():
    start = day("2019-09-01")
    assert years_between(start, start) == 0
    assert years_between(start, day("2020-09-01")) == 1  # a leap year
    assert years_between(start, day("2020-08-31")) == 365 / 366
    assert years_between(day("2020-02-29"), day("2021-02-28")) == 365 / 366
    assert years_between(day("2020-02-29"), day("2024-02-29")) == 4


# ---- A study worked by hand ---------------------------------------------------------------------

PLACES = """
    pupil start      end        base left_for       reviewed
    ann   2020-09-01 2021-08-31 a    mainstream     -
    bea   2020-09-07 2021-07-21 a    -              -
    bea   2021-09-06 -          b    -              -
    cat   2018-09-01 -          a    -              2023-03-01
    dan   2020-09-01 2021-08-31 a    -              -
    dan   2021-09-01 2022-03-01 a    special_school -
    eve   2020-09-01 2022-08-31 b    -              -
    fay   2020-09-01 -          b    -              -
"""
URNS = {"a": "100001", "b": "100002"}
STUDY = {
    "study": {"name": "ways", "title": "Ways out"},
    "data": {"source": "contracts", "files": {}},
    "eligibility": {"needs": ["ASD"], "years": ["7"]},
    "placement": {"source": "spells"},
    "outcomes": [{"name": "days", "kind": "continuous", "column": "days_in_base"}],
}


def placements():
    rows = [line.split() for line in PLACES.strip().splitlines()]
    frame = pd.DataFrame(rows[1:], columns=rows[0]).replace("-", None)
    return pd.DataFrame(
        {
            "pupil_id": frame["pupil"],
            "urn": frame["base"].map(URNS),
            "base_id": frame["base"],
            "base_type": "SEN unit",
            **{name: frame[name] for name in ("start", "end", "left_for", "reviewed")},
            "ready": ["yes" if name in ("ann", "bea") else None for name in frame["pupil"]],
        }
    )


def pupils():
    homes = {"bea": "a", "cat": "a", "eve": "b", "fay": "b", "gus": "a"}
    return pd.DataFrame(
        [
            {
                "pupil_id": name,
                "year": year,
                "urn": URNS[homes.get(name, "a")],
                "year_group": str(year - 2014),
                "primary_need": "ASD",
                "entry_date": dt.date(2018 if name == "cat" else 2020, 9, 1),
            }
            for name in ("ann", "bea", "cat", "dan", "eve", "fay", "gus")
            for year in (2021, 2022, 2023)
        ]
    )


def ways_out(placements):
    plan = plan_from_keys(STUDY, Path("study.toml"))
    with Engine() as engine:
        tables = {"pupils": pupils(), "placements": placements}
        made = assemble(plan, open_tables(plan, engine, tables).tables, engine)
        return count_ways_out(made, 31, engine)


def test_ways_out_of_a_small_study():
    """Bea, ann, dan and eve leave, in this order; cat, placed in 2018, is followed from 2020 on."""
    table = ways_out(placements())
    by_way = {way: rows.set_index("years") for way, rows in table.groupby("way")}

    assert list(by_way[ANY_WAY].index) == [1, 2, 3, 4, 5]
    assert set(by_way) == {*WAYS_OUT, ANY_WAY}
    assert (table["pupils"] == 6).all()
    # To the last day that the file tells of, 1 March 2023: fay's third year is not whole.
    assert by_way[ANY_WAY]["pupils_at_risk"].tolist() == [5, 3, 2, 1, 1]
    assert by_way[ANY_WAY]["left"].tolist() == [2, 4, 4, 4, 4]
    expected = {
        "another_base": [0.2] * 5,  # 1 of 5
        "mainstream": [0.2] * 5,  # then 1 of 4
        "special_school": [0, 0.2, 0.2, 0.2, 0.2],  # 1 of 3
        "unknown": [0, 0.2, 0.2, 0.2, 0.2],  # 1 of 2: cat comes later that day
        "home_education": [0] * 5,
    }
    for way, shares in expected.items():
        np.testing.assert_allclose(by_way[way]["share"], shares, atol=1e-12)
    assert by_way["unknown"].loc[2, ["schools", "clusters"]].tolist() == [1, 2]


def test_without_a_word_on_where_to_every_way_is_unknown():
    table = ways_out(placements().drop(columns=["left_for", "ready", "reviewed"]))
    last = table[table["years"] == table["years"].max()].set_index("way")["left"]

    assert last.to_dict() == {
        **dict.fromkeys(WAYS_OUT, 0),
        "unknown": 3,
        "another_base": 1,
        ANY_WAY: 4,
    }


# ---- What leaves --------------------------------------------------------------------------------


def exact(counts, *, pupils=200, schools=20):
    """Lay out a table from the numbers that left by each way within 1, 2, ... years."""
    years = len(next(iter(counts.values())))
    counts = {way: counts.get(way, [0] * years) for way in WAYS_OUT}
    counts[ANY_WAY] = np.sum(list(counts.values()), axis=0).tolist()
    rows = [
        (way, year, pupils, pupils - before, left, left / pupils, 0.02, schools, schools, schools)
        for way, lefts in counts.items()
        for year, (left, before) in enumerate(
            zip(lefts, [0, *counts[ANY_WAY][:-1]], strict=True), 1
        )
    ]
    return pd.DataFrame(rows, columns=list(WAYS_OUT_COLUMNS))


def released(table, profile="srs", arm=None):
    arm = arm or int(table["pupils"].iloc[0])
    steps = [("In an arm", "base", arm, 20, "")]
    flow = Flow(pd.DataFrame(steps, columns=["step", "arm", "pupils", "schools", "reason"]))
    return release(results_table([]), flow=flow, ways_out=table, profile=profile).ways_out


def test_shares_are_those_of_the_counts_that_leave():
    out = released(exact({"mainstream": [32, 61], "unknown": [18, 33]}, pupils=198))
    shown = out[out["way"] == "mainstream"]

    assert shown["left"].tolist() == [30, 60]
    assert shown["share"].tolist() == [0.15, 0.3]  # of 200
    assert (shown["share_low"] < shown["share"]).all()
    assert (shown["share"] < shown["share_high"]).all()
    assert (out["schools"].dropna() == 20).all()
    assert out.loc[out["way"] == "home_education", "left"].isna().all()
    assert (out.loc[out["left"].isna(), "status"] == "suppressed").all()
    assert out.loc[out["left"].isna(), ["share", "share_low", "share_high"]].isna().all(axis=None)


def test_few_schools_give_no_interval_and_a_withheld_arm_gives_nothing():
    few = exact({"mainstream": [32, 61], "unknown": [18, 33]}, schools=9)
    shown = released(few)
    assert shown["share"].notna().any()
    assert shown["share_low"].isna().all()
    small = released(exact({"mainstream": [4, 9]}, pupils=9))
    assert small[["pupils_at_risk", "left", "share", "schools"]].isna().all(axis=None)
    alone = released(exact({"mainstream": [32, 61], "unknown": [18, 33]}, schools=1))
    assert alone["left"].isna().all()


# ---- What the report says -----------------------------------------------------------------------


def told(table):
    page = render(dataclasses.replace(EXAMPLE["released_example"](), ways_out=table))
    found = re.search(r'<section aria-labelledby="ways-out">.*?</section>', page, re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", found[0])) if found else ""


def test_the_report_tells_ways_out_without_calling_any_good():
    words = told(released(exact({"mainstream": [32, 61], "unknown": [18, 33]}, pupils=198)))

    assert "To mainstream classes of the same school" in words
    assert "15% (12% to 19%)" in words
    assert "30% (26% to 34%)" in words
    assert "neither good nor bad" in words
    assert "withheld" in words
    assert not re.search(r"\b(success|progress|improve|better|worse)", words)


def test_the_report_says_where_too_few_left_and_nothing_where_nothing_is_known():
    words = told(released(exact({"mainstream": [4, 9]}, pupils=60)))
    assert "too few to show" in words
    assert "%" not in words
    assert told(EXAMPLE["nothing"]("ways_out")["ways_out"]) == ""


def test_a_run_writes_them_and_hides_the_few(tmp_path):
    study = tmp_path / "study.toml"
    study.write_text(
        """
[study]
name = "ways"
title = "Ways out"
[data]
source = "contracts"
[data.files]
pupils = "pupils.csv"
placements = "placements.csv"
[eligibility]
needs = ["ASD"]
years = ["7"]
[placement]
source = "spells"
[[outcomes]]
name = "mainstream"
kind = "continuous"
column = "share_in_mainstream"
better = "neither"
""",
        encoding="utf-8",
    )
    pupils().to_csv(tmp_path / "pupils.csv", index=False)
    rows = placements().assign(share_of_time_in_base=0.5)
    rows.to_csv(tmp_path / "placements.csv", index=False)
    out = be.run(study)
    table = pd.read_csv(out / "ways_out.csv")

    assert len(table) == 5 * (len(WAYS_OUT) + 1)
    assert (table["status"] == "suppressed").all()
    assert table[["pupils_at_risk", "left", "share", "schools"]].isna().all(axis=None)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "too few to show" in page
    assert "judged fewer than 10 pupils of base ready to leave it" in page
