"""The keys of a row: its pupil, school, wave and arm, under names that no data uses."""

from __future__ import annotations

from typing import Any

import narwhals.stable.v2 as nw

from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import PlanError, Problem
from baseeval.plan import PeersSection, Plan

PUPIL, SCHOOL, WAVE, STEP, ARM, STATUS, FATE = (
    "key:pupil",
    "key:school",
    "key:wave",
    "key:step",
    "key:arm",
    "key:status",
    "key:fate",
)
#: The school year of an outcome, where a source says it; before the name, that of a column.
YEAR, YEAR_OF = "key:year", "year:"

PEER_OF, PEER_YEAR, PEER_SEX = "key:peer_of", "key:peer_year", "key:peer_sex"

#: The one group of a study without arms.
ALL = "all"


def keyed(frame: nw.LazyFrame[Any], plan: Plan, engine: Engine) -> nw.LazyFrame[Any]:
    """Add the keys to the typed rows.

    Parameters
    ----------
    frame : narwhals LazyFrame
        Typed rows.
    plan : Plan
    engine : Engine

    Returns
    -------
    narwhals LazyFrame
        With pupil, school, wave (empty text where there is one), the row's
        status (``arm``, ``peer``, ``blank``, ``other``, or ``group`` where it is
        not recorded whether the pupil is a peer) and its arm.
    """
    data = plan.data
    wave = nw.lit("") if data.wave is None else nw.col(data.wave)
    keys = [
        nw.col(data.pupil).alias(PUPIL),
        nw.col(data.school).alias(SCHOOL),
        wave.alias(WAVE),
        _status(plan).alias(STATUS),
        _arm(plan).alias(ARM),
    ]
    if plan.peers is not None:
        for name, key in (
            (plan.peers.peer_of, PEER_OF),
            (plan.peers.year, PEER_YEAR),
            (plan.peers.sex, PEER_SEX),
        ):
            if name is not None:
                keys.append(nw.col(name).cast(nw.String).alias(key))
    return engine.keep(frame.with_columns(*keys))


def waves_of(rows: nw.LazyFrame[Any], plan: Plan, engine: Engine) -> tuple[str, ...]:
    """Return the waves in order: the plan's, else that of numbers.

    Parameters
    ----------
    rows : narwhals LazyFrame
        With keys.
    plan : Plan
    engine : Engine

    Returns
    -------
    tuple of str

    Raises
    ------
    PlanError
        The waves are words and the plan does not say their order, or lacks one.
    """
    found = engine.collect(rows.select(WAVE).unique(), [WAVE]).column(WAVE).to_pylist()
    waves = [str(wave) for wave in found if wave is not None]
    where = f"{plan.path.name}, [data] waves"
    if plan.data.waves:
        strange = len(set(waves) - set(plan.data.waves))
        if strange:
            raise PlanError(
                Problem(
                    where,
                    f"the data hold waves that it does not name ({strange})",
                    "Name every wave, in order.",
                )
            )
        return tuple(wave for wave in plan.data.waves if wave in waves)
    try:
        return tuple(sorted(waves, key=float))
    except ValueError:
        if len(waves) == 1:
            return tuple(waves)
        raise PlanError(
            Problem(
                where,
                f"the {len(waves)} waves are words, whose order nothing tells",
                'Say it, first to last: waves = ["before", "after"].',
            )
        ) from None


def with_steps(rows: nw.LazyFrame[Any], waves: tuple[str, ...]) -> nw.LazyFrame[Any]:
    """Add a column that numbers the waves from 0.

    Parameters
    ----------
    rows : narwhals LazyFrame
        With keys.
    waves : tuple of str

    Returns
    -------
    narwhals LazyFrame
    """
    step = nw.lit(0)
    for number, wave in enumerate(waves):
        step = nw.when(nw.col(WAVE) == wave).then(nw.lit(number)).otherwise(step)
    return rows.with_columns(step.alias(STEP))


def _status(plan: Plan) -> nw.Expr:
    """Say of each row whether it stands in an arm, and if not, why."""
    if plan.arms is None:
        status: nw.Expr = nw.lit("arm")
    else:
        label = nw.col(plan.arms.column)
        named = [name for labels in plan.arms.labels().values() for name in labels]
        known = nw.when(label.is_in(named)).then(nw.lit("arm")).otherwise(nw.lit("other"))
        status = nw.when(label.is_null()).then(nw.lit("blank")).otherwise(known)
    if plan.peers is None:
        return status
    unknown = nw.col(plan.peers.group).is_null()
    status = nw.when(unknown).then(nw.lit("group")).otherwise(status)
    return nw.when(_is_peer(plan.peers)).then(nw.lit("peer")).otherwise(status)


def _is_peer(peers: PeersSection) -> nw.Expr:
    """Compare without regard to case: programs write no, No and NO, false and False."""
    values = [value.lower() for value in peers.is_peer]
    return nw.col(peers.group).cast(nw.String).str.to_lowercase().is_in(values)


def _arm(plan: Plan) -> nw.Expr:
    if plan.arms is None:
        return nw.lit(ALL)
    arm: nw.Expr = nw.lit(None, dtype=nw.String)
    for name, labels in plan.arms.labels().items():
        arm = nw.when(nw.col(plan.arms.column).is_in(labels)).then(nw.lit(name)).otherwise(arm)
    if plan.peers is not None:
        is_peer = _is_peer(plan.peers) | nw.col(plan.peers.group).is_null()
        arm = nw.when(is_peer).then(nw.lit(None, dtype=nw.String)).otherwise(arm)
    return arm
