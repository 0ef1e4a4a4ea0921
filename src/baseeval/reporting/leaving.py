"""How base pupils left the base, and for where: a description, with no word for good or bad."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from baseeval.contracts.placements import WAYS_OUT
from baseeval.disclosure.released import Released
from baseeval.reporting.amounts import NOT_SHOWN, percent
from baseeval.reporting.cells import Row, distinct, real, records, text, whole
from baseeval.reporting.sheet import Sheet, absent, share, shown
from baseeval.results import ANY_WAY

_FEW = "Too few pupils left for where and when to be shown: there are too few to show."
_MEANING = (
    "Leaving a base is neither good nor bad by itself, and so is staying: these are all the ways "
    "out that were recorded, and no group is compared. A share is the chance of having left so "
    "within that many years of the first day in the base, allowing for pupils who could not be "
    "followed so long. Where a record says nothing of where a pupil went, the way out is not known."
)
_NO_INTERVAL = "No interval is given where the pupils were in fewer than 10 schools."


@dataclass(frozen=True, slots=True)
class WaysOut:
    """What a page says of ways out.

    Parameters
    ----------
    told : str
    shares : Sheet
        Without rows where there are too few to show.
    """

    told: str
    shares: Sheet


def ways_out(released: Released) -> WaysOut | None:
    """Return the ways out of the base by years; None where nothing is known of them.

    Parameters
    ----------
    released : Released

    Returns
    -------
    WaysOut or None
    """
    rows = records(released.ways_out)
    if not rows:
        return None
    years = distinct(rows, "years")
    by_cell = {(text(row, "way"), text(row, "years")): row for row in rows}
    heads = (
        "Way out",
        *(f"Within {year} {'year' if year == '1' else 'years'}" for year in years),
    )
    caption = "Base pupils who left the base, by way out (95% interval)"
    if all(whole(row, "left") is None for row in rows):
        return WaysOut(_FEW, Sheet(caption, heads, ()))
    lines = [
        (words, *(_cell(by_cell[way, year]) for year in years))
        for way, words in _ways(by_cell).items()
    ]
    first = next(iter(_ways(by_cell)))
    at_risk = tuple(shown(by_cell[first, year], "pupils_at_risk") for year in years)
    lines.append(("Pupils in the base when the last of these years began", *at_risk))
    numeric = frozenset(range(1, len(heads)))
    has_intervals = any(real(row, "share_low") == real(row, "share_low") for row in rows)
    meaning = _MEANING if has_intervals else f"{_MEANING} {_NO_INTERVAL}"
    return WaysOut(meaning, Sheet(caption, heads, tuple(lines), numeric))


def _ways(by_cell: Mapping[tuple[str, str], Row]) -> dict[str, str]:
    """Name the ways out, in the contract's order, and all of them together last."""
    held = dict.fromkeys(way for way, _ in by_cell)
    words = {**WAYS_OUT, ANY_WAY: "All ways together"}
    return {way: words.get(way, way) for way in held}


def _cell(row: Row) -> str:
    words = share(row, "share")
    if whole(row, "left") is None:
        return absent(row)
    low, high = (percent(real(row, name)) for name in ("share_low", "share_high"))
    return words if NOT_SHOWN in (low, high) else f"{words} ({low} to {high})"
