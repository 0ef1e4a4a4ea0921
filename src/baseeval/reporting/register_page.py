"""The register of bases as one page."""

from __future__ import annotations

import pandas as pd

from baseeval.contracts.vocabulary import BASE_TYPES
from baseeval.disclosure.shapes import SUPPRESSED
from baseeval.placement.registering import NOT_KNOWN, Register
from baseeval.reporting.amounts import number_of
from baseeval.reporting.filling import filled
from baseeval.reporting.sheet import Sheet

NOT_SHOWN = "withheld"
_BASES = {
    "school": "School",
    "name": "Base",
    "type_name": "Type, and the 2026 White Paper’s word",
    "needs": "Needs",
    "places": "Places",
    "pupils_census": "Pupils, census",
    "sources": "Named by",
    "disagreements": "What sources disagree on",
}
_AUTHORITIES = {
    "la": "Local authority",
    "need": "Need",
    "bases": "Bases",
    "places": "Places",
    "pupils": "Pupils with the need",
    "places_per_100": "Places per 100 such pupils",
}
_TIMES = {
    "urn": "School",
    "base_id": "Base",
    "declared": "Declared",
    "mean_share": "Mean share of time in it",
    "looks_like": "Looks like",
}
#: Withheld where they are small; the others are missing because nobody records them.
_OF_PUPILS = ("pupils_census", "pupils", "places_per_100")
_TYPES = ("declared", "looks_like")
_NUMERIC = {"places", "pupils_census", "pupils", "bases", "places_per_100", "mean_share"}


def register_page(register: Register, title: str = "") -> str:
    """Return a register that may leave as a self-contained page.

    Parameters
    ----------
    register : Register
        From `release_register`.
    title : str
        The study's, or whoever's register it is.

    Returns
    -------
    str
        HTML: no script, and nothing asked of a network.
    """
    named = register.bases.assign(
        school=[_first(*pair) for pair in _pairs(register.bases, "school", "urn")],
        name=[_first(*pair) for pair in _pairs(register.bases, "name", "base_id")],
        type_name=[_both(*pair) for pair in _pairs(register.bases, "type_name", "white_paper")],
        needs=register.bases["needs"].fillna("").str.replace(";", "; "),
        sources=[_named(*pair) for pair in _pairs(register.bases, "sources", "local_offer")],
    )
    words = {column: register.times[column].replace(BASE_TYPES) for column in _TYPES}
    times = register.times.assign(**words)
    return filled(
        "register.html.j2",
        title=title,
        found=_found(register),
        bases=_sheet("Every base that any source names", named, _BASES),
        authorities=_sheet("Places and pupils", register.authorities, _AUTHORITIES),
        times=_sheet("Bases at odds with their type", times, _TIMES),
    )


def _found(register: Register) -> str:
    """Say how many bases there are, and how far their sources agree."""
    bases = number_of(len(register.bases), "base", "bases")
    schools = number_of(register.bases["urn"].nunique(), "school", "schools")
    sources = {name for names in register.bases["sources"] for name in str(names).split(";")}
    start = f"{bases} in {schools}, named by at least one source"
    if len(sources) < 2:
        return f"{start}. Only one source names any, so that none can be checked against another."
    at_odds = register.disagreements["base_id"].nunique()
    return f"{start}. Sources disagree on {number_of(at_odds, 'of them', 'of them')}."


def _pairs(table: pd.DataFrame, *columns: str) -> list[tuple[object, ...]]:
    return list(zip(*(table[column] for column in columns), strict=True))


def _first(*values: object) -> str:
    """Return the first value that says anything."""
    said = [str(value) for value in values if not pd.isna(value) and str(value)]  # type: ignore[call-overload]
    return said[0] if said else ""


def _both(old: object, new: object) -> str:
    return f"{old} ({str(new).lower()})"


def _named(sources: object, offer: object) -> str:
    """Say who names a base, and whether its authority's local offer does."""
    said = {"yes": "; in the local offer", "no": "; not in the local offer"}
    return str(sources).replace(";", ", ") + said.get(str(offer), "")


def _sheet(caption: str, table: pd.DataFrame, columns: dict[str, str]) -> Sheet:
    rows = tuple(
        tuple(_cell(record[column], column, str(record["flags"])) for column in columns)
        for record in table.to_dict("records")
    )
    numeric = frozenset(place for place, column in enumerate(columns) if column in _NUMERIC)
    return Sheet(caption, tuple(columns.values()), rows, numeric)


def _cell(value: object, column: str, flags: str) -> str:
    if value is None or pd.isna(value):  # type: ignore[call-overload]
        withheld = SUPPRESSED in flags and (column in _OF_PUPILS)
        return (NOT_SHOWN if withheld else NOT_KNOWN) if column in _NUMERIC else ""
    if column not in _NUMERIC:
        return str(value)
    return f"{value:,.3g}" if isinstance(value, float) else f"{int(str(value)):,}"
