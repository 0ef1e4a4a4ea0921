"""What a report says of a study besides its numbers."""

from __future__ import annotations

from baseeval.cohort.building import Cohort
from baseeval.disclosure.released import (
    About,
    EligibilityAbout,
    GateAbout,
    OutcomeAbout,
    PlacementAbout,
)
from baseeval.keeping import versions
from baseeval.measures.kinds import note_of, unit_of
from baseeval.pipeline import Designs
from baseeval.plan import Plan
from baseeval.results import CONTRASTS, FLAGS


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
    # What a design's own message counts stays in the private folder.
    failures = [
        f"For {contrast}, `{method}`: {FLAGS[error.flag]}. Those who hold the data find more in "
        "the run's own notes (designs/notes.txt of its private folder)."
        for (contrast, method), error in designs.failed.items()
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
        target=plan.design.target,
        focal=plan.design.focal or "",
        designs=tuple(plan.design.methods or ["none"]),
        models=tuple(plan.analysis.models),
        adjusted=tuple(c.column for c in plan.covariates.adjust),
        exact=tuple(c.column for c in plan.covariates.exact),
        waves=cohort.waves,
        baseline_wave=plan.data.baseline_wave or "",
        has_peers=plan.peers is not None,
        eligibility=_eligibility(plan),
        placement=_placement(plan),
        gate=_gate(plan),
        notes=(*cohort.notes, *_left_out(plan, designs), *failures, *_questions(cohort)),
        inputs=cohort.files,
        versions=versions(),
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


def _gate(plan: Plan) -> GateAbout | None:
    gate = plan.gate
    if gate is None:
        return None
    return GateAbout(
        thresholds=gate.thresholds(),
        icc=gate.icc,
        power=gate.power,
        show_failed=gate.show_failed,
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
