"""A stay in a base: from its first day to the way out, over the rows of a file that make it up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

#: A way out of which the file says nothing.
UNKNOWN = "unknown"
ANOTHER_BASE = "another_base"

_DAY = timedelta(days=1)
#: Schools close in July and open in September: a place that goes on has a gap in most files.
_SUMMER, _SEPTEMBER = (7, 8), (9, 30)


@dataclass(frozen=True, slots=True)
class Spell:
    """A row of a file of placements, of known days.

    Parameters
    ----------
    base_id : str
    start : datetime.date
    end : datetime.date or None
    left_for : str or None
        A code of `baseeval.contracts.placements.WAYS_OUT`.
    """

    base_id: str
    start: date
    end: date | None
    left_for: str | None = None


@dataclass(frozen=True, slots=True)
class Stay:
    """How long a pupil was in a base, and what ended it.

    Parameters
    ----------
    years : float
        From the first day in it to the first day out of it, or to the end of what is known.
    way : str
        A code of the ways out; empty where the pupil was in it still.
    """

    years: float
    way: str


def follow_stay(first: Spell, spells: Sequence[Spell], until: date, grace_days: int) -> Stay:
    """Follow a pupil from the first day in a base until they leave it.

    Parameters
    ----------
    first : Spell
        The one that the stay begins with.
    spells : sequence of Spell
        All of the pupil's, `first` among them.
    until : datetime.date
        The last day of which anything is known.
    grace_days : int
        A spell that begins so many days after another ended follows it.

    Returns
    -------
    Stay

    Notes
    -----
    What the file says of a way out is taken as it stands. Where it says nothing, a spell in the
    same base that follows goes on with the stay; one in another base that follows makes the way out
    ``another_base``; else it is ``unknown``. After an end in July or August a spell that begins by
    the end of September follows too.

    Examples
    --------
    >>> first = Spell("a", date(2020, 9, 1), date(2021, 8, 31), "mainstream")
    >>> follow_stay(first, [first], date(2022, 8, 31), 31)
    Stay(years=1.0, way='mainstream')
    """
    now = first
    while (ended := now.end) is not None and ended <= until:
        if now.left_for:
            way = now.left_for
        else:
            following = [spell for spell in spells if _follows(spell, now, ended, grace_days)]
            same = [spell for spell in following if spell.base_id == now.base_id]
            if same:
                now = min(same, key=lambda spell: spell.start)
                continue
            way = ANOTHER_BASE if following else UNKNOWN
        return Stay(years_between(first.start, ended + _DAY), way)
    return Stay(years_between(first.start, until + _DAY), "")


def _follows(spell: Spell, before: Spell, ended: date, grace_days: int) -> bool:
    if spell.start < before.start or (spell.end is not None and spell.end <= ended):
        return False
    reach = ended + timedelta(days=grace_days)
    if ended.month in _SUMMER:
        reach = max(reach, date(ended.year, *_SEPTEMBER))
    return spell.start <= reach


def years_between(start: date, day: date) -> float:
    """Count the years from one day to another: whole ones by the calendar, then the share of one.

    Parameters
    ----------
    start, day : datetime.date
        `day` is not before `start`.

    Returns
    -------
    float

    Examples
    --------
    >>> years_between(date(2019, 9, 1), date(2020, 9, 1))
    1.0
    >>> years_between(date(2020, 2, 29), date(2021, 3, 1))
    1.0
    """
    whole = day.year - start.year
    if _anniversary(start, whole) > day:
        whole -= 1
    begun, ends = _anniversary(start, whole), _anniversary(start, whole + 1)
    return whole + (day - begun).days / (ends - begun).days


def _anniversary(start: date, years: int) -> date:
    try:
        return start.replace(year=start.year + years)
    except ValueError:  # 29 February
        return date(start.year + years, 3, 1)
