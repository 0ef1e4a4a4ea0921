"""How many digits of an answer leave: those that its own standard error makes worth reading."""

from __future__ import annotations

import math

from baseeval.disclosure.flows import Record
from baseeval.disclosure.rounding import DIGITS, significant
from baseeval.disclosure.shapes import number, whole

#: A difference of two means has an intercept and itself; more parameters, and it is adjusted.
_A_DIFFERENCE = 2
_IN_UNITS = ("estimate", "std_error", "ci_low", "ci_high", "ci90_low", "ci90_high")
_IN_SD = ("effect_size", "effect_size_low", "effect_size_high")
#: Below these, a p-value is read as evidence; rounding must not lift one to them.
_LEVELS = (0.05, 0.01, 0.001)
#: The width of a 95% interval in standard errors, about.
_WIDTH = 4.0


def round_answer(record: Record) -> Record:
    """Round what a row of the results estimates by its own standard error.

    With all its digits an estimate over its effect size is the standard deviation of the pupils
    to twelve digits, and only one pair of exact arm sizes fits that; a plain difference of two
    shares gives the counts behind them away.

    Parameters
    ----------
    record : dict
        A row of the results; with `parameters`, where that is known.

    Returns
    -------
    dict
        The estimate, its standard error and intervals, to a hundredth of the leading decimal
        place of the standard error; effect sizes, by theirs. A plain difference of two means has
        a tenth. P-values have three significant digits, those of a plain difference two. No end
        of an interval becomes 0, and no p-value rises to a level that it lies below.

    Examples
    --------
    >>> row = {"estimate": 1.23456, "std_error": 0.34567, "ci_low": 0.0012, "p_value": 0.049996}
    >>> names = (*_IN_UNITS, *_IN_SD, "p_value", "p_adjusted", "smallest_effect", "estimand")
    >>> told = round_answer(dict.fromkeys(names) | row)
    >>> told["estimate"], told["std_error"], told["ci_low"], told["p_value"]
    (1.235, 0.346, 0.001, 0.0499)
    """
    plain = whole(record.get("parameters")) == _A_DIFFERENCE
    told: Record = {"smallest_effect": significant(number(record["smallest_effect"]))}
    for spread, names in (
        (_spread_of_estimate(record), _IN_UNITS),
        (_spread_of_effect(record), _IN_SD),
    ):
        for name in names:
            value, is_end = number(record[name]), name.endswith(("_low", "_high"))
            if math.isfinite(spread) and spread > 0:
                decimals = (1 if plain else 2) - math.floor(math.log10(spread))
                told[name] = _rounded(value, decimals, is_end)
            else:
                told[name] = significant(value)
    for name in ("p_value", "p_adjusted"):
        told[name] = _rounded_chance(number(record[name]), DIGITS - 1 if plain else DIGITS)
    return told


def _rounded(value: float, decimals: int, is_end: bool) -> float:
    """Round; an end of an interval keeps to its side of 0, with one digit more if need be."""
    rounded = round(value, decimals) + 0.0
    if rounded or not value or not is_end:
        return rounded
    least = 10.0 ** -(decimals + 1)
    return round(value, decimals + 1) or math.copysign(least, value)


def _rounded_chance(value: float, digits: int) -> float:
    """Keep so many significant digits, and the side of each level on which a p-value lies."""
    if not (math.isfinite(value) and value > 0):
        return value
    rounded = float(f"{value:.{digits}g}")
    if any(value < level <= rounded for level in _LEVELS):
        place = digits - 1 - math.floor(math.log10(value))
        return round(math.floor(value * 10.0**place) / 10.0**place, place)
    return rounded


def _spread_of_estimate(record: Record) -> float:
    """Give the standard error, or what it would be by the interval."""
    error = number(record["std_error"])
    if math.isfinite(error):
        return error
    return (number(record["ci_high"]) - number(record["ci_low"])) / _WIDTH


def _spread_of_effect(record: Record) -> float:
    """Give a standard error in standard deviations, from the width of the interval."""
    width = number(record["effect_size_high"]) - number(record["effect_size_low"])
    whole_width = number(record["ci_high"]) - number(record["ci_low"])
    error = number(record["std_error"])
    if math.isfinite(error) and math.isfinite(width) and whole_width > 0:
        return error * width / whole_width
    return width / _WIDTH
