"""Reading a study file strictly: every fault at once, and the hash of what was written."""

from __future__ import annotations

import difflib
import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from baseeval.errors import PlanError, Problem
from baseeval.plan.basics import Faults, quoted
from baseeval.plan.plain_faults import plain_fault
from baseeval.plan.whole import Plan
from baseeval.results import ARMS

#: The wave of a source that lies before time zero.
BASELINE = "0"

#: Sections of a tidy table that a source says elsewhere.
_SAID_ELSEWHERE = {
    "arms": "the placement in [placement]",
    "peers": "whose peer a pupil is in a table, `peers` of [data.files]",
}

#: Sections that the design keeps for later work.
RESERVED = (
    "subgroups",
    "negative_controls",
    "alternatives",
    "families",
)


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
    if _is_source(keys):
        problems += [
            Problem(f"{path.name}, [{section}]", f"a source says {what}", f"Take [{section}] out.")
            for section, what in _SAID_ELSEWHERE.items()
            if section in keys
        ]
        keys = _with_own_keys({k: v for k, v in keys.items() if k not in _SAID_ELSEWHERE})
    try:
        plan = Plan.model_validate({**keys, "path": path, "hash": plan_hash(written)})
    except ValidationError as error:
        for detail in error.errors():
            problems += _problems(path.name, detail)
    if problems:
        raise PlanError(problems)
    return plan


def _is_source(keys: dict[str, Any]) -> bool:
    data = keys.get("data")
    return isinstance(data, dict) and isinstance(data.get("source"), str)


def _with_own_keys(keys: dict[str, Any]) -> dict[str, Any]:
    """Add what a source decides itself: its waves count from time zero, its arms are named."""
    data = {"wave": "wave", "baseline_wave": BASELINE, **keys["data"]}
    arms = {"column": "arm", **{arm: [arm] for arm in ARMS}, "other": "exclude"}
    own: dict[str, Any] = {"placement": {}, "eligibility": {}, "arms": arms}
    placement = keys.get("placement", {})
    if keys["data"]["source"] == "mis" and isinstance(placement, dict):
        # No national flag shows a trust's own base: its own list of places does.
        keys = {**keys, "placement": {"source": "spells", **placement}}
    files = keys["data"].get("files")
    if isinstance(files, dict) and "peers" in files:
        own["peers"] = {"group": "is_peer", "is_peer": ["1"], "peer_of": "peer_of"}
    return {
        **keys,
        **{name: keys.get(name, section) for name, section in own.items()},
        "data": data,
    }


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
    return f"{asked}Known here: {quoted(known)}."


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
    if isinstance(cause, Faults):
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
    return Problem(where, plain_fault(detail, _model_at(location)), "Mend the value.")
