"""Answers to questionnaires: from one row an answer to one column an item, by pupil and wave.

Answers of a pupil, a parent and staff are never put together: an outcome takes those of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import narwhals.stable.v2 as nw

from baseeval.cohort.respondents import Group, Surveyed, groups_of
from baseeval.cohort.wave_numbers import with_wave
from baseeval.contracts.columns import ColumnContract
from baseeval.contracts.surveys import ANSWERED, NO_ANSWER
from baseeval.engine.days import school_year
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame, with_only
from baseeval.errors import DataError, Fault, fault
from baseeval.plan import Plan
from baseeval.sources.values import WHY, read_values

#: Before the name of an outcome: the mode in which it was answered.
MODE = "mode:"

#: What stands for the mode where a pupil answered in several at once.
SEVERAL = "several"

_KEYS = ["pupil_id", "wave"]
_OTHER_MODE = "answered in a mode that the study leaves out"
_COLUMNS = ("pupil_id", "date", "instrument", "item", "answer", "respondent", "mode", "status")


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers laid out.

    Parameters
    ----------
    frame : narwhals LazyFrame
        ``pupil_id, wave``, each item with its ``why:name``, and ``mode:outcome``.
    faults : list of Fault
    surveyed : Surveyed
    """

    frame: Frame
    faults: list[Fault]
    surveyed: Surveyed


def answer_rows(surveys: Frame, plan: Plan, starts: Frame, label: str, engine: Engine) -> Answers:
    """Turn answers, one a row, into columns, one an item, and read them as the plan says.

    Parameters
    ----------
    surveys : narwhals LazyFrame
        By its contract.
    plan : Plan
        With outcomes of kind `scale`.
    starts : narwhals LazyFrame
        ``pupil_id, zero, year``.
    label : str
        The survey's files, for messages.
    engine : Engine

    Returns
    -------
    Answers

    Raises
    ------
    PlanError
        Several respondents answered, and an outcome does not say whose answers it takes.
    DataError
        Two answers to one item on one day.
    """
    held = surveys.collect_schema().names()
    rows = with_only(surveys, dict.fromkeys(_COLUMNS, nw.String) | {"date": nw.Date})
    year = school_year(nw.col("date")).cast(nw.Int64).alias("year")
    joined = with_wave(rows.with_columns(year), starts)
    before = (nw.col("wave") == 1) & (nw.col("date") <= nw.col("zero"))
    wave = nw.when(before).then(0).otherwise(nw.col("wave")).alias("wave")
    rows = engine.keep(joined.with_columns(wave).select(*_COLUMNS, "wave"))
    scales = [outcome for outcome in plan.outcomes if outcome.kind == "scale"]
    groups, respondents, blank = groups_of(rows, scales, plan, engine)
    silent = ~nw.col("status").is_null() & (nw.col("status") != ANSWERED)
    said = rows.filter(~silent & ~nw.col("item").is_null())
    used = engine.keep(nw.concat([_last(said, g, n) for n, g in enumerate(groups)], how="vertical"))
    _check_once(used, label, engine)
    typed = read_values(_wide(used, groups), _contracts(groups), engine, label)
    frame = typed.frame
    if "status" in held or any(outcome.modes for outcome in scales):
        quiet = [_silent(rows, said, group, n) for n, group in enumerate(groups)]
        frame = _with_reasons(frame, nw.concat(quiet, how="vertical"), groups)
    if "mode" in held:
        frame = frame.join(_modes(used, groups), on=_KEYS, how="left")
    faults = list(typed.problems)
    if blank:
        what = "no respondent, where others say who answered"
        remedy = "They are not read: say who answered."
        faults.append(
            fault(label, "respondent", "respondent_blank", blank, what, remedy, unit="answer")
        )
    return Answers(
        engine.keep(frame),
        faults,
        Surveyed("status" in held, "mode" in held, respondents),
    )


def _of_respondent(rows: Frame, group: Group) -> Frame:
    return rows.filter(nw.col("respondent") == group.respondent) if group.respondent else rows


def _last(said: Frame, group: Group, number: int) -> Frame:
    """Keep of several surveys within a wave the last."""
    asked = _of_respondent(said.filter(nw.col("item").is_in(group.items)), group)
    modes = group.outcomes[0].modes
    if modes:
        asked = asked.filter(nw.col("mode").is_in(modes))
    last = asked.group_by(*_KEYS).agg(nw.col("date").max())
    kept = asked.join(last, on=[*_KEYS, "date"], how="inner")
    return kept.select(*_KEYS, "date", "item", "answer", "mode", nw.lit(number).alias("group"))


def _silent(rows: Frame, said: Frame, group: Group, number: int) -> Frame:
    """Gather what says why a group's questions were not answered, by rank: the first counts."""
    asked = nw.col("instrument").is_null() | nw.col("instrument").is_in(group.instruments)
    mine = nw.col("item").is_in(group.items) | (nw.col("item").is_null() & asked)
    rank = nw.lit(None, nw.Int64)
    for place, status in enumerate(NO_ANSWER):
        rank = nw.when(nw.col("status") == status).then(nw.lit(place)).otherwise(rank)
    told = _of_respondent(rows.filter(mine), group).with_columns(rank.cast(nw.Int64).alias("rank"))
    parts = [told.filter(~nw.col("rank").is_null())]
    modes = group.outcomes[0].modes
    if modes:
        asked_otherwise = _of_respondent(said.filter(nw.col("item").is_in(group.items)), group)
        last = nw.lit(len(NO_ANSWER)).cast(nw.Int64).alias("rank")
        parts.append(asked_otherwise.with_columns(last))
    columns = [*_KEYS, "date", "rank"]
    told = nw.concat([part.select(*columns) for part in parts], how="vertical")
    latest = told.group_by(*_KEYS).agg(nw.col("date").max())
    told = told.join(latest, on=[*_KEYS, "date"], how="inner")
    return (
        told.group_by(*_KEYS).agg(nw.col("rank").min()).with_columns(nw.lit(number).alias("group"))
    )


def _held_items(groups: Sequence[Group]) -> list[tuple[int, str, str]]:
    """List every item with the number of its group and the name of its column."""
    return [(n, item, g.prefix + item) for n, g in enumerate(groups) for item in g.items]


def _wide(used: Frame, groups: Sequence[Group]) -> Frame:
    said = [
        nw.when((nw.col("group") == n) & (nw.col("item") == item))
        .then(nw.col("answer"))
        .max()
        .alias(name)
        for n, item, name in _held_items(groups)
    ]
    return used.group_by(*_KEYS).agg(*said)


def _contracts(groups: Sequence[Group]) -> list[ColumnContract]:
    contracts = {
        "pupil_id": ColumnContract("pupil_id", "key", "pupil"),
        "wave": ColumnContract("wave", "integer", "wave"),
    }
    for group in groups:
        for outcome in group.outcomes:
            assert outcome.range is not None
            low, high = outcome.range
            for item in outcome.items:
                name = group.prefix + item
                contracts.setdefault(
                    name,
                    ColumnContract(
                        name, "number", "item", labels=outcome.labels, low=low, high=high
                    ),
                )
    return list(contracts.values())


def _with_reasons(frame: Frame, quiet: Frame, groups: Sequence[Group]) -> Frame:
    """Say why there is no answer, where a survey says it; add the pupils who answered nothing."""
    names = [name for _, _, name in _held_items(groups)]
    ranks = [
        nw.when(nw.col("group") == n).then(nw.col("rank")).max().alias(f"quiet:{n}")
        for n in range(len(groups))
    ]
    told = quiet.group_by(*_KEYS).agg(*ranks)
    keys = nw.concat([frame.select(*_KEYS), told.select(*_KEYS)], how="vertical").unique()
    joined = keys.join(frame, on=_KEYS, how="left").join(told, on=_KEYS, how="left")
    whys = []
    for n, _, name in _held_items(groups):
        said = nw.lit(None, nw.String)
        for place, words in enumerate([*NO_ANSWER.values(), _OTHER_MODE]):
            said = nw.when(nw.col(f"quiet:{n}") == place).then(nw.lit(words)).otherwise(said)
        why = nw.when(nw.col(name).is_null()).then(nw.coalesce(said, nw.col(WHY + name)))
        whys.append(why.otherwise(None).alias(WHY + name))
    return joined.select(*_KEYS, *names, *whys)


def _modes(used: Frame, groups: Sequence[Group]) -> Frame:
    """Say in which mode each outcome was answered."""
    found = used.group_by(*_KEYS).agg(
        *(
            getattr(nw.when(nw.col("group") == n).then(nw.col("mode")), how)().alias(f"{how}:{n}")
            for n in range(len(groups))
            for how in ("min", "max")
        )
    )
    several = nw.lit(SEVERAL)
    return found.select(
        *_KEYS,
        *(
            nw.when(nw.col(f"min:{n}") == nw.col(f"max:{n}"))
            .then(nw.col(f"min:{n}"))
            .otherwise(nw.when(~nw.col(f"min:{n}").is_null()).then(several).otherwise(None))
            .alias(MODE + outcome.name)
            for n, group in enumerate(groups)
            for outcome in group.outcomes
        ),
    )


def _check_once(used: Frame, label: str, engine: Engine) -> None:
    """Refuse an item that two questionnaires ask on one day: the plan names items alone."""
    rows = used.group_by("pupil_id", "date", "item", "group").agg(nw.len().alias("rows"))
    count = engine.counts(rows, {"twice": nw.col("rows") > 1})["twice"]
    if count:
        what = "another to the same item on the same day, in another instrument"
        remedy = "Give the items of each instrument names of their own."
        raise DataError(fault(label, "item", "item_twice", count, what, remedy, unit="answer"))
