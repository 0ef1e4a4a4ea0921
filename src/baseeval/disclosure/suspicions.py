"""What an output checker looks for in a table and in prose."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from baseeval.disclosure.contents import Grid
from baseeval.disclosure.headings import (
    heads_a_row_of_counts,
    is_count,
    is_extreme,
    is_key,
    normal,
)
from baseeval.disclosure.profiles import Profile
from baseeval.disclosure.shapes import ALL_COLUMNS, BENCHMARKS

Suspicion = tuple[str, str, str]  # where, what, remedy
Column = tuple[tuple[str, ...], list[str]]

MANY = 30  # rows from which a table may be one of pupils: our choice
WAVES = 12  # rows that one pupil may have: our choice

_COUNT = re.compile(r"\s*(\d{1,3}(?:,\d{3})+|\d+)(?:\.0+)?(?![\d.,]|\s*%)")
_DECIMAL = re.compile(r"[-−]?\d+\.\d")
_ID = re.compile(
    r"[A-Za-z]{1,6}[-_ ]?\d{2,}[A-Za-z]?|\d{4,}(?:\.0)?|[A-Za-z]\d{11}[0-9A-Za-z]"
    r"|(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{8,40}"
    r"|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
)
_PERSON = re.compile(r"[A-Z][a-z'’]+(?:[- ][A-Z][A-Za-z'’]+)+|[A-Z][A-Za-z'’-]+, ?[A-Z][a-z]+")
_REMEDY_ROWS = "Only tables over pupils may leave; move it to the restricted folder."


def suspect_grid(grid: Grid, profile: Profile) -> Iterator[Suspicion]:
    """Yield what must not leave in a table."""
    columns = grid.columns()
    for headings, values in columns:
        where = _place(grid, headings)
        counts = is_count(headings[-1]) or is_count(" ".join(headings)) if headings else False
        if counts and not (grid.laid_out and any(map(_DECIMAL.match, values))):
            yield from _counts(where, values, profile)
        if any(is_key(h) for h in headings) and any(map(_is_value, values)):
            rows = sum(map(_is_value, values))
            yield where, f"names pupils or their birth or home, in {rows} rows", "Leave it out."
        elif any(normal(h) == "name" for h in headings) and _mostly(_PERSON, values):
            yield (
                where,
                f"holds what look like people's names, in {len(values)} rows",
                ("Leave it out."),
            )
        if any(is_extreme(h) and normal(h) not in ALL_COLUMNS for h in headings) and any(values):
            yield (
                where,
                "smallest or largest values, each of which is one pupil's",
                ("Give percentiles of enough pupils instead."),
            )
    if grid.laid_out:
        yield from _counts_along_rows(grid, columns, profile)
    yield from _rows_of_pupils(grid, columns)


def _place(grid: Grid, headings: Sequence[str]) -> str:
    """Name a column; a heading that could be a value, as in a table without one, is not shown."""
    heading = " ".join(headings)
    shown = heading if re.fullmatch(r"[A-Za-z][\w ()%./-]{0,60}", heading) else "(no heading)"
    if _ID.fullmatch(heading) or _PERSON.fullmatch(heading):
        shown = "(no heading)"
    return ", ".join(part for part in (grid.where, f"column {shown}") if part)


def _counts(where: str, values: Sequence[str], profile: Profile) -> Iterator[Suspicion]:
    found = [int(m[1].replace(",", "")) for value in values if (m := _COUNT.match(value))]
    small = sum(profile.is_small(count) for count in found)
    exact = sum(count >= profile.threshold and count % profile.base > 0 for count in found)
    if small:
        kind = "0" if profile.zeros_disclosive else "1"
        what = f"{small} counts of pupils from {kind} to {profile.threshold - 1}"
        yield where, what, "Withhold them, and another where a total would give them away."
    if exact:
        what = f"{exact} counts of pupils that are not rounded to {profile.base}"
        yield where, what, "Release the table through baseeval, which rounds them."


def _counts_along_rows(grid: Grid, columns: list[Column], profile: Profile) -> Iterator[Suspicion]:
    """Yield counts in rows whose first cell says so, under headings that do not say otherwise."""
    if len(columns) < 2:
        return
    open_columns = [
        values
        for headings, values in columns[1:]
        if not any(is_count(h) or _is_statistic(h) for h in headings)
    ]
    for at, label in enumerate(columns[0][1]):
        if heads_a_row_of_counts(label):
            cells = [values[at] for values in open_columns]
            yield from _counts(f"{grid.where}, row {at + 1}".lstrip(", "), cells, profile)


def _is_statistic(heading: str) -> bool:
    words = set(normal(heading).split("_"))
    return "%" in heading or bool(
        words
        & {"school", "schools", "effective", "mean", "sd", "wave", "year", "estimate", "share"}
    )


def _rows_of_pupils(grid: Grid, columns: list[Column]) -> Iterator[Suspicion]:
    if [headings[-1:] for headings, _ in columns] == [(name,) for name in BENCHMARKS]:
        return
    for headings, values in columns:
        name = normal(headings[-1]) if headings else ""
        if name not in ALL_COLUMNS and not is_count(name) and _names_rows(values):
            what = f"{len(values)} rows, each named by a value of its own as a pupil's row is"
            yield _place(grid, headings), what, _REMEDY_ROWS
    names = [normal(headings[-1]) if headings else "" for headings, _ in columns]
    ours = sum(name in ALL_COLUMNS for name in names)
    rows = len(columns[0][1]) if columns else 0
    data = not grid.laid_out and rows >= MANY and len(columns) >= 3
    if data and ours * 2 < len(names) and not any(is_count(name) for name in names):
        what = f"{rows} rows and no count of pupils: it may hold one row a pupil"
        yield grid.where, what, _REMEDY_ROWS


def _names_rows(values: Sequence[str]) -> bool:
    """Many rows, nearly all with an identifier that few others share."""
    given = Counter(value for value in values if value)
    return (
        len(given) >= MANY
        and _mostly(_ID, list(given))
        and given.total() >= 0.95 * len(values)
        and max(given.values()) <= WAVES
    )


def _mostly(pattern: re.Pattern[str], values: Sequence[str]) -> bool:
    given = [value for value in values if value]
    return bool(given) and sum(bool(pattern.fullmatch(v)) for v in given) >= 0.9 * len(given)


def _is_value(cell: str) -> bool:
    """Tell a cell that holds something of a pupil, from an empty one or a column's name."""
    return bool(cell) and not is_key(cell)
