"""The whole path: from a study file to a folder that may leave."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from baseeval.cohort.building import build_cohort
from baseeval.cohort.describing import describe
from baseeval.cohort.questionnaires import check_questionnaires
from baseeval.cohort.scale_flags import with_cautions
from baseeval.design.describing import describe_target
from baseeval.disclosure.releasing import release
from baseeval.disclosure.screening import screen
from baseeval.effects.respondents import respondents_balance
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DisclosureError, Problem, UsageError
from baseeval.folders import check_free, restricted, swapped_in
from baseeval.introducing import about
from baseeval.keeping import write_designs, write_manifest
from baseeval.pipeline import estimate_all, make_designs
from baseeval.reporting.writing import report
from baseeval.sources.pseudonyms import check_key_apart
from baseeval.study import read_study

_LOG = logging.getLogger("baseeval")

#: The stages of a run, in order.
STAGES = ("check", "cohort", "design", "estimate", "release", "report", "screen")


Progress = Callable[[str], None]


def run(
    study: str | Path,
    out: str | Path | None = None,
    *,
    tables: Mapping[str, Any] | None = None,
    engine: str = "duckdb",
    progress: Progress = lambda _: None,
) -> Path:
    """Run a study from its file to its report.

    Parameters
    ----------
    study : str or pathlib.Path
        The study file.
    out : str or pathlib.Path, optional
        Folder for what may leave; ``output`` beside the study file by default.
        Pupil-level files go to the sibling ``OUT.restricted``.
    tables : mapping, optional
        Frames or open connections in place of files, by the key that names the file
        in [data.files]; ``table`` for a tidy table.
    engine : str
        duckdb.
    progress : callable
        Told the name of each stage of :data:`STAGES` as it begins.

    Returns
    -------
    pathlib.Path
        The output folder.

    Raises
    ------
    PlanError, DataError
        With every fault at once; nothing is written.
    DisclosureError
        The run's own screen found something; nothing is written.
    UsageError
        The output folder holds somebody's files, or the engine is not there.
    """
    if engine != "duckdb":
        raise UsageError(
            Problem(f"engine `{engine}`", "it is reserved for a later version", "Use duckdb.")
        )
    progress("check")
    plan = read_study(study)
    place = Path(out) if out is not None else plan.path.parent / "output"
    check_free(place)
    check_key_apart(plan, place)
    with restricted(place) as private, Engine(private / "spill") as database:
        progress("cohort")
        cohort = build_cohort(plan, database, tables)
        progress("design")
        designs = make_designs(cohort)
        # Who is compared stands written before any outcome is read.
        write_designs(designs, private)
        progress("estimate")
        asked = check_questionnaires(cohort)
        rows = estimate_all(with_cautions(cohort, asked), designs)
        progress("release")
        released = release(
            rows,
            designs.balance,
            cohort.flow,
            describes=describe_target(cohort, designs.made.values()),
            gate=designs.gate,
            respondents=respondents_balance(cohort, designs.made.values()),
            descriptions=describe(cohort),
            missing=cohort.missing,
            attrition=cohort.attrition,
            need_rules=cohort.need_rules,
            movements=cohort.movements,
            ways_out=cohort.ways_out,
            scales=asked.scales,
            items=asked.items,
            invariance=asked.invariance,
            completion=cohort.completion,
            modes=asked.modes,
            benchmarks=cohort.benchmarks,
            about=about(cohort, designs),
            profile=plan.release.profile,
        )
        progress("report")
        with swapped_in(place) as fresh:
            report(released, fresh)
            write_manifest(cohort, fresh)
            progress("screen")
            _last_screen(fresh, plan.release.profile)
        _write_log(private)
    _LOG.info("study %s written", plan.study.name)
    return place


def _last_screen(folder: Path, profile: str) -> None:
    findings = screen(folder, profile)
    if findings:
        raise DisclosureError([Problem(f"{f.file}, {f.where}", f.what, f.remedy) for f in findings])


def _write_log(folder: Path) -> None:
    stamp = datetime.now(UTC).isoformat(timespec="seconds")
    with (folder / "log.txt").open("a", encoding="utf-8") as log:
        log.write(f"{stamp} run finished\n")
