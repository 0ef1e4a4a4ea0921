"""From the tables of many sources to the rows of one: who, since when, in which arm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import narwhals.stable.v2 as nw
import pandas as pd

from baseeval.cohort.afterwards import outcome_rows, wave_columns
from baseeval.cohort.asking import check_plan, count_strangers
from baseeval.cohort.comparing_schools import check_scales, values_of_tables
from baseeval.cohort.dating import date_tables
from baseeval.cohort.eligible import count_need_rules, need_matches
from baseeval.cohort.excluding import reasons_of, with_needs
from baseeval.cohort.exposing import EXPOSURE, exposure
from baseeval.cohort.keys import PUPIL
from baseeval.cohort.peering import and_peers, dated_peers, with_links
from baseeval.cohort.predating import predate
from baseeval.cohort.respondents import Surveyed
from baseeval.cohort.starting import starts
from baseeval.cohort.unlike_years import check_pooling, year_norms
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame
from baseeval.errors import DataError, Fault, Problem
from baseeval.placement.arms import BASE_COLUMNS, NO_SCHOOL, arms_by_year, arms_on, modal_arms
from baseeval.placement.finding import Placed, find_placements
from baseeval.placement.rules import PlacementRules
from baseeval.plan import EligibilitySection, PlacementSection, Plan
from baseeval.sources.tables import Tables
from baseeval.sources.values import Typed


@dataclass(frozen=True, slots=True)
class Assembled:
    """One tidy table made of many, as a study file's `table` would be.

    Parameters
    ----------
    typed : Typed
        One row a pupil and wave, as `plan.data` and `plan.arms` name the columns.
    covariates : narwhals LazyFrame
        From `predate`, the pupil under ``key:pupil``.
    reasons : narwhals LazyFrame
        ``pupil, reason``: of pupils in no arm, why.
    starts : narwhals LazyFrame
        One row a pupil of an arm: ``pupil, school, zero, year, arm,
        already_placed, recorded_later, need, base_id, base_type, base_urn,
        base_start``: the primary need as first recorded, and the place at time zero.
    seen : narwhals LazyFrame
        ``pupil, year``: the school years in which a census saw a pupil of an arm.
    years : tuple of int
        The school years that the census covers.
    placed : Placed
    norms : narwhals LazyFrame or None
        From `year_norms`.
    pandemic : frozenset of (outcome, wave)
        Measured in a year that was not like another.
    yearly : narwhals LazyFrame
        ``pupil, census_year, arm_then``: the arm at the start of each school year.
    by_year : narwhals LazyFrame or None
        ``pupil, wave, now`` where the arm is followed over time, for description.
    need_rules : pandas.DataFrame
        From `count_need_rules`.
    surveyed : Surveyed
    faults : tuple of Fault
    """

    typed: Typed
    covariates: Frame
    reasons: Frame
    starts: Frame
    seen: Frame
    years: tuple[int, ...]
    placed: Placed
    norms: Frame | None
    pandemic: frozenset[tuple[str, str]]
    yearly: Frame
    by_year: Frame | None
    need_rules: pd.DataFrame
    surveyed: Surveyed
    faults: tuple[Fault, ...]


def assemble(plan: Plan, tables: Tables, engine: Engine) -> Assembled:
    """Make the rows of a study from the tables of its sources.

    Parameters
    ----------
    plan : Plan
        With a `source`.
    tables : Tables
        None of their faults stops the study.
    engine : Engine

    Returns
    -------
    Assembled

    Raises
    ------
    PlanError
        A covariate or an outcome that no table has, or one from after time zero.
    DataError
        No table of pupils, or two rows of which only one can be so.
    """
    assert plan.placement is not None
    assert plan.eligibility is not None
    if "pupils" not in tables.frames:
        raise DataError(
            Problem(
                plan.path.name,
                "no table of pupils is named",
                "Name one in [data.files]: `census` of an extract, or `pupils`.",
            )
        )
    rules, choices = plan.eligibility, _rules(plan.placement)
    dated, doubts = date_tables(tables, engine)
    stopping = [fault for fault in doubts if fault.stops]
    if stopping:
        raise DataError(stopping, [*tables.faults, *(f for f in doubts if not f.stops)])
    measures = _measures(dated, engine)
    check_plan(plan, dated, measures)
    doubts += count_strangers(plan, dated, tables.labels, engine)
    placed = find_placements({**tables.frames, "pupils": dated["pupils"]}, choices, engine)
    counted = placed.spells.filter(choices.counts())
    zero = starts(dated["pupils"], counted, rules, plan.study.seed, engine)
    zero = engine.keep(with_needs(zero, dated["pupils"]))
    reasons = reasons_of(zero, rules, tables.frames["pupils"])
    judged = engine.keep(zero.join(reasons, on="pupil_id", how="left"))
    # Whom another rule of need would let in have an arm too, to be counted under that rule.
    eligible = judged.filter(nw.col("but_need").is_null())
    if rules.needs:
        eligible = eligible.filter(need_matches(rules, "either"))
    arms = _arms(placed, engine.keep(eligible), choices, engine)
    judged = engine.keep(judged.join(arms, on="pupil_id", how="left"))
    reason = nw.coalesce(nw.col("reason"), nw.col("why_no_arm"))
    judged = engine.keep(judged.with_columns(reason.alias("reason")))
    candidates = judged
    if "peers" in dated:
        # A peer is in no arm, eligible or not.
        candidates = judged.join(dated["peers"].select("pupil_id"), on="pupil_id", how="anti")
    within = engine.keep(candidates.filter(nw.col("reason").is_null()))
    own = _of_pupils(dated, within, engine)
    covariates, numeric = predate(own, within, plan, measures, engine)
    peers = dated_peers(dated, within)
    measured = within if peers is None else and_peers(within, peers)
    sources = own if peers is None else dict(dated)
    if set(EXPOSURE) & set(wave_columns(plan)):
        sources["exposure"] = exposure(placed, within, choices, engine)
    rows, faults, surveyed = outcome_rows(
        sources, measured, plan, measures, tables.labels.get("surveys", "surveys"), engine
    )
    pandemic = check_pooling(rows, plan, measures, engine)
    results = values_of_tables(dated, plan, measures)
    own_scales = check_scales(results, plan, engine, tables.labels.get("attainment", "attainment"))
    if own_scales:
        raise DataError(own_scales)
    frame = _together(judged, rows, plan, engine)
    if peers is not None:
        frame = with_links(frame, peers, plan, engine)
    yearly = _yearly(placed, within, choices, engine)
    census = dated["pupils"].select("year").unique()
    return Assembled(
        typed=Typed(frame, numeric | frozenset(wave_columns(plan)), (), {}),
        covariates=covariates.rename({"pupil_id": PUPIL}),
        reasons=judged.filter(~nw.col("reason").is_null()).select(
            nw.col("pupil_id").alias("pupil"), "reason"
        ),
        starts=within.select(
            nw.col("pupil_id").alias("pupil"),
            nw.col("urn").alias("school"),
            "zero",
            "year",
            "arm",
            "already_placed",
            "recorded_later",
            nw.col("primary_need").alias("need"),
            *BASE_COLUMNS,
        ),
        seen=engine.keep(own["pupils"].select(nw.col("pupil_id").alias("pupil"), "year").unique()),
        years=tuple(engine.collect(census, ["year"]).column("year").to_pylist()),
        placed=placed,
        norms=year_norms(dated, plan, measures, engine),
        pandemic=pandemic,
        yearly=yearly,
        by_year=_by_wave(yearly, within, engine) if choices.movers == "time_varying" else None,
        need_rules=_need_rules(candidates, rules, engine),
        surveyed=surveyed,
        faults=(*doubts, *_new(placed.faults, tables), *faults),
    )


def _rules(section: PlacementSection) -> PlacementRules:
    return PlacementRules(
        source=section.source,
        types=tuple(section.types),
        host_min_pupils=section.host_at_least,
        hosts=tuple(section.hosts),
        grace_days=section.grace_days,
        movers=section.movers,
        comparison=section.comparison,
        already_placed=section.already_placed,
    )


def _new(found: tuple[Fault, ...], tables: Tables) -> tuple[Fault, ...]:
    """Leave out what the contract of the same table has told already."""
    told = {(fault.file, fault.rule) for fault in tables.faults}
    return tuple(
        fault
        for fault in found
        if (tables.labels.get(fault.file, fault.file), fault.rule) not in told
    )


def _measures(tables: Mapping[str, Frame], engine: Engine) -> list[str]:
    if "attainment" not in tables:
        return []
    found = engine.collect(tables["attainment"].select("measure").unique(), ["measure"])
    return [str(name) for name in found.column("measure").to_pylist() if name is not None]


def _of_pupils(tables: Mapping[str, Frame], who: Frame, engine: Engine) -> dict[str, Frame]:
    """Leave of the tables of pupils the rows of these alone: a few in a hundred of a nation."""
    pupils = who.select("pupil_id")
    return {
        name: engine.keep(frame.join(pupils, on="pupil_id", how="semi"))
        if "pupil_id" in frame.collect_schema().names()
        else frame
        for name, frame in tables.items()
    }


def _arms(placed: Placed, eligible: Frame, rules: PlacementRules, engine: Engine) -> Frame:
    who = eligible.select("pupil_id", "urn", "year", nw.col("zero").alias("on"))
    found = arms_on(placed, who, rules, engine)
    if rules.movers == "modal":
        # From the school year of time zero on: before it, nobody had a place to keep.
        since = who.select("pupil_id", nw.col("year").alias("first_year"))
        seen = placed.seen.join(since, on="pupil_id", how="inner")
        seen = seen.filter(nw.col("year") >= nw.col("first_year")).drop("first_year")
        modal = modal_arms(replace(placed, seen=engine.keep(seen)), rules, engine).select(
            "pupil_id", nw.col("arm").alias("most")
        )
        found = found.join(modal, on="pupil_id", how="left")
        found = found.with_columns(nw.coalesce(nw.col("most"), nw.col("arm")).alias("arm"))
    why = nw.col("why")
    why = nw.when(why == NO_SCHOOL).then(nw.lit("no school")).otherwise(why)
    return found.select(
        "pupil_id",
        "arm",
        why.alias("why_no_arm"),
        "already_placed",
        "recorded_later",
        *BASE_COLUMNS,
    )


def _seen_of(placed: Placed, who: Frame) -> Placed:
    """Leave where the census saw these pupils alone."""
    return replace(placed, seen=placed.seen.join(who, on="pupil_id", how="semi"))


def _yearly(placed: Placed, who: Frame, rules: PlacementRules, engine: Engine) -> Frame:
    """Follow every pupil's arm from school year to school year."""
    # Later, every pupil of the mainstream is in an arm, considered for a base or not.
    later = replace(rules, comparison="all", already_placed="keep")
    yearly = arms_by_year(_seen_of(placed, who), later, engine).filter(~nw.col("arm").is_null())
    return engine.keep(
        yearly.select(
            nw.col("pupil_id").alias("pupil"),
            nw.col("year").alias("census_year"),
            nw.col("arm").alias("arm_then"),
        )
    )


def _by_wave(yearly: Frame, within: Frame, engine: Engine) -> Frame:
    """Give the arm of each wave, where the plan asks to follow it."""
    zero = within.select(nw.col("pupil_id").alias("pupil"), "year")
    wave = (nw.col("census_year") - nw.col("year") + 1).alias("wave")
    later = yearly.join(zero, on="pupil", how="inner").with_columns(wave)
    later = later.filter(nw.col("wave") >= 1)
    return engine.keep(
        later.select(
            "pupil", nw.col("wave").cast(nw.String).alias("wave"), nw.col("arm_then").alias("now")
        )
    )


def _need_rules(judged: Frame, rules: EligibilitySection, engine: Engine) -> pd.DataFrame:
    """Count under each rule those whom nothing but the need could leave out."""
    by_need = nw.col("but_need").is_null() & ~nw.col("arm").is_null()
    return count_need_rules(judged.filter(by_need), rules, "urn", engine)


def _together(judged: Frame, rows: Frame, plan: Plan, engine: Engine) -> Frame:
    """Lay one row a pupil and wave: everybody at wave 0, and what was measured at each wave."""
    everyone = judged.select("pupil_id", nw.col("urn").alias(plan.data.school), "arm")
    measured = rows.with_columns(nw.col("wave").cast(nw.Int64))
    at_zero = measured.filter(nw.col("wave") == 0).drop("wave")
    first = everyone.with_columns(nw.lit(0).cast(nw.Int64).alias("wave")).join(
        at_zero, on="pupil_id", how="left"
    )
    later = everyone.join(measured.filter(nw.col("wave") >= 1), on="pupil_id", how="inner")
    names = first.collect_schema().names()
    frame = nw.concat([first, later.select(*names)], how="vertical")
    wave = nw.col("wave").cast(nw.String).alias("wave")
    return engine.keep(frame.rename({"pupil_id": plan.data.pupil}).with_columns(wave))
