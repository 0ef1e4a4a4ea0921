"""The truth over all areas that a world could have drawn, and how closely it is known.

A finite draw of areas gives each effect as a ratio of sums over independent areas, so its Monte
Carlo error follows from how the areas differ (linearisation of a ratio; Cochran 1977, section 6.4).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from baseeval.worlds.areas import draw_area, sum_area
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.streams import Streams
from baseeval.worlds.truth import SUBGROUPS, Gaps, effect_tree

#: Areas that are drawn: at least, at most, and until so many pupils are among them.
_LEAST, _MOST, _PUPILS = 40, 400, 60_000


def population_truth(recipe: WorldRecipe) -> tuple[dict[str, Any], dict[str, Any]]:
    """Estimate the effects over areas like those of a world.

    Parameters
    ----------
    recipe : WorldRecipe

    Returns
    -------
    effects, errors : dict
        Trees of one shape: the effects by the arm at entry, and their Monte Carlo standard
        errors. Both are the same whatever the seed of the world that is told.
    """
    count = min(_MOST, max(_LEAST, -(-_PUPILS // recipe.eligible.count)))
    sums = [_area(recipe, area) for area in range(count)]
    total = sums[0]
    for own in sums[1:]:
        total = total + own

    def points(outcome: str, wave: str) -> float | None:
        return 1.0

    errors = Gaps(total.weight, _errors(sums, total), total.target_weight, {})
    forms = recipe.forms()
    return (
        effect_tree(total, SUBGROUPS, points, forms),
        effect_tree(errors, SUBGROUPS, points, forms),
    )


def _area(recipe: WorldRecipe, area: int) -> Gaps:
    streams = Streams(0, area, "population")
    return sum_area(recipe, draw_area(recipe, recipe.eligible.count, streams))["initial"]


def _errors(sums: list[Gaps], total: Gaps) -> dict[str, Any]:
    """Give the standard error of each ratio, times its weight: what `effect_tree` divides by."""
    areas, weight = len(sums), np.stack([own.weight for own in sums])[..., None]
    whole = np.where(total.weight > 0, total.weight, 1.0)[..., None]
    found = {}
    for name, gap in total.gap.items():
        apart = np.stack([own.gap[name] for own in sums]) - weight * (gap / whole)
        found[name] = np.sqrt((apart**2).sum(axis=0) * areas / (areas - 1))
    return found
