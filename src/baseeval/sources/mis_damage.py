"""What a spreadsheet did to a trust's files, under the user's own headings."""

from __future__ import annotations

from dataclasses import replace

from baseeval.contracts.columns import ColumnContract
from baseeval.contracts.registry import TABLES
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import Fault
from baseeval.plan import Plan
from baseeval.sources.base_places import base_days
from baseeval.sources.damage import find_damage
from baseeval.sources.gathering import Gathered
from baseeval.sources.mis import BORN


def with_damage(key: str, gathered: Gathered, plan: Plan, engine: Engine) -> Gathered:
    """Look for the traces of a spreadsheet in a table.

    Parameters
    ----------
    key : str
        Of [data.files]; a file of another form than the contract's is left alone.
    gathered : Gathered
    plan : Plan
    engine : Engine

    Returns
    -------
    Gathered
        With the faults found, of which those that lose digits or days stop the study.
    """
    if key not in TABLES:
        return gathered
    days = base_days(plan.data.base) if key == "pupils" else {}
    contracts = [
        *TABLES[key].columns,
        *((BORN,) if key == "pupils" else ()),
        *(ColumnContract(name, "date", "Of a place in a base") for name in days),
    ]
    found = find_damage(gathered.frame, contracts, engine, gathered.label)
    named = [_under_heading(fault, days.get(fault.column, fault.column)) for fault in found]
    return replace(gathered, faults=(*gathered.faults, *named))


def _under_heading(fault: Fault, heading: str) -> Fault:
    where = f"{fault.file}, column `{heading}`" if heading else fault.file
    return replace(fault, where=where, column=heading)
