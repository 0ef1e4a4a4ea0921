"""Reading values: text into numbers, dates and codes, with a reason for all that is missing.

Every value is parsed once. The query that types the columns also marks each row with what is wrong
in it, one bit a check; all counts are then made from the marks, without the data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

from baseeval.contracts.columns import ColumnContract
from baseeval.contracts.tables import Rule
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import COUNT
from baseeval.errors import Fault, fault
from baseeval.sources.cells import absent, is_number, trimmed
from baseeval.sources.reading import Reading, read_column

#: Column that holds why a value is not there; null where it is.
WHY = "why:"

#: Bits of a mark: a signed 64-bit integer less its sign, and one to spare.
_BITS = 62
_MARK = "mark:"
_FAULT = "fault:"


@dataclass(frozen=True, slots=True)
class Typed:
    """A frame whose columns keep their contracts, and what did not.

    Parameters
    ----------
    frame : narwhals LazyFrame
        Each column by its name; each measured one with a second, ``why:name``.
    numeric : frozenset of str
        The columns that are numbers.
    problems : tuple of Fault
        Those that stop the study, and those that only count rows.
    coded : mapping of str to int
        Of each measured column: rows where a code stands for the value.
    """

    frame: nw.LazyFrame[Any]
    numeric: frozenset[str]
    problems: tuple[Fault, ...]
    coded: Mapping[str, int]


def read_values(
    frame: nw.LazyFrame[Any],
    contracts: Sequence[ColumnContract],
    engine: Engine,
    file: str,
    rules: Sequence[Rule] = (),
) -> Typed:
    """Type the columns of a frame as their contracts say, and check it in the same pass.

    Parameters
    ----------
    frame : narwhals LazyFrame
        Holds every column named.
    contracts : sequence of ColumnContract
    engine : Engine
    file : str
        Named in messages.
    rules : sequence of Rule
        What must hold between columns that `contracts` name.

    Returns
    -------
    Typed
        Suppression codes and blanks are missing, each with its reason; any
        other text in a number is a problem with its count of rows.
    """
    held = frame.collect_schema()
    clean = frame.select(*(trimmed(c, held[c.name]) for c in contracts))
    types = clean.collect_schema()
    settled, problems = _settled(clean, contracts, types, engine, file)
    readings = [read_column(contract, types[contract.name]) for contract in settled]
    marks: list[tuple[str, nw.Expr]] = []
    columns: list[nw.Expr] = []
    for contract, reading in zip(settled, readings, strict=True):
        columns += _columns_of(contract.name, reading)
        marks += _marks_of(contract.name, reading)
    rows = [rule for rule in rules if not rule.per]
    # Each step reads the columns of the one before: nothing is worked out twice.
    parsed = clean.with_columns(*(reading.parsed for reading in readings))
    judged = parsed
    if marks:
        judged = parsed.with_columns(*(fault.alias(_FAULT + name) for name, fault in marks))
    typed = judged.select(*columns, *_packed([nw.col(_FAULT + name) for name, _ in marks], _MARK))
    names = [name for name in typed.collect_schema().names() if not name.startswith(_MARK)]
    broken = _packed([rule.fault for rule in rows], f"{_MARK}rule")
    typed = engine.keep(typed.with_columns(*broken) if broken else typed)
    counts = dict(
        zip(
            [name for name, _ in marks],
            _unpacked(typed, len(marks), _MARK, engine),
            strict=True,
        )
    )
    for contract, reading in zip(settled, readings, strict=True):
        problems += [
            fault(
                file,
                contract.name,
                check.rule,
                counts[f"{contract.name} {check.rule}"],
                check.what,
                check.remedy,
                verb="hold",
                stops=check.stops,
            )
            for check in reading.checks
            if counts[f"{contract.name} {check.rule}"]
        ]
    order = [contract.name for contract in settled]
    problems.sort(key=lambda problem: order.index(problem.column))
    problems += broken_rules(file, rows, _unpacked(typed, len(rows), f"{_MARK}rule", engine))
    frame = typed.select(*names)
    problems += _between_rows(file, frame, [rule for rule in rules if rule.per], engine)
    return Typed(
        frame,
        frozenset(c.name for c in settled if c.kind in ("number", "integer", "flag")),
        tuple(problems),
        {c.name: counts[f"{c.name} coded"] for c in settled if f"{c.name} coded" in counts},
    )


def broken_rules(file: str, rules: Sequence[Rule], counts: Sequence[int]) -> list[Fault]:
    """Word the rules that are broken.

    Parameters
    ----------
    file : str
    rules : sequence of Rule
    counts : sequence of int
        Of each rule, the rows or groups at fault.

    Returns
    -------
    list of Fault
    """
    return [
        fault(
            file,
            rule.columns[0],
            rule.name,
            count,
            rule.what,
            rule.remedy,
            unit=rule.unit,
            stops=rule.stops,
        )
        for rule, count in zip(rules, counts, strict=True)
        if count
    ]


def _settled(
    frame: nw.LazyFrame[Any],
    contracts: Sequence[ColumnContract],
    types: Mapping[str, nw.dtypes.DType],
    engine: Engine,
    file: str,
) -> tuple[list[ColumnContract], list[Fault]]:
    """Decide of each column that may be either whether it is a number."""
    tallies: dict[str, nw.Expr] = {}
    for contract in contracts:
        if contract.kind == "either":
            present = ~absent(contract, types[contract.name])
            is_text = types[contract.name] == nw.String
            number = is_number(contract) if is_text else nw.lit(True)
            tallies[f"number {contract.name}"] = present & number
            tallies[f"text {contract.name}"] = present & ~number
    counts = engine.counts(frame, tallies)
    settled: list[ColumnContract] = []
    problems: list[Fault] = []
    for contract in contracts:
        if contract.kind == "either":
            numbers, texts = (counts[f"{kind} {contract.name}"] for kind in ("number", "text"))
            if numbers and texts:
                problems.append(_mixed(file, contract.name, numbers, texts))
            contract = replace(contract, kind="number" if numbers and not texts else "word")
        settled.append(contract)
    return settled, problems


def _columns_of(name: str, reading: Reading) -> list[nw.Expr]:
    """Take the value of rows without a fault, and say of the others why they have none."""
    value, why = reading.value, reading.why
    for check in reading.checks:
        at_fault = nw.col(f"{_FAULT}{name} {check.rule}")
        if not check.keeps:
            value = nw.when(at_fault).then(None).otherwise(value)
        if why is not None and check.rule != "no_value" and not check.keeps:
            words = check.rule.replace("_", " ")
            why = nw.when(at_fault).then(nw.lit(words)).otherwise(why)
    columns = [value.alias(name)]
    return columns if why is None else [*columns, why.alias(WHY + name)]


def _marks_of(name: str, reading: Reading) -> list[tuple[str, nw.Expr]]:
    marks = [(f"{name} {check.rule}", check.fault) for check in reading.checks]
    if reading.coded is not None:
        marks.append((f"{name} coded", reading.coded))
    return marks


def _packed(faults: Sequence[nw.Expr], prefix: str) -> list[nw.Expr]:
    """Pack truths into whole numbers, one bit each."""
    packed = []
    for start in range(0, len(faults), _BITS):
        bits = [
            nw.when(fault).then(nw.lit(1 << bit)).otherwise(nw.lit(0)).cast(nw.Int64)
            for bit, fault in enumerate(faults[start : start + _BITS])
        ]
        total = bits[0]
        for bit in bits[1:]:
            total = total + bit
        packed.append(total.cast(nw.Int64).alias(f"{prefix}{start // _BITS}"))
    return packed


def _unpacked(typed: nw.LazyFrame[Any], number: int, prefix: str, engine: Engine) -> list[int]:
    """Count the rows of each bit from the distinct marks."""
    counts: list[int] = []
    for start in range(0, number, _BITS):
        mark = f"{prefix}{start // _BITS}"
        found = engine.collect(typed.group_by(mark).agg(COUNT.alias("rows")), [mark])
        marks = np.asarray(found.column(mark), dtype=np.int64)
        rows = np.asarray(found.column("rows"), dtype=np.int64)
        counts += [
            int(rows[(marks >> bit) & 1 == 1].sum()) for bit in range(min(_BITS, number - start))
        ]
    return counts


def _between_rows(
    file: str, frame: nw.LazyFrame[Any], rules: Sequence[Rule], engine: Engine
) -> list[Fault]:
    """Check what must hold between the rows of one key, one grouping for all rules of that key."""
    problems = []
    for per in dict.fromkeys(rule.per for rule in rules):
        mine = [rule for rule in rules if rule.per == per]
        gathered = {name: how for rule in mine for name, how in rule.gathered.items()}
        read = dict.fromkeys([*per, *(column for column, _ in gathered.values() if column)])
        worked = {name: value for rule in mine for name, value in rule.worked.items()}
        known = [~nw.col(key).is_null() for key in per]
        groups = (
            frame.filter(*known)
            .select(*(worked.get(name, nw.col(name)).alias(name) for name in read))
            .group_by(*per)
            .agg(*(_gathered(name, *how) for name, how in gathered.items()))
        )
        counts = engine.counts(groups, {rule.name: rule.fault for rule in mine})
        problems += broken_rules(file, mine, [counts[rule.name] for rule in mine])
    return problems


def _gathered(name: str, column: str, how: str) -> nw.Expr:
    if how == "rows":
        return COUNT.alias(name)
    value = nw.col(column)
    return (value.min() if how == "min" else value.max()).alias(name)


def _mixed(file: str, name: str, number: int, text: int) -> Fault:
    return fault(
        file,
        name,
        "mixed",
        number,
        f"a number and {_rows(text)} other text, so the column is neither a number nor a category",
        'Mend the values, or say which it is: { column = "'
        + name
        + '", kind = "category" } in [covariates].',
        verb="hold",
        stops=True,
    )


def _rows(count: int) -> str:
    return "1 row holds" if count == 1 else f"{count:,} rows hold"
