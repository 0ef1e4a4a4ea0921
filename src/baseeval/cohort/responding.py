"""The items of each scale by arm and wave, as answered: what reliability is worked out from."""

from __future__ import annotations

import narwhals.stable.v2 as nw
import pandas as pd

from baseeval.cohort.answering import MODE
from baseeval.cohort.keys import ARM, FATE, PUPIL, SCHOOL, WAVE
from baseeval.cohort.respondents import as_held
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame
from baseeval.plan import OutcomeSection, Plan

#: Columns of the answers of one scale, under names that no item can have.
SCALE_KEYS = (PUPIL, SCHOOL, ARM, WAVE)


def answer_table(rows: Frame, pupils: Frame, by_year: Frame | None, plan: Plan) -> Frame | None:
    """Gather the answers of pupils of an arm, one row a pupil and wave.

    Parameters
    ----------
    rows : narwhals LazyFrame
        With keys and steps.
    pupils : narwhals LazyFrame
        From `pupil_table`.
    by_year : narwhals LazyFrame or None
        ``pupil, wave, now``: where arms are followed over time.
    plan : Plan

    Returns
    -------
    narwhals LazyFrame or None
        Keys, items and modes; None where the plan has no scale. Nothing is read until it is
        asked for.
    """
    scales = [as_held(outcome, plan) for outcome in plan.outcomes if outcome.kind == "scale"]
    if not scales:
        return None
    placed = pupils.filter(nw.col(FATE) == "arm").select(PUPIL, SCHOOL, ARM)
    mine = rows.drop(SCHOOL, ARM).join(placed, on=PUPIL, how="inner")
    if by_year is not None:
        now = by_year.rename({"pupil": PUPIL, "wave": WAVE, "now": "key:now"})
        mine = mine.join(now, on=[PUPIL, WAVE], how="left")
        mine = mine.with_columns(nw.coalesce(nw.col("key:now"), nw.col(ARM)).alias(ARM))
    items = dict.fromkeys(item for outcome in scales for item in outcome.items)
    held = rows.collect_schema().names()
    modes = [MODE + outcome.name for outcome in scales if MODE + outcome.name in held]
    return mine.select(*SCALE_KEYS, *items, *modes)


def answers_of(table: pd.DataFrame, outcome: OutcomeSection, plan: Plan) -> pd.DataFrame:
    """Pick the answers to one scale, of all who answered any of it.

    Parameters
    ----------
    table : pandas.DataFrame
        From `answer_table`.
    outcome : OutcomeSection
    plan : Plan

    Returns
    -------
    pandas.DataFrame
        Keys and the items under the plan's names; ``key:scored``, whether enough were answered
        for a score; ``mode:outcome`` where it is known.
    """
    held = dict(zip(as_held(outcome, plan).items, outcome.items, strict=True))
    mode = [name for name in (MODE + outcome.name,) if name in table.columns]
    mine = table[[*SCALE_KEYS, *mode]].join(table[list(held)].rename(columns=held))
    answered = mine[outcome.items].notna().sum(axis=1)
    enough = answered >= outcome.min_answered * len(outcome.items) - 1e-9
    return mine.assign(**{"key:scored": enough})[answered > 0].reset_index(drop=True)


def read_answers(answers: Frame, engine: Engine) -> pd.DataFrame:
    """Read the answers, in an order that repeats.

    Parameters
    ----------
    answers : narwhals LazyFrame
        From `answer_table`.
    engine : Engine

    Returns
    -------
    pandas.DataFrame
    """
    frame: pd.DataFrame = engine.collect(answers, [WAVE, SCHOOL, PUPIL]).to_pandas()
    return frame
