"""The section that says what a comparison must show before any outcome is read."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from baseeval.plan.basics import Section

#: What a gate can ask, in the order in which it is told.
GATE_RULES = (
    "largest_smd",
    "overlap",
    "schools_per_arm",
    "effective_size",
    "smallest_detectable_effect",
)

Share = Annotated[float, Field(ge=0, lt=1)]
Chance = Annotated[float, Field(gt=0, lt=1)]


class GateSection(Section):
    """What a comparison must show before any outcome is read.

    Attributes
    ----------
    largest_smd : float, optional
        Largest standardised difference that a covariate may keep after the design.
    overlap : float, optional
        Largest share of the target that may have nobody alike in the other arm.
    schools_per_arm : int, optional
        Fewest schools of an arm.
    effective_size : float, optional
        Smallest effective number of pupils of an arm.
    smallest_detectable_effect : float, optional
        Largest that it may be, in standard deviations.
    icc, r2_pupil, r2_school, effect_variance, alpha, power : float
        What the smallest detectable effect assumes: see `baseeval.numerics.detectable`.
    show_failed : bool
        Whether rows of a comparison that fails keep their numbers.
    """

    largest_smd: Annotated[float, Field(gt=0)] | None = None
    overlap: Share | None = None
    schools_per_arm: Annotated[int, Field(ge=1)] | None = None
    effective_size: Annotated[float, Field(gt=0)] | None = None
    smallest_detectable_effect: Annotated[float, Field(gt=0)] | None = None
    icc: Share = 0.15
    r2_pupil: Share = 0.0
    r2_school: Share = 0.0
    effect_variance: Annotated[float, Field(ge=0)] = 0.0
    alpha: Chance = 0.05
    power: Chance = 0.8
    show_failed: bool = False

    def thresholds(self) -> dict[str, float]:
        """Return what is asked: rule -> threshold, in the order of :data:`GATE_RULES`."""
        asked = {rule: getattr(self, rule) for rule in GATE_RULES}
        return {rule: float(value) for rule, value in asked.items() if value is not None}
