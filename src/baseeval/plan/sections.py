"""The sections of a study file: their keys, and what must hold within each."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Estimand = Literal["ATT", "ATC", "ATE", "ATO"]
Kind = Literal["continuous", "binary", "sessions", "scale", "ordinal", "count"]
Form = Literal["level", "change", "gap"]


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


class EligibilitySection(Section):
    """Who is in the study at all, in every arm alike.

    `columns` names the columns of a tidy table; a source has them under the
    contract's names. `time_zero`, `first_year` and `last_year` are for sources.
    """

    needs: list[Label] = []
    need_rule: Literal["primary", "secondary", "either"] = "primary"
    years: list[Label] = []
    phases: list[Label] = []
    ehcp: Literal["any", "only", "none"] = "any"
    time_zero: Literal["school_entry", "ehcp_issue", "matched_date"] = "school_entry"
    first_year: int | None = None
    last_year: int | None = None
    columns: dict[
        Literal[
            "primary_need",
            "secondary_need",
            "year_group",
            "phase",
            "sen_provision",
            "consent",
            "withdrawn",
        ],
        Column,
    ] = {}

    @model_validator(mode="after")
    def _years_in_order(self) -> Self:
        first, last = self.first_year, self.last_year
        if first is not None and last is not None and first > last:
            raise ValueError("`first_year` comes after `last_year`")
        return self

    def wanted(self) -> tuple[str, ...]:
        """Return the contract's columns that these rules read."""
        needs = {
            "primary": ("primary_need",),
            "secondary": ("secondary_need",),
            "either": ("primary_need", "secondary_need"),
        }
        return (
            *(needs[self.need_rule] if self.needs else ()),
            *(("year_group",) if self.years else ()),
            *(("phase",) if self.phases else ()),
            *(("sen_provision",) if self.ehcp != "any" else ()),
        )


class PlacementSection(Section):
    """Who is placed in a base, by whose word, and which schools host one."""

    source: Literal["census", "spells", "schools"] = "census"
    types: list[Label] = []
    host_at_least: Annotated[int, Field(ge=1)] = 1
    hosts: list[Label] = []
    grace_days: Annotated[int, Field(ge=0)] = 31
    movers: Literal["at_entry", "time_varying", "modal"] = "at_entry"
    comparison: Literal["all", "considered"] = "all"
    already_placed: Literal["keep", "exclude"] = "keep"


class PeersSection(Section):
    """Pupils who are in no arm but belong to someone who is."""

    group: Column
    is_peer: Annotated[list[Label], Field(min_length=1)]
    peer_of: Column | None = None
    year: Column | None = None
    sex: Column | None = None

    @model_validator(mode="after")
    def _some_link(self) -> Self:
        if self.peer_of is None and (self.year is None or self.sex is None):
            raise ValueError(
                "without `peer_of`, peers are taken by school, year and sex: give the columns "
                "`year` and `sex`"
            )
        return self


class ArmsSection(Section):
    """Which labels make which arm."""

    column: Column
    base: list[Label] = []
    host_mainstream: list[Label] = []
    non_host: list[Label] = []
    other: Literal["error", "exclude"] = "error"

    @model_validator(mode="after")
    def _labels_once(self) -> Self:
        labels = [*self.base, *self.host_mainstream, *self.non_host]
        if not labels:
            raise ValueError("no arm has a label; name the labels of at least one arm")
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(f"{quoted(twice)} stands more than once among the arms' labels")
        return self

    def labels(self) -> dict[str, list[str]]:
        """Return the labels of each arm that the plan names."""
        arms = {
            "base": self.base,
            "host_mainstream": self.host_mainstream,
            "non_host": self.non_host,
        }
        return {arm: labels for arm, labels in arms.items() if labels}


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


class Covariate(Section):
    """One covariate, with when it was measured where the plan says."""

    column: Column
    wave: Label | None = None
    date: dt.date | None = None
    kind: Literal["number", "category"] | None = None
    after_placement: bool = False


def _as_covariate(value: object) -> object:
    return {"column": value} if isinstance(value, str) else value


CovariateEntry = Annotated[Covariate, BeforeValidator(_as_covariate)]


class CovariatesSection(Section):
    """What is adjusted for, all of it measured before placement."""

    adjust: list[CovariateEntry] = []
    exact: list[CovariateEntry] = []
    placement_date: dt.date | None = None

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        faults = []
        columns = [covariate.column for covariate in (*self.adjust, *self.exact)]
        twice = sorted({column for column in columns if columns.count(column) > 1})
        if twice:
            faults.append(f"{quoted(twice)} stands more than once in `adjust` and `exact`")
        # The engine does not tell capitals from small letters.
        taken = sorted(name for name in columns if name.lower() in ("pupil", "school", "arm"))
        if taken:
            faults.append(f"{quoted(taken)} is a name that baseeval needs; rename the column")
        dates = {
            c.column: c.date
            for c in (*self.adjust, *self.exact)
            if c.date is not None and not c.after_placement
        }
        placed = self.placement_date
        if dates and placed is None:
            faults.append("a covariate has a `date`, so `placement_date` must be given too")
        late = sorted(column for column, date in dates.items() if placed and date > placed)
        if late:
            faults.append(
                f"{quoted(late)} was measured after `placement_date`; leave it out, or say that "
                "you mean it with `after_placement = true`, and every row will say so"
            )
        raise_all(faults)
        return self


class DesignSection(Section):
    """How the arms are made comparable."""

    estimand: Estimand = "ATT"
    methods: list[str] = []
    caliper: Annotated[float, Field(gt=0)] | None = None
    ratio: Annotated[int, Field(ge=1)] = 1


class AnalysisSection(Section):
    """How effects are estimated."""

    models: Annotated[list[str], Field(min_length=1)] = ["multilevel", "unadjusted"]
    missing: Literal["complete_case", "multiple_imputation"] = "complete_case"


class ReleaseSection(Section):
    """Which rules govern what may leave."""

    profile: str = "srs"
