"""What the base of each base pupil is said to have: one row a pupil, ready to be read by."""

from __future__ import annotations

from typing import Literal

import narwhals.stable.v2 as nw

from baseeval.contracts.base_features import RECORDED, feature_rows
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import COUNT, Frame, Frames, with_only
from baseeval.placement.naming import with_types
from baseeval.sources.values import WHY

_NO_YEAR = 0


def base_features(starts: Frame, tables: Frames, engine: Engine) -> Frame:
    """Join each pupil of the base arm to the features of the base, and of its school.

    Parameters
    ----------
    starts : narwhals LazyFrame
        ``pupil, arm, year, base_id, base_type, base_urn``, as at time zero.
    tables : mapping of str to narwhals LazyFrame
        ``bases`` and ``schools``, where they exist.
    engine : Engine

    Returns
    -------
    narwhals LazyFrame
        ``pupil, base_id``, and each feature that the tables hold, with its ``why:name``: the
        reason where it is missing (``not known``, ``blank``). One row a pupil of the base arm.

    Notes
    -----
    A base of the list is that of the pupil's place if it has its id. Census flags name none: the
    base is then the school's only one of the type, if the list has just one. A school's features
    are those of the school year of time zero, else of the last year before, else those that are
    listed without a year; ``school_features_recorded`` is the day of their recording.
    """
    mine = starts.filter(nw.col("arm") == "base")
    rows = mine.select("pupil", "year", "base_id", "base_type", "base_urn")
    if "bases" in tables:
        rows = _with_base(rows, tables["bases"])
    if "schools" in tables:
        rows = _with_school(rows, tables["schools"])
    return engine.keep(rows.drop("year", "base_type", "base_urn"))


def _names(table: Frame, of: Literal["base", "school"]) -> list[str]:
    """List the features that a table holds, each with its reason."""
    held = table.collect_schema().names()
    own = (RECORDED.name, *(row["name"] for row in feature_rows() if row["of"] == of))
    return [name for feature in own for name in (feature, WHY + feature) if name in held]


def _with_base(rows: Frame, bases: Frame) -> Frame:
    keys = {"base_id": nw.String, "urn": nw.String, "base_type": nw.String}
    typed = with_types(with_only(bases, keys))
    alone = typed.group_by("urn", "base_type").agg(
        COUNT.alias("bases"), nw.col("base_id").min().alias("only_id")
    )
    alone = alone.filter(nw.col("bases") == 1).select(
        nw.col("urn").alias("base_urn"), "base_type", "only_id"
    )
    listed = bases.select("base_id", nw.col("base_id").alias("listed_id")).unique()
    found = rows.join(listed, on="base_id", how="left")
    found = found.join(alone, on=["base_urn", "base_type"], how="left")
    known = nw.coalesce(nw.col("listed_id"), nw.col("only_id"), nw.col("base_id"))
    found = found.with_columns(known.alias("base_id")).drop("listed_id", "only_id")
    names = [name for name in _names(bases, "base") if name != "base_type"]
    return found.join(bases.select("base_id", *names), on="base_id", how="left")


def _with_school(rows: Frame, schools: Frame) -> Frame:
    names = _names(schools, "school")
    if not names:
        return rows
    renamed = {
        name: name.replace(RECORDED.name, f"school_{RECORDED.name}")
        for name in names
        if RECORDED.name in name
    }
    told = schools.select("urn", *names).rename(renamed)
    if "year" in schools.collect_schema().names():
        year = nw.coalesce(nw.col("year"), nw.lit(_NO_YEAR)).alias("of_year")
        told = schools.select("urn", year, *names).rename(renamed)
    else:
        told = told.with_columns(nw.lit(_NO_YEAR).alias("of_year"))
    keys = rows.select("base_urn", "year").unique()
    held = keys.join(told.rename({"urn": "base_urn"}), on="base_urn", how="inner")
    held = held.filter(nw.col("of_year") <= nw.col("year"))
    latest = nw.col("of_year").max().over("base_urn", "year")
    held = held.with_columns(latest.alias("latest"))
    held = held.filter(nw.col("of_year") == nw.col("latest")).drop("of_year", "latest")
    return rows.join(held, on=["base_urn", "year"], how="left")
