"""The sections that say whose question it is and where the data are."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from baseeval.plan.basics import Column, Label, Section, quoted, raise_all
from baseeval.plan.file_sections import BaseSection, Constant, FileSection, as_files


class StudySection(Section):
    """Who asks what."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    title: Annotated[str, Field(min_length=1)]
    question: str = ""
    schema_: Annotated[Literal[1], Field(alias="schema")] = 1
    seed: Annotated[int, Field(ge=0)] = 1


class DataSection(Section):
    """Where the pupils are.

    `files` holds of each table its files, in order; `columns` and `values` the
    user's own headings and words; `base` who is in a base, where no table of
    placements says so.
    """

    table: Annotated[str, Field(min_length=1)] | None = None
    source: Literal["npd", "mis", "contracts"] | None = None
    files: dict[str, Annotated[list[FileSection], BeforeValidator(as_files)]] = {}
    columns: dict[str, dict[str, Column]] = {}
    values: dict[str, dict[str, dict[str, Constant]]] = {}
    base: BaseSection | None = None
    pseudonym_key: Annotated[str, Field(min_length=1)] | None = None
    blank_sen: Literal["missing", "none"] = "missing"
    pupil: Column = "pupil_id"
    school: Column = "school_id"
    wave: Column | None = None
    waves: list[Label] = []
    baseline_wave: Label | None = None
    sheet: str | None = None
    wide: dict[Annotated[str, Field(min_length=1)], Label] = {}

    @model_validator(mode="before")
    @classmethod
    def _wide_names_a_wave(cls, keys: Any) -> Any:
        """Name the column that a wide table's marks become."""
        return {"wave": "wave", **keys} if isinstance(keys, dict) and keys.get("wide") else keys

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        faults = []
        if self.table is None and self.source is None:
            faults.append("names no data: give `table`, a file beside this one")
        if self.table is not None and self.source is not None:
            faults.append("names both `table` and `source`; give one")
        faults += [
            f"`{key}` is a web address; data are read from files only"
            for key, pattern in self._named()
            if "://" in pattern
        ]
        faults += self._of_a_source()
        faults += self._marks()
        if (self.baseline_wave is not None or self.waves) and self.wave is None:
            key = "`baseline_wave`" if self.baseline_wave is not None else "`waves`"
            faults.append(f"{key} needs `wave`, the column that tells the waves apart")
        if self.waves and self.baseline_wave not in (None, *self.waves):
            faults.append("`baseline_wave` is not among `waves`")
        if len(set(self.waves)) < len(self.waves):
            faults.append("`waves` names a wave twice")
        raise_all(faults)
        return self

    def _named(self) -> list[tuple[str, str]]:
        """Return every file that is named, and the key that names it."""
        one = {
            "table": self.table,
            "pseudonym_key": self.pseudonym_key,
            "base.list": None if self.base is None else self.base.list_,
        }
        of_tables = [(key, one.file) for key, parts in self.files.items() for one in parts]
        return [*((key, name) for key, name in one.items() if name is not None), *of_tables]

    def _marks(self) -> list[str]:
        """Say what is wrong with the marks of a wide table."""
        faults = []
        if self.wide and self.source is not None:
            faults.append("`wide` is for one tidy table; a source makes the waves itself")
        waves = list(self.wide.values())
        if len(set(waves)) < len(waves):
            faults.append("`wide` has two marks for one wave")
        if self.wide and self.baseline_wave not in (None, *waves):
            faults.append("`baseline_wave` is not among the waves of `wide`")
        lost = [wave for wave in waves if self.waves and wave not in self.waves]
        if lost:
            faults.append(f"`waves` does not name {quoted(lost)}, which `wide` does")
        return faults

    def _of_a_source(self) -> list[str]:
        """Say which keys belong to a source, and which to a tidy table."""
        faults = []
        if self.source is None and self.values:
            faults.append("`values` is for the tables of a `source`; take it out")
        if self.source is not None and self.sheet is not None:
            faults.append(
                "`sheet` is for one tidy table; a source has it beside the file: "
                'pupils = { file = "pupils.xlsx", sheet = "Export" }'
            )
        if self.base is not None and self.source not in ("mis", "contracts"):
            faults.append("`base` is for the sources mis and contracts; take it out")
        if self.base is not None and "placements" in self.files:
            faults.append(
                "`base` and the file `placements` both say who is in a base; take one out"
            )
        return faults
