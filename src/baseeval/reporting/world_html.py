"""Meet this world: one page with its causes, its pupils, its truth and its dials."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from baseeval.reporting.amounts import number_of
from baseeval.reporting.filling import filled
from baseeval.reporting.sheet import Sheet
from baseeval.reporting.world_diagram import causal_diagram
from baseeval.reporting.world_dials import dials
from baseeval.reporting.world_figures import distributions
from baseeval.reporting.world_truth import exactly_zero, truth_sheets
from baseeval.reporting.world_words import CAUSES, OUTCOMES
from baseeval.worlds.arrows import UNSEEN, Arrow, arrows
from baseeval.worlds.meeting import Meeting
from baseeval.worlds.recipe import WorldRecipe


def world_page(recipe: WorldRecipe, truth: dict[str, Any], seen: Meeting) -> str:
    """Return the page of a world: self-contained, and the same for the same inputs.

    Parameters
    ----------
    recipe : WorldRecipe
    truth : dict
        As `truth.json` holds it, of the same draw.
    seen : Meeting
        Its pupils, counted by :func:`baseeval.worlds.meeting.meet` and added up over areas.

    Returns
    -------
    str
        HTML: no script, and nothing asked of a network.
    """
    found = arrows(recipe)
    return filled(
        "world.html.j2",
        drawn=Markup,
        recipe=recipe,
        seed=truth["seed"],
        size=_size(truth),
        arms=_arms(truth),
        warnings=_warnings(found, exactly_zero(truth)),
        diagram=causal_diagram(found, "causes"),
        causes=_causes(found),
        distributions=distributions(seen),
        sample=truth_sheets(truth, "sample"),
        population=truth_sheets(truth, "population"),
        dials=_dials(recipe),
    )


def _size(truth: dict[str, Any]) -> str:
    counts = truth["counts"]
    areas = number_of(counts["areas"], "area", "areas")
    hosts = number_of(counts["schools_host"], "school", "schools")
    peers = f", and as many matched peers ({counts['peers']:,})" if counts["peers"] else ""
    return (
        f"This draw has {areas} with {hosts} that host a base and "
        f"{counts['schools_non_host']:,} that do not, and "
        f"{number_of(counts['eligible'], 'eligible pupil', 'eligible pupils')}{peers}."
    )


def _arms(truth: dict[str, Any]) -> str:
    arms, least = truth["counts"]["arms"], truth["smallest_probability"]
    chance = min(least.values())
    rare = "under 1 in 1,000" if chance < 0.001 else f"{chance:.3f}"
    return (
        f"{arms['base']:,} pupils are in a base, {arms['host_mainstream']:,} in the mainstream of "
        f"a school with a base, and {arms['non_host']:,} in a school without one. The least "
        f"chance that any of them had of any of these is {rare}."
    )


def _warnings(found: list[Arrow], null: bool) -> list[str]:
    """Say what this world holds in store for those who study it."""
    pairs = {(arrow.cause, arrow.effect) for arrow in found}
    told = []
    if null:
        told.append("No arm does anything here: every true effect is exactly zero.")
    if ("severity", "placement") in pairs and _moves("severity", pairs):
        told.append(
            "Severity decides on places and moves outcomes, and no table shows it: no method can "
            "adjust for it."
        )
    if ("quality", "hosting") in pairs and _moves("quality", pairs):
        told.append(
            "Schools that host differ in a quality that moves outcomes, and no table shows it: "
            "nothing can adjust a comparison with schools without a base for it."
        )
    if not told:
        told.append(
            "Nothing that decides on an arm is hidden: a method that adjusts for what the tables "
            "show can recover the truth."
        )
    return told


def _moves(cause: str, pairs: set[tuple[str, str]]) -> bool:
    return any((cause, outcome) in pairs for outcome in OUTCOMES)


def _causes(found: list[Arrow]) -> Sheet:
    words = CAUSES | OUTCOMES
    rows = tuple(
        (
            CAUSES[arrow.cause] + (" (in no table)" if arrow.cause in UNSEEN else ""),
            words[arrow.effect],
            "; ".join(
                f"{key} = {size:g}".replace("= -", "= −")
                for key, size in zip(arrow.keys, arrow.sizes, strict=True)
            ),
        )
        for arrow in found
    )
    return Sheet("Every arrow", ("Cause", "Acts on", "Numbers of the world file"), rows)


def _dials(recipe: WorldRecipe) -> Sheet:
    rows = tuple((dial.name, dial.does, dial.leaves) for dial in dials(recipe))
    heads = ("Dial", "What it does here", "Truths that are the same without it")
    return Sheet("Dials that are on", heads, rows)
