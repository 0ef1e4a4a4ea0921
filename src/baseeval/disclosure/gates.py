"""What a gate found, and balance among respondents, released."""

from __future__ import annotations

import math
from dataclasses import replace

from baseeval.design.gate import Judged
from baseeval.disclosure.estimates import must_withhold
from baseeval.disclosure.flows import Record
from baseeval.disclosure.left_out import Told
from baseeval.disclosure.overlaps import SIDES, key_of
from baseeval.disclosure.profiles import Profile
from baseeval.disclosure.rounding import released_effective, released_share, round_count
from baseeval.disclosure.shapes import GATE, SUPPRESSED, number, records_of, text, whole
from baseeval.numerics.detectable import Between, Within, detectable_effect

#: Schools of an arm below which a number of schools' sizes would tell of single ones.
_SCHOOLS = 10
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
        threshold of six pupils that would count them. A smallest detectable effect that its
        coarse form would put on the other side of its limit is withheld, but not that side.
    """
    shown = {key_of(row): number(row["max_smd_after"]) for row in overlap}
    released = []
    for record in records_of(judged.table, GATE, "gate"):
        if must_withhold(record, profile):
            gone = {"value": None, "passed": "", "status": SUPPRESSED}
            released.append(record | gone)
            continue
        value = _coarse(record, judged, shown.get(key_of(record), math.nan), profile)
        told: Record = {"value": value, "status": ""}
        if _contradicts(record, value):
            told = {"value": None, "status": SUPPRESSED}
        released.append(record | told)
    return released


def release_respondents(
    records: list[Record], results: list[Record], told: Told, profile: Profile
) -> list[Record]:
    """Withhold the balance of few respondents, or where few of a design did not respond.

    Parameters
    ----------
    records : list of dict
        From `respondents_balance`, with exact counts.
    results : list of dict
        The released rows of the results table: what is withheld there is withheld here.
    told : Told
        From `leaving_few_out`: of whom the balance of the designs tells, beside which that of the
        respondents would tell of the few who lack the outcome. A contrast that has none there
        does not pass.
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
        # Without a covariate there is no difference to tell by.
        lacking = math.isfinite(number(record["largest_smd"])) and any(
            told.gives_few(text(record["contrast"]), side, whole(record[f"n_{side}"]), profile)
            for side in SIDES
        )
        withheld_there = tuple(text(record[n]) for n in _ASKED) in gone
        if must_withhold(record, profile) or lacking or withheld_there:
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
        return _detectable(record, judged, sizes, profile)
    return value


def _contradicts(record: Record, value: float) -> bool:
    """Tell whether a coarse effect lies on the other side of its limit than the exact one."""
    if text(record["rule"]) != "smallest_detectable_effect":
        return False
    met = value <= number(record["threshold"])
    return text(record["passed"]) == ("no" if met else "yes")


def _detectable(record: Record, judged: Judged, sizes: list[int], profile: Profile) -> float:
    """Work a smallest detectable effect out from rounded counts.

    To two significant digits; where an arm has fewer than ten schools to one, and as if its
    schools were of one size: how unequal they are gives the size of each.
    """
    compared = judged.compared[text(record["contrast"]), text(record["design"])]
    schools = [whole(record[f"schools_{side}"]) or 0 for side in SIDES]
    exact = detectable_effect(compared, judged.assumed).effect
    if min(schools) < _SCHOOLS and math.isfinite(exact):
        one, two = (released_effective(effective, profile) for effective in compared.pupils)
        alike: Between | Within
        if isinstance(compared, Between):
            alike = Between((float(schools[0]), float(schools[1])), (one, two))
        else:
            alike = Within(float(min(schools)), (one, two), round(one + two))
        return float(f"{detectable_effect(alike, judged.assumed).effect:.1g}")
    one, two = (
        effective * round_count(size, profile.base) / size
        for effective, size in zip(compared.pupils, sizes, strict=True)
    )
    effect = detectable_effect(replace(compared, pupils=(one, two)), judged.assumed).effect
    return float(f"{effect:.2g}")
