"""Pupils whom a design leaves out: where they are few, nothing may be told by a difference."""

from __future__ import annotations

from dataclasses import dataclass

from baseeval.disclosure.flows import Record
from baseeval.disclosure.overlaps import SIDES, key_of
from baseeval.disclosure.profiles import Profile
from baseeval.disclosure.shapes import text, whole

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """Of which pupils a file of balance tells.

    Parameters
    ----------
    hidden : set of tuple of str
        Contrast, design and estimand of the designs whose means after them do not leave.
    counts : dict
        (contrast, side) -> exact pupils of that arm behind each group of means that leaves:
        before a design, and after those that are not hidden. None where that is not known.
    """

    hidden: set[Key]
    counts: dict[tuple[str, str], list[int | None]]

    def gives_few(self, contrast: str, side: str, pupils: int | None, profile: Profile) -> bool:
        """Tell whether means of so many pupils of an arm would, beside these, tell of few."""
        known = self.counts.get((contrast, side))
        return not known or any(_are_few(other, pupils, profile) for other in known)


def leaving_few_out(records: list[Record], profile: Profile) -> Told:
    """Find designs whose means would, beside others in the same file, be those of a few pupils.

    Parameters
    ----------
    records : list of dict
        Exact rows of the balance table, with `rows_first, rows_second`, pupils of each arm
        before the design, and `n_first, n_second`, those whom it uses.
    profile : Profile

    Returns
    -------
    Told
        A design is held against everybody before it and against
        the designs of the same contrast that come earlier and whose means leave: one that uses
        48 of an arm and one that uses 45 of the 48 tell of three as well. That the second's are
        among the first's is not known, and is assumed.
    """
    designs: dict[Key, Record] = {}
    for record in records:
        designs.setdefault(key_of(record), record)
    told = Told(set(), {})
    for key, record in designs.items():
        contrast = text(record["contrast"])
        used = {side: whole(record[f"n_{side}"]) for side in SIDES}
        for side in SIDES:
            known = told.counts.setdefault((contrast, side), [])
            known.append(whole(record.get(f"rows_{side}")))
        if any(told.gives_few(contrast, side, used[side], profile) for side in SIDES):
            told.hidden.add(key)
            continue
        for side in SIDES:
            told.counts[contrast, side].append(used[side])
    return told


def _are_few(one: int | None, other: int | None, profile: Profile) -> bool:
    """Tell whether one group within another may lack few of it, but not nobody."""
    if one is None or other is None:
        return True
    return 0 < abs(one - other) < profile.threshold
