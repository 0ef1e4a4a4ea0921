"""The forms in which an area's tables are written: which files, and of what kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from baseeval.errors import Problem, UsageError
from baseeval.worlds.areas import Area, Recorded
from baseeval.worlds.contract_tables import contract_tables
from baseeval.worlds.mis_files import MOST_PUPILS, write_mis
from baseeval.worlds.npd_files import npd_files
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.roll import check_numbers
from baseeval.worlds.tables import as_frame
from baseeval.worlds.telling import Plot

#: Of a Parquet file; DuckDB reads and writes it too.
CODEC = "snappy"


def check_form(recipe: WorldRecipe, form: str, areas: int, pupils: int) -> None:
    """Refuse a form that a world cannot be written in.

    Parameters
    ----------
    recipe : WorldRecipe
    form : str
    areas, pupils : int
        Areas, and eligible pupils in all of them.

    Raises
    ------
    UsageError
    """
    if form not in FORMS:
        remedy = f"Use {', '.join(FORMS)}."
        raise UsageError(Problem("form", f"there is no form '{form}'", remedy))
    if form != "tidy":
        check_numbers(recipe, areas)
    if form != "mis":
        return
    people = pupils * (1 + recipe.peers.include)
    problems = []
    if areas > 1:
        what = f"a school's own system holds one area, and this world has {areas}"
        problems.append(Problem("areas", what, "Give 1, or write another form."))
    if people > MOST_PUPILS:
        what = f"{people} pupils, peers among them, are more marks than a register in CSV is for"
        problems.append(
            Problem("pupils", what, f"Give so few that they are {MOST_PUPILS} at most.")
        )
    if problems:
        raise UsageError(problems)


def write_csv(table: pd.DataFrame, path: Path) -> None:
    r"""Write a tidy table: UTF-8, ``\n`` line ends, numbers to 12 significant digits.

    Parameters
    ----------
    table : pandas.DataFrame
    path : pathlib.Path
    """
    table.to_csv(path, index=False, encoding="utf-8", lineterminator="\n", float_format="%.12g")


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write a table that another world's area may be read together with.

    Parameters
    ----------
    table : pyarrow.Table
    path : pathlib.Path
    """
    # Bounds of the columns would help no reader: every file holds all of an area.
    pq.write_table(table, path, compression=CODEC, write_statistics=False)


@dataclass(frozen=True)
class Shelf:
    """Where the files of an area stand.

    Attributes
    ----------
    folder : pathlib.Path
    part : str
        Empty where there is one area; else the name of this one's files.
    """

    folder: Path
    part: str = ""

    def file(self, name: str, kind: str) -> Path:
        """Name the file of a table: one, or where there are several areas one of each."""
        if not self.part:
            return self.folder / f"{name}.{kind}"
        (self.folder / name).mkdir(exist_ok=True)
        return self.folder / name / f"{self.part}.{kind}"


def _tidy(recipe: WorldRecipe, area: Area, recorded: Recorded, plot: Plot, shelf: Shelf) -> None:
    if shelf.part:
        write_parquet(recorded.table, shelf.file("pupils", "parquet"))
    else:
        write_csv(as_frame(recorded.table), shelf.file("pupils", "csv"))


def _contracts(
    recipe: WorldRecipe, area: Area, recorded: Recorded, plot: Plot, shelf: Shelf
) -> None:
    for name, table in contract_tables(recipe, area, recorded, plot.streams).items():
        write_parquet(table, shelf.file(name, "parquet"))


def _npd(recipe: WorldRecipe, area: Area, recorded: Recorded, plot: Plot, shelf: Shelf) -> None:
    tables = contract_tables(recipe, area, recorded, plot.streams)
    for name, table in npd_files(tables).items():
        _write_plain(table, shelf.file(name, "csv"))


def _mis(recipe: WorldRecipe, area: Area, recorded: Recorded, plot: Plot, shelf: Shelf) -> None:
    write_mis(contract_tables(recipe, area, recorded, plot.streams), shelf.folder, plot.streams)


#: Form -> what writes an area in it.
FORMS: Mapping[str, Callable[[WorldRecipe, Area, Recorded, Plot, Shelf], None]] = MappingProxyType(
    {"tidy": _tidy, "contracts": _contracts, "npd": _npd, "mis": _mis}
)


def _write_plain(table: pa.Table, path: Path) -> None:
    """Write columns in which no value needs quotes."""
    options = pa.csv.WriteOptions(include_header=False, quoting_style="none")
    with path.open("wb") as file:
        file.write((",".join(table.column_names) + "\n").encode())
        pa.csv.write_csv(table, file, options)
