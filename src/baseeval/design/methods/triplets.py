"""Triplets: a pupil of one arm with the most similar pupil of each of the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from baseeval.design.calipers import read_calipers
from baseeval.design.pairing import pairs_to_weights
from baseeval.design.sample import DesignSample
from baseeval.design.scoring import usable_score
from baseeval.design.settings import Settings
from baseeval.design.spec import DesignSpec, Made
from baseeval.design.trimming import rows_kept
from baseeval.errors import EstimationError, Problem
from baseeval.numerics.restrictions import Restrictions
from baseeval.numerics.vector_matching import match_vectors

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: Width of the caliper in standard deviations of the log odds where none is asked for: Austin
#: (2011, doi:10.1002/pst.433).
CALIPER = 0.2


def match_triplets(sample: DesignSample, settings: Settings) -> Made:
    """Match each pupil of the target's arm with one of every other arm.

    Parameters
    ----------
    sample : DesignSample
    settings : Settings

    Returns
    -------
    Made
        Pupils outside the chances that all arms share are left out and the
        chances fitted again to the others. Pupils of the other arms may serve
        several times.

    Raises
    ------
    EstimationError
        The covariates separate arms, the arms share no range, or nobody finds
        one of each arm.
    """
    reference = settings.focal or 0
    first = usable_score(sample, settings, "triplets").chances
    inside = rows_kept(first, sample.arm, sample.base, "common_support")
    notes = _support_notes(sample, inside)
    if len(np.unique(sample.arm[inside])) < len(sample.arms):
        raise EstimationError(
            Problem(
                f"design `triplets`, {sample.where}",
                "the arms have no range of chances in common: " + " ".join(notes),
                "Adjust for fewer covariates, or compare two arms at a time.",
            ),
            flag="no_common_support",
        )
    inner = sample.select(inside)
    chances = usable_score(inner, settings, "triplets").chances
    logits = np.log(chances) - np.log1p(-chances)
    own = logits[:, reference]
    asked = settings if settings.caliper is not None else replace(settings, caliper=CALIPER)
    limits, width = read_calipers(inner, asked, own), np.inf
    # A negative width keeps partners apart, which is for the restrictions to see to.
    if limits and limits[0].values is own and limits[0].width >= 0:
        width, limits = limits[0].width, limits[1:]
    groups = match_vectors(
        logits,
        inner.arm,
        reference,
        width=width,
        clusters=settings.subclasses,
        strata=inner.strata,
        restrictions=Restrictions(limits, inner.anti),
    )
    focal = inner.arm == reference
    if not len(groups):
        raise EstimationError(
            Problem(
                f"design `triplets`, {sample.where}",
                f"none of {int(focal.sum())} of {sample.arms[reference]} has a partner in every "
                "other arm within the caliper",
                "Widen the caliper, ask for fewer `subclasses`, or compare two arms at a time.",
            )
        )
    return _made(sample, inside, chances, groups, reference, notes)


def _made(
    sample: DesignSample,
    inside: NDArray[np.bool_],
    chances: Floats,
    groups: Ints,
    reference: int,
    notes: tuple[str, ...],
) -> Made:
    """Lay what was found among the rows inside out over all rows."""
    places = np.flatnonzero(inside)
    groups = places[groups]
    focal = sample.arm == reference
    weights = np.zeros(len(focal))
    for other in range(groups.shape[1]):
        if other != reference:
            weights += pairs_to_weights(groups[:, [reference, other]], focal) * ~focal
    weights[groups[:, reference]] = 1.0
    propensity = np.full((len(focal), chances.shape[1]), np.nan)
    propensity[inside] = chances
    matched = f"{len(groups)} of {int(focal.sum())} of {sample.arms[reference]} are matched."
    return Made(
        weights=weights,
        propensity=propensity if chances.shape[1] > 2 else propensity[:, 0],
        pairs=groups,
        notes=(*notes, matched),
    )


def _support_notes(sample: DesignSample, inside: NDArray[np.bool_]) -> tuple[str, ...]:
    if inside.all():
        return ()
    counted = ", ".join(
        f"{int(np.sum(~inside & (sample.arm == place)))} of {int(np.sum(sample.arm == place))} "
        f"of {arm}"
        for place, arm in enumerate(sample.arms)
    )
    return (f"Left out, because not every arm has pupils with such chances: {counted}.",)


SPEC = DesignSpec(
    name="triplets",
    kind="match",
    summary="Matches each pupil of one arm with one of every other arm, on the chances of all arms",
    words="each pupil set beside the most similar pupil of each of the other groups",
    estimands=("ATT",),
    estimands_of_several=("ATT",),
    make=match_triplets,
    keeps_apart=True,
    all_rows=True,
    source="Lopez and Gutman (2017), doi:10.1214/17-STS612 (vector matching)",
    settings=("propensity", "caliper", "caliper_unit", "subclasses"),
)
