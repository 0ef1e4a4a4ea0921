"""One file of schools under the contract: one row a school, whatever file it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import narwhals.stable.v2 as nw

from baseeval.contracts.columns import ColumnContract
from baseeval.contracts.schools import CONTRACT
from baseeval.contracts.tables import TableContract
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import Fault, fault
from baseeval.sources.cells import as_text
from baseeval.sources.contracted import Contracted, read_contract
from baseeval.sources.declared import NO_BASE
from baseeval.sources.gathering import Gathered

#: What stands for a school's number on a row that is of no school: nothing, or a word such as NAT.
_NO_SCHOOL = r"^[A-Za-z]*$"

#: What R writes for 100000, 200000, ...
_SHORTENED = r"^[1-9]e\+05$"


def text_of(frame: nw.LazyFrame[Any], name: str) -> nw.Expr:
    """Return a column of a frame as text without margins, missing where it is blank.

    Parameters
    ----------
    frame : narwhals LazyFrame
    name : str

    Returns
    -------
    narwhals expression
    """
    text = as_text(name, frame.collect_schema()[name]).str.strip_chars()
    return nw.when(text != "").then(text).otherwise(nw.lit(None, nw.String)).alias(name)


def with_numbers(frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Mend a school's number, and make that of authority and establishment from its two parts.

    Parameters
    ----------
    frame : narwhals LazyFrame
        Under the contract's names, and ``estab``.

    Returns
    -------
    narwhals LazyFrame
    """
    held = frame.collect_schema().names()
    if "urn" in held:
        urn = text_of(frame, "urn")
        whole = nw.concat_str(urn.str.slice(0, 1), nw.lit("00000"))
        urn = nw.when(urn.str.contains(_SHORTENED)).then(whole).otherwise(urn)
        frame = frame.with_columns(urn.alias("urn"))
    if "laestab" not in held and {"la", "estab"} <= set(held):
        la, estab = text_of(frame, "la"), text_of(frame, "estab")
        padded = nw.concat_str(nw.lit("000"), estab).str.tail(4)
        numbers = la.str.contains(r"^\d{3}$") & estab.str.contains(r"^\d{1,4}$")
        laestab = nw.when(numbers).then(nw.concat_str(la, padded))
        frame = frame.with_columns(laestab.alias("laestab"))
    return frame


def without_totals(
    frame: nw.LazyFrame[Any], engine: Engine, label: str
) -> tuple[nw.LazyFrame[Any], list[Fault]]:
    """Leave out the rows that are of no school, and count them.

    Parameters
    ----------
    frame : narwhals LazyFrame
        With a school's number as `with_numbers` gives it.
    engine : Engine
    label : str

    Returns
    -------
    frame : narwhals LazyFrame
    faults : list of Fault
        None of them stops the study.
    """
    urn = nw.col("urn")
    total = urn.is_null() | urn.str.contains(_NO_SCHOOL)
    count = engine.counts(frame, {"totals": total})["totals"]
    told = fault(
        label,
        "urn",
        "no_school",
        count,
        "no school's number: totals for an authority, a region or England; they are left out",
        "Nothing need be done.",
    )
    return frame.filter(~total), [told] if count else []


def read_part(
    frame: nw.LazyFrame[Any],
    gathered: Gathered,
    engine: Engine,
    faults: list[Fault],
    codes: Mapping[str, str],
) -> Contracted:
    """Read one file's schools by the contract; a school on two rows stops the study.

    Parameters
    ----------
    frame : narwhals LazyFrame
        Under the contract's names.
    gathered : Gathered
        What it was made from.
    engine : Engine
    faults : list of Fault
        Found on the way.
    codes : mapping of str to str
        Codes of this file besides the known ones, or with another meaning.

    Returns
    -------
    Contracted
    """
    held = frame.collect_schema().names()
    contract = _contract(codes)
    table = read_contract(
        frame.select(*(name for name in contract.names() if name in held and name != "held_by")),
        contract,
        engine,
        gathered.label,
    )
    return Contracted(table.frame, (*gathered.faults, *faults, *table.faults), table.coded)


def _contract(codes: Mapping[str, str]) -> TableContract:
    """Return the contract for one file: rules between files come after the join."""

    def of_this_file(column: ColumnContract) -> ColumnContract:
        if column.name == "base_type":
            return replace(column, reasons={NO_BASE: NO_BASE})
        if column.kind in ("number", "integer", "date"):
            return replace(column, reasons=codes)
        # Where a file has its own codes, they stand among the words too.
        return replace(column, kind="word", reasons=codes) if _is_word(column, codes) else column

    columns = tuple(map(of_this_file, CONTRACT.columns))
    rules = tuple(rule for rule in CONTRACT.rules if rule.per)
    return replace(CONTRACT, columns=columns, rules=rules)


def _is_word(column: ColumnContract, codes: Mapping[str, str]) -> bool:
    return column.kind == "category" and bool(codes)
