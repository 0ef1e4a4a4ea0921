"""The recipe of a world: schools, pupils, placement and what goes missing.

The outcomes' own numbers are in :mod:`baseeval.worlds.scales`.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from baseeval.worlds.dials import (
    Areas,
    Choice,
    Disorder,
    Dose,
    Movers,
    Quality,
    Recording,
)
from baseeval.worlds.scales import (
    OUTCOMES,
    Attainment,
    Attendance,
    Belonging,
    Count,
    Difficulties,
    Latent,
    Part,
    Positive,
    Rate,
    Spread,
    Support,
    Suspensions,
    Waves,
)


class SchoolCounts(Part):
    """How many schools an area has, how unequal (SD of log size), and the share of primaries."""

    host: Count
    non_host: Count
    size_spread: Spread
    primary: Rate = 0.0


class Hosting(Part):
    """Log odds of hosting for one SD of school quality and of disadvantaged intake.

    `drawn` is ``fixed`` (exactly as many hosts as the world says) or ``independent`` (each
    school by itself, so many on average where nothing else tells schools apart). `primary` is
    the log odds of a primary school beside a secondary one.
    """

    quality: float
    intake: float
    primary: float = 0.0
    drawn: Literal["fixed", "independent"] = "fixed"


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
    """Log odds of a place in the base, in a school that hosts one.

    `distance` counts for one SD of the log of the journey, `named` where an EHC plan names the
    base (a share `naming` of plans, log odds `naming_severity` more for one SD of severity),
    `push` for a family that looks for one. No chance is under `least`, or over 1 less it.
    """

    intercept: float
    prior: float
    ehcp: float
    adhd: float
    language: float
    learning: float
    hidden: float
    distance: float = 0.0
    named: float = 0.0
    naming: Rate = 0.0
    naming_severity: float = 0.0
    push: float = 0.0
    least: Annotated[float, Field(ge=0, lt=0.5)] = 0.0


class Missing(Part):
    """Rates for a pupil with neither FSM nor EHCP, and the log odds that these add.

    What looks further is off by default: `attrition_severity` (one SD of latent severity, on
    leaving), `survey_base` (a place in a base, on unanswered surveys and items), `own_value` (one
    SD of the outcome itself less than average, on its being missing).
    """

    prior: Rate
    attrition: Rate
    attainment: Rate
    attendance: Rate
    survey: Rate
    item: Rate
    fsm: float
    ehcp: float
    attrition_severity: float = 0.0
    survey_base: float = 0.0
    own_value: float = 0.0


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
    attainment: Attainment
    attendance: Attendance
    belonging: Belonging
    difficulties: Difficulties | None = None
    suspensions: Suspensions | None = None
    teacher_support: Support | None = None
    peer_support: Support | None = None
    missing: Missing
    areas: Areas = Areas()
    choice: Choice = Choice()
    dose: Dose = Dose()
    quality: Quality = Quality()
    movers: Movers = Movers()
    recording: Recording = Recording()
    disorder: Disorder = Disorder()

    @model_validator(mode="after")
    def _baseline_has_no_effect(self) -> Self:
        if self.growth[0] != 0:
            raise ValueError("growth must be 0 at wave 1: the baseline predates placement")
        return self

    @model_validator(mode="after")
    def _chances_can_be_known(self) -> Self:
        if self.choice.moves and self.hosting.drawn != "independent":
            raise ValueError(
                "choice.moves needs hosting.drawn = 'independent': the chance of each arm is not "
                "known otherwise"
            )
        return self

    @model_validator(mode="after")
    def _supports_are_there(self) -> Self:
        lost = [
            name
            for name in ("teacher_support", "peer_support")
            if getattr(self.belonging, name) and getattr(self, name) is None
        ]
        if lost:
            raise ValueError(f"belonging names {' and '.join(lost)}, and the world has none")
        return self

    def forms(self) -> tuple[str, ...]:
        """Name the forms in which the world's outcomes can be asked for."""
        return ("level", "change", "gap") if self.peers.include else ("level", "change")

    def outcomes(self) -> tuple[str, ...]:
        """Name the outcomes that the world has, of ``OUTCOMES``."""
        return tuple(name for name in OUTCOMES if getattr(self, name) is not None)

    def outcome(self, name: str) -> Latent:
        """Give the outcome of that name, one of :meth:`outcomes`."""
        scale: Latent = getattr(self, name)
        return scale
