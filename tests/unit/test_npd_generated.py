"""Twenty thousand pupils: every row, by a second route in plain SQL from the files themselves."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import duckdb
import pytest

NPD: dict[str, Any] = runpy.run_path(str(Path(__file__).parents[1] / "npd_extract.py"))
PUPILS = 20_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return NPD["generate"](tmp_path_factory.mktemp("npd"), PUPILS, 20260722)


@pytest.fixture(scope="module")
def found(folder):
    return NPD["read"](folder)


@pytest.fixture(scope="module")
def sql(folder, found):
    """Give a connection that holds our tables and, by `route`, what they should be."""
    connection = duckdb.connect()
    for name, table in found.tables.items():
        connection.register(f"ours_{name}", table)
    for query in (*census_route(folder), *absence_route(folder), *results_route(folder)):
        connection.execute(query)
    for query in exclusions_route(folder):
        connection.execute(query)
    yield connection
    connection.close()


def raw(folder, name):
    return f"read_csv('{folder / name}', all_varchar = true, header = true, delim = ',')"


KEYS = {
    "pupils": "pupil_id, year, term",
    "attendance": "pupil_id, year",
    "attainment": "pupil_id, year, measure",
    "exclusions": "pupil_id, year",
}


@pytest.mark.parametrize("table", KEYS)
def test_no_join_makes_rows(sql, table):
    rows, keys = sql.execute(
        f"SELECT count(*), count(DISTINCT ({KEYS[table]})) FROM ours_{table}"
    ).fetchone()
    assert rows == keys > PUPILS


@pytest.mark.slow
def test_what_does_not_fit_in_memory_goes_to_disk(tmp_path):
    """Ten times the pupils make some 1.5 GB of tables, in 1 GB."""
    folder = NPD["generate"](tmp_path, 10 * PUPILS, 1)

    assert NPD["read"](folder, memory_limit="1GB").tables["pupils"].num_rows > 10 * PUPILS


# ----------------------------------------------------------------------------------------
# The census
# ----------------------------------------------------------------------------------------


def census_route(folder):
    parts = []
    for year, term in NPD["CENSUSES"]:
        m = f"_{term}{year % 100}"
        urn = "NULL" if year == 2021 else f"URN{m}"
        sen = "NULL" if (year, term) == (2023, "AUT") else f"SENprovision{m}"
        needs = ("SENneed1", "SENneed2") if year == 2021 else ("PrimarySENtype", "SecondarySENtype")
        spring = [f"{n}{m}" if term == "SPR" else "NULL" for n in (*needs, "EverFSM_6")]
        sex = f"Sex{m}" if year == 2023 else f"Gender{m}"
        parts.append(
            f"SELECT PupilMatchingRefAnonymous{m} AS id, {year} AS year, '{term}' AS term, "
            f"{urn} AS urn, LAESTAB{m} AS laestab, {sex} AS sex, NCyearActual{m} AS nc, "
            f"EnrolStatus{m} AS enrol, OnRoll{m} AS roll, {sen} AS sen, {spring[0]} AS need1, "
            f"{spring[1]} AS need2, {spring[2]} AS fsm6 "
            f"FROM {raw(folder, f'census_{year}_{term.lower()}.csv')}"
        )
    need = (
        "CASE WHEN upper(trim({0})) = 'BESD' THEN 'SEMH' WHEN upper(trim({0})) IN "
        "('SPLD','MLD','SEMH','SLCN','ASD','DS') THEN upper(trim({0})) END"
    )
    yield f"""CREATE TABLE census_rows AS SELECT id, year, term,
        coalesce(urn, laestab) AS urn, laestab, sex,
        CASE WHEN trim(nc) = 'X' THEN 'X' ELSE CAST(TRY_CAST(trim(nc) AS INT) AS VARCHAR) END AS nc,
        enrol, CAST(roll AS INT) AS roll,
        CASE WHEN sen IN ('N') THEN 'N' WHEN sen IN ('K','k','A','P') THEN 'K'
             WHEN sen IN ('E','e','S') THEN 'E' END AS sen,
        CASE WHEN sen IS NULL THEN 'blank' WHEN sen = 'Q' THEN 'unknown code' END AS why_sen,
        {need.format("need1")} AS need1,
        CASE WHEN need1 IS NULL THEN 'blank' WHEN need1 = 'ZZZ' THEN 'unknown code' END
            AS why_need1,
        {need.format("need2")} AS need2, CAST(fsm6 AS INT) AS fsm6
        FROM ({" UNION ALL ".join(parts)}) WHERE id IS NOT NULL"""
    yield """CREATE TABLE census_kept AS SELECT * EXCLUDE (place) FROM (
        SELECT *, row_number() OVER (PARTITION BY id, year, term ORDER BY
            CASE WHEN enrol IN ('C', 'M') THEN 0 ELSE 1 END,
            CASE WHEN roll = 1 THEN 0 ELSE 1 END, urn) AS place FROM census_rows) WHERE place = 1"""
    # A pupil's rows of one school in one census differ in other columns by chance: which of
    # them is kept is checked on its own, so the values are compared where that cannot matter.
    yield """CREATE TABLE census_even AS SELECT id, year, term FROM census_rows
        GROUP BY ALL HAVING count(*) = count(DISTINCT urn)
            OR count(DISTINCT (urn, enrol, roll, sen, why_sen, need1, why_need1, need2, fsm6,
                nc, sex)) = 1"""
    yield """CREATE TABLE route_pupils AS
        SELECT k.id, k.year, k.term, k.urn, k.sex, k.nc, k.enrol, k.roll, k.sen, k.why_sen,
        CASE WHEN k.term = 'SPR' THEN k.need1 ELSE s.need1 END AS need1,
        CASE WHEN k.term = 'SPR' THEN k.why_need1 WHEN s.id IS NULL THEN 'not collected this term'
             ELSE s.why_need1 END AS why_need1,
        CASE WHEN k.term = 'SPR' THEN k.need2 ELSE s.need2 END AS need2,
        CASE WHEN k.term = 'SPR' THEN k.fsm6 ELSE s.fsm6 END AS fsm6
        FROM census_kept k LEFT JOIN census_kept s ON s.id = k.id AND s.term = 'SPR'
            AND s.year = k.year - (CASE k.term WHEN 'AUT' THEN 1 ELSE 0 END) AND k.term <> 'SPR'
        WHERE (k.id, k.year, k.term) IN (SELECT (id, year, term) FROM census_even)
          AND (s.id IS NULL OR (s.id, s.year, s.term) IN (SELECT (id, year, term) FROM census_even))
        """


def test_every_census_row(sql):
    """One row each; the school, by the rule, of all; the rest where the rows do not tie."""
    assert differences(
        sql,
        "SELECT pupil_id, year, term, urn FROM ours_pupils",
        "SELECT id, year, term, urn FROM census_kept",
    ) == (0, 0)
    columns = (
        "pupil_id, year, term, urn, sex, year_group, enrolment, on_roll, sen_provision, "
        '"why:sen_provision", primary_need, "why:primary_need", secondary_need, fsm6'
    )
    compared = sql.execute("SELECT count(*) FROM route_pupils").fetchone()[0]
    assert compared > 0.9 * sql.execute("SELECT count(*) FROM ours_pupils").fetchone()[0]
    missing, _ = differences(
        sql, "SELECT * FROM route_pupils", f"SELECT {columns} FROM ours_pupils"
    )
    assert missing == 0


def test_a_kept_row_is_one_of_the_files(sql):
    columns = "pupil_id, year, term, urn, sex, year_group, enrolment, on_roll, sen_provision"
    strange = sql.execute(
        f"SELECT count(*) FROM (SELECT {columns} FROM ours_pupils EXCEPT "
        "SELECT id, year, term, urn, sex, nc, enrol, roll, sen FROM census_rows)"
    ).fetchone()
    assert strange == (0,)


# ----------------------------------------------------------------------------------------
# Absence
# ----------------------------------------------------------------------------------------

KINDS = {
    "authorised": "AuthorisedAbsence",
    "unauthorised": "UnauthorisedAbsence",
    "overall": "OverallAbsence",
    "illness": "TermlyReasonI",
    "medical": "TermlyReasonM",
}


def absence_route(folder):
    """Every term a row: the long way round."""
    parts = []
    for year, terms in (
        (2021, ["3Term"]),
        (2022, ["Autumn", "Spring", "Summer"]),
        (2023, ["Autumn", "Spring", "Summer", "Summer6th"]),
    ):
        m, prefix = f"_ab{year % 100}", "ABS_" if year == 2021 else ""
        source = (
            f"(SELECT *, row_number() OVER () AS line FROM {raw(folder, f'absence_{year}.csv')})"
        )
        group = f"NCyearActual{m}" if year == 2023 else "NULL"
        for term in terms:
            figures = ", ".join(
                f"TRY_CAST({prefix}{heading}_{term}{m} AS INT)"
                if year == 2023 or not heading.startswith("Termly")
                else "CAST(NULL AS INT)"
                for heading in KINDS.values()
            )
            parts.append(
                f"SELECT PupilMatchingRefAnonymous{m}, {year}, line, '{term}', URN{m}, {group}, "
                f"TRY_CAST({prefix}SessionsPossible_{term}{m} AS INT), {figures} FROM {source}"
            )
    yield f"""CREATE TABLE absence_terms AS SELECT * FROM ({" UNION ALL ".join(parts)})
        AS t(id, year, line, term, urn, nc, possible, {", ".join(KINDS)})"""
    yield """CREATE TABLE elevens AS SELECT id, year, bool_or(nc = '11') AS eleven
        FROM census_kept WHERE nc IS NOT NULL GROUP BY ALL"""
    known = " , ".join(
        f"CASE WHEN bool_or(possible > 0 AND {k} IS NULL) THEN NULL "
        f"ELSE coalesce(sum({k}) FILTER (possible IS NOT NULL), 0) END AS {k}"
        for k in KINDS
    )
    yield f"""CREATE TABLE absence_sums AS
        WITH said AS (SELECT t.* REPLACE (coalesce(overall, authorised + unauthorised) AS overall),
                coalesce(e.eleven, t.nc = '11', false) AS eleven
            FROM absence_terms t LEFT JOIN elevens e USING (id, year)),
        live AS (SELECT id, year, line FROM said GROUP BY ALL HAVING count(possible) > 0)
        SELECT id, year, sum(possible) AS possible, {known}
        FROM said JOIN live USING (id, year, line) WHERE NOT (eleven AND term LIKE 'Summer%')
        GROUP BY ALL"""
    yield """CREATE TABLE route_attendance AS SELECT i.id, i.year, i.urn,
        CASE WHEN s.possible <= 420 AND NOT coalesce(s.overall > s.possible, false) THEN s.possible
            END AS possible,
        CASE WHEN s.possible > 420 THEN 'over 420 sessions'
             WHEN s.overall > s.possible THEN 'absence over possible'
             WHEN s.possible IS NULL THEN 'blank' END AS why,
        s.authorised, s.unauthorised, s.overall, s.illness, s.medical,
        s.possible - s.overall AS attended, i.year < 2023 AS pandemic
        FROM (SELECT id, year, CASE WHEN min(urn) = max(urn) THEN min(urn) END AS urn
              FROM absence_terms GROUP BY id, year) i LEFT JOIN absence_sums s USING (id, year)"""
    for k in (*KINDS, "attended"):
        yield f"UPDATE route_attendance SET {k} = NULL WHERE possible IS NULL"


def test_every_pupil_and_year_of_absence(sql):
    assert differences(
        sql,
        "SELECT * FROM route_attendance",
        'SELECT pupil_id, year, urn, sessions_possible, "why:sessions_possible", authorised, '
        "unauthorised, overall, illness, medical, sessions_attended, pandemic FROM ours_attendance",
    ) == (0, 0)


# ----------------------------------------------------------------------------------------
# Key stages
# ----------------------------------------------------------------------------------------

STATUS = """CASE upper({o}) WHEN 'AS' THEN NULL WHEN 'NS' THEN NULL WHEN 'B' THEN 'below_standard'
    WHEN 'N' THEN {n} WHEN 'A' THEN 'absent' WHEN 'T' THEN 'disapplied' WHEN 'J' THEN 'not_entered'
    WHEN 'M' THEN 'other' WHEN 'Q' THEN 'annulled'
    WHEN 'CA' THEN CASE WHEN {v} IS NULL THEN 'other' END
    ELSE CASE WHEN {o} IS NOT NULL THEN 'other' END END"""


def results_route(folder):
    parts = []
    for year in (2019, 2022, 2023):
        columns = ["KS2_PupilMatchingRefAnonymous AS id", f"{year} AS year", "KS2_NATRES AS nat"]
        for subject in ("READ", "MAT"):
            columns += [
                f"KS2_{subject}OUTCOME AS {subject}_o",
                f"KS2_{subject}MRK::DOUBLE AS {subject}_m",
            ]
            score = f"KS2_{subject}SCORE::DOUBLE" if year != 2022 else "NULL::DOUBLE"
            expected = f"KS2_{subject}EXP::DOUBLE" if year != 2019 else "NULL::DOUBLE"
            columns += [f"{score} AS {subject}_s", f"{expected} AS {subject}_e"]
        parts.append(f"SELECT {', '.join(columns)} FROM {raw(folder, f'ks2_{year}.csv')}")
    marks = []
    for s in ("READ", "MAT"):
        low = "'below_standard'"
        few = f"CASE WHEN {s}_m > 0 THEN NULL ELSE {low} END"
        score = f"CASE WHEN {s}_s >= 80 THEN {s}_s END"
        marks += [
            f"{STATUS.format(o=f'{s}_o', n=few, v=f'{s}_m')} AS {s}_m_status, {s}_m AS {s}_m_value",
            f"{STATUS.format(o=f'{s}_o', n=low, v=score)} AS {s}_s_status, {score} AS {s}_s_value",
            f"{STATUS.format(o=f'{s}_o', n=low, v=f'{s}_e')} AS {s}_e_status, {s}_e AS {s}_e_value",
        ]
    yield f"""CREATE TABLE ks2_said AS SELECT id, year, nat, READ_s, MAT_s, {", ".join(marks)}
        FROM ({" UNION ALL ".join(parts)})"""
    cells = [f"{s}_{m}" for s in ("READ", "MAT") for m in ("m", "s", "e")]
    replaced = ", ".join(
        f"CASE WHEN {c}_status IS NULL THEN {c}_value END AS {c}_value" for c in cells
    )
    full = " + ".join(f"({c}_value IS NOT NULL)::INT" for c in cells)
    highest = ", ".join(f"{c}_value DESC NULLS LAST" for c in cells)
    yield f"""CREATE TABLE ks2_ranked AS SELECT *, rank() OVER (PARTITION BY id, year ORDER BY
            CASE WHEN nat = '1' THEN 0 ELSE 1 END, {full} DESC, {highest}) AS place
        FROM (SELECT * REPLACE ({replaced}) FROM ks2_said)"""
    # Records that tie in all of that differ at most in why something is missing.
    yield """CREATE TABLE ks2_kept AS SELECT * FROM ks2_ranked WHERE place = 1
        QUALIFY count(*) OVER (PARTITION BY id, year) = 1"""
    names = {"m": "", "s": "_scaled", "e": "_expected"}
    # A measure that a year's file lacks is there by its codes alone.
    long = [
        f"""SELECT id, year, 'ks2_{"reading" if s == "READ" else "maths"}{names[m]}' AS measure,
            {s}_{m}_value AS value, {s}_{m}_status AS status,
            CASE WHEN {s}_{m}_value IS NULL THEN coalesce({s}_{m}_status,
                {f"CASE WHEN {s}_s < 80 THEN 'no scaled score' END" if m == "s" else "NULL"},
                'blank') END AS why, nat, 'exam' AS basis, 0 AS pandemic FROM ks2_kept"""
        for s in ("READ", "MAT")
        for m in names
    ]
    yield f"CREATE TABLE route_ks2 AS {' UNION ALL '.join(long)}"

    yield f"""CREATE TABLE ks4_said AS SELECT KS4_PupilMatchingRefAnonymous AS id,
        right(KS4_ACADYR, 4)::INT AS year, KS4_NATRES AS nat, TRY_CAST(KS4_ATT8 AS DOUBLE) AS att,
        CASE WHEN right(KS4_ACADYR, 4) NOT IN ('2025', '2026') THEN KS4_P8SCORE::DOUBLE END AS p8,
        KS4_LEVEL2_EM_94::DOUBLE AS em,
        CASE KS4_HGMATH_91 WHEN 'U' THEN 0 ELSE TRY_CAST(KS4_HGMATH_91 AS DOUBLE) END AS grade,
        KS4_ATT8 AS att_said, KS4_HGMATH_91 AS grade_said FROM {raw(folder, "ks4_results.csv")}"""
    yield """CREATE TABLE ks4_kept AS SELECT * FROM (SELECT *, rank() OVER (PARTITION BY id, year
        ORDER BY CASE WHEN nat = '1' THEN 0 ELSE 1 END, (att IS NOT NULL)::INT
            + (p8 IS NOT NULL)::INT + (em IS NOT NULL)::INT + (grade IS NOT NULL)::INT DESC,
            att DESC NULLS LAST, p8 DESC NULLS LAST, em DESC NULLS LAST, grade DESC NULLS LAST)
            AS place FROM ks4_said) WHERE place = 1
        QUALIFY count(*) OVER (PARTITION BY id, year) = 1"""
    basis = (
        "CASE year WHEN 2020 THEN 'centre_assessed' WHEN 2021 THEN 'teacher_assessed' "
        "ELSE 'exam' END"
    )
    whys = {
        "att": ("ks4_attainment8", "coalesce(att_said, 'blank')"),
        "p8": (
            "ks4_progress8",
            "CASE WHEN year >= 2025 THEN 'no such measure that year' ELSE 'blank' END",
        ),
        "em": ("ks4_english_maths_94", "'blank'"),
        "grade": (
            "ks4_maths_grade",
            "CASE WHEN grade_said IS NULL THEN 'blank' ELSE 'unknown code' END",
        ),
    }
    long = [
        f"SELECT id, year, '{measure}' AS measure, {c} AS value, NULL AS status, "
        f"CASE WHEN {c} IS NULL THEN {why} END AS why, nat, {basis} AS basis, "
        "(year IN (2020, 2021))::INT AS pandemic FROM ks4_kept"
        for c, (measure, why) in whys.items()
    ]
    yield f"CREATE TABLE route_ks4 AS {' UNION ALL '.join(long)}"


@pytest.mark.parametrize("stage", ["ks2", "ks4"])
def test_every_result(sql, stage):
    ours = (
        'SELECT pupil_id, year, measure, value, status, "why:value", CAST(national AS VARCHAR), '
        f"basis, pandemic FROM ours_attainment WHERE lower(stage) = '{stage}'"
    )
    missing, more = differences(sql, f"SELECT * FROM route_{stage}", ours)
    compared = sql.execute(f"SELECT count(*) FROM route_{stage}").fetchone()[0]
    ties = sql.execute(f"SELECT count(DISTINCT (id, year)) FROM {stage}_said").fetchone()[0]
    ties -= sql.execute(f"SELECT count(*) FROM {stage}_kept").fetchone()[0]
    per_pupil = {"ks2": 6, "ks4": 4}[stage]

    assert missing == 0
    assert more == per_pupil * ties
    assert ties < 0.02 * compared


# ----------------------------------------------------------------------------------------
# Exclusions
# ----------------------------------------------------------------------------------------


def exclusions_route(folder):
    parts = [
        f"SELECT PupilMatchingRefAnonymous_ex{y} AS id, 20{y} AS year, URN_ex{y} AS urn, "
        f"TotalFixedExclusions_ex{y}::INT AS fixed, TotalFixedSessions_ex{y}::INT AS sessions, "
        + ("PermanentExclusionCount_ex23::INT" if y == 23 else "NULL::INT")
        + f" AS permanent FROM {raw(folder, f'exclusions_20{y}.csv')}"
        for y in (22, 23)
    ]
    yield f"""CREATE TABLE route_exclusions AS WITH said AS ({" UNION ALL ".join(parts)}),
        sums AS (SELECT id, year, CASE WHEN min(urn) = max(urn) THEN min(urn) END AS urn,
            sum(fixed) AS fixed, sum(sessions) AS sessions, sum(permanent) AS permanent
            FROM said GROUP BY id, year)
        SELECT id, year, urn, fixed, sessions, permanent FROM sums UNION ALL
        SELECT DISTINCT id, year, NULL, 0, 0, CASE year WHEN 2023 THEN 0 END FROM census_kept
        WHERE year IN (2022, 2023) AND (id, year) NOT IN (SELECT (id, year) FROM sums)"""


def test_every_pupil_and_year_of_exclusions(sql):
    assert differences(
        sql,
        "SELECT * FROM route_exclusions",
        "SELECT pupil_id, year, urn, suspensions, suspension_sessions, permanent_exclusions "
        "FROM ours_exclusions",
    ) == (0, 0)


# ----------------------------------------------------------------------------------------
# Faults
# ----------------------------------------------------------------------------------------

COUNTS = {
    ("census", "pupil_id", "several_rows"): (
        "SELECT (SELECT count(*) FROM census_rows) - (SELECT count(*) FROM census_kept)"
    ),
    ("census", "sex", "sex_differs"): (
        "SELECT count(*) FROM (SELECT id FROM census_rows GROUP BY id HAVING min(sex) <> max(sex))"
    ),
    ("absence", "sessions_possible", "over_420_sessions"): (
        "SELECT count(*) FROM absence_sums WHERE possible > 420"
    ),
    ("absence", "overall", "absence_over_possible"): (
        "SELECT count(*) FROM absence_sums WHERE possible <= 420 AND overall > possible"
    ),
    ("absence", "overall", "absence_does_not_add_up"): (
        "SELECT count(*) FROM absence_sums WHERE possible <= 420 "
        "AND authorised + unauthorised <> overall"
    ),
    ("absence", "year_group", "year_group_unknown"): (
        "SELECT count(*) FROM (SELECT id, year FROM absence_terms "
        "LEFT JOIN elevens USING (id, year) GROUP BY id, year "
        "HAVING count(eleven) = 0 AND count(nc) = 0)"
    ),
    ("absence", "pupil_id", "not_in_census"): (
        "SELECT count(DISTINCT id) FROM absence_terms WHERE id NOT IN (SELECT id FROM census_kept)"
    ),
    ("ks2", "pupil_id", "several_records"): (
        "SELECT count(*) - count(DISTINCT (id, year)) FROM ks2_said"
    ),
    ("ks4", "pupil_id", "several_records"): (
        "SELECT count(*) - count(DISTINCT (id, year)) FROM ks4_said"
    ),
    ("exclusions", "pupil_id", "not_in_census"): (
        "SELECT count(DISTINCT id) FROM route_exclusions "
        "WHERE id NOT IN (SELECT id FROM census_kept)"
    ),
}


@pytest.mark.parametrize("fault", COUNTS, ids="-".join)
def test_every_count_of_what_was_read_otherwise(sql, found, fault):
    count = sql.execute(COUNTS[fault]).fetchone()[0]

    assert count > 0
    assert found.counts()[fault] == count


def differences(sql, first, second):
    """Count the rows of each query that the other has not."""
    return tuple(
        sql.execute(f"SELECT count(*) FROM (({a}) EXCEPT ALL ({b}))").fetchone()[0]
        for a, b in ((first, second), (second, first))
    )
