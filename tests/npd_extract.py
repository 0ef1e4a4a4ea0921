"""Extracts of the National Pupil Database as tests write them: by hand, and by seed."""

# ruff: noqa: E501  (the tables are as wide as the extracts)

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from baseeval.engine.duckdb_engine import Engine
from baseeval.sources.crosswalk import load_crosswalk
from baseeval.sources.gathering import gather_files
from baseeval.sources.npd import NPD_FILES, read_npd
from baseeval.sources.tables import ReadOptions

PATTERNS = {key: f"{key}_*.csv" for key in NPD_FILES}

ORDERS = {
    "pupils": ("pupil_id", "year", "term", "urn"),
    "attendance": ("pupil_id", "year"),
    "attainment": ("pupil_id", "year", "measure"),
    "exclusions": ("pupil_id", "year"),
}


@dataclass(frozen=True)
class Found:
    """What was read: each table as Arrow, and every fault's rule, column and count."""

    tables: Mapping[str, Any]
    faults: tuple[Any, ...]

    def rows(self, table: str, *names: str) -> list[tuple[Any, ...]]:
        found = self.tables[table]
        columns = [found.column(name).to_pylist() for name in names]
        return list(zip(*columns, strict=True))

    def counts(self) -> dict[tuple[str, str, str], int]:
        return {(f.file.split("_")[0], f.column, f.rule): f.count for f in self.faults}


def read(
    folder: Path, options: ReadOptions | None = None, memory_limit: str | None = None
) -> Found:
    """Read the extracts of a folder, each table in the order of its key."""
    given = {key: pattern for key, pattern in PATTERNS.items() if any(folder.glob(pattern))}
    with Engine(memory_limit=memory_limit) as engine:
        gathered = {
            key: gather_files(
                pattern, folder, load_crosswalk(NPD_FILES[key]), engine, f"[data.files] `{key}`"
            )
            for key, pattern in given.items()
        }
        engine.shut()
        tables = read_npd(gathered, engine, options or ReadOptions())
        found = {
            name: engine.collect(frame, list(ORDERS[name])) for name, frame in tables.frames.items()
        }
    return Found(found, tables.faults)


def write_text(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files whose first line is the header; spaces around commas are for the eye, · is one."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        lines = [line for line in text.strip().splitlines() if line.strip()]
        cells = [[cell.strip().replace("·", " ") for cell in line.split(",")] for line in lines]
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(cells)
    return folder


def write_columns(path: Path, columns: Mapping[str, Sequence[Any]], order: Iterable[int]) -> None:
    """Write a CSV file of columns, rows in a stated order; None is an empty cell."""
    rows = list(zip(*columns.values(), strict=True))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([["" if c is None else c for c in rows[i]] for i in order])


# ----------------------------------------------------------------------------------------
# A dozen pupils, each with a trap or two; what becomes of them is written out in the test
# ----------------------------------------------------------------------------------------

WORKED = {
    "census_2021_spring.csv": """
PupilMatchingRefAnonymous_SPR21, URN_SPR21, Gender_SPR21, YearOfBirth_SPR21, NCyearActual_SPR21, EnrolStatus_SPR21, OnRoll_SPR21, SENprovision_SPR21, SENneed1_SPR21, SENneed2_SPR21, EverFSM_6_SPR21
P01, 100001, M, 2010, 5,    C, 1, K, ASD,  SLCN, 1
P07, 100001, F, 2010, 5,    C, 1, A, BESD, ,     0
P09, 100001, M, 2009, N1,   C, 1, N, ,     ,     0
""",
    "census_2022_autumn.csv": """
pupilmatchingrefanonymous_aut22, urn_aut22, gender_aut22, yearofbirth_aut22, ncyearactual_aut22, enrolstatus_aut22, onroll_aut22, senprovision_aut22
P01, 100001, M, 2010, 6,  C, 1, K
P02, 100002, F, 2010, 6,  C, 1, E
P07, 100001, F, 2010, 6,  C, 1, P
P09, 100001, F, 2010, R,  C, 1, N
""",
    "census_2022_spring.csv": """
PupilMatchingRefAnonymous_SPR22, URN_SPR22, Gender_SPR22, YearOfBirth_SPR22, NCyearActual_SPR22, EnrolStatus_SPR22, OnRoll_SPR22, SENprovision_SPR22, PrimarySENtype_SPR22, SecondarySENtype_SPR22, EverFSM_6_SPR22
P01, 100001, M, 2010, 6,  C, 1, E, BESD, ASD, 1
P02, 100002, F, 2010, 06, C, 1, E, SLCN, ,    0
P03, 100001, M, 2010, 6,  S, 1, K, MLD,  ,    0
P03, 100002, M, 2010, 6,  M, 1, K, ASD,  ,    0
P04, 100003, F, 2010, 6,  S, 1, K, HI,   ,    0
P05, 100001, M, 2010, 6,  C, 0, K, VI,   ,    0
P05, 100004, M, 2010, 6,  C, 1, K, PD,   ,    0
P06, 100005, F, 2010, 6,  C, 1, K, OTH,  ,    0
P06, 100003, F, 2010, 6,  C, 1, K, DS,   ,    0
P07, 100001, F, 2010, 6,  C, 1, S, ,     ,    0
P08, 100006, M, 2005, 11, C, 1, e, ASD,  ,    0
P09, 100001, M, 2010, 7·, C, 1, N, ,  ,   0
P10, 100007, F, 2006, 10, G, 1, N, ,     ,    0
P10, 100006, F, 2006, 10, S, 0, N, ,     ,    0
P11, 100001, F, 2010, 6,  C, 1, , ,      ,    0
P12, 100006, M, 2006, X,  C, 1, Q, ZZZ,  ,    1
""",
    "census_2022_summer.csv": """
PupilMatchingRefAnonymous_SUM22, URN_SUM22, Gender_SUM22, NCyearActual_SUM22, EnrolStatus_SUM22, OnRoll_SUM22, SENprovision_SUM22
P01, 100001, M, 6,  C, 1, E
P08, 100006, M, 11, C, 1, E
P13, 100008, M, 4,  C, 1, N
""",
    "census_2023_autumn.csv": """
PupilMatchingRefAnonymous_AUT23, URN_AUT23, Sex_AUT23, NCyearActual_AUT23, EnrolStatus_AUT23, OnRoll_AUT23, SENprovision_AUT23
P01, 100006, M, 07, C, 1, E
P07, 100006, F, 7,  C, 1,
P11, 100006, F, 7,  C, 1, N
""",
    "census_2023_spring.csv": """
PupilMatchingRefAnonymous_SPR23, URN_SPR23, Sex_SPR23, NCyearActual_SPR23, EnrolStatus_SPR23, OnRoll_SPR23, SENprovision_SPR23, PrimarySENtype_SPR23, EverFSM_6_SPR23
P01, 100006, M, 7, C, 1, E, SEMH, 1
""",
    # The year as a whole, under the older names.
    "absence_2021.csv": """
PupilMatchingRefAnonymous_ab21, URN_ab21, NCyearActual_ab21, ABS_SessionsPossible_3Term_ab21, ABS_AuthorisedAbsence_3Term_ab21, ABS_UnauthorisedAbsence_3Term_ab21, ABS_OverallAbsence_3Term_ab21
P01, 100001, 5,  300, 10, 5, 15
P08, 100006, 11, 310, 4,  2, 6
""",
    "absence_2022.csv": """
PupilMatchingRefAnonymous_ab22, URN_ab22, SessionsPossible_Autumn_ab22, SessionsPossible_Spring_ab22, SessionsPossible_Summer_ab22, SessionsPossible_Summer6th_ab22, SessionsPossible_Annual_ab22, AuthorisedAbsence_Autumn_ab22, AuthorisedAbsence_Spring_ab22, AuthorisedAbsence_Summer_ab22, AuthorisedAbsence_Summer6th_ab22, UnauthorisedAbsence_Autumn_ab22, UnauthorisedAbsence_Spring_ab22, UnauthorisedAbsence_Summer_ab22, UnauthorisedAbsence_Summer6th_ab22, OverallAbsence_Autumn_ab22, OverallAbsence_Spring_ab22, OverallAbsence_Summer_ab22, OverallAbsence_Summer6th_ab22, TermlyReasonI_Autumn_ab22, TermlyReasonI_Spring_ab22, TermlyReasonI_Summer_ab22, TermlyReasonI_Summer6th_ab22, TermlyReasonM_Autumn_ab22, TermlyReasonM_Spring_ab22, TermlyReasonM_Summer_ab22, TermlyReasonM_Summer6th_ab22
P01, 100001, 140, 120, 50, 60, 370,  4, 3, 2, 1,    1, 0, 0, 0,  5, 3, 2, 1,    3, 2, 1, 0,  1, 1, 0, 0
P03, 100001, 70,  60,  25, 30, ,     2, 2, 0, 0,    0, 0, 0, 0,  2, 2, 0, 0,    1, 0, 0, 0,  0, 0, 0, 0
P03, 100002, 70,  60,  25, 30, ,     1, 0, 0, 0,    3, 0, 0, 0,  4, 0, 0, 0,    0, 0, 0, 0,  1, 0, 0, 0
P04, 100003, 140, 120, 50, 60, ,     2, 2, 2, 2,    0, 0, 0, 0,  9, 2, 2, 2,    0, 0, 0, 0,  0, 0, 0, 0
P08, 100006, 140, 120, 50, 60, 370,  4, 3, 2, 1,    1, 0, 9, 9,  5, 3, 11, 10,  3, 2, 1, 0,  1, 1, 0, 0
P10, 100006, 140, 120, 50, 60, ,     0, 0, 0, 0,    0, 0, 0, 0,  0, 0, 0, 0,    0, 0, 0, 0,  0, 0, 0, 0
P10, 100007, 51,  0,   0,  0,  ,     0, 0, 0, 0,    0, 0, 0, 0,  0, 0, 0, 0,    0, 0, 0, 0,  0, 0, 0, 0
P11, 100001, 10,  0,   0,  0,  ,     6, 0, 0, 0,    5, 0, 0, 0,  11, 0, 0, 0,   6, 0, 0, 0,  0, 0, 0, 0
P12, 100006, 140, 120, 50, 60, ,     1, , 0, 0,     1, , 0, 0,   2, , 0, 0,     0, 0, 0, 0,  0, 0, 0, 0
X01, 100009, 140, 0,   0,  0,  ,     1, 0, 0, 0,    1, 0, 0, 0,  , 0, 0, 0,     0, 0, 0, 0,  0, 0, 0, 0
""",
    "absence_2023.csv": """
PupilMatchingRefAnonymous_ab23, URN_ab23, SessionsPossible_Autumn_ab23, SessionsPossible_Spring_ab23, SessionsPossible_Summer_ab23, OverallAbsence_Autumn_ab23, OverallAbsence_Spring_ab23, OverallAbsence_Summer_ab23
P01, 100006, 140, 120, 110, 10, 20, 30
""",
    "ks2_2022.csv": """
KS2_PupilMatchingRefAnonymous, KS2_NATRES, KS2_READOUTCOME, KS2_READMRK, KS2_READEXP, KS2_MATOUTCOME, KS2_MATMRK, KS2_MATEXP
P01, 1, AS, 33, 1, NS, 40, 0
P02, 1, B,  0,  0, B,  ,   0
P03, 1, A,  0,  0, T,  0,  0
P04, 0, NS, 12, 0, NS, 30, 0
P04, 1, L,  ,   ,  NS, 25, 0
P05, 1, NS, 15, 0, J,  0,  0
P05, 1, NS, 15, 0, NS, 50, 0
P05, 1, NS, 14, 0, NS, 60, 0
P06, 1, N,  2,  0, N,  0,  0
P07, 1, Q,  30, 1, ZZ, 20, 0
P11, 1, CA, 20, 0, CN, ,   0
X02, 1, M,  ,   ,  AS, 99, 1
""",
    "ks4_results.csv": """
KS4_PupilMatchingRefAnonymous, KS4_ACADYR, KS4_NATRES, KS4_ATT8, KS4_P8SCORE, KS4_LEVEL2_EM_94, KS4_HGMATH_91
P08, 2021/2022, 1, 41.5, -0.25, 1, 5
P10, 2022/2023, 1, 0,    ,      0, U
P12, 2019/2020, 1, 38,   0.1,   0, 3
P12, 2020/2021, 1, SUPP, ,      1, 4
P13, 2024/2025, 1, 50,   0.5,   1, 7
P01, 2025/2026, 1, 44,   ,      1, 6
""",
    "exclusions_2022.csv": """
PupilMatchingRefAnonymous_ex22, URN_ex22, TotalFixedExclusions_ex22, TotalFixedSessions_ex22, PermanentExclusionCount_ex22
P12, 100006, 1, 3, 0
P12, 100007, 2, 7, 1
P04, 100003, 0, 2, 0
X01, 100009, 1, 1,
""",
}


# ----------------------------------------------------------------------------------------
# Thousands of pupils by seed, with the same traps sprinkled
# ----------------------------------------------------------------------------------------

CENSUSES = (
    (2021, "SPR"),
    (2022, "AUT"),
    (2022, "SPR"),
    (2022, "SUM"),
    (2023, "AUT"),
    (2023, "SPR"),
)
_SCHOOLS = 60
_NEEDS = ("SPLD", "MLD", "SEMH", "BESD", "besd", "SLCN", "ASD", "DS", "ZZZ", None)
_OUTCOMES = ("AS", "NS", "B", "N", "A", "T", "J", "M", "Q", "CA", "as", "??", None)


def generate(folder: Path, pupils: int, seed: int) -> Path:
    """Write an extract of so many pupils."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(seed)
    ids = np.array([f"P{number:06d}" for number in range(pupils)], dtype=object)
    age = draw.integers(1, 11, pupils)  # year group in 2021
    school = draw.integers(0, _SCHOOLS, pupils)
    sex = draw.choice(np.array(["M", "F"], dtype=object), pupils)
    for year, term in CENSUSES:
        _write_census(folder, draw, (ids, age, school, sex), year, term)
    for year in (2021, 2022, 2023):
        _write_absence(folder, draw, ids, age, year)
    for year in (2019, 2022, 2023):
        _write_ks2(folder, draw, ids, year)
    _write_ks4(folder, draw, ids)
    for year in (2022, 2023):
        _write_exclusions(folder, draw, ids, year)
    return folder


def _pick(draw: Any, options: Sequence[Any], size: int, p: Sequence[float] | None = None) -> Any:
    values = np.empty(len(options), dtype=object)
    values[:] = options
    return values[draw.choice(len(options), size, p=p)]


def _holes(draw: Any, values: Any, rate: float, hole: Any = None) -> Any:
    held = np.array(values, dtype=object)
    held[draw.random(len(held)) < rate] = hole
    return held


def _several(draw: Any, size: int, present: float, rate: float) -> Any:
    """Choose who has a row, and who has two or three."""
    here = np.flatnonzero(draw.random(size) < present)
    twice = draw.choice(here, int(rate * size), replace=True)
    return np.concatenate([here, twice])


def _write_census(folder: Path, draw: Any, people: Any, year: int, term: str) -> None:
    ids, age, school, sex = people
    row = _several(draw, len(ids), 0.9, 0.08)
    size = len(row)
    mark = f"_{term}{year % 100}"
    spell = str.lower if (year, term) == (2022, "AUT") else str
    # Of a pupil and not of a row: who was in Year 11 must not hang on which row is kept.
    group = [
        {0: f"{y:02d}", 1: f"{y} ", 2: "X", 3: None}.get(how, str(y))
        for y, how in zip(age + year - 2021, draw.integers(0, 80, len(ids)), strict=True)
    ]
    place = (school[row] + (draw.random(size) < 0.1) * draw.integers(0, _SCHOOLS, size)) % _SCHOOLS
    columns = {
        "PupilMatchingRefAnonymous": _holes(draw, ids[row], 0.001),
        "Gender" if year < 2023 else "Sex": np.where(
            draw.random(size) < 0.002, np.where(sex[row] == "M", "F", "M"), sex[row]
        ),
        "NCyearActual": np.array(group, dtype=object)[row],
        "EnrolStatus": _pick(draw, ["C", "M", "S", "G", None], size, [0.8, 0.08, 0.08, 0.02, 0.02]),
        "OnRoll": _pick(draw, ["1", "0", None], size, [0.9, 0.08, 0.02]),
    }
    laestab = [f"{3000000 + number}" for number in place]
    if year == 2021:
        columns["LAESTAB"] = laestab
    else:
        columns["LAESTAB"] = laestab
        columns["URN"] = _holes(draw, [f"{100000 + number}" for number in place], 0.003)
    if (year, term) != (2023, "AUT"):
        sen = ("N", "K", "E", "A", "P", "S", "e", "k", "Q", None)
        weights = (0.7, 0.1, 0.04, 0.03, 0.03, 0.03, 0.02, 0.02, 0.01, 0.02)
        columns["SENprovision"] = _pick(draw, sen, size, weights)
    if term == "SPR":
        columns["PrimarySENtype" if year > 2021 else "SENneed1"] = _pick(draw, _NEEDS, size)
        columns["SecondarySENtype" if year > 2021 else "SENneed2"] = _pick(draw, _NEEDS, size)
        columns["EverFSM_6"] = _pick(draw, ["0", "1", None], size)
    write_columns(
        folder / f"census_{year}_{term.lower()}.csv",
        {spell(name + mark): values for name, values in columns.items()},
        draw.permutation(size),
    )


def _write_absence(folder: Path, draw: Any, ids: Any, age: Any, year: int) -> None:
    row = _several(draw, len(ids), 0.9, 0.06)
    who = np.concatenate([ids[row], [f"X{number:04d}" for number in range(len(ids) // 200)]])
    size, mark = len(who), f"_ab{year % 100}"
    terms = {
        2021: ("3Term",),
        2022: ("Autumn", "Spring", "Summer"),
        2023: ("Autumn", "Spring", "Summer", "Summer6th"),
    }[year]
    columns: dict[str, Any] = {"PupilMatchingRefAnonymous": who}
    columns["URN"] = [f"{100000 + number}" for number in draw.integers(0, _SCHOOLS, size)]
    if year == 2023:
        group = np.concatenate([age[row] + 2, np.full(size - len(row), 11)])
        columns["NCyearActual"] = _holes(draw, [str(number) for number in group], 0.2)
    for term in terms:
        possible = draw.integers(
            0, 420 if term == "3Term" else 150 if len(terms) == 3 else 120, size
        )
        authorised = draw.binomial(possible, 0.05)
        unauthorised = draw.binomial(possible, 0.02)
        overall = authorised + unauthorised + (draw.random(size) < 0.01)
        overall = np.where(draw.random(size) < 0.002, possible + 3, overall)
        columns[f"SessionsPossible_{term}"] = _holes(draw, possible, 0.03)
        columns[f"AuthorisedAbsence_{term}"] = _holes(draw, authorised, 0.02)
        columns[f"UnauthorisedAbsence_{term}"] = _holes(draw, unauthorised, 0.01, "c")
        columns[f"OverallAbsence_{term}"] = _holes(draw, overall, 0.03)
        if year == 2023:
            columns[f"TermlyReasonI_{term}"] = draw.binomial(authorised, 0.6)
            columns[f"TermlyReasonM_{term}"] = _holes(draw, draw.binomial(authorised, 0.1), 0.01)
    prefix = "ABS_" if year == 2021 else ""
    named = {
        (prefix if "3Term" in name else "") + name + mark: values
        for name, values in columns.items()
    }
    write_columns(folder / f"absence_{year}.csv", named, draw.permutation(size))


def _write_ks2(folder: Path, draw: Any, ids: Any, year: int) -> None:
    row = _several(draw, len(ids), 0.15, 0.02)
    who = np.concatenate([ids[row], [f"X{number:04d}" for number in range(9)]])
    size = len(who)
    columns: dict[str, Any] = {
        "PupilMatchingRefAnonymous": who,
        "NATRES": _pick(draw, ["1", "0", None], size, [0.9, 0.05, 0.05]),
    }
    for subject in ("READ", "MAT"):
        weights = [0.5, 0.3, *[0.02] * 10, 0.0]
        columns[f"{subject}OUTCOME"] = _pick(draw, _OUTCOMES, size, weights)
        columns[f"{subject}OUTCOME"] = _holes(draw, columns[f"{subject}OUTCOME"], 0.02)
        columns[f"{subject}MRK"] = _holes(draw, draw.integers(0, 50, size), 0.1)
        if year != 2019:
            columns[f"{subject}EXP"] = _holes(draw, draw.integers(0, 2, size), 0.1)
        if year != 2022:
            scaled = np.where(draw.random(size) < 0.1, 0, draw.integers(80, 121, size))
            columns[f"{subject}SCORE"] = _holes(draw, scaled, 0.1)
    named = {f"KS2_{name}": values for name, values in columns.items()}
    write_columns(folder / f"ks2_{year}.csv", named, draw.permutation(size))


def _write_ks4(folder: Path, draw: Any, ids: Any) -> None:
    row = _several(draw, len(ids), 0.5, 0.05)
    size = len(row)
    years = draw.integers(2020, 2027, size)
    write_columns(
        folder / "ks4_results.csv",
        {
            "KS4_PupilMatchingRefAnonymous": ids[row],
            "KS4_ACADYR": [f"{year - 1}/{year}" for year in years],
            "KS4_NATRES": _pick(draw, ["1", "0", None], size, [0.9, 0.05, 0.05]),
            "KS4_ATT8": _holes(draw, draw.integers(0, 900, size) / 10, 0.05, "SUPP"),
            "KS4_P8SCORE": _holes(draw, draw.integers(-400, 400, size) / 100, 0.3),
            "KS4_LEVEL2_EM_94": _holes(draw, draw.integers(0, 2, size), 0.05),
            "KS4_HGMATH_91": _pick(draw, [*map(str, range(1, 10)), "U", "X?", None], size),
        },
        draw.permutation(size),
    )


def _write_exclusions(folder: Path, draw: Any, ids: Any, year: int) -> None:
    row = _several(draw, len(ids), 0.04, 0.01)
    who = np.concatenate([ids[row], [f"X{number:04d}" for number in range(7)]])
    size, mark = len(who), f"_ex{year % 100}"
    columns = {
        "PupilMatchingRefAnonymous": who,
        "URN": [f"{100000 + number}" for number in draw.integers(0, _SCHOOLS, size)],
        "TotalFixedExclusions": _holes(draw, draw.integers(0, 4, size), 0.05),
        "TotalFixedSessions": _holes(draw, draw.integers(0, 20, size), 0.05),
    }
    if year == 2023:
        columns["PermanentExclusionCount"] = _holes(draw, draw.integers(0, 2, size), 0.05)
    named = {name + mark: values for name, values in columns.items()}
    write_columns(folder / f"exclusions_{year}.csv", named, draw.permutation(size))
