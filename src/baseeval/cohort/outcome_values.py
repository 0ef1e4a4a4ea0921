"""Values that an outcome of its kind cannot have: refused before anything is estimated."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from baseeval.cohort.keys import STEP
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame
from baseeval.errors import Problem
from baseeval.plan import OutcomeSection, Plan


def check_outcome_values(
    scores: Frame, plan: Plan, first_step: int, engine: Engine, file: str
) -> list[Problem]:
    """Find values that the kind of an outcome, or its bounds, rule out.

    Parameters
    ----------
    scores : narwhals LazyFrame
        From `score_table`.
    plan : Plan
    first_step : int
        Of the first wave after the baseline: what was measured before may be
        on another scale, and has no bounds.
    engine : Engine
    file : str
        Named in messages.

    Returns
    -------
    list of Problem
    """
    value, later = nw.col("value"), nw.col(STEP) >= first_step
    wrong: dict[str, nw.Expr] = {}
    what: dict[str, Problem] = {}
    for outcome in plan.outcomes:
        mine = (nw.col("outcome") == outcome.name) & ~value.is_null()
        for name, fault, told, remedy in _rules(outcome, value, later):
            key = f"{outcome.name} {name}"
            where = " and ".join(f"`{column}`" for column in outcome.columns()[:3])
            wrong[key] = mine & fault
            what[key] = Problem(f"{file}, {where}", told, remedy)
    counts = engine.counts(scores, wrong)
    return [
        Problem(problem.where, f"{_rows(counts[key])} {problem.what}", problem.remedy)
        for key, problem in what.items()
        if counts[key]
    ]


def _rules(
    outcome: OutcomeSection, value: nw.Expr, later: nw.Expr
) -> list[tuple[str, nw.Expr, str, str]]:
    """List the rules of an outcome: name, true where broken, what is wrong, what to do."""
    name, rules = outcome.name, []
    if outcome.kind == "binary":
        told = f"other than 1 or 0, for `{name}` of kind 'binary'"
        remedy = "Give a column of yes and no, or call the outcome `count` or `continuous`."
        rules.append(("binary", ~value.is_in([0.0, 1.0]), told, remedy))
    if outcome.kind == "count":
        told = f"a number that is not whole or below 0, for `{name}` of kind 'count'"
        remedy = "Mend them, or call the outcome `continuous`."
        rules.append(("count", (value < 0) | (value != value.round(0)), told, remedy))
    if outcome.bounds is not None and outcome.kind != "ordinal":
        low, high = outcome.bounds
        told = f"a value of `{name}` outside its `bounds` of {low:g} to {high:g}"
        remedy = "Mend them, or state the lowest and highest value that are possible."
        rules.append(("bounds", later & ((value < low) | (value > high)), told, remedy))
    return rules


def _rows(count: int) -> str:
    return "1 row has" if count == 1 else f"{count:,} rows have"
