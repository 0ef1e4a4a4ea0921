"""The sections that say whose question it is and where the data are."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from baseeval.plan.basics import Column, Label, Section, raise_all


class StudySection(Section):
    """Who asks what."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    title: Annotated[str, Field(min_length=1)]
    question: str = ""
    schema_: Annotated[Literal[1], Field(alias="schema")] = 1
    seed: Annotated[int, Field(ge=0)] = 1


class DataSection(Section):
    """Where the pupils are."""

    table: Annotated[str, Field(min_length=1)] | None = None
    source: Literal["npd", "mis", "contracts"] | None = None
    files: dict[str, Annotated[str, Field(min_length=1)]] = {}
    columns: dict[str, dict[str, Column]] = {}
    blank_sen: Literal["missing", "none"] = "missing"
    pupil: Column = "pupil_id"
    school: Column = "school_id"
    wave: Column | None = None
    waves: list[Label] = []
    baseline_wave: Label | None = None
    sheet: str | None = None

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        faults = []
        if self.table is None and self.source is None:
            faults.append("names no data: give `table`, a file beside this one")
        if self.table is not None and self.source is not None:
            faults.append("names both `table` and `source`; give one")
        named = {"table": self.table or "", **self.files}
        faults += [
            f"`{key}` is a web address; data are read from files only"
            for key, pattern in named.items()
            if "://" in pattern
        ]
        if (self.baseline_wave is not None or self.waves) and self.wave is None:
            key = "`baseline_wave`" if self.baseline_wave is not None else "`waves`"
            faults.append(f"{key} needs `wave`, the column that tells the waves apart")
        if self.waves and self.baseline_wave not in (None, *self.waves):
            faults.append("`baseline_wave` is not among `waves`")
        if len(set(self.waves)) < len(self.waves):
            faults.append("`waves` names a wave twice")
        raise_all(faults)
        return self
