"""Scales that no two schools share: found in the data, and refused or told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import narwhals.stable.v2 as nw
import pandas as pd

from baseeval.cohort.keys import SCHOOL, WAVE
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import COUNT, Frame
from baseeval.errors import Problem
from baseeval.plan import OutcomeSection, Plan

#: Schools with fewer values say nothing of how they were standardised.
_VALUES = 8
#: Fewer schools than this may look so by chance.
_SCHOOLS = 3
#: Steps to which values may have been rounded, the widest first.
_STEPS = (0.1, 0.01, 0.001)


def values_of_rows(rows: Frame, plan: Plan) -> Frame | None:
    """Lay out the figures of all pupils of a tidy table, in an arm or not.

    Parameters
    ----------
    rows : narwhals LazyFrame
        With keys.
    plan : Plan

    Returns
    -------
    narwhals LazyFrame or None
        ``outcome, occasion, school, value``; None where no outcome can be
        standardised within school unknown to the plan.
    """
    parts = [
        rows.select(
            nw.lit(outcome.name).alias("outcome"),
            nw.col(WAVE).alias("occasion"),
            nw.col(SCHOOL).alias("school"),
            nw.col(str(outcome.column)).cast(nw.Float64).alias("value"),
        )
        for outcome in plan.outcomes
        if _is_asked(outcome)
    ]
    return nw.concat(parts, how="vertical") if parts else None


def values_of_tables(
    tables: Mapping[str, Frame], plan: Plan, measures: Sequence[str]
) -> Frame | None:
    """Lay out the results of all pupils of a source, each in the school of that year's census.

    Parameters
    ----------
    tables : mapping of str to narwhals LazyFrame
        Contract's name -> table.
    plan : Plan
    measures : sequence of str
        Of the table ``attainment``.

    Returns
    -------
    narwhals LazyFrame or None
        As :func:`values_of_rows`; the occasion is the school year.
    """
    asked = [o for o in plan.outcomes if _is_asked(o) and o.column in measures]
    # A nation's tests are marked alike for all: to ask it of millions of rows tells nothing.
    if not asked or plan.data.source == "npd":
        return None
    schools = tables["pupils"].group_by("pupil_id", "year").agg(nw.col("urn").max())
    results = tables["attainment"].select("pupil_id", "year", "measure", "value")
    placed = results.join(schools, on=["pupil_id", "year"], how="inner")
    parts = [
        placed.filter(nw.col("measure") == outcome.column).select(
            nw.lit(outcome.name).alias("outcome"),
            nw.col("year").cast(nw.String).alias("occasion"),
            nw.col("urn").alias("school"),
            nw.col("value").cast(nw.Float64),
        )
        for outcome in asked
    ]
    return nw.concat(parts, how="vertical")


def check_scales(values: Frame | None, plan: Plan, engine: Engine, file: str) -> list[Problem]:
    """Refuse outcomes that were standardised within school, where the plan does not say so.

    Parameters
    ----------
    values : narwhals LazyFrame or None
        From :func:`values_of_rows` or :func:`values_of_tables`.
    plan : Plan
    engine : Engine
    file : str
        Named in messages.

    Returns
    -------
    list of Problem
    """
    if values is None:
        return []
    value = nw.col("value")
    known = values.filter(~value.is_null() & ~nw.col("school").is_null())
    off = [(value / step - (value / step).round(0)).abs().alias(f"off {step}") for step in _STEPS]
    by_school = (
        known.with_columns(*off)
        .group_by("outcome", "occasion", "school")
        .agg(
            COUNT.alias("pupils"),
            value.mean().alias("mean"),
            value.std(ddof=0).alias("sd"),
            *(nw.col(f"off {step}").max() for step in _STEPS),
        )
    )
    order = ["outcome", "occasion", "school"]
    table = engine.collect(by_school.filter(nw.col("pupils") >= _VALUES), order).to_pandas()
    found = {
        str(name): len(schools)
        for (name, _), schools in table.groupby(["outcome", "occasion"], sort=True)
        if _is_standardised(schools)
    }
    return [
        Problem(
            f"{file}, `{outcome.column}`",
            f"`{outcome.name}` has a mean of 0 and a standard deviation of 1 in each of "
            f"{found[outcome.name]} schools: it was standardised within school, and says nothing "
            "of how schools differ",
            "Give the figures as they were before that; or say "
            '`comparable = "within_school"` and `contrasts = ["base_vs_host"]` of the outcome, so '
            "that pupils are compared with pupils of their own school.",
        )
        for outcome in plan.outcomes
        if outcome.name in found
    ]


def one_school_notes(
    outcomes: Frame, plan: Plan, later: Sequence[str], engine: Engine
) -> tuple[str, ...]:
    """Say which outcomes one school alone has, where the arms lie in several.

    Parameters
    ----------
    outcomes : narwhals LazyFrame
        From `outcome_table`.
    plan : Plan
    later : sequence of str
        Waves after the baseline.
    engine : Engine

    Returns
    -------
    tuple of str
    """
    level = outcomes.filter((nw.col("form") == "level") & nw.col("wave").is_in(list(later)))
    pairs = engine.collect(
        level.select("outcome", "wave", "school").unique(), ["outcome", "wave", "school"]
    ).to_pandas()
    if pairs["school"].nunique() < 2:
        return ()
    counts = pairs.groupby(["outcome", "wave"], sort=False)["school"].nunique()
    notes = []
    for outcome in plan.outcomes:
        for wave in later:
            if counts.get((outcome.name, wave)) == 1:
                when = f" at wave {wave}" if wave else ""
                label = outcome.label or outcome.name.replace("_", " ")
                notes.append(
                    f"{label[:1].upper()}{label[1:]} is recorded in one school only{when}: no "
                    "other school can be compared with it, and from one school no range can be "
                    "worked out."
                )
    return tuple(notes)


def _is_asked(outcome: OutcomeSection) -> bool:
    """Tell whether an outcome is a number that could have been standardised within school."""
    is_number = outcome.kind == "continuous" or (outcome.kind == "ordinal" and not outcome.order)
    return is_number and outcome.comparable == "everywhere"


def _is_standardised(schools: pd.DataFrame) -> bool:
    """Judge by what rounding can do: to steps of h it moves a mean, and an SD, by up to h/2."""
    if len(schools) < _SCHOOLS:
        return False
    step = next((h for h in _STEPS if schools[f"off {h}"].max() < 1e-6), _STEPS[-1])
    limit = 0.55 * step
    n, mean, sd = (schools[name].to_numpy(dtype=float) for name in ("pupils", "mean", "sd"))
    over_n, over_less = abs(sd - 1) <= limit, abs(sd * (n / (n - 1)) ** 0.5 - 1) <= limit
    return bool((abs(mean) <= limit).all() and (over_n.all() or over_less.all()))
