"""A census checked row by row in plain Python: slow, and nothing like the engine's way."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from baseeval.contracts.columns import ColumnContract
from baseeval.contracts.registry import TABLES

COLUMNS = TABLES["pupils"].columns
NOTHING = {"", "NaN", "nan"}
CODES = {"SUPP", "NE", "NA", "NP", "LOWCOV", "c", "x", "z", "low", "u"}
Row = dict[str, Any]


def naive_counts(rows: list[dict[str, str | None]]) -> dict[tuple[str, str], int]:
    """Count the faults of a census: (rule, column) -> rows, pupils or schools."""
    counts: Counter[tuple[str, str]] = Counter()
    read = []
    for row in rows:
        values: Row = {}
        for column in COLUMNS:
            text = (row[column.name] or "").strip(" \t\n\v\f\r")
            values[column.name], faults = parse(column, text)
            counts.update((rule, column.name) for rule in faults)
        counts.update(broken(values))
        read.append(values)
    for rule in between(read):
        counts[rule] += 1
    return dict(counts)


def parse(column: ColumnContract, text: str) -> tuple[Any, list[str]]:
    """Read one cell: its value, and the rules that it breaks."""
    blank = text in NOTHING
    faults = []
    absent = blank if column.kind in ("key", "category") else blank or text in CODES
    if column.kind == "code" and text.upper() in column.codes:
        return text.upper(), []
    if absent:
        return None, ["no_value"] if column.needed else []
    match column.kind:
        case "key":
            form = column.pattern is None or re.search(column.pattern, text)
            return text, [] if form else ["wrong_form"]
        case "category":
            return text, []
        case "code":
            return None, ["unknown_code"]
        case "flag":
            truth = {"1": 1, "y": 1, "yes": 1, "true": 1, "t": 1}
            truth |= {"0": 0, "n": 0, "no": 0, "false": 0, "f": 0}
            value = truth.get(text.lower())
            return value, [] if value is not None else ["not_yes_or_no"]
        case "date":
            day = to_date(text)
            return day, [] if day else ["not_a_date"]
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", text):
        return None, ["text_in_number"]
    number = float(text)
    if math.isinf(number):
        return None, ["infinity"]
    if not (column.low or -math.inf) <= number <= (column.high or math.inf):
        faults.append("out_of_range")
    if column.low == 0 and number < 0 and "out_of_range" not in faults:
        faults.append("out_of_range")
    if column.kind == "integer" and number != round(number):
        faults.append("not_whole")
    value = number if column.kind == "number" else int(number)
    return None if faults else value, faults


def to_date(text: str) -> dt.date | None:
    """Read a day by each of the forms in turn."""
    for form in ("%Y-%m-%d", "%d/%m/%Y", "%d-%m-%Y"):
        try:
            day = dt.datetime.strptime(text, form).date()  # noqa: DTZ007
        except ValueError:
            continue
        if day.year >= 1800 and len(text) == 10:
            return day
    return None


def group_number(row: Row) -> int | None:
    group = row["year_group"]
    if group == "R":
        return 0
    return int(group) if group and group.isdigit() else None


def known(*values: Any) -> bool:
    return all(value is not None for value in values)


def broken(row: Row) -> Iterator[tuple[str, str]]:
    """Name the rules that a row breaks."""
    sen, need, second = row["sen_provision"], row["primary_need"], row["secondary_need"]
    based = row["sen_unit"] == 1 or row["resourced_provision"] == 1
    year, term, born = row["year"], row["term"], row["birth_year"]
    entry, plan, left = row["entry_date"], row["ehcp_date"], row["withdrawn"]
    group, phase = group_number(row), row["phase"]
    census = None
    if known(year, term):
        census = {
            "AUT": (year - 1, 10),
            "SPR": (year, 1),
            "SUM": (year, 5),
        }[term]
    if known(need) and sen == "N":
        yield "need_without_sen", "primary_need"
    if need is None and sen in ("K", "E") and term == "SPR":
        yield "sen_without_need", "primary_need"
    if known(second) and need is None:
        yield "secondary_without_primary", "secondary_need"
    if known(second) and second == need:
        yield "same_need_twice", "secondary_need"
    if known(year) and ((need == "DS" and year < 2025) or (need == "NSA" and year < 2015)):
        yield "need_before_its_code", "primary_need"
    if need == "NSA" and sen == "E":
        yield "unassessed_with_plan", "primary_need"
    if row["sen_unit"] == 1 and row["resourced_provision"] == 1:
        yield "two_kinds_of_base", "resourced_provision"
    if based and sen == "N":
        yield "flag_without_sen", "sen_unit"
    if based and phase == "SP":
        yield "base_in_special_school", "sen_unit"
    day = row["recorded"]
    if known(day, year) and not dt.date(year - 1, 9, 1) <= day <= dt.date(year, 8, 31):
        yield "recorded_outside_year", "recorded"
    if known(born, year) and born >= year:
        yield "born_after_year", "birth_year"
    if known(entry, born) and entry.year <= born:
        yield "entry_before_birth", "entry_date"
    if known(entry, year) and entry.year > year:
        yield "entry_after_year", "entry_date"
    elif known(entry, census) and (entry.year, entry.month) > census:
        yield "entry_after_census", "entry_date"
    if known(plan, born) and plan.year < born:
        yield "plan_before_birth", "ehcp_date"
    elif known(plan, born) and plan < dt.date(2014, 9, 1):
        yield "plan_before_plans", "ehcp_date"
    if known(plan, census) and sen in ("N", "K") and (plan.year, plan.month) < census:
        yield "plan_without_provision", "sen_provision"
    if known(left, entry) and left < entry:
        yield "withdrawn_before_entry", "withdrawn"
    if row["fsm"] == 1 and row["fsm6"] == 0:
        yield "fsm_and_never_fsm", "fsm6"
    if known(year, born, group) and abs(year - born - 5 - group) > 3:
        yield "age_and_year_group", "year_group"
    early = row["year_group"] in ("E1", "E2", "N1", "N2")
    odd = {
        "PS": known(group) and group > 6,
        "SS": early or (known(group) and group < 7),
        "NS": known(group) and group > 0,
    }
    if odd.get(phase):
        yield "year_group_and_phase", "year_group"
    if row["on_roll"] == 0 and row["enrolment"] in ("C", "M"):
        yield "current_and_off_roll", "on_roll"
    if row["on_roll"] == 1 and row["enrolment"] == "P":
        yield "previous_and_on_roll", "on_roll"
    la, laestab = row["la"], row["laestab"]
    formed = re.fullmatch("[0-9]{3}", la or "") and re.fullmatch("[0-9]{7}", laestab or "")
    if formed and laestab[:3] != la:
        yield "la_and_laestab", "la"


def between(rows: list[Row]) -> Iterator[tuple[str, str]]:
    """Name the rules that each pupil, school or record breaks, once for each."""

    def groups(*keys: str) -> list[list[Row]]:
        found = defaultdict(list)
        for row in rows:
            if known(*(row[key] for key in keys)):
                found[tuple(row[key] for key in keys)].append(row)
        return list(found.values())

    def differ(group: list[Row], value: Callable[[Row], Any]) -> bool:
        return len({value(row) for row in group} - {None}) > 1

    for school in groups("urn", "year"):
        for column in ("phase", "laestab"):
            if differ(school, lambda row, column=column: row[column]):
                yield f"{column}_differs", column
    for record in groups("pupil_id", "year", "term", "urn"):
        if len(record) > 1:
            yield "row_twice", "pupil_id"
    for record in groups("pupil_id", "year", "term"):
        if differ(record, lambda row: row["urn"] if row["enrolment"] in ("C", "M") else None):
            yield "two_main_schools", "urn"
    for pupil in groups("pupil_id"):
        for column in ("sex", "birth_year", "birth_month", "ethnicity", "language"):
            if differ(pupil, lambda row, column=column: row[column]):
                yield f"{column}_differs", column
        if differ(pupil, lambda row: row["ehcp_date"]):
            yield "plan_date_differs", "ehcp_date"
        numbered = [(row["year"], group_number(row)) for row in pupil]
        steps = [group - year for year, group in numbered if known(year, group)]
        if steps and max(steps) - min(steps) > 1:
            yield "year_group_out_of_step", "year_group"
        dated = [(row["year"], row["sen_provision"]) for row in pupil if known(row["year"])]
        if any(p == "E" and q == "N" and y < z for y, p in dated for z, q in dated):
            yield "plan_lost", "sen_provision"
