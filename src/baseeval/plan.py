"""The study file: its shape, read strictly, and its hash.

The plan says what is compared before anything is estimated. It knows no
method: whether a design or a model exists is checked by `baseeval.study`
against the methods' own specifications.
"""

from __future__ import annotations

import datetime as dt
import difflib
import hashlib
import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from baseeval.errors import PlanError, Problem

Estimand = Literal["ATT", "ATC", "ATE", "ATO"]
Kind = Literal["continuous", "binary", "sessions", "scale", "ordinal", "count"]
Form = Literal["level", "change", "gap"]

#: Sections that the design keeps for later work.
RESERVED = (
    "eligibility",
    "gate",
    "subgroups",
    "negative_controls",
    "alternatives",
    "families",
)


def _as_text(value: object) -> object:
    """Read a label as the text that a data file would hold."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, int | float) else value


class _Faults(ValueError):
    """All that is wrong with a section, so that one run names it."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("; ".join(faults))


def _raise_all(faults: list[str]) -> None:
    if faults:
        raise _Faults(faults)


Label = Annotated[str, BeforeValidator(_as_text)]
Column = Annotated[str, Field(min_length=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class StudySection(_Section):
    """Who asks what."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    title: Annotated[str, Field(min_length=1)]
    question: str = ""
    schema_: Annotated[Literal[1], Field(alias="schema")] = 1
    seed: Annotated[int, Field(ge=0)] = 1


class DataSection(_Section):
    """Where the pupils are."""

    table: Annotated[str, Field(min_length=1)] | None = None
    source: Literal["npd", "mis", "contracts"] | None = None
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
        if self.table is not None and "://" in self.table:
            faults.append("`table` is a web address; data are read from files only")
        if (self.baseline_wave is not None or self.waves) and self.wave is None:
            key = "`baseline_wave`" if self.baseline_wave is not None else "`waves`"
            faults.append(f"{key} needs `wave`, the column that tells the waves apart")
        if self.waves and self.baseline_wave not in (None, *self.waves):
            faults.append("`baseline_wave` is not among `waves`")
        if len(set(self.waves)) < len(self.waves):
            faults.append("`waves` names a wave twice")
        _raise_all(faults)
        return self


class PeersSection(_Section):
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


class ArmsSection(_Section):
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
            raise ValueError(f"{_quoted(twice)} stands more than once among the arms' labels")
        return self

    def labels(self) -> dict[str, list[str]]:
        """Return the labels of each arm that the plan names."""
        arms = {
            "base": self.base,
            "host_mainstream": self.host_mainstream,
            "non_host": self.non_host,
        }
        return {arm: labels for arm, labels in arms.items() if labels}


class OutcomeSection(_Section):
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

    @model_validator(mode="after")
    def _columns_of_the_kind(self) -> Self:
        needs = {"sessions": ("attended", "possible"), "scale": ("items", "range")}
        wanted = needs.get(self.kind, ("column",))
        faults = []
        missing = [key for key in wanted if not getattr(self, key)]
        if missing:
            faults.append(f"an outcome of kind {self.kind!r} needs {_quoted(missing)}")
        known = {"column", "attended", "possible", "items", "range", "labels", "reverse"}
        allowed = {*wanted, *({"labels", "reverse"} if self.kind == "scale" else set())}
        stray = sorted(key for key in known - allowed if getattr(self, key))
        if stray:
            faults.append(f"an outcome of kind {self.kind!r} takes no {_quoted(stray)}")
        if self.range is not None and not self.range[0] < self.range[1]:
            faults.append("`range` must be [lowest, highest]")
        strangers = sorted(set(self.reverse) - set(self.items))
        if strangers and "reverse" not in stray:
            faults.append(f"`reverse` names {_quoted(strangers)}, not among `items`")
        for key in ("items", "forms", "reverse"):
            if len(set(getattr(self, key))) < len(getattr(self, key)):
                faults.append(f"`{key}` names something twice")
        _raise_all(faults)
        return self

    def columns(self) -> tuple[str, ...]:
        """Return the columns of the data that this outcome is made from."""
        single = [self.column, self.attended, self.possible]
        return (*(column for column in single if column), *self.items)


class Covariate(_Section):
    """One covariate, with when it was measured where the plan says."""

    column: Column
    wave: Label | None = None
    date: dt.date | None = None
    kind: Literal["number", "category"] | None = None


def _as_covariate(value: object) -> object:
    return {"column": value} if isinstance(value, str) else value


CovariateEntry = Annotated[Covariate, BeforeValidator(_as_covariate)]


class CovariatesSection(_Section):
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
            faults.append(f"{_quoted(twice)} stands more than once in `adjust` and `exact`")
        # The engine does not tell capitals from small letters.
        taken = sorted(name for name in columns if name.lower() in ("pupil", "school", "arm"))
        if taken:
            faults.append(f"{_quoted(taken)} is a name that baseeval needs; rename the column")
        dates = {c.column: c.date for c in (*self.adjust, *self.exact) if c.date is not None}
        placed = self.placement_date
        if dates and placed is None:
            faults.append("a covariate has a `date`, so `placement_date` must be given too")
        late = sorted(column for column, date in dates.items() if placed and date > placed)
        if late:
            faults.append(f"{_quoted(late)} was measured after `placement_date`")
        _raise_all(faults)
        return self


class DesignSection(_Section):
    """How the arms are made comparable."""

    estimand: Estimand = "ATT"
    methods: list[str] = []
    caliper: Annotated[float, Field(gt=0)] | None = None
    ratio: Annotated[int, Field(ge=1)] = 1


class AnalysisSection(_Section):
    """How effects are estimated."""

    models: Annotated[list[str], Field(min_length=1)] = ["multilevel", "unadjusted"]
    missing: Literal["complete_case", "multiple_imputation"] = "complete_case"


class ReleaseSection(_Section):
    """Which rules govern what may leave."""

    profile: str = "srs"


class Plan(_Section):
    """A whole study file.

    Attributes
    ----------
    path : pathlib.Path
        Where the plan was read; data files are relative to its folder.
    hash : str
        SHA-256 of the canonical JSON of the keys as written.
    """

    study: StudySection
    data: DataSection
    outcomes: Annotated[list[OutcomeSection], Field(min_length=1)]
    peers: PeersSection | None = None
    arms: ArmsSection | None = None
    covariates: CovariatesSection = CovariatesSection()
    design: DesignSection = DesignSection()
    analysis: AnalysisSection = AnalysisSection()
    release: ReleaseSection = ReleaseSection()
    path: Path = Field(default=Path("study.toml"), exclude=True)
    hash: str = Field(default="", exclude=True)

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        faults = []
        names = [outcome.name for outcome in self.outcomes]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            faults.append(f"outcomes: {_quoted(twice)} is the name of more than one outcome")
        covariates = (*self.covariates.adjust, *self.covariates.exact)
        measured = {c.column for c in covariates if not c.wave}
        for outcome in self.outcomes:
            if "change" in outcome.forms and self.data.baseline_wave is None:
                faults.append(
                    f"outcomes: `{outcome.name}` asks for the form 'change', which needs "
                    "`baseline_wave` in [data]"
                )
            caught = sorted(measured & set(outcome.columns()))
            if caught and self.data.baseline_wave is None:
                faults.append(
                    f"covariates: {_quoted(caught)} belongs to the outcome `{outcome.name}`; only "
                    "its value at an earlier wave may be adjusted for"
                )
            if "gap" in outcome.forms and self.peers is None:
                faults.append(
                    f"outcomes: `{outcome.name}` asks for the form 'gap', which needs [peers]"
                )
        for key, column in self._keys().items():
            if column in {c.column for c in covariates}:
                faults.append(f"covariates: `{column}` says {key}; it cannot be adjusted for")
            faults += [
                f"outcomes: `{outcome.name}` takes `{column}`, which says {key}"
                for outcome in self.outcomes
                if column in outcome.columns()
            ]
        _raise_all(faults)
        return self

    def _keys(self) -> dict[str, str | None]:
        """Return the columns that say whose, where and when a row is, by what they say."""
        return {
            "who the pupil is": self.data.pupil,
            "which school it is": self.data.school,
            "which wave it is": self.data.wave,
            "which arm it is": None if self.arms is None else self.arms.column,
            "who is a peer": None if self.peers is None else self.peers.group,
            "whose peer it is": None if self.peers is None else self.peers.peer_of,
        }


def read_keys(path: Path) -> dict[str, Any]:
    """Read the keys of a study file as they are written.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    dict

    Raises
    ------
    PlanError
        The file is not there, or not TOML.
    """
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError:
        raise PlanError(
            Problem(path.name, "the study file cannot be read", "Check the path.")
        ) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PlanError(Problem(path.name, f"this is not TOML ({error})", "Mend it.")) from None


def plan_from_keys(written: dict[str, Any], path: Path) -> Plan:
    """Build a plan from the keys of a study file, with every fault at once.

    Parameters
    ----------
    written : dict
        The keys as `tomllib` reads them.
    path : pathlib.Path
        Where they stand; named in messages and the root of data paths.

    Returns
    -------
    Plan

    Raises
    ------
    PlanError
    """
    problems = [
        Problem(
            f"{path.name}, [{section}]",
            "this section is reserved for a later version",
            "Take it out for now; nothing else in the study needs it.",
        )
        for section in RESERVED
        if section in written
    ]
    keys = {key: value for key, value in written.items() if key not in RESERVED}
    keys = {key: value for key, value in keys.items() if key not in ("path", "hash")}
    stray = sorted(set(written) & {"path", "hash"})
    problems += [_unknown(f"{path.name}", key, _sections()) for key in stray]
    try:
        plan = Plan.model_validate({**keys, "path": path, "hash": plan_hash(written)})
    except ValidationError as error:
        for detail in error.errors():
            problems += _problems(path.name, detail)
    if problems:
        raise PlanError(problems)
    return plan


def plan_hash(written: dict[str, Any]) -> str:
    """Return the SHA-256 of the canonical JSON of a plan's keys as written.

    Parameters
    ----------
    written : dict
        The keys as `tomllib` reads them.

    Returns
    -------
    str
        64 hexadecimal digits. The order of keys and the layout of the file do
        not matter; every value does.

    Examples
    --------
    >>> plan_hash({"a": 1, "b": 2}) == plan_hash({"b": 2, "a": 1})
    True
    """
    canonical = json.dumps(
        written, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


def nearest(word: str, known: list[str]) -> str:
    """Return a sentence that names the known word nearest to an unknown one.

    Parameters
    ----------
    word : str
    known : list of str

    Returns
    -------
    str

    Examples
    --------
    >>> nearest("adjusts", ["adjust", "exact"])
    'Did you mean `adjust`? Known here: `adjust`, `exact`.'
    """
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    asked = f"Did you mean `{close[0]}`? " if close else ""
    return f"{asked}Known here: {_quoted(known)}."


def _quoted(words: list[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _sections() -> list[str]:
    return [name for name in Plan.model_fields if name not in ("path", "hash")]


def _model_at(location: tuple[int | str, ...]) -> type[BaseModel]:
    """Return the section that a pydantic location points into."""
    model: type[BaseModel] = Plan
    for key in location:
        if isinstance(key, int) or key not in model.model_fields:
            continue
        inner = _section_in(model.model_fields[key].annotation)
        if inner is not None:
            model = inner
    return model


def _section_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in get_args(annotation):
        found = _section_in(part)
        if found is not None:
            return found
    return None


def _known_keys(model: type[BaseModel]) -> list[str]:
    if model is Plan:
        return _sections()
    return [field.alias or name for name, field in model.model_fields.items()]


def _unknown(where: str, key: str, known: list[str]) -> Problem:
    return Problem(where, f"the key `{key}` is not known", nearest(key, known))


def _place(file: str, location: tuple[int | str, ...]) -> str:
    parts: list[str] = []
    for key in location:
        if isinstance(key, int) and parts:
            parts[-1] = f"{parts[-1]} {key + 1}"
        else:
            parts.append(str(key))
    if not parts:
        return file
    return f"{file}, [{parts[0]}]" + "".join(f" {part}" for part in parts[1:])


def _problems(file: str, detail: ErrorDetails) -> list[Problem]:
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, _Faults):
        where = _place(file, detail["loc"])
        return [Problem(where, fault, "Mend the study file.") for fault in cause.faults]
    return [_problem(file, detail)]


def _problem(file: str, detail: ErrorDetails) -> Problem:
    location = detail["loc"]
    if detail["type"] == "extra_forbidden":
        known = _known_keys(_model_at(location[:-1]))
        return _unknown(_place(file, location[:-1]), str(location[-1]), known)
    where = _place(file, location)
    if detail["type"] == "missing":
        return Problem(where, "this is missing", "Add it.")
    if detail["type"] == "literal_error":
        allowed = detail["ctx"]["expected"]
        return Problem(where, "this value is not one of those allowed", f"Use one of: {allowed}.")
    if detail["type"] == "value_error":
        return Problem(where, str(detail["ctx"]["error"]), "Mend the study file.")
    if detail["type"] == "string_pattern_mismatch":
        return Problem(
            where,
            "a name holds something else than lower-case letters, digits and _",
            "Use a name such as `attainment` or `year_7_maths`.",
        )
    message = detail["msg"]
    return Problem(where, message[:1].lower() + message[1:], "Mend the value.")
