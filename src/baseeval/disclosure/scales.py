"""Scales, items and ladders of invariance, released: no number that rests on few, no answer of few.

From the mean and the SD of answers in four steps, and how many there are, a reader can work out how
many gave each answer. So an SD leaves only where each answer was given by enough pupils, and a mean
only where enough gave another answer than the commonest.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from baseeval.disclosure.estimates import few_schools
from baseeval.disclosure.flows import Record
from baseeval.disclosure.known import Known, Place
from baseeval.disclosure.profiles import Profile
from baseeval.disclosure.protecting import Key
from baseeval.disclosure.responses import count_key, first_alike, item_key
from baseeval.disclosure.rounding import DECIMALS, round_count, significant
from baseeval.disclosure.shapes import (
    ITEM_NUMBERS,
    LADDER_NUMBERS,
    SCALE_NUMBERS,
    SUPPRESSED,
    number,
    text,
    whole,
)

_ITEM_DECIMALS = 2  # of means and correlations of items
_FIT_DECIMALS = 4  # of fit indices: their limits have three
_INDICES = ("cfi", "rmsea", "srmr", "d_cfi", "d_rmsea")
_ONE_SCHOOL = "withheld: the answers of a group are of one school"


def release_scales(
    records: Sequence[Record], gone: Collection[Key], known: Known, profile: Profile
) -> list[Record]:
    """Withhold and coarsen what is said of each scale in each arm.

    Parameters
    ----------
    records : sequence of dict
        Rows of `outcome, wave, arm, items, pupils, alpha, ..., note`, with `schools`, those of
        the pupils with every item.
    gone : collection of key
        Counts that are withheld.
    known : Known
    profile : Profile

    Returns
    -------
    list of dict
        A row of few pupils or one school holds the number of items alone.
    """
    released = []
    for row in records:
        numbers = SCALE_NUMBERS.split()
        lost = _rests_on_few(row, known, profile)
        hidden = count_key(row, "complete") in gone
        shown: Record = {name: round(number(row[name]), DECIMALS) for name in numbers}
        released.append(
            row
            | (dict.fromkeys(numbers, math.nan) | {"note": ""} if lost else shown)
            | {"pupils": None if hidden else round_count(whole(row["pupils"]) or 0, profile.base)}
            | {"status": SUPPRESSED if lost or hidden else ""}
        )
    return released


def release_items(
    records: Sequence[Record],
    scales: Sequence[Record],
    gone: Collection[Key],
    known: Known,
    profile: Profile,
) -> list[Record]:
    """Withhold and coarsen what is said of each item in each arm.

    Parameters
    ----------
    records : sequence of dict
        Rows of `outcome, wave, arm, item, pupils, missing, mean, sd, item_rest`, with `unlike`,
        who gave another answer than the commonest, and `fewest`, who gave the rarest.
    scales : sequence of dict
        Exact.
    gone : collection of key
    known : Known
    profile : Profile

    Returns
    -------
    list of dict
    """
    few = {count_key(row, ""): _rests_on_few(row, known, profile) for row in scales}
    firsts = first_alike(records)
    released = []
    for row in records:
        shown: Record = {
            part: None if item_key(row, key, firsts) in gone else round_count(count, profile.base)
            for part, key in (("pupils", "given"), ("missing", "missing"))
            for count in [whole(row[part]) or 0]
        }
        numbers = _of_item(row, few[count_key(row, "")], profile)
        lost = [
            key for key in numbers if math.isnan(numbers[key]) and not math.isnan(number(row[key]))
        ]
        status = SUPPRESSED if lost or None in shown.values() else ""
        released.append(row | shown | numbers | {"status": status})
    return released


def _of_item(row: Record, rests_on_few: bool, profile: Profile) -> dict[str, float]:
    numbers = {name: number(row[name]) for name in ITEM_NUMBERS.split()}
    unlike, fewest = whole(row["unlike"]) or 0, whole(row["fewest"])
    if (
        rests_on_few
        or unlike < profile.threshold
        or (whole(row["pupils"]) or 0) < profile.threshold
    ):
        return dict.fromkeys(numbers, math.nan)
    spread = math.nan if fewest is not None and profile.is_small(fewest) else numbers["sd"]
    return {
        "mean": round(numbers["mean"], _ITEM_DECIMALS),
        "sd": significant(spread) if math.isfinite(spread) else math.nan,
        "item_rest": round(numbers["item_rest"], _ITEM_DECIMALS),
    }


def release_invariance(
    records: Sequence[Record], scales: Sequence[Record], known: Known, profile: Profile
) -> list[Record]:
    """Coarsen the ladders of invariance; those of one school keep their verdict alone.

    Parameters
    ----------
    records : sequence of dict
        Rows of `outcome, wave, groups, step, chi2, ..., verdict, why`; several waves or groups
        are joined by ``; ``.
    scales : sequence of dict
        Exact.
    known : Known
    profile : Profile

    Returns
    -------
    list of dict
    """
    few = {count_key(row, "") for row in scales if _rests_on_few(row, known, profile)}
    released = []
    for row in records:
        behind = {
            count_key({"outcome": row["outcome"], "wave": wave, "arm": arm}, "")
            for wave in text(row["wave"]).split("; ")
            for arm in text(row["groups"]).split("; ")
        }
        numbers = {name: number(row[name]) for name in LADDER_NUMBERS.split()}
        fitted = math.isfinite(numbers["chi2"])
        if fitted and behind & few:
            withheld = dict.fromkeys(numbers, math.nan) | {"why": _ONE_SCHOOL}
            released.append(row | withheld)
            continue
        shown = {
            name: round(value, _FIT_DECIMALS) if name in _INDICES else significant(value)
            for name, value in numbers.items()
            if math.isfinite(value)
        }
        released.append(row | dict.fromkeys(numbers, math.nan) | shown)
    return released


def _rests_on_few(row: Record, known: Known, profile: Profile) -> bool:
    place: Place = (text(row["outcome"]), text(row["wave"]), text(row["arm"]))
    count = whole(row["pupils"]) or 0
    return count < profile.threshold or few_schools(row["schools"]) or place in known.lonely
