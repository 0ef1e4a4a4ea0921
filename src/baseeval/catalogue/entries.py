"""What the catalogue holds: an outcome, a scale's key, a feature of a base, a source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

#: How sure a fact is, by the letters of the domain notes.
KNOWN: Mapping[str, str] = {
    "V": "read whole in its source",
    "E": "seen as an excerpt or a summary",
    "M": "general knowledge, to be checked before it is relied on",
    "NF": "looked for and not found",
}

Known = Literal["V", "E", "M", "NF"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Words = Annotated[str, Field(min_length=1)]
Respondent = Literal["pupil", "parent", "staff", "record"]
Sources = Annotated[tuple[Name, ...], Field(min_length=1)]
Range = tuple[float, float]
Items = tuple[Annotated[int, Field(ge=1)], ...]

_CLOSED = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Source:
    """Where something comes from.

    Parameters
    ----------
    name : str
    label : str
        Short, for tables.
    title : str
    known : str
        A key of :data:`KNOWN`: how it was read.
    address : str
        Empty where it is in no public place.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED

    name: Name
    label: Words
    title: Words
    known: Known
    address: str = ""


@dataclass(frozen=True, slots=True)
class Scale:
    """The key of a scale: numbers of items, never their words.

    Parameters
    ----------
    name, title, measures : str
    score : str
        ``mean`` (scored here from its items), ``given`` (comes as a score) or
        ``own`` (the user's key).
    items : int, optional
        How many it has; None where that was not found.
    range : (float, float), optional
        Lowest and highest code of an answer.
    score_range : (float, float), optional
        Of a given score.
    reversed : tuple of int
        Items, by number, worded the other way.
    subscales : mapping of str to tuple of int
    columns : tuple of str
        Headings of the items, in order, in the one public file that has it.
    higher_means : str
    min_answered : float
        Share of the items that must be answered.
    proration, permitted_use : str
    known : str
        How sure the key is: a key of :data:`KNOWN`.
    sources, cautions : tuple of str
    """

    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED

    name: Name
    title: Words
    measures: Words
    score: Literal["mean", "given", "own"]
    higher_means: Words
    proration: Words
    permitted_use: Words
    known: Known
    sources: Sources
    items: Annotated[int, Field(ge=1)] | None = None
    range: Range | None = None
    score_range: Range | None = None
    reversed: Items = ()
    subscales: Mapping[Name, Items] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    min_answered: Annotated[float, Field(gt=0, le=1)] = 0.75
    cautions: tuple[Words, ...] = ()

    def numbers(self, subscale: str = "") -> tuple[int, ...]:
        """Return the numbers of the items of the scale, or of a subscale.

        Parameters
        ----------
        subscale : str

        Returns
        -------
        tuple of int
            Empty where the items are not known.
        """
        return self.subscales[subscale] if subscale else tuple(range(1, (self.items or 0) + 1))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What may have changed, and how it is measured.

    Parameters
    ----------
    name, title, group : str
    asks : str
        What it asks, in our own words.
    respondents : tuple of str
        Who can say it: one at a time, never pooled.
    better : str
        ``higher``, ``lower`` or ``neither``.
    kind : str
        As the study file names it.
    unit : str
    comes_from : str
        Column of a database, register or survey.
    sources : tuple of str
        Where the definition comes from.
    scale, subscale : str
        Key of a scale, where it is made of one.
    level : str
        Whose it is: ``pupil`` or ``school`` (a teacher's or leader's).
    forms : tuple of str
        As the study file names them.
    columns : mapping of str to str
        Key of the study file -> a likely column.
    missed_at_least : float, optional
        Of a binary outcome made from sessions: the share missed from which it is yes.
    counts : str
        Of a binary outcome that a source makes from why there is no result:
        ``entered`` or ``below_standard``.
    order : tuple of str
        Of an ordinal outcome whose words are known, the lowest first.
    cautions : tuple of str
    """

    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED

    name: Name
    title: Words
    group: Name
    asks: Words
    respondents: Annotated[tuple[Respondent, ...], Field(min_length=1)]
    better: Literal["higher", "lower", "neither"]
    kind: Literal["continuous", "sessions", "scale", "binary", "ordinal", "count"]
    unit: Words
    comes_from: Words
    sources: Sources
    scale: str = ""
    subscale: str = ""
    level: Literal["pupil", "school"] = "pupil"
    forms: tuple[Literal["level", "change", "gap"], ...] = ("level",)
    columns: Mapping[Literal["column", "attended", "possible"], Name] = field(default_factory=dict)
    missed_at_least: Annotated[float, Field(gt=0, le=1)] | None = None
    counts: Literal["", "entered", "below_standard"] = ""
    order: tuple[Words, ...] = ()
    cautions: tuple[Words, ...] = ()


@dataclass(frozen=True, slots=True)
class Feature:
    """A mark of a good base, as a column records it.

    Parameters
    ----------
    name, title, group : str
    records : str
        What is recorded.
    kind : str
        ``flag`` (yes, no, or not known apart from no), ``code``, ``number`` or
        ``category``.
    of : str
        ``base`` or ``school``.
    moderator : str
        Whether effects may be read by it: ``yes``, ``if_before`` (as recorded
        before the pupil came) or ``no``.
    sources : tuple of str
    codes : mapping of str to str
    unit : str
    low, high : float, optional
    held : bool
        The contract ``bases`` has a column of its own for it; the others are made columns of
        ``bases`` or ``schools`` by `baseeval.contracts.base_features`.
    cautions : tuple of str
    """

    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED

    name: Name
    title: Words
    group: Name
    records: Words
    kind: Literal["flag", "code", "number", "category"]
    of: Literal["base", "school"]
    moderator: Literal["yes", "if_before", "no"]
    sources: Sources
    codes: Mapping[Name, Words] = field(default_factory=dict)
    unit: str = ""
    low: float | None = None
    high: float | None = None
    held: bool = False
    cautions: tuple[Words, ...] = ()
