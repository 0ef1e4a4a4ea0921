"""One ladder of invariance: two arms at a wave, or across waves."""

from __future__ import annotations

import pandas as pd

from baseeval.cohort.keys import ARM, PUPIL, WAVE
from baseeval.errors import EstimationError
from baseeval.measures.comparability import check_invariance
from baseeval.numerics.invariance import Rules
from baseeval.numerics.invariance_model import STEPS
from baseeval.plan import OutcomeSection

_NUMBERS = ("chi2", "df", "p_value", "cfi", "rmsea", "srmr", "d_cfi", "d_rmsea")
LADDER_COLUMNS = ["outcome", "wave", "groups", "step", *_NUMBERS, "verdict", "why"]

_RULES = Rules()
_ALIKE = "an item does not vary in one of the groups, or items repeat one another"
_SHORT = "a factor needs three items"
_LEAST_ITEMS = 3
_FEW_WAVES = f"fewer than two waves with {_RULES.least_cases} complete cases in each group"


def ladder_of(
    answers: pd.DataFrame, outcome: OutcomeSection, arms: tuple[str, ...], waves: tuple[str, ...]
) -> pd.DataFrame:
    """Climb the ladder for some arms at one wave, or across several.

    Parameters
    ----------
    answers : pandas.DataFrame
        From `answers_of`.
    outcome : OutcomeSection
    arms : tuple of str
        Two, or one across waves.
    waves : tuple of str
        Of several, those enter at which each arm has enough complete cases.

    Returns
    -------
    pandas.DataFrame
        The columns of `LADDER_COLUMNS`, one row a step. `why` holds no count of pupils.
    """
    mine = answers[answers[ARM].isin(arms) & answers[WAVE].isin(waves)]
    used = waves if len(waves) == 1 else _full_waves(mine, outcome, arms, waves)
    if len(outcome.items) < _LEAST_ITEMS:
        steps = _unknown(_SHORT)
    elif len(waves) > 1 and len(used) < 2:
        steps = _unknown(_FEW_WAVES)
    else:
        steps = _steps(mine[mine[WAVE].isin(used)], outcome, arms, used)
    named = {"outcome": outcome.name, "wave": "; ".join(used or waves), "groups": "; ".join(arms)}
    return steps.reindex(columns=LADDER_COLUMNS).assign(**named)


def _full_waves(
    answers: pd.DataFrame, outcome: OutcomeSection, arms: tuple[str, ...], waves: tuple[str, ...]
) -> tuple[str, ...]:
    whole = answers[answers[outcome.items].notna().all(axis=1)]
    cases = whole.groupby([WAVE, ARM]).size()
    return tuple(
        wave
        for wave in waves
        if all(cases.get((wave, arm), 0) >= _RULES.least_cases for arm in arms)
    )


def _steps(
    answers: pd.DataFrame, outcome: OutcomeSection, arms: tuple[str, ...], waves: tuple[str, ...]
) -> pd.DataFrame:
    assert outcome.range is not None
    low, high = outcome.range
    across = len(waves) > 1
    try:
        found = check_invariance(
            answers,
            outcome.items,
            group=ARM if len(arms) > 1 else None,
            wave=WAVE if across else None,
            pupil=PUPIL if across else None,
            reverse=outcome.reverse,
            range=(low, high),
            factors=outcome.factors or None,
            reference=arms[0] if len(arms) > 1 else None,
            rules=_RULES,
        )
    except EstimationError:
        return _unknown(_ALIKE)
    return found.steps[["step", *_NUMBERS, "verdict", "why"]]


def _unknown(why: str) -> pd.DataFrame:
    return pd.DataFrame({"step": STEPS, "verdict": "not assessable", "why": why})
