"""The report: everything that leaves, written into one directory."""

from __future__ import annotations

import os
from pathlib import Path

from baseeval.disclosure.released import Released
from baseeval.reporting.html import render
from baseeval.reporting.tables import write_tables


def report(released: Released, directory: str | os.PathLike[str]) -> None:
    """Write the page and the tables of a released study.

    Parameters
    ----------
    released : Released
        What has passed disclosure control; nothing else is read.
    directory : path
        Made if it is not there. It gets `report.html`, `results.csv`,
        `results.parquet`, `balance.csv`, `overlap.csv`, `flow.csv`,
        `descriptions.csv`, `missing.csv` and `attrition.csv`, and where the
        study has them `propensity.csv`, `describes.csv`, `gate.csv`,
        `respondents_balance.csv`, `eligibility.csv`, `movements.csv`,
        `benchmarks.csv`, `scales.csv`, `items.csv`, `invariance.csv`,
        `completion.csv` and `modes.csv`.
        The same `released` gives the same bytes.
    """
    folder = Path(directory)
    page = render(released)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.html").write_bytes(page.encode("utf-8"))
    write_tables(released, folder)
