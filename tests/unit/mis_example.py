"""A trust's few files for the tests: a study of source `mis`, opened and read back as rows."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import BaseevalError, Fault
from baseeval.plan import plan_from_keys
from baseeval.sources.opening import open_tables

PUPILS = "UPN,Name,URN,Year Group,Gender,SEN Status,DOB\n"
PUPILS += "A1,Ida Quill,100001,Year 7,Girl,E - EHCP,03/02/2014\n"
PUPILS += "A2,Ole Quill,100001,Y8\u00a0,Boy,SEN Support,2012-12-31\n"
PUPILS += "A3,Ann Quill,100002,9,Female,No SEN,\n"

#: What every study of these tests has besides its data.
REST = """
[study]
name = "trust"
title = "A trust"

[[outcomes]]
name = "attendance"
kind = "sessions"
attended = "sessions_attended"
possible = "sessions_possible"
better = "higher"
"""

DATA = """
[data]
source = "mis"

[data.files]
pupils = { file = "pupils.csv", set = { year = 2026, term = "AUT" } }
"""


def plan_of(folder: Path, data: str, rest: str = REST) -> Any:
    """Read a plan whose [placement] asks for no table of places."""
    keys = tomllib.loads(f"{rest}\n[placement]\nsource = 'schools'\n{data}")
    return plan_from_keys(keys, folder / "study.toml")


class Read:
    """What the files of a study hold, as plain rows."""

    def __init__(
        self, folder: Path, data: str, files: Mapping[str, str], given: Any = None
    ) -> None:
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        with Engine() as engine:
            opened = open_tables(plan_of(folder, data), engine, given)
            self.files = [name for name, _ in opened.files]
            self.faults = opened.tables.faults
            self.labels = opened.tables.labels
            self.columns = {
                name: frame.collect_schema().names() for name, frame in opened.tables.frames.items()
            }
            self._tables = {
                name: engine.collect(frame, ["pupil_id"]).to_pylist()
                for name, frame in opened.tables.frames.items()
                if "pupil_id" in frame.collect_schema().names()
            }

    def rows(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        """Return rows in order of their values."""
        return sorted(
            (tuple(row.get(name) for name in columns) for row in self._tables[table]), key=repr
        )

    def fault(self, rule: str) -> Fault:
        """Return the one fault of a rule."""
        [found] = [fault for fault in self.faults if fault.rule == rule]
        return found

    def stopping(self) -> list[str]:
        return [str(fault) for fault in self.faults if fault.stops]


def problems(error: BaseevalError) -> str:
    return "\n".join(map(str, error.problems))
