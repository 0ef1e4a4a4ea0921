"""What every section of a study file shares: strictness, labels, faults told at once."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _as_text(value: object) -> object:
    """Read a label as the text that a data file would hold."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, int | float) else value


class Faults(ValueError):
    """All that is wrong with a section, so that one run names it."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("; ".join(faults))


def raise_all(faults: list[str]) -> None:
    """Raise where anything is wrong with a section, with all of it.

    Parameters
    ----------
    faults : list of str

    Raises
    ------
    Faults
    """
    if faults:
        raise Faults(faults)


Label = Annotated[str, BeforeValidator(_as_text)]
Column = Annotated[str, Field(min_length=1)]


def quoted(words: list[str]) -> str:
    """Return words as a list of code.

    Parameters
    ----------
    words : list of str

    Returns
    -------
    str
    """
    return ", ".join(f"`{word}`" for word in words)


class Section(BaseModel):
    """A section read strictly: no unknown key, no value of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
