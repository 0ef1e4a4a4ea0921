"""One tidy table of pupils: the columns a plan needs of it, read and typed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import narwhals.stable.v2 as nw

from baseeval.contracts.columns import ColumnContract
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError, Problem
from baseeval.plan import OutcomeSection, Plan, nearest
from baseeval.sources.files import find_files, fingerprint, read_file
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


def read_table(plan: Plan, engine: Engine) -> Source:
    """Read the table that a plan names.

    Parameters
    ----------
    plan : Plan
    engine : Engine
        Shut to further files afterwards.

    Returns
    -------
    Source

    Raises
    ------
    DataError
        A file or a column is not there, or files disagree on their columns.
    """
    assert plan.data.table is not None
    paths = find_files(plan.data.table, plan.path.parent)
    label = paths[0].name if len(paths) == 1 else f"{plan.data.table} ({len(paths)} files)"
    contracts = table_contract(plan)
    frames: list[nw.LazyFrame[Any]] = []
    problems: list[Problem] = []
    wanted = [contract.name for contract in contracts]
    for path in paths:
        frame = read_file(path, engine, plan.data.sheet, wanted)
        problems += _absent_columns(path, frame.collect_schema().names(), contracts)
        frames.append(frame)
    if problems:
        raise DataError(problems)
    frames = [frame.select(*wanted) for frame in frames]
    together = stacked(frames)
    files = tuple((path.name, fingerprint(path)) for path in paths)
    engine.shut()
    return Source(read_values(together, contracts, engine, label), files, label)


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


def _absent_columns(path: Path, held: list[str], contracts: list[ColumnContract]) -> list[Problem]:
    return [
        Problem(
            f"{path.name}, column `{contract.name}`",
            f"the file has no such column ({contract.meaning})",
            nearest(contract.name, held),
        )
        for contract in contracts
        if contract.name not in held
    ]
