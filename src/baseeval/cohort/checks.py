"""What must hold of the rows before anybody is counted; every breach at once."""

from __future__ import annotations

from typing import Any

import narwhals.stable.v2 as nw

from baseeval.cohort.keys import ARM, PUPIL, SCHOOL, STATUS, WAVE
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import Problem
from baseeval.plan import Plan


def check_rows(rows: nw.LazyFrame[Any], plan: Plan, engine: Engine, file: str) -> list[Problem]:
    """Find every breach of the contract between rows.

    Parameters
    ----------
    rows : narwhals LazyFrame
        With keys.
    plan : Plan
    engine : Engine
    file : str
        Named in messages.

    Returns
    -------
    list of Problem
    """
    return [
        *_missing_keys(rows, plan, engine, file),
        *_repeated_rows(rows, plan, engine, file),
        *_arms(rows, plan, engine, file),
        *_sessions(rows, plan, engine, file),
    ]


def _missing_keys(rows: nw.LazyFrame[Any], plan: Plan, engine: Engine, file: str) -> list[Problem]:
    names = {PUPIL: plan.data.pupil}
    if plan.data.wave is not None:
        names[WAVE] = plan.data.wave
    counts = engine.counts(rows, {key: nw.col(key).is_null() for key in names})
    return [
        Problem(
            f"{file}, column `{names[key]}`",
            f"{_rows(count)} no value",
            "Every row must say whose it is and when; mend or remove those rows.",
        )
        for key, count in counts.items()
        if count
    ]


def _repeated_rows(rows: nw.LazyFrame[Any], plan: Plan, engine: Engine, file: str) -> list[Problem]:
    whose = rows.filter(~nw.col(PUPIL).is_null() & ~nw.col(WAVE).is_null())
    by = whose.group_by(PUPIL, WAVE).agg(
        nw.len().alias("rows"), nw.col(SCHOOL).n_unique().alias("schools")
    )
    counts = engine.counts(
        by,
        {
            "same": (nw.col("rows") > 1) & (nw.col("schools") == 1),
            "schools": (nw.col("rows") > 1) & (nw.col("schools") > 1),
        },
    )
    when = "" if plan.data.wave is None else " at one wave"
    problems = []
    if counts["same"]:
        problems.append(
            Problem(
                f"{file}, column `{plan.data.pupil}`",
                f"{_pupils(counts['same'])} more than one row{when}",
                "Keep one row a pupil, or name the column that tells the waves apart as `wave`.",
            )
        )
    if counts["schools"]:
        problems.append(
            Problem(
                f"{file}, column `{plan.data.school}`",
                f"{_pupils(counts['schools'])} rows in more than one school{when}",
                "Keep the row of the school where the pupil is on roll.",
            )
        )
    return problems


def _arms(rows: nw.LazyFrame[Any], plan: Plan, engine: Engine, file: str) -> list[Problem]:
    if plan.arms is None:
        return []
    problems = []
    where = f"{file}, column `{plan.arms.column}`"
    unknown = engine.counts(rows, {"other": nw.col(STATUS) == "other"})["other"]
    if unknown and plan.arms.other == "error":
        problems.append(
            Problem(
                where,
                f"{_rows(unknown)} a label that no arm names",
                'Name the label in [arms], or leave such pupils out with `other = "exclude"`.',
            )
        )
    arms = rows.filter(nw.col(STATUS) == "arm").group_by(PUPIL)
    several = engine.counts(
        arms.agg(nw.col(ARM).n_unique().alias("arms")), {"several": nw.col("arms") > 1}
    )["several"]
    if several:
        problems.append(
            Problem(
                where,
                f"{_pupils(several)} rows in more than one arm",
                "Give each pupil the placement at time zero, in every row.",
            )
        )
    if plan.peers is not None:
        known = rows.filter(nw.col(STATUS) != "group")
        kinds = known.with_columns((nw.col(STATUS) == "peer").alias("peer")).group_by(PUPIL)
        both = engine.counts(
            kinds.agg(nw.col("peer").n_unique().alias("kinds")), {"both": nw.col("kinds") > 1}
        )["both"]
        if not engine.counts(rows, {"peers": nw.col(STATUS) == "peer"})["peers"]:
            problems.append(
                Problem(
                    f"{file}, column `{plan.peers.group}`",
                    "no row holds a value that `is_peer` names",
                    "Name in [peers] the values that the column holds, or take [peers] out.",
                )
            )
        if both:
            problems.append(
                Problem(
                    f"{file}, column `{plan.peers.group}`",
                    f"{_pupils(both)} rows both as a peer and as not a peer",
                    "Give each pupil one group in every row.",
                )
            )
    return problems


def _sessions(rows: nw.LazyFrame[Any], plan: Plan, engine: Engine, file: str) -> list[Problem]:
    pairs = [(o.attended, o.possible) for o in plan.outcomes if o.attended and o.possible]
    counts = engine.counts(
        rows, {attended: nw.col(attended) > nw.col(possible) for attended, possible in pairs}
    )
    return [
        Problem(
            f"{file}, column `{attended}`",
            f"{_rows(counts[attended])} more sessions attended than `{possible}` allows",
            "Mend the two columns.",
        )
        for attended, possible in pairs
        if counts[attended]
    ]


def _rows(count: int) -> str:
    return "1 row has" if count == 1 else f"{count} rows have"


def _pupils(count: int) -> str:
    return "1 pupil has" if count == 1 else f"{count} pupils have"
