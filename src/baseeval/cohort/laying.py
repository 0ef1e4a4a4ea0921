"""The rows of a study, from a tidy table or from the tables of many sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw
import pandas as pd

from baseeval.cohort.assembling import Assembled, assemble
from baseeval.cohort.featuring import base_features
from baseeval.cohort.leaving import WAYS_OUT_COLUMNS, count_ways_out
from baseeval.cohort.moving import could_be_seen, count_movements
from baseeval.cohort.pupils import pupils_in_words
from baseeval.cohort.respondents import NOT_SURVEYED, Surveyed
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import COUNT, Frame
from baseeval.errors import DataError, Fault
from baseeval.plan import Plan
from baseeval.results import CONTRASTS
from baseeval.sources.benchmark_file import matching_benchmarks
from baseeval.sources.opening import open_tables
from baseeval.sources.table import read_table
from baseeval.sources.tables import Tables
from baseeval.sources.values import WHY, Typed

_NEED_COLUMNS = ["rule", "used", "pupils", "schools"]


@dataclass(frozen=True, slots=True)
class Laid:
    """One row a pupil and wave, and what is known of them besides.

    Parameters
    ----------
    typed : Typed
    label : str
        The file or files, as messages name them.
    files : tuple of (name, SHA-256)
    sizes : tuple of (table, files, rows, columns)
    faults : tuple of Fault
        Those that stop the study too.
    covariates : narwhals LazyFrame or None
        ``key:pupil`` and each covariate with its ``why:name``; None where the rows hold them.
    reasons : narwhals LazyFrame or None
        ``pupil, reason``: who is left out, and why; None where the rows must say it.
    need_rules, movements, ways_out, benchmarks : pandas.DataFrame
    features : narwhals LazyFrame or None
        From `base_features`; None for a tidy table.
    norms : narwhals LazyFrame or None
        From `year_norms`.
    by_year : narwhals LazyFrame or None
        ``pupil, wave, now``.
    followed : (narwhals LazyFrame, narwhals LazyFrame) or None
        ``pupil, wave`` of who could be seen, and of who was.
    needs : narwhals LazyFrame or None
        ``pupil, need``: the primary need; None where the rows must say it.
    surveyed : Surveyed
    notes : tuple of str
    cautions : mapping of str to frozenset of str
        Contrast, or ``outcome wave``, -> flags.
    """

    typed: Typed
    label: str
    files: tuple[tuple[str, str], ...]
    sizes: tuple[tuple[str, str, int, int], ...]
    faults: tuple[Fault, ...]
    covariates: Frame | None
    reasons: Frame | None
    need_rules: pd.DataFrame
    movements: pd.DataFrame
    ways_out: pd.DataFrame
    benchmarks: pd.DataFrame
    features: Frame | None
    norms: Frame | None
    by_year: Frame | None
    followed: tuple[Frame, Frame] | None
    needs: Frame | None
    surveyed: Surveyed
    notes: tuple[str, ...]
    cautions: Mapping[str, frozenset[str]]


def lay_rows(plan: Plan, engine: Engine, given: Mapping[str, Any] | None = None) -> Laid:
    """Read a plan's data, whatever their source, and lay one row a pupil and wave.

    Parameters
    ----------
    plan : Plan
    engine : Engine
        Shut to further files afterwards.
    given : mapping, optional
        Frames or open connections in place of files.

    Returns
    -------
    Laid

    Raises
    ------
    DataError, PlanError
    """
    if plan.data.source is None:
        return _tidy(plan, engine, given)
    opened = open_tables(plan, engine, given)
    engine.shut()
    stopping = [fault for fault in opened.tables.faults if fault.stops]
    if stopping:
        raise DataError(stopping, [fault for fault in opened.tables.faults if not fault.stops])
    made = assemble(plan, opened.tables, engine)
    return Laid(
        typed=made.typed,
        label=", ".join(dict.fromkeys(opened.tables.labels.values())) or plan.path.name,
        files=opened.files,
        sizes=_sizes(opened.tables, engine),
        faults=(*opened.tables.faults, *made.faults),
        covariates=made.covariates,
        reasons=made.reasons,
        need_rules=made.need_rules,
        movements=count_movements(made, engine),
        ways_out=count_ways_out(made, _grace_days(plan), engine),
        benchmarks=_context(plan, opened.tables, engine),
        features=base_features(made.starts, opened.tables.frames, engine),
        norms=made.norms,
        by_year=made.by_year,
        followed=_followed(made, engine),
        needs=made.starts.select("pupil", "need"),
        surveyed=made.surveyed,
        notes=_notes(made, engine),
        cautions=_cautions(made, engine),
    )


def _tidy(plan: Plan, engine: Engine, given: Mapping[str, Any] | None) -> Laid:
    source = read_table(plan, engine, given)
    files, context, faults = source.files, Tables({}), source.typed.problems
    if plan.data.files or set(given or {}) - {"table"}:
        opened = open_tables(plan, engine, given)
        files, context = (*files, *opened.files), opened.tables
        faults = (*faults, *context.faults)
    engine.shut()
    return Laid(
        typed=source.typed,
        label=source.label,
        files=files,
        sizes=(
            ("table", source.label, *_size(source.typed.frame, engine)),
            *_sizes(context, engine),
        ),
        faults=faults,
        covariates=None,
        reasons=None,
        need_rules=pd.DataFrame(columns=_NEED_COLUMNS),
        movements=pd.DataFrame(columns=["wave", "arm", "arm_then", "pupils", "schools"]),
        ways_out=pd.DataFrame(columns=list(WAYS_OUT_COLUMNS)),
        benchmarks=_context(plan, context, engine),
        features=None,
        norms=None,
        by_year=None,
        followed=None,
        needs=None,
        surveyed=NOT_SURVEYED,
        notes=(),
        cautions={},
    )


def _sizes(tables: Tables, engine: Engine) -> tuple[tuple[str, str, int, int], ...]:
    return tuple(
        (name, tables.labels.get(name, name), *_size(frame, engine))
        for name, frame in tables.frames.items()
    )


def _size(frame: Frame, engine: Engine) -> tuple[int, int]:
    """Count the rows, and the columns that hold data."""
    columns = [n for n in frame.collect_schema().names() if not n.startswith(WHY)]
    counted = engine.collect(frame.select(COUNT.alias("rows")), [])
    return int(counted.column("rows")[0].as_py()), len(columns)


def _context(plan: Plan, tables: Tables, engine: Engine) -> pd.DataFrame:
    """Pick the published figures for pupils like those of the study."""
    if "benchmarks" not in tables.frames:
        return pd.DataFrame()
    rules = plan.eligibility
    provisions = {"only": ["E"], "none": ["N", "K"], "any": []}
    return matching_benchmarks(
        tables.frames["benchmarks"],
        needs=[] if rules is None else rules.needs,
        phases=[] if rules is None else rules.phases,
        sen_provisions=[] if rules is None else provisions[rules.ehcp],
        years=[],
        engine=engine,
    )


def _followed(made: Assembled, engine: Engine) -> tuple[Frame, Frame]:
    """Say of each pupil in which waves a census could see them, and in which it did."""
    expected = engine.keep(could_be_seen(made, engine))
    census = made.seen.rename({"year": "census_year"})
    seen = expected.join(census, on=["pupil", "census_year"], how="inner")

    def texts(frame: Frame) -> Frame:
        return frame.select("pupil", nw.col("wave").cast(nw.String).alias("wave"))

    return texts(expected), engine.keep(texts(seen))


def _grace_days(plan: Plan) -> int:
    assert plan.placement is not None
    return plan.placement.grace_days


def _ready(made: Assembled, engine: Engine) -> int:
    """Count the base pupils whose last review, by the file, judged them ready to leave."""
    base = made.starts.filter(nw.col("arm") == "base").select("pupil", "base_id")
    ready = made.placed.spells.filter(nw.col("ready") == 1).rename({"pupil_id": "pupil"})
    found = ready.select("pupil", "base_id").join(base, on=["pupil", "base_id"], how="inner")
    return engine.counts(found.select("pupil").unique(), {"n": ~nw.col("pupil").is_null()})["n"]


def _already_placed(made: Assembled, engine: Engine) -> int:
    held = (nw.col("already_placed") == 1) & (nw.col("arm") == "base")
    return engine.counts(made.starts, {"n": held})["n"]


def _notes(made: Assembled, engine: Engine) -> tuple[str, ...]:
    """Say what a reader must know of how the arms came about."""
    notes = []
    already = _already_placed(made, engine)
    if already:
        notes.append(
            f"{pupils_in_words(already)} of base had a place already when first seen: nothing was "
            "measured before it, so what is said of them is change while placed. The study file "
            "can leave such pupils out."
        )
    later = nw.col("recorded_later") == 1
    shown_later = engine.counts(made.starts, {"n": later & (nw.col("arm") == "base")})["n"]
    if shown_later:
        notes.append(
            "A census later in the first school year, and nothing earlier, puts "
            f"{pupils_in_words(shown_later)} in base: their place is taken as begun at the start."
        )
    ready = _ready(made, engine) if made.placed.dated else 0
    if ready:
        notes.append(
            f"By the file of placements a review judged {pupils_in_words(ready)} of base ready to "
            "leave it. Of the others it says that they were not, or says nothing."
        )
    types = made.placed.types[["name", "white_paper"]].drop_duplicates()
    if len(types):
        told = [
            f"{row['name']} ({str(row['white_paper']).lower()})"
            for row in types.sort_values("name").to_dict("records")
        ]
        notes.append(
            "Bases in these data, and in brackets the word of the 2026 White Paper: "
            f"{'; '.join(told)}."
        )
    for row in made.placed.agreement.to_dict("records"):
        if row["level"] == "school year" and row["only_first"] + row["only_second"]:
            notes.append(
                f"On which schools host a base in a year, {row['first']} and {row['second']} agree "
                f"{row['both']} times; {row['only_first']} times only {row['first']} names one, "
                f"{row['only_second']} times only {row['second']}."
            )
    return tuple(notes)


def _cautions(made: Assembled, engine: Engine) -> dict[str, frozenset[str]]:
    cautions = {f"{outcome} {wave}": frozenset({"pandemic"}) for outcome, wave in made.pandemic}
    if _already_placed(made, engine):
        for contrast, arms in CONTRASTS.items():
            if "base" in arms:
                cautions[contrast] = frozenset({"no_pre_placement_baseline"})
    return cautions
