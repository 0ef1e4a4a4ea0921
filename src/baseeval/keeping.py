"""What a run keeps beside its answers: the manifest, and the private record of its designs."""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from baseeval.cohort.building import Cohort
from baseeval.folders import MANIFEST, restricted_beside
from baseeval.pipeline import Designs
from baseeval.plan import FileSection, Plan
from baseeval.reporting.tables import write_csv

#: What designs say to the holder of the data, and how the reasons of those not made begin.
NOTES, NOT_MADE = "notes.txt", "not made: "

#: Packages whose versions can change a number or a byte.
_VERSIONED = ("baseeval", "numpy", "scipy", "pandas", "pyarrow", "duckdb", "narwhals", "matplotlib")


def write_designs(designs: Designs, folder: Path) -> None:
    """Keep weights, pairs and exact diagnostics of a run where only the owner sees them.

    Parameters
    ----------
    designs : Designs
    folder : pathlib.Path
        The run's private one.
    """
    exact = folder / "designs"
    exact.mkdir(exist_ok=True)
    diagnostics = {
        "balance": designs.balance.table,
        "overlap": designs.balance.overlap,
        "target": designs.balance.target,
        "propensity": designs.balance.propensity,
        "gate": designs.gate.table,
    }
    for name, table in diagnostics.items():
        if table is not None:
            write_csv(table, exact / f"{name}.csv")
    notes = [
        *(
            f"{NOT_MADE}{' '.join(key)}: {problem}\n"
            for key, error in designs.failed.items()
            for problem in error.problems
        ),
        *(
            f"{' '.join(key)}: {note}\n"
            for key, weights in designs.made.items()
            for note in weights.notes
        ),
    ]
    (exact / NOTES).write_text("".join(notes), encoding="utf-8", newline="\n")
    for pattern in ("weights_*.parquet", "pairs_*.parquet"):
        for old in folder.glob(pattern):
            old.unlink()
    for (contrast, method), weights in designs.made.items():
        table = pd.DataFrame(
            {
                "pupil": weights.pupil,
                "school": weights.school,
                "first": weights.treated,
                "weight": weights.weights,
            }
        )
        table.to_parquet(folder / f"weights_{contrast}_{method}.parquet", index=False)
        if weights.pairs is not None:
            weights.pairs.to_parquet(folder / f"pairs_{contrast}_{method}.parquet", index=False)


def designs_not_made(place: Path) -> list[str]:
    """Return why designs of a run could not be made, for whoever holds the data.

    Parameters
    ----------
    place : pathlib.Path
        The run's folder of what may leave.

    Returns
    -------
    list of str
        One line a reason; they may count pupils.
    """
    notes = restricted_beside(place) / "designs" / NOTES
    if not notes.is_file():
        return []
    lines = notes.read_text(encoding="utf-8").splitlines()
    return [line.removeprefix(NOT_MADE) for line in lines if line.startswith(NOT_MADE)]


def write_manifest(cohort: Cohort, folder: Path) -> None:
    """Write what a reader needs to make the same bytes again: no clock, host, user or path.

    Parameters
    ----------
    cohort : Cohort
    folder : pathlib.Path
        That of what may leave.
    """
    plan = cohort.plan
    files = sorted(path for path in folder.iterdir() if path.is_file())
    manifest = {
        "manifest": 1,
        "study": plan.study.name,
        "plan_hash": plan.hash,
        "seed": plan.study.seed,
        "plan": _shown(plan),
        "inputs": [{"name": name, "sha256": digest} for name, digest in cohort.files],
        "outputs": [
            {"name": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
            for path in files
        ],
        "versions": versions(),
    }
    text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False)
    (folder / MANIFEST).write_text(f"{text}\n", encoding="utf-8", newline="\n")


def _shown(plan: Plan) -> dict[str, Any]:
    """Return the plan with its defaults, less the folders of this machine and a file's own words.

    What a file says for one school, and which schools host, may name schools: the plan's hash
    stands for them.
    """
    keys = plan.model_dump(mode="json", by_alias=True)
    if plan.data.table is not None:
        keys["data"]["table"] = _without_folder(plan.data.table)
    data = keys["data"]
    for key, parts in plan.data.files.items():
        shown = [_file_shown(*pair) for pair in zip(parts, data["files"][key], strict=True)]
        data["files"][key] = shown[0] if len(shown) == 1 else shown
    data["values"] = {
        table: {column: len(words) for column, words in own.items()}
        for table, own in plan.data.values.items()
    }
    if plan.placement is not None:
        keys["placement"]["hosts"] = len(plan.placement.hosts)
    if plan.data.pseudonym_key is not None:
        data["pseudonym_key"] = Path(plan.data.pseudonym_key).name
    if plan.data.base is not None and plan.data.base.list_ is not None:
        data["base"]["list"] = _without_folder(plan.data.base.list_)
    return keys


def _file_shown(section: FileSection, shown: dict[str, Any]) -> str | dict[str, Any]:
    """Return a file as a plan would write it: by its name alone where it has no options."""
    name = _without_folder(section.file)
    said = {"file": name, "set": sorted(section.constants)}
    return {**shown, **said} if section.has_options() else name


def _without_folder(pattern: str) -> str:
    """Take the folders of this machine off a name; one relative to the study file stays."""
    return Path(pattern).name if Path(pattern).is_absolute() else pattern


def versions() -> dict[str, str]:
    """Return the versions of all that can change a number.

    Returns
    -------
    dict of str to str
    """
    found = {"python": platform.python_version()}
    return found | {name: version(name) for name in _VERSIONED}
