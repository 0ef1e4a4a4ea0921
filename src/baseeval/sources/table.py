"""One tidy table of pupils: the columns a plan needs of it, read and typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from baseeval.contracts.codes import NO, YES
from baseeval.contracts.columns import ColumnContract
from baseeval.engine.duckdb_engine import Engine
from baseeval.plan import OutcomeSection, Plan
from baseeval.sources.pseudonyms import pseudonymised, read_key
from baseeval.sources.tidy_rows import gather_rows
from baseeval.sources.values import Typed, read_values


@dataclass(frozen=True, slots=True)
class Source:
    """A plan's data, typed but not yet judged.

    Parameters
    ----------
    typed : Typed
    files : tuple of (name, SHA-256)
    label : str
        The file or files, as messages name them.
    """

    typed: Typed
    files: tuple[tuple[str, str], ...]
    label: str


def read_table(plan: Plan, engine: Engine, given: Mapping[str, Any] | None = None) -> Source:
    """Read the table that a plan names.

    Parameters
    ----------
    plan : Plan
    engine : Engine
    given : mapping, optional
        Frames or an open connection in place of the file, under ``table``.

    Returns
    -------
    Source

    Raises
    ------
    DataError
        A file or a column is not there, or files disagree on their columns.
    """
    contracts = table_contract(plan)
    rows = gather_rows(plan, contracts, engine, given)
    who = [name for name in (plan.data.pupil, plan.peers and plan.peers.peer_of) if name]
    named = pseudonymised(rows.frame, read_key(plan), engine, who)
    typed = read_values(named, contracts, engine, rows.label)
    typed = replace(typed, problems=(*rows.faults, *typed.problems))
    return Source(typed, rows.files, rows.label)


def table_contract(plan: Plan) -> list[ColumnContract]:
    """Derive from a plan what each column of its table must hold.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    list of ColumnContract
        One a column, keys first.
    """
    data, peers = plan.data, plan.peers
    columns = [
        ColumnContract(data.pupil, "key", "pupil"),
        ColumnContract(data.school, "key", "school"),
    ]
    if data.wave is not None:
        columns.append(ColumnContract(data.wave, "key", "wave"))
    if plan.arms is not None:
        columns.append(ColumnContract(plan.arms.column, "key", "placement"))
    if peers is not None:
        named = (peers.group, peers.peer_of, peers.year, peers.sex)
        columns += [ColumnContract(name, "key", "peers") for name in named if name is not None]
    for outcome in plan.outcomes:
        columns += _outcome_contract(outcome)
    kinds = {"number": "number", "category": "category", None: "either"}
    columns += [
        ColumnContract(c.column, kinds[c.kind], "covariate")  # type: ignore[arg-type]
        for c in plan.covariates.every()
    ]
    eligibility = {} if plan.eligibility is None else plan.eligibility.columns
    eligible_kinds = {"consent": "flag", "withdrawn": "key"}
    columns += [
        ColumnContract(name, eligible_kinds.get(what, "category"), "eligibility")  # type: ignore[arg-type]
        for what, name in eligibility.items()
    ]
    # An outcome at an earlier wave may be a covariate: the first contract stands.
    once: dict[str, ColumnContract] = {}
    for column in columns:
        held = once.setdefault(column.name, column)
        if held.kind == "key" and column.kind != "key":
            once[column.name] = column
    return list(once.values())


def _outcome_contract(outcome: OutcomeSection) -> list[ColumnContract]:
    columns = outcome.columns()
    if outcome.attended is not None:
        return [ColumnContract(name, "number", "sessions", low=0) for name in columns]
    if outcome.kind == "scale":
        assert outcome.range is not None
        low, high = outcome.range
        return [
            ColumnContract(item, "number", "item", labels=outcome.labels, low=low, high=high)
            for item in outcome.items
        ]
    if outcome.kind == "binary":
        words = dict.fromkeys(YES, 1.0) | dict.fromkeys(NO, 0.0) | outcome.labels
        return [
            ColumnContract(name, "integer", "yes or no", labels=words, low=0, high=1)
            for name in columns
        ]
    if outcome.order:
        steps = dict.fromkeys(outcome.order, "a step of `order`")
        return [ColumnContract(name, "code", "outcome", codes=steps) for name in columns]
    if outcome.kind == "count":
        return [ColumnContract(name, "integer", "count", low=0) for name in columns]
    return [ColumnContract(name, "number", "outcome") for name in columns]
