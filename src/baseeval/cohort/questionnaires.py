"""Whether each questionnaire can be trusted: it agrees with itself, and means the same in two arms.

Reads outcomes, so it comes after the design. Nothing here changes an estimate or a verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from baseeval.cohort.answering import MODE
from baseeval.cohort.building import Cohort
from baseeval.cohort.completing import count_modes
from baseeval.cohort.keys import ALL, ARM, SCHOOL, WAVE
from baseeval.cohort.ladders import LADDER_COLUMNS, ladder_of
from baseeval.cohort.responding import answers_of, read_answers
from baseeval.measures.agreement import describe_reliability
from baseeval.measures.trust import LEAST_SCHOOLS
from baseeval.plan import OutcomeSection
from baseeval.results import CONTRASTS

_AGREEMENT = ("alpha", "alpha_low", "alpha_high", "omega", "omega_low", "omega_high")
_SCALES = ["outcome", "wave", "arm", "items", "pupils", *_AGREEMENT, "one_factor_cfi", "note"]
_SCALES += ["schools", "respondents"]
_ITEMS = ["outcome", "wave", "arm", "item", "pupils", "missing", "mean", "sd", "item_rest"]
_ITEMS += ["unlike", "fewest"]
_MODES = ["outcome", "wave", "arm", "mode", "pupils"]

#: Notes say no number: counts of pupils stand in columns, which are protected.
_NOT_ESTIMATED = "not estimated: too few answered every item, or an item does not vary"
_NO_OMEGA = "omega not estimated: one factor could not be fitted"
_BY_ROW = "intervals take pupils of a school as independent: fewer than ten schools"


@dataclass(frozen=True, slots=True)
class Questionnaires:
    """What is known of the scales of a study, before disclosure control.

    Parameters
    ----------
    scales : pandas.DataFrame
        ``outcome, wave, arm, items, pupils`` (with every item), ``alpha, omega`` each with
        ``_low, _high``, ``one_factor_cfi, note``; and for disclosure control ``schools``,
        ``respondents`` (with any item).
    items : pandas.DataFrame
        ``outcome, wave, arm, item, pupils, missing, mean, sd, item_rest``, of the respondents;
        and for disclosure control ``unlike`` and ``fewest`` as in `Reliability`.
    invariance : pandas.DataFrame
        One row a step of a ladder: ``outcome, wave, groups, step, chi2, df, p_value, cfi,
        rmsea, srmr, d_cfi, d_rmsea, verdict, why``. Waves and arms are joined by ``; ``.
    modes : pandas.DataFrame
        ``outcome, wave, arm, mode, pupils``: of those with a score, where the data say it.
    """

    scales: pd.DataFrame
    items: pd.DataFrame
    invariance: pd.DataFrame
    modes: pd.DataFrame


def check_questionnaires(cohort: Cohort) -> Questionnaires:
    """Check every scale of a cohort by arm and wave.

    Parameters
    ----------
    cohort : Cohort

    Returns
    -------
    Questionnaires
        Empty tables where the plan has no scale.
    """
    scales: list[pd.DataFrame] = []
    items: list[pd.DataFrame] = []
    ladders: list[pd.DataFrame] = []
    modes: list[pd.DataFrame] = []
    if cohort.answers is not None:
        table = read_answers(cohort.answers, cohort.engine)
        for outcome in cohort.plan.outcomes:
            if outcome.kind != "scale":
                continue
            answers = answers_of(table, outcome, cohort.plan)
            for wave in cohort.waves:
                at = answers[answers[WAVE] == wave]
                if len(at):
                    found, described = _agreement(at, outcome)
                    scales.append(found.assign(outcome=outcome.name, wave=wave))
                    items.append(described.assign(outcome=outcome.name, wave=wave))
            ladders += _ladders(answers, outcome, cohort)
            if MODE + outcome.name in answers:
                modes.append(count_modes(answers, outcome.name, MODE + outcome.name))
    return Questionnaires(
        _table(scales, _SCALES),
        _table(items, _ITEMS),
        _table(ladders, LADDER_COLUMNS),
        _table(modes, _MODES),
    )


def _table(parts: Sequence[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    if not parts:
        return pd.DataFrame(columns=columns)
    return pd.concat(parts, ignore_index=True)[columns]


def _agreement(answers: pd.DataFrame, outcome: OutcomeSection) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Describe one scale at one wave, by arm."""
    assert outcome.range is not None
    low, high = outcome.range
    found, _ = describe_reliability(
        answers,
        outcome.items,
        group=ARM,
        reverse=outcome.reverse,
        range=(low, high),
        school=SCHOOL,
        least_schools=LEAST_SCHOOLS,
    )
    by_arm = answers.groupby(ARM, sort=True)
    whole = answers[answers[outcome.items].notna().all(axis=1)]
    counted = pd.DataFrame(
        {
            "respondents": by_arm.size(),
            "schools": whole.groupby(ARM)[SCHOOL].nunique(),
        }
    ).fillna({"schools": 0})
    scales = found.scales.rename(columns={"group": "arm", "complete": "pupils"})
    scales = scales.assign(note=[_note(row) for row in scales.to_dict("records")])
    scales = scales.merge(counted, left_on="arm", right_index=True)
    items = found.items.rename(columns={"group": "arm", "n": "pupils"})
    return scales, items


def _note(row: Mapping[object, object]) -> str:
    """Say what is doubtful, in words that hold no count."""
    if pd.isna(row["alpha"]):  # type: ignore[call-overload]
        return _NOT_ESTIMATED
    notes = str(row["note"]).split("; ") if row["note"] else []
    if pd.isna(row["omega"]):  # type: ignore[call-overload]
        notes = [*(part for part in notes if part.startswith("alpha is")), _NO_OMEGA]
    return "; ".join([*notes, *([_BY_ROW] if row["interval_by"] == "row" else [])])


def _ladders(
    answers: pd.DataFrame, outcome: OutcomeSection, cohort: Cohort
) -> Iterator[pd.DataFrame]:
    """Climb the ladder for every two arms, at each wave and across waves."""
    pairs = [pair for pair in CONTRASTS.values() if set(pair) <= set(answers[ARM])]
    waves = [wave for wave in cohort.waves if wave in set(answers[WAVE])]
    for wave in waves:
        at = answers[answers[WAVE] == wave]
        yield from (
            ladder_of(at, outcome, pair, (wave,)) for pair in pairs if set(pair) <= set(at[ARM])
        )
    moving = cohort.plan.placement is not None and cohort.plan.placement.movers == "time_varying"
    alone = [(ALL,)] if set(answers[ARM]) == {ALL} else []
    if not moving and len(waves) > 1:
        yield from (ladder_of(answers, outcome, arms, tuple(waves)) for arms in [*pairs, *alone])
