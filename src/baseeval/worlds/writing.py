"""Write a world: its tables as CSV and its truth as JSON, the same bytes every time."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path
from typing import Any

from baseeval.worlds.simulation import World


def write_world(world: World, directory: str | PathLike[str]) -> list[Path]:
    r"""Write the tables and ``truth.json`` of a world.

    Parameters
    ----------
    world : World
    directory : str or path
        Made if it is not there; files of the same name are replaced.

    Returns
    -------
    list of Path
        The files written: UTF-8, ``\n`` line ends, numbers to 12 significant digits.
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, table in world.tables.items():
        path = folder / f"{name}.csv"
        table.to_csv(path, index=False, encoding="utf-8", lineterminator="\n", float_format="%.12g")
        written.append(path)
    path = folder / "truth.json"
    text = json.dumps(_rounded(world.truth), sort_keys=True, indent=1, allow_nan=False)
    path.write_bytes(f"{text}\n".encode())
    return [*written, path]


def _rounded(value: Any) -> Any:
    """Copy the tree with floats to 12 significant digits, beyond which platforms differ."""
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return float(f"{value:.12g}") if isinstance(value, float) else value
