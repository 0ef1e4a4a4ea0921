"""Ways out of a base, released: counts that grow by years, and shares made of those that leave.

Each count is of those who left within so many years. The reader is taken to know that the ways add
up to all who left, that nobody who left comes back, and that everybody followed has left, is in the
base or is not followed so far. What a year adds is in no row, and is protected as a row is.
"""

from __future__ import annotations

import math

from baseeval.disclosure.flows import Record
from baseeval.disclosure.profiles import Profile
from baseeval.disclosure.protecting import Cells, Key, Relation, protect
from baseeval.disclosure.rounding import DECIMALS, round_count
from baseeval.disclosure.shapes import SUPPRESSED, number, text, whole
from baseeval.results import ANY_WAY

#: An interval over fewer schools would be too narrow, as the jackknife is not corrected for it.
FEWEST_SCHOOLS = 10

_Z = 1.959963984540054
_EVERYBODY: Key = ("followed",)
_ARM: Key = ("in the base arm",)


def release_ways_out(
    records: list[Record], flow: list[Record], released_flow: list[Record], profile: Profile
) -> list[Record]:
    """Withhold and round the counts of ways out, and recompute the shares.

    Parameters
    ----------
    records : list of dict
        Rows of `way, years, pupils, pupils_at_risk, left, share, std_error,
        schools, schools_at_risk, clusters` with exact counts: every way at every year.
    flow, released_flow : list of dict
        With exact counts and as released: the size of the base arm is known from them.
    profile : Profile

    Returns
    -------
    list of dict
        The same rows. A share is that of the released counts, multiplied by what the exact
        share is to the exact counts (more than 1 where some were not followed so long).
        ``schools`` are those of everybody followed: the schools of those who left by one way
        are nearly as many as the pupils.
    """
    if not records:
        return []
    followed = whole(records[0]["pupils"]) or 0
    arm, hidden = None, False
    for exact, shown in zip(flow, released_flow, strict=True):
        if text(exact["arm"]) == "base" and not text(exact["reason"]):
            # The first such step: everybody of the arm, whatever is missing of them.
            arm, hidden = whole(exact["pupils"]), shown["status"] == SUPPRESSED
            break
    if profile.is_small(followed) or hidden:
        return [_row(record, True, True, followed, profile) for record in records]
    cells = ways_out_cells(records, arm, profile)
    gone = protect(cells, profile)
    return [
        _row(
            record,
            left_key(text(record["way"]), whole(record["years"]) or 0) in gone,
            risk_key(whole(record["years"]) or 0) in gone,
            followed,
            profile,
        )
        for record in records
    ]


def ways_out_cells(records: list[Record], arm: int | None, profile: Profile) -> Cells:
    """Gather the counts of ways out and what ties them together.

    Parameters
    ----------
    records : list of dict
        As `release_ways_out` takes them.
    arm : int or None
        Pupils of the base arm; None where no row says it.
    profile : Profile

    Returns
    -------
    Cells
        The keys are those of `left_key` and `risk_key`.
    """
    counts: dict[Key, int] = {_EVERYBODY: whole(records[0]["pupils"]) or 0}
    withheld: set[Key] = set()
    relations: list[Relation] = []
    rests: dict[Key, Key] = {}
    ways = list(dict.fromkeys(text(record["way"]) for record in records))
    years = sorted({whole(record["years"]) or 0 for record in records})
    for record in records:
        year = whole(record["years"]) or 0
        for key, count, schools in (
            (left_key(text(record["way"]), year), "left", "schools"),
            (risk_key(year), "pupils_at_risk", "schools_at_risk"),
        ):
            counts[key] = whole(record[count]) or 0
            if profile.is_small(counts[key]) or whole(record[schools]) == 1:
                withheld.add(key)

    def tie(total: Key, *parts: Key) -> None:
        """Say that a count holds others; what is left over is a count that no row gives."""
        rest: Key = ("rest of", total, *parts)
        counts[rest] = counts[total] - sum(counts[part] for part in parts)
        rests[rest] = total
        relations.append(Relation(total, (*parts, rest)))

    for year in years:
        parts = tuple(left_key(way, year) for way in ways if way != ANY_WAY)
        relations.append(Relation(left_key(ANY_WAY, year), parts))
        if year - 1 in years:
            tie(_EVERYBODY, risk_key(year), left_key(ANY_WAY, year - 1))
            for way in ways:
                tie(left_key(way, year), left_key(way, year - 1))
        else:
            tie(_EVERYBODY, risk_key(year))
    fixed = {_EVERYBODY}
    if arm is not None and arm >= counts[_EVERYBODY]:
        counts[_ARM] = arm
        tie(_ARM, _EVERYBODY)
        fixed.add(_ARM)
    # Who was followed how long follows from dates that many know: that all were is known too.
    known = {rest for rest, total in rests.items() if counts[rest] == 0 and total in fixed}
    return Cells(
        counts={key: count for key, count in counts.items() if key not in known},
        relations=[
            Relation(r.total, tuple(part for part in r.parts if part not in known))
            for r in relations
        ],
        withheld=withheld,
        unlisted=frozenset(set(rests) - known),
        fixed=fixed,
    )


def left_key(way: str, year: int) -> Key:
    """Name the count of those who left by a way within so many years."""
    return ("left", way, year)


def risk_key(year: int) -> Key:
    """Name the count of those in the base and followed when a year of the stay begins."""
    return ("at risk", year)


def _row(record: Record, hidden: bool, few: bool, followed: int, profile: Profile) -> Record:
    """Write a row with what may leave of it."""
    at_risk = whole(record["pupils_at_risk"]) or 0
    shown: Record = {
        "way": record["way"],
        "years": record["years"],
        "pupils_at_risk": None if few else round_count(at_risk, profile.base),
        "left": None,
        "share": math.nan,
        "share_low": math.nan,
        "share_high": math.nan,
        "schools": None,
        "status": SUPPRESSED if hidden or few else "",
    }
    if hidden:
        return shown
    left = whole(record["left"]) or 0
    share, low, high = _shares(record, left, followed, profile)
    return shown | {
        "left": round_count(left, profile.base),
        "share": share,
        "share_low": low,
        "share_high": high,
        "schools": record["clusters"],
    }


def _shares(
    record: Record, left: int, followed: int, profile: Profile
) -> tuple[float, float, float]:
    """Recompute a share from released counts, with its interval on the log-log scale."""
    if left == 0:
        return 0.0, math.nan, math.nan
    exact, spread = number(record["share"]), number(record["std_error"])
    longer = exact * followed / left
    ratio = round_count(left, profile.base) / round_count(followed, profile.base)
    share = min(ratio * longer, 1.0)
    few_schools = (whole(record["clusters"]) or 0) < FEWEST_SCHOOLS
    if few_schools or not 0 < share < 1 or not spread > 0:
        return round(share, DECIMALS), math.nan, math.nan
    scale = math.log(-math.log1p(-share))
    # The error of the exact share, in proportion to the one that leaves.
    width = _Z * spread * share / exact / ((1 - share) * -math.log1p(-share))
    low, high = (-math.expm1(-math.exp(scale + sign * width)) for sign in (-1, 1))
    return round(share, DECIMALS), round(low, DECIMALS), round(high, DECIMALS)
