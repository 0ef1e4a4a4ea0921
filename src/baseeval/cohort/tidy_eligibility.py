"""Eligibility in a tidy table, whose columns the plan names."""

from __future__ import annotations

import narwhals.stable.v2 as nw
import pandas as pd

from baseeval.cohort.eligible import count_need_rules, exclusion
from baseeval.cohort.keys import PUPIL, SCHOOL, STATUS
from baseeval.cohort.pupils import first_values
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame
from baseeval.plan import Plan
from baseeval.sources.cells import as_text

#: What is taken as first recorded; the rest is as at time zero.
_FIRST = ("primary_need", "secondary_need", "consent", "withdrawn")


def tidy_reasons(
    rows: Frame, plan: Plan, baseline_step: int | None, engine: Engine
) -> tuple[Frame | None, pd.DataFrame]:
    """Say of each pupil of a tidy table why the plan's rules leave them out.

    Parameters
    ----------
    rows : narwhals LazyFrame
        With keys and steps, checked.
    plan : Plan
    baseline_step : int, optional
    engine : Engine

    Returns
    -------
    reasons : narwhals LazyFrame or None
        ``pupil, reason``, only those left out; None without [eligibility].
    need_rules : pandas.DataFrame
        From `count_need_rules`.
    """
    rules = plan.eligibility
    if rules is None:
        return None, pd.DataFrame(columns=["rule", "used", "pupils", "schools"])
    schema = rows.collect_schema()
    table = rows.select(PUPIL).unique()
    for name, column in rules.columns.items():
        step = None if name in _FIRST else baseline_step
        text = rows.with_columns(as_text(column, schema[column]).alias("said"))
        found = first_values(text, "said", step).rename({"said": name})
        table = table.join(found, on=PUPIL, how="left")
    if "consent" in rules.columns:
        # One refusal is enough, whenever it came.
        lowest = rows.group_by(PUPIL).agg(nw.col(rules.columns["consent"]).min().alias("consent"))
        table = table.drop("consent").join(lowest, on=PUPIL, how="left")
    judged = engine.keep(
        table.with_columns(exclusion(rules, set(rules.columns)).alias("reason")).join(
            first_values(rows, SCHOOL, baseline_step), on=PUPIL, how="left"
        )
    )
    own = rows.filter(nw.col(STATUS) != "peer").select(PUPIL).unique()
    by_need = judged.filter(
        nw.col("reason").is_null() | nw.col("reason").is_in(["need", "no need"])
    ).join(own, on=PUPIL, how="semi")
    left_out = judged.filter(~nw.col("reason").is_null())
    return (
        left_out.select(nw.col(PUPIL).alias("pupil"), "reason"),
        count_need_rules(by_need, rules, SCHOOL, engine),
    )
