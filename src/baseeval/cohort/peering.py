"""Matched peers of many tables: each as of the time zero of the pupil whose peer it is."""

from __future__ import annotations

from collections.abc import Mapping

import narwhals.stable.v2 as nw

from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame
from baseeval.plan import Plan


def dated_peers(tables: Mapping[str, Frame], within: Frame) -> Frame | None:
    """Give each peer the time zero of the pupil whose peer it is.

    Parameters
    ----------
    tables : mapping of str to narwhals LazyFrame
    within : narwhals LazyFrame
        ``pupil_id, zero, year`` of the pupils of an arm.

    Returns
    -------
    narwhals LazyFrame or None
        ``pupil_id, peer_of, zero, year``; None without a table of peers.
    """
    if "peers" not in tables:
        return None
    links = tables["peers"].select("pupil_id", "peer_of")
    of = within.select(nw.col("pupil_id").alias("peer_of"), "zero", "year")
    return links.join(of, on="peer_of", how="left")


def and_peers(within: Frame, peers: Frame) -> Frame:
    """Put the peers under the pupils of an arm, a pupil who is both as a peer.

    Parameters
    ----------
    within, peers : narwhals LazyFrame
        As `dated_peers` takes and gives them.

    Returns
    -------
    narwhals LazyFrame
        ``pupil_id, zero, year``.
    """
    columns = ["pupil_id", "zero", "year"]
    own = within.select(*columns).join(peers.select("pupil_id"), on="pupil_id", how="anti")
    return nw.concat([own, peers.select(*columns)], how="vertical")


def with_links(frame: Frame, peers: Frame, plan: Plan, engine: Engine) -> Frame:
    """Say of every row whether it is a peer's, and whose.

    Parameters
    ----------
    frame : narwhals LazyFrame
        Its pupils stand under the plan's name for them.
    peers : narwhals LazyFrame
        From `dated_peers`.
    plan : Plan
    engine : Engine

    Returns
    -------
    narwhals LazyFrame
        With ``is_peer`` (0 or 1, as text) and ``peer_of``.
    """
    links = peers.select(nw.col("pupil_id").alias(plan.data.pupil), "peer_of")
    held = frame.join(links, on=plan.data.pupil, how="left")
    is_peer = nw.when(nw.col("peer_of").is_null()).then(nw.lit("0")).otherwise(nw.lit("1"))
    return engine.keep(held.with_columns(is_peer.alias("is_peer")))
