"""What a design method can do, as data: validation, messages and docs read it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DesignSpec:
    """Capabilities of a design method.

    Parameters
    ----------
    name : str
        As the plan names it.
    summary : str
        What it does, in a sentence.
    estimands : tuple of str
        Those it can serve.
    needs_covariates : bool
    source : str
        The paper it follows.
    """

    name: str
    summary: str
    estimands: tuple[str, ...]
    needs_covariates: bool
    source: str
