"""The only way out: exact tables in, tables that may leave out."""

from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd

from baseeval.design.gate import Judged
from baseeval.disclosure import shapes
from baseeval.disclosure.attritions import release_attrition
from baseeval.disclosure.balances import release_balance
from baseeval.disclosure.chances import release_propensity
from baseeval.disclosure.describing import release_descriptions
from baseeval.disclosure.eligibles import release_need_rules
from baseeval.disclosure.estimates import few_schools, release_results
from baseeval.disclosure.flows import Record, release_flow
from baseeval.disclosure.gates import release_gate, release_respondents
from baseeval.disclosure.known import known_of
from baseeval.disclosure.left_out import leaving_few_out
from baseeval.disclosure.missingness import release_missing
from baseeval.disclosure.movements import every_movement, release_movements
from baseeval.disclosure.overlaps import SIDES
from baseeval.disclosure.profiles import Profile, get_profile
from baseeval.disclosure.published import published_figures
from baseeval.disclosure.questionnaires import release_questionnaires
from baseeval.disclosure.released import About, Released
from baseeval.disclosure.rounding import round_count
from baseeval.disclosure.targets import release_describes
from baseeval.disclosure.together import Counted, protect_together
from baseeval.disclosure.ways_out import release_ways_out
from baseeval.results import Balance, Flow

_COUNTED = re.compile(r"(?<![\d.,])(\d[\d,]*)(?= (?:\w+ ){0,2}(?:pupil|child|student|row|peer))")
#: A noun in the singular after a count that was made coarser.
_SINGULAR = re.compile(r"((?:fewer than \d+|\b\d+) (?:\w+ ){0,2}(?:pupil|student|row|peer))(?!s)\b")
#: That an arm has nobody of a level is a count of none.
_NOBODY = re.compile(r"^No pupil of [\w ]+ has (\w+) = [^:]*:")
_OF_WAYS_OUT = dict.fromkeys(("pupils", "std_error", "schools_at_risk", "clusters"), "count")
_INTERNAL = dict.fromkeys([f"{what}_{side}" for what in ("n", "count") for side in SIDES], "count")
_OF_PROPENSITY = {"low": "number", "high": "number"} | dict.fromkeys(
    ("schools", "counting_before", "counting_after"), "count"
)
_OF_DESCRIBES = dict.fromkeys(
    [f"{what}_{who}" for what in ("n", "count") for who in ("described", "base", "left_out")]
    + ["schools_described", "schools_base", "fewest_left_out"],
    "count",
)


def release(
    rows: pd.DataFrame,
    balance: Balance | None = None,
    flow: Flow | None = None,
    *,
    describes: pd.DataFrame | None = None,
    gate: Judged | None = None,
    respondents: pd.DataFrame | None = None,
    descriptions: pd.DataFrame | None = None,
    missing: pd.DataFrame | None = None,
    attrition: pd.DataFrame | None = None,
    need_rules: pd.DataFrame | None = None,
    movements: pd.DataFrame | None = None,
    ways_out: pd.DataFrame | None = None,
    scales: pd.DataFrame | None = None,
    items: pd.DataFrame | None = None,
    invariance: pd.DataFrame | None = None,
    completion: pd.DataFrame | None = None,
    modes: pd.DataFrame | None = None,
    benchmarks: pd.DataFrame | None = None,
    about: About | None = None,
    profile: str = "srs",
) -> Released:
    """Apply a profile's rules to a study's tables.

    Parameters
    ----------
    rows : pandas.DataFrame
        The results table with exact counts. The further columns of
        `baseeval.results.INTERNAL_COLUMNS` let the limits on residual degrees
        of freedom, on the few who are unlike most and on bounds be applied.
    balance : Balance, optional
        With `n_first, n_second` and, for levels of a category, `count_first,
        count_second` in its table; without `rows_first, rows_second` nothing
        after a design leaves.
    flow : Flow, optional
        With exact counts; rows without a reason count who remains.
    describes : pandas.DataFrame, optional
        From `baseeval.design.describing.describe_target`.
    gate : Judged, optional
        From `baseeval.design.gate.judge_designs`.
    respondents : pandas.DataFrame, optional
        From `baseeval.effects.respondents.respondents_balance`.
    descriptions, missing, attrition, need_rules, movements : pandas.DataFrame, optional
        The columns of `Released` but for `status`, with exact counts.
    ways_out : pandas.DataFrame, optional
        As `baseeval.cohort.leaving.count_ways_out` makes it.
    scales, items, invariance, completion, modes : pandas.DataFrame, optional
        Likewise, as `baseeval.cohort` makes them: with the further columns that
        disclosure control reads and no released table shows.
    benchmarks : pandas.DataFrame, optional
        Published figures, which pass as they are.
    about : About, optional
        Counts of pupils and rows in its notes are withheld or rounded as well.
    profile : str
        srs, ees or trust.

    Returns
    -------
    Released
        `docs/disclosure.md` states every rule.

    Raises
    ------
    UsageError
        If the profile is not known, a table lacks a column, or a published figure its
        source or date.
    """
    rules = get_profile(profile)
    results = release_results(shapes.records_of(rows, shapes.RESULTS, "rows"), rules)
    compared = shapes.records_of(
        None if balance is None else balance.table,
        {**shapes.BALANCE_GIVEN, **_INTERNAL},
        "balance",
    )
    judged, overlap = release_balance(
        compared,
        shapes.records_of(
            None if balance is None else balance.overlap, shapes.OVERLAP_GIVEN, "overlap"
        ),
        rules,
    )
    chances = release_propensity(_propensity_records(balance), overlap, rules)
    told_of = leaving_few_out(compared, rules)
    aimed = release_describes(_describes_records(describes), overlap, told_of, rules)
    found = [] if gate is None else release_gate(gate, overlap, rules)
    answered = release_respondents(
        shapes.records_of(
            respondents, {**shapes.RESPONDENTS, "fewest_at_largest": "number"}, "respondents"
        ),
        results,
        told_of,
        rules,
    )
    steps = shapes.records_of(None if flow is None else flow.table, shapes.FLOW, "flow")
    described = shapes.records_of(descriptions, shapes.DESCRIPTIONS, "descriptions")
    absent = shapes.records_of(missing, shapes.MISSING, "missing")
    counted = Counted(
        flow=steps,
        attrition=shapes.records_of(attrition, shapes.ATTRITION, "attrition"),
        need_rules=shapes.records_of(need_rules, shapes.NEED_RULES, "need_rules"),
        movements=every_movement(shapes.records_of(movements, shapes.MOVEMENTS, "movements")),
    )
    walked = release_flow(steps, rules)
    gone, arms_gone = protect_together(counted, walked, rules)
    lost = release_attrition(counted.attrition, gone, rules, arms_gone)
    moved = release_movements(counted.movements, gone, rules)
    needed = release_need_rules(counted.need_rules, gone, rules)
    told = release_descriptions(described, rules)
    lone = {shapes.text(step["arm"]) for step in steps if _of_one_school(step)}
    lacking = release_missing(absent, rules, frozenset(lone))
    asked = release_questionnaires(
        {
            "scales": scales,
            "items": items,
            "invariance": invariance,
            "completion": completion,
            "modes": modes,
        },
        known_of((steps, walked), (described, told), (absent, lacking)),
        rules,
    )
    study = shapes.text(rows["study"].iloc[0]) if len(rows) else ""
    return Released(
        profile=rules.name,
        results=shapes.shaped(results, shapes.RESULTS),
        balance=shapes.shaped(judged, shapes.BALANCE),
        overlap=shapes.shaped(overlap, shapes.OVERLAP),
        propensity=shapes.shaped(chances, shapes.PROPENSITY),
        describes=shapes.shaped(aimed, shapes.DESCRIBES),
        gate=shapes.shaped(found, shapes.GATE),
        respondents=shapes.shaped(answered, shapes.RESPONDENTS),
        flow=shapes.shaped(walked, shapes.FLOW),
        descriptions=shapes.shaped(told, shapes.DESCRIPTIONS),
        missing=shapes.shaped(lacking, shapes.MISSING),
        attrition=shapes.shaped(lost, shapes.ATTRITION),
        need_rules=shapes.shaped(needed, shapes.NEED_RULES),
        movements=shapes.shaped(moved, shapes.MOVEMENTS),
        ways_out=shapes.shaped(
            release_ways_out(_ways_out_records(ways_out), steps, walked, rules), shapes.WAYS_OUT
        ),
        **asked,
        benchmarks=published_figures(benchmarks),
        about=_released_about(about or About(study=study, title=study), rules),
    )


def _propensity_records(balance: Balance | None) -> list[Record]:
    """Read how arms lie over the chance of being in one, where a design has that."""
    table = None if balance is None else balance.propensity
    if table is None or not len(table):
        return []
    given = {k: v for k, v in shapes.PROPENSITY.items() if not k.startswith("chance_")}
    return shapes.records_of(table, {**given, **_OF_PROPENSITY}, "propensity")


def _describes_records(table: pd.DataFrame | None) -> list[Record]:
    return shapes.records_of(table, {**shapes.DESCRIBES, **_OF_DESCRIBES}, "describes")


def _ways_out_records(table: pd.DataFrame | None) -> list[dict[str, object]]:
    """Read the exact table, which has no interval but what one is made of."""
    given = {k: v for k, v in shapes.WAYS_OUT.items() if k not in ("share_low", "share_high")}
    return shapes.records_of(table, {**given, **_OF_WAYS_OUT}, "ways_out")


def _of_one_school(step: Record) -> bool:
    """Tell whether a step of the flow that counts who remains rests on one school."""
    return not shapes.text(step["reason"]) and few_schools(step["schools"])


def _released_about(about: About, profile: Profile) -> About:
    """Treat counts in sentences as counts in tables."""
    return replace(
        about,
        notes=tuple(_released_sentence(note, profile) for note in about.notes),
        contrasts_not_made={
            contrast: _released_sentence(reason, profile)
            for contrast, reason in about.contrasts_not_made.items()
        },
    )


def _released_sentence(sentence: str, profile: Profile) -> str:
    def coarser(found: re.Match[str]) -> str:
        count = int(found[1].replace(",", ""))
        if profile.is_small(count):
            return f"fewer than {profile.threshold}"
        return str(round_count(count, profile.base))

    if profile.zeros_disclosive:
        sentence = _NOBODY.sub(r"Some arm has nobody with one of the levels of \1:", sentence)
    # "fewer than 10 pupil" would tell that it is one.
    return _SINGULAR.sub(r"\1s", _COUNTED.sub(coarser, sentence))
