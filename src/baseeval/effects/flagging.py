"""The cautions of a row that follow from who is in it, before any model is fitted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baseeval.cohort.building import Cohort
from baseeval.effects.occasions import Occasion
from baseeval.numerics.balance import standardiser
from baseeval.results import CONTRASTS, Weights

#: An arm in fewer schools than this is flagged `few_schools`.
FEW_SCHOOLS = 10
#: Largest mean difference after weighting, and where only the model adjusts (WWC 4.1).
IMBALANCE_WEIGHTED, IMBALANCE_MODELLED = 0.10, 0.25
#: Share of an arm missing from a row, and its difference between arms, that are flagged.
MISSING_LIMIT, MISSING_DIFFERENCE = 0.20, 0.10


def flags_of_rows(
    cohort: Cohort,
    design: Weights,
    time: Occasion,
    known: NDArray[np.bool_],
    used: NDArray[np.bool_],
) -> list[str]:
    """Return the flags that a row carries whatever its model.

    Parameters
    ----------
    cohort : Cohort
    design : Weights
    time : Occasion
        A change has its baseline within it.
    known : ndarray of bool, shape (n,)
        Rows of the design that have the outcome.
    used : ndarray of bool, shape (n,)
        Those of them with a positive weight.

    Returns
    -------
    list of str
        Codes of `baseeval.results.FLAGS`.
    """
    flags = list(design.flags)
    if _missing_much(cohort, design, known):
        flags.append("high_missing")
    if not design.names:
        flags.append("nothing_adjusted")
    if time.form != "change" and not (design.names and _has_earlier_measure(cohort)):
        flags.append("no_pre_placement_baseline")
    adjusted = (*cohort.plan.covariates.adjust, *cohort.plan.covariates.exact)
    if any(covariate.after_placement for covariate in adjusted):
        flags.append("post_placement_covariate")
    if time.outcome.comparable == "within_school":
        flags.append("scale_within_school")
    asked = f"{time.outcome.name} {time.form} {time.wave} {design.contrast}"
    for what in (design.contrast, f"{time.outcome.name} {time.wave}", asked):
        flags += sorted(cohort.cautions.get(what, frozenset()) - set(flags))
    schools = [len(set(design.school[used & arm])) for arm in (design.treated, ~design.treated)]
    if min(schools) < FEW_SCHOOLS:
        flags.append("few_schools")
    if min(schools) == 1:
        flags.append("one_school")
    if min(schools) > 0 and _imbalanced(design, used):
        flags.append("imbalance")
    return flags


def _missing_much(cohort: Cohort, design: Weights, known: NDArray[np.bool_]) -> bool:
    shares = [
        1 - int(np.sum(known & group)) / cohort.sizes[arm]
        for arm, group in zip(
            CONTRASTS[design.contrast], (design.treated, ~design.treated), strict=True
        )
    ]
    return max(shares) > MISSING_LIMIT or abs(shares[0] - shares[1]) > MISSING_DIFFERENCE


def _has_earlier_measure(cohort: Cohort) -> bool:
    """Return whether the plan says of anything adjusted for that it came before placement."""
    section = cohort.plan.covariates
    dated = any(c.date or c.wave for c in (*section.adjust, *section.exact))
    return dated or cohort.plan.data.baseline_wave is not None


def _imbalanced(design: Weights, used: NDArray[np.bool_]) -> bool:
    limit = IMBALANCE_MODELLED if design.method == "none" else IMBALANCE_WEIGHTED
    first, weights = design.treated, np.where(used, design.weights, 0.0)
    for position in range(design.covariates.shape[1]):
        column = design.covariates[:, position]
        one = np.average(column[first], weights=weights[first])
        two = np.average(column[~first], weights=weights[~first])
        if abs(one - two) > limit * standardiser(column, first, design.estimand) + 1e-12:
            return True
    return False
