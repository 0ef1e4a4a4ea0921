"""What must hold whatever the tables say."""

import runpy
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from baseeval.disclosure.profiles import PROFILES
from baseeval.disclosure.registers import release_register
from baseeval.engine.duckdb_engine import Engine
from baseeval.placement.arms import arms_on
from baseeval.placement.censusing import census_spells
from baseeval.placement.dates import census_day
from baseeval.placement.finding import find_placements
from baseeval.placement.matching_bases import Named, match_bases
from baseeval.placement.registering import make_register
from baseeval.placement.rules import PlacementRules
from baseeval.placement.seeing import see_pupils

HELP = runpy.run_path(str(Path(__file__).with_name("placement_tables.py")))
KINDS, rows_of = HELP["KINDS"], HELP["rows_of"]

CENSUSES = [(year, term) for year in (2021, 2022, 2023) for term in ("AUT", "SPR", "SUM")]
STATES = {"none": (0, 0), "sen_unit": (1, 0), "resourced_provision": (0, 1), None: (None, None)}
PUPILS = [f"p{i}" for i in range(8)]


def in_engine(engine, rows, names):
    columns = {}
    for name in names:
        kind = KINDS.get(name, pa.string())
        columns[name] = pa.array([row[name] for row in rows], kind)
    return engine.table(pa.table(columns))


SEEN = st.tuples(
    st.sampled_from(["A", "B", "C"]),
    st.sampled_from([*STATES, "sen_unit"]),
    st.sampled_from([None, date(2020, 9, 1), date(2021, 9, 6), date(2022, 3, 1)]),
)
LIVES = st.lists(
    st.lists(st.one_of(st.none(), SEEN), min_size=9, max_size=9), min_size=8, max_size=8
)
PUPIL_COLUMNS = ["pupil_id", "year", "term", "urn", "sen_unit", "resourced_provision", "entry_date"]


def census_rows(lives):
    """Lay out what each census saw of each pupil."""
    rows = []
    for pupil, life in zip(PUPILS, lives, strict=True):
        for (year, term), seen in zip(CENSUSES, life, strict=True):
            if seen is not None:
                urn, state, entry = seen
                values = (pupil, year, term, urn, *STATES[state], entry)
                rows.append(dict(zip(PUPIL_COLUMNS, values, strict=True)))
    return rows


def naive_spells(lives):
    """Walk along each pupil's censuses; the engine's way has no walk."""
    spells = []
    for pupil, life in zip(PUPILS, lives, strict=True):
        past, current = [], None
        for (year, term), seen in zip(CENSUSES, life, strict=True):
            if seen is None:
                continue
            (urn, state, entry), day = seen, census_day(year, term)
            if state in ("none", None):
                unknown_here = state is None and current and current["urn"] == urn
                if current and not unknown_here:
                    current["next_out"], current = day, None
            elif current and (current["urn"], current["base_type"]) == (urn, state):
                current["last_in"] = day
            else:
                if current:
                    current["next_out"] = day
                out = [d for d, u, s in past if u != urn or s not in (None, state)]
                last_out = max(out, default=None)
                earliest = [d for d in (last_out and last_out + timedelta(1), entry) if d]
                start = min(max(earliest, default=day), day)
                current = {
                    "pupil_id": pupil,
                    "urn": urn,
                    "base_type": state,
                    "start": start,
                    "last_out": last_out,
                    "first_in": day,
                    "last_in": day,
                    "next_out": None,
                }
                spells.append(current)
            past.append((day, urn, state))
    return [
        {
            **s,
            "end": s["last_in"] if s["next_out"] else None,
            "seen_before": int(bool(s["last_out"])),
        }
        for s in spells
    ]


@settings(max_examples=25)
@given(LIVES)
def test_spells_are_those_of_a_walk_along_the_censuses(lives):
    with Engine() as engine:
        pupils = in_engine(engine, census_rows(lives), PUPIL_COLUMNS)
        rows = rows_of(
            engine, census_spells(see_pupils(pupils, engine), engine), ["pupil_id", "first_in"]
        )
    expected = naive_spells(lives)

    assert [
        {name: row[name] for name in want} for row, want in zip(rows, expected, strict=True)
    ] == (expected)


DAYS = st.dates(date(2021, 9, 1), date(2022, 8, 31))
RULES = st.builds(
    PlacementRules,
    types=st.sampled_from([(), ("sen_unit",)]),
    host_min_pupils=st.integers(1, 2),
    grace_days=st.sampled_from([0, 31]),
    already_placed=st.sampled_from(["keep", "exclude"]),
)
ANSWER = ("arm", "why", "already_placed", "in_base", "base_type", "recorded_later")


def arms_of_each(versions, who, rules, names=ANSWER):
    """Find the arms under each version of the tables, all at once, in schools of its own."""
    tables = {name: [] for version in versions for name in version}
    asked = []
    for number, version in enumerate(versions):
        own = [(dict(row), name) for name, rows in version.items() for row in rows]
        own += [(dict(row), "who") for row in who]
        for row, name in own:
            for key in ("pupil_id", "urn"):
                row[key] = f"{number}{row[key]}"
            (asked if name == "who" else tables[name]).append(row)
    if rules.hosts:
        rules = replace(rules, hosts=tuple(f"{n}{urn}" for n in range(9) for urn in rules.hosts))
    columns = {"pupils": PUPIL_COLUMNS, "placements": SPELL_COLUMNS}
    with Engine() as engine:
        frames = {name: in_engine(engine, rows, columns[name]) for name, rows in tables.items()}
        frame = in_engine(engine, asked, ["pupil_id", "urn", "year", "on"])
        found = arms_on(find_placements(frames, rules, engine), frame, rules, engine)
        rows = rows_of(engine, found.select("pupil_id", *names), ["pupil_id"])
    answers = [[] for _ in versions]
    for row in rows:
        values = [row["pupil_id"][1:], *(row[name] for name in names)]
        answers[int(row["pupil_id"][0])].append(values)
    return answers


@settings(max_examples=12)
@given(LIVES, LIVES, st.lists(DAYS, min_size=8, max_size=8), RULES)
def test_no_later_school_year_decides_an_arm_by_the_census(lives, others, days, rules):
    who = [
        {"pupil_id": pupil, "urn": "A", "year": 2022, "on": day}
        for pupil, day in zip(PUPILS, days, strict=True)
    ]
    altered = [life[:6] + other[6:] for life, other in zip(lives, others, strict=True)]
    cut = [[*life[:6], None, None, None] for life in lives]

    found = arms_of_each([{"pupils": census_rows(x)} for x in (lives, altered, cut)], who, rules)

    assert len(found[0]) == len(PUPILS)
    assert found[0] == found[1] == found[2]


SPELL = st.tuples(
    st.sampled_from(PUPILS),
    st.sampled_from(["sen_unit", "hub"]),
    st.dates(date(2021, 6, 1), date(2021, 12, 31)),
    st.one_of(st.none(), st.integers(0, 150)),
)
SPELL_COLUMNS = ["pupil_id", "urn", "base_id", "base_type", "start", "end"]


def spell_rows(spells):
    return [
        {
            "pupil_id": pupil,
            "urn": "A",
            "base_id": f"{kind}-{number}",
            "base_type": kind,
            "start": start,
            "end": None if length is None else start + timedelta(length),
        }
        for number, (pupil, kind, start, length) in enumerate(spells)
    ]


@settings(max_examples=12)
@given(st.lists(SPELL, max_size=12), st.lists(SPELL, max_size=4), RULES, st.data())
def test_nothing_after_the_grace_decides_an_arm_by_a_file(spells, others, rules, data):
    """With hosts that are listed: what a file says of later days may be changed or cut."""
    rules = replace(rules, source="spells", hosts=("A",))
    on = date(2021, 9, 1)
    latest = on + timedelta(rules.grace_days)
    rows = spell_rows(spells)
    kept = [dict(row) for row in rows if row["start"] <= latest]
    for row in kept:
        if row["end"] is None or row["end"] > latest:
            later = st.dates(latest + timedelta(1), date(2023, 1, 1))
            row["end"] = data.draw(st.one_of(st.none(), later))
    late = [row for row in spell_rows(others) if row["start"] > latest]
    late = [{**row, "base_id": f"late-{row['base_id']}"} for row in late]
    seen = [("A", None, None) if n == 3 else None for n in range(9)]
    census = census_rows([seen] * len(PUPILS))
    who = [{"pupil_id": p, "urn": "A", "year": 2022, "on": on} for p in PUPILS]
    versions = [{"pupils": census, "placements": x} for x in (rows, kept, [*kept, *late])]

    found = arms_of_each(versions, who, rules)

    assert len(found[0]) == len(PUPILS)
    assert found[0] == found[1] == found[2]


UNSURE = st.one_of(st.none(), st.dates(date(2021, 6, 1), date(2021, 12, 31)))
PLACE = st.tuples(st.sampled_from(PUPILS), st.sampled_from(["sen_unit", "hub"]), UNSURE, UNSURE)


def naive_arm(spells, seen, rules):
    """Judge one pupil of a host on 1 September 2021: arm, why, and whether placed already."""
    on, never = date(2021, 9, 1), date(2999, 1, 1)
    latest = on + timedelta(rules.grace_days)
    clear = [s for s in spells if s["start"] and (s["end"] or never) >= s["start"]]
    active = [s for s in clear if s["start"] <= latest and (s["end"] or never) >= on]
    counted = [s for s in active if not rules.types or s["base_type"] in rules.types]
    usable = [s for s in clear if not rules.types or s["base_type"] in rules.types]
    unclear = [
        s
        for s in spells
        if s not in clear and (s["start"] is not None or (s["end"] or never) >= on)
    ]
    since = on - timedelta(rules.grace_days)
    earlier = [day for day in seen if day < since]
    in_one = [any(s["start"] <= d <= (s["end"] or never) for s in usable) for d in earlier]
    long_before = any(s["start"] < since for s in counted)
    already = bool(counted) and (all(in_one) if earlier else long_before)
    if already and rules.already_placed == "exclude":
        return None, "already placed when first seen", 1
    if counted:
        return "base", None, int(already)
    if active:
        return None, "in a base of a type that is not counted", 0
    if any(s["start"] is None for s in unclear):
        return None, "the first day in the base is not known", 0
    if unclear:
        return None, "the dates of the place in a base are not clear", 0
    return "host_mainstream", None, 0


@settings(max_examples=12)
@given(st.lists(PLACE, max_size=14), st.lists(st.sampled_from(CENSUSES), min_size=8), RULES)
def test_arms_by_a_file_are_those_of_a_walk_along_its_rows(places, firsts, rules):
    rules = replace(rules, source="spells", hosts=("A",))
    rows = [
        {
            "pupil_id": pupil,
            "urn": "A",
            "base_id": f"{kind}-{number}",
            "base_type": kind,
            "start": start,
            "end": end,
        }
        for number, (pupil, kind, start, end) in enumerate(places)
    ]
    lives = [
        [("A", None, None) if census >= first else None for census in CENSUSES]
        for first in firsts[: len(PUPILS)]
    ]
    who = [{"pupil_id": p, "urn": "A", "year": 2022, "on": date(2021, 9, 1)} for p in PUPILS]
    versions = [{"pupils": census_rows(lives), "placements": rows}]

    (found,) = arms_of_each(versions, who, rules, ("arm", "why", "already_placed"))

    for number, (pupil, *answer) in enumerate(found):
        seen = {}
        for year, term in (c for c in CENSUSES if c >= firsts[number]):
            seen.setdefault(year, census_day(year, term))
        mine = [row for row in rows if row["pupil_id"] == pupil]
        assert tuple(answer) == naive_arm(mine, seen.values(), rules)


TYPES = ["sen_unit", "resourced_provision", "hub", "unknown", "sen_unit_and_resourced_provision"]


@st.composite
def names(draw):
    """Draw what four sources name; a list and a file may give an id."""
    sources = []
    for source in ("bases", "spells", "schools", "census"):
        with_id = source in ("bases", "spells")
        keys = st.tuples(
            st.sampled_from(["A", "B"]),
            st.sampled_from(TYPES),
            st.sampled_from([None, "x", "y", "z"] if with_id else [None]),
        )
        found = draw(st.lists(keys, max_size=4, unique=True))
        sources.append(
            [Named(source=source, urn=u, base_type=t, base_id=i, pupils=1) for u, t, i in found]
        )
    return sources


@given(names())
def test_every_base_that_a_source_names_is_found(sources):
    found = match_bases(sources)
    keys = [base.base_id for base in found]
    held = [name for base in found for name in base.named]

    assert len(set(keys)) == len(keys)
    for source in sources:
        for name in source:
            assert any(name is other for other in held)
            assert name.base_id is None or name.base_id in keys


@settings(max_examples=10)
@given(LIVES, st.data(), st.sampled_from(sorted(PROFILES)))
def test_a_withheld_count_leaves_no_trace(lives, data, profile):
    """Any other small count would have been released as the same register."""
    profile = PROFILES[profile]
    with Engine() as engine:
        pupils = in_engine(engine, census_rows(lives), PUPIL_COLUMNS)
        register = make_register({"pupils": pupils}, engine)
    released = release_register(register, profile)
    other = register.bases.copy()
    hidden = (released.bases["flags"] == "suppressed").tolist()
    low = 0 if profile.zeros_disclosive else 1
    for row in [i for i, gone in enumerate(hidden) if gone]:
        other.loc[row, "pupils_census"] = data.draw(st.integers(low, profile.threshold - 1))
    again = release_register(replace(register, bases=other), profile)

    assert released.bases.equals(again.bases)
    assert released.disagreements.equals(again.disagreements)
    assert released.bases.loc[hidden, "pupils_census"].isna().all()
    kept = released.bases["pupils_census"].dropna()
    assert (kept % profile.base == 0).all()
