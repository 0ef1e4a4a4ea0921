"""A new study: a folder with a commented study file, an example and a workbook to record in."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

from baseeval.errors import Problem, UsageError
from baseeval.folders import swapped_in
from baseeval.plan import nearest
from baseeval.starters.example_extracts import write_extracts
from baseeval.starters.example_records import example_rows
from baseeval.starters.sheets import trust_sheets
from baseeval.starters.workbook import write_workbook
from baseeval.worlds import simulate, write_world

#: What is about children stays out of version control, wherever the folder is put.
_IGNORED = "*.xlsx\n*.csv\n*.key\noutput*/\n"

#: How that study names its table.
_SAMPLE = "../../synthetic_data/sample/pupils.csv"

#: Until then what is recorded is of the beginning of a school year.
_LAST_OF_YEAR = (9, 30)


def new_study(directory: str | os.PathLike[str], *, like: str = "trust", year: int = 2027) -> Path:
    """Begin a study: write a commented study file, an example, and what to record in.

    Parameters
    ----------
    directory : path
        Absent or empty: nothing of anybody's is overwritten.
    like : str
        ``trust`` (a school's or trust's own records, with a workbook), ``npd`` (extracts
        of the National Pupil Database) or ``src_replication`` (one tidy table).
    year : int
        Of ``trust``: the school year to record, by the summer in which it ends.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    UsageError
        There is no such beginning, no such year, or the folder holds something.
    """
    place = Path(directory)
    problems = []
    if like not in _KINDS:
        problems.append(
            Problem(f"--from {like}", "there is no such beginning", nearest(like, list(_KINDS)))
        )
    if not 2025 <= year <= 2100:
        what = "no school year that can be recorded"
        problems.append(Problem(f"--year {year}", what, "2027 means 2026/27."))
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        what = "it is there, and is not an empty folder"
        problems.append(Problem(place.name, what, "Name one that is absent or empty."))
    if problems:
        raise UsageError(problems)
    with swapped_in(place) as fresh:
        _KINDS[like](fresh, year)
        (fresh / ".gitignore").write_text(_IGNORED, encoding="utf-8", newline="\n")
    return place


def _trust(folder: Path, year: int) -> None:
    month, day = _LAST_OF_YEAR
    told = {
        "day": f"{year - 1}-{month:02d}-{day:02d}",
        "year_words": f"{year - 1}/{year % 100:02d}",
    }
    _copy("trust", folder, told)
    sheets, example = trust_sheets(), folder / "example"
    write_workbook(folder / "records.xlsx", sheets)
    example.mkdir()
    (example / "study.toml").write_bytes((folder / "study.toml").read_bytes())
    write_workbook(example / "records.xlsx", sheets, example_rows(year))


def _npd(folder: Path, _: int) -> None:
    _copy("npd", folder, {})
    write_extracts(folder / "example")


def _src_replication(folder: Path, _: int) -> None:
    """Copy the rehearsal of the study, its sample beside it."""
    write_world(simulate("src_replication", seed=1), folder)
    _copy("src_replication", folder, {})
    study = _study_file().read_text(encoding="utf-8").replace(_SAMPLE, "pupils.csv")
    (folder / "study.toml").write_text(study, encoding="utf-8", newline="\n")


_KINDS: Mapping[str, Callable[[Path, int], None]] = {
    "trust": _trust,
    "npd": _npd,
    "src_replication": _src_replication,
}


def _copy(kind: str, folder: Path, told: Mapping[str, str]) -> None:
    """Write the texts of a beginning, what is told put in its place."""
    for file in resources.files("baseeval.starters").joinpath(kind).iterdir():
        if file.name in ("study.toml", "README.md"):
            made = Template(file.read_text("utf-8")).substitute(told)
            (folder / file.name).write_text(made, encoding="utf-8", newline="\n")


def _study_file() -> Traversable:
    """Find the study that the repository runs: in the installed package, else in the checkout."""
    inner = ("analyses", "src_replication", "study.toml")
    installed = resources.files("baseeval").joinpath("_shipped", *inner)
    return installed if installed.is_file() else Path(__file__).parents[3].joinpath(*inner)
