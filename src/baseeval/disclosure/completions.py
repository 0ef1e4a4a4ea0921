"""Who answered a questionnaire, released: parts that add up, and no need or mode of few by name."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from baseeval.disclosure.flows import WHOLE, Record
from baseeval.disclosure.profiles import Profile
from baseeval.disclosure.protecting import Key
from baseeval.disclosure.responses import PARTS, count_key
from baseeval.disclosure.rounding import round_count
from baseeval.disclosure.shapes import SUPPRESSED, text, whole

#: What needs and modes of few pupils are called together.
OTHER_NEEDS, OTHER_MODES = "other needs", "other modes"

#: Status of a row whose data cannot say who could not be asked.
NOT_RECORDED = "not recorded"


def together_by_need(records: Sequence[Record], profile: Profile) -> list[Record]:
    """Put the needs of few pupils of an arm together.

    Parameters
    ----------
    records : sequence of dict
        Rows of `outcome, wave, arm, need, pupils, answered, could_not_be_asked,
        declined, other` with exact counts; the row of all needs of an outcome,
        wave and arm before the others.
    profile : Profile

    Returns
    -------
    list of dict
        Where there are rows by need, one of `other needs` comes last, also if it
        counts nobody: that it is not there would tell so.
    """
    made: list[Record] = []
    for row in records:
        if text(row["need"]) != WHOLE:
            continue
        same = [r for r in records if count_key(r, "") == count_key(row, "")]
        own = [r for r in same if text(r["need"]) != WHOLE]
        large = [r for r in own if (whole(r["pupils"]) or 0) >= profile.threshold]
        made += [row, *large]
        if own:
            few = [r for r in own if r not in large]
            summed = {part: _sum(few, own, part) for part in ("pupils", *PARTS)}
            made.append(row | summed | {"need": OTHER_NEEDS})
    return made


def together_by_mode(records: Sequence[Record], profile: Profile) -> list[Record]:
    """Put the modes of few pupils of an arm together, also where there are none.

    Parameters
    ----------
    records : sequence of dict
        Rows of `outcome, wave, arm, mode, pupils` with exact counts.
    profile : Profile

    Returns
    -------
    list of dict
    """
    groups: dict[Key, list[Record]] = {}
    for row in records:
        groups.setdefault(count_key(row, ""), []).append(row)
    made: list[Record] = []
    for rows in groups.values():
        large = [r for r in rows if (whole(r["pupils"]) or 0) >= profile.threshold]
        few = [r for r in rows if r not in large]
        made += [*large, rows[0] | {"mode": OTHER_MODES, "pupils": _sum(few, rows, "pupils")}]
    return made


def _sum(records: Sequence[Record], alike: Sequence[Record], part: str) -> int | None:
    """Add a column up; missing where no row has it."""
    if all(whole(row[part]) is None for row in alike):
        return None
    return sum(whole(row[part]) or 0 for row in records)


def release_completion(
    records: Sequence[Record], gone: Collection[Key], profile: Profile
) -> list[Record]:
    """Round the counts that leave of who answered.

    Parameters
    ----------
    records : sequence of dict
        From `together_by_need`, and `recorded`.
    gone : collection of key
        Counts that are withheld.
    profile : Profile

    Returns
    -------
    list of dict
        `status` says suppressed where a count is withheld, and not recorded where the data
        cannot say who could not be asked or declined: such counts are empty.
    """
    released = []
    for row in records:
        need = text(row["need"])
        keys = {"pupils": count_key(row, "size", need)}
        keys |= {part: count_key(row, part, need) for part in PARTS}
        held = {name: whole(row[name]) for name in keys}
        shown = {
            name: None if count is None or keys[name] in gone else round_count(count, profile.base)
            for name, count in held.items()
        }
        lost = any(shown[name] is None and held[name] is not None for name in held)
        told = [SUPPRESSED] * lost + [NOT_RECORDED] * (not row["recorded"])
        released.append(row | shown | {"status": ";".join(told)})
    return released


def release_modes(
    records: Sequence[Record], gone: Collection[Key], profile: Profile
) -> list[Record]:
    """Round the counts that leave of how the questions were put.

    Parameters
    ----------
    records : sequence of dict
        From `together_by_mode`.
    gone : collection of key
    profile : Profile

    Returns
    -------
    list of dict
    """
    released = []
    for row in records:
        lost = count_key(row, "mode", text(row["mode"])) in gone
        count = None if lost else round_count(whole(row["pupils"]) or 0, profile.base)
        released.append(row | {"pupils": count, "status": SUPPRESSED if lost else ""})
    return released
