"""Get Information about Schools: what the register says of each school."""

from __future__ import annotations

from collections.abc import Mapping

import narwhals.stable.v2 as nw

from baseeval.contracts.vocabulary import NEEDS
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import Fault, fault
from baseeval.sources.contracted import Contracted
from baseeval.sources.declared import base_type, joined_needs, need_code, plain
from baseeval.sources.gathering import Gathered
from baseeval.sources.school_part import read_part, text_of, with_numbers

#: Columns ``SEN1 (name)`` to ``SEN13 (name)``.
_NEEDS = tuple(f"sen_{number}" for number in range(1, 14))


def read_gias(gathered: Gathered, engine: Engine, words: Mapping[str, str]) -> Contracted:
    """Read a GIAS download: one row a school.

    Parameters
    ----------
    gathered : Gathered
        By the crosswalk ``gias``.
    engine : Engine
    words : mapping of str to str
        The user's own words for a base -> type; empty for none.

    Returns
    -------
    Contracted
        "Not applicable" under the type of base has the reason ``no base``, an empty
        cell ``blank``: the register says nothing there.
    """
    frame = with_numbers(gathered.frame)
    held = frame.collect_schema().names()
    listed = [name for name in _NEEDS if name in held]
    # Words are made plain once, and read from there.
    said = [need_code(text_of(frame, name)).alias(name) for name in listed]
    if "base_type" in held:
        said.append(plain(text_of(frame, "base_type")).alias("base_type"))
    frame = frame.with_columns(*said) if said else frame
    read: list[nw.Expr] = []
    strange: dict[str, nw.Expr] = {}
    if "base_type" in held:
        kind, strange["base_type"] = base_type(nw.col("base_type"), words)
        read.append(kind.alias("base_type"))
    if listed:
        every = nw.concat_str(nw.lit(""), *listed, nw.lit(""), separator=";")
        provided = {code: every.str.contains(f";{code};", literal=True) for code in NEEDS}
        read.append(joined_needs(provided).alias("base_needs"))
        known = [nw.col(name).is_in([*NEEDS, ""]) for name in listed]
        strange["base_needs"] = ~nw.all_horizontal(*known, ignore_nulls=True)
    counts = engine.counts(frame, strange)
    faults = [_strange(gathered.label, column, count) for column, count in counts.items() if count]
    frame = frame.with_columns(*read) if read else frame
    return read_part(frame, gathered, engine, faults, {})


def _strange(label: str, column: str, count: int) -> Fault:
    if column == "base_type":
        return fault(
            label,
            "TypeOfResourcedProvision (name)",
            "unknown_base_word",
            count,
            "a word for a base that is not known; they are read as bases of an unknown type",
            "If you know what it means, put a known word, such as SEN unit, in its place.",
            unit="school",
        )
    return fault(
        label,
        "SEN1 (name) to SEN13 (name)",
        "unknown_need",
        count,
        "words for a need that begin with no known code; they are left out of `base_needs`",
        "Check them against DfE's list of types of need.",
        unit="school",
    )
