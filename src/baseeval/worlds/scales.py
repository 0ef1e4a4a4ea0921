"""The scales of a world: what each number that makes an outcome is, and what it may be.

Effects and spreads are in standard deviations (SD) of the outcome's own scale: points for
attainment, the logit of the proportion of sessions for attendance, the latent trait for
belonging. `docs/methods/worlds.md` uses these names as its symbols.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

WAVES = (1, 2, 3)
ITEMS = 10
OUTCOMES = ("attainment", "attendance", "belonging")
NEEDS = ("none", "adhd", "language", "learning")

Rate = Annotated[float, Field(ge=0, le=1)]
Spread = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Waves = Annotated[list[float], Field(min_length=len(WAVES), max_length=len(WAVES))]
Sessions = Annotated[list[Count], Field(min_length=len(WAVES), max_length=len(WAVES))]


class Part(BaseModel):
    """A strict, frozen table of a world file: unknown keys and wrong types are faults."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Effect(Part):
    """True effects at the last wave, in SD, against a mainstream place where no base is."""

    base: float
    host: float
    base_by_prior: float
    base_quality_spread: Spread
    school_by_arm: Spread


class Latent(Part):
    """An outcome's own scale: its centre, what one SD is worth, and what moves it (in SD)."""

    centre: float
    sd: Positive
    trend: float
    peer: float
    female: float
    fsm: float
    ehcp: float
    adhd: float
    language: float
    learning: float
    prior: float
    severity: float
    school_sd: Spread
    school_quality: Annotated[float, Field(ge=-1, le=1)]
    pupil_sd: Spread
    wave_sd: Spread
    effect: Effect


class Attendance(Latent):
    """Sessions: how many are possible, and how clustered absence is beyond the pupil."""

    possible: Sessions
    possible_sd: Spread
    overdispersion: Annotated[float, Field(gt=0, lt=1)]


class Belonging(Latent):
    """Ten items of a graded response model, answered 1 to 5."""

    discrimination: Annotated[list[Positive], Field(min_length=ITEMS, max_length=ITEMS)]
    location: Annotated[list[float], Field(min_length=ITEMS, max_length=ITEMS)]
    steps: Annotated[list[float], Field(min_length=4, max_length=4)]
    reverse: list[Annotated[int, Field(ge=1, le=ITEMS)]]

    @model_validator(mode="after")
    def _steps_rise(self) -> Self:
        if any(b <= a for a, b in zip(self.steps, self.steps[1:], strict=False)):
            raise ValueError("steps must rise from one answer to the next")
        return self
