"""What a key of a study file takes, in plain words, where something else was written."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, get_args

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

#: Kinds of fault of which the answer is the numbers that may stand there.
_NUMBERS = {
    "float_type",
    "int_type",
    "int_from_float",
    "finite_number",
    "greater_than",
    "greater_than_equal",
    "less_than",
    "less_than_equal",
}

#: Kind of fault -> what is needed.
_OTHERS = {
    "string_type": 'text is needed here, in quotes: "..."',
    "bool_type": "true or false is needed here, without quotes",
    "list_type": "a list is needed here, in square brackets: [...]",
    "dict_type": "names with values are needed here, in braces: { name = ... }",
    "model_type": "a section with keys of its own is needed here",
}


def plain_fault(detail: ErrorDetails, model: type[BaseModel]) -> str:
    """Say in plain words what a key takes.

    Parameters
    ----------
    detail : ErrorDetails
        A fault as pydantic tells it.
    model : type of pydantic.BaseModel
        The section in which it stands.

    Returns
    -------
    str
        Begins with a small letter, without a full stop.
    """
    kind = detail["type"]
    names = [key for key in detail["loc"] if isinstance(key, str)]
    if kind in _NUMBERS:
        field = next(
            (model.model_fields[n] for n in reversed(names) if n in model.model_fields), None
        )
        return f"{_number_of(field)} is needed here"
    if kind in _OTHERS:
        return _OTHERS[kind]
    least = detail.get("ctx", {}).get("min_length")
    if kind in ("too_short", "string_too_short") and least is not None:
        what = "item" if kind == "too_short" else "character"
        return f"at least {least} {what}{' is' if least == 1 else 's are'} needed here"
    message = detail["msg"]
    return message[:1].lower() + message[1:]


def only(is_allowed: Callable[[Any], bool], words: str) -> BeforeValidator:
    """Refuse what a key does not take, with one message for all that can be wrong.

    Parameters
    ----------
    is_allowed : callable
        From the value as written to whether it may stand.
    words : str
        What may stand there, with an example.

    Returns
    -------
    pydantic.BeforeValidator
        An absent value passes.
    """

    def checked(value: Any) -> Any:
        if value is None or is_allowed(value):
            return value
        raise ValueError(words)

    return BeforeValidator(checked)


def is_number(value: object) -> bool:
    """Tell whether a value of a study file is a finite number.

    Examples
    --------
    >>> [is_number(value) for value in (1, -0.2, True, "1", float("inf"))]
    [True, True, False, False, False]
    """
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _number_of(field: FieldInfo | None) -> str:
    """Name the numbers that a field takes, with their range."""
    parts = [] if field is None else [*field.metadata, *_parts(field.annotation)]
    bounds = []
    for bound, words in (
        ("gt", "above"),
        ("ge", "of at least"),
        ("lt", "below"),
        ("le", "of at most"),
    ):
        ends = [getattr(part, bound) for part in parts if hasattr(part, bound)]
        bounds += [f"{words} {end:g}" for end in ends]
    noun = "a whole number" if int in parts and float not in parts else "a number"
    return " ".join([noun, " and ".join(bounds)]).strip()


def _parts(annotation: Any) -> Iterator[Any]:
    """Yield every type and every bound that an annotation is made of."""
    if isinstance(annotation, FieldInfo):
        yield from annotation.metadata
    inner = get_args(annotation) or getattr(annotation, "__metadata__", ())
    if not inner:
        yield annotation
    for part in inner:
        yield from _parts(part)
