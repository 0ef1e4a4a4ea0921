"""A register of bases, released: places and names stay, small counts of pupils do not.

A base's sources count the same pupils, so one small count withholds them all:
the others would tell what it is. Whether sources differ is told again from
the counts that leave, never from the exact ones, and no total is given from
which a withheld count could be worked out.
"""

from __future__ import annotations

import pandas as pd

from baseeval.disclosure.estimates import add_flag
from baseeval.disclosure.profiles import Profile
from baseeval.disclosure.rounding import round_count, significant
from baseeval.disclosure.shapes import SUPPRESSED, whole
from baseeval.placement.differing import pupil_disagreements, worded_disagreements
from baseeval.placement.registering import PUPIL_COLUMNS, Register, rate_per_100


def release_register(register: Register, profile: Profile) -> Register:
    """Withhold small counts of pupils and round the others.

    Parameters
    ----------
    register : Register
        From `make_register`, with exact counts.
    profile : Profile

    Returns
    -------
    Register
        The same columns. A row that lost a count carries the flag ``suppressed``.
        Rates are recomputed from the counts that leave. Bases at odds with their
        declared type leave only with enough pupils.
    """
    bases = _protected(register.bases, PUPIL_COLUMNS, profile)
    exact = register.disagreements["kind"] == "pupils"
    shown = pd.concat(
        [register.disagreements[~exact], pupil_disagreements(bases)], ignore_index=True
    )
    shown = shown.sort_values(["urn", "base_id"], kind="stable", ignore_index=True)
    bases["disagreements"] = worded_disagreements(bases, shown)
    authorities = _protected(register.authorities, ("pupils",), profile)
    authorities["places_per_100"] = [
        significant(rate_per_100(whole(places), whole(pupils)))
        for places, pupils in zip(authorities["places"], authorities["pupils"], strict=True)
    ]
    return Register(bases, authorities, shown, _large_enough(register.times, profile))


def _large_enough(times: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    large = [not profile.is_small(pupils) for pupils in times["pupils"]]
    kept = times.loc[pd.Series(large, index=times.index, dtype=bool)].reset_index(drop=True)
    kept["pupils"] = [round_count(pupils, profile.base) for pupils in kept["pupils"]]
    kept["mean_share"] = [significant(share) for share in kept["mean_share"]]
    return kept


def _protected(table: pd.DataFrame, columns: tuple[str, ...], profile: Profile) -> pd.DataFrame:
    """Round the counts of each row, or withhold all of them if one is small."""
    released = table.copy()
    counts = [[whole(count) for count in table[column]] for column in columns]
    small = [
        any(count is not None and profile.is_small(count) for count in row)
        for row in zip(*counts, strict=True)
    ]
    for column, values in zip(columns, counts, strict=True):
        kept = [
            None if count is None or hidden else round_count(count, profile.base)
            for count, hidden in zip(values, small, strict=True)
        ]
        released[column] = pd.array(kept, dtype="Int64")
    released["flags"] = [
        add_flag(flags, SUPPRESSED) if hidden else flags
        for flags, hidden in zip(table["flags"], small, strict=True)
    ]
    return released
