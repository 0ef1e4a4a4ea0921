"""Who is eligible under each rule of need, released: the rules are nested, so differences count."""

from __future__ import annotations

from collections.abc import Collection

from baseeval.disclosure.flows import Record, release_count
from baseeval.disclosure.profiles import Profile
from baseeval.disclosure.protecting import Cells, Key, Relation
from baseeval.disclosure.shapes import text, whole


def need_cells(records: list[Record], profile: Profile) -> Cells:
    """Gather the counts under each rule and, where all three are there, their differences.

    Parameters
    ----------
    records : list of dict
        Rows of `rule, used, pupils, schools` with exact counts. `either` counts
        whom `primary` or `secondary` counts.
    profile : Profile

    Returns
    -------
    Cells
        The keys are those of `rule_key`. Unlisted: who meets one rule alone, or both.
    """
    counts: dict[Key, int] = {rule_key(r): whole(r["pupils"]) or 0 for r in records}
    withheld = {
        rule_key(r)
        for r in records
        if profile.is_small(counts[rule_key(r)]) or whole(r["schools"]) == 1
    }
    one, two, either = (("rule", name) for name in ("primary", "secondary", "either"))
    if not {one, two, either} <= set(counts):
        return Cells(counts=counts, relations=[], withheld=withheld)
    parts: dict[Key, int] = {
        "both needs": counts[one] + counts[two] - counts[either],
        "primary alone": counts[either] - counts[two],
        "secondary alone": counts[either] - counts[one],
    }
    return Cells(
        counts=counts | parts,
        relations=[
            Relation(one, ("both needs", "primary alone")),
            Relation(two, ("both needs", "secondary alone")),
            Relation(either, (one, "secondary alone")),
            Relation(either, (two, "primary alone")),
        ],
        withheld=withheld,
        unlisted=frozenset(parts),
    )


def rule_key(record: Record) -> Key:
    """Name the count under the rule of a row."""
    return ("rule", text(record["rule"]))


def release_need_rules(
    records: list[Record], gone: Collection[Key], profile: Profile
) -> list[Record]:
    """Round the counts that leave.

    Parameters
    ----------
    records : list of dict
        As `need_cells` takes them.
    gone : collection of key
        Counts that are withheld.
    profile : Profile

    Returns
    -------
    list of dict
        The same rows; a withheld one loses its pupils and its schools.
    """
    return [release_count(record, rule_key(record) in gone, profile) for record in records]
