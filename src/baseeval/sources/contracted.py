"""A table read by its contract: typed, checked, and less the rows that say not whose they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import narwhals.stable.v2 as nw

from baseeval.contracts.tables import Rule, TableContract
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import Fault
from baseeval.sources.values import broken_rules, read_values


@dataclass(frozen=True, slots=True)
class Contracted:
    """A table that keeps its contract.

    Parameters
    ----------
    frame : narwhals LazyFrame
        The contract's columns that the data hold, typed; each measured one with a
        second, ``why:name``: why there is no value.
    faults : tuple of Fault
        Those that stop the study, and those that only count rows.
    coded : dict of str to int
        Of each measured column: rows where a code stands for the value.
    """

    frame: nw.LazyFrame[Any]
    faults: tuple[Fault, ...]
    coded: dict[str, int]


def read_contract(
    frame: nw.LazyFrame[Any],
    contract: TableContract,
    engine: Engine,
    file: str,
    optional: frozenset[str] = frozenset(),
) -> Contracted:
    """Read a table by its contract, every fault at once.

    Parameters
    ----------
    frame : narwhals LazyFrame
        Under the contract's names; other columns are not read.
    contract : TableContract
    engine : Engine
    file : str
        Named in messages.
    optional : frozenset of str
        Required columns that this source need not have: it makes them itself.

    Returns
    -------
    Contracted
        Rows without a value that every row needs are left out, and counted.
    """
    held = frame.collect_schema().names()
    columns = [column for column in contract.columns if column.name in held]
    absent = [
        Fault(
            f"{file}, column `{column.name}`",
            f"the file has no such column ({column.meaning})",
            f"Add it, or name its heading in [data.columns.{contract.name}].",
            file,
            column.name,
            "no_column",
            0,
            True,
        )
        for column in contract.columns
        if column.required and column.name not in held and column.name not in optional
    ]
    if not columns:
        return Contracted(frame, tuple(absent), {})
    rules = [rule for rule in map(_applicable(held), contract.rules) if rule is not None]
    typed = read_values(frame, columns, engine, file, rules)
    needed = [~nw.col(column.name).is_null() for column in columns if column.needed]
    kept = typed.frame.filter(*needed) if needed else typed.frame
    return Contracted(kept, (*absent, *typed.problems), dict(typed.coded))


def check_rules(
    frame: nw.LazyFrame[Any], contract: TableContract, engine: Engine, file: str
) -> list[Fault]:
    """Check the rules between the columns of a row, of a table that was made and not read.

    Parameters
    ----------
    frame : narwhals LazyFrame
        Typed, under the contract's names.
    contract : TableContract
    engine : Engine
    file : str
        Named in messages.

    Returns
    -------
    list of Fault
    """
    held = frame.collect_schema().names()
    rules = [rule for rule in contract.rules if not rule.per and set(rule.columns) <= set(held)]
    counts = engine.counts(frame, {rule.name: rule.fault for rule in rules})
    return broken_rules(file, rules, [counts[rule.name] for rule in rules])


def _applicable(held: list[str]) -> Any:
    """Return a function that keeps a rule whose columns are there, on the keys that are."""

    def keep(rule: Rule) -> Rule | None:
        gathered = {column for column, _ in rule.gathered.values() if column} - set(rule.worked)
        # Without whom a group is of, a coarser key would make groups of strangers.
        if not {*rule.columns, *rule.per[:1], *gathered} <= set(held):
            return None
        return replace(rule, per=tuple(key for key in rule.per if key in held))

    return keep
