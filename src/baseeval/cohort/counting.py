"""Counting: who was left out and why, and what is missing for whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals.stable.v2 as nw
import pandas as pd

from baseeval.cohort.keys import ARM, FATE, PUPIL, SCHOOL, STEP, WAVE
from baseeval.cohort.pupils import FATES
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import COUNT
from baseeval.results import ARMS, Flow
from baseeval.sources.values import WHY

_NUMBER = COUNT.alias("pupils")
#: A pupil without a school stands in none: `n_unique` counts the null as one more.
_SCHOOLS = (
    nw.col(SCHOOL).n_unique().cast(nw.Int64) - nw.col(SCHOOL).is_null().cast(nw.Int64).max()
).alias("schools")

_NOBODY = {"pupils": 0, "schools": 0}


def count_flow(pupils: nw.LazyFrame[Any], complete: nw.LazyFrame[Any], engine: Engine) -> Flow:
    """Count pupils from the data to the comparison, with a reason for every exclusion.

    Parameters
    ----------
    pupils : narwhals LazyFrame
        From `pupil_table`.
    complete : narwhals LazyFrame
        The pupils of an arm with every covariate: ``key:pupil``.
    engine : Engine

    Returns
    -------
    Flow
    """
    records: list[dict[str, object]] = []
    everyone = _count(pupils, [], engine)
    records += [{"step": "In the data", "arm": "all", **row, "reason": ""} for row in everyone]
    fates = {row[FATE]: row for row in _count(pupils, [FATE], engine)}
    for fate, reason in FATES.items():
        if fate != "arm" and fate in fates:
            step = "Set aside" if fate == "peer" else "Left out"
            records.append({**fates[fate], "step": step, "arm": "all", "reason": reason})
    placed = pupils.filter(nw.col(FATE) == "arm")
    in_arms = _of_arms(placed, engine)
    complete_too = _of_arms(placed.join(complete, on=PUPIL, how="inner"), engine)
    # An arm of which nobody is left stands there with none.
    arms = [arm for arm in (*ARMS, "all") if arm in in_arms]
    for step, reason, counted in (
        ("In an arm", "", in_arms),
        ("In an arm, every covariate known", "others lack a covariate", complete_too),
    ):
        records += [
            {"step": step, "arm": arm, **counted.get(arm, _NOBODY), "reason": reason}
            for arm in arms
        ]
    columns = ["step", "arm", "pupils", "schools", "reason"]
    return Flow(pd.DataFrame.from_records(records)[columns])


def _of_arms(pupils: nw.LazyFrame[Any], engine: Engine) -> dict[str, dict[str, int]]:
    """Count the pupils and schools of each arm that holds any."""
    return {
        str(row[ARM]): {"pupils": row["pupils"], "schools": row["schools"]}
        for row in _count(pupils, [ARM], engine)
    }


def _count(pupils: nw.LazyFrame[Any], by: list[str], engine: Engine) -> list[dict[str, Any]]:
    frame = pupils.group_by(*by).agg(_NUMBER, _SCHOOLS) if by else pupils.select(_NUMBER, _SCHOOLS)
    rows: list[dict[str, Any]] = engine.collect(frame, by).to_pylist()
    return rows


def count_missing(
    pupils: nw.LazyFrame[Any],
    covariates: nw.LazyFrame[Any],
    names: Sequence[str],
    scores: nw.LazyFrame[Any],
    engine: Engine,
) -> pd.DataFrame:
    """Count what is missing, for whom, and why.

    Parameters
    ----------
    pupils, covariates, scores : narwhals LazyFrame
        From `pupil_table`, `covariate_table` and `score_table`.
    names : sequence of str
        The covariates.
    engine : Engine

    Returns
    -------
    pandas.DataFrame
        ``role, name, wave, arm, pupils, missing, reason``: one row for each
        reason, and one with nothing missing where there is none. An outcome
        counts at a wave only for arms in which anybody has it.
    """
    placed = pupils.filter(nw.col(FATE) == "arm").select(PUPIL, ARM)
    sizes = {str(r[ARM]): int(r["pupils"]) for r in _arm_sizes(placed, engine)}
    records: list[dict[str, object]] = []
    for name in names:
        held = placed.join(covariates.select(PUPIL, name, WHY + name), on=PUPIL, how="left")
        reason = nw.coalesce(nw.col(WHY + name), nw.lit("no row"))
        found = held.with_columns(nw.when(nw.col(name).is_null()).then(reason).alias("reason"))
        records += _tally("covariate", name, "", found, sizes, engine)
    measured = scores.filter(nw.col(FATE) == "arm")
    occasions = engine.collect(
        measured.filter(~nw.col("value").is_null()).select("outcome", STEP, WAVE, ARM).unique(),
        ["outcome", STEP, ARM],
    ).to_pylist()
    for name, wave in dict.fromkeys((row["outcome"], row[WAVE]) for row in occasions):
        arms = {r[ARM] for r in occasions if (r["outcome"], r[WAVE]) == (name, wave)}
        at = measured.filter((nw.col("outcome") == name) & (nw.col(WAVE) == wave))
        held = placed.filter(nw.col(ARM).is_in(sorted(arms))).join(
            at.select(PUPIL, "value", "why"), on=PUPIL, how="left"
        )
        blank = nw.coalesce(nw.col("why"), nw.lit("no row at this wave"))
        reason = nw.when(nw.col("value").is_null()).then(blank)
        found = held.with_columns(reason.alias("reason"))
        here = {arm: size for arm, size in sizes.items() if arm in arms}
        records += _tally("outcome", str(name), str(wave), found, here, engine)
    columns = ["role", "name", "wave", "arm", "pupils", "missing", "reason"]
    return pd.DataFrame.from_records(records, columns=columns)


def _arm_sizes(placed: nw.LazyFrame[Any], engine: Engine) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = engine.collect(
        placed.group_by(ARM).agg(_NUMBER), [ARM]
    ).to_pylist()
    return rows


def _tally(
    role: str,
    name: str,
    wave: str,
    found: nw.LazyFrame[Any],
    sizes: dict[str, int],
    engine: Engine,
) -> list[dict[str, object]]:
    missing = found.filter(~nw.col("reason").is_null())
    counted = engine.collect(missing.group_by(ARM, "reason").agg(_NUMBER), [ARM, "reason"])
    rows = counted.to_pylist()
    records: list[dict[str, object]] = []
    for arm in (arm for arm in (*ARMS, "all") if arm in sizes):
        mine = [(row["reason"], int(row["pupils"])) for row in rows if row[ARM] == arm]
        for reason, count in mine or [("", 0)]:
            records.append(
                {
                    "role": role,
                    "name": name,
                    "wave": wave,
                    "arm": arm,
                    "pupils": sizes[arm],
                    "missing": count,
                    "reason": reason,
                }
            )
    return records
