"""Reading values: text into numbers and categories, with a reason for all that is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw

from baseeval.contracts.codes import BLANKS, NUMBER, SUPPRESSION_CODES
from baseeval.contracts.columns import ColumnContract
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import Problem

#: Column that holds why a value is not there; null where it is.
WHY = "why:"

#: Whole numbers from here on are not all told apart by a 64-bit float.
_EXACT = 2.0**53


@dataclass(frozen=True, slots=True)
class Typed:
    """A frame whose columns keep their contracts, and what did not.

    Parameters
    ----------
    frame : narwhals LazyFrame
        Each column by its name; each measured one with a second, ``why:name``.
    numeric : frozenset of str
        The columns that are numbers.
    problems : tuple of Problem
    """

    frame: nw.LazyFrame[Any]
    numeric: frozenset[str]
    problems: tuple[Problem, ...]


def read_values(
    frame: nw.LazyFrame[Any], contracts: Sequence[ColumnContract], engine: Engine, file: str
) -> Typed:
    """Type the columns of a frame as their contracts say.

    Parameters
    ----------
    frame : narwhals LazyFrame
        Holds every column named.
    contracts : sequence of ColumnContract
    engine : Engine
    file : str
        Named in messages.

    Returns
    -------
    Typed
        Suppression codes and blanks are missing, each with its reason; any
        other text in a number is a problem with its count of rows.
    """
    held = frame.collect_schema()
    trimmed = frame.select(*(_trimmed(c.name, held[c.name]) for c in contracts))
    types = trimmed.collect_schema()
    counts = engine.counts(trimmed, _tallies(contracts, types))
    problems: list[Problem] = []
    numeric: set[str] = set()
    columns: list[nw.Expr] = []
    for contract in contracts:
        name = contract.name
        number, text = counts.get(f"number {name}", 0), counts.get(f"text {name}", 0)
        kind = contract.kind
        if kind == "either":
            mixed = number > 0 and text > 0
            kind = "number" if number > 0 and not text else "category"
            if mixed:
                problems.append(_mixed(file, name, number, text))
        elif kind == "number" and text:
            problems.append(_not_numbers(file, name, text, bool(contract.labels)))
        if kind == "key":
            columns.append(as_text(name, types[name]))
            continue
        if contract.kind == "category":
            # The plan says that its words are levels, `low` and `x` among them.
            label = as_text(name, types[name])
            blank = nw.when(label.is_null()).then(nw.lit("blank")).otherwise(None)
            columns += [label, blank.alias(WHY + name)]
            continue
        if kind == "number":
            numeric.add(name)
            columns.append(_number(contract, types[name]))
        else:
            columns.append(_missing_as_null(name, types[name]))
        columns.append(_why(name, types[name]))
    typed = engine.keep(trimmed.select(*columns))
    problems += _infinite(typed, sorted(numeric), engine, file)
    problems += _out_of_range(typed, contracts, engine, file)
    return Typed(typed, frozenset(numeric), tuple(problems))


def as_text(name: str, dtype: nw.dtypes.DType) -> nw.Expr:
    """Return a column as the text that a CSV file of it would hold.

    Parameters
    ----------
    name : str
    dtype : narwhals DType
        Whole numbers held with a point lose it, so that a code keeps its look.

    Returns
    -------
    narwhals expression
        Missing where the cell is blank.
    """
    column = nw.col(name)
    text = column.cast(nw.String)
    if dtype.is_float() or dtype == nw.Decimal:
        number = column.cast(nw.Float64)
        is_whole = (number == number.round(0)) & (number.abs() < _EXACT)
        whole = nw.when(is_whole).then(number).otherwise(0.0).cast(nw.Int64)
        text = nw.when(is_whole).then(whole.cast(nw.String)).otherwise(text)
    return nw.when(~text.is_in(list(BLANKS))).then(text).otherwise(None).alias(name)


def _trimmed(name: str, dtype: nw.dtypes.DType) -> nw.Expr:
    """Return text without its margins; what is no number either (a date, say) as text."""
    if dtype.is_numeric() or dtype == nw.Boolean:
        return nw.col(name)
    return nw.col(name).cast(nw.String).str.strip_chars()


def _codes(name: str) -> nw.Expr:
    return nw.col(name).is_in(list(SUPPRESSION_CODES))


def _absent(name: str, dtype: nw.dtypes.DType) -> nw.Expr:
    """Return an expression true where there is no value, for whatever reason."""
    if dtype.is_float():
        return nw.col(name).is_null() | nw.col(name).is_nan()
    if dtype != nw.String:
        return nw.col(name).is_null()
    return nw.col(name).is_null() | nw.col(name).is_in(list(BLANKS)) | _codes(name)


def _is_number(name: str) -> nw.Expr:
    return nw.col(name).str.contains(NUMBER)


def _is_label(contract: ColumnContract) -> nw.Expr:
    words = [word.strip().lower() for word in contract.labels]
    return nw.col(contract.name).str.to_lowercase().is_in(words)


def _tallies(
    contracts: Sequence[ColumnContract], types: Mapping[str, nw.dtypes.DType]
) -> dict[str, nw.Expr]:
    tallies: dict[str, nw.Expr] = {}
    for contract in contracts:
        if contract.kind not in ("number", "either"):
            continue
        name = contract.name
        present = ~_absent(name, types[name])
        if types[name] != nw.String:
            tallies[f"number {name}"] = present
            continue
        good = _is_number(name) | _is_label(contract) if contract.labels else _is_number(name)
        tallies[f"number {name}"] = present & good
        tallies[f"text {name}"] = present & ~good
    return tallies


def _number(contract: ColumnContract, dtype: nw.dtypes.DType) -> nw.Expr:
    name = contract.name
    if dtype != nw.String:
        present = nw.when(~_absent(name, dtype)).then(nw.col(name)).otherwise(None)
        return present.cast(nw.Float64).alias(name)
    text = nw.when(_is_number(name)).then(nw.col(name)).otherwise(None)
    value = text.cast(nw.Float64)
    for word, number in contract.labels.items():
        said = nw.col(name).str.to_lowercase() == word.strip().lower()
        value = nw.when(said).then(nw.lit(float(number))).otherwise(value)
    return value.alias(name)


def _missing_as_null(name: str, dtype: nw.dtypes.DType) -> nw.Expr:
    label = as_text(name, dtype)
    return nw.when(~_absent(name, dtype)).then(label).otherwise(None).alias(name)


def _why(name: str, dtype: nw.dtypes.DType) -> nw.Expr:
    blank = nw.when(_absent(name, dtype)).then(nw.lit("blank")).otherwise(None)
    if dtype != nw.String:
        return blank.alias(WHY + name)
    return nw.when(_codes(name)).then(nw.col(name)).otherwise(blank).alias(WHY + name)


def _infinite(
    frame: nw.LazyFrame[Any], numeric: Sequence[str], engine: Engine, file: str
) -> list[Problem]:
    counts = engine.counts(frame, {name: ~nw.col(name).is_finite() for name in numeric})
    return [
        Problem(
            f"{file}, column `{name}`",
            f"{_rows(count)} a number without end (infinity)",
            "Mend the values or leave them empty.",
        )
        for name, count in counts.items()
        if count
    ]


def _out_of_range(
    frame: nw.LazyFrame[Any], contracts: Sequence[ColumnContract], engine: Engine, file: str
) -> list[Problem]:
    ranges = [c for c in contracts if c.low is not None or c.high is not None]
    outside = {}
    for contract in ranges:
        value = nw.col(contract.name)
        low = value < contract.low if contract.low is not None else nw.lit(False)
        high = value > contract.high if contract.high is not None else nw.lit(False)
        outside[contract.name] = value.is_finite() & (low | high)
    counts = engine.counts(frame, outside)
    return [
        Problem(
            f"{file}, column `{contract.name}`",
            f"{_rows(counts[contract.name])} a value that is impossible here "
            f"({_span(contract)} is possible)",
            "Mend the values, or the range in the study file.",
        )
        for contract in ranges
        if counts[contract.name]
    ]


def _span(contract: ColumnContract) -> str:
    low = "no lower end" if contract.low is None else f"{contract.low:g}"
    return f"{low} or more" if contract.high is None else f"{low} to {contract.high:g}"


def _rows(count: int) -> str:
    return "1 row holds" if count == 1 else f"{count} rows hold"


def _not_numbers(file: str, name: str, text: int, has_labels: bool) -> Problem:
    also = ", one of the study file's `labels`" if has_labels else ""
    return Problem(
        f"{file}, column `{name}`",
        f"{_rows(text)} something that is neither a number{also} nor a known code "
        f"({', '.join(SUPPRESSION_CODES)})",
        "Mend the values or leave them empty.",
    )


def _mixed(file: str, name: str, number: int, text: int) -> Problem:
    return Problem(
        f"{file}, column `{name}`",
        f"{_rows(number)} a number and {_rows(text)} other text, so the column is neither a "
        "number nor a category",
        'Mend the values, or say which it is: { column = "'
        + name
        + '", kind = "category" } in [covariates].',
    )
