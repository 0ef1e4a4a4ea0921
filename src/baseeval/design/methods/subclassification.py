"""Subclassification: strata along the propensity, every pupil in one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baseeval.design.line_scores import score_to_match
from baseeval.design.sample import DesignSample
from baseeval.design.settings import Settings
from baseeval.design.spec import DesignSpec, Made
from baseeval.design.stratified import design_of_strata
from baseeval.errors import EstimationError, Problem
from baseeval.numerics.subclassification import subclassify

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def match_subclasses(sample: DesignSample, settings: Settings) -> Made:
    """Divide pupils into subclasses at quantiles of the target's propensities.

    Parameters
    ----------
    sample : DesignSample
    settings : Settings

    Returns
    -------
    Made
        Where there are exact strata, each is divided for itself, into as many
        subclasses as its smaller arm can fill.

    Raises
    ------
    EstimationError
        The covariates separate the arms, or an arm is too small.
    """
    score, propensity = score_to_match(sample, settings, "subclass")
    subclass, fewer = _divide(sample, settings, score)
    notes = (f"{fewer} exact strata have fewer subclasses than asked for.",) if fewer else ()
    return design_of_strata(
        sample,
        subclass,
        method="subclass",
        estimand=settings.estimand,
        remedy="Ask for fewer subclasses.",
        propensity=propensity,
        notes=notes,
    )


def _divide(sample: DesignSample, settings: Settings, score: Floats) -> tuple[Ints, int]:
    """Return each row's subclass, -1 for none, and how many exact strata have fewer."""
    target, least = sample.target(settings.estimand), settings.min_per_arm
    strata = np.unique(sample.strata)
    subclass: Ints = np.full(len(score), -1, dtype=np.intp)
    fewer, used = 0, 0
    for stratum in strata:
        inside = np.flatnonzero(sample.strata == stratum)
        treated = sample.treated[inside]
        smaller = int(min(treated.sum(), (~treated).sum()))
        if not smaller:
            continue
        wanted = settings.subclasses
        if len(strata) > 1:
            wanted = min(wanted, max(1, smaller // max(1, least)))
            fewer += wanted < settings.subclasses
        try:
            # One subclass is the stratum itself, however few it holds.
            found = subclassify(
                score[inside], treated, target[inside], wanted, 0 if wanted == 1 else least
            )
        except ValueError as error:
            raise _too_few(sample, settings) from error
        subclass[inside] = used + found
        used += int(found.max()) + 1
    return subclass, fewer


def _too_few(sample: DesignSample, settings: Settings) -> EstimationError:
    counts = np.bincount(sample.arm, minlength=len(sample.arms))
    counted = ", ".join(f"{n} of {arm}" for n, arm in zip(counts, sample.arms, strict=True))
    return EstimationError(
        Problem(
            f"design `subclass`, {sample.where}",
            f"{counted} cannot fill {settings.subclasses} subclasses with at least "
            f"{settings.min_per_arm} of each",
            "Ask for fewer `subclasses`, or a smaller `min_per_arm`.",
        )
    )


SPEC = DesignSpec(
    name="subclass",
    kind="match",
    summary="Divides all pupils into subclasses along the propensity, weighted to the target",
    words="comparing pupils within bands of those who were about equally likely to be in the "
    "first group",
    estimands=("ATT", "ATC", "ATE"),
    make=match_subclasses,
    all_rows=True,
    source="Rosenbaum and Rubin (1984), doi:10.1080/01621459.1984.10478078; weights of Hong "
    "(2010), doi:10.3102/1076998609359785; rules as MatchIt 4.7.2",
    settings=("distance", "subclasses", "min_per_arm", "propensity"),
)
