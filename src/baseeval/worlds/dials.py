"""The dials of a world: what may be turned on beyond a clean three-arm comparison.

Each is off by default. `docs/methods/worlds.md` says which truths each leaves as they are.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from baseeval.worlds.scales import Part, Rate, Spread

Share = Annotated[float, Field(gt=0, lt=1)]


class Areas(Part):
    """Areas (local authorities): placement and choice of school never cross them.

    The numbers of schools and of eligible pupils in a world file are those of one area.
    `hosting_sd` is the SD of an area's own log odds of hosting.
    """

    count: Annotated[int, Field(ge=1)] = 1
    hosting_sd: Spread = 0.0


class Choice(Part):
    """Families who look for a school with a base.

    A share `push` of families (log odds `push_fsm` more with FSM) look for one. Where the local
    school hosts none and one other school that they know does, `moves` of them go there.
    """

    push: Rate = 0.0
    push_fsm: float = 0.0
    moves: Rate = 0.0


class Dose(Part):
    """Share of the week in the base's own classes: its mean a wave, and the SD of its logit."""

    mean: Annotated[list[Share], Field(min_length=3, max_length=3)] = Field(
        default_factory=lambda: [0.5, 0.5, 0.5]
    )
    spread: Spread = 0.0


class Quality(Part):
    """What a base's quality is made of: weights of its staff, its therapy, its integration."""

    staff: Spread = 1.0
    therapy: Spread = 0.0
    integration: Spread = 0.0


class Movers(Part):
    """Pupils who change arm before the last wave, and what they then have of the effect.

    `leave` leave the base for the mainstream of their school and keep the share `kept` of what
    the base gave; `enter` enter it late and reach the share `late` of what it would have given.
    """

    leave: Rate = 0.0
    leave_severity: float = 0.0
    enter: Rate = 0.0
    kept: Rate = 1.0
    late: Rate = 0.0


class Recording(Part):
    """Placements that the records get wrong.

    `flag_missed` pupils in a base are recorded beside it, `flag_false` the reverse;
    `unrecognised` hosts are on no register and flag nobody, so that their pupils are recorded as
    of a school without a base.
    """

    flag_missed: Rate = 0.0
    flag_false: Rate = 0.0
    unrecognised: Rate = 0.0


class Disorder(Part):
    """Rows as they arrive: pupils who come late, rows twice, two schools at once."""

    late_entry: Rate = 0.0
    twice: Rate = 0.0
    dual: Rate = 0.0
    prior_lost: bool = False
