"""The causal diagram of a world, as arrows: one for each cause that its numbers leave in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.scales import SUPPORTS, Latent

#: Causes that no table shows.
UNSEEN = ("quality", "severity", "base_quality")

_COVARIATES = ("female", "fsm", "ehcp", "prior", "severity")
_NEEDS = ("adhd", "language", "learning")


@dataclass(frozen=True)
class Arrow:
    """A cause and what it acts on.

    Attributes
    ----------
    cause, effect : str
        ``quality``, ``intake``, ``primary``, ``severity``, ``fsm``, ``need``, ``ehcp``, ``prior``,
        ``push``, ``journey``, ``named``, ``hosting``, ``placement``, ``base_quality``, ``dose``,
        ``crowding``, ``female``, or an outcome's name.
    keys : tuple of str
        Keys of the world file that make the arrow.
    sizes : tuple of float
        Their numbers, none of them zero.
    """

    cause: str
    effect: str
    keys: tuple[str, ...]
    sizes: tuple[float, ...]


def arrows(recipe: WorldRecipe) -> list[Arrow]:
    """List the arrows of a world.

    Parameters
    ----------
    recipe : WorldRecipe

    Returns
    -------
    list of Arrow
        Those whose numbers are not all zero; those into placement first, then by outcome.
    """
    found = [*_into_placement(recipe)]
    differ = any(recipe.quality.model_dump().values())
    for name in recipe.outcomes():
        found += _into_outcome(name, recipe.outcome(name), differ)
    for name in SUPPORTS:
        found += _arrow(name, "belonging", (f"belonging.{name}", getattr(recipe.belonging, name)))
    return found


def _arrow(cause: str, effect: str, *numbers: tuple[str, float]) -> list[Arrow]:
    kept = [(key, size) for key, size in numbers if size]
    keys, sizes = (tuple(part) for part in zip(*kept, strict=True)) if kept else ((), ())
    return [Arrow(cause, effect, keys, sizes)] if kept else []


def _into_placement(recipe: WorldRecipe) -> Iterator[Arrow]:
    host, pupil, entry, place = recipe.hosting, recipe.eligible, recipe.prior, recipe.placement
    choice = recipe.choice
    yield from _arrow("quality", "hosting", ("hosting.quality", host.quality))
    yield from _arrow("intake", "hosting", ("hosting.intake", host.intake))
    if recipe.schools.primary not in (0, 1):
        yield from _arrow("primary", "hosting", ("hosting.primary", host.primary))
    yield from _arrow("intake", "fsm", ("eligible.fsm_intake", pupil.fsm_intake))
    yield from _arrow("severity", "need", ("eligible.need_severity", pupil.need_severity))
    yield from _arrow("severity", "ehcp", ("eligible.ehcp_severity", pupil.ehcp_severity))
    for cause, effect in (
        ("intake", entry.intake),
        ("fsm", entry.fsm),
        ("severity", entry.severity),
    ):
        yield from _arrow(cause, "prior", (f"prior.{cause}", effect))
    yield from _arrow("need", "prior", ("prior.learning", entry.learning))
    pushes = 0 < choice.push < 1
    if pushes:
        yield from _arrow("fsm", "push", ("choice.push_fsm", choice.push_fsm))
        yield from _arrow("push", "hosting", ("choice.moves", choice.moves))
    if place.naming and place.named:
        yield from _arrow("ehcp", "named", ("placement.naming", place.naming))
        yield from _arrow("severity", "named", ("placement.naming_severity", place.naming_severity))
        yield from _arrow("named", "placement", ("placement.named", place.named))
    for cause, size in (("prior", place.prior), ("ehcp", place.ehcp)):
        yield from _arrow(cause, "placement", (f"placement.{cause}", size))
    needs = [(f"placement.{need}", float(getattr(place, need))) for need in _NEEDS]
    yield from _arrow("need", "placement", *needs)
    yield from _arrow("severity", "placement", ("placement.hidden", place.hidden))
    yield from _arrow("journey", "placement", ("placement.distance", place.distance))
    if pushes:
        yield from _arrow("push", "placement", ("placement.push", place.push))
    yield from _arrow("hosting", "placement", ("schools.host", recipe.schools.host))


def _into_outcome(name: str, scale: Latent, differ: bool) -> Iterator[Arrow]:
    effect = scale.effect
    for cause in _COVARIATES:
        yield from _arrow(cause, name, (f"{name}.{cause}", getattr(scale, cause)))
    needs = [(f"{name}.{need}", float(getattr(scale, need))) for need in _NEEDS]
    yield from _arrow("need", name, *needs)
    if scale.school_sd:
        yield from _arrow("quality", name, (f"{name}.school_quality", scale.school_quality))
    yield from _arrow(
        "hosting",
        name,
        (f"{name}.effect.host", effect.host),
        (f"{name}.effect.school_by_arm", effect.school_by_arm),
    )
    yield from _arrow("crowding", name, (f"{name}.effect.crowding", effect.crowding))
    yield from _arrow(
        "placement",
        name,
        (f"{name}.effect.base", effect.base),
        (f"{name}.effect.base_by_prior", effect.base_by_prior),
        (f"{name}.effect.school_by_arm", effect.school_by_arm),
    )
    if effect.base:
        spread = effect.base_quality_spread * differ
        yield from _arrow("base_quality", name, (f"{name}.effect.base_quality_spread", spread))
        yield from _arrow("dose", name, (f"{name}.effect.dose", effect.dose))
