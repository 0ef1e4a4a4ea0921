"""Overlap of two arms, released."""

from __future__ import annotations

import math

from baseeval.disclosure.estimates import add_flag, must_withhold
from baseeval.disclosure.flows import Record
from baseeval.disclosure.profiles import Profile
from baseeval.disclosure.rounding import (
    DECIMALS,
    released_effective,
    released_share,
    round_count,
)
from baseeval.disclosure.shapes import OVERLAP_EFFECTS, SUPPRESSED, number, text, whole
from baseeval.results import balance_band, worst_chance

SIDES = ("first", "second")


def key_of(record: Record) -> tuple[str, ...]:
    """Give what a row of balance and its row of overlap share."""
    return tuple(text(record[name]) for name in ("contrast", "design", "estimand"))


def release_overlap(row: Record, balance: list[Record], profile: Profile) -> Record:
    """Withhold a contrast of small arms; otherwise round its counts and what follows from them.

    Parameters
    ----------
    row : dict
        A row of the overlap table with exact counts.
    balance : list of dict
        The released rows of the balance table.
    profile : Profile

    Returns
    -------
    dict
        A withheld contrast loses every number and carries the flag
        `suppressed`. The largest difference is named to one decimal where it
        is that of a withheld row: how large it is, but not enough to find it.
        The band follows from it; what chance could make, from the rows that leave.
    """
    released = dict(row)
    if must_withhold(row, profile):
        numbers = ("n", "n_effective", "schools")
        released |= {f"{name}_{side}": None for name in numbers for side in SIDES}
        released |= dict.fromkeys(["share_outside_support", "max_smd_before", "max_smd_after"])
        released |= dict.fromkeys(["schools_shared", "band", "chance", *OVERLAP_EFFECTS.split()])
        return released | {"flags": add_flag(row["flags"], SUPPRESSED)}
    sizes = [whole(row[f"n_{side}"]) or 0 for side in SIDES]
    for side, size in zip(SIDES, sizes, strict=True):
        released[f"n_{side}"] = round_count(size, profile.base)
        effective = number(row[f"n_effective_{side}"])
        released[f"n_effective_{side}"] = released_effective(effective, profile)
    target = {"ATT": sizes[0], "ATC": sizes[1]}.get(text(row["estimand"]), sum(sizes))
    share = number(row["share_outside_support"])
    if math.isfinite(share):
        released["share_outside_support"] = released_share(share, target, profile.base)
    own = [b for b in balance if key_of(b) == key_of(row)]
    for when in ("before", "after"):
        name = f"max_smd_{when}"
        shown = [abs(number(b[f"smd_{when}"])) for b in own]
        largest = round(number(row[name]), DECIMALS)
        seen = max([smd for smd in shown if math.isfinite(smd)], default=0.0)
        released[name] = largest if largest <= seen else round(largest, 1)
    for name in OVERLAP_EFFECTS.split():
        released[name] = _two_digits(number(row.get(name)))
    if text(row.get("band")):
        released["band"] = balance_band(number(released["max_smd_after"]))
    released["chance"] = worst_chance(text(b.get("chance")) for b in own)
    return released


def _two_digits(value: float) -> float:
    """With more, a design effect would tell which counts can lie behind it."""
    return float(f"{value:.2g}") if math.isfinite(value) else math.nan
