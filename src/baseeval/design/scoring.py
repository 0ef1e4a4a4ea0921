"""The chance of being in an arm, which weighting, matching and overlap share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from baseeval.design.choices import check_choice
from baseeval.design.column_words import column_words
from baseeval.design.learners import forest_scores, tree_scores
from baseeval.design.sample import DesignSample
from baseeval.design.scores import Scores
from baseeval.design.scores_logit import (
    firth_scores,
    logit_scores,
    one_vs_rest_scores,
    ridge_scores,
    within_between_scores,
)
from baseeval.design.scores_nested import nested_scores
from baseeval.design.scores_school import random_intercept_scores
from baseeval.design.settings import Settings
from baseeval.errors import EstimationError, Problem
from baseeval.numerics.centring import bring_to_size, centre_far_columns
from baseeval.numerics.least_squares import independent_columns
from baseeval.numerics.multinomial import fit_multinomial
from baseeval.results import ARMS

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: How the chances of the arms can be modelled, by name.
MODELS: Mapping[str, Callable[[DesignSample, Settings], Scores]] = MappingProxyType(
    {
        "logit": logit_scores,
        "nested": nested_scores,
        "firth": firth_scores,
        "ridge": ridge_scores,
        "random_intercept": random_intercept_scores,
        "within_between": within_between_scores,
        "one_vs_rest": one_vs_rest_scores,
        "forest": forest_scores,
        "trees": tree_scores,
    }
)

_LEAST = 1e-12
_NUMBERS = {2: "two", 3: "three"}

#: So many covariates are named in a message.
_NAMED = 5


def score(sample: DesignSample, settings: Settings) -> Scores:
    """Fit the chance of each arm given the covariates, as the settings say.

    Parameters
    ----------
    sample : DesignSample
    settings : Settings
        Its `propensity` names one of :data:`MODELS`, or is auto: nested for arms
        of a cohort, else logit (`docs/methods/propensity.md` has what was measured).

    Returns
    -------
    Scores
        Its `separated` says whether chances exist: :func:`usable_score` refuses
        for you where they do not.

    Raises
    ------
    UsageError
        There is no such model, or it cannot serve these arms.
    EstimationError
        The schools do not allow it.
    """
    check_choice("propensity", settings.propensity, ("auto", *MODELS))
    model = auto_model(sample) if settings.propensity == "auto" else settings.propensity
    found = MODELS[model](sample, settings)
    if settings.propensity == "auto" and model == "nested" and found.separated:
        found = _flat_instead(sample, settings, found)
    if found.chances.min() >= _LEAST:
        return found
    # Rounding makes a chance of one, and so another of zero, from log odds beyond 36.
    return replace(found, chances=np.maximum(found.chances, _LEAST))


def _flat_instead(sample: DesignSample, settings: Settings, nested: Scores) -> Scores:
    """Fit one logit to the arms compared, where the nested model breaks on another arm."""
    flat = MODELS["logit"](sample, settings)
    if flat.separated:
        return nested
    note = (
        "The chance of a place in a base has no finite estimate among host schools' pupils: these "
        "arms were scored by one logit instead."
    )
    return replace(flat, notes=(*flat.notes, note))


def usable_score(sample: DesignSample, settings: Settings, method: str) -> Scores:
    """Fit the chances of the arms, refusing where no finite estimate exists.

    Parameters
    ----------
    sample : DesignSample
    settings : Settings
    method : str
        The design that asks, for the message.

    Returns
    -------
    Scores

    Raises
    ------
    UsageError
    EstimationError
        The covariates tell arms apart, with the flag `separation`.
    """
    found = score(sample, settings)
    if found.separated:
        raise EstimationError(_apart(sample, found, method), flag="separation")
    return found


def auto_model(sample: DesignSample) -> str:
    """Return the model that `auto` stands for.

    Parameters
    ----------
    sample : DesignSample

    Returns
    -------
    str
    """
    served = {"base", "host_mainstream"} <= set(sample.arms) <= set(ARMS)
    return "nested" if served or sample.whole is not None else "logit"


def fit_chances(columns: Floats, arm: Ints, arms: int, base: Floats | None = None) -> Floats:
    """Fit a logit to columns as they stand, for looking at overlap where no score was fitted.

    Parameters
    ----------
    columns : ndarray, shape (n, p)
        Without an intercept; all levels of a category are allowed.
    arm : ndarray of int, shape (n,)
    arms : int
    base : ndarray, shape (n,), optional

    Returns
    -------
    ndarray, shape (n, arms)
        Where columns separate arms, chances on the way to zero and one.

    Examples
    --------
    >>> fit_chances(np.zeros((4, 1)), np.array([0, 1, 1, 1]), 2)[0].round(6).tolist()
    [0.25, 0.75]
    """
    x = np.column_stack([np.ones(len(arm)), bring_to_size(columns)])
    x = centre_far_columns(x)[0]
    x = x[:, independent_columns(x)]
    return fit_multinomial(x, arm, base, arms=arms).probability


def _apart(sample: DesignSample, found: Scores, method: str) -> list[Problem]:
    """Say which covariates tell the arms apart, of how many pupils, and what can be done."""
    where = f"design `{method}`, {sample.where}"
    remedies = (
        'Merge rare categories, adjust for fewer covariates, or take the propensity "firth" '
        '(or "ridge"), which stays finite.'
    )
    if not found.separating:
        return [Problem(where, "the fit of the chances of the arms does not settle", remedies)]
    number = _NUMBERS.get(len(sample.arms), "several")
    named = list(dict.fromkeys(column_words(sample, found.separating)))
    if len(named) > _NAMED:
        named[_NAMED:] = [f"and {len(named) - _NAMED} more"]
    rare = [
        f"{arm} has {int(np.sum(sample.arm == position))}"
        for position, arm in enumerate(sample.arms)
        if arm in found.rare
    ]
    counted = f" (of few pupils: {' and '.join(rare)})" if rare else ""
    return [
        Problem(
            where,
            f"the covariates tell the {number} arms apart, so no weight is finite: "
            f"{', '.join(named)} settle the arm of {found.certain} pupils{counted}",
            remedies,
        )
    ]
