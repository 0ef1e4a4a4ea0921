"""What the draws of a world give for each number of its file: the measures of make_world_tables.

A measure is a ratio of sums over draws, num / den, whose expectation is zero where the generator
does what docs/methods/worlds.md says. It is worked out from that page's formulas and not with the
generator's functions. "Observed" is the stated number plus the ratio: for a mean that is the mean,
for the coefficient of a logistic or linear part it is what one Newton step from the stated numbers
gives, all else as stated.
"""

from __future__ import annotations

from collections.abc import Iterator

from world_tables.gaps import of_missing
from world_tables.kinds import Measure
from world_tables.people import of_peers, of_pupils, of_schools
from world_tables.placing import of_circumstances, of_placement
from world_tables.records import of_records
from world_tables.scales import of_effects, of_scale

from baseeval.worlds.areas import Area, Recorded
from baseeval.worlds.recipe import WorldRecipe


def measures(recipe: WorldRecipe, area: Area, recorded: Recorded) -> Iterator[Measure]:
    """Yield the measures of one draw, always the same ones for one world."""
    yield from of_schools(recipe, area)
    yield from of_pupils(recipe, area)
    yield from of_peers(recipe, area)
    yield from of_placement(recipe, area)
    yield from of_circumstances(recipe, area)
    for name in recipe.outcomes():
        yield from of_scale(recipe, area, name)
        yield from of_effects(recipe, area, name)
    yield from of_records(recipe, area, recorded)
    yield from of_missing(recipe, area, recorded)
