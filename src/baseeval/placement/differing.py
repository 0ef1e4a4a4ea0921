"""Where the sources disagree about a base. No detail holds a count of pupils."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import pandas as pd

from baseeval.contracts.vocabulary import (
    BASE_TYPES,
    WHITE_PAPER_BASES,
    WHITE_PAPER_BY_COMMISSIONER,
    WHITE_PAPER_BY_TYPE,
)
from baseeval.placement.matching_bases import Base
from baseeval.placement.naming import UNKNOWN
from baseeval.placement.rules import PARTS

#: Kind -> meaning.
KINDS = {
    "school": "sources place a base in different schools",
    "type": "sources name different types",
    "commissioner": "the type is one of the other commissioner's",
    "not named": "a source that covers the school does not name the base",
    "shared count": "a source counts several bases of the school as one",
    "pupils": "sources count different numbers of pupils",
    "places": "sources give different numbers of places",
    "needs": "sources name different types of need",
    "local offer": "sources differ on whether the local offer lists the base",
}

#: As people read the sources.
SOURCE_NAMES = {
    "bases": "the list",
    "spells": "the file of placements",
    "schools": "GIAS",
    "census": "the census",
}
#: Flags and GIAS are for what the authority recognises; a support base is not missing there.
_FORMAL = ("schools", "census")


def disagreements_of(
    base: Base, covers: Mapping[str, set[str] | None]
) -> Iterator[tuple[str, str]]:
    """Yield what the sources say differently of one base.

    Parameters
    ----------
    base : Base
    covers : mapping of str to set of str or None
        Source -> the schools of which it would name a base; None for all.

    Yields
    ------
    (kind, detail)
        A key of `KINDS`, and words.
    """
    if len({name.urn for name in base.named}) > 1:
        yield "school", "the sources place it in different schools"
    yield from _types(base)
    yield from _not_named(base, covers)
    for source in sorted(base.shared):
        yield "shared count", f"{SOURCE_NAMES[source]} counts several bases of the school as one"
    counts = {source: base.total(source, "pupils") for source in base.sources}
    yield from _pupils(counts)
    places = {source: base.total(source, "places") for source in base.sources}
    said = {source: number for source, number in places.items() if number is not None}
    if len(set(said.values())) > 1:
        yield "places", ", ".join(f"{SOURCE_NAMES[s]} gives {n}" for s, n in said.items())
    needs = {name.source: ", ".join(sorted(name.needs)) for name in base.named if name.needs}
    if len(set(needs.values())) > 1:
        yield "needs", "; ".join(f"{SOURCE_NAMES[s]} names {n}" for s, n in needs.items())
    offers = {n.source: n.local_offer for n in base.named if n.local_offer is not None}
    if len(set(offers.values())) > 1:
        words = [
            f"by {SOURCE_NAMES[s]} {'listed' if o else 'not listed'}" for s, o in offers.items()
        ]
        yield "local offer", ", ".join(words)


def _types(base: Base) -> Iterator[tuple[str, str]]:
    named: dict[str, list[str]] = {}
    for name in base.named:
        if name.base_type != UNKNOWN and name.source not in named.get(name.base_type, []):
            named.setdefault(name.base_type, []).append(name.source)
    if any(not _fits(kind, base.base_type) for kind in named):
        words = [f"{_sources(by)}: {BASE_TYPES[kind]}" for kind, by in named.items()]
        yield "type", "; ".join(words)
    by_type = WHITE_PAPER_BY_TYPE[base.white_paper_type]
    by_commissioner = WHITE_PAPER_BY_COMMISSIONER.get(base.commissioner, by_type)
    if UNKNOWN not in (by_type, by_commissioner) and by_type != by_commissioner:
        yield (
            "commissioner",
            f"by its type a {WHITE_PAPER_BASES[by_type].lower()}, "
            f"by its commissioner a {WHITE_PAPER_BASES[by_commissioner].lower()}",
        )


def _fits(kind: str, declared: str) -> bool:
    """Tell whether two words may be of one base.

    The census and GIAS have but two words, and what others call a hub or a resource
    centre they call by one of them: only words of different commissioners, or those
    two themselves, contradict each other.
    """
    if kind in PARTS and declared in PARTS:
        return kind == declared
    words = {WHITE_PAPER_BY_TYPE[kind], WHITE_PAPER_BY_TYPE[declared]}
    return len(words - {UNKNOWN}) < 2


def _not_named(base: Base, covers: Mapping[str, set[str] | None]) -> Iterator[tuple[str, str]]:
    by_type = WHITE_PAPER_BY_TYPE[base.white_paper_type]
    support = WHITE_PAPER_BY_COMMISSIONER.get(base.commissioner, by_type) == "support_base"
    silent = [
        source
        for source, schools in covers.items()
        if source not in base.sources
        and (schools is None or base.urn in schools)
        and not (support and source in _FORMAL)
    ]
    if silent:
        yield "not named", f"named by {_sources(base.sources)}, not by {_sources(silent)}"


def _pupils(counts: Mapping[str, int | None]) -> Iterator[tuple[str, str]]:
    said = {source: count for source, count in counts.items() if count is not None}
    if len(set(said.values())) > 1:
        yield "pupils", f"{_sources(said)} count different numbers of pupils"


def pupil_disagreements(bases: pd.DataFrame) -> pd.DataFrame:
    """Find the bases whose sources show different counts of pupils, as the table shows them.

    Parameters
    ----------
    bases : pandas.DataFrame
        Of a `Register`, exact or released.

    Returns
    -------
    pandas.DataFrame
        ``la, urn, base_id, kind, detail``.
    """
    columns = [f"pupils_{source}" for source in SOURCE_NAMES]
    rows = []
    for row in bases[["la", "urn", "base_id", *columns]].to_dict("records"):
        counts = {c.removeprefix("pupils_"): None if pd.isna(row[c]) else row[c] for c in columns}
        rows += [(row["la"], row["urn"], row["base_id"], *found) for found in _pupils(counts)]
    return pd.DataFrame.from_records(rows, columns=["la", "urn", "base_id", "kind", "detail"])


def worded_disagreements(bases: pd.DataFrame, disagreements: pd.DataFrame) -> list[str]:
    """Join the disagreements of each base.

    Parameters
    ----------
    bases, disagreements : pandas.DataFrame
        Of a `Register`.

    Returns
    -------
    list of str
        One text a base, in the order of `bases`; empty where the sources agree.
    """
    said: dict[str, list[str]] = {}
    for base, detail in zip(disagreements["base_id"], disagreements["detail"], strict=True):
        said.setdefault(base, []).append(detail)
    return ["; ".join(said.get(base, [])) for base in bases["base_id"]]


def _sources(names: Iterable[str]) -> str:
    *others, last = (SOURCE_NAMES[name] for name in names)
    return f"{', '.join(others)} and {last}" if others else last
