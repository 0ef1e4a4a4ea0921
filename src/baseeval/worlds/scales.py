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
SUPPORTS = ("teacher_support", "peer_support")
OUTCOMES = ("attainment", "attendance", "belonging", "difficulties", "suspensions", *SUPPORTS)
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
    """True effects at the last wave, in SD, against a mainstream place where no base is.

    `crowding` is what a base fuller than expected adds for the mainstream pupils beside it, for
    each pupil in ten of the eligible; `dose` what a week wholly in the base's classes adds to one
    without any, as a share of `base`.
    """

    base: float
    host: float
    base_by_prior: float
    base_quality_spread: Spread
    school_by_arm: Spread
    crowding: float = 0.0
    dose: float = 0.0


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


class Attainment(Latent):
    """Points: where the scale ends, and what the teacher who reports adds.

    `report_noise` is the SD of a report around the truth, `report_bias` what reports of pupils
    in a base add, both in SD. The bias is no effect, and no part of the truth.
    """

    floor: float | None = None
    ceiling: float | None = None
    report_noise: Spread = 0.0
    report_bias: float = 0.0

    @model_validator(mode="after")
    def _ends_in_order(self) -> Self:
        if self.floor is not None and self.ceiling is not None and self.floor >= self.ceiling:
            raise ValueError("floor must be less than ceiling")
        return self


class Attendance(Latent):
    """Sessions: how many are possible, and how clustered absence is beyond the pupil.

    A share `part_time` of pupils (log odds `part_time_severity` more for one SD of severity) has
    a part-time timetable, and misses the share `part_time_missed` of its sessions by it.
    """

    possible: Sessions
    possible_sd: Spread
    overdispersion: Annotated[float, Field(gt=0, lt=1)]
    part_time: Rate = 0.0
    part_time_severity: float = 0.0
    part_time_missed: Rate = 0.0


class Belonging(Latent):
    """Ten items of a graded response model, answered 1 to 5.

    `acquiescence` is the SD of a pupil's leaning to agree, whatever is asked; `method` that of
    what reversed items share for being reversed. `teacher_support` and `peer_support` are what
    one SD of each adds to belonging: part of an arm's effect comes by way of them.
    """

    discrimination: Annotated[list[Positive], Field(min_length=ITEMS, max_length=ITEMS)]
    location: Annotated[list[float], Field(min_length=ITEMS, max_length=ITEMS)]
    steps: Annotated[list[float], Field(min_length=4, max_length=4)]
    reverse: list[Annotated[int, Field(ge=1, le=ITEMS)]]
    acquiescence: Spread = 0.0
    method: Spread = 0.0
    teacher_support: float = 0.0
    peer_support: float = 0.0

    @model_validator(mode="after")
    def _steps_rise(self) -> Self:
        if any(b <= a for a, b in zip(self.steps, self.steps[1:], strict=False)):
            raise ValueError("steps must rise from one answer to the next")
        return self


class Difficulties(Latent):
    """Four subscales of five items, scored 0 to 10 each, like those of licensed instruments.

    `subscales` shifts each from the pupil's own level, in logits.
    """

    subscales: Annotated[list[float], Field(min_length=4, max_length=4)] = [0.0] * 4


class Suspensions(Latent):
    """Number of suspensions in the school year; the scale is the log of its mean.

    `clustering` is the variance of a pupil's year beyond chance, as a share of the mean squared.
    """

    clustering: Spread = 0.0


class Support(Latent):
    """Support by teachers or by peers, a mean score from 1 to 5 in steps of a half."""
