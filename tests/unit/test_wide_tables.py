"""A wide table is the long one turned: the same cohort, value by value."""

import tomllib

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import baseeval as be
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError, PlanError
from baseeval.plan import plan_from_keys
from baseeval.sources.wide_tables import lengthened

STUDY = """
[study]
name = "s"
title = "A study"
[data]
table = "{table}"
{data}
baseline_wave = 1
[arms]
column = "arm"
base = ["b"]
host_mainstream = ["h"]
[[outcomes]]
name = "reading"
kind = "continuous"
column = "reading"
forms = ["level", "change"]
[[outcomes]]
name = "attendance"
kind = "sessions"
attended = "present"
possible = "possible"
[covariates]
adjust = ["sex", "reading"]
"""

#: Pupil, school, arm, sex; reading and sessions at wave 1; at wave 2; at wave 3.
PUPILS = [
    ("1", "A", "b", "F", ("90", "150", "190"), ("91", "160", "190"), ("95", "170", "190")),
    ("2", "A", "b", "M", ("80", "150", "190"), ("", "140", "190"), ("", "", "")),
    ("3", "A", "h", "F", ("85", "", ""), ("SUPP", "", ""), ("88", "180", "190")),
    ("4", "B", "h", "M", ("", "", ""), ("70", "100", "190"), ("71", "120", "190")),
    ("5", "B", "h", "F", ("99", "189", "190"), (" ", "", ""), ("97", "185", "190")),
    ("6", "B", "b", "", ("77", "177", "190"), ("78", "178", "190"), ("79", "179", "190")),
]
MEASURES = ("reading", "present", "possible")


def long_text():
    lines = ["pupil_id,school_id,arm,sex,wave,reading,present,possible"]
    for pupil in PUPILS:
        for number, values in enumerate(pupil[4:], start=1):
            if number == 1 or any(value.strip() for value in values):
                lines.append(",".join([*pupil[:4], str(number), *values]))
    return "\n".join(lines) + "\n"


def wide_text(mark):
    named = [mark(number, name) for number in (1, 2, 3) for name in MEASURES]
    lines = [",".join(["pupil_id,school_id,arm,sex", *named])]
    lines += [",".join([*p[:4], *p[4], *p[5], *p[6]]) for p in PUPILS]
    return "\n".join(lines) + "\n"


def plan(folder, data, name="p.csv"):
    path = folder / "study.toml"
    path.write_text(STUDY.format(table=name, data=data), encoding="utf-8")
    return be.read_study(path)


def cohort(folder, text, data):
    (folder / "p.csv").write_text(text, encoding="utf-8")
    with Engine() as engine:
        made = be.build_cohort(plan(folder, data), engine)
        covariates = engine.collect(made.covariates, ["pupil"]).to_pandas()
        outcomes = engine.collect(made.outcomes, ["outcome", "form", "wave", "pupil"]).to_pandas()
    return made, made.flow.table, covariates, outcomes, made.missing


@pytest.fixture(scope="module")
def from_long(tmp_path_factory):
    return cohort(tmp_path_factory.mktemp("long"), long_text(), 'wave = "wave"')


@pytest.mark.parametrize(
    ("mark", "wide"),
    [
        (lambda n, name: f"T{n}_{name}", 'wide = { "T1_" = 1, "T2_" = "2", "T3_" = 3 }'),
        (lambda n, name: f"{name}_{n}", 'wide = { "_1" = 1, "_2" = 2, "_3" = 3 }'),
    ],
)
def test_the_long_file_and_its_wide_twin_give_the_same_cohort(tmp_path, from_long, mark, wide):
    made, *tables = cohort(tmp_path, wide_text(mark), wide)

    assert made.waves == from_long[0].waves == ("1", "2", "3")
    assert len(tables[2]) > 12
    for mine, twin in zip(tables, from_long[1:], strict=True):
        pd.testing.assert_frame_equal(mine, twin)


def test_a_pupil_who_is_not_there_has_no_row_and_keeps_what_never_changes(from_long):
    _, _, covariates, _, missing = from_long
    reasons = missing[(missing["name"] == "reading") & (missing["role"] == "outcome")]

    assert set(covariates["pupil"]) == {"1", "2", "3", "4", "5", "6"}
    assert covariates.set_index("pupil").loc["4", "sex"] == "M"
    assert "no row at this wave" in set(reasons["reason"])
    assert "SUPP" in set(reasons["reason"])


def test_the_column_of_waves_may_have_another_name(tmp_path):
    keys = tomllib.loads(STUDY.format(table="p.csv", data='wide = { "T1_" = 1 }\nwave = "term"'))

    made = plan_from_keys(keys, tmp_path / "study.toml")

    assert (made.data.wave, made.data.wide) == ("term", {"T1_": "1"})
    keys["data"].pop("wave")
    assert plan_from_keys(keys, tmp_path / "study.toml").data.wave == "wave"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ('wide = { "T1_" = 1, "A_" = 1 }', "`wide` has two marks for one wave"),
        ('wide = { "T2_" = 2 }', "`baseline_wave` is not among the waves of `wide`"),
        ('wide = { "T1_" = 1, "T2_" = 2 }\nwaves = ["1"]', "`waves` does not name `2`"),
    ],
)
def test_marks_that_cannot_be(tmp_path, data, says):
    with pytest.raises(PlanError, match=says):
        plan(tmp_path, data)


def test_a_source_has_no_wide_table(tmp_path):
    keys = {
        "study": {"name": "s", "title": "A study"},
        "data": {"source": "npd", "files": {"census": "c.csv"}, "wide": {"T0_": 0}},
        "outcomes": [{"name": "y", "kind": "continuous", "column": "y"}],
    }

    with pytest.raises(PlanError, match="`wide` is for one tidy table"):
        plan_from_keys(keys, tmp_path / "study.toml")


def test_headings_that_do_not_fit_are_told_at_once(tmp_path):
    text = (
        "pupil_id,school_id,arm,sex,wave,present,T1_present,T1_reading,T1_possible\n"
        "1,A,b,F,1,5,5,90,190\n"
    )
    (tmp_path / "p.csv").write_text(text, encoding="utf-8")

    with Engine() as engine, pytest.raises(DataError) as caught:
        be.build_cohort(plan(tmp_path, 'wide = { "T1_" = 1, "T2_" = 2 }'), engine)

    told = [(problem.where, problem.what) for problem in caught.value.problems]
    assert told == [
        ("p.csv", "no heading begins with `T2_`"),
        (
            "p.csv, column `T1_present`",
            "there is a column `present` too, without the mark of a wave",
        ),
        (
            "p.csv, column `wave`",
            "the file has this column, and `wide` would make another of that name",
        ),
    ]


cells = st.sampled_from(["", " ", "SUPP", "1", "2.5"]) | st.none()


@settings(max_examples=40)
@given(st.lists(st.tuples(cells, cells, cells, cells), min_size=1, max_size=6))
def test_no_value_is_lost_or_made(rows):
    """The values of the wide table, each with its pupil and wave, are those of the long one."""
    wide = pa.table(
        {
            "id": [str(number) for number in range(len(rows))],
            **{name: [row[n] for row in rows] for n, name in enumerate(("a1", "b1", "a2", "b2"))},
        }
    ).rename_columns(["id", "T1_a", "T1_b", "T2_a", "T2_b"])

    with Engine() as engine:
        made = lengthened(engine.table(wide), {"T1_": "1", "T2_": "2"}, "wave", "1")
        long = engine.collect(made, ["id", "wave"]).to_pylist()

    def held(value):
        return bool(value and value.strip())

    expected = {
        (str(number), str(wave), name): row[2 * (wave - 1) + column]
        for number, row in enumerate(rows)
        for wave in (1, 2)
        for column, name in enumerate("ab")
        if held(row[2 * (wave - 1) + column])
    }
    found = {
        (row["id"], row["wave"], name): row[name]
        for row in long
        for name in "ab"
        if held(row[name])
    }
    assert found == expected
    assert {row["id"] for row in long if row["wave"] == "1"} == set(wide["id"].to_pylist())
    assert all(held(row["a"]) or held(row["b"]) for row in long if row["wave"] == "2")
