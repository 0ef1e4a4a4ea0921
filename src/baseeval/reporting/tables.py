"""Released tables become plain files, the same bytes each time."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from baseeval.disclosure.released import Released

DIGITS = 12  # significant, in every csv


def write_tables(released: Released, directory: Path) -> None:
    """Write released tables into a directory: csv for each, and parquet for the results.

    How the arms overlap, whom answers describe, what a gate found, balance among respondents,
    rules of need, movements, ways out of a base, published figures and what is known of scales
    are written where there are any.
    """
    tables = {
        "results": released.results,
        "balance": released.balance,
        "overlap": released.overlap,
        "flow": released.flow,
        "descriptions": released.descriptions,
        "missing": released.missing,
        "attrition": released.attrition,
    }
    where_any = {
        "propensity": released.propensity,
        "describes": released.describes,
        "gate": released.gate,
        "respondents_balance": released.respondents,
        "eligibility": released.need_rules,
        "movements": released.movements,
        "ways_out": released.ways_out,
        "scales": released.scales,
        "items": released.items,
        "invariance": released.invariance,
        "completion": released.completion,
        "modes": released.modes,
        "benchmarks": released.benchmarks,
    }
    tables |= {name: table for name, table in where_any.items() if len(table)}
    for name, table in tables.items():
        write_csv(table, directory / f"{name}.csv")
    released.results.to_parquet(directory / "results.parquet", index=False)


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write UTF-8 with newlines alone, twelve significant digits, missing cells empty."""
    plain = table.copy()
    for name in plain.select_dtypes("float"):
        plain[name] = plain[name] + 0.0  # minus nought is nought
    plain.to_csv(
        path,
        index=False,
        float_format=f"%.{DIGITS}g",
        lineterminator="\n",
        encoding="utf-8",
        na_rep="",
    )
