"""Published figures from the user's file: read strictly, and picked for a study."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import narwhals.stable.v2 as nw
import pandas as pd

from baseeval.contracts.benchmarks import CONTRACT
from baseeval.contracts.vocabulary import NEEDS, PHASES, SEN_PROVISIONS
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import COUNT
from baseeval.errors import Fault, fault
from baseeval.sources.contracted import Contracted, read_contract
from baseeval.sources.declared import plain
from baseeval.sources.gathering import Gathered
from baseeval.sources.school_part import text_of
from baseeval.sources.values import WHY

#: Words for "not broken down by this", as `plain` gives them.
_ALL = ("", "all", "total", "all pupils", "all schools", "all needs", "all phases")

#: The columns by which figures are broken down: their codes, and words for these besides the
#: labels of the vocabulary, as `plain` gives them.
_GROUPS: Mapping[str, tuple[Mapping[str, str], Mapping[str, str]]] = {
    "need": (
        NEEDS,
        {
            "autism": "ASD",
            "profound multiple learning difficulty": "PMLD",
            "speech language and communication": "SLCN",
            "visual impairment": "VI",
            "other difficulty disability": "OTH",
        },
    ),
    "sen_provision": (
        SEN_PROVISIONS,
        {
            "no sen": "N",
            "no identified sen": "N",
            "sen support sen without an ehc plan": "K",
            "education health and care plans": "E",
            "ehc plan": "E",
            "ehcp": "E",
        },
    ),
    "phase": (
        PHASES,
        {
            "state funded nursery": "NS",
            "state funded primary": "PS",
            "state funded secondary": "SS",
            "state funded special school": "SP",
            "special school": "SP",
            "pupil referral unit": "PR",
            "alternative provision": "PR",
        },
    ),
}


def read_benchmarks(gathered: Gathered, engine: Engine) -> Contracted:
    """Read a file of published figures.

    Parameters
    ----------
    gathered : Gathered
        By the crosswalk ``benchmarks``.
    engine : Engine

    Returns
    -------
    Contracted
        Types of need, SEN provision and phase as codes where the words are known,
        else as they stand; missing for all of them together. A row without source,
        date, year, unit, geography or measure stops the study.
    """
    frame = gathered.frame
    held = [name for name in _GROUPS if name in frame.collect_schema().names()]
    grouped = [_coded(text_of(frame, name), name).alias(name) for name in held]
    frame = frame.with_columns(*grouped) if grouped else frame
    table = read_contract(frame, CONTRACT, engine, gathered.label)
    faults = (*gathered.faults, *table.faults, *_twice(table.frame, engine, gathered.label))
    return Contracted(table.frame, faults, table.coded)


def matching_benchmarks(
    frame: nw.LazyFrame[Any],
    needs: Sequence[str],
    phases: Sequence[str],
    sen_provisions: Sequence[str],
    years: Sequence[int],
    engine: Engine,
) -> pd.DataFrame:
    """Pick the published figures that set a study in its context.

    Parameters
    ----------
    frame : narwhals LazyFrame
        As `read_benchmarks` gives it.
    needs, phases, sen_provisions : sequence of str
        Those of the study's pupils, as codes or words; empty for any.
    years : sequence of int
        Each by the summer in which it ends; empty for any.
    engine : Engine

    Returns
    -------
    pandas.DataFrame
        The contract's columns, and ``reason``: why a figure has no value. Figures for
        all pupils are among them. Ordered by measure, place (England first), group,
        year and publication.
    """
    wanted = {"need": needs, "phase": phases, "sen_provision": sen_provisions}
    held = frame.collect_schema().names()
    kept = frame
    for name, words in wanted.items():
        if words and name in held:
            codes = [_word_to_code(word, name).lower() for word in words]
            column = nw.col(name)
            kept = kept.filter(column.is_null() | column.str.to_lowercase().is_in(codes))
    if years:
        kept = kept.filter(nw.col("year").is_in([int(year) for year in years]))
    absent = [nw.lit(None, nw.String).alias(name) for name in _GROUPS if name not in held]
    abroad = (nw.col("geography").str.to_lowercase() != "england").cast(nw.Int64)
    chosen = kept.with_columns(
        abroad.alias("abroad"), nw.col(f"{WHY}value").alias("reason"), *absent
    ).select(*CONTRACT.names(), "reason", "abroad")
    order = ["measure", "abroad", *CONTRACT.key[1:], "published", "source", "unit", "value"]
    table: pd.DataFrame = engine.collect(chosen, order).to_pandas()
    return table.drop(columns="abroad")


def _twice(frame: nw.LazyFrame[Any], engine: Engine, label: str) -> list[Fault]:
    """Find two figures for one place, group and year: empty, here, is a group like any other."""
    held = frame.collect_schema().names()
    key = [name for name in CONTRACT.key if name in held]
    if any(name not in held for name in CONTRACT.key if name not in _GROUPS):
        return []
    rows = frame.group_by(*key).agg(COUNT.alias("rows"))
    count = engine.counts(rows, {"twice": nw.col("rows") > 1})["twice"]
    told = fault(
        label,
        "measure",
        "benchmark_twice",
        count,
        "more than one row for the same place, group and year",
        "Keep one: the latest publication.",
        unit="figure",
        stops=True,
    )
    return [told] if count else []


def _coded(text: nw.Expr, name: str) -> nw.Expr:
    """Write the code of a group for its label; none for all groups; other words as they stand."""
    said, words = plain(text), _words(name)
    value: nw.Expr = nw.when(~said.is_in(list(_ALL))).then(text)
    for code in dict.fromkeys(words.values()):
        mine = [word for word, meant in words.items() if meant == code]
        value = nw.when(said.is_in(mine)).then(nw.lit(code)).otherwise(value)
    return value


def _words(name: str) -> dict[str, str]:
    codes, more = _GROUPS[name]
    labels = {_plain_text(label): code for code, label in codes.items()}
    return {**labels, **{code.lower(): code for code in codes}, **more}


def _word_to_code(word: str, name: str) -> str:
    return _words(name).get(_plain_text(word), word)


def _plain_text(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()
