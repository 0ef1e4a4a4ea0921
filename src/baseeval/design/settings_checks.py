"""Choices of a request that cannot be, named all at once before anything is made."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from baseeval.design.sample import DesignSample
from baseeval.design.settings import Settings
from baseeval.design.spec import DesignSpec
from baseeval.errors import Problem, UsageError


def _number(low: float, high: float = math.inf, *, open_low: bool = False) -> Callable[..., bool]:
    def fits(value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return math.isfinite(value) and (low < value if open_low else low <= value) and value < high

    return fits


def _whole(low: int) -> Callable[..., bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= low


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _unit(value: object) -> bool:
    words = value.values() if isinstance(value, Mapping) else (value,)
    return all(word in ("sd", "raw") for word in words)


def _widths(value: object) -> bool:
    each = value.values() if isinstance(value, Mapping) else (value,)
    return all(_number(-math.inf)(width) for width in each)


def _pairs_kept(value: Any) -> bool:
    return _number(0, open_low=True)(value) and bool(value <= 1 or value == int(value))


def _nested_lists(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(groups, list | tuple) and all(isinstance(g, list | tuple) for g in groups)
        for groups in value.values()
    )


#: Setting -> what fits, and the words for it. A setting of None is not judged.
_FITS: Mapping[str, tuple[Callable[..., bool], str]] = {
    "ratio": (_number(1), "a number from one"),
    "reuse": (_whole(1), "a whole number from one"),
    "caliper": (_widths, "a number, or numbers by the names of columns"),
    "caliper_unit": (_unit, "sd or raw, or these by the names of columns"),
    "subclasses": (_whole(1), "a whole number from one"),
    "min_per_arm": (_whole(0), "a whole number from zero"),
    "schools_each": (_whole(1), "a whole number from one"),
    "keep_schools": (_pairs_kept, "a whole number of pairs from one, or a share up to one"),
    "grouping": (_nested_lists, "lists of lists of levels, by column"),
    "min_controls": (_number(0, open_low=True), "a number above zero"),
    "max_controls": (_number(0, open_low=True), "a number above zero"),
    "tolerance": (_number(0), "a number from zero, in standard deviations"),
    "time_limit": (_number(0, open_low=True), "seconds above zero"),
    "moments": (lambda value: value in (1, 2), "1 or 2"),
    "ridge": (_number(0), "a number from zero"),
    "truncate": (_number(0.5, 1, open_low=True), "a share between a half and one"),
    "largest_share": (_number(0, 1, open_low=True), "a share between zero and one"),
    "seed": (_whole(0), "a whole number from zero"),
    **dict.fromkeys(
        ("replace", "profile", "interactions", "stabilise", "normalise", "estimating_functions"),
        (_flag, "true or false"),
    ),
}


def checked_settings(sample: DesignSample, settings: Settings) -> Settings:
    """Refuse choices that cannot be, and say whom two arms' estimand is about in one way.

    Parameters
    ----------
    sample : DesignSample
    settings : Settings

    Returns
    -------
    Settings
        Of two arms, an ATT of the second is an ATC.

    Raises
    ------
    UsageError
        With every choice that cannot be.
    """
    problems = []
    for name, (fits, words) in _FITS.items():
        value = getattr(settings, name)
        if value is not None and not fits(value):
            problems.append(Problem(name, f"it must be {words}", "Change it, or leave it out."))
    if not isinstance(settings.estimand, str):
        problems.append(Problem("estimand", "it must be a word", "Give ATT, for instance."))
    elif settings.focal is not None and settings.estimand != "ATT":
        problems.append(
            Problem("focal", f"an {settings.estimand} is about no one arm", "Leave it out, or ATT.")
        )
    if problems:
        raise UsageError(problems)
    if len(sample.arms) > 2 or settings.focal is None:
        return settings
    return replace(settings, estimand="ATC" if settings.focal else "ATT", focal=None)


def check_anti_exact(sample: DesignSample, spec: DesignSpec) -> None:
    """Refuse to say what partners must not share to a method that heeds it not.

    Parameters
    ----------
    sample : DesignSample
    spec : DesignSpec

    Raises
    ------
    UsageError
    """
    if sample.anti and not spec.keeps_apart:
        raise UsageError(
            Problem("anti_exact", f"the method `{spec.name}` does not read this", "Leave it out.")
        )
