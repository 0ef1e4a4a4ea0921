"""Who answered each questionnaire, who could not be asked, and who did not wish to answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import narwhals.stable.v2 as nw
import pandas as pd

from baseeval.cohort.keys import ARM, FATE, PUPIL, STEP, WAVE
from baseeval.cohort.pupils import first_values
from baseeval.cohort.respondents import Surveyed
from baseeval.contracts.surveys import NO_ANSWER
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import COUNT, Frame
from baseeval.plan import Plan
from baseeval.results import ARMS
from baseeval.sources.cells import as_text

#: Need of all pupils together, and of those for whom none is recorded.
EVERY_NEED, NO_NEED = "all", "not recorded"

_COLUMNS = [
    "outcome",
    "wave",
    "arm",
    "need",
    "pupils",
    "answered",
    "could_not_be_asked",
    "declined",
    "other",
    "recorded",
]
_TOLD = {"could_not_be_asked": "not_accessible", "declined": "declined"}


def needs_of(laid: Frame | None, rows: Frame, plan: Plan) -> Frame | None:
    """Give each pupil's primary need as first recorded.

    Parameters
    ----------
    laid : narwhals LazyFrame or None
        ``pupil, need``, of a source.
    rows : narwhals LazyFrame
        Of a tidy table, with keys and steps.
    plan : Plan

    Returns
    -------
    narwhals LazyFrame or None
        ``key:pupil, need``; None where nothing says it.
    """
    if laid is not None:
        return laid.rename({"pupil": PUPIL})
    columns: Mapping[str, str] = {} if plan.eligibility is None else plan.eligibility.columns  # type: ignore[assignment]
    if "primary_need" not in columns:
        return None
    name = columns["primary_need"]
    text = rows.with_columns(as_text(name, rows.collect_schema()[name]).alias("need"))
    return first_values(text, "need", None)


def count_completion(
    pupils: Frame,
    scores: Frame,
    needs: Frame | None,
    surveyed: Surveyed,
    plan: Plan,
    engine: Engine,
) -> pd.DataFrame:
    """Count by arm, wave and need who has a score of each scale, and who has none and why.

    Parameters
    ----------
    pupils, scores : narwhals LazyFrame
        From `pupil_table` and `score_table`.
    needs : narwhals LazyFrame or None
        From `needs_of`.
    surveyed : Surveyed
    plan : Plan
    engine : Engine

    Returns
    -------
    pandas.DataFrame
        ``outcome, wave, arm, need, pupils, answered, could_not_be_asked, declined,
        other, recorded``: pupils of the arm at time zero, whether or not they are still there,
        and parts that add up to them. A row for all needs comes first; rows for each follow where
        there are several. ``recorded`` says whether the data can tell who could not be asked or
        declined; where they cannot, both are missing and all is other. An arm has rows at a wave
        where anybody in it answered or a reason is told.
    """
    names = [outcome.name for outcome in plan.outcomes if outcome.kind == "scale"]
    if not names:
        return pd.DataFrame(columns=_COLUMNS)
    placed = pupils.filter(nw.col(FATE) == "arm").select(PUPIL, ARM)
    held = placed.with_columns(nw.lit(None, nw.String).alias("need"))
    if needs is not None:
        held = placed.join(needs, on=PUPIL, how="left")
    need = nw.coalesce(nw.col("need"), nw.lit(NO_NEED)).alias("need")
    held = engine.keep(held.with_columns(need))
    sizes = Counter(_counts(held, [ARM, "need"], engine))
    asked = scores.filter((nw.col(FATE) == "arm") & nw.col("outcome").is_in(names))
    what = nw.when(nw.col("value").is_null()).then(nw.col("why")).otherwise(nw.lit("answered"))
    told = asked.with_columns(what.alias("what")).join(
        held.select(PUPIL, "need"), on=PUPIL, how="inner"
    )
    by = ["outcome", STEP, WAVE, ARM, "need", "what"]
    counts = _counts(told, by, engine)
    shown = {"answered", *NO_ANSWER.values()}
    order = (*ARMS, "all")
    seen = {
        (names.index(key[0]), *key[1:3], order.index(key[3])) for key in counts if key[5] in shown
    }
    occasions = [(names[at], wave, order[arm]) for at, _, wave, arm in sorted(seen)]
    several = len({need_ for _, need_ in sizes}) > 1
    records = []
    for outcome, wave, arm in occasions:
        mine = {
            (need_, what_): n
            for (one, _, at, of, need_, what_), n in counts.items()
            if (one, at, of) == (outcome, wave, arm)
        }
        levels = sorted(need_ for of, need_ in sizes if of == arm)
        for level in (EVERY_NEED, *(levels if several else [])):
            here = [level] if level != EVERY_NEED else levels
            records.append(
                {"outcome": outcome, "wave": wave, "arm": arm, "need": level}
                | _parts(
                    sum(sizes[arm, one] for one in here),
                    {w: sum(mine.get((one, w), 0) for one in here) for w in shown},
                    surveyed.has_status,
                )
            )
    return pd.DataFrame.from_records(records, columns=_COLUMNS)


def _parts(pupils: int, counted: Mapping[str, int], recorded: bool) -> dict[str, Any]:
    answered = counted["answered"]
    told = {name: counted[NO_ANSWER[status]] for name, status in _TOLD.items()}
    if not recorded:
        told = dict.fromkeys(told, 0)
    rest = pupils - answered - sum(told.values())
    shown = told if recorded else dict.fromkeys(told, None)
    return {"pupils": pupils, "answered": answered, **shown, "other": rest, "recorded": recorded}


def _counts(frame: Frame, by: list[str], engine: Engine) -> dict[tuple[Any, ...], int]:
    counted = engine.collect(frame.group_by(*by).agg(COUNT.alias("key:pupils")), by).to_pylist()
    return {tuple(row[name] for name in by): int(row["key:pupils"]) for row in counted}


def count_modes(answers: pd.DataFrame, outcome: str, mode: str) -> pd.DataFrame:
    """Count how the questions were put to those who have a score.

    Parameters
    ----------
    answers : pandas.DataFrame
        From `answers_of`.
    outcome : str
    mode : str
        Name of the column that holds the mode.

    Returns
    -------
    pandas.DataFrame
        ``outcome, wave, arm, mode, pupils``.
    """
    scored = answers[answers["key:scored"]]
    modes = scored[mode].fillna("not recorded").rename("mode")
    counted = scored.groupby([WAVE, ARM, modes], sort=True).size().rename("pupils").reset_index()
    counted = counted.rename(columns={WAVE: "wave", ARM: "arm"})
    return counted.assign(outcome=outcome)[["outcome", "wave", "arm", "mode", "pupils"]]
