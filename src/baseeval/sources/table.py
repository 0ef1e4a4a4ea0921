"""One tidy table of pupils: the columns a plan needs of it, read and typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from baseeval.contracts.columns import ColumnContract
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError, Problem
from baseeval.plan import OutcomeSection, Plan, nearest
from baseeval.sources.files import find_files, fingerprint, label_of, read_file
from baseeval.sources.given import take
from baseeval.sources.stacking import stacked
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
    files: tuple[tuple[str, str], ...] = ()
    wanted = [contract.name for contract in contracts]
    if given is not None and "table" in given:
        label = 'tables["table"]'
        named = [(label, frame) for frame in take(given["table"], engine, "table")]
    else:
        assert plan.data.table is not None
        paths = find_files(plan.data.table, plan.path.parent)
        label = label_of(plan.data.table, paths)
        named = [(p.name, read_file(p, engine, plan.data.sheet, wanted)) for p in paths]
        files = tuple((path.name, fingerprint(path)) for path in paths)
    problems = [
        problem
        for name, frame in named
        for problem in _absent_columns(name, frame.collect_schema().names(), contracts)
    ]
    if problems:
        raise DataError(problems)
    frames = [frame.select(*wanted) for _, frame in named]
    return Source(read_values(stacked(frames), contracts, engine, label), files, label)


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
        for c in (*plan.covariates.adjust, *plan.covariates.exact)
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
    if outcome.kind == "sessions":
        return [ColumnContract(name, "number", "sessions", low=0) for name in outcome.columns()]
    if outcome.kind == "scale":
        assert outcome.range is not None
        low, high = outcome.range
        return [
            ColumnContract(item, "number", "item", labels=outcome.labels, low=low, high=high)
            for item in outcome.items
        ]
    return [ColumnContract(name, "number", "outcome") for name in outcome.columns()]


def _absent_columns(file: str, held: list[str], contracts: list[ColumnContract]) -> list[Problem]:
    return [
        Problem(
            f"{file}, column `{contract.name}`",
            f"the file has no such column ({contract.meaning})",
            nearest(contract.name, held),
        )
        for contract in contracts
        if contract.name not in held
    ]
