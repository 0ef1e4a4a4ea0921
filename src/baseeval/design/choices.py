"""Refusing a choice that is not there."""

from __future__ import annotations

from baseeval.errors import Problem, UsageError
from baseeval.plan import nearest


def check_choice(argument: str, value: str, allowed: tuple[str, ...]) -> None:
    """Refuse an argument's value that is not among those allowed, naming the nearest.

    Parameters
    ----------
    argument, value : str
    allowed : tuple of str

    Raises
    ------
    UsageError
    """
    if value not in allowed:
        raise UsageError(
            Problem(f"{argument} = {value!r}", "this is not available", nearest(value, [*allowed]))
        )
