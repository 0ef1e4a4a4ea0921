"""Rows of the results table, released: whole answers leave or none of their numbers does."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import product

from baseeval.disclosure.digits import round_answer
from baseeval.disclosure.flows import Record
from baseeval.disclosure.profiles import Profile
from baseeval.disclosure.rounding import released_df, released_effective, round_count
from baseeval.disclosure.shapes import RESULTS, SUPPRESSED, number, text, whole
from baseeval.results import RESULT_KEY

_NUMBERS = tuple(name for name, kind in RESULTS.items() if kind in ("number", "count"))
_SAME_ANSWER = tuple(name for name in RESULT_KEY if name not in ("contrast", "estimand", "target"))
_TRIANGLE = (
    "base_vs_host",
    "host_vs_non_host",
    "base_vs_non_host",
)  # the first two sum to the third


def release_results(records: list[Record], profile: Profile) -> list[Record]:
    """Withhold rows that rest on too few pupils or on one school; round the rest.

    Parameters
    ----------
    records : list of dict
        Rows of the results table with exact counts. Where a row has the
        columns of `baseeval.results.INTERNAL_COLUMNS`, they are held against
        the profile's limits: rows less `parameters`, the few in an arm who
        are unlike most, and the missing values that a bound fills in.
    profile : Profile

    Returns
    -------
    list of dict
        The same rows. A withheld one loses every number, its verdict is
        `cannot_tell` and it carries the flag `suppressed`.
    """
    withheld = {
        i
        for i, record in enumerate(records)
        if must_withhold(record, profile) or _tells_of_few(record, profile)
    }
    withheld |= _no_third_from_two(records, withheld)
    withheld |= _with_their_main(records, withheld)
    return [
        _withheld(record) if i in withheld else _rounded(record, profile)
        for i, record in enumerate(records)
    ]


def must_withhold(record: Record, profile: Profile) -> bool:
    """Tell whether numbers that describe two arms may not leave.

    An unknown count does not pass: what cannot be shown to be enough is not.
    """
    pupils = [whole(record["n_first"]) or 0, whole(record["n_second"]) or 0]
    parameters = whole(record.get("parameters"))
    return (
        min(pupils) < profile.threshold
        or few_schools(record["schools_first"])
        or few_schools(record["schools_second"])
        or (parameters is not None and sum(pupils) - parameters < profile.residual_df)
    )


def _tells_of_few(record: Record, profile: Profile) -> bool:
    """Tell whether a row would give away how many few have, or lack, something.

    A mean times the pupils is the count of those with yes, or of those who have any; and how far
    a bound lies from the main row is the count of values filled in.
    """
    unlike = [whole(record.get(f"unlike_{side}")) for side in ("first", "second")]
    filled = [whole(record.get(f"filled_{side}")) for side in ("first", "second")]
    return any(count is not None and count < profile.threshold for count in unlike) or any(
        count is not None and profile.is_small(count) for count in filled
    )


def _with_their_main(records: list[Record], withheld: set[int]) -> set[int]:
    """Withhold the variants of a row that is withheld: they rest on the same pupils."""
    names = [name for name in RESULT_KEY if name != "variant"]
    keys = [tuple(text(record[name]) for name in names) for record in records]
    gone = {keys[i] for i in withheld if text(records[i]["variant"]) == "main"}
    return {i for i, key in enumerate(keys) if key in gone}


def few_schools(schools: object) -> bool:
    """Tell whether a number rests on one school, or may."""
    return (whole(schools) or 0) < 2


def add_flag(flags: object, flag: str) -> str:
    """Add a code to codes joined by `;`, once."""
    codes = [code for code in text(flags).split(";") if code]
    return ";".join(codes if flag in codes else [*codes, flag])


def _withheld(record: Record) -> Record:
    blank: Record = dict.fromkeys(_NUMBERS)
    if not _says_anything(record):
        return record | blank | {"verdict": "cannot_tell"}
    # That a model failed would tell that all pupils are alike: for a rare event, that it has none.
    # That a gate failed would count a small arm, if a small number of pupils was asked for.
    telling = ("model_failed", "gate_failed")
    known = ";".join(c for c in text(record["flags"]).split(";") if c not in telling)
    flags = add_flag(known, SUPPRESSED)
    return record | blank | {"verdict": "cannot_tell", "flags": flags}


def _says_anything(record: Record) -> bool:
    """Tell an answer from a row of a design or model that failed, which has nothing to withhold."""
    counts = (whole(record["n_first"]), whole(record["n_second"]))
    return any(counts) or not math.isnan(number(record["estimate"]))


def _rounded(record: Record, profile: Profile) -> Record:
    schools = sum(whole(record[f"schools_{side}"]) or 0 for side in ("first", "second"))
    released = record | {"df": released_df(number(record["df"]), schools, profile)}
    for side in ("first", "second"):
        released[f"n_{side}"] = round_count(whole(record[f"n_{side}"]) or 0, profile.base)
        size = number(record[f"n_effective_{side}"])
        released[f"n_effective_{side}"] = released_effective(size, profile)
    return released | round_answer(record)


def _no_third_from_two(records: list[Record], withheld: set[int]) -> set[int]:
    """Withhold another row where two that leave add up to one that does not."""
    groups: dict[tuple[str, ...], dict[str, list[int]]] = {}
    for i, record in enumerate(records):
        answer = tuple(text(record[name]) for name in _SAME_ANSWER)
        group = groups.setdefault(answer, {contrast: [] for contrast in _TRIANGLE})
        if record["contrast"] in group:
            group[str(record["contrast"])].append(i)
    triangles = [
        rows
        for group in groups.values()
        for rows in product(*group.values())
        if _adds_up(records[i] for i in rows)
    ]
    more: set[int] = set()
    pending = True
    while pending:
        pending = False
        for rows in triangles:
            leaving = [i for i in rows if i not in withheld | more]
            if len(leaving) == 2:
                more.add(min(leaving, key=lambda i: _pupils(records[i])))
                pending = True
    return more


def _pupils(record: Record) -> int:
    return (whole(record["n_first"]) or 0) + (whole(record["n_second"]) or 0)


def _adds_up(rows: Iterable[Record]) -> bool:
    one, two, total = (number(row["estimate"]) for row in rows)
    return math.isclose(one + two, total, rel_tol=1e-6, abs_tol=1e-6 * (abs(one) + abs(two)))
