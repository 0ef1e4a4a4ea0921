"""Loading the catalogue: TOML files that ship with the package, each checked whole."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from baseeval.catalogue.checking import MEND, feature_faults, outcome_faults, scale_faults
from baseeval.catalogue.entries import Feature, Outcome, Scale, Source
from baseeval.contracts.base_features import feature_rows
from baseeval.errors import BaseevalError, Problem

Entry = TypeVar("Entry", Source, Scale, Outcome, Feature)


@cache
def known_sources() -> Mapping[str, Source]:
    """Return every source that the catalogue cites, by name.

    Returns
    -------
    mapping of str to Source
    """
    keys = tomllib.loads(_text("sources.toml"))
    rows = [{"name": name, **entry} for name, entry in keys.items()]
    return _by_name(read_entries(rows, Source, "sources.toml"))


@cache
def known_scales() -> Mapping[str, Scale]:
    """Return the keys of scales, by name.

    Returns
    -------
    mapping of str to Scale

    Examples
    --------
    >>> known_scales()["pssm"].reversed
    (3, 6, 9, 12, 16)
    """
    scales = read_entries(tomllib.loads(_text("scales.toml"))["scales"], Scale, "scales.toml")
    _raise(scale_faults(scales, known_sources()))
    return _by_name(scales)


@cache
def known_outcomes() -> Mapping[str, Outcome]:
    """Return the catalogue of outcomes, by name.

    Returns
    -------
    mapping of str to Outcome

    Examples
    --------
    >>> known_outcomes()["attendance"].better
    'higher'
    """
    rows = tomllib.loads(_text("outcomes.toml"))["outcomes"]
    outcomes = read_entries(rows, Outcome, "outcomes.toml")
    _raise(outcome_faults(outcomes, known_scales(), known_sources()))
    return _by_name(outcomes)


@cache
def known_features() -> Mapping[str, Feature]:
    """Return the checklist of what a good base has, by name.

    Returns
    -------
    mapping of str to Feature

    Examples
    --------
    >>> known_features()["shared_breaks"].of
    'base'
    """
    features = read_entries(feature_rows(), Feature, "features.toml")
    _raise(feature_faults(features, known_sources()))
    return _by_name(features)


def read_entries(
    rows: Iterable[Mapping[str, Any]], entry: type[Entry], file: str
) -> tuple[Entry, ...]:
    """Read the entries of a file strictly.

    Parameters
    ----------
    rows : iterable of mapping
        As `tomllib` reads them.
    entry : type
    file : str
        Named in messages.

    Returns
    -------
    tuple of entry

    Raises
    ------
    BaseevalError
        With every fault at once.
    """
    rows = list(rows)
    problems = []
    try:
        entries = TypeAdapter(tuple[entry, ...]).validate_python(rows)  # type: ignore[valid-type]
    except ValidationError as error:
        for detail in error.errors():
            row, *keys = detail["loc"]
            named = rows[int(row)].get("name", f"entry {int(row) + 1}")
            where = f"{file}, {named}, `{'.'.join(str(key) for key in keys)}`"
            problems.append(Problem(where, detail["msg"][:1].lower() + detail["msg"][1:], MEND))
    counts = Counter(row.get("name") for row in rows)
    problems += [
        Problem(f"{file}, {name}", f"{count} entries have this name", "Name each once.")
        for name, count in counts.items()
        if count > 1
    ]
    _raise(problems)
    return entries


def _text(name: str) -> str:
    return files("baseeval.catalogue").joinpath(name).read_text("utf-8")


def _by_name(entries: tuple[Entry, ...]) -> Mapping[str, Entry]:
    return MappingProxyType({entry.name: entry for entry in entries})


def _raise(problems: Iterable[Problem]) -> None:
    found = list(problems)
    if found:
        raise BaseevalError(found)
