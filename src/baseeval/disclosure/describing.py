"""What each arm looks like, released: means of enough pupils, never a smallest or largest value."""

from __future__ import annotations

import math

from baseeval.disclosure.estimates import few_schools
from baseeval.disclosure.flows import WHOLE, Record
from baseeval.disclosure.profiles import Profile
from baseeval.disclosure.protecting import Cells, Key, Relation, protect
from baseeval.disclosure.rounding import count_behind, released_share, round_count, significant
from baseeval.disclosure.shapes import SUPPRESSED, number, text, whole
from baseeval.measures.kinds import RANK

_PERCENTILES = {"p25": 0.25, "p50": 0.50, "p75": 0.75}
_SPREAD = ("mean", "sd", *_PERCENTILES)


def release_descriptions(records: list[Record], profile: Profile) -> list[Record]:
    """Withhold and coarsen the description of each outcome in each arm.

    Parameters
    ----------
    records : list of dict
        Rows of `outcome, form, wave, arm, pupils, schools, missing, mean, sd,
        p25, p50, p75, unit` with exact counts. Where a row has `unlike`, the pupils whose value
        is another than the one that at least half share, that is held against the threshold.
    profile : Profile

    Returns
    -------
    list of dict
        The same rows; `status` says suppressed where any of their cells is withheld.
    """
    arms = _withheld(records, "pupils", profile, set())
    missing = _withheld(records, "missing", profile, arms)
    released = [_released(r, i in arms, i in missing, profile) for i, r in enumerate(records)]
    return _without_known_means(released)


def _withheld(records: list[Record], column: str, profile: Profile, already: set[int]) -> set[int]:
    """Rows whose count in this column is withheld, for its own sake or to protect another."""
    counts: dict[Key, int] = {}
    groups: dict[tuple[str, ...], dict[bool, list[int]]] = {}
    for i, record in enumerate(records):
        count = whole(record[column])
        if count is not None:
            counts[i] = count
            name = tuple(text(record[key]) for key in ("outcome", "form", "wave"))
            group = groups.setdefault(name, {True: [], False: []})
            group[text(record["arm"]) == WHOLE].append(i)
    own = {i for i in range(len(records)) if i in counts and profile.is_small(counts[i])}
    if column == "pupils":
        own |= {i for i, r in enumerate(records) if i in counts and few_schools(r["schools"])}
    gone: set[int] = set(already)
    for group in groups.values():
        rows = [*group[True], *group[False]]
        cells = Cells(
            counts={i: counts[i] for i in rows},
            relations=[Relation(total, tuple(group[False])) for total in group[True]],
            withheld=[i for i in rows if i in own | already],
        )
        hidden = protect(cells, profile)
        gone |= {i for i in rows if i in hidden}
    return gone


def _released(record: Record, arm_gone: bool, missing_gone: bool, profile: Profile) -> Record:
    pupils, missing = whole(record["pupils"]), whole(record["missing"])
    if arm_gone or pupils is None:
        blank = dict.fromkeys(["pupils", "schools", "missing", *_SPREAD])
        return record | blank | {"status": SUPPRESSED}
    numbers = _numbers({name: number(record[name]) for name in _SPREAD}, pupils, profile)
    unlike = whole(record.get("unlike"))
    may_tell = unlike == 0 and number(record["mean"]) == 0 and not profile.zeros_disclosive
    if unlike is not None and unlike < profile.threshold and not may_tell:
        numbers = dict.fromkeys(_SPREAD, math.nan)
    lost = any(
        math.isnan(numbers[name]) and not math.isnan(number(record[name])) for name in _SPREAD
    )
    return record | {
        "pupils": round_count(pupils, profile.base),
        "missing": None if missing_gone or missing is None else round_count(missing, profile.base),
        **numbers,
        "status": SUPPRESSED if lost or missing_gone else "",
    }


def _without_known_means(records: list[Record]) -> list[Record]:
    """Withhold places in an order of all arms where that of one is: their mean is one half."""
    keys = [tuple(text(r[name]) for name in ("outcome", "form", "wave")) for r in records]
    hidden = {
        key
        for key, record in zip(keys, records, strict=True)
        if record["unit"] == RANK and math.isnan(number(record["mean"]))
    }
    return [
        record | dict.fromkeys(_SPREAD) | {"status": SUPPRESSED} if key in hidden else record
        for key, record in zip(keys, records, strict=True)
    ]


def _numbers(exact: dict[str, float], pupils: int, profile: Profile) -> dict[str, float]:
    """Mean, spread and percentiles as they may leave; NaN for those that may not."""
    nothing = dict.fromkeys(exact, math.nan)
    count = count_behind(exact["mean"], pupils)
    if count is not None and _of_two(
        exact, pupils
    ):  # a yes or no written as 1 or 0, or everybody at an end of a scale
        if profile.is_small(count) or pupils - count < profile.threshold:
            return nothing
        share = released_share(exact["mean"], pupils, profile.base)
        return nothing | {"mean": share, "sd": significant(math.sqrt(share * (1 - share)))}
    if exact["sd"] == 0:  # all alike: the mean is everybody's value
        return nothing
    return {
        name: significant(value)
        if math.isfinite(value) and _enough(name, pupils, profile)
        else math.nan
        for name, value in exact.items()
    }


def _of_two(exact: dict[str, float], pupils: int) -> bool:
    """Tell whether the spread is near that of zeros and ones.

    Counts of something rare may have such a mean as well, with a larger spread.
    """
    spread = math.sqrt(exact["mean"] * (1 - exact["mean"]) * pupils / max(pupils - 1, 1))
    return not math.isfinite(exact["sd"]) or math.isclose(exact["sd"], spread, rel_tol=0.1)


def _enough(name: str, pupils: int, profile: Profile) -> bool:
    """Ask of a percentile the threshold's number of pupils on each side of it."""
    share = _PERCENTILES.get(name, 1.0)
    return name not in _PERCENTILES or pupils * min(share, 1 - share) >= profile.threshold
