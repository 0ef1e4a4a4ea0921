"""A national extract becomes a cohort: pupils by hand, all of them by a second route, and a run."""

from __future__ import annotations

import re
import runpy
import shutil
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
import numpy as np
import pandas as pd
import pytest

import baseeval as be
from baseeval.cohort import laying
from baseeval.engine.duckdb_engine import Engine
from baseeval.plan import plan_from_keys
from baseeval.sources.opening import open_tables

HERE = Path(__file__).parent
EXTRACT: dict[str, Any] = runpy.run_path(str(HERE / "national_extract.py"))
ROUTE: dict[str, Any] = runpy.run_path(str(HERE / "national_route.py"))
STUDY, WORKED = EXTRACT["STUDY"], EXTRACT["WORKED"]
generate, write_text = EXTRACT["generate"], EXTRACT["write_text"]
write_worked: Any = EXTRACT["write_worked"]
Rules, walk = ROUTE["Rules"], ROUTE["walk"]

H1, H2, N1, N2 = "100001", "100002", "100003", "100004"
BASE, HOST, NON_HOST = "base", "host_mainstream", "non_host"

#: What the flow says of each reason.
WORDS = {
    "consent": "consent was not given",
    "withdrawn": "withdrew from the study",
    "year group": "not in an eligible year group in any record",
    "no need": "no type of need is recorded by the end of the first school year",
    "need": "the type of need first recorded is not an eligible one",
    "ehcp": "not eligible by EHC plan",
    "cohort": "the eligibility event lies outside the study's school years",
    "already": "already placed when first seen",
    "other type": "in a base of a type that is not counted",
    "no school": "no school is recorded",
}


@dataclass
class Built:
    """A cohort, and what it was made from: the reason and time zero of every pupil."""

    cohort: Any
    made: Any

    def frame(self, table: str, order: list[str]) -> pd.DataFrame:
        return self.cohort.engine.collect(getattr(self.cohort, table), order).to_pandas()

    def starts(self) -> pd.DataFrame:
        held = self.cohort.engine.collect(self.made.starts, ["pupil"])
        return held.to_pandas(date_as_object=True).set_index("pupil")

    def reasons(self) -> dict[str, str]:
        held = self.cohort.engine.collect(self.made.reasons, ["pupil"]).to_pydict()
        return dict(zip(held["pupil"], held["reason"], strict=True))


def build(study: Path, tables: Mapping[str, Any] | None = None) -> Built:
    """Build a cohort, and keep what stands between the tables and the cohort."""
    kept: list[Any] = []
    whole = laying.assemble

    def keeping(*given: Any) -> Any:
        kept.append(whole(*given))
        return kept[-1]

    with mock.patch.object(laying, "assemble", keeping):
        cohort = be.build_cohort(be.read_study(study), Engine(), tables)
    return Built(cohort, kept[0])


# ----------------------------------------------------------------------------------------
# Worked pupils
# ----------------------------------------------------------------------------------------

#: Pupil -> school at time zero, time zero, school year, arm, placed already, with why.
STARTS = {
    # Registered twice, the subsidiary with N1 and no flag: the main row counts. In the SEN unit
    # from entry; 4 October lies within 31 days of 3 September.
    "A01": (H1, "2018-09-03", 2019, BASE, 0),
    # Flagged at two censuses, then gone: base stays, for the arm is that of time zero. No day of
    # entry, so 1 September; the census of 4 October shows a place that nothing since denied.
    "A02": (H1, "2018-09-01", 2019, BASE, 0),
    # School Action of old; beside the unit at entry, in it from the next autumn.
    "A03": (H1, "2018-09-03", 2019, HOST, 0),
    # Entered N1, left for H1's unit in January: the school of time zero is N1.
    "A06": (N1, "2018-09-03", 2019, NON_HOST, 0),
    # First seen in the unit: nothing of before.
    "A07": (H1, "2018-09-05", 2019, BASE, 1),
    # In no autumn census; entered on 6 January, which is time zero and divides the school year.
    "A08": (N1, "2020-01-06", 2020, NON_HOST, 0),
    # H2's resourced provision from entry, in the second cohort.
    "A09": (H2, "2019-09-02", 2020, BASE, 0),
    "A11": (N1, "2019-09-02", 2020, NON_HOST, 0),
    "A13": (N1, "2018-09-03", 2019, NON_HOST, 0),
    # H1 flags its subsidiary registration; the single one at N2, without a flag, is the row kept.
    "A14": (N2, "2018-09-03", 2019, NON_HOST, 0),
    # Flagged on a day on which the pupil was not on roll: in no base.
    "A15": (H1, "2018-09-01", 2019, HOST, 0),
    # In a primary school's provision when first seen, out of it in the secondary school.
    "A16": (N2, "2018-09-03", 2019, NON_HOST, 1),
}

#: Why the others are left out.
LEFT_OUT = {
    "A04": "no need",  # recorded in the spring of the second year: knowledge of the future
    "A05": "need",  # BESD, read as SEMH, was recorded first; autism a year later
    "A10": "year group",  # Year 10, then 11
    "A12": "withdrawn",  # in all else eligible; withdrew on 1 November 2019
    "A17": "need",  # autism is the secondary need
    "A18": "cohort",  # in Year 7 in 2017/18
    "A19": "need",  # as A17, and in Year 7 in 2017/18: under no rule of need eligible
}

#: Pupil -> sex, free meals, KS2 reading, absence share, IDACI, as at time zero.
NOTHING = None
COVARIATES = {
    # Free meals: 1 in January, 0 in May, 1 in October after time zero. Of two KS2 records the
    # national one, though it is lower. 10 of 370 sessions in 2017/18.
    "A01": ("M", 0, 30, 10 / 370, 0.15),
    # KS2 'B' beside a mark of 0: below the standard, and no zero. May's census is blank, so that
    # January's values stand.
    "A02": ("F", 0, NOTHING, 37 / 370, 0.20),
    "A03": ("M", 0, 33, 15 / 300, 0.30),  # free meals since October: too late
    "A06": ("M", 0, NOTHING, 30 / 300, 0.45),  # absent from the test
    "A07": ("F", NOTHING, NOTHING, NOTHING, NOTHING),  # no record of before but sex does not change
    # Time zero in January 2020: the census of January 2019 is the last; that of 16 January 2020
    # (0.51) is after. 30 of 300 sessions in 2018/19.
    "A08": ("F", 1, 28, 30 / 300, 0.50),
    # 430 sessions in 2018/19 cannot be: the year before is the last value that is not missing.
    "A09": ("M", 0, 35, 12 / 300, 0.55),
    "A11": ("F", 0, NOTHING, NOTHING, 0.95),  # just arrived: not entered. In no table of absence
    "A13": ("F", 1, 40, 60 / 300, 0.60),
    "A14": ("M", 0, 12, 0, 0.65),  # two national records: the one with a result
    "A15": ("F", 0, 3, 3 / 300, 0.70),  # too few marks for a scaled score: the mark is real
    "A16": ("M", 0, NOTHING, 9 / 300, 0.75),  # unable to access the test: disapplied
}

#: School year -> pupil -> share of sessions attended: all pupils in the data, for the norms.
SHARES = {
    2018: {
        "A01": 360 / 370,
        "A02": 333 / 370,
        "A03": 285 / 300,
        "A06": 270 / 300,
        "A09": 288 / 300,
        "A10": 270 / 300,  # Year 10: the summer counts
        "A13": 240 / 300,
        "A14": 300 / 300,
        "A15": 297 / 300,
        "A16": 291 / 300,
    },
    2019: {
        "A01": 365 / 380,  # two schools: 190 sessions and 5 missed, 190 and 10
        "A02": 342 / 380,
        "A03": 361 / 380,
        "A06": 361 / 380,  # the autumn at one school, the rest at another
        "A07": 380 / 380,
        "A08": 270 / 300,
        "A10": 234 / 260,  # Year 11: without the summer's 120 sessions and 60 absences
        "A13": 304 / 380,
        "A14": 342 / 380,
        "A15": 361 / 380,
        "A16": 285 / 380,
        "X01": 190 / 380,  # in no census, and still one of that year's pupils
    },  # A09: 430 sessions
    2020: {
        "A01": 190 / 200,
        "A02": 180 / 200,
        "A03": 160 / 200,
        "A06": 200 / 200,
        "A07": 190 / 200,
        "A08": 90 / 100,
        "A09": 170 / 200,
        "A14": 150 / 200,
        "A15": 180 / 200,
    },  # A16: no session was possible; A11: not in the table
}

#: Pupil -> wave -> school year of the attendance that counts. Wave 1 is the year of time zero.
ATTENDED = {
    **{pupil: {0: 2018, 1: 2019, 2: 2020} for pupil in ("A01", "A02", "A03", "A06", "A14", "A15")},
    "A07": {1: 2019, 2: 2020},
    "A08": {0: 2019},  # time zero divides 2019/20: its sessions belong to neither side
    "A09": {1: 2020},  # of wave 0 the 430 sessions
    "A13": {0: 2018, 1: 2019},  # gone in 2019/20
    "A16": {0: 2018, 1: 2019},
}

#: Pupil -> wave -> sessions of suspension; zero of who is on a census and not in the extract.
SUSPENDED = {
    **{pupil: {0: 0, 1: 0, 2: 0} for pupil in ("A01", "A03", "A06", "A14", "A15", "A16")},
    "A02": {0: 0, 1: 4, 2: 0},
    "A07": {1: 0, 2: 0},  # on no census of 2017/18: nothing is known
    "A08": {0: 0},  # the 2 sessions of the divided year belong to neither side
    "A09": {0: 0, 1: 0},
    "A11": {0: 0, 1: 10},  # 3 at one school and 7 at another
    "A13": {0: 6, 1: 0},  # on no census of 2019/20
}

#: Attainment 8, five years on; A03's is suppressed. A02's national record is a real zero.
ATTAINED = {"A01": 20, "A02": 0, "A06": 44.5, "A08": 41, "A09": 15, "A13": 35}

#: Wave, arm, arm at the start of its school year -> pupils, schools at time zero.
MOVEMENTS = {
    ("1", BASE, BASE): (4, 2),  # A01 A02 A07 at H1, A09 at H2
    ("1", HOST, HOST): (2, 1),  # A03 A15
    ("1", NON_HOST, NON_HOST): (6, 2),  # A06 A08 A11 A13 at N1, A14 A16 at N2
    # 2019/20 is the second year of the first cohort; of the second no census covers it.
    ("2", BASE, BASE): (2, 1),  # A01 A07
    ("2", BASE, HOST): (1, 1),  # A02, out of the unit since May
    ("2", HOST, BASE): (1, 1),  # A03: last seen out in May, so perhaps in it since
    ("2", HOST, HOST): (1, 1),  # A15
    ("2", NON_HOST, BASE): (1, 1),  # A06
    ("2", NON_HOST, NON_HOST): (2, 1),  # A14 A16
    ("2", NON_HOST, "not seen"): (1, 1),  # A13
}

#: Wave, arm -> pupils who could be seen, and lost.
LOST = {
    ("1", BASE): (4, 0),
    ("1", HOST): (2, 0),
    ("1", NON_HOST): (6, 0),
    ("2", BASE): (3, 0),
    ("2", HOST): (2, 0),
    ("2", NON_HOST): (4, 1),  # A13
}


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(write_worked(tmp_path_factory.mktemp("worked")))


def test_worked_pupils_have_their_time_zero_school_and_arm(worked: Built) -> None:
    found = worked.starts()
    assert {
        pupil: (row["school"], str(row["zero"]), row["year"], row["arm"], row["already_placed"])
        for pupil, row in found.to_dict("index").items()
    } == STARTS


def test_worked_pupils_who_are_left_out_have_their_reason(worked: Built) -> None:
    assert worked.reasons() == LEFT_OUT
    flow = worked.cohort.flow.table
    left = flow[flow["step"] == "Left out"].set_index("reason")["pupils"].to_dict()
    counts = pd.Series(LEFT_OUT).value_counts().to_dict()
    assert left == {WORDS[reason]: count for reason, count in counts.items()}
    assert flow.loc[flow["step"] == "In the data", "pupils"].tolist() == [19]


def test_worked_pupils_have_their_covariates_of_before_time_zero(worked: Built) -> None:
    found = worked.frame("covariates", ["pupil"]).set_index("pupil")
    names = ["sex", "fsm", "ks2_reading", "absence_share", "idaci"]
    for pupil, expected in COVARIATES.items():
        for name, value in zip(names, expected, strict=True):
            held = found.loc[pupil, name]
            if value is NOTHING:
                assert pd.isna(held), (pupil, name)
            elif isinstance(value, str):
                assert held == value, (pupil, name)
            else:
                assert held == pytest.approx(value, rel=1e-12), (pupil, name)
    assert found.index.tolist() == list(COVARIATES)


def test_worked_pupils_without_a_result_keep_the_reason(worked: Built) -> None:
    missing = worked.cohort.missing
    mine = missing[missing["name"] == "ks2_reading"].set_index(["arm", "reason"])["missing"]
    assert mine.to_dict() == {
        (BASE, "below_standard"): 1,  # A02
        (BASE, "no row"): 1,  # A07
        (HOST, ""): 0,
        (NON_HOST, "absent"): 1,  # A06
        (NON_HOST, "not_entered"): 1,  # A11
        (NON_HOST, "disapplied"): 1,  # A16
    }


def scores(built: Built, outcome: str, form: str) -> dict[tuple[str, int], float]:
    rows = built.frame("outcomes", ["outcome", "form", "pupil", "wave"])
    mine = rows[(rows["outcome"] == outcome) & (rows["form"] == form)]
    return {(row["pupil"], int(row["wave"])): row["value"] for row in mine.to_dict("records")}


def test_worked_pupils_have_their_attendance_by_wave(worked: Built) -> None:
    mean = {year: statistics.fmean(held.values()) for year, held in SHARES.items()}
    spread = {year: statistics.stdev(held.values()) for year, held in SHARES.items()}
    level = {
        (pupil, wave): (SHARES[year][pupil] - mean[year]) / spread[year]
        for pupil, waves in ATTENDED.items()
        for wave, year in waves.items()
    }
    change = {
        (pupil, wave): value - level[pupil, 0]
        for (pupil, wave), value in level.items()
        if wave > 0 and (pupil, 0) in level
    }
    assert scores(worked, "attendance", "level") == pytest.approx(level, rel=1e-12, abs=1e-12)
    assert scores(worked, "attendance", "change") == pytest.approx(change, rel=1e-12, abs=1e-12)


def test_worked_pupils_have_their_suspensions_and_attainment(worked: Built) -> None:
    assert scores(worked, "suspensions", "level") == {
        (pupil, wave): value for pupil, waves in SUSPENDED.items() for wave, value in waves.items()
    }
    # Year 7 in 2018/19 or 2019/20, GCSEs in the fifth year.
    assert scores(worked, "attainment", "level") == {(p, 5): v for p, v in ATTAINED.items()}


def test_worked_pupils_who_move_or_leave_are_counted(worked: Built) -> None:
    moves = worked.cohort.movements.set_index(["wave", "arm", "arm_then"])
    assert {key: tuple(row) for key, row in zip(moves.index, moves.to_numpy(), strict=True)} == (
        MOVEMENTS
    )
    lost = worked.cohort.attrition
    lost = lost[lost["covariate"] == ""].set_index(["wave", "arm"])[["pupils", "lost"]]
    assert {key: tuple(row) for key, row in zip(lost.index, lost.to_numpy(), strict=True)} == LOST


def test_worked_pupils_are_counted_under_each_rule_of_need(worked: Built) -> None:
    # A17's autism is secondary; its school, N1, is another pupil's too. So is A19's, but what
    # leaves A19 out is not the need alone.
    assert worked.cohort.need_rules.to_dict("records") == [
        {"rule": "primary", "used": True, "pupils": 12, "schools": 4},
        {"rule": "secondary", "used": False, "pupils": 1, "schools": 1},
        {"rule": "either", "used": False, "pupils": 13, "schools": 4},
    ]


def test_worked_pupils_placed_already_and_pandemic_years_are_said(worked: Built) -> None:
    cohort = worked.cohort
    # A07; A16 was placed in another school, and is of the comparison.
    assert "1 pupil of base had a place already when first seen" in cohort.notes[0]
    assert cohort.cautions["base_vs_host"] == {"no_pre_placement_baseline"}
    # 2019/20 is wave 2 of the first cohort and wave 1 of the second; no grade is of 2020 or 2021.
    flagged = {key for key, flags in cohort.cautions.items() if "pandemic" in flags}
    assert flagged == {"attendance 1", "attendance 2"}


# ----------------------------------------------------------------------------------------
# What a change to the worked extract must do
# ----------------------------------------------------------------------------------------


LAST, FIRST = "census_2020_spring.csv", "census_2018_spring.csv"

_A12 = "A12, 100001, 8, C, 1, E, F, 0, 0.58, 2018-09-03, 0, 0, ASD, , 1,"
_A12_TOO = "A12, 100003, 8, S, 1, E, F, 0, 0.58, 2018-09-03, 0, 0, ASD, , 1,"
_A09 = "A09, 100002, 7, C, 1, E, M, 1, 0.55, 2019-09-02, 0, 1, ASD, , 1,"
_A09_TOO = "A09, 100003, 7, S, 1, E, M, 1, 0.55, 2019-09-02, 0, 0, ASD, , 0,"
_A08 = "A08, 100003, 7, C, 1, K, F, 0, 0.51, 2020-01-06, 0, 0, ASD, , 1,"
_A16 = "A16, 100004, 8, C, 1, E, M, 0, 0.75, 2018-09-03, 0, 0, ASD, , refused,"
_A03 = "A03, 200001, 6,  C, 1, A, M, 0, 0.30, 2014-09-03, 0, 0,"

#: File, line, and the lines that stand in its place.
CHANGES = (
    # Registered twice: the second school alone writes down the withdrawal, or the refusal.
    (LAST, f"{_A12} 2019-11-01", f"{_A12}\n{_A12_TOO} 2019-11-01"),
    (LAST, _A09, f"{_A09}\n{_A09_TOO}"),
    # No day, and neither yes nor no.
    (LAST, _A08, f"{_A08} Nov 2019\n{_A16}"),
    # A secondary need alone, a year before the primary one.
    (FIRST, f"{_A03} ASD,", f"{_A03} , SLCN"),
)


@pytest.fixture(scope="module")
def altered(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("altered")
    files = dict(WORKED)
    for file, old, new in CHANGES:
        assert files[file].count(old) == 1
        files[file] = files[file].replace(old, new)
    write_text(folder, files)
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    return build(folder / "study.toml")


def test_a_withdrawal_told_to_the_second_school_is_enough(altered: Built) -> None:
    assert altered.reasons().get("A12") == "withdrawn"


def test_a_refusal_told_to_the_second_school_is_enough(altered: Built) -> None:
    assert altered.reasons().get("A09") == "consent"


def test_a_withdrawal_or_refusal_that_cannot_be_read_is_one(altered: Built) -> None:
    """As in a tidy table, where anything written as withdrawal leaves the pupil out."""
    assert altered.reasons().get("A08") == "withdrawn"
    assert altered.reasons().get("A16") == "consent"


def test_a_secondary_need_alone_does_not_hide_the_primary_one(altered: Built) -> None:
    """Autism is the first primary need recorded, and by the end of the first school year.

    "No type of need is recorded by the end of the first school year" would not be true.
    """
    assert altered.reasons().get("A03") is None


def test_whole_numbers_that_pandas_holds_with_a_point_are_whole(tmp_path: Path) -> None:
    """One blank year group makes 7 into 7.0 in a frame; it is Year 7 all the same."""
    frame = pd.DataFrame(
        {
            "PupilMatchingRefAnonymous_SPR19": ["a", "b"],
            "URN_SPR19": [100001.0, np.nan],
            "LAESTAB_SPR19": [3100001.0, 3100002.0],
            "NCyearActual_SPR19": [7.0, np.nan],
        }
    )
    outcome = {"name": "days", "kind": "continuous", "column": "days_in_base"}
    keys = {
        "study": {"name": "frames", "title": "Frames"},
        "data": {"source": "npd", "files": {}},
        "outcomes": [outcome],
    }
    with Engine() as engine:
        read = open_tables(plan_from_keys(keys, tmp_path), engine, {"census": frame})
        rows = engine.collect(read.tables.frames["pupils"], ["pupil_id"])
        assert rows.column("urn").to_pylist() == ["100001", "3100002"]
        assert rows.column("year_group").to_pylist() == ["7", None]


# ----------------------------------------------------------------------------------------
# Everybody, by a second route
# ----------------------------------------------------------------------------------------

VARIANT = (
    STUDY.replace('years = ["7"]', 'years = ["7"]\nneed_rule = "either"\nehcp = "only"')
    .replace('source = "census"', 'source = "census"\ntypes = ["sen_unit"]\ngrace_days = 60')
    .replace("[[outcomes]]", 'host_at_least = 3\nalready_placed = "exclude"\n\n[[outcomes]]', 1)
)


@dataclass
class Both:
    """The same extract by the package and by the route."""

    ours: Built
    route: duckdb.DuckDBPyConnection
    rules: Any

    def rows(self, query: str) -> pd.DataFrame:
        return self.route.execute(query).df()


@pytest.fixture(
    scope="module",
    params=[
        (20_000, 20260722, STUDY, Rules()),
        (
            3_000,
            5,
            VARIANT,
            Rules(
                need_rule="either",
                ehcp="only",
                types=("sen_unit",),
                host_at_least=3,
                grace=60,
                exclude_already=True,
            ),
        ),
    ],
    ids=["default rules", "every rule another"],
)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Both:
    pupils, seed, study, rules = request.param
    folder = tmp_path_factory.mktemp("national")
    path = generate(folder, pupils, seed, study)
    return Both(build(path), walk(folder, rules), rules)


def same(ours: pd.DataFrame, theirs: pd.DataFrame, keys: list[str]) -> None:
    """Compare two tables row by row: text and counts exactly, numbers to 1e-12."""
    columns = list(ours.columns)
    assert sorted(theirs.columns) == sorted(columns)
    assert len(ours) == len(theirs)
    assert not ours.duplicated(keys).any()
    ours = ours.sort_values(keys).reset_index(drop=True)
    theirs = theirs[columns].sort_values(keys).reset_index(drop=True)
    for name in columns:
        one, two = ours[name], theirs[name]
        if pd.api.types.is_float_dtype(one):
            values = one.to_numpy(float), two.to_numpy(float)
            np.testing.assert_allclose(*values, rtol=1e-12, atol=1e-12, err_msg=name)
        else:
            held = (series.astype(object).where(series.notna(), None) for series in (one, two))
            assert next(held).tolist() == next(held).tolist(), name


def test_everybody_has_the_arm_school_and_time_zero_of_the_route(both: Both) -> None:
    ours = both.ours.starts().reset_index()
    ours = ours.assign(zero=ours["zero"].map(str))[
        ["pupil", "school", "zero", "year", "arm", "already_placed"]
    ]
    theirs = both.rows(
        "SELECT id AS pupil, urn AS school, CAST(zero AS VARCHAR) AS zero, t AS year, arm, "
        "already::INT AS already_placed FROM fate WHERE arm IS NOT NULL"
    )
    assert set(ours["arm"]) == {BASE, HOST, NON_HOST}
    assert len(ours) > 80
    same(ours, theirs, ["pupil"])


def test_everybody_who_is_left_out_has_the_reason_of_the_route(both: Both) -> None:
    texts = {key: WORDS[key] for key in ("already", "other type")}
    theirs = both.rows("SELECT id, reason FROM fate WHERE reason IS NOT NULL")
    expected = {
        row["id"]: texts.get(row["reason"], row["reason"]) for row in theirs.to_dict("records")
    }
    assert both.ours.reasons() == expected
    flow = both.ours.cohort.flow.table
    left = flow[flow["step"] == "Left out"].set_index("reason")["pupils"].to_dict()
    assert left == {
        WORDS[row["reason"]]: row["n"]
        for row in both.rows(
            "SELECT reason, count(*) AS n FROM fate WHERE reason IS NOT NULL GROUP BY reason"
        ).to_dict("records")
    }
    hardest = {"ehcp", "already", "other type"} if both.rules.exclude_already else {"cohort"}
    assert {WORDS[reason] for reason in hardest} <= set(left)


def test_the_flow_counts_whom_the_route_counts(both: Both) -> None:
    flow = both.ours.cohort.flow.table
    flow = flow[flow["step"] != "Left out"]
    theirs = both.rows(
        """SELECT 'In an arm' AS step, arm, count(*) AS pupils, count(DISTINCT urn) AS schools
        FROM covariates GROUP BY arm UNION ALL
        SELECT 'In an arm, every covariate known', arm, count(*), count(DISTINCT urn)
        FROM covariates WHERE sex IS NOT NULL AND fsm IS NOT NULL AND ks2_reading IS NOT NULL
            AND absence_share IS NOT NULL AND idaci IS NOT NULL GROUP BY arm"""
    )
    same(flow.iloc[1:][["step", "arm", "pupils", "schools"]], theirs, ["step", "arm"])
    everyone = both.rows("SELECT count(DISTINCT id) AS n FROM census")["n"].tolist()
    assert flow["pupils"].iloc[:1].tolist() == everyone


def test_everybody_has_the_covariates_of_the_route(both: Both) -> None:
    ours = both.ours.frame("covariates", ["pupil"])
    theirs = both.rows("SELECT id AS pupil, urn AS school, * EXCLUDE (id, urn) FROM covariates")
    same(ours, theirs, ["pupil"])


def test_everybody_without_a_mark_has_the_reason_of_the_route(both: Both) -> None:
    missing = both.ours.cohort.missing
    mine = missing[(missing["name"] == "ks2_reading") & (missing["missing"] > 0)]
    same(mine[["arm", "reason", "missing"]], both.rows("FROM no_mark"), ["arm", "reason"])


def test_everybody_has_the_outcomes_of_the_route(both: Both) -> None:
    ours = both.ours.frame("outcomes", ["outcome", "form", "wave", "pupil"])
    theirs = both.rows("SELECT id AS pupil, urn AS school, * EXCLUDE (id, urn) FROM outcomes")
    same(ours, theirs, ["outcome", "form", "wave", "pupil"])


def test_movements_are_those_of_the_route(both: Both) -> None:
    theirs = both.rows("FROM movements")
    same(both.ours.cohort.movements, theirs, ["wave", "arm", "arm_then"])


def test_attrition_is_that_of_the_route(both: Both) -> None:
    theirs = both.rows("FROM attrition")
    theirs = theirs.assign(lost=theirs["lost"].astype(int))
    # A row that counts an arm has no difference; nor has an arm of which nobody is lost.
    same(both.ours.cohort.attrition, theirs, ["wave", "arm", "covariate", "level"])


def test_the_rules_of_need_count_whom_the_route_counts(both: Both) -> None:
    same(both.ours.cohort.need_rules, both.rows("FROM need_rules"), ["rule"])


def test_those_placed_already_are_as_many_as_by_the_route(both: Both) -> None:
    ((count,),) = both.route.execute(
        "SELECT count(*) FROM fate WHERE arm = 'base' AND already"
    ).fetchall()
    told = [note for note in both.ours.cohort.notes if "when first seen" in note]
    if both.rules.exclude_already:
        assert (count, told) == (0, [])
    else:
        assert count > 1
        assert told[0].startswith(f"{count} pupils of base ")


# ----------------------------------------------------------------------------------------
# The whole run
# ----------------------------------------------------------------------------------------

#: Every pupil of the generated extract, and every stranger, has such an identifier.
PLANTED = re.compile(rb"PMRX?[0-9A-F]{8,10}ZQ", re.IGNORECASE)
KEYS = ("census", "absence", "ks2", "ks4", "exclusions")
RUN = STUDY + '\n[analysis]\nmodels = ["regression"]\n'


def as_frames(folder: Path) -> dict[str, list[pd.DataFrame]]:
    """Read the extract as anybody would."""
    return {
        key: [pd.read_csv(path) for path in sorted(folder.glob(f"{key}_*.csv"))] for key in KEYS
    }


def spoil(path: Path, columns: tuple[str, ...], rows: int = 3) -> None:
    """Put identifiers of pupils where they should not be."""
    header, *lines = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()]
    for line in lines[:rows]:
        for place, heading in enumerate(header):
            if heading.startswith(columns):
                line[place] = line[header.index(next(h for h in header if "MatchingRef" in h))]
    path.write_text("\n".join(map(",".join, [header, *lines])) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def extract(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = generate(tmp_path_factory.mktemp("run"), 2_500, 5, RUN)
    # In some rows the identifier has slipped into columns that hold codes and days.
    for path in sorted(study.parent.glob("census_*.csv")):
        spoil(path, ("SENprovision", "EntryDate", "EnrolStatus", "PrimarySEN"))
    for path in sorted(study.parent.glob("ks2_*.csv")):
        spoil(path, ("KS2_READOUTCOME",))
    return study


@pytest.fixture(scope="module")
def ran(extract: Path) -> Path:
    return be.run(extract, extract.parent / "first")


def test_a_run_ends_in_a_report_that_may_leave(ran: Path) -> None:
    assert (ran / "report.html").is_file()
    assert be.screen(ran) == []
    results = pd.read_csv(ran / "results.csv")
    assert {"attendance", "suspensions", "attainment"} <= set(results["outcome"])
    told = results[~results["flags"].fillna("").str.contains("suppressed")]
    assert told["estimate"].notna().any()


def test_a_run_gives_the_same_bytes_twice(extract: Path, ran: Path) -> None:
    again = be.run(extract, extract.parent / "again")
    held = {path.name: path.read_bytes() for path in ran.iterdir()}
    assert {path.name: path.read_bytes() for path in again.iterdir()} == held


def test_no_pupil_is_in_any_output(extract: Path, ran: Path) -> None:
    assert PLANTED.search((extract.parent / "census_2018_spr.csv").read_bytes())
    for path in ran.rglob("*"):
        if path.is_file():
            assert not PLANTED.search(path.read_bytes()), path.name
            if path.suffix == ".parquet":  # its pages are compressed
                text = pd.read_parquet(path).to_csv()
                assert not PLANTED.search(text.encode()), path.name


def shown(found: Any) -> bytes:
    """Return all that a check shows to anybody."""
    lines = "\n".join(map(str, be.check_lines(found.report)))
    return f"{be.check_page(found.report)}{lines}{found.error or ''}".encode()


def test_no_pupil_is_on_the_page_of_a_check(extract: Path) -> None:
    found = be.examine_study(extract)
    assert found.error is None
    assert not PLANTED.search(shown(found))
    assert b"sen_provision" in shown(found)


def test_no_pupil_is_on_the_page_of_a_check_that_stops(extract: Path, tmp_path: Path) -> None:
    """Not even where the identifier stands in every column."""
    for path in extract.parent.glob("*.csv"):
        shutil.copy(path, tmp_path)
        spoil(tmp_path / path.name, ("",))
    found = be.examine_study(shutil.copy(extract, tmp_path))
    assert found.error is not None
    assert not PLANTED.search(shown(found))


def test_frames_give_the_same_results_as_files(extract: Path, ran: Path) -> None:
    out = be.run(extract, extract.parent / "frames", tables=as_frames(extract.parent))
    assert (out / "results.csv").read_bytes() == (ran / "results.csv").read_bytes()


def test_an_open_connection_gives_the_same_results_as_files(extract: Path, ran: Path) -> None:
    tables: dict[str, list[Any]] = {}
    with duckdb.connect() as connection:
        for key in KEYS:
            for path in sorted(extract.parent.glob(f"{key}_*.csv")):
                connection.execute(
                    f"CREATE TABLE \"{path.stem}\" AS SELECT * FROM read_csv('{path}', header=true)"
                )
                tables.setdefault(key, []).append((connection, f'SELECT * FROM "{path.stem}"'))
        out = be.run(extract, extract.parent / "connection", tables=tables)
        # The connection is still open, and as it was.
        assert connection.execute('SELECT count(*) FROM "ks2_2018"').fetchone() > (0,)
    assert (out / "results.csv").read_bytes() == (ran / "results.csv").read_bytes()
