"""The truth of a world, gathered area by area and laid out for `truth.json`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baseeval.worlds.areas import Area, Recorded, draw_area, record_area, sum_area
from baseeval.worlds.meeting import Meeting, meet
from baseeval.worlds.placement import ARMS
from baseeval.worlds.population import population_truth
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.scoring import MIN_ANSWERED
from baseeval.worlds.streams import Streams
from baseeval.worlds.truth import EVERYONE, SUBGROUPS, Gaps, Spread, effect_tree, target_tree

SCHEMA = 2


@dataclass(frozen=True)
class Plot:
    """An area that is to be drawn.

    Attributes
    ----------
    count : int
        Eligible pupils.
    streams : Streams
    """

    count: int
    streams: Streams


@dataclass(frozen=True)
class Tally:
    """What the truth needs of an area.

    Attributes
    ----------
    sums : dict of str to Gaps
        From :func:`baseeval.worlds.areas.sum_area`.
    spreads : dict of (outcome, wave) to Spread
    hosts, schools, pupils, rows : int
    arms, recorded : ndarray of int, shape (3,)
        Eligible pupils by arm, true and recorded.
    least : ndarray, shape (3,)
        Least chance of each arm.
    seen : Meeting
        What its table shows, for the page that shows the world.
    """

    sums: dict[str, Gaps]
    spreads: dict[tuple[str, str], Spread]
    hosts: int
    schools: int
    pupils: int
    rows: int
    arms: NDArray[np.intp]
    recorded: NDArray[np.intp]
    least: NDArray[np.float64]
    seen: Meeting


def draw_plot(recipe: WorldRecipe, plot: Plot) -> tuple[Area, Recorded, Tally]:
    """Draw an area, record it, and take from it what the truth needs.

    Parameters
    ----------
    recipe : WorldRecipe
    plot : Plot

    Returns
    -------
    area : Area
    recorded : Recorded
    tally : Tally
        The same in whatever process the area is drawn.
    """
    area = draw_area(recipe, plot.count, plot.streams)
    recorded = record_area(recipe, area, plot.streams)
    tally = Tally(
        sums=sum_area(recipe, area),
        spreads=recorded.spreads,
        hosts=int(area.schools.hosts.sum()),
        schools=len(area.schools.hosts),
        pupils=len(recorded.everyone.school),
        rows=recorded.table.num_rows,
        arms=np.bincount(area.placed.arm, minlength=len(ARMS)),
        recorded=np.bincount(area.placed.recorded, minlength=len(ARMS)),
        least=area.placed.probability.min(axis=0),
        seen=meet(recipe, recorded.table),
    )
    return area, recorded, tally


class Ledger:
    """Sums over the areas of a world, and the truth that they make.

    Parameters
    ----------
    recipe : WorldRecipe
    seed : int

    Attributes
    ----------
    seen : Meeting or None
        What the tables show; None before an area was counted.
    """

    def __init__(self, recipe: WorldRecipe, seed: int) -> None:
        self._recipe, self._seed = recipe, seed
        self._sums: dict[str, Gaps] = {}
        self._spreads: dict[tuple[str, str], Spread] = {}
        self._areas = self._hosts = self._schools = self._pupils = self._rows = 0
        self._arms: NDArray[np.intp] = np.zeros(len(ARMS), dtype=np.intp)
        self._recorded: NDArray[np.intp] = np.zeros(len(ARMS), dtype=np.intp)
        self._least = np.ones(len(ARMS))
        self.seen: Meeting | None = None

    def draw(self, plot: Plot) -> tuple[Area, Recorded]:
        """Draw an area and count it; nothing of it is kept here.

        Parameters
        ----------
        plot : Plot

        Returns
        -------
        area : Area
        recorded : Recorded
        """
        area, recorded, tally = draw_plot(self._recipe, plot)
        self.add(tally)
        return area, recorded

    def add(self, tally: Tally) -> None:
        """Count an area that was drawn elsewhere; sums depend on the order of areas.

        Parameters
        ----------
        tally : Tally
        """
        for name, own in tally.sums.items():
            self._sums[name] = self._sums[name] + own if name in self._sums else own
        for key, spread in tally.spreads.items():
            self._spreads[key] = self._spreads[key] + spread if key in self._spreads else spread
        self._hosts += tally.hosts
        self._schools += tally.schools
        self._arms += tally.arms
        self._recorded += tally.recorded
        self._least = np.minimum(self._least, tally.least)
        self.seen = tally.seen if self.seen is None else self.seen + tally.seen
        self._areas += 1
        self._pupils += tally.pupils
        self._rows += tally.rows

    def truth(self, population: bool) -> dict[str, Any]:
        """Lay the truth out.

        Parameters
        ----------
        population : bool
            Whether to estimate the effects over all areas like these as well.

        Returns
        -------
        dict
            Plain values that JSON can hold.
        """
        recipe, sums = self._recipe, self._sums
        sds = {key: spread.pooled_sd() for key, spread in self._spreads.items()}

        def raw(outcome: str, wave: str) -> float | None:
            return 1.0

        def in_sd(outcome: str, wave: str) -> float | None:
            return sds[outcome, wave]

        everyone = [EVERYONE]
        effects = {"sample": effect_tree(sums["initial"], SUBGROUPS, raw, recipe.forms())}
        errors = {}
        if population:
            effects["population"], errors["population"] = population_truth(recipe)
        return {
            "schema": SCHEMA,
            "world": recipe.name,
            "seed": self._seed,
            "counts": self._counts(),
            "parameters": recipe.model_dump(),
            "variance_components": self._components(),
            "standardisers": _nested(sds),
            "min_answered": MIN_ANSWERED,
            "smallest_probability": dict(zip(ARMS, self._least.tolist(), strict=True)),
            "effects": effects,
            "mc_error": errors,
            "effects_sd": {"sample": effect_tree(sums["initial"], everyone, in_sd)},
            "effects_by_target": {"sample": target_tree(sums["initial"])},
            "effects_sustained": {"sample": effect_tree(sums["sustained"], everyone, raw)},
            "effects_recorded": {"sample": effect_tree(sums["recorded"], everyone, raw)},
        }

    def _counts(self) -> dict[str, Any]:
        """Count what was drawn, before anyone leaves."""
        eligible = int(self._arms.sum())
        return {
            "areas": self._areas,
            "schools_host": self._hosts,
            "schools_non_host": self._schools - self._hosts,
            "eligible": eligible,
            "peers": self._pupils - eligible,
            "arms": dict(zip(ARMS, self._arms.tolist(), strict=True)),
            "arms_recorded": dict(zip(ARMS, self._recorded.tolist(), strict=True)),
            "rows": self._rows,
        }

    def _components(self) -> dict[str, dict[str, float]]:
        """Give the variances that are not covariates', in SD squared of the outcome's scale."""
        found = {}
        for name in self._recipe.outcomes():
            scale = self._recipe.outcome(name)
            found[name] = {
                "school": scale.school_sd**2,
                "school_by_arm": scale.effect.school_by_arm**2,
                "pupil": scale.pupil_sd**2,
                "wave": scale.wave_sd**2,
            }
        return found


def _nested(sds: dict[tuple[str, str], float | None]) -> dict[str, dict[str, float | None]]:
    tree: dict[str, dict[str, float | None]] = {}
    for (outcome, wave), sd in sds.items():
        tree.setdefault(outcome, {})[wave] = sd
    return tree
