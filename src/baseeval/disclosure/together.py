"""Counts of pupils in several tables protected as one, so that no table gives away another's.

The flow is protected by itself, as it would be alone. Here the others are, with
all that it released as known: how many an arm holds, how many of them could be
seen at a wave, were, moved; how many a rule of need lets in.
"""

from __future__ import annotations

from dataclasses import dataclass

from baseeval.disclosure.attritions import attrition_cells, count_key
from baseeval.disclosure.eligibles import need_cells, rule_key
from baseeval.disclosure.flows import WHOLE, Record, flow_cells
from baseeval.disclosure.movements import margin_key, movement_cells, movement_key
from baseeval.disclosure.profiles import Profile
from baseeval.disclosure.protecting import Cells, Key, Relation, protect
from baseeval.disclosure.shapes import SUPPRESSED, text
from baseeval.results import NOT_SEEN

_IN_ARMS = "in any arm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """The tables of counts, exact, as records.

    Parameters
    ----------
    flow, attrition, need_rules, movements : list of dict
        As `Released` documents them; movements from `every_movement`.
    """

    flow: list[Record]
    attrition: list[Record]
    need_rules: list[Record]
    movements: list[Record]


def protect_together(
    counted: Counted, flow: list[Record], profile: Profile
) -> tuple[frozenset[Key], frozenset[str]]:
    """Choose which counts of attrition, rules of need and movements to withhold.

    Parameters
    ----------
    counted : Counted
    flow : list of dict
        The flow as released.
    profile : Profile

    Returns
    -------
    gone : frozenset of key
        Counts that are withheld.
    arms_gone : frozenset of str
        Arms whose size the flow withholds.
    """
    sizes = _arm_rows(counted.flow)
    arms_gone = frozenset(arm for arm, i in sizes.items() if flow[i]["status"] == SUPPRESSED)
    known = flow_cells(counted.flow, profile)
    tables = (
        known,
        attrition_cells(counted.attrition, profile, arms_gone),
        need_cells(counted.need_rules, profile),
        movement_cells(counted.movements, profile, arms_gone),
    )
    web = _Web(
        counts={key: n for cells in tables for key, n in cells.counts.items()},
        relations=[relation for cells in tables for relation in cells.relations],
        unlisted={key for cells in tables for key in cells.unlisted},
    )
    _tie_attrition(web, counted, sizes)
    _tie_movements(web, counted, sizes)
    _tie_needs(web, counted, sizes)
    withheld: set[Key] = {i for i, row in enumerate(flow) if row["status"] == SUPPRESSED}
    withheld |= {key for cells in tables[1:] for key in cells.withheld}
    cells = Cells(
        counts=web.counts,
        relations=web.relations,
        withheld=withheld & set(web.counts),
        unlisted=frozenset(web.unlisted),
        fixed={i for i in range(len(flow)) if i in web.counts},
    )
    return protect(cells, profile), arms_gone


@dataclass(frozen=True, slots=True)
class _Web:
    """Counts, and sums found among them."""

    counts: dict[Key, int]
    relations: list[Relation]
    unlisted: set[Key]

    def tie(self, one: Key, other: Key) -> None:
        """Say that one of two counts holds the other; where they are equal, that too is known."""
        large, small = sorted((one, other), key=lambda key: -self.counts[key])
        rest = self.counts[large] - self.counts[small]
        self.relations.append(
            Relation(large, (small, self.sum_of(rest, large, small)) if rest else (small,))
        )

    def sum_of(self, count: int, *name: Key) -> Key:
        """Add a count that no table holds."""
        key = ("between", *name)
        self.counts[key] = count
        self.unlisted.add(key)
        return key


def _arm_rows(flow: list[Record]) -> dict[str, int]:
    """Find the last row of each arm that says who remains: its size."""
    return {text(row["arm"]): i for i, row in enumerate(flow) if not text(row["reason"])}


def _tie_attrition(web: _Web, counted: Counted, sizes: dict[str, int]) -> None:
    """Who can be seen at a wave is among those who could be at the wave before, and in the arm."""
    before: dict[str, Key] = {arm: i for arm, i in sizes.items() if i in web.counts}
    for row in counted.attrition:
        if text(row["covariate"]):
            continue
        arm = text(row["arm"])
        key = count_key(text(row["wave"]), arm, "pupils")
        if arm in before:
            web.tie(before[arm], key)
        before[arm] = key


def _tie_movements(web: _Web, counted: Counted, sizes: dict[str, int]) -> None:
    """Who is in some arm at a wave was seen there; without attrition, was at least in the arm."""
    for wave, arm in dict.fromkeys((text(r["wave"]), text(r["arm"])) for r in counted.movements):
        seen, lost = (count_key(wave, arm, part) for part in ("n_stayed", "n_lost"))
        size = sizes.get(arm)
        if seen in web.counts:
            web.tie(seen, margin_key(wave, arm))
        elif size in web.counts:
            web.tie(size, margin_key(wave, arm))
        gone = movement_key(wave, arm, NOT_SEEN)
        if lost in web.counts and gone in web.counts:
            web.tie(lost, gone)


def _tie_needs(web: _Web, counted: Counted, sizes: dict[str, int]) -> None:
    """Whom the rule in use lets in is in an arm, or left out for a reason that comes later."""
    arms = [i for arm, i in sizes.items() if arm != WHOLE and i in web.counts]
    if not arms and sizes.get(WHOLE) in web.counts:
        arms = [sizes[WHOLE]]
    used = [rule_key(row) for row in counted.need_rules if row["used"]]
    if not arms or not used:
        return
    total = web.sum_of(sum(web.counts[i] for i in arms), _IN_ARMS)
    web.relations.append(Relation(total, tuple(arms)))
    web.tie(used[0], total)
