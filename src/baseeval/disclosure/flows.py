"""Who was counted, released: small steps withheld, and none left to be worked out.

Rows with an empty `reason` count who remains. A row with one counts who left
for it, between the row before and the row after, or who remained after it:
both are looked at. Known to the attacker are the arms' sum to `all` and, in
each arm, that who remained before is who remains after plus who left between;
where rows do not say how many left, their number is protected as if one did.
"""

from __future__ import annotations

from itertools import pairwise

from baseeval.disclosure.profiles import Profile
from baseeval.disclosure.protecting import Cells, Key, Relation, protect
from baseeval.disclosure.rounding import round_count
from baseeval.disclosure.shapes import SUPPRESSED, text, whole

Record = dict[str, object]
WHOLE = "all"


def release_flow(records: list[Record], profile: Profile) -> list[Record]:
    """Withhold and round the counts of a flow.

    Parameters
    ----------
    records : list of dict
        Rows of `step, arm, pupils, schools, reason` with exact counts. A row
        that rests on one school is withheld, as is one without a count.
    profile : Profile

    Returns
    -------
    list of dict
        The same rows; a withheld one loses its pupils and its schools.
    """
    cells = flow_cells(records, profile)
    gone = protect(cells, profile)
    return [release_count(record, i in gone, profile) for i, record in enumerate(records)]


def release_count(record: Record, gone: bool, profile: Profile) -> Record:
    """Round the pupils of a row, or withhold them.

    Parameters
    ----------
    record : dict
        With ``pupils`` (exact, or None where nobody counted) and ``schools``.
    gone : bool
        Whether the count is withheld.
    profile : Profile

    Returns
    -------
    dict
        The same row with its ``status``; a withheld one loses its pupils and its schools.
    """
    if gone:
        return record | {"pupils": None, "schools": None, "status": SUPPRESSED}
    count = whole(record["pupils"])
    shown = None if count is None else round_count(count, profile.base)
    return record | {"pupils": shown, "status": ""}


def flow_cells(records: list[Record], profile: Profile) -> Cells:
    """Gather the counts of a flow and what ties them together.

    Parameters
    ----------
    records : list of dict
        As `release_flow` takes them.
    profile : Profile

    Returns
    -------
    Cells
        A row's count goes by its place among the records.
    """
    counts: dict[Key, int] = {}
    for i, record in enumerate(records):
        count = whole(record["pupils"])
        if count is not None:
            counts[i] = count
    withheld = {
        i
        for i, record in enumerate(records)
        if i in counts and (profile.is_small(counts[i]) or whole(record["schools"]) == 1)
    }
    rows = [record for i, record in enumerate(records) if i in counts]
    places = [i for i in range(len(records)) if i in counts]
    chains, left = _chains(rows, places, counts)
    counts |= left
    return Cells(
        counts=counts,
        relations=[*_margins(rows, places), *chains],
        withheld=withheld,
        unlisted=frozenset(left),
    )


def _rounded(count: int | None, profile: Profile) -> int | None:
    return None if count is None else round_count(count, profile.base)


def _margins(rows: list[Record], places: list[int]) -> list[Relation]:
    """Tie the arms of one step and reason to their total."""
    groups: dict[tuple[str, str], dict[bool, list[int]]] = {}
    for place, row in zip(places, rows, strict=True):
        group = groups.setdefault((text(row["step"]), text(row["reason"])), {True: [], False: []})
        group[text(row["arm"]) == WHOLE].append(place)
    return [Relation(total, tuple(g[False])) for g in groups.values() for total in g[True]]


def _chains(
    rows: list[Record], places: list[int], counts: dict[Key, int]
) -> tuple[list[Relation], dict[Key, int]]:
    """Tie each arm's steps to one another, and count who left without a row."""
    arms: dict[str, list[tuple[int, bool]]] = {}
    for place, row in zip(places, rows, strict=True):
        arms.setdefault(text(row["arm"]), []).append((place, text(row["reason"]) == ""))
    relations: list[Relation] = []
    left: dict[Key, int] = {}

    def tie(before: int, *after: int) -> None:
        rest = counts[before] - sum(counts[place] for place in after)
        if rest >= 0:
            key = ("left", before, *after)
            left[key] = rest
            relations.append(Relation(before, (*after, key)))

    for steps in arms.values():
        remain = [place for place, no_reason in steps if no_reason]
        for before, after in pairwise(remain):
            between = tuple(place for place, _ in steps if before < place < after)
            if counts[before] == counts[after] + sum(counts[place] for place in between):
                relations.append(Relation(before, (*between, after)))
            else:
                tie(before, after, *between)
                tie(before, after)
                for one in between:
                    tie(before, one)
                    tie(one, after)
        rest = [place for place, _ in steps if not remain or place > remain[-1]]
        for before, after in pairwise([*remain[-1:], *rest]):
            tie(before, after)
        if remain and rest:
            tie(remain[-1], *rest)
    return relations, left
