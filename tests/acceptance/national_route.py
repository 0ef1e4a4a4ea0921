"""The second route from a national extract to a cohort: plain SQL over the CSV files.

It knows docs/methods and docs/data-dictionary.md, and nothing of the package. It goes the long way
where that is plainer: self-joins over every pair of a pupil's censuses, a row for each term.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

#: First Thursday of October, third of January, third of May: from a calendar.
DAYS = {
    (2018, "SPR"): "2018-01-18",
    (2018, "SUM"): "2018-05-17",
    (2019, "AUT"): "2018-10-04",
    (2019, "SPR"): "2019-01-17",
    (2019, "SUM"): "2019-05-16",
    (2020, "AUT"): "2019-10-03",
    (2020, "SPR"): "2020-01-16",
}
NO_FLAGS = (2019, "SUM")


@dataclass(frozen=True)
class Rules:
    """The choices of the study file that the route must follow."""

    need_rule: str = "primary"
    ehcp: str = "any"
    first_year: int = 2019
    last_year: int = 2020
    types: tuple[str, ...] = ()
    host_at_least: int = 1
    grace: int = 31
    exclude_already: bool = False


def walk(folder: Path, rules: Rules) -> duckdb.DuckDBPyConnection:
    """Go the whole route; the tables are those that the tests name."""
    connection = duckdb.connect()
    steps = (
        files,
        census,
        attendance,
        results,
        exclusions,
        time_zero,
        spells,
        fates,
        before,
        afterwards,
    )
    for step in steps:
        for query in step(folder, rules):
            connection.execute(query)
    return connection


def raw(name: str) -> str:
    """Name the table that holds a file as it stands."""
    return f'"{name}"'


def files(folder: Path, rules: Rules) -> Iterator[str]:
    """Hold every file as text: a cast beside `read_csv` would change how the file is read."""
    for path in sorted(folder.glob("*.csv")):
        yield f"""CREATE TABLE "{path.name}" AS SELECT * FROM
            read_csv('{path}', all_varchar = true, header = true, delim = ',')"""


def a_day(column: str) -> str:
    """Read 2018-09-03 and 03/09/2018."""
    return f"coalesce(TRY_CAST({column} AS DATE), CAST(TRY_STRPTIME({column}, '%d/%m/%Y') AS DATE))"


def census(folder: Path, rules: Rules) -> Iterator[str]:
    """One row a pupil and census: C or M first, then on roll, then the lowest school number."""
    parts = []
    for (year, term), day in DAYS.items():
        m = f"_{term}{year % 100}"
        flags = (year, term) != NO_FLAGS
        spring, own = term == "SPR", (year, term) == (2020, "SPR")
        first, second = (
            ("SENneed1", "SENneed2") if year == 2018 else ("PrimarySENtype", "SecondarySENtype")
        )
        columns = {
            "id": f"PupilMatchingRefAnonymous{m}",
            "year": str(year),
            "day": f"DATE '{day}'",
            "urn": f"coalesce(URN{m}, LAESTAB{m})",
            "grade": f"CAST(TRY_CAST(trim(NCyearActual{m}) AS INT) AS VARCHAR)",
            "enrol": f"EnrolStatus{m}",
            "roll": f"OnRoll{m}",
            "sen": f"upper(SENprovision{m})",
            "sex": f"{'Sex' if year == 2020 else 'Gender'}{m}",
            "fsm": f"TRY_CAST(FSMeligible{m} AS DOUBLE)",
            "idaci": f"TRY_CAST(IDACIScore{m} AS DOUBLE)",
            "idaci_said": f"IDACIScore{m}",
            "entry": a_day(f"EntryDate{m}"),
            "unit": f"SENUnitIndicator{m}" if flags else "NULL",
            "provision": f"ResourcedProvisionIndicator{m}" if flags else "NULL",
            "need1": f"upper({first}{m})" if spring else "NULL",
            "need2": f"upper({second}{m})" if spring else "NULL",
            "consent": f"StudyConsent{m}" if own else "NULL",
            "withdrawn": f"StudyWithdrawn{m}" if own else "NULL",
        }
        named = ", ".join(f"{what} AS {name}" for name, what in columns.items())
        parts.append(f"SELECT {named} FROM {raw(f'census_{year}_{term.lower()}.csv')}")
    yield f"""CREATE TABLE census AS SELECT * REPLACE (
            CASE WHEN need1 IN ('ASD', 'SLCN', 'MLD') THEN need1
                 WHEN need1 = 'BESD' THEN 'SEMH' END AS need1,
            CASE WHEN need2 IN ('ASD', 'SLCN', 'MLD') THEN need2
                 WHEN need2 = 'BESD' THEN 'SEMH' END AS need2,
            CASE WHEN sen IN ('E', 'S') THEN 'E' WHEN sen IN ('K', 'A', 'P') THEN 'K'
                 WHEN sen = 'N' THEN 'N' END AS sen)
        FROM ({" UNION ALL BY NAME ".join(parts)}) WHERE id IS NOT NULL
        QUALIFY row_number() OVER (PARTITION BY id, day ORDER BY
            coalesce(enrol IN ('C', 'M'), false) DESC, coalesce(roll = '1', false) DESC,
            urn NULLS LAST) = 1"""


def attendance(folder: Path, rules: Rules) -> Iterator[str]:
    """Sessions of a year: schools added up, Year 11 without its summer, over 420 in question."""
    parts = []
    for year, terms in (
        (2018, ["3Term"]),
        (2019, ["Autumn", "Spring", "Summer", "Summer6th"]),
        (2020, ["Autumn", "Spring"]),
    ):
        m, prefix = f"_ab{year % 100}", "ABS_" if year == 2018 else ""
        group = f"NCyearActual{m}" if year == 2019 else "NULL"
        for term in terms:
            possible, overall, authorised, unauthorised = (
                f"TRY_CAST({prefix}{what}_{term}{m} AS INT)"
                for what in (
                    "SessionsPossible",
                    "OverallAbsence",
                    "AuthorisedAbsence",
                    "UnauthorisedAbsence",
                )
            )
            parts.append(
                f"SELECT PupilMatchingRefAnonymous{m} AS id, {year} AS year, '{term}' AS term, "
                f"{group} AS grade, {possible} AS possible, "
                f"coalesce({overall}, {authorised} + {unauthorised}) AS missed "
                f"FROM {raw(f'absence_{year}.csv')}"
            )
    yield f"CREATE TABLE terms AS {' UNION ALL '.join(parts)}"
    yield """CREATE TABLE sessions AS
        WITH eleven AS (SELECT id, year, bool_or(grade = '11') AS eleven FROM census
                        WHERE grade IS NOT NULL GROUP BY ALL),
        summed AS (SELECT t.id, t.year, sum(possible) AS possible, sum(missed) AS missed,
                bool_or(possible > 0 AND missed IS NULL) AS gap
            FROM terms t LEFT JOIN eleven e USING (id, year)
            WHERE possible IS NOT NULL
              AND NOT (term LIKE 'Summer%' AND coalesce(e.eleven, t.grade = '11', false))
            GROUP BY ALL)
        SELECT id, year, possible, possible - missed AS attended,
            (possible - missed) / nullif(possible, 0)::DOUBLE AS share
        FROM summed WHERE NOT gap AND possible <= 420 AND missed <= possible"""


#: docs/methods/npd-codes.md, the codes that the extract holds.
STATUS = """CASE upper(outcome) WHEN 'AS' THEN NULL WHEN 'NS' THEN NULL
    WHEN 'B' THEN 'below_standard' WHEN 'N' THEN CASE WHEN mark > 0 THEN NULL
        ELSE 'below_standard' END
    WHEN 'A' THEN 'absent' WHEN 'T' THEN 'disapplied' WHEN 'J' THEN 'not_entered'
    WHEN 'M' THEN 'other' WHEN 'Q' THEN 'annulled'
    WHEN 'CA' THEN CASE WHEN mark IS NULL THEN 'other' END END"""


def results(folder: Path, rules: Rules) -> Iterator[str]:
    """One record a pupil and year: national first, then with a result, then the highest."""
    for stage, years, value in (
        ("ks2", (2018, 2019), "KS2_READMRK::DOUBLE AS mark, KS2_READOUTCOME AS outcome"),
        ("ks4", (2023, 2024), "TRY_CAST(KS4_ATT8 AS DOUBLE) AS mark, NULL AS outcome"),
    ):
        up = stage.upper()
        parts = [
            f"SELECT {up}_PupilMatchingRefAnonymous AS id, right({up}_ACADYR, 4)::INT AS year, "
            f"{up}_NATRES AS national, {value} FROM {raw(f'{stage}_{year}.csv')}"
            for year in years
        ]
        yield f"""CREATE TABLE {stage} AS SELECT id, year, status,
                CASE WHEN status IS NULL THEN mark END AS mark
            FROM (SELECT *, {STATUS} AS status FROM ({" UNION ALL ".join(parts)}))
            QUALIFY row_number() OVER (PARTITION BY id, year ORDER BY
                coalesce(national = '1', false) DESC,
                CASE WHEN status IS NULL THEN mark END DESC NULLS LAST) = 1"""


def exclusions(folder: Path, rules: Rules) -> Iterator[str]:
    """Sessions of a year over all schools; zero for a pupil on a census and not in the extract."""
    parts = [
        f"SELECT PupilMatchingRefAnonymous_ex{y} AS id, 20{y} AS year, "
        f"TotalFixedSessions_ex{y}::DOUBLE AS lost FROM {raw(f'exclusions_20{y}.csv')}"
        for y in (18, 19, 20)
    ]
    yield f"""CREATE TABLE suspended AS
        WITH said AS (SELECT id, year, sum(lost) AS lost FROM ({" UNION ALL ".join(parts)})
                      GROUP BY ALL)
        SELECT * FROM said UNION ALL
        SELECT DISTINCT id, year, 0.0 FROM census
        WHERE (id, year) NOT IN (SELECT (id, year) FROM said)
        """


def time_zero(folder: Path, rules: Rules) -> Iterator[str]:
    """Entry to the school of the first record in Year 7, else that year's 1 September."""
    yield """CREATE TABLE zero AS
        SELECT id, urn, year AS t, sen,
            greatest(make_date(year - 1, 9, 1), coalesce(entry, make_date(year - 1, 9, 1))) AS zero
        FROM census WHERE grade = '7'
        QUALIFY row_number() OVER (PARTITION BY id ORDER BY day) = 1"""
    yield """CREATE TABLE needs AS
        WITH early AS (SELECT c.* FROM census c JOIN zero z USING (id) WHERE c.year <= z.t)
        SELECT id, arg_min(need1, day) FILTER (need1 IS NOT NULL) AS need1,
            (array_agg(need2 ORDER BY day)
                FILTER (need1 IS NOT NULL OR need2 IS NOT NULL))[1] AS need2
        FROM early GROUP BY id HAVING need1 IS NOT NULL OR need2 IS NOT NULL"""


def spells(folder: Path, rules: Rules) -> Iterator[str]:
    """Spells from flags, by the definition in docs/methods/placement.md."""
    yield """CREATE TABLE seen AS SELECT id, year, day, urn, entry,
            CASE WHEN roll = '0' THEN 'none'
                 WHEN unit = '1' AND provision = '1' THEN 'sen_unit_and_resourced_provision'
                 WHEN unit = '1' THEN 'sen_unit'
                 WHEN provision = '1' THEN 'resourced_provision'
                 WHEN unit IS NOT NULL OR provision IS NOT NULL THEN 'none' END AS state
        FROM census WHERE urn IS NOT NULL"""
    yield """CREATE TABLE flagged AS
        SELECT f.id, f.year, f.day, f.urn, f.state, any_value(f.entry) AS entry,
            max(o.day) FILTER (o.day < f.day) AS out, min(o.day) FILTER (o.day > f.day) AS next_out
        FROM seen f LEFT JOIN seen o
            ON o.id = f.id AND (o.urn <> f.urn OR o.state <> f.state)
        WHERE f.state <> 'none' GROUP BY f.id, f.year, f.day, f.urn, f.state"""
    wanted = list(rules.types)
    if {"sen_unit", "resourced_provision"} & set(wanted):
        wanted.append("sen_unit_and_resourced_provision")
    counts = f"state IN ({', '.join(map(repr, wanted))})" if wanted else "true"
    yield f"""CREATE TABLE runs AS
        SELECT id, urn, state, {counts} AS counts, min(day) AS first_in, out,
            min(next_out) AS next_out,
            CASE WHEN min(next_out) IS NOT NULL THEN max(day) END AS ends
        FROM flagged GROUP BY id, urn, state, out"""
    # The entry that counts is the one of the first census that saw the flag.
    yield """CREATE TABLE spells AS
        SELECT r.*, CASE WHEN r.out IS NULL THEN coalesce(f.entry, r.first_in)
            ELSE least(r.first_in, greatest(r.out + 1, coalesce(f.entry, r.out + 1))) END AS starts
        FROM runs r JOIN flagged f
            ON f.id = r.id AND f.urn = r.urn AND f.state = r.state AND f.day = r.first_in"""
    yield f"""CREATE TABLE hosts AS SELECT urn, year FROM seen WHERE state <> 'none' AND {counts}
        GROUP BY ALL HAVING count(DISTINCT id) >= {rules.host_at_least}"""
    yield f"""CREATE TABLE already AS SELECT id FROM
        (SELECT * FROM seen QUALIFY row_number() OVER (PARTITION BY id ORDER BY day) = 1)
        WHERE state <> 'none' AND {counts}"""


def arms_at(asked: str, grace: int) -> str:
    """Give the arm of each id of a table on its day d, at its urn, in its school year."""
    year_of = "year({0}) + (month({0}) >= 9)::INT"
    return f"""SELECT a.id, a.year, a.urn, a.d,
        CASE WHEN bool_or(s.counts) THEN 'base' WHEN bool_or(s.id IS NOT NULL) THEN NULL
             WHEN a.urn IS NULL THEN NULL
             WHEN (a.urn, a.year) IN (SELECT (urn, year) FROM hosts) THEN 'host_mainstream'
             ELSE 'non_host' END AS arm,
        coalesce(bool_or(s.id IS NOT NULL AND NOT s.counts), false) AS other_type
        FROM {asked} a LEFT JOIN spells s ON s.id = a.id
            AND s.starts <= a.d + {grace}
            -- A census of a later school year is never read.
            AND {year_of.format("s.first_in")} <= a.year
            -- A census after the grace shows an earlier start, unless one since d saw them out.
            AND (s.first_in <= a.d + {grace} OR s.out IS NULL OR s.out < a.d)
            AND NOT coalesce(s.ends < a.d AND {year_of.format("s.next_out")} <= a.year, false)
        GROUP BY a.id, a.year, a.urn, a.d"""


def fates(folder: Path, rules: Rules) -> Iterator[str]:
    """The first reason that applies, in the order of docs/methods/cohort.md; else the arm."""
    tests = {
        "primary": ("need1 IS NULL", "need1 = 'ASD'"),
        "secondary": ("need2 IS NULL", "need2 = 'ASD'"),
        "either": (
            "need1 IS NULL AND need2 IS NULL",
            "coalesce(need1 = 'ASD', false) OR coalesce(need2 = 'ASD', false)",
        ),
    }
    none, right = tests[rules.need_rule]
    ehcp = {
        "any": "false",
        "only": "coalesce(sen <> 'E', true)",
        "none": "coalesce(sen = 'E', false)",
    }
    gone = "already" if rules.exclude_already else "false"
    yield "CREATE TABLE asked AS SELECT id, urn, t AS year, zero AS d FROM zero"
    yield f"CREATE TABLE at_entry AS {arms_at('asked', rules.grace)}"
    yield f"""CREATE TABLE judged AS
        WITH ever AS (SELECT id, bool_or(consent = '0') AS refused,
                          bool_or(withdrawn IS NOT NULL) AS withdrew FROM census GROUP BY id),
        facts AS (SELECT e.id, z.urn, z.t, z.zero, z.sen, n.need1, n.need2, a.arm, a.other_type,
                e.id IN (SELECT id FROM already) AS already,
                CASE WHEN refused THEN 'consent' WHEN withdrew THEN 'withdrawn'
                     WHEN z.id IS NULL THEN 'year group' END AS first_reason,
                CASE WHEN {ehcp[rules.ehcp]} THEN 'ehcp'
                     WHEN z.t NOT BETWEEN {rules.first_year} AND {rules.last_year} THEN 'cohort'
                END AS second_reason
            FROM ever e LEFT JOIN zero z USING (id) LEFT JOIN needs n USING (id)
                LEFT JOIN at_entry a USING (id))
        SELECT *, CASE WHEN z_urn_missing THEN 'no school' WHEN {gone} THEN 'already'
                       WHEN other_type AND arm IS NULL THEN 'other type' END AS last_reason
        FROM (SELECT *, urn IS NULL AS z_urn_missing FROM facts)"""
    yield f"""CREATE TABLE fate AS SELECT id, t, zero, urn, already, reason,
            CASE WHEN reason IS NULL THEN arm END AS arm
        FROM (SELECT *, coalesce(first_reason, CASE WHEN {none} THEN 'no need'
            WHEN NOT ({right}) THEN 'need' END, second_reason, last_reason) AS reason
            FROM judged)"""
    rows = [
        f"SELECT '{rule}' AS rule, {rule == rules.need_rule} AS used, count(*) AS pupils, "
        f"count(DISTINCT urn) AS schools FROM judged WHERE first_reason IS NULL "
        f"AND second_reason IS NULL AND last_reason IS NULL AND ({test})"
        for rule, (_, test) in tests.items()
    ]
    yield f"CREATE TABLE need_rules AS {' UNION ALL '.join(rows)}"

    yield """CREATE TABLE asked_yearly AS SELECT id, urn, year, make_date(year - 1, 9, 1) AS d
        FROM seen QUALIFY row_number() OVER (PARTITION BY id, year ORDER BY day) = 1"""
    yield f"CREATE TABLE yearly AS {arms_at('asked_yearly', rules.grace)}"
    yield """CREATE TABLE movements AS SELECT CAST(y.year - f.t + 1 AS VARCHAR) AS wave, f.arm,
            coalesce(a.arm, CASE WHEN c.id IS NULL THEN 'not seen' ELSE 'in no arm' END)
                AS arm_then,
            count(*) AS pupils, count(DISTINCT f.urn) AS schools
        FROM fate f JOIN (SELECT DISTINCT year FROM census) y ON y.year >= f.t
            LEFT JOIN yearly a ON a.id = f.id AND a.year = y.year
            LEFT JOIN (SELECT DISTINCT id, year FROM census) c ON c.id = f.id AND c.year = y.year
        WHERE f.arm IS NOT NULL GROUP BY ALL"""


def before(folder: Path, rules: Rules) -> Iterator[str]:
    """Each covariate's last value on or before time zero."""
    last = (
        "(SELECT {what} FROM {table} x WHERE x.id = f.id AND x.{what} IS NOT NULL AND {day} <= zero"
        " ORDER BY {day} DESC LIMIT 1)"
    )
    yield """CREATE TABLE missed AS SELECT id, year, 1 - share AS absence FROM sessions"""
    taken = {
        "sex": "(SELECT any_value(sex) FROM census x WHERE x.id = f.id)",
        "fsm": last.format(what="fsm", table="census", day="x.day"),
        "ks2_reading": last.format(what="mark", table="ks2", day="make_date(x.year, 5, 15)"),
        "absence_share": last.format(
            what="absence", table="missed", day="make_date(x.year, 8, 31)"
        ),
        "idaci": last.format(what="idaci", table="census", day="x.day"),
    }
    named = ", ".join(f"{query} AS {name}" for name, query in taken.items())
    yield f"""CREATE TABLE covariates AS
        SELECT id, urn, arm, {named} FROM fate f WHERE arm IS NOT NULL"""
    # Of who has no mark: the code of the last record before time zero, or that there is none.
    yield """CREATE TABLE no_mark AS SELECT c.arm, coalesce(k.why, 'no row') AS reason,
            count(*) AS missing
        FROM covariates c JOIN fate f USING (id) LEFT JOIN
            (SELECT x.id, coalesce(x.status, 'blank') AS why FROM ks2 x JOIN fate g ON g.id = x.id
             WHERE make_date(x.year, 5, 15) <= g.zero
             QUALIFY row_number() OVER (PARTITION BY x.id ORDER BY x.year DESC) = 1) k
            ON k.id = c.id WHERE c.ks2_reading IS NULL GROUP BY ALL"""


def afterwards(folder: Path, rules: Rules) -> Iterator[str]:
    """Outcomes by wave, and who is lost."""
    # Later than 30 September, time zero divides its school year.
    yield """CREATE TABLE levels AS
        -- Sums with compensation, and the squares about the mean: exact to the last digits.
        WITH means AS (SELECT year, fsum(share) / count(share) AS m FROM sessions GROUP BY year),
        norm AS (SELECT year, m, sqrt(fsum((share - m) ** 2) / (count(share) - 1)) AS s
                 FROM sessions JOIN means USING (year) GROUP BY year, m),
        rows AS (
            SELECT id, year, 'attendance' AS outcome, (share - m) / s AS value, true AS yearly
            FROM sessions JOIN norm USING (year) UNION ALL
            SELECT id, year, 'suspensions', lost, true FROM suspended UNION ALL
            SELECT id, year, 'attainment', mark, false FROM ks4)
        SELECT f.id, f.urn, f.arm, r.year - f.t + 1 AS wave, r.outcome, r.value
        FROM rows r JOIN fate f USING (id) WHERE f.arm IS NOT NULL AND r.value IS NOT NULL
          AND r.year >= f.t - 1
          AND NOT (yearly AND r.year = f.t AND f.zero > make_date(f.t - 1, 9, 30))"""
    yield """CREATE TABLE outcomes AS
        SELECT id, urn, arm, CAST(wave AS VARCHAR) AS wave, outcome, 'level' AS form, value
        FROM levels UNION ALL
        SELECT a.id, a.urn, a.arm, CAST(a.wave AS VARCHAR), a.outcome, 'change', a.value - b.value
        FROM levels a JOIN levels b ON a.id = b.id AND b.outcome = 'attendance' AND b.wave = 0
        WHERE a.outcome = 'attendance' AND a.wave > 0"""
    yield """CREATE TABLE followed AS SELECT CAST(y.year - f.t + 1 AS VARCHAR) AS wave,
            (f.id, y.year) NOT IN (SELECT (id, year) FROM census) AS lost, c.*
        FROM fate f JOIN (SELECT DISTINCT year FROM census) y ON y.year >= f.t
            JOIN covariates c USING (id)"""
    parts = [
        "SELECT wave, arm, '' AS covariate, '' AS level, NULL::DOUBLE AS x, true AS has, lost "
        "FROM followed"
    ]
    parts += [
        f"SELECT wave, arm, '{name}', '', {name}, {name} IS NOT NULL, lost FROM followed"
        for name in ("fsm", "ks2_reading", "absence_share", "idaci")
    ]
    parts += [
        f"SELECT wave, arm, 'sex', '{level}', (sex = '{level}')::DOUBLE, "
        f"coalesce(sex = '{level}', false), lost FROM followed"
        for level in "FM"
    ]
    yield f"""CREATE TABLE attrition AS
        SELECT wave, arm, covariate, level, count(*) AS pupils, sum(lost::INT) AS lost,
            count(*) FILTER (has AND NOT lost) AS n_stayed,
            count(*) FILTER (has AND lost) AS n_lost,
            (fsum(x) FILTER (lost) / count(x) FILTER (lost)
             - fsum(x) FILTER (NOT lost) / count(x) FILTER (NOT lost)) / stddev_samp(x) AS smd
        FROM ({" UNION ALL ".join(parts)}) GROUP BY wave, arm, covariate, level"""
