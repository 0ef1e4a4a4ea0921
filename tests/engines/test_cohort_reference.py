"""The cohort on the engine against a deliberately naive one: dictionaries, loops, nothing fast.

A small table with its answer written by hand runs through both; then Hypothesis draws tables.
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
import textwrap
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import baseeval as be
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import PlanError

LABELS = {"b": "base", "h": "host_mainstream", "h2": "host_mainstream", "n": "non_host"}
ARMS = ("base", "host_mainstream", "non_host")
CODES = ("SUPP", "x")
BASELINE = "10"
COLUMNS = ("id", "sch", "wave", "arm", "aut", "of", "year", "sex", "y", "x")

PLAN = """
[study]
name = "s"
title = "A study"
[data]
table = "p.csv"
pupil = "id"
school = "sch"
wave = "wave"
baseline_wave = 10
[peers]
group = "aut"
is_peer = ["no"]
{link}
[arms]
column = "arm"
base = ["b"]
host_mainstream = ["h", "h2"]
non_host = ["n"]
other = "exclude"
[[outcomes]]
name = "score"
kind = "continuous"
column = "y"
forms = {forms}
[covariates]
adjust = ["x", "y"]
"""
FORMS = ("level", "change", "gap")
LINKS = {"peer_of": 'peer_of = "of"', "alike": 'year = "year"\nsex = "sex"'}

FLOW = {
    "peer": ("Set aside", "a matched peer: in no arm, used only for gaps"),
    "group": ("Left out", "whether the pupil is a peer is not recorded"),
    "blank": ("Left out", "no placement is recorded"),
    "other": ("Left out", "the placement is one that the study leaves out"),
    "no school": ("Left out", "no school is recorded"),
}


# ---- the naive cohort --------------------------------------------------------------------------


def number(text):
    return None if text in ("", *CODES) else float(text)


def reason(text):
    return "blank" if text == "" else text


def at_time_zero(rows, recorded):
    """The first row of those that record something: at the baseline wave, else the earliest."""
    held = sorted((r for r in rows if recorded(r)), key=lambda r: float(r["wave"]))
    return next((r for r in held if r["wave"] == BASELINE), held[0] if held else None)


def naive_cohort(table, link):
    rows_of = defaultdict(list)
    for row in table:
        rows_of[row["id"]].append(row)
    waves = sorted({row["wave"] for row in table}, key=float)
    early = {w for w in waves if float(w) <= float(BASELINE)}
    if BASELINE not in waves:
        return None
    for name in ("x", "y"):
        known = [r["wave"] for r in table if number(r[name]) is not None]
        if known and not set(known) & early:
            return None

    fate, arm, school = {}, {}, {}
    for pupil, rows in rows_of.items():
        at_school = at_time_zero(rows, lambda r: r["sch"])
        school[pupil] = at_school["sch"] if at_school else None
        placed_in = at_time_zero(rows, lambda r: r["arm"] and r["aut"])
        if any(r["aut"] == "no" for r in rows):
            fate[pupil] = "peer"
        elif placed_in is None:
            fate[pupil] = "group" if any(r["aut"] == "" for r in rows) else "blank"
        elif placed_in["arm"] not in LABELS:
            fate[pupil] = "other"
        else:
            arm[pupil] = LABELS[placed_in["arm"]]
            fate[pupil] = "arm" if school[pupil] else "no school"
    placed = [pupil for pupil in rows_of if fate[pupil] == "arm"]
    if not placed or "peer" not in fate.values():
        return None

    at = {(r["id"], r["wave"]): r for r in table}
    covariates, why = {}, {}
    x_changes = any(
        len({number(r["x"]) for r in rows if r["wave"] in early} - {None}) > 1
        for rows in rows_of.values()
    )
    for pupil in placed:
        for name, from_baseline in (("x", x_changes), ("y", True)):
            taken = [r for r in rows_of[pupil] if r["wave"] in early]
            if from_baseline:
                taken = [at[pupil, BASELINE]] if (pupil, BASELINE) in at else []
            values = [number(r[name]) for r in taken if number(r[name]) is not None]
            covariates[pupil, name] = values[0] if values else None
            if not values:
                why[pupil, name] = max((reason(r[name]) for r in taken), default="no row")

    outcomes = {}
    for pupil in placed:
        before = number(at[pupil, BASELINE]["y"]) if (pupil, BASELINE) in at else None
        for row in rows_of[pupil]:
            value = number(row["y"])
            if value is None:
                continue
            outcomes["level", row["wave"], pupil] = value
            if float(row["wave"]) > float(BASELINE) and before is not None:
                outcomes["change", row["wave"], pupil] = value - before
            peers = []
            for other in table:
                if fate[other["id"]] != "peer" or other["wave"] != row["wave"]:
                    continue
                if link == "peer_of":
                    related = other["of"] == pupil
                else:
                    related = school[other["id"]] == school[pupil] and all(
                        other[key] and other[key] == row[key] for key in ("year", "sex")
                    )
                if related and number(other["y"]) is not None:
                    peers.append(number(other["y"]))
            if peers:
                outcomes["gap", row["wave"], pupil] = value - sum(peers) / len(peers)

    def counted(step, name, pupils, words):
        return (step, name, len(pupils), len({school[p] for p in pupils} - {None}), words)

    flow = [counted("In the data", "all", list(rows_of), "")]
    for kind, (step, words) in FLOW.items():
        gone = [pupil for pupil in rows_of if fate[pupil] == kind]
        if gone:
            flow.append(counted(step, "all", gone, words))
    complete = [p for p in placed if None not in (covariates[p, "x"], covariates[p, "y"])]
    for step, pupils, words in (
        ("In an arm", placed, ""),
        ("In an arm, every covariate known", complete, "others lack a covariate"),
    ):
        for name in ARMS:
            mine = [p for p in pupils if arm[p] == name]
            # An arm of which nobody is left stands there with none.
            if any(arm[p] == name for p in placed):
                flow.append(counted(step, name, mine, words))

    missing = []

    def tell(role, name, wave, group, reasons):
        size = sum(arm[p] == group for p in placed)
        kinds = sorted(set(reasons)) or [""]
        for kind in kinds:
            missing.append((role, name, wave, group, size, reasons.count(kind), kind))

    for name in ("x", "y"):
        for group in ARMS:
            if any(arm[p] == group for p in placed):
                reasons = [why[p, name] for p in placed if arm[p] == group and (p, name) in why]
                tell("covariate", name, "", group, reasons)
    for wave in waves:
        for group in ARMS:
            mine = [p for p in placed if arm[p] == group]
            if not any(("level", wave, p) in outcomes for p in mine):
                continue
            lost = [p for p in mine if ("level", wave, p) not in outcomes]
            reasons = [
                reason(at[p, wave]["y"]) if (p, wave) in at else "no row at this wave" for p in lost
            ]
            tell("outcome", "score", wave, group, reasons)

    return {
        "arms": {p: (arm[p], school[p]) for p in placed},
        "covariates": {p: (covariates[p, "x"], covariates[p, "y"]) for p in placed},
        "outcomes": outcomes,
        "flow": flow,
        "missing": missing,
        "waves": tuple(waves),
    }


# ---- the cohort on the engine ------------------------------------------------------------------


def engine_cohort(table, link, forms=FORMS):
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder) / "study.toml"
        plan.write_text(PLAN.format(link=LINKS[link], forms=json.dumps(forms)), encoding="utf-8")
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS)
        writer.writeheader()
        writer.writerows(table)
        (Path(folder) / "p.csv").write_text(text.getvalue(), encoding="utf-8", newline="")
        with Engine() as engine:
            try:
                cohort = be.build_cohort(be.read_study(plan), engine)
            except (PlanError, be.DataError):
                return None
            covariates = engine.collect(cohort.covariates, ["pupil"]).to_pylist()
            outcomes = engine.collect(cohort.outcomes, ["form", "wave", "pupil"]).to_pylist()
    place = {row["pupil"]: (row["arm"], row["school"]) for row in covariates}
    assert all(place[row["pupil"]] == (row["arm"], row["school"]) for row in outcomes)
    flow = cohort.flow.table[["step", "arm", "pupils", "schools", "reason"]]
    return {
        "arms": place,
        "covariates": {row["pupil"]: (row["x"], row["y"]) for row in covariates},
        "outcomes": {(r["form"], r["wave"], r["pupil"]): r["value"] for r in outcomes},
        "flow": list(flow.itertuples(index=False, name=None)),
        "missing": list(cohort.missing.itertuples(index=False, name=None)),
        "waves": cohort.waves,
    }


def assert_same(found, expected):
    if expected is None or found is None:
        assert found is expected
        return
    assert found["outcomes"] == pytest.approx(expected["outcomes"], rel=1e-12)
    for part in ("arms", "covariates", "flow", "missing", "waves"):
        assert found[part] == expected[part], part


# ---- a table with its answer -------------------------------------------------------------------

TABLE = """
id, sch, wave, arm, aut, of, year, sex, y,    x
1,  A,   9,    b,   yes, ,   7,    f,   10,   5
1,  A,   10,   b,   yes, ,   8,    f,   12,   5
1,  B,   11,   b,   yes, ,   9,    f,   SUPP, 5
2,  A,   10,   h2,  yes, ,   8,    m,   20,   x
2,  A,   11,   ,    yes, ,   9,    m,   26,
3,  C,   11,   n,   yes, ,   9,    f,   30,   7
4,  A,   10,   ,    no,  1,  8,    f,   2,    1
5,  A,   10,   zoo, no,  1,  8,    f,   4,    1
6,  C,   11,   ,    no,  2,  9,    f,   6,    1
7,  A,   10,   zoo, yes, ,   8,    f,   1,    1
8,  ,    10,   b,   yes, ,   8,    f,   1,    1
9,  D,   10,   ,    yes, ,   8,    f,   1,    1
10, A,   10,   b,   ,    ,   8,    f,   1,    1
"""

ANSWER = {
    "arms": {"1": ("base", "A"), "2": ("host_mainstream", "A"), "3": ("non_host", "C")},
    "covariates": {"1": (5.0, 12.0), "2": (None, 20.0), "3": (None, None)},
    "flow": [
        ("In the data", "all", 10, 3, ""),
        ("Set aside", "all", 3, 2, "a matched peer: in no arm, used only for gaps"),
        ("Left out", "all", 1, 1, "whether the pupil is a peer is not recorded"),
        ("Left out", "all", 1, 1, "no placement is recorded"),
        ("Left out", "all", 1, 1, "the placement is one that the study leaves out"),
        ("Left out", "all", 1, 0, "no school is recorded"),
        ("In an arm", "base", 1, 1, ""),
        ("In an arm", "host_mainstream", 1, 1, ""),
        ("In an arm", "non_host", 1, 1, ""),
        ("In an arm, every covariate known", "base", 1, 1, "others lack a covariate"),
        ("In an arm, every covariate known", "host_mainstream", 0, 0, "others lack a covariate"),
        ("In an arm, every covariate known", "non_host", 0, 0, "others lack a covariate"),
    ],
    "missing": [
        ("covariate", "x", "", "base", 1, 0, ""),
        ("covariate", "x", "", "host_mainstream", 1, 1, "x"),
        ("covariate", "x", "", "non_host", 1, 1, "no row"),
        ("covariate", "y", "", "base", 1, 0, ""),
        ("covariate", "y", "", "host_mainstream", 1, 0, ""),
        ("covariate", "y", "", "non_host", 1, 1, "no row"),
        ("outcome", "score", "9", "base", 1, 0, ""),
        ("outcome", "score", "10", "base", 1, 0, ""),
        ("outcome", "score", "10", "host_mainstream", 1, 0, ""),
        ("outcome", "score", "11", "host_mainstream", 1, 0, ""),
        ("outcome", "score", "11", "non_host", 1, 0, ""),
    ],
    "waves": ("9", "10", "11"),
}

LEVELS = {
    ("level", "9", "1"): 10.0,
    ("level", "10", "1"): 12.0,
    ("level", "10", "2"): 20.0,
    ("level", "11", "2"): 26.0,
    ("level", "11", "3"): 30.0,
    ("change", "11", "2"): 6.0,
}

GAPS = {
    "peer_of": {("gap", "10", "1"): 12 - 3.0, ("gap", "11", "2"): 26 - 6.0},
    "alike": {("gap", "10", "1"): 12 - 3.0, ("gap", "11", "3"): 30 - 6.0},
}


def parse(text):
    lines = textwrap.dedent(text).strip().splitlines()
    names, *rows = ([cell.strip() for cell in line.split(",")] for line in lines)
    return [dict(zip(names, row, strict=True)) for row in rows]


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("cohort", [naive_cohort, engine_cohort])
def test_the_answer_written_by_hand(cohort, link):
    answer = {**ANSWER, "outcomes": {**LEVELS, **GAPS[link]}}

    assert_same(cohort(parse(TABLE), link), answer)


# ---- any table ---------------------------------------------------------------------------------

cells = st.sampled_from(["0", "1", "2.5", "-3", "40", "7", "", "SUPP", "x"])


@st.composite
def tables(draw):
    count = draw(st.integers(2, 7))
    names = [f"p{number}" for number in range(count)]
    x_is_constant = draw(st.booleans())
    rows = []
    for name in names:
        is_peer = name != "p0" and draw(st.booleans())
        label = draw(
            st.sampled_from(
                ["b", "h", "h2", "n", "b", "h", "n", "zoo", ""][: 4 if name == "p0" else 9]
            )
        )
        constant = draw(cells)
        for wave in draw(
            st.sampled_from([["9", "10", "11"], ["10", "11"], ["10"], ["11"], ["9", "11"]])
        ):
            rows.append(
                {
                    "id": name,
                    "sch": draw(st.sampled_from(["A", "A", "B", "C", ""])),
                    "wave": wave,
                    "arm": draw(st.sampled_from([label, label, ""])),
                    "aut": "no" if is_peer else draw(st.sampled_from(["yes", ""])),
                    "of": draw(st.sampled_from(["p0", "p0", *names, "nobody", ""]))
                    if is_peer
                    else "",
                    "year": draw(st.sampled_from(["7", "7", "7", "8", ""])),
                    "sex": draw(st.sampled_from(["f", "f", "m"])),
                    "y": draw(cells),
                    "x": constant if x_is_constant else draw(cells),
                }
            )
    return draw(st.permutations(rows))


@pytest.mark.parametrize("link", LINKS)
@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(table=tables())
def test_the_engine_agrees_with_the_naive_cohort(link, table):
    expected = naive_cohort(table, link)
    forms = ["level"]
    if expected is not None:
        later = {key[0] for key in expected["outcomes"] if float(key[1]) > float(BASELINE)}
        forms = [form for form in FORMS if form in later]
        expected["outcomes"] = {
            key: value for key, value in expected["outcomes"].items() if key[0] in [*forms, "level"]
        }
    if not forms:  # nobody has anything to compare after placement, and that is refused
        expected, forms = None, ["level"]
    assert_same(engine_cohort(table, link, forms), expected)
