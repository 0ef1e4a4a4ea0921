"""Who was lost, released: rounded counts of each arm, and differences that rest on enough pupils.

Rows without a covariate count an arm at a wave: who could be seen, who was,
who was not. The other rows hold a difference alone, for the exact counts of
those lost at each level of a category would tell far more than rounded ones.
"""

from __future__ import annotations

import math
from collections.abc import Collection

from baseeval.disclosure.flows import WHOLE, Record
from baseeval.disclosure.leavers import few_behind
from baseeval.disclosure.profiles import Profile
from baseeval.disclosure.protecting import Cells, Key, Relation
from baseeval.disclosure.rounding import round_count
from baseeval.disclosure.shapes import SUPPRESSED, number, text, whole

PARTS = ("pupils", "n_stayed", "n_lost")
_SMD_DECIMALS = 2


def attrition_cells(records: list[Record], profile: Profile, arms_gone: Collection[str]) -> Cells:
    """Gather the counts of each arm at each wave and what ties them together.

    Parameters
    ----------
    records : list of dict
        Rows of `wave, arm, covariate, level, pupils, n_stayed, n_lost, smd`
        with exact counts.
    profile : Profile
    arms_gone : collection of str
        Arms whose size is withheld elsewhere: nothing of them leaves here.

    Returns
    -------
    Cells
        The keys are those of `count_key`.
    """
    counts: dict[Key, int] = {}
    withheld: set[Key] = set()
    waves: dict[str, dict[bool, list[str]]] = {}
    relations: list[Relation] = []
    for record in records:
        if text(record["covariate"]):
            continue
        wave, arm = text(record["wave"]), text(record["arm"])
        keys = [count_key(wave, arm, part) for part in PARTS]
        counts |= {key: whole(record[part]) or 0 for key, part in zip(keys, PARTS, strict=True)}
        relations.append(Relation(keys[0], tuple(keys[1:])))
        waves.setdefault(wave, {True: [], False: []})[arm == WHOLE].append(arm)
        withheld |= {k for k in keys if arm in arms_gone or profile.is_small(counts[k])}
    relations += [
        Relation(count_key(wave, total, part), tuple(count_key(wave, a, part) for a in arms[False]))
        for wave, arms in waves.items()
        for total in arms[True]
        for part in PARTS
    ]
    return Cells(counts=counts, relations=relations, withheld=withheld)


def count_key(wave: str, arm: str, part: str) -> Key:
    """Name a count of attrition: one of `PARTS`, of an arm at a wave."""
    return ("attrition", wave, arm, part)


def release_attrition(
    records: list[Record], gone: Collection[Key], profile: Profile, arms_gone: Collection[str]
) -> list[Record]:
    """Round the counts that leave and the differences that rest on enough pupils.

    Parameters
    ----------
    records : list of dict
        As `attrition_cells` takes them.
    gone : collection of key
        Counts that are withheld.
    profile : Profile
    arms_gone : collection of str

    Returns
    -------
    list of dict
        The same rows. Those of a covariate hold no count.
    """
    few = few_behind(records, profile)
    return [
        _of_covariate(record, i in few or text(record["arm"]) in arms_gone)
        if text(record["covariate"])
        else _of_arm(record, gone, profile)
        for i, record in enumerate(records)
    ]


def _of_arm(record: Record, gone: Collection[Key], profile: Profile) -> Record:
    wave, arm = text(record["wave"]), text(record["arm"])
    shown = {
        part: None
        if count_key(wave, arm, part) in gone
        else round_count(whole(record[part]) or 0, profile.base)
        for part in PARTS
    }
    status = SUPPRESSED if None in shown.values() else ""
    return record | shown | {"smd": math.nan, "status": status}


def _of_covariate(record: Record, withheld: bool) -> Record:
    smd = math.nan if withheld else round(number(record["smd"]), _SMD_DECIMALS)
    return (
        record
        | dict.fromkeys(PARTS)
        | {"smd": smd, "level": text(record["level"]), "status": SUPPRESSED if withheld else ""}
    )
