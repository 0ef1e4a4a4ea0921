"""A trust's own files, with a column map and no Python written, become a report."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import stat
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest

import baseeval as be

BASE, HOST, NON_HOST = "base", "host_mainstream", "non_host"
HOSTS, OTHERS = ("100001", "100002", "100003"), tuple(f"10000{n}" for n in range(4, 9))

#: Six weeks of school, spread over the year, from their Mondays.
WEEKS = [
    dt.date(2025, 9, 8),
    dt.date(2025, 11, 10),
    dt.date(2026, 1, 12),
    dt.date(2026, 3, 9),
    dt.date(2026, 5, 11),
    dt.date(2026, 6, 22),
]
DAYS = [monday + dt.timedelta(days=day) for monday in WEEKS for day in range(5)]

#: What the register writes, and whether the session was attended (1), missed (0) or not possible.
MARKS = {"/": 1, "\\": 1, "L": 1, "B": 1, "I": 0, "M": 0, "O": 0, "C2": 0, "Y1": None, "#": None}

HEADINGS = ["Surname", "Forename", "UPN", "School No", "Yr", "Gender", "DOB", "SEN"]
HEADINGS += ["Main need", "FSM?", "Provision", "Base start date"]

STUDY = """
[study]
name = "trust"
title = "Our bases and attendance"

[data]
source = "mis"
pseudonym_key = "pupils.key"

[data.files]
marks = "marks.csv"

[data.files.pupils]
file = "Students.xlsx"
sheet = "Report 1"
set = { year = 2026, recorded = 2025-09-01 }

[data.columns.pupils]
urn = "School No"
year_group = "Yr"
sen_provision = "SEN"
primary_need = "Main need"
fsm = "FSM?"

[data.values.pupils.primary_need]
"Autism (ASC)" = "ASD"
"Speech & language" = "SLCN"

[data.values.pupils.fsm]
"Free meals" = "yes"
"-" = "no"

[data.base]
column = "Provision"
is = ["ASD base", "SRB"]
start = "Base start date"

[data.columns.marks]
pupil_id = "Student UPN"
date = "Day"
session = "Half day"
mark = "Mark"

[eligibility]
needs = ["ASD"]
time_zero = "fixed_date"
date = 2025-09-01

[[outcomes]]
name = "attendance"
kind = "sessions"
attended = "sessions_attended"
possible = "sessions_possible"
better = "higher"

[[outcomes]]
name = "persistent_absence"
kind = "binary"
attended = "sessions_attended"
possible = "sessions_possible"
missed_at_least = 0.1
better = "lower"

[covariates]
adjust = ["sex", "fsm", "birth_year"]

[design]
methods = ["entropy"]

[analysis]
models = ["unadjusted", "multilevel"]
"""


@dataclass
class Trust:
    """What was planted: who is in which arm, and the marks of everybody."""

    folder: Path
    arms: dict[str, str] = field(default_factory=dict)
    undated: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    marks: dict[str, list[str]] = field(default_factory=dict)

    @property
    def study(self) -> Path:
        return self.folder / "study.toml"


def serial(day: dt.date) -> int:
    """Count a day as a spreadsheet does."""
    return (day - dt.date(1899, 12, 30)).days


def make_trust(folder: Path, undated: int = 0) -> Trust:
    """Draw a trust of eight schools and write its two files."""
    rng = np.random.default_rng(20260901)
    trust = Trust(folder)
    rows: list[list[object]] = []
    for school in (*HOSTS, *OTHERS):
        hosts = school in HOSTS
        for number in range(44 if hosts else 40):
            upn = f"Z{school}{number:05d}X"
            eligible = number < (36 if hosts else 29)
            in_base = hosts and number < 14
            surname = f"Quillfeather{len(rows)}"
            trust.names.append(surname)
            start: object = ""
            provision: object = "Mainstream" if hosts else None
            if in_base:
                provision = "ASD base" if number % 2 else "srb "
                day = dt.date(2025, 9, 3) if number % 3 else dt.date(2024, 9, 4)
                start = serial(day) if number % 2 else day
            if hosts and number == 14:  # began in November: of the mainstream on 1 September
                provision, start = "ASD base", dt.date(2025, 11, 10)
            if in_base and len(trust.undated) < undated:
                start = None
                trust.undated.append(upn)
            elif eligible:
                trust.arms[upn] = BASE if in_base else HOST if hosts else NON_HOST
            rows.append(
                [
                    surname,
                    "Ada" if number % 2 else "Alan",
                    upn if number % 4 else f" {upn}",
                    school,
                    f"Year {7 + number % 3}",
                    "Girl" if rng.random() < 0.4 else "Boy",
                    serial(dt.date(2014 - number % 3, 1 + number % 12, 3)),
                    "E - Education, Health and Care Plan" if in_base else "K - SEN Support",
                    "Autism (ASC)" if eligible else "Speech & language",
                    "Free meals" if rng.random() < 0.3 else "-",
                    provision,
                    start,
                ]
            )
    write_book(folder / "Students.xlsx", rows)
    write_marks(folder / "marks.csv", trust, [str(row[2]).strip() for row in rows], rng)
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    return trust


def write_book(path: Path, rows: list[list[object]]) -> None:
    book = openpyxl.Workbook()
    cover = book.active
    assert cover is not None
    cover.title = "Cover"
    cover.append(["Confidential: for the SENCo"])
    book.create_sheet("Notes").append(["Year", "Term"])
    sheet = book.create_sheet("Report 1")
    sheet.append(["Students of the trust", None, "printed 1 September 2025"])
    sheet.append([])
    sheet.append(HEADINGS)
    for row in rows:
        sheet.append(row)
    book.save(path)


def write_marks(path: Path, trust: Trust, upns: list[str], rng: np.random.Generator) -> None:
    codes = list(MARKS)
    lines = ["Student UPN,Day,Half day,Mark"]
    for upn in upns:
        missing = 0.14 if trust.arms.get(upn) == NON_HOST else 0.09
        share = [0.4, 0.39, 0.06, 0.04, *[missing / 4] * 4, 0.01, 0.01]
        drawn = rng.choice(len(codes), size=2 * len(DAYS), p=np.array(share) / sum(share))
        trust.marks[upn] = [codes[code] for code in drawn]
        lines += [
            f"{upn},{day:%d/%m/%Y},{half},{codes[drawn[2 * at + (half == 'PM')]]}"
            for at, day in enumerate(DAYS)
            for half in ("AM", "PM")
        ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def baseeval(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "baseeval", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    """Give a trust whose study has been run by the command alone."""
    made = make_trust(tmp_path_factory.mktemp("trust"))
    for step in (("key", made.folder / "pupils.key"), ("check", made.study), ("run", made.study)):
        outcome = baseeval(*step)
        assert outcome.returncode == 0, (step, outcome.stdout, outcome.stderr)
    return made


def test_the_files_become_a_report_that_may_leave(trust: Trust) -> None:
    out = trust.folder / "output"

    assert (out / "report.html").is_file()
    results = pd.read_csv(out / "results.csv")
    assert set(results["contrast"]) == {"base_vs_host", "base_vs_non_host", "host_vs_non_host"}
    assert set(results["outcome"]) == {"attendance", "persistent_absence"}
    assert results["estimate"].notna().all()
    assert be.screen(out) == []


def test_the_arms_are_those_that_were_planted(trust: Trust) -> None:
    cohort = be.build_cohort(be.read_study(trust.study))

    planted = pd.Series(trust.arms).value_counts().to_dict()
    assert cohort.sizes == planted == {BASE: 42, HOST: 66, NON_HOST: 145}
    flow = cohort.flow.table
    left_out = flow[flow["step"] == "Left out"].set_index("reason")["pupils"].to_dict()
    assert left_out == {"the type of need first recorded is not an eligible one": 79}
    # Dates as numbers and as days, words of the trust's own: all of them were understood.
    held = cohort.engine.collect(cohort.covariates, ["pupil"]).to_pandas()
    assert set(held["birth_year"]) == {2012, 2013, 2014}
    assert held[["sex", "fsm"]].notna().all().all()


def test_sessions_are_those_that_a_hand_would_count(trust: Trust) -> None:
    secret = bytes.fromhex((trust.folder / "pupils.key").read_text().strip())
    cohort = be.build_cohort(be.read_study(trust.study))
    held = cohort.engine.collect(cohort.outcomes, ["pupil"]).to_pandas()
    values = held.set_index(["outcome", "pupil"])["value"]

    for upn in list(trust.arms)[::37]:
        counted = [MARKS[mark] for mark in trust.marks[upn]]
        possible = [mark for mark in counted if mark is not None]
        share, pupil = sum(possible) / len(possible), pseudonym(secret, upn)
        assert values["attendance", pupil] == pytest.approx(share)
        assert values["persistent_absence", pupil] == (share <= 0.9)


def pseudonym(secret: bytes, upn: str) -> str:
    return hmac.new(secret, upn.encode(), hashlib.sha256).hexdigest()[:20]


def test_nothing_of_a_pupil_leaves_and_nothing_but_pseudonyms_stays(trust: Trust) -> None:
    secret = (trust.folder / "pupils.key").read_text().strip()
    told = [*trust.names, *trust.marks, secret]
    private = trust.folder / "output.restricted"
    files = [p for d in (trust.folder / "output", private) for p in d.rglob("*") if p.is_file()]
    assert len(files) > 5
    for path in files:
        held = path.read_bytes()
        assert not [word for word in told if word.encode() in held], path.name

    weights = [pd.read_parquet(path) for path in private.glob("weights_*.parquet")]
    assert weights
    known = {pseudonym(bytes.fromhex(secret), upn) for upn in trust.arms}
    for table in weights:
        assert set(table["pupil"]) <= known
    shown = json.loads((trust.folder / "output" / "manifest.json").read_text())["plan"]["data"]
    assert shown["pseudonym_key"] == "pupils.key"
    # What the files call schools and words is not told, nor what is said for a whole file.
    assert all(isinstance(n, int) for own in shown["values"].values() for n in own.values())
    assert all(isinstance(part, str) for part in shown["files"]["pupils"].get("set", []))
    assert stat.S_IMODE((trust.folder / "pupils.key").stat().st_mode) == 0o600


def test_a_place_without_a_first_day_is_asked_for_and_never_made_up(tmp_path: Path) -> None:
    trust = make_trust(tmp_path, undated=3)
    be.make_key(tmp_path / "pupils.key")

    cohort: Any = be.build_cohort(be.read_study(trust.study))

    assert cohort.sizes == {BASE: 39, HOST: 66, NON_HOST: 145}
    flow = cohort.flow.table
    reasons = flow[flow["step"] == "Left out"].set_index("reason")["pupils"].to_dict()
    assert reasons.pop("the first day in the base is not known") == 3
    [asked] = [f for f in cohort.faults if f.rule == "placed_without_start"]
    assert (asked.count, asked.column, asked.stops) == (3, "Base start date", False)
    assert "Fill in `Base start date`" in asked.remedy
