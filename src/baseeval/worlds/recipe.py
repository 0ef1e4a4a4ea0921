"""The recipe of a world: schools, pupils, placement and what goes missing.

The outcomes' own numbers are in :mod:`baseeval.worlds.scales`.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from baseeval.worlds.scales import (
    Attendance,
    Belonging,
    Count,
    Latent,
    Part,
    Positive,
    Rate,
    Spread,
    Waves,
)


class SchoolCounts(Part):
    """How many schools, and how unequal (SD of log size)."""

    host: Count
    non_host: Count
    size_spread: Spread


class Hosting(Part):
    """Log odds of hosting for one SD of school quality and of disadvantaged intake."""

    quality: float
    intake: float


class Profile(Part):
    """Pupils of one kind: rates, and the entry score in scaled points.

    `fsm_intake` is the log odds of FSM for one SD of the school's disadvantaged intake.
    """

    female: Rate
    fsm: Rate
    fsm_intake: float
    ehcp: Rate
    prior_mean: float


class Eligible(Profile):
    """Eligible pupils, and how latent severity (SD 1) shows in what the tables hold."""

    count: Count
    ehcp_severity: float
    adhd: Rate
    language: Rate
    learning: Rate
    need_severity: float

    @model_validator(mode="after")
    def _needs_leave_room(self) -> Self:
        if self.adhd + self.language + self.learning >= 1:
            raise ValueError("adhd, language and learning must add up to less than 1")
        return self


class Peers(Profile):
    """Matched peers: whether there are any, and the share matched on year and sex."""

    include: bool
    same_year_and_sex: Rate


class Prior(Part):
    """The entry score: its scale, and what moves it (in SD)."""

    mean: float
    sd: Positive
    fsm: float
    learning: float
    severity: float
    intake: float
    noise_sd: Spread


class Placement(Part):
    """Log odds of a place in the base, in a school that hosts one."""

    intercept: float
    prior: float
    ehcp: float
    adhd: float
    language: float
    learning: float
    hidden: float


class Missing(Part):
    """Rates for a pupil with neither FSM nor EHCP, and the log odds that these add."""

    prior: Rate
    attrition: Rate
    attainment: Rate
    attendance: Rate
    survey: Rate
    item: Rate
    fsm: float
    ehcp: float


class WorldRecipe(Part):
    """A whole world file, read strictly."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    title: str
    growth: Waves
    schools: SchoolCounts
    hosting: Hosting
    eligible: Eligible
    peers: Peers
    prior: Prior
    placement: Placement
    attainment: Latent
    attendance: Attendance
    belonging: Belonging
    missing: Missing

    @model_validator(mode="after")
    def _baseline_has_no_effect(self) -> Self:
        if self.growth[0] != 0:
            raise ValueError("growth must be 0 at wave 1: the baseline predates placement")
        return self

    def outcome(self, name: str) -> Latent:
        """Give the outcome of that name, one of ``OUTCOMES``."""
        return {
            "attainment": self.attainment,
            "attendance": self.attendance,
            "belonging": self.belonging,
        }[name]
