"""Outcomes: one long table of scores, in the forms that the plan asks for."""

from __future__ import annotations

from typing import Any

import narwhals.stable.v2 as nw
import pandas as pd
import pyarrow as pa

from baseeval.cohort.keys import (
    ARM,
    FATE,
    PEER_OF,
    PEER_SEX,
    PEER_YEAR,
    PUPIL,
    SCHOOL,
    STEP,
    WAVE,
    YEAR,
    YEAR_OF,
)
from baseeval.cohort.respondents import as_held
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import COUNT
from baseeval.measures.ridits import ridits
from baseeval.measures.scoring import score
from baseeval.plan import Plan

#: Why there is no figure in SDs of the school year.
_ALL_ALIKE = "the school year's figures are all alike"


def score_table(
    rows: nw.LazyFrame[Any],
    pupils: nw.LazyFrame[Any],
    plan: Plan,
    norms: nw.LazyFrame[Any] | None,
    engine: Engine,
) -> nw.LazyFrame[Any]:
    """Score every outcome for every row of pupils who are in an arm or are peers.

    Parameters
    ----------
    rows : narwhals LazyFrame
        With keys and steps.
    pupils : narwhals LazyFrame
        From `pupil_table`.
    plan : Plan
    norms : narwhals LazyFrame, optional
        ``outcome, year, norm_mean, norm_sd``: outcomes that are standardised within
        each school year.
    engine : Engine

    Returns
    -------
    narwhals LazyFrame
        Keys, ``outcome``, ``value``, ``why``, and how peers are found.
    """
    counted = pupils.filter(nw.col(FATE).is_in(["arm", "peer"]))
    mine = rows.drop(SCHOOL, ARM).join(counted, on=PUPIL, how="inner")
    held = rows.collect_schema().names()
    links = [c for c in (PEER_OF, PEER_YEAR, PEER_SEX) if c in held]
    parts = []
    for outcome in plan.outcomes:
        made, year = score(as_held(outcome, plan)), YEAR_OF + outcome.columns()[0]
        known = nw.col(year) if year in held else nw.lit(None, nw.Int64)
        parts.append(
            mine.select(
                PUPIL,
                SCHOOL,
                ARM,
                FATE,
                WAVE,
                STEP,
                *links,
                known.alias(YEAR),
                nw.lit(outcome.name).alias("outcome"),
                made.value.cast(nw.Float64).alias("value"),
                made.why.alias("why"),
            )
        )
    scores = nw.concat(parts, how="vertical")
    return engine.keep(scores if norms is None else _standardised(scores, norms, plan))


def _standardised(
    scores: nw.LazyFrame[Any], norms: nw.LazyFrame[Any], plan: Plan
) -> nw.LazyFrame[Any]:
    """Measure an outcome from its school year's mean, in that year's SD."""
    asked = [outcome.name for outcome in plan.outcomes if outcome.standardise == "cohort"]
    held = scores.join(norms.rename({"year": YEAR}), on=["outcome", YEAR], how="left")
    value = (nw.col("value") - nw.col("norm_mean")) / nw.col("norm_sd")
    is_asked = nw.col("outcome").is_in(asked)
    alike = is_asked & ~nw.col("value").is_null() & nw.col("norm_sd").is_null()
    why = nw.when(alike).then(nw.lit(_ALL_ALIKE)).otherwise(nw.col("why"))
    value = nw.when(is_asked).then(value).otherwise(nw.col("value"))
    return held.with_columns(value.alias("value"), why.alias("why")).drop("norm_mean", "norm_sd")


def with_arms_over_time(
    outcomes: nw.LazyFrame[Any], by_year: nw.LazyFrame[Any] | None, engine: Engine
) -> nw.LazyFrame[Any]:
    """Give each outcome the arm of its own wave, where arms are followed over time.

    Parameters
    ----------
    outcomes : narwhals LazyFrame
        From :func:`outcome_table`.
    by_year : narwhals LazyFrame, optional
        ``pupil, wave, now``: the arm at the start of the wave's school year.
    engine : Engine

    Returns
    -------
    narwhals LazyFrame
    """
    if by_year is None:
        return outcomes
    held = outcomes.join(by_year, on=["pupil", "wave"], how="left")
    arm = nw.coalesce(nw.col("now"), nw.col("arm")).alias("arm")
    return engine.keep(held.with_columns(arm).drop("now"))


def outcome_table(
    scores: nw.LazyFrame[Any], plan: Plan, baseline_step: int | None, engine: Engine
) -> nw.LazyFrame[Any]:
    """Lay the outcomes out in their forms: level, change, gap.

    Parameters
    ----------
    scores : narwhals LazyFrame
        From :func:`score_table`.
    plan : Plan
    baseline_step : int, optional
    engine : Engine

    Returns
    -------
    narwhals LazyFrame
        ``pupil, school, arm, wave, outcome, form, value``, values only where
        there is one. The level is there whatever the plan asks: descriptions
        and standardisers need it. That of an ordinal outcome is the pupil's
        place (`ridits`) among all pupils of the arms who have it at the wave.
    """
    placed = scores.filter((nw.col(FATE) == "arm") & ~nw.col("value").is_null())
    placed = _placed_in_order(placed, plan, engine)
    parts = [_form(placed, "level")]
    asked = {form: [o.name for o in plan.outcomes if form in o.forms] for form in ("change", "gap")}
    if asked["change"] and baseline_step is not None:
        before = placed.filter(nw.col(STEP) == baseline_step).select(
            PUPIL, "outcome", nw.col("value").alias("before")
        )
        later = placed.filter(
            (nw.col(STEP) > baseline_step) & nw.col("outcome").is_in(asked["change"])
        ).join(before, on=[PUPIL, "outcome"], how="inner")
        change = (nw.col("value") - nw.col("before")).alias("value")
        parts.append(_form(later.with_columns(change), "change"))
    if asked["gap"]:
        links = [PEER_YEAR, PEER_SEX, SCHOOL] if plan.peers and not plan.peers.peer_of else []
        peers = _peer_means(scores.filter(nw.col("outcome").is_in(asked["gap"])), links, engine)
        on = links or [PUPIL]
        joined = placed.join(peers, on=[*on, "outcome", WAVE], how="inner")
        gap = (nw.col("value") - nw.col("peer_mean")).alias("value")
        parts.append(_form(joined.with_columns(gap), "gap"))
    return engine.keep(nw.concat(parts, how="vertical"))


def _placed_in_order(placed: nw.LazyFrame[Any], plan: Plan, engine: Engine) -> nw.LazyFrame[Any]:
    """Put the place among all pupils of the arms for the score of an ordinal outcome."""
    names = [outcome.name for outcome in plan.outcomes if outcome.kind == "ordinal"]
    if not names:
        return placed
    is_ordinal = nw.col("outcome").is_in(names)
    key = ["outcome", WAVE, "value"]
    steps = placed.filter(is_ordinal).group_by(*key).agg(COUNT.alias("pupils"))
    held: pd.DataFrame = engine.collect(steps, key).to_pandas()
    by_wave = held.groupby(["outcome", WAVE], sort=False)["pupils"]
    held["place"] = by_wave.transform(lambda pupils: ridits(pupils.to_numpy()))
    places = engine.table(pa.Table.from_pandas(held[[*key, "place"]], preserve_index=False))
    value = nw.when(is_ordinal).then(nw.col("place")).otherwise(nw.col("value"))
    joined = placed.join(places, on=key, how="left")
    return engine.keep(joined.with_columns(value.alias("value")).drop("place"))


def _form(frame: nw.LazyFrame[Any], form: str) -> nw.LazyFrame[Any]:
    return frame.select(
        nw.col(PUPIL).alias("pupil"),
        nw.col(SCHOOL).alias("school"),
        nw.col(ARM).alias("arm"),
        nw.col(WAVE).alias("wave"),
        "outcome",
        nw.lit(form).alias("form"),
        "value",
    )


def _peer_means(scores: nw.LazyFrame[Any], links: list[str], engine: Engine) -> nw.LazyFrame[Any]:
    """Average each pupil's peers, in a fixed order so that the sums repeat."""
    key = links or [PEER_OF]
    peers = scores.filter((nw.col(FATE) == "peer") & ~nw.col("value").is_null())
    table = engine.collect(peers.select(*key, "outcome", WAVE, "value", PUPIL), [*key, PUPIL])
    frame: pd.DataFrame = table.to_pandas()
    by = [*key, "outcome", WAVE]
    means = frame.groupby(by, sort=True)["value"].mean().rename("peer_mean").reset_index()
    if not links:
        means = means.rename(columns={PEER_OF: PUPIL})
    return engine.table(pa.Table.from_pandas(means, preserve_index=False))
