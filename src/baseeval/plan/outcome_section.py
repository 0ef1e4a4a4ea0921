"""The section of an outcome: what is measured, and what would count as a difference."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from baseeval.plan.basics import Column, Label, Section, raise_all
from baseeval.plan.outcome_keys import outcome_key_faults

Kind = Literal["continuous", "binary", "sessions", "scale", "ordinal", "count"]
Form = Literal["level", "change", "gap"]
Respondent = Literal["pupil", "parent", "staff"]
Mode = Literal["standard", "adapted", "symbols", "interview", "other"]
Contrast = Literal["base_vs_host", "base_vs_non_host", "host_vs_non_host"]
Ends = Annotated[list[float], Field(min_length=2, max_length=2)]


class OutcomeSection(Section):
    """What is measured, and what would count as a difference."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    kind: Kind
    label: str = ""
    column: Column | None = None
    attended: Column | None = None
    possible: Column | None = None
    missed_at_least: Annotated[float, Field(gt=0, le=1)] | None = None
    counts: Literal["entered", "below_standard"] | None = None
    items: list[Column] = []
    labels: dict[str, float] = {}
    reverse: list[Column] = []
    range: Ends | None = None
    min_answered: Annotated[float, Field(gt=0, le=1)] = 0.75
    respondent: Respondent | None = None
    modes: list[Mode] = []
    factors: dict[str, list[Column]] = {}
    order: list[Label] = []
    floor: Literal["below_standard"] | None = None
    forms: Annotated[list[Form], Field(min_length=1)] = ["level"]
    better: Literal["higher", "lower", "neither"] = "higher"
    smallest_effect: Annotated[float, Field(gt=0)] | None = None
    smallest_effect_unit: Literal["sd", "outcome"] = "sd"
    unit: str = ""
    standardise: Literal["no", "cohort"] = "no"
    bounds: Ends | None = None
    comparable: Literal["everywhere", "within_school"] = "everywhere"
    contrasts: list[Contrast] = []

    @model_validator(mode="after")
    def _keys_agree(self) -> Self:
        raise_all(outcome_key_faults(self))
        return self

    def columns(self) -> tuple[str, ...]:
        """Return the columns of the data that this outcome is made from."""
        single = [self.column, self.attended, self.possible]
        return (*(column for column in single if column), *self.items)

    def serves(self, contrast: str) -> bool:
        """Tell whether the outcome is estimated for a contrast: for all, where none is named."""
        return not self.contrasts or contrast in self.contrasts
