"""Several files of schools, joined: who is in which, which value wins, and where they disagree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import combinations
from operator import or_
from typing import Any, Literal

import narwhals.stable.v2 as nw

from baseeval.contracts.columns import ColumnContract
from baseeval.contracts.schools import CONTRACT
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import Fault, fault
from baseeval.sources.contracted import Contracted, check_rules
from baseeval.sources.declared import NO_BASE
from baseeval.sources.values import WHY

#: Why a school has no value: none of the files that give the column holds the school.
NOT_IN_FILE = "not in file"

#: Who comes first where two files give one column. A register says what a school is called and of
#: what kind it is; its numbers are those of the day of the download, so there it comes last.
WORDS_FROM = (
    "schools",
    "gias",
    "performance_census",
    "performance_ks4",
    "performance_absence",
    "ees_sen",
)
NUMBERS_FROM = (
    "schools",
    "performance_census",
    "performance_ks4",
    "performance_absence",
    "ees_sen",
    "gias",
)

#: Percentages are published to one decimal place; so much apart is no disagreement.
_ROUNDING = 0.05 + 1e-9

_KEYS = ("urn", "year")
_NO_YEAR = -1


def givers(
    tables: Mapping[str, Contracted], first: Sequence[str] = ()
) -> dict[str, tuple[str, ...]]:
    """Say which files give each column, and in which order they are asked.

    Parameters
    ----------
    tables : mapping of str to Contracted
    first : sequence of str
        Files that come before the others.

    Returns
    -------
    dict of str to tuple of str
    """
    held = {key: table.frame.collect_schema().names() for key, table in tables.items()}
    found = {}
    for column in CONTRACT.columns:
        if column.name in (*_KEYS, "held_by"):
            continue
        order = NUMBERS_FROM if column.kind in ("number", "integer") else WORDS_FROM
        asked = dict.fromkeys((*first, *order))
        own = tuple(key for key in asked if key in held and column.name in held[key])
        if own:
            found[column.name] = own
    return found


def join_schools(
    tables: Mapping[str, Contracted],
    labels: Mapping[str, str],
    engine: Engine,
    first: Sequence[str],
    keep: Literal["any", "every"],
) -> tuple[nw.LazyFrame[Any], list[Fault]]:
    """Join files of schools on school, and on year where a file says it.

    Parameters
    ----------
    tables : mapping of str to Contracted
        Each with ``urn``.
    labels : mapping of str to str
    engine : Engine
    first : sequence of str
        Files that come before the others.
    keep : {"any", "every"}
        Schools of any file, or those that are in every one.

    Returns
    -------
    frame : narwhals LazyFrame
    faults : list of Fault
        None of them stops the study.
    """
    columns = givers(tables, first)
    side_by_side = engine.keep(_side_by_side(tables, columns))
    faults = _not_in_every_file(side_by_side, tables, labels, engine) if keep == "every" else []
    if keep == "every":
        side_by_side = side_by_side.filter(*(~_in(key).is_null() for key in tables))
    faults += _disagreements(side_by_side, columns, labels, engine)
    frame = engine.keep(_settled(side_by_side, tables, columns))
    # What must hold between columns holds of the joined table, whichever files they came from.
    return frame, faults + check_rules(frame, CONTRACT, engine, ", ".join(labels.values()))


def _side_by_side(
    tables: Mapping[str, Contracted], columns: Mapping[str, tuple[str, ...]]
) -> nw.LazyFrame[Any]:
    """Put every file's columns beside the list of all schools."""
    names = {key: table.frame.collect_schema().names() for key, table in tables.items()}
    parts = {}
    for key, table in tables.items():
        own = [name for name, asked in columns.items() if key in asked]
        reasons = [WHY + name for name in own if WHY + name in names[key]]
        year = nw.coalesce(nw.col("year"), nw.lit(_NO_YEAR)).cast(nw.Int64).alias("year")
        parts[key] = table.frame.select(
            "urn",
            *([year] if "year" in names[key] else []),
            nw.lit(1).alias(f"in:{key}"),
            *(nw.col(name).alias(f"{key}:{name}") for name in (*own, *reasons)),
        )
    dated = [key for key in tables if "year" in names[key]]
    undated = [key for key in tables if "year" not in names[key]]
    whole = _schools([parts[key] for key in dated], [parts[key] for key in undated])
    for key, part in parts.items():
        on = [name for name in _KEYS if name == "urn" or key in dated]
        whole = whole.join(part, on=on, how="left")
    return whole


def _schools(
    dated: Sequence[nw.LazyFrame[Any]], undated: Sequence[nw.LazyFrame[Any]]
) -> nw.LazyFrame[Any]:
    """List every school once a year; a school of undated files alone has no year."""
    alone = [part.select("urn") for part in undated]
    if not dated:
        return nw.concat(alone).unique()
    known = nw.concat([part.select(*_KEYS) for part in dated]).unique()
    if not undated:
        return known
    others = nw.concat(alone).unique().join(known.select("urn").unique(), on="urn", how="anti")
    year = nw.lit(_NO_YEAR).cast(nw.Int64).alias("year")
    return nw.concat([known, others.select("urn", year)])


def _settled(
    frame: nw.LazyFrame[Any],
    tables: Mapping[str, Contracted],
    columns: Mapping[str, tuple[str, ...]],
) -> nw.LazyFrame[Any]:
    """Take each value from the first file that has one, else the best reason why there is none."""
    held = frame.collect_schema().names()
    chosen: list[nw.Expr] = [nw.col("urn")]
    if "year" in held:
        chosen.append(nw.when(nw.col("year") != _NO_YEAR).then(nw.col("year")).alias("year"))
    for name in CONTRACT.names():
        if name not in columns:
            continue
        asked = columns[name]
        value = nw.coalesce(*(nw.col(f"{key}:{name}") for key in asked))
        chosen.append(value.alias(name))
        reasons = [(key, nw.col(f"{key}:{WHY}{name}")) for key in asked]
        if all(f"{key}:{WHY}{name}" in held for key in asked):
            told = [nw.when(why != "blank").then(why) for _, why in reasons]
            blank = nw.coalesce(*(why for _, why in reasons), nw.lit(NOT_IN_FILE))
            why = nw.when(value.is_null()).then(nw.coalesce(*told, blank))
            chosen.append(why.alias(WHY + name))
    keys = [nw.when(~_in(key).is_null()).then(nw.lit(key)) for key in tables]
    chosen.append(nw.concat_str(keys, separator=";", ignore_nulls=True).alias("held_by"))
    return frame.select(*chosen)


def _in(key: str) -> nw.Expr:
    return nw.col(f"in:{key}")


def _not_in_every_file(
    frame: nw.LazyFrame[Any],
    tables: Mapping[str, Contracted],
    labels: Mapping[str, str],
    engine: Engine,
) -> list[Fault]:
    counts = engine.counts(frame, {key: _in(key).is_null() for key in tables})
    return [
        fault(
            labels[key],
            "",
            "not_in_every_file",
            count,
            "no row there, and are left out",
            "Nothing need be done; a school that becomes an academy gets a new number.",
            unit="school",
        )
        for key, count in counts.items()
        if count
    ]


def _disagreements(
    frame: nw.LazyFrame[Any],
    columns: Mapping[str, tuple[str, ...]],
    labels: Mapping[str, str],
    engine: Engine,
) -> list[Fault]:
    """Count, of each column that several files give, the schools of which they say different."""
    several = {name: asked for name, asked in columns.items() if len(asked) > 1}
    differ = {name: _differ(CONTRACT.column(name), asked) for name, asked in several.items()}
    if "base_type" in several:
        asked = several["base_type"]
        none = [nw.col(f"{key}:{WHY}base_type") == NO_BASE for key in asked]
        named = [~nw.col(f"{key}:base_type").is_null() for key in asked]
        differ["base_type, none"] = reduce(or_, _settle(none)) & reduce(or_, _settle(named))
    counts = engine.counts(frame, differ)
    faults = []
    for name, asked in several.items():
        files = ", ".join(labels[key] for key in asked)
        if counts[name]:
            what = f"different values; the first of these files is read: {files}"
            faults.append(_disagreement(files, name, "files_disagree", counts[name], what))
        if name == "base_type" and counts["base_type, none"]:
            what = "a base in one file and none in another; they are read as having one"
            found = counts["base_type, none"]
            faults.append(_disagreement(files, name, "base_in_one_file", found, what))
    return faults


def _disagreement(files: str, column: str, rule: str, count: int, what: str) -> Fault:
    remedy = "Check which is right, and mend the other file."
    return fault(files, column, rule, count, what, remedy, unit="school")


def _differ(column: ColumnContract, asked: Sequence[str]) -> nw.Expr:
    pairs = []
    for one, other in combinations([nw.col(f"{key}:{column.name}") for key in asked], 2):
        if column.unit == "%":
            pairs.append((one - other).abs() > _ROUNDING)
        elif column.kind in ("category", "code"):
            pairs.append(one.str.to_lowercase() != other.str.to_lowercase())
        else:
            pairs.append(one != other)
    return reduce(or_, _settle(pairs))


def _settle(expressions: Sequence[nw.Expr]) -> list[nw.Expr]:
    """Read what is missing as false."""
    return [nw.coalesce(expression, nw.lit(False)) for expression in expressions]
