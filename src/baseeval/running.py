"""The whole path: from a study file to a folder that may leave."""

from __future__ import annotations

import hashlib
import json
import logging
import platform
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from baseeval.cohort.building import Cohort, build_cohort
from baseeval.cohort.describing import describe
from baseeval.cohort.questionnaires import check_questionnaires
from baseeval.cohort.scale_flags import with_cautions
from baseeval.disclosure.released import About, EligibilityAbout, OutcomeAbout, PlacementAbout
from baseeval.disclosure.releasing import release
from baseeval.disclosure.screening import screen
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DisclosureError, Problem, UsageError
from baseeval.folders import MANIFEST, check_free, restricted, swapped_in
from baseeval.measures.kinds import note_of, unit_of
from baseeval.pipeline import Designs, estimate_all, make_designs
from baseeval.plan import FileSection, Plan
from baseeval.reporting.writing import report
from baseeval.results import CONTRASTS
from baseeval.sources.pseudonyms import check_key_apart
from baseeval.study import read_study

_LOG = logging.getLogger("baseeval")

#: The stages of a run, in order.
STAGES = ("check", "cohort", "design", "estimate", "release", "report", "screen")

#: Packages whose versions can change a number or a byte.
_VERSIONED = ("baseeval", "numpy", "scipy", "pandas", "pyarrow", "duckdb", "narwhals", "matplotlib")

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
        progress("estimate")
        asked = check_questionnaires(cohort)
        rows = estimate_all(with_cautions(cohort, asked), designs)
        progress("release")
        released = release(
            rows,
            designs.balance,
            cohort.flow,
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
            _write_manifest(cohort, fresh)
            progress("screen")
            _last_screen(fresh, plan.release.profile)
        _write_private(designs, private)
    _LOG.info("study %s written", plan.study.name)
    return place


def about(cohort: Cohort, designs: Designs) -> About:
    """Gather what a report says of a study besides its numbers.

    Parameters
    ----------
    cohort : Cohort
    designs : Designs

    Returns
    -------
    About
    """
    plan = cohort.plan
    labels = plan.arms.labels() if plan.arms is not None else {}
    failures = [
        f"For {contrast}: {problem}"
        for (contrast, _), error in designs.failed.items()
        for problem in error.problems
    ]
    outcomes = []
    for outcome in plan.outcomes:
        outcomes.append(
            OutcomeAbout(
                name=outcome.name,
                label=outcome.label or outcome.name.replace("_", " "),
                kind=outcome.kind,
                better=outcome.better,
                unit=unit_of(outcome),
                smallest_effect=outcome.smallest_effect,
                smallest_effect_unit=outcome.smallest_effect_unit,
                note=note_of(outcome),
                respondent=cohort.surveyed.respondents.get(outcome.name, "")
                or outcome.respondent
                or "",
                contrasts=tuple(outcome.contrasts),
            )
        )
    return About(
        study=plan.study.name,
        title=plan.study.title,
        question=plan.study.question,
        plan_hash=plan.hash,
        seed=plan.study.seed,
        outcomes=tuple(outcomes),
        arms={arm: tuple(labels[arm]) for arm in labels},
        contrasts_made=cohort.contrasts,
        contrasts_not_made=_not_made(plan, cohort),
        estimand=plan.design.estimand,
        designs=tuple(plan.design.methods or ["none"]),
        models=tuple(plan.analysis.models),
        adjusted=tuple(c.column for c in plan.covariates.adjust),
        exact=tuple(c.column for c in plan.covariates.exact),
        waves=cohort.waves,
        baseline_wave=plan.data.baseline_wave or "",
        has_peers=plan.peers is not None,
        eligibility=_eligibility(plan),
        placement=_placement(plan),
        notes=(*cohort.notes, *_left_out(plan, designs), *failures, *_questions(cohort)),
        inputs=cohort.files,
        versions=_versions(),
    )


def _eligibility(plan: Plan) -> EligibilityAbout | None:
    rules = plan.eligibility
    if rules is None:
        return None
    return EligibilityAbout(
        needs=tuple(rules.needs),
        need_rule=rules.need_rule,
        years=tuple(rules.years),
        phases=tuple(rules.phases),
        ehcp=rules.ehcp,
        time_zero=rules.time_zero if plan.data.source else "",
        date=rules.date,
        first_year=rules.first_year,
        last_year=rules.last_year,
    )


def _placement(plan: Plan) -> PlacementAbout | None:
    rules = plan.placement
    if rules is None:
        return None
    return PlacementAbout(
        source=rules.source,
        types=tuple(rules.types),
        host_at_least=rules.host_at_least,
        hosts_listed=bool(rules.hosts),
        grace_days=rules.grace_days,
        movers=rules.movers,
        comparison=rules.comparison,
        already_placed=rules.already_placed,
    )


def _not_made(plan: Plan, cohort: Cohort) -> dict[str, str]:
    reasons = {}
    for contrast, arms in CONTRASTS.items():
        if contrast in cohort.contrasts:
            continue
        if plan.arms is None:
            reasons[contrast] = "the study names no arms"
            continue
        labels = plan.arms.labels()
        unnamed = [arm for arm in arms if arm not in labels]
        empty = [arm for arm in arms if arm in labels and arm not in cohort.arms]
        parts = [f"the study names no pupils as {arm}" for arm in unnamed]
        parts += [f"no pupil in the data is {arm}" for arm in empty]
        if plan.placement is not None and plan.placement.movers != "at_entry":
            parts.append("arms that are followed over time describe, and compare nobody")
        reasons[contrast] = " and ".join(parts)
    return reasons


def _questions(cohort: Cohort) -> list[str]:
    """Say that something in the data was read otherwise than it stands, and where it is told."""
    if not cohort.faults:
        return []
    kinds = "one kind" if len(cohort.faults) == 1 else f"{len(cohort.faults)} kinds"
    return [
        f"Reading the data raised questions of {kinds}, which stop nothing and may matter: "
        "`baseeval check` lists them for those who hold the data."
    ]


def _left_out(plan: Plan, designs: Designs) -> list[str]:
    """Say which covariates a contrast could not carry for want of schools."""
    asked = [c.column for c in (*plan.covariates.adjust, *plan.covariates.exact)]
    notes = []
    for (contrast, _), weights in designs.made.items():
        held = {name for name, _ in weights.names}
        lost = [name for name in asked if name not in held]
        if lost:
            notes.append(
                f"For {contrast}: {', '.join(lost)} is the same for all pupils of a school, and "
                "too few schools are compared to allow for it."
            )
    return list(dict.fromkeys(notes))


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    return found | {name: version(name) for name in _VERSIONED}


def _write_manifest(cohort: Cohort, folder: Path) -> None:
    """Write what a reader needs to make the same bytes again: no clock, host, user or path."""
    plan = cohort.plan
    files = sorted(path for path in folder.iterdir() if path.is_file())
    manifest = {
        "manifest": 1,
        "study": plan.study.name,
        "plan_hash": plan.hash,
        "seed": plan.study.seed,
        "plan": _shown(plan),
        "inputs": [{"name": name, "sha256": digest} for name, digest in cohort.files],
        "outputs": [
            {"name": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
            for path in files
        ],
        "versions": _versions(),
    }
    text = json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False)
    (folder / MANIFEST).write_text(f"{text}\n", encoding="utf-8", newline="\n")


def _shown(plan: Plan) -> dict[str, Any]:
    """Return the plan with its defaults, less the folders of this machine and a file's own words.

    What a file says for one school, and which schools host, may name schools: the plan's hash
    stands for them.
    """
    keys = plan.model_dump(mode="json", by_alias=True)
    if plan.data.table is not None:
        keys["data"]["table"] = _without_folder(plan.data.table)
    data = keys["data"]
    for key, parts in plan.data.files.items():
        shown = [_file_shown(*pair) for pair in zip(parts, data["files"][key], strict=True)]
        data["files"][key] = shown[0] if len(shown) == 1 else shown
    data["values"] = {
        table: {column: len(words) for column, words in own.items()}
        for table, own in plan.data.values.items()
    }
    if plan.placement is not None:
        keys["placement"]["hosts"] = len(plan.placement.hosts)
    if plan.data.pseudonym_key is not None:
        data["pseudonym_key"] = Path(plan.data.pseudonym_key).name
    if plan.data.base is not None and plan.data.base.list_ is not None:
        data["base"]["list"] = _without_folder(plan.data.base.list_)
    return keys


def _file_shown(section: FileSection, shown: dict[str, Any]) -> str | dict[str, Any]:
    """Return a file as a plan would write it: by its name alone where it has no options."""
    name = _without_folder(section.file)
    said = {"file": name, "set": sorted(section.constants)}
    return {**shown, **said} if section.has_options() else name


def _without_folder(pattern: str) -> str:
    """Take the folders of this machine off a name; one relative to the study file stays."""
    return Path(pattern).name if Path(pattern).is_absolute() else pattern


def _last_screen(folder: Path, profile: str) -> None:
    findings = screen(folder, profile)
    if findings:
        raise DisclosureError([Problem(f"{f.file}, {f.where}", f.what, f.remedy) for f in findings])


def _write_private(designs: Designs, folder: Path) -> None:
    """Keep the pupil-level weights and pairs of this run where only the owner sees them."""
    for pattern in ("weights_*.parquet", "pairs_*.parquet"):
        for old in folder.glob(pattern):
            old.unlink()
    for (contrast, method), weights in designs.made.items():
        table = pd.DataFrame(
            {
                "pupil": weights.pupil,
                "school": weights.school,
                "first": weights.treated,
                "weight": weights.weights,
            }
        )
        table.to_parquet(folder / f"weights_{contrast}_{method}.parquet", index=False)
        if weights.pairs is not None:
            weights.pairs.to_parquet(folder / f"pairs_{contrast}_{method}.parquet", index=False)
    stamp = datetime.now(UTC).isoformat(timespec="seconds")
    with (folder / "log.txt").open("a", encoding="utf-8") as log:
        log.write(f"{stamp} run finished\n")
