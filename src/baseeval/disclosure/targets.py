"""Whom an answer describes, beside all base pupils, released."""

from __future__ import annotations

import math

from baseeval.disclosure.estimates import few_schools
from baseeval.disclosure.flows import Record
from baseeval.disclosure.left_out import Told
from baseeval.disclosure.levels import Held, is_level_small, tied_levels
from baseeval.disclosure.overlaps import key_of
from baseeval.disclosure.profiles import Profile
from baseeval.disclosure.rounding import released_share, significant
from baseeval.disclosure.shapes import SUPPRESSED, number, text, whole

_SMD_DECIMALS = 2
#: Who is described, all base pupils, and those of them who are not described.
_GROUPS = ("described", "base", "left_out")
_NUMBERS = ("mean_described", "mean_base", "smd")


def release_describes(
    records: list[Record], overlap: list[Record], told: Told, profile: Profile
) -> list[Record]:
    """Withhold what rests on few, or would tell of the few whom an answer leaves out.

    Parameters
    ----------
    records : list of dict
        From `describe_target`, with pupils and pupils at the level of each group; those left
        out are missing where the answer is not about base pupils alone. `fewest_left_out`
        are those whom another design leaves out, whose balance leaves too.
    overlap : list of dict
        The released rows of the overlap table: what is withheld there is withheld here.
    told : Told
        From `leaving_few_out`: where means after a design do not leave, nor does whom it describes.
    profile : Profile

    Returns
    -------
    list of dict
        Means of numbers keep three significant digits, shares are recomputed from rounded
        counts, differences keep two decimals.
    """
    shown = {key_of(row) for row in overlap if SUPPRESSED not in text(row["flags"]).split(";")}
    counts = [_held(record) for record in records]
    gone = {
        i
        for i, record in enumerate(records)
        if key_of(record) not in shown
        or key_of(record) in told.hidden
        or few_schools(record["schools_described"])
        or few_schools(record["schools_base"])
        or any(n < profile.threshold for _, n in counts[i])
        or (whole(record["fewest_left_out"]) or profile.threshold) < profile.threshold
        or any(is_level_small(held, profile) for held in counts[i])
    }
    categories = [(*key_of(record), text(record["covariate"])) for record in records]
    gone |= tied_levels(categories, counts, gone, profile)
    return [
        record | dict.fromkeys(_NUMBERS) | {"status": SUPPRESSED}
        if i in gone
        else _rounded(record, counts[i], profile) | {"status": ""}
        for i, record in enumerate(records)
    ]


def _held(record: Record) -> list[Held]:
    held = []
    for group in _GROUPS:
        pupils = whole(record[f"n_{group}"])
        if pupils is not None:
            held.append((whole(record[f"count_{group}"]), pupils))
    return held


def _rounded(record: Record, held: list[Held], profile: Profile) -> Record:
    released: Record = {"smd": round(number(record["smd"]), _SMD_DECIMALS)}
    for group, (count, pupils) in zip(_GROUPS[:2], held[:2], strict=True):
        mean = number(record[f"mean_{group}"])
        if math.isfinite(mean):
            released[f"mean_{group}"] = (
                significant(mean) if count is None else released_share(mean, pupils, profile.base)
            )
    return record | released
