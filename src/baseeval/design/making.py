"""Making a design: a method's answer, joined to the rows that it was made for."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from baseeval.design.heavy import heavy_flags
from baseeval.design.requests import check_request
from baseeval.design.sample import DesignSample
from baseeval.design.settings import Settings
from baseeval.design.settings_checks import check_anti_exact, checked_settings
from baseeval.design.spec import Made
from baseeval.errors import EstimationError, Problem
from baseeval.results import Weights, target_of

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_ORDINALS = ("first", "second", "third")


def make_design(sample: DesignSample, method: str, kind: str, settings: Settings) -> Weights:
    """Make a design by a method's specification.

    Parameters
    ----------
    sample : DesignSample
    method : str
    kind : str
        match or weight.
    settings : Settings

    Returns
    -------
    Weights
        Rows of an exact stratum that lacks an arm have weight zero.

    Raises
    ------
    UsageError
        The method is not there, or cannot serve the request.
    EstimationError
        No such design exists on these data.
    """
    settings = checked_settings(sample, settings)
    spec = check_request(sample, method, kind, settings)
    check_anti_exact(sample, spec)
    usable = _usable(sample) if spec.needs_covariates else np.ones(len(sample.arm), dtype=bool)
    given = np.ones_like(usable) if spec.all_rows else usable
    inner = sample if given.all() else sample.select(given)
    if spec.kind == "match":
        inner = inner.without_exact_only()
    made = spec.make(inner, _selected(settings, given))
    if spec.kind == "match":
        # Who is matched with whom is a matter of likeness; how much each counts is the survey's.
        made = replace(made, weights=made.weights * inner.base)
    notes = (*_repeats(sample), *_outside(usable, sample), *made.notes)
    full = _spread(made, given)
    heavy = heavy_flags(full.weights, sample, settings, spec)
    return join_sample(
        sample, replace(full, flags=(*made.flags, *heavy), notes=notes), method, settings
    )


def join_sample(sample: DesignSample, made: Made, method: str, settings: Settings) -> Weights:
    """Join what a method made to the sample that it was made for.

    Parameters
    ----------
    sample : DesignSample
    made : Made
    method : str
    settings : Settings

    Returns
    -------
    Weights
    """
    return Weights(
        weights=made.weights,
        arm=sample.arm,
        covariates=sample.columns,
        names=sample.names,
        method=method,
        estimand=settings.estimand,
        target=_target(sample, settings),
        arms=sample.arms,
        contrast=sample.contrast,
        pupil=sample.pupil,
        school=sample.school,
        base=sample.base,
        propensity=made.propensity,
        pairs=None if made.pairs is None else _pair_table(sample, made.pairs),
        subclass=made.subclass,
        estimation=made.estimation,
        school_factor=np.ones_like(made.weights)
        if made.school_factor is None
        else made.school_factor,
        flags=tuple(dict.fromkeys([*sample.flags, *made.flags])),
        notes=made.notes,
    )


def _target(sample: DesignSample, settings: Settings) -> str:
    focal = sample.arms[settings.focal or 0] if len(sample.arms) > 2 else None
    return target_of(sample.contrast, settings.estimand, focal)


def _usable(sample: DesignSample) -> NDArray[np.bool_]:
    """Return the rows whose exact stratum holds every arm."""
    size = int(sample.strata.max(initial=0)) + 1
    every = np.ones(size, dtype=bool)
    for position in range(len(sample.arms)):
        every &= np.bincount(sample.strata[sample.arm == position], minlength=size) > 0
    usable: NDArray[np.bool_] = every[sample.strata]
    if not usable.any():
        raise EstimationError(
            Problem(
                f"the design, {sample.where}",
                f"no exact stratum, of {size}, holds pupils of every arm",
                "Name fewer `exact` covariates, or merge rare categories.",
            )
        )
    return usable


def _selected(settings: Settings, usable: NDArray[np.bool_]) -> Settings:
    """Keep the rows' own scores in step with the rows."""
    own = settings.distance
    if isinstance(own, str) or usable.all():
        return settings
    scores = np.asarray(own)
    return replace(settings, distance=scores[usable] if len(scores) == len(usable) else scores)


def _spread(made: Made, usable: NDArray[np.bool_]) -> Made:
    """Lay what was made of some rows out over all of them."""
    if usable.all():
        return made
    places = np.flatnonzero(usable)

    def over(values: Floats, empty: float) -> Floats:
        out = np.full((len(usable), *values.shape[1:]), empty)
        out[usable] = values
        return out

    subclass = None
    if made.subclass is not None:
        subclass = np.full(len(usable), -1, dtype=np.intp)
        subclass[usable] = made.subclass
    estimation = made.estimation
    if estimation is not None:
        by_school = estimation.d_school_factor
        estimation = replace(
            estimation,
            scores=over(estimation.scores, 0.0),
            d_weights=over(estimation.d_weights, 0.0),
            d_school_factor=None if by_school is None else over(by_school, 0.0),
        )
    return replace(
        made,
        weights=over(made.weights, 0.0),
        propensity=None if made.propensity is None else over(made.propensity, np.nan),
        pairs=None if made.pairs is None else np.where(made.pairs < 0, -1, places[made.pairs]),
        subclass=subclass,
        estimation=estimation,
        school_factor=None if made.school_factor is None else over(made.school_factor, 1.0),
    )


def _pair_table(sample: DesignSample, pairs: Ints) -> pd.DataFrame:
    ordinals = _ORDINALS[: pairs.shape[1]]
    rows = {f"{name}_row": pairs[:, place] for place, name in enumerate(ordinals)}
    ids = {
        f"{name}_id": np.where(pairs[:, place] < 0, "", sample.pupil[pairs[:, place]])
        for place, name in enumerate(ordinals)
    }
    return pd.DataFrame(rows | ids)


def _outside(usable: NDArray[np.bool_], sample: DesignSample) -> tuple[str, ...]:
    """Say how many rows stand in an exact stratum that lacks an arm."""
    left = [int(np.sum(~usable & (sample.arm == k))) for k in range(len(sample.arms))]
    if not any(left):
        return ()
    counted = ", ".join(f"{n} of {arm}" for n, arm in zip(left, sample.arms, strict=True))
    return (f"Left out, because their exact stratum lacks another arm: {counted}.",)


def _repeats(sample: DesignSample) -> tuple[str, ...]:
    """Say which covariates say nothing, or the same as one before them."""
    notes, seen = [], dict[bytes, str]()
    for place, (covariate, level) in enumerate(sample.names):
        column = sample.columns[:, place]
        if level:
            continue
        if np.ptp(column) == 0:
            notes.append(f"`{covariate}` is the same for every pupil compared: it has no part.")
            continue
        first = seen.setdefault(hashlib.blake2b(column.tobytes()).digest(), covariate)
        if first != covariate:
            notes.append(f"`{covariate}` is the same as `{first}`: it is left out.")
    return tuple(notes)
