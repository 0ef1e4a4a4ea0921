"""The rows of a tidy table: of its files or of what was given, wide ones made long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import narwhals.stable.v2 as nw

from baseeval.contracts.columns import ColumnContract
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError, Fault, Problem
from baseeval.plan import Plan, nearest
from baseeval.sources.damage import find_damage
from baseeval.sources.files import find_files, fingerprint, label_of, load_file
from baseeval.sources.given import take
from baseeval.sources.loaded import Loaded
from baseeval.sources.stacking import stacked
from baseeval.sources.wide_tables import check_wide, lengthened, unmarked

#: Keys that name a pupil, a school or a wave: an SPSS file's words for them are not read.
_NAMING = ("pupil", "school", "wave")


@dataclass(frozen=True, slots=True)
class TidyRows:
    """A tidy table as it came, one row a pupil and wave, not yet typed.

    Parameters
    ----------
    frame : narwhals LazyFrame
        With every column of the contract.
    label : str
        The file or files, as messages name them.
    files : tuple of (name, SHA-256)
    faults : tuple of Fault
        What was passed over above and below the table, and what a spreadsheet did to it.
    """

    frame: nw.LazyFrame[Any]
    label: str
    files: tuple[tuple[str, str], ...]
    faults: tuple[Fault, ...]


def gather_rows(
    plan: Plan,
    contracts: Sequence[ColumnContract],
    engine: Engine,
    given: Mapping[str, Any] | None = None,
) -> TidyRows:
    """Gather the rows of a plan's tidy table.

    Parameters
    ----------
    plan : Plan
    contracts : sequence of ColumnContract
        From `table_contract`.
    engine : Engine
    given : mapping, optional
        Frames or an open connection in place of the file, under ``table``.

    Returns
    -------
    TidyRows

    Raises
    ------
    DataError
        A file or a column is not there, or files disagree on their columns.
    """
    marks, wave = plan.data.wide, plan.data.wave
    own = {contract.name: contract for contract in contracts}
    loaded, label, files = _loaded(plan, own, engine, given)
    problems: list[Problem] = []
    for name, one in loaded:
        headings = one.frame.collect_schema().names()
        columns = [unmarked(heading, marks)[0] for heading in headings]
        if marks and wave is not None:
            problems += check_wide(name, headings, marks, wave)
            columns.append(wave)
        problems += _absent_columns(name, columns, contracts)
    if problems:
        raise DataError(problems)
    frame = stacked([_needed(one.frame, own, marks) for _, one in loaded])
    headed = [
        replace(own[unmarked(heading, marks)[0]], name=heading)
        for heading in frame.collect_schema().names()
    ]
    faults = [fault for _, one in loaded for fault in one.faults]
    faults += find_damage(frame, headed, engine, label)
    if marks and wave is not None:
        first = plan.data.baseline_wave or [*plan.data.waves, *marks.values()][0]
        frame = engine.keep(lengthened(frame, marks, wave, first))
    return TidyRows(frame.select(*own), label, files, tuple(faults))


def _loaded(
    plan: Plan,
    own: Mapping[str, ColumnContract],
    engine: Engine,
    given: Mapping[str, Any] | None,
) -> tuple[list[tuple[str, Loaded]], str, tuple[tuple[str, str], ...]]:
    """Load each file, or what was given in place of files, with its name."""
    if given is not None and "table" in given:
        label = 'tables["table"]'
        frames = take(given["table"], engine, "table")
        return [(label, Loaded(frame)) for frame in frames], label, ()
    data = plan.data
    assert data.table is not None

    def contract_of(heading: str) -> ColumnContract | None:
        return own.get(unmarked(heading, data.wide)[0])

    def kind_of(heading: str) -> str | None:
        contract = contract_of(heading)
        return None if contract is None else _stored_as(contract)

    def knows(heading: str) -> bool:
        return contract_of(heading) is not None

    paths = find_files(data.table, plan.path.parent)
    named = list(own)
    loaded = [(p.name, load_file(p, engine, data.sheet, named, knows, kind_of)) for p in paths]
    files = tuple((path.name, fingerprint(path)) for path in paths)
    return loaded, label_of(data.table, paths), files


def _needed(
    frame: nw.LazyFrame[Any], own: Mapping[str, ColumnContract], marks: Mapping[str, str]
) -> nw.LazyFrame[Any]:
    """Keep the columns of the contract, with the mark of a wave or without."""
    headings = frame.collect_schema().names()
    return frame.select(*(h for h in headings if unmarked(h, marks)[0] in own))


def _stored_as(contract: ColumnContract) -> str | None:
    """Say what a column is wanted as: words where the study has words for its values."""
    if contract.labels or (contract.kind == "key" and contract.meaning not in _NAMING):
        return None
    return contract.kind


def _absent_columns(
    file: str, held: Sequence[str], contracts: Sequence[ColumnContract]
) -> list[Problem]:
    return [
        Problem(
            f"{file}, column `{contract.name}`",
            f"the file has no such column ({contract.meaning})",
            nearest(contract.name, list(dict.fromkeys(held))),
        )
        for contract in contracts
        if contract.name not in held
    ]
