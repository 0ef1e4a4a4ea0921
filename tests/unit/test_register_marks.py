"""Registers made into sessions: a dozen pupils by hand, a year by plain Python, and every code."""

from __future__ import annotations

import datetime as dt
import random
import re
from collections import defaultdict

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import baseeval as be
from baseeval.contracts.registry import TABLES
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError, PlanError
from baseeval.plan import plan_from_keys
from baseeval.sources.crosswalk import contract_crosswalk
from baseeval.sources.gathering import gather_files, gather_frames
from baseeval.sources.marks import read_marks
from baseeval.sources.register_codes import KINDS, TALLIES, load_register_codes

NAMES = (
    "sessions_possible",
    "sessions_attended",
    "authorised",
    "unauthorised",
    "overall",
    "illness",
    "medical",
    "part_time",
    "late",
    "not_counted",
)
NEVER = "no such code that year"


class Found:
    """What was read: rows in the order of their key, and every fault."""

    def __init__(self, frame, faults, engine):
        self.rows = engine.collect(frame, ["pupil_id", "year"]).to_pylist()
        self.faults = faults

    def figures(self, *names):
        return {
            (row["pupil_id"], row["year"]): tuple(row[name] for name in names or NAMES)
            for row in self.rows
        }

    def counts(self):
        return {fault.rule: fault.count for fault in self.faults}


def read(columns, codes=None):
    """Read a register that is given as columns of text."""
    with Engine() as engine:
        crosswalk = contract_crosswalk(TABLES["marks"])
        table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
        gathered = gather_frames([engine.table(table)], crosswalk, engine, "marks.csv")
        found = read_marks(gathered, engine, codes)
        return Found(found.frame, found.faults, engine)


def long(rows, names=("pupil_id", "date", "session", "mark")):
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


# ----------------------------------------------------------------------------------------
# By hand
# ----------------------------------------------------------------------------------------

#: Pupil, school, day, morning, afternoon.
WORKED = [
    ("P01", "100001", "2024-07-18", "/", "\\"),
    ("P01", "100001", "2024-08-30", "/", "\\"),
    ("P01", "100001", "2024-09-02", "/", "L"),
    ("P02", "100001", "2024-06-03", "/", "C"),
    ("P02", "100001", "2024-09-03", "/", "C2"),
    ("P02", "100001", "2024-09-04", "/", "C2"),
    ("P02", "100001", "2024-09-05", "C2", "I"),
    ("P03", "100001", "2024-06-03", "J", "\\"),
    ("P03", "100001", "2024-10-03", "J1", "\\"),
    ("P04", "100001", "2024-06-03", "H", "H"),
    ("P04", "100001", "2024-10-03", "H", "\\"),
    ("P05", "100001", "2024-05-03", "K", "G"),
    ("P05", "100001", "2024-10-03", "K", "O"),
    ("P06", "100001", "2024-01-10", "Y", "\\"),
    ("P06", "100001", "2024-10-03", "Y1", "Q"),
    ("P06", "100001", "2024-10-04", "#", "#"),
    ("P07", "100001", "2024-10-03", "D", "D"),
    ("P07", "100001", "2024-10-04", "/", "D"),
    ("P07", "100002", "2024-10-03", "/", "I"),
    ("P08", "100001", "2024-10-03", "N", "\\"),
    ("P08", "100001", "2024-10-03", "I", "\\"),
    ("P08", "100001", "2024-10-04", "N", "U"),
    ("P08", "100001", "2024-10-04", "/", "U"),
    ("P09", "100001", "2024-10-03", "?", "-"),
    ("P09", "100001", "2024-10-04", "/", ""),
    ("P10", "100001", "2025-01-06", "Z", "Z"),
    ("P10", "100001", "2025-01-07", "/", "X"),
    ("P11", "100001", "2020-11-09", "X", "X02"),
    ("P11", "100001", "2020-11-10", "I02", "\\"),
    ("P12", "100001", "2024-10-03", "l", " m "),
    ("P12", "100001", "2024-10-04", "e", "s"),
]

#: possible, attended, authorised, unauthorised, overall, illness, medical, part-time, late,
#: not counted.
EXPECTED = {
    ("P01", 2024): (4, 4, 0, 0, 0, 0, 0, None, 0, 0),  # 30 August is still the year before
    ("P01", 2025): (2, 2, 0, 0, 0, 0, 0, 0, 1, 0),  # late is attended
    ("P02", 2024): (2, 1, 1, 0, 1, 0, 0, None, 0, 0),  # C: nobody can tell a part-time timetable
    ("P02", 2025): (6, 2, 4, 0, 4, 1, 0, 3, 0, 0),
    ("P03", 2024): (2, 2, 0, 0, 0, 0, 0, None, 0, 0),  # an interview was attended
    ("P03", 2025): (2, 1, 1, 0, 1, 0, 0, 0, 0, 0),  # and is now an absence
    ("P04", 2024): (2, 0, 2, 0, 2, 0, 0, None, 0, 0),
    ("P04", 2025): (2, 1, 1, 0, 1, 0, 0, 0, 0, 0),  # H too late: what it last meant
    ("P05", 2024): (2, 1, 0, 1, 1, 0, 0, None, 0, 0),  # K too early: what it first meant
    ("P05", 2025): (2, 1, 0, 1, 1, 0, 0, 0, 0, 0),
    ("P06", 2024): (1, 1, 0, 0, 0, 0, 0, None, 0, 1),
    ("P06", 2025): (0, 0, 0, 0, 0, 0, 0, 0, 0, 4),
    ("P07", 2025): (3, 2, 1, 0, 1, 1, 0, 0, 0, 1),  # D gives way to the other school's mark
    ("P08", 2025): (4, 2, 1, 1, 2, 1, 0, 0, 0, 0),  # I before N, / before N, U once
    ("P09", 2025): (1, 1, 0, 0, 0, 0, 0, 0, 0, 3),  # unread and unmarked: not attended
    ("P10", 2025): (1, 1, 0, 0, 0, 0, 0, 0, 0, 3),  # joined on 7 January
    ("P11", 2021): (2, 1, 1, 0, 1, 1, 0, None, 0, 2),
    ("P12", 2025): (4, 1, 3, 0, 3, 0, 1, 0, 1, 0),
}


def worked_rows():
    return [
        (pupil, urn, day, session, mark)
        for pupil, urn, day, *marks in WORKED
        for session, mark in zip(("AM", "PM"), marks, strict=True)
    ]


@pytest.fixture(scope="module")
def found():
    return read(long(worked_rows(), ("pupil_id", "urn", "date", "session", "mark")))


def test_a_dozen_pupils_across_august_2024(found):
    assert found.figures() == EXPECTED


def test_part_time_sessions_are_unknown_before_there_was_a_code(found):
    whys = {year: why for (_, year), (why,) in found.figures("why:part_time").items()}
    assert whys == {2021: NEVER, 2024: NEVER, 2025: None}
    assert set(found.figures("why:sessions_attended", "why:late").values()) == {(None, None)}


def test_school_and_pandemic(found):
    urns = found.figures("urn")
    assert urns.pop(("P07", 2025)) == (None,)  # two schools
    assert set(urns.values()) == {("100001",)}
    assert {key for key, flag in found.figures("pandemic").items() if flag == (1,)} == {
        ("P11", 2021)
    }


def test_every_fault_by_its_rule_and_count(found):
    assert found.counts() == {
        "unknown_mark": 1,
        "mark_out_of_date": 2,  # H in October 2024, K in May
        "no_mark": 2,
        "different_marks": 2,
        "repeated_mark": 2,
    }
    assert not any(fault.stops for fault in found.faults)
    messages = [str(fault) for fault in found.faults]
    assert messages[0] == (
        "marks.csv, column `mark`: 1 row holds a mark that is not in the table of codes. They "
        "count neither as attended nor as possible: mend them, or read the register with a table "
        "of codes of your own."
    )
    assert any("2 rows hold a code that was not in use that day" in text for text in messages)
    assert any("2 sessions have marks that differ" in text for text in messages)
    assert not re.search(r"P\d\d|10000\d|2024-|\?", " ".join(messages))


def test_a_session_in_every_spelling():
    spelt = ["AM", "PM", "am", "pm", "1", "2", " AM", "evening", ""]
    rows = [("a", f"2024-10-{day + 1:02d}", text, "/") for day, text in enumerate(spelt)]
    found = read(long(rows))

    assert found.figures("sessions_possible") == {("a", 2025): (7,)}
    assert found.counts() == {"unknown_code": 1, "no_value": 1}


def test_dates_of_england_and_rows_of_nobody():
    rows = [
        ("a", "01/09/2024", "AM", "/"),
        ("a", "31-08-2024", "AM", "/"),
        ("a", "31/02/2024", "AM", "/"),
        ("", "2024-10-01", "AM", "/"),
    ]
    found = read(long(rows))

    assert found.figures("sessions_possible") == {("a", 2024): (1,), ("a", 2025): (1,)}
    assert found.counts() == {"not_a_date": 1, "no_value": 1}


def test_over_420_sessions():
    first = dt.date(2024, 9, 1)
    rows = [
        (pupil, str(first + dt.timedelta(days=day)), session, "/")
        for pupil, days in (("most", 210), ("more", 211))
        for day in range(days)
        for session in ("AM", "PM")
    ]
    found = read(long(rows))

    assert found.figures("sessions_possible", "why:sessions_possible", "sessions_attended") == {
        ("most", 2025): (420, None, 420),
        ("more", 2025): (None, "over 420 sessions", None),
    }
    assert found.counts() == {"over_420_sessions": 1}


# ----------------------------------------------------------------------------------------
# Every code
# ----------------------------------------------------------------------------------------

#: What each code counts as, of whichever day it is in use.
MEANT = {
    "present": r"/ \ L",
    "off_site": "B J K P V W",
    "authorised": "C C1 C2 E F H I I01 I02 J1 M R S T",
    "unauthorised": "G N O U",
    "not_possible": "Q X X01 X02 X03 X04 X05 X06 X07 X08 X09 Y Y1 Y2 Y3 Y4 Y5 Y6 Y7 #",
    "elsewhere": "D Z",
    "no_mark": "- *",
}
TALLIED = {"I": "illness", "I01": "illness", "I02": "illness", "M": "medical", "L": "late"}
KIND = {code: kind for kind, codes in MEANT.items() for code in codes.split()}


def test_the_table_holds_together():
    entries = load_register_codes().entries

    assert {entry.code: entry.counts for entry in entries} == KIND
    assert {e.code: e.tally for e in entries if e.tally} == {**TALLIED, "C2": "part_time"}
    assert tuple(MEANT) == KINDS
    assert {entry.tally for entry in entries} == {"", *TALLIES}
    new, old = dt.date(2024, 8, 19), dt.date(2024, 8, 18)
    assert {e.code for e in entries if e.first == new} == {
        *("K", "C1", "C2", "J1", "Q", "Y1", "Y2", "Y3", "Y4", "Y5", "Y6", "Y7")
    }
    assert {e.code for e in entries if e.last == old} == {"H", "J", "Y"}
    assert {e.code for e in entries if e.sure == "M"} == {"Q", *(f"Y{n}" for n in range(1, 8))}


def test_every_code_once_on_a_day_of_its_own():
    entries = load_register_codes().entries
    rows = [
        (f"{n:02d}", str(entry.first or entry.last or dt.date(2023, 10, 2)), "AM", entry.code)
        for n, entry in enumerate(entries)
    ]
    found = read(long(rows))
    by_pupil = {pupil: figures for (pupil, _), figures in found.figures().items()}

    assert found.counts() == {"no_mark": 2}
    for n, entry in enumerate(entries):
        possible, attended, authorised, unauthorised, *_, left = by_pupil[f"{n:02d}"]
        kind = KIND[entry.code]
        assert attended == (kind in ("present", "off_site"))
        assert (authorised, unauthorised) == (kind == "authorised", kind == "unauthorised")
        assert (possible, left) == ((1, 0) if KINDS.index(kind) < 4 else (0, 1))


def test_a_table_of_ones_own(tmp_path):
    own = tmp_path / "codes.toml"
    own.write_text(
        """
        [[codes]]
        code = "?"
        meaning = "Present online, in 2021"
        counts = "present"
        last = 2021-08-31
        [[codes]]
        code = "?"
        meaning = "Absent online, since 2023"
        counts = "unauthorised"
        first = 2023-09-01
        [[codes]]
        code = "x"
        meaning = "As DfE's year-to-date file adds it up"
        counts = "authorised"
        """,
        encoding="utf-8",
    )
    rows = [
        ("a", "2021-05-04", "AM", "?"),
        ("b", "2022-08-31", "AM", "?"),  # 365 days from either: the earlier
        ("c", "2022-09-01", "AM", "?"),  # nearer to the later
        ("d", "2024-05-06", "AM", "?"),
        ("e", "2024-05-06", "AM", "X"),
        ("f", "2024-05-06", "AM", "L"),
    ]
    found = read(long(rows), load_register_codes(own))

    assert {pupil: figures for (pupil, _), figures in found.figures(*NAMES[1:4]).items()} == {
        "a": (1, 0, 0),
        "b": (1, 0, 0),
        "c": (0, 0, 1),
        "d": (0, 0, 1),
        "e": (0, 1, 0),
        "f": (1, 0, 0),
    }
    assert found.counts() == {"mark_out_of_date": 2}


WRONG = {
    "no file": (None, "cannot be read"),
    "no toml": ("codes = [", "cannot be read"),
    "no list": ("codes = 3", "no list of [[codes]]"),
    "key": ('[[codes]]\ncode="A"\nmeaning="m"\ncounts="present"\nsort=1', "`sort` is not a key"),
    "no meaning": ('[[codes]]\ncode="A"\ncounts="present"', "it has no `meaning`"),
    "kind": ('[[codes]]\ncode="A"\nmeaning="m"\ncounts="here"', "`counts` is not one of present"),
    "day": (
        '[[codes]]\ncode="A"\nmeaning="m"\ncounts="present"\nfirst="2024"',
        "`first` is not a day",
    ),
    "order": (
        '[[codes]]\ncode="A"\nmeaning="m"\ncounts="present"\nfirst=2024-01-02\nlast=2024-01-01',
        "`first` day comes after",
    ),
    "overlap": (
        '[[codes]]\ncode="A"\nmeaning="m"\ncounts="present"\n'
        '[[codes]]\ncode="a"\nmeaning="m"\ncounts="authorised"\nfirst=2024-01-02',
        "two of its entries are of the same day",
    ),
}


@pytest.mark.parametrize(("text", "words"), WRONG.values(), ids=list(WRONG))
def test_a_table_that_is_none_says_why(tmp_path, text, words):
    own = tmp_path / "codes.toml"
    if text is not None:
        own.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=re.escape(words)):
        load_register_codes(own)


# ----------------------------------------------------------------------------------------
# Other forms
# ----------------------------------------------------------------------------------------


def test_two_characters_a_day():
    days = [("a", "2024-10-03", "/\\"), ("a", "2024-10-04", "LI"), ("a", "2024-10-07", " N")]
    found = read(long(days, ("pupil_id", "date", "mark")))

    assert found.figures() == {("a", 2025): (5, 3, 1, 1, 2, 1, 0, 0, 1, 1)}
    assert found.counts() == {"no_mark": 1}


NAMES_OF_DAY = ("pupil_id", "date", "mark")


@pytest.mark.parametrize("cell", ["C2", "/", "C2C2", "/\\/"])
def test_a_day_that_is_not_two_marks_stops(cell):
    found = read(long([("a", "2024-10-03", "/\\"), ("a", "2024-10-04", cell)], NAMES_OF_DAY))

    (fault,) = found.faults
    assert (fault.rule, fault.count, fault.stops) == ("not_two_marks", 1, True)
    assert "Give one row a pupil and session" in str(fault)
    assert found.figures("sessions_possible") == {("a", 2025): (2,)}


def test_a_string_of_marks_with_its_first_day():
    strings = {
        "pupil_id": ["a", "b", "b"],
        "start": ["02/09/2024", "2024-09-01", "2024-09-06"],  # a Monday, a Sunday, a Friday
        "marks": ["/\\/L" + "I\\" + "  " + "/O" + "    " + "##/\\", "  /\\", "/#    N\\"],
        "urn": ["100001", "100002", "100002"],
    }
    found = read(strings)

    assert found.figures() == {
        ("a", 2025): (10, 8, 1, 1, 2, 1, 0, 0, 1, 2),
        ("b", 2025): (5, 4, 0, 1, 1, 0, 0, 0, 0, 1),
    }
    assert found.figures("urn")["b", 2025] == ("100002",)
    assert found.faults == ()


@pytest.mark.parametrize(
    ("marks", "rule"),
    [("/" * 14, "weekend_marks"), ("/\\/", "not_two_marks"), ("/C2\\", "not_two_marks")],
)
def test_a_string_that_cannot_be_trusted_stops(marks, rule):
    found = read({"pupil_id": ["a"], "start": ["2024-09-02"], "marks": [marks]})

    (fault,) = found.faults
    assert (fault.rule, fault.stops) == (rule, True)
    assert marks not in str(fault)


@pytest.mark.parametrize("names", [("date",), ("mark",), ("start",), ("session", "mark")])
def test_another_form_is_refused_with_the_way_out(names):
    found = read({name: ["a"] for name in ("pupil_id", *names)})

    stops = [fault for fault in found.faults if fault.stops]
    assert [fault.rule for fault in stops] == ["no_form"]
    assert "[data.columns.marks]" in str(stops[0])
    assert found.rows == []


# ----------------------------------------------------------------------------------------
# A generated year, and any register
# ----------------------------------------------------------------------------------------


def naive(rows):
    """Add a register up in plain Python."""
    held = defaultdict(list)
    for pupil, day, session, mark in rows:
        held[pupil, day, session].append(mark.strip().upper())
    years = defaultdict(lambda: defaultdict(int))
    for (pupil, day, _), marks in held.items():
        kinds = [KIND.get(mark, "unknown" if mark else "no_mark") for mark in marks]
        kind = next(kind for kind in (*KINDS, "unknown") if kind in kinds)
        # Of two marks of one kind the first of the table is read.
        mark = min((m for m, k in zip(marks, kinds, strict=True) if k == kind), key=PLACE.get)
        year = years[pupil, int(day[:4]) + (day[5:7] >= "09")]
        year["sessions"] += 1
        year[kind] += 1
        year[{**TALLIED, "C2": "part_time"}.get(mark, "")] += 1
    return {
        key: (
            sum(y[kind] for kind in KINDS[:4]),
            y["present"] + y["off_site"],
            y["authorised"],
            y["unauthorised"],
            y["authorised"] + y["unauthorised"],
            y["illness"],
            y["medical"],
            y["part_time"] if key[1] >= 2025 else None,
            y["late"],
            y["sessions"] - sum(y[kind] for kind in KINDS[:4]),
        )
        for key, y in years.items()
    }


PLACE = defaultdict(int, {entry.code: n for n, entry in enumerate(load_register_codes().ranked())})
ANY = [*KIND, "", "?", "i", "c2", "+", "k"]


def test_a_generated_year_against_plain_python(tmp_path):
    draw = random.Random(5)
    first = dt.date(2024, 6, 3)
    rows = []
    for pupil in range(40):
        for day in range(180):
            for session in ("AM", "PM"):
                for _ in range(draw.choices((0, 1, 2, 3), (5, 85, 8, 2))[0]):
                    mark = draw.choice("/\\") if draw.random() < 0.5 else draw.choice(ANY)
                    date = str(first + dt.timedelta(days=day))
                    rows.append((f"P{pupil:02d}", date, session, mark))
    draw.shuffle(rows)
    pd.DataFrame(rows, columns=["pupil_id", "date", "session", "mark"]).to_csv(
        tmp_path / "marks.csv", index=False
    )
    with Engine() as engine:
        crosswalk = contract_crosswalk(TABLES["marks"])
        gathered = gather_files("marks.csv", tmp_path, crosswalk, engine, "[data.files] `marks`")
        read_ = read_marks(gathered, engine)
        found = Found(read_.frame, read_.faults, engine)

    assert found.figures() == naive(rows)
    assert found.counts()["unknown_mark"] == sum(row[3] in ("?", "+") for row in rows)
    assert found.counts()["no_mark"] == sum(row[3] in ("", "-", "*") for row in rows)


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.sampled_from(["2024-05-06", "2024-08-31", "2024-09-01", "2024-10-03", "2021-03-08"]),
        st.sampled_from(["AM", "PM", "1", "2"]),
        st.sampled_from(ANY),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=20, deadline=None)
@given(ROWS, st.randoms())
def test_sessions_add_up_whatever_the_register_and_its_order(rows, shuffler):
    found = read(long(rows))
    halves = {"1": "AM", "2": "PM"}
    plain = [(p, d, halves.get(s, s), m) for p, d, s, m in rows]
    for row in found.rows:
        possible = row["sessions_attended"] + row["authorised"] + row["unauthorised"]
        assert row["sessions_possible"] == possible
        assert row["overall"] == row["authorised"] + row["unauthorised"]
        assert row["late"] <= row["sessions_attended"]
    total = sum(row["sessions_possible"] + row["not_counted"] for row in found.rows)
    assert total == len({row[:3] for row in plain})
    assert found.figures() == naive(plain)

    shuffled = shuffler.sample(rows, len(rows))
    again = read(long(shuffled))
    assert (again.rows, again.counts()) == (found.rows, found.counts())


# ----------------------------------------------------------------------------------------
# A study of two files
# ----------------------------------------------------------------------------------------

ARMS = {"placed": ("100001", 1), "beside": ("100001", 0), "elsewhere": ("100002", 0)}

STUDY = {
    "study": {"name": "trust", "title": "A trust's own files"},
    "data": {
        "source": "contracts",
        "files": {"pupils": "pupils.csv", "marks": "marks.csv"},
        "columns": {"marks": {"mark": "Roll call mark", "pupil_id": "UPN"}},
    },
    "eligibility": {"needs": ["ASD"], "years": ["7"]},
    "outcomes": [
        {
            "name": "attendance",
            "kind": "sessions",
            "attended": "sessions_attended",
            "possible": "sessions_possible",
            "standardise": "no",
        }
    ],
    "covariates": {"adjust": ["sex"]},
}


@pytest.fixture
def study(tmp_path):
    pupils = []
    for name, (urn, unit) in ARMS.items():
        before = (name, 2024, "SPR", "200001", "6", "E", "ASD", 0, "F", "2018-09-01")
        pupils += [before, (name, 2025, "SPR", urn, "7", "E", "ASD", unit, "F", "2024-09-01")]
    names = ("pupil_id", "year", "term", "urn", "year_group", "sen_provision", "primary_need")
    pd.DataFrame(pupils, columns=[*names, "sen_unit", "sex", "entry_date"]).to_csv(
        tmp_path / "pupils.csv", index=False
    )
    marks = [
        (name, f"2025-03-{day:02d}", session, "C2" if session and day < 5 - number else "/")
        for number, name in enumerate(ARMS)
        for day in range(3, 8)
        for session in (0, 1)
    ]
    marks = [(p, d, ("AM", "PM")[s], m) for p, d, s, m in marks]
    pd.DataFrame(marks, columns=["UPN", "date", "session", "Roll call mark"]).to_csv(
        tmp_path / "marks.csv", index=False
    )
    return tmp_path


def test_a_study_of_two_files(study):
    plan = plan_from_keys(STUDY, study / "study.toml")
    with Engine() as engine:
        cohort = be.build_cohort(plan, engine)
        pupils = engine.collect(cohort.covariates, ["pupil"]).to_pandas().set_index("pupil")
        outcomes = engine.collect(cohort.outcomes, ["pupil"]).to_pandas().set_index("pupil")

    assert pupils["arm"].to_dict() == {
        "placed": "base",
        "beside": "host_mainstream",
        "elsewhere": "non_host",
    }
    assert outcomes["value"].to_dict() == {"placed": 0.8, "beside": 0.9, "elsewhere": 1.0}


@pytest.mark.parametrize("other", ["absence", "attendance"])
def test_marks_stand_beside_no_other_table_of_sessions(study, other):
    source = "npd" if other == "absence" else "contracts"
    files = {**STUDY["data"]["files"], other: "pupils.csv"}
    plan = plan_from_keys(
        {**STUDY, "data": {"source": source, "files": files}}, study / "study.toml"
    )
    with Engine() as engine, pytest.raises(PlanError, match=f"`marks` and `{other}` are the same"):
        be.build_cohort(plan, engine)
