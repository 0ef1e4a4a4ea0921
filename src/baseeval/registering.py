"""The register of bases: from a study's sources to a folder that may leave."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from baseeval.disclosure.profiles import get_profile
from baseeval.disclosure.registers import release_register
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError, PlanError, Problem
from baseeval.placement.registering import Register, make_register
from baseeval.reporting.register_page import register_page
from baseeval.sources.opening import open_tables
from baseeval.study import read_study


def list_bases(
    study: str | Path, tables: Mapping[str, Any] | None = None, *, profile: str | None = None
) -> Register:
    """List every base that any source of a study names, fit to leave.

    Parameters
    ----------
    study : str or pathlib.Path
        A study file with a `source`.
    tables : mapping, optional
        Frames or open connections in place of files.
    profile : str, optional
        srs, ees or trust; the study's own by default.

    Returns
    -------
    Register
        Small counts of pupils withheld, the others rounded; disagreements between
        sources told from the counts that leave.

    Raises
    ------
    PlanError, DataError
        With every fault at once.
    """
    plan = read_study(study)
    if plan.data.source is None:
        raise PlanError(
            Problem(
                f"{plan.path.name}, [data]",
                "a register is made from sources, and the study names one tidy table",
                "Name a `source`, with its tables in [data.files].",
            )
        )
    with Engine() as engine:
        opened = open_tables(plan, engine, tables)
        engine.shut()
        stopping = [fault for fault in opened.tables.faults if fault.stops]
        if stopping:
            raise DataError(stopping)
        if "pupils" not in opened.tables.frames:
            raise DataError(
                Problem(plan.path.name, "no table of pupils is named", "Name it in [data.files].")
            )
        register = make_register(opened.tables.frames, engine)
    return release_register(register, get_profile(profile or plan.release.profile))


def write_register(register: Register, directory: str | os.PathLike[str], title: str = "") -> None:
    """Write a register that may leave: a page and its tables.

    Parameters
    ----------
    register : Register
        From :func:`list_bases`.
    directory : path
        Gets `register.html`, `bases.csv`, `authorities.csv`, `disagreements.csv`
        and `times.csv`.
    title : str
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("bases", "authorities", "disagreements", "times"):
        # A heading `name` is a pupil's to whoever checks what leaves.
        table = getattr(register, name).rename(columns={"name": "base"})
        text = table.to_csv(index=False, lineterminator="\n", float_format="%.12g")
        (folder / f"{name}.csv").write_text(text, encoding="utf-8", newline="\n")
    page = register_page(register, title)
    (folder / "register.html").write_text(page, encoding="utf-8", newline="\n")
