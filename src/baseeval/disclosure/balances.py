"""Balance and overlap, released: no level of a category is read off the others."""

from __future__ import annotations

import math

from baseeval.disclosure.estimates import must_withhold
from baseeval.disclosure.flows import Record
from baseeval.disclosure.left_out import leaving_few_out
from baseeval.disclosure.levels import Held, is_level_small, tied_levels
from baseeval.disclosure.overlaps import SIDES, key_of, release_overlap
from baseeval.disclosure.profiles import Profile
from baseeval.disclosure.rounding import (
    DECIMALS,
    count_behind,
    released_share,
    significant,
)
from baseeval.disclosure.shapes import (
    BALANCE_MORE,
    BALANCE_NUMBERS,
    BALANCE_PARTS,
    SUPPRESSED,
    number,
    text,
    whole,
)
from baseeval.results import WORST_PAIR, balance_band

_NUMBERS = (*BALANCE_NUMBERS.split(), *BALANCE_MORE.split())
#: What is of the pupils whom a design uses.
_AFTER = (*(name for name in _NUMBERS if name.endswith("_after")), "band", "chance")
_COMPARISONS = tuple(name for name in _NUMBERS if not name.startswith("mean_"))
#: Schools of an arm below which the parts between and within schools would tell of single ones.
_SCHOOLS = 10
#: Of a standard error: with more, it gives an arm's exact size away.
_ERROR_DECIMALS = 2


def release_balance(
    records: list[Record], overlap: list[Record], profile: Profile
) -> tuple[list[Record], list[Record]]:
    """Withhold what rests on few; recompute shares from rounded counts.

    Parameters
    ----------
    records : list of dict
        Rows of the balance table with `rows_first, rows_second`, pupils of each
        arm before the design, `n_first, n_second`, those whom it uses, and
        `count_first, count_second`, of these the pupils at the level of a
        category, missing for a number.
    overlap : list of dict
        One row a contrast, design and estimand.
    profile : Profile

    Returns
    -------
    balance, overlap : list of dict
        Without the worst pair of several, which the pairs tell. Where a design leaves out few
        of an arm, what is of those whom it uses is withheld.
    """
    records = [record for record in records if record["contrast"] != WORST_PAIR]
    overlap = [row for row in overlap if row["contrast"] != WORST_PAIR]
    about = {key_of(row): row for row in overlap}
    counts = [_level_counts(record) for record in records]
    gone = {
        i
        for i, record in enumerate(records)
        if _arms_small(record, about.get(key_of(record)), profile)
        or any(is_level_small(held, profile) for held in counts[i])
    }
    categories = [(*key_of(record), text(record["covariate"])) for record in records]
    gone |= tied_levels(categories, counts, gone, profile)
    blank = dict.fromkeys((*_NUMBERS, "band", "chance"))
    hidden = leaving_few_out(records, profile).hidden
    balance = []
    for i, record in enumerate(records):
        if i in gone:
            balance.append(record | blank | {"status": SUPPRESSED})
            continue
        told = _rounded(record, counts[i], about.get(key_of(record)), profile) | {"status": ""}
        if key_of(record) in hidden:
            told |= dict.fromkeys(_AFTER) | {"status": SUPPRESSED}
        balance.append(told)
    return balance, [release_overlap(row, balance, profile) for row in overlap]


def _level_counts(record: Record) -> list[Held]:
    """Pupils at the level, and of the arm, on each side; None where the row is of a number.

    A number that is 0 or 1 is a category: its means are shares of whole
    pupils, or differ by just the Kolmogorov-Smirnov distance.
    """
    sizes = [whole(record[f"n_{side}"]) or 0 for side in SIDES]
    given = [whole(record[f"count_{side}"]) for side in SIDES]
    means = [number(record[f"mean_{side}_before"]) for side in SIDES]
    if None in given and all(0 <= mean <= 1 for mean in means):
        given = [count_behind(mean, size) for mean, size in zip(means, sizes, strict=True)]
        if math.isclose(abs(means[0] - means[1]), number(record["ks_before"]), abs_tol=1e-9):
            given = [round(mean * size) for mean, size in zip(means, sizes, strict=True)]
    return [(None if None in given else c, n) for c, n in zip(given, sizes, strict=True)]


def _arms_small(record: Record, about: Record | None, profile: Profile) -> bool:
    schools = {f"schools_{side}": about and about[f"schools_{side}"] for side in SIDES}
    return must_withhold(record | schools, profile)


def _rounded(record: Record, counts: list[Held], about: Record | None, profile: Profile) -> Record:
    released = dict(record)
    for side, (count, pupils) in zip(SIDES, counts, strict=True):
        for when in ("before", "after"):
            name = f"mean_{side}_{when}"
            mean = number(record[name])
            if math.isfinite(mean):
                share = count is not None
                released[name] = (
                    released_share(mean, pupils, profile.base) if share else significant(mean)
                )
    for name in _COMPARISONS:
        decimals = _ERROR_DECIMALS if name.startswith("se_") else DECIMALS
        released[name] = round(number(record.get(name)), decimals)
    if about is None or min(whole(about[f"schools_{side}"]) or 0 for side in SIDES) < _SCHOOLS:
        released |= dict.fromkeys(BALANCE_PARTS.split())
    if text(record.get("band")):
        released["band"] = balance_band(number(released["smd_after"]))
    return released
