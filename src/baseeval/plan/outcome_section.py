"""The section of an outcome: what is measured, and what would count as a difference."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from baseeval.plan.basics import Column, Section, quoted, raise_all

Kind = Literal["continuous", "binary", "sessions", "scale", "ordinal", "count"]
Form = Literal["level", "change", "gap"]


class OutcomeSection(Section):
    """What is measured, and what would count as a difference."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    kind: Kind
    label: str = ""
    column: Column | None = None
    attended: Column | None = None
    possible: Column | None = None
    items: list[Column] = []
    labels: dict[str, float] = {}
    reverse: list[Column] = []
    range: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    min_answered: Annotated[float, Field(gt=0, le=1)] = 0.75
    forms: Annotated[list[Form], Field(min_length=1)] = ["level"]
    better: Literal["higher", "lower", "neither"] = "higher"
    smallest_effect: Annotated[float, Field(gt=0)] | None = None
    smallest_effect_unit: Literal["sd", "outcome"] = "sd"
    unit: str = ""
    standardise: Literal["no", "cohort"] = "no"

    @model_validator(mode="after")
    def _columns_of_the_kind(self) -> Self:
        needs = {"sessions": ("attended", "possible"), "scale": ("items", "range")}
        wanted = needs.get(self.kind, ("column",))
        faults = []
        missing = [key for key in wanted if not getattr(self, key)]
        if missing:
            faults.append(f"an outcome of kind {self.kind!r} needs {quoted(missing)}")
        known = {"column", "attended", "possible", "items", "range", "labels", "reverse"}
        allowed = {*wanted, *({"labels", "reverse"} if self.kind == "scale" else set())}
        stray = sorted(key for key in known - allowed if getattr(self, key))
        if stray:
            faults.append(f"an outcome of kind {self.kind!r} takes no {quoted(stray)}")
        if self.range is not None and not self.range[0] < self.range[1]:
            faults.append("`range` must be [lowest, highest]")
        if self.standardise == "cohort" and self.smallest_effect_unit == "outcome":
            faults.append(
                "`smallest_effect_unit` is `outcome`, and `standardise` measures in SDs of the "
                "school year: give the smallest effect in `sd`"
            )
        strangers = sorted(set(self.reverse) - set(self.items))
        if strangers and "reverse" not in stray:
            faults.append(f"`reverse` names {quoted(strangers)}, not among `items`")
        for key in ("items", "forms", "reverse"):
            if len(set(getattr(self, key))) < len(getattr(self, key)):
                faults.append(f"`{key}` names something twice")
        raise_all(faults)
        return self

    def columns(self) -> tuple[str, ...]:
        """Return the columns of the data that this outcome is made from."""
        single = [self.column, self.attended, self.possible]
        return (*(column for column in single if column), *self.items)
