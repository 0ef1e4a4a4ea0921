"""An outcome of the catalogue as a section to paste into a study file."""

from __future__ import annotations

import difflib
import json
import textwrap
from collections.abc import Iterator

from baseeval.catalogue.entries import Outcome, Scale
from baseeval.catalogue.loading import known_outcomes, known_scales
from baseeval.errors import Problem, UsageError

_WIDTH = 96


def outcome_template(name: str) -> str:
    """Write the section of a study file that asks for an outcome of the catalogue.

    Parameters
    ----------
    name : str
        An outcome of `known_outcomes`.

    Returns
    -------
    str
        TOML. Columns are placeholders: put your own in their place.

    Raises
    ------
    UsageError
        No outcome has that name; the nearest is named.

    Examples
    --------
    >>> print(outcome_template("attendance"))
    # Of the sessions that were possible, how many did the pupil attend?
    [[outcomes]]
    name = "attendance"
    label = "Attendance"
    kind = "sessions"
    attended = "sessions_attended"  # your column
    possible = "sessions_possible"  # your column
    forms = ["level"]
    better = "higher"
    unit = "proportion of sessions"
    # smallest_effect = 0.10  # the smallest difference that would matter, in SD: settle it first
    <BLANKLINE>
    """
    outcomes = known_outcomes()
    if name not in outcomes:
        close = difflib.get_close_matches(name, outcomes, n=1)
        meant = f"Did you mean `{close[0]}`? " if close else ""
        raise UsageError(
            Problem(
                "outcome_template",
                f"no outcome is named `{name}`",
                f"{meant}`known_outcomes()` lists those that are.",
            )
        )
    return "\n".join(_lines(outcomes[name])) + "\n"


def _lines(outcome: Outcome) -> Iterator[str]:
    yield f"# {outcome.asks}"
    yield "[[outcomes]]"
    yield f"name = {_toml(outcome.name)}"
    yield f"label = {_toml(outcome.title)}"
    yield f"kind = {_toml(outcome.kind)}"
    if outcome.kind == "scale":
        yield from _scale_lines(outcome, known_scales()[outcome.scale])
    else:
        columns = outcome.columns or {"column": outcome.name}
        yield from (f"{key} = {_toml(column)}  # your column" for key, column in columns.items())
        yield from _kind_lines(outcome)
    yield f"forms = {_toml(outcome.forms)}"
    yield f"better = {_toml(outcome.better)}"
    if outcome.kind != "ordinal":  # whose unit is the place in the order
        yield f"unit = {_toml(outcome.unit)}"
    yield (
        "# smallest_effect = 0.10  # the smallest difference that would matter, in SD: settle it "
        "first"
    )


def _kind_lines(outcome: Outcome) -> Iterator[str]:
    """Yield the keys of a kind besides its columns."""
    if outcome.missed_at_least is not None:
        yield f"missed_at_least = {outcome.missed_at_least:g}"
    if outcome.counts:
        yield "# From a source, in place of a column of 1 and 0:"
        yield '# column = "ks2_reading_scaled"'
        yield f"# counts = {_toml(outcome.counts)}"
    elif outcome.kind == "binary" and outcome.missed_at_least is None:
        yield '# labels = { "the word" = 1, "the other" = 0 }  # where it holds no yes and no'
    if outcome.order:
        yield f"order = {_toml(outcome.order)}  # lowest first; not where the column holds numbers"
    elif outcome.kind == "ordinal":
        yield '# order = ["the lowest word", "the next"]  # where the column holds words'


def _scale_lines(outcome: Outcome, scale: Scale) -> Iterator[str]:
    if scale.score == "own" or scale.range is None:
        yield 'items = ["item_1", "item_2", "item_3"]  # your columns'
        yield 'reverse = ["item_3"]  # those of them worded the other way'
        yield "range = [1, 5]  # lowest and highest code of an answer"
    else:
        digits, numbers = len(str(scale.items)), scale.numbers()
        heads = scale.columns or [f"{scale.name}_{number:0{digits}}" for number in numbers]
        named = dict(zip(numbers, heads, strict=True))
        asked = scale.numbers(outcome.subscale)
        yield "# Your columns, in the order of the scale's items."
        yield from _array("items", [named[number] for number in asked])
        yield from _array(
            "reverse", [named[number] for number in asked if number in scale.reversed]
        )
        low, high = scale.range
        yield f"range = [{low:g}, {high:g}]"
    yield '# labels = { "the word" = 1, "the next" = 2 }  # where the file holds words'
    yield f"min_answered = {scale.min_answered:g}"


def _array(key: str, names: list[str]) -> Iterator[str]:
    """Yield a list over as many lines as it needs; nothing where it is empty."""
    whole = f"{key} = {_toml(names)}"
    if not names:
        return
    if len(whole) <= _WIDTH:
        yield whole
        return
    yield f"{key} = ["
    yield from textwrap.wrap(
        _toml(names)[1:-1] + ",", _WIDTH - 4, initial_indent="    ", subsequent_indent="    "
    )
    yield "]"


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
