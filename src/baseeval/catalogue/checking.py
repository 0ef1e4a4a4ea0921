"""What must hold of the catalogue's entries beyond their types, every fault at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from baseeval.catalogue.entries import Feature, Outcome, Scale
from baseeval.contracts.bases import OWN
from baseeval.errors import Problem

MEND = "Mend the catalogue's file."


def scale_faults(scales: Collection[Scale], sources: Collection[str]) -> Iterator[Problem]:
    """Yield what is wrong with the keys of scales.

    Parameters
    ----------
    scales : collection of Scale
    sources : collection of str
        Names of those that are known.

    Yields
    ------
    Problem
    """
    for scale in scales:
        for what in (*_scale(scale), *_sources(scale.sources, sources)):
            yield Problem(f"scales.toml, {scale.name}", what, MEND)


def outcome_faults(
    outcomes: Collection[Outcome], scales: Mapping[str, Scale], sources: Collection[str]
) -> Iterator[Problem]:
    """Yield what is wrong with the catalogue of outcomes.

    Parameters
    ----------
    outcomes : collection of Outcome
    scales : mapping of str to Scale
    sources : collection of str

    Yields
    ------
    Problem
    """
    for outcome in outcomes:
        for what in (*_outcome(outcome, scales), *_sources(outcome.sources, sources)):
            yield Problem(f"outcomes.toml, {outcome.name}", what, MEND)


def feature_faults(features: Collection[Feature], sources: Collection[str]) -> Iterator[Problem]:
    """Yield what is wrong with the checklist of features.

    Parameters
    ----------
    features : collection of Feature
    sources : collection of str

    Yields
    ------
    Problem
    """
    for feature in features:
        for what in (*_feature(feature), *_sources(feature.sources, sources)):
            yield Problem(f"features.toml, {feature.name}", what, MEND)


def _sources(cited: tuple[str, ...], known: Collection[str]) -> Iterator[str]:
    yield from (f"the source `{name}` is not known" for name in cited if name not in known)


def _scale(scale: Scale) -> Iterator[str]:
    count = scale.items or 0
    if scale.score == "mean" and (scale.items is None or scale.range is None):
        yield "a scale that is scored here needs `items` and `range`"
    if scale.score != "mean" and (scale.reversed or scale.subscales or scale.range):
        yield f"a scale whose score is {scale.score!r} holds no key"
    for bounds in (scale.range, scale.score_range):
        if bounds is not None and not bounds[0] < bounds[1]:
            yield "a range must be [lowest, highest]"
    groups = {"reversed": scale.reversed, **scale.subscales}
    for name, numbers in groups.items():
        if any(number > count for number in numbers):
            yield f"`{name}` names an item that the scale does not have"
        if len(set(numbers)) < len(numbers):
            yield f"`{name}` names an item twice"
    if scale.columns and len(scale.columns) != count:
        yield "`columns` is not one heading an item"


def _outcome(outcome: Outcome, scales: Mapping[str, Scale]) -> Iterator[str]:
    scale = scales.get(outcome.scale)
    if outcome.scale and scale is None:
        yield f"the scale `{outcome.scale}` is not known"
    if outcome.kind == "scale" and not outcome.scale:
        yield "an outcome of kind 'scale' names its `scale`"
    if scale is not None and (outcome.kind == "scale") == (scale.score == "given"):
        yield "a given score is not of kind 'scale', and a score made here is"
    if outcome.subscale and (scale is None or outcome.subscale not in scale.subscales):
        yield f"the subscale `{outcome.subscale}` is not known"
    from_sessions = outcome.kind == "sessions" or outcome.missed_at_least is not None
    allowed = {"attended", "possible"} if from_sessions else {"column"}
    allowed = set() if outcome.kind == "scale" else allowed
    if set(outcome.columns) - allowed or (from_sessions and not outcome.columns):
        yield f"`columns` are not those of the kind {outcome.kind!r}"
    if outcome.kind != "binary" and (outcome.counts or outcome.missed_at_least is not None):
        yield "only an outcome of kind 'binary' has `counts` or `missed_at_least`"
    if outcome.kind != "ordinal" and outcome.order:
        yield "only an outcome of kind 'ordinal' has `order`"
    if outcome.kind == "binary" and not outcome.unit.startswith("proportion"):
        yield "the unit of an outcome of kind 'binary' begins with `proportion`"


def _feature(feature: Feature) -> Iterator[str]:
    own = {column.name: column.kind for column in OWN}
    if feature.held != (feature.name in own):
        yield "`held` does not say whether the contract `bases` has a column of its own for it"
    elif feature.held:
        if feature.kind != own[feature.name]:
            yield "`kind` is not that of the contract's column"
    elif (feature.kind == "code") != bool(feature.codes):
        yield "a feature of kind 'code' has `codes`, and no other has"
    if (feature.kind == "number") != bool(feature.unit):
        yield "a feature of kind 'number' has a `unit`, and no other has"
    if feature.low is not None and feature.high is not None and not feature.low < feature.high:
        yield "`low` must be less than `high`"
