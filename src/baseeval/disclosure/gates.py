"""What a gate found, and balance among respondents, released."""

from __future__ import annotations

import math
from dataclasses import replace

from baseeval.design.gate import Judged
from baseeval.disclosure.estimates import must_withhold
from baseeval.disclosure.flows import Record
from baseeval.disclosure.overlaps import SIDES, key_of
from baseeval.disclosure.profiles import Profile
from baseeval.disclosure.rounding import released_effective, released_share, round_count
from baseeval.disclosure.shapes import GATE, SUPPRESSED, number, records_of, text, whole
from baseeval.numerics.detectable import detectable_effect

_ASKED = ("outcome", "form", "wave", "contrast")
_OF_RESPONDENTS = (
    *(f"{name}_{side}" for name in ("n", "n_effective", "schools") for side in SIDES),
    "largest_smd",
)


def release_gate(judged: Judged, overlap: list[Record], profile: Profile) -> list[Record]:
    """Withhold what a gate found of small arms; make the rest as coarse as its counts are.

    Parameters
    ----------
    judged : Judged
        With exact counts.
    overlap : list of dict
        The released rows of the overlap table: a largest difference that stands there stands
        here, any other has one decimal.
    profile : Profile

    Returns
    -------
    list of dict
        Of a withheld comparison neither the value nor whether it passed leaves: with a
        threshold of six pupils that would count them.
    """
    shown = {key_of(row): number(row["max_smd_after"]) for row in overlap}
    released = []
    for record in records_of(judged.table, GATE, "gate"):
        if must_withhold(record, profile):
            gone = {"value": None, "passed": "", "status": SUPPRESSED}
            released.append(record | gone)
            continue
        value = _coarse(record, judged, shown.get(key_of(record), math.nan), profile)
        released.append(record | {"value": value, "status": ""})
    return released


def release_respondents(
    records: list[Record], results: list[Record], profile: Profile
) -> list[Record]:
    """Withhold the balance of few respondents, or of those whose row of the results is withheld.

    Parameters
    ----------
    records : list of dict
        From `respondents_balance`, with exact counts.
    results : list of dict
        The released rows of the results table.
    profile : Profile

    Returns
    -------
    list of dict
        The largest difference has two decimals; one where the covariate behind it is a
        category that few have, or lack.
    """
    gone = {
        tuple(text(row[name]) for name in _ASKED)
        for row in results
        if SUPPRESSED in text(row["flags"]).split(";")
    }
    released = []
    for record in records:
        if must_withhold(record, profile) or tuple(text(record[n]) for n in _ASKED) in gone:
            released.append(record | dict.fromkeys(_OF_RESPONDENTS) | {"status": SUPPRESSED})
            continue
        few = number(record["fewest_at_largest"])
        decimals = 2 if math.isnan(few) or not few < profile.threshold else 1
        coarser: Record = {"largest_smd": round(number(record["largest_smd"]), decimals)}
        for side in SIDES:
            coarser[f"n_{side}"] = round_count(whole(record[f"n_{side}"]) or 0, profile.base)
            size = number(record[f"n_effective_{side}"])
            coarser[f"n_effective_{side}"] = released_effective(size, profile)
        released.append(record | coarser | {"status": ""})
    return released


def _coarse(record: Record, judged: Judged, shown: float, profile: Profile) -> float:
    """Make the value of a rule as coarse as the table that it comes from."""
    rule, value = text(record["rule"]), number(record["value"])
    sizes = [whole(record[f"n_{side}"]) or 0 for side in SIDES]
    if rule == "largest_smd":
        return round(value, 1) if math.isnan(shown) else shown
    if rule == "overlap" and math.isfinite(value):
        target = {"ATT": sizes[0], "ATC": sizes[1]}.get(text(record["estimand"]), sum(sizes))
        return released_share(value, target, profile.base)
    if rule == "effective_size":
        return released_effective(value, profile)
    if rule == "smallest_detectable_effect":
        return _detectable(record, judged, sizes, profile.base)
    return value


def _detectable(record: Record, judged: Judged, sizes: list[int], base: int) -> float:
    """Work a smallest detectable effect out from rounded counts, to two significant digits."""
    compared = judged.compared[text(record["contrast"]), text(record["design"])]
    one, two = (
        effective * round_count(size, base) / size
        for effective, size in zip(compared.pupils, sizes, strict=True)
    )
    effect = detectable_effect(replace(compared, pupils=(one, two)), judged.assumed).effect
    return float(f"{effect:.2g}")
