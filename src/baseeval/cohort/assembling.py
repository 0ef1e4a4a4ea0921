"""From the tables of many sources to the rows of one: who, since when, in which arm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import narwhals.stable.v2 as nw
import pandas as pd

from baseeval.cohort.afterwards import outcome_rows, wave_columns
from baseeval.cohort.eligible import count_need_rules, exclusion
from baseeval.cohort.exposing import EXPOSURE, exposure
from baseeval.cohort.keys import YEAR
from baseeval.cohort.predating import predate
from baseeval.cohort.starting import starts
from baseeval.cohort.unlike_years import check_pooling, year_norms
from baseeval.contracts.registry import TABLES
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError, Fault, PlanError, Problem
from baseeval.placement.arms import NO_SCHOOL, arms_by_year, arms_on, modal_arms
from baseeval.placement.dates import with_census_days
from baseeval.placement.finding import Placed, find_placements
from baseeval.placement.frames import with_only
from baseeval.placement.rules import PlacementRules
from baseeval.plan import EligibilitySection, PlacementSection, Plan, nearest
from baseeval.sources.tables import Tables
from baseeval.sources.values import WHY, Typed

Frame = nw.LazyFrame[Any]

#: A day of the year by which results are known, where they carry none.
_RESULTS_DAY, _YEAR_END = "-05-15", "-08-31"


@dataclass(frozen=True, slots=True)
class Assembled:
    """One tidy table made of many, as a study file's `table` would be.

    Parameters
    ----------
    typed : Typed
        One row a pupil and wave, as `plan.data` and `plan.arms` name the columns.
    reasons : narwhals LazyFrame
        ``pupil, reason``: of pupils in no arm, why.
    starts : narwhals LazyFrame
        One row a pupil of an arm: ``pupil, school, zero, year, arm,
        already_placed, recorded_later``.
    seen : narwhals LazyFrame
        ``pupil, year``: the school years in which a census saw a pupil.
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
    faults : tuple of Fault
    """

    typed: Typed
    reasons: Frame
    starts: Frame
    seen: Frame
    placed: Placed
    norms: Frame | None
    pandemic: frozenset[tuple[str, str]]
    yearly: Frame
    by_year: Frame | None
    need_rules: pd.DataFrame
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
        No table of pupils.
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
    dated = _dated(tables.frames, engine)
    measures = _measures(dated, engine)
    _check_outcomes(plan, dated, measures)
    placed = find_placements(tables.frames, choices, engine)
    counted = placed.spells.filter(choices.counts())
    zero = starts(dated["pupils"], counted, rules, plan.study.seed, engine)
    zero = engine.keep(_with_needs(zero, dated["pupils"]))
    reasons = _reasons(zero, rules, dated["pupils"])
    judged = engine.keep(zero.join(reasons, on="pupil_id", how="left"))
    arms = _arms(placed, judged, choices, engine)
    judged = engine.keep(judged.join(arms, on="pupil_id", how="left"))
    reason = nw.coalesce(nw.col("reason"), nw.col("why_no_arm"))
    judged = engine.keep(judged.with_columns(reason.alias("reason")))
    within = judged.filter(nw.col("reason").is_null())
    covariates, numeric = predate(dated, within, plan, measures, engine)
    peers = _peers(dated, within)
    measured = within if peers is None else _and_peers(within, peers)
    if set(EXPOSURE) & set(wave_columns(plan)):
        dated["exposure"] = exposure(placed, within, choices, engine)
    rows, faults = outcome_rows(
        dated, measured, plan, measures, tables.labels.get("surveys", "surveys"), engine
    )
    pandemic = check_pooling(rows, plan, measures, engine)
    frame = _together(judged, covariates, rows, plan, engine)
    if peers is not None:
        frame = _with_links(frame, peers, plan, engine)
    yearly = _yearly(placed, choices, engine)
    return Assembled(
        typed=Typed(frame, numeric | frozenset(wave_columns(plan)), (), {}),
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
        ),
        seen=dated["pupils"].select(nw.col("pupil_id").alias("pupil"), "year").unique(),
        placed=placed,
        norms=year_norms(dated, plan, measures, engine),
        pandemic=pandemic,
        yearly=yearly,
        by_year=_by_wave(yearly, within, engine) if choices.movers == "time_varying" else None,
        need_rules=_need_rules(judged, rules, engine),
        faults=(*_new(placed.faults, tables.faults), *faults),
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


def _new(found: tuple[Fault, ...], known: tuple[Fault, ...]) -> tuple[Fault, ...]:
    """Leave out what the contract of the table has told already."""
    told = {fault.rule for fault in known}
    return tuple(fault for fault in found if fault.rule not in told)


def _dated(frames: Mapping[str, Frame], engine: Engine) -> dict[str, Frame]:
    """Give the rows of every table the day on which what they say was known."""
    dated = dict(frames)
    census = frames["pupils"]
    if "term" not in census.collect_schema().names():
        census = census.with_columns(nw.lit("SPR").alias("term"))
    dated["pupils"] = engine.keep(with_census_days(census, engine))
    for name in ("attendance", "exclusions"):
        if name in dated:
            dated[name] = dated[name].with_columns(_day(_YEAR_END).alias("day"))
    if "attainment" in dated:
        held = dated["attainment"].collect_schema().names()
        day = _day(_RESULTS_DAY)
        if "date" in held:
            day = nw.coalesce(nw.col("date"), day)
        dated["attainment"] = dated["attainment"].with_columns(day.alias("day"))
    if "placements" in dated:
        held = dated["placements"].collect_schema().names()
        days = [nw.col(name) for name in ("decided", "start") if name in held]
        dated["placements"] = dated["placements"].with_columns(nw.coalesce(*days).alias("day"))
    return dated


def _day(ending: str) -> nw.Expr:
    return nw.concat_str(nw.col("year").cast(nw.String), nw.lit(ending)).cast(nw.Date)


def _measures(tables: Mapping[str, Frame], engine: Engine) -> list[str]:
    if "attainment" not in tables:
        return []
    found = engine.collect(tables["attainment"].select("measure").unique(), ["measure"])
    return [str(name) for name in found.column("measure").to_pylist() if name is not None]


def _check_outcomes(plan: Plan, tables: Mapping[str, Frame], measures: list[str]) -> None:
    """Refuse an outcome made from a column that no table has."""
    known = [*measures, *EXPOSURE]
    for table in ("attendance", "exclusions"):
        if table in tables:
            held = tables[table].collect_schema().names()
            keys = ("pupil_id", "year", "urn", "pandemic")
            known += [n for n in TABLES[table].names() if n in held and n not in keys]
    problems = []
    for outcome in plan.outcomes:
        where = f"{plan.path.name}, [outcomes] {outcome.name}"
        if outcome.kind == "scale" and "surveys" not in tables:
            problems.append(
                Problem(where, "no table of surveys is named", "Name it in [data.files] surveys.")
            )
        elif outcome.kind != "scale":
            problems += [
                Problem(where, f"no table has the column `{name}`", nearest(name, known))
                for name in outcome.columns()
                if name not in known
            ]
    if problems:
        raise PlanError(problems)


def _with_needs(zero: Frame, census: Frame) -> Frame:
    """Add the needs first recorded, by the end of the first school year."""
    columns = {"pupil_id": nw.String, "day": nw.Date, "year": nw.Int64}
    needs = ("primary_need", "secondary_need")
    rows = with_only(census, {**columns, **dict.fromkeys(needs, nw.String)}).rename(
        {"year": "of_year"}
    )
    held = rows.join(zero.select("pupil_id", "year"), on="pupil_id", how="inner")
    recorded = ~nw.col("primary_need").is_null() | ~nw.col("secondary_need").is_null()
    early = held.filter(recorded & (nw.col("of_year") <= nw.col("year")))
    number = nw.col("pupil_id").cum_count().over("pupil_id", order_by=("day", "primary_need"))
    first = early.with_columns(number.alias("number")).filter(nw.col("number") == 1)
    return zero.join(first.select("pupil_id", *needs), on="pupil_id", how="left")


def _reasons(zero: Frame, rules: EligibilitySection, census: Frame) -> Frame:
    """Say of each pupil why the rules leave them out, null where they do not."""
    held = census.collect_schema().names()
    present = {"year_group", "phase", "primary_need", "secondary_need", "sen_provision"}
    ever = [name for name in ("consent", "withdrawn") if name in held]
    if ever:
        # One refusal, or one withdrawal, is enough.
        lowest = census.group_by("pupil_id").agg(*(nw.col(name).min() for name in ever))
        zero = zero.join(lowest, on="pupil_id", how="left")
        present |= set(ever)
    reason = exclusion(rules, present)
    if rules.time_zero != "school_entry":
        # Without a time zero nothing can be said of the pupil as at time zero.
        first = nw.coalesce(reason.is_in(["consent", "withdrawn"]), nw.lit(False))
        reason = nw.when(nw.col("zero").is_null() & ~first).then(nw.col("why")).otherwise(reason)
    outside = nw.lit(False)
    if rules.first_year is not None:
        outside = outside | (nw.col("year") < rules.first_year)
    if rules.last_year is not None:
        outside = outside | (nw.col("year") > rules.last_year)
    reason = nw.when(reason.is_null() & outside).then(nw.lit("cohort")).otherwise(reason)
    return zero.select("pupil_id", reason.alias("reason"))


def _arms(placed: Placed, judged: Frame, rules: PlacementRules, engine: Engine) -> Frame:
    eligible = judged.filter(nw.col("reason").is_null())
    who = eligible.select("pupil_id", "urn", "year", nw.col("zero").alias("on"))
    found = arms_on(placed, who, rules, engine)
    if rules.movers == "modal":
        modal = modal_arms(placed, rules, engine).select("pupil_id", nw.col("arm").alias("most"))
        found = found.join(modal, on="pupil_id", how="left")
        found = found.with_columns(nw.coalesce(nw.col("most"), nw.col("arm")).alias("arm"))
    why = nw.col("why")
    why = nw.when(why == NO_SCHOOL).then(nw.lit("no school")).otherwise(why)
    return found.select(
        "pupil_id", "arm", why.alias("why_no_arm"), "already_placed", "recorded_later"
    )


def _yearly(placed: Placed, rules: PlacementRules, engine: Engine) -> Frame:
    """Follow every pupil's arm from school year to school year."""
    # Later, every pupil of the mainstream is in an arm, considered for a base or not.
    later = replace(rules, comparison="all", already_placed="keep")
    yearly = arms_by_year(placed, later, engine).filter(~nw.col("arm").is_null())
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


def _peers(tables: Mapping[str, Frame], within: Frame) -> Frame | None:
    """Give each peer the time zero of the pupil whose peer it is."""
    if "peers" not in tables:
        return None
    links = tables["peers"].select("pupil_id", "peer_of")
    of = within.select(nw.col("pupil_id").alias("peer_of"), "zero", "year")
    return links.join(of, on="peer_of", how="left")


def _and_peers(within: Frame, peers: Frame) -> Frame:
    columns = ["pupil_id", "zero", "year"]
    own = within.select(*columns).join(peers.select("pupil_id"), on="pupil_id", how="anti")
    return nw.concat([own, peers.select(*columns)], how="vertical")


def _with_links(frame: Frame, peers: Frame, plan: Plan, engine: Engine) -> Frame:
    """Say of every row whether it is a peer's, and whose."""
    links = peers.select(nw.col("pupil_id").alias(plan.data.pupil), "peer_of")
    held = frame.join(links, on=plan.data.pupil, how="left")
    is_peer = nw.when(nw.col("peer_of").is_null()).then(nw.lit("0")).otherwise(nw.lit("1"))
    return engine.keep(held.with_columns(is_peer.alias("is_peer")))


def _need_rules(judged: Frame, rules: EligibilitySection, engine: Engine) -> pd.DataFrame:
    """Count under each rule those whom nothing but the need could leave out."""
    by_need = nw.col("reason").is_null() | nw.col("reason").is_in(["need", "no need"])
    return count_need_rules(judged.filter(by_need), rules, "urn", engine)


def _together(judged: Frame, covariates: Frame, rows: Frame, plan: Plan, engine: Engine) -> Frame:
    """Lay one row a pupil and wave: covariates stand at wave 0, outcomes at theirs."""
    arms = plan.arms
    assert arms is not None
    outcomes = wave_columns(plan)
    named = [c.column for c in (*plan.covariates.adjust, *plan.covariates.exact)]
    own = [name for name in named if name not in outcomes]
    everyone = judged.select(
        "pupil_id",
        nw.col("urn").alias(plan.data.school),
        "arm",
        nw.lit(0).cast(nw.Int64).alias("wave"),
    )
    before = everyone.join(
        covariates.select("pupil_id", *(c for n in own for c in (n, WHY + n))),
        on="pupil_id",
        how="left",
    )
    measured = rows.with_columns(nw.col("wave").cast(nw.Int64)).filter(nw.col("wave") >= 0)
    at_zero = measured.filter(nw.col("wave") == 0).drop("wave")
    first = before.join(at_zero, on="pupil_id", how="left")
    later = measured.filter(nw.col("wave") >= 1)
    later = later.join(everyone.drop("wave"), on="pupil_id", how="inner")
    columns = ["pupil_id", plan.data.school, "arm", "wave"]
    held, schema = later.collect_schema().names(), first.collect_schema()
    names = [n for n in schema.names() if n not in columns]
    later = later.select(
        *columns,
        *(nw.col(n) if n in held else nw.lit(None, dtype=schema[n]).alias(n) for n in names),
    )
    frame = nw.concat([first.select(*columns, *names), later], how="vertical")
    frame = frame.rename({"pupil_id": plan.data.pupil} if plan.data.pupil != "pupil_id" else {})
    wave = nw.col("wave").cast(nw.String).alias("wave")
    return engine.keep(frame.rename({"year": YEAR}).with_columns(wave))
