"""Find a world file, by path or by built-in name, and read it strictly."""

from __future__ import annotations

import difflib
import tomllib
from importlib import resources
from importlib.resources.abc import Traversable
from os import PathLike, fspath
from pathlib import Path

from pydantic import BaseModel, ValidationError

from baseeval.errors import PlanError, Problem, UsageError
from baseeval.worlds.recipe import WorldRecipe


def read_recipe(world: str | PathLike[str]) -> WorldRecipe:
    """Read a world file strictly.

    Parameters
    ----------
    world : str or path
        A TOML file, or the name of a built-in world.

    Returns
    -------
    WorldRecipe

    Raises
    ------
    UsageError
        No such file, or no built-in world of that name.
    PlanError
        The file breaks the rules of a world; every fault at once.
    """
    source = _find(world)
    try:
        values = tomllib.loads(source.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise PlanError(
            Problem(source.name, f"is not TOML in UTF-8 ({fault})", "Mend that place.")
        ) from fault
    try:
        return WorldRecipe.model_validate(values)
    except ValidationError as faults:
        raise PlanError(_problems(source.name, faults)) from faults


def _find(world: str | PathLike[str]) -> Traversable:
    name = fspath(world)
    path = Path(name)
    if isinstance(world, PathLike) or path.suffix == ".toml" or len(path.parts) != 1:
        if path.is_file():
            return path
        raise UsageError(
            Problem(name, "no such world file", "Name a TOML file or a built-in world.")
        )
    built_in = {file.name.removesuffix(".toml"): file for file in _shipped()}
    if name in built_in:
        return built_in[name]
    likely = difflib.get_close_matches(name, built_in, n=len(built_in), cutoff=0.0)
    raise UsageError(
        Problem(f"world '{name}'", "no built-in world has that name", f"Use {_either(likely)}.")
    )


def _shipped() -> list[Traversable]:
    """List the built-in world files: in the installed package, else in the checkout."""
    folder: Traversable = resources.files("baseeval") / "_shipped" / "worlds"
    if not folder.is_dir():
        folder = Path(__file__).parents[3] / "synthetic_data" / "worlds"
    if not folder.is_dir():
        return []
    files = (file for file in folder.iterdir() if file.name.endswith(".toml"))
    return sorted(files, key=lambda file: file.name)


def _problems(file: str, faults: ValidationError) -> list[Problem]:
    problems = []
    for fault in faults.errors():
        keys = [str(key) for key in fault["loc"]]
        where = f"{file}, {'.'.join(keys)}" if keys else file
        if fault["type"] == "extra_forbidden":
            known = _known(keys[:-1])
            near = difflib.get_close_matches(keys[-1], known, n=1, cutoff=0.0)
            problems.append(Problem(where, "unknown key", f"Did you mean {_either(near)}?"))
        elif fault["type"] == "missing":
            problems.append(Problem(where, "is missing", "Add it, with its source as a comment."))
        else:
            said = fault["msg"].removeprefix("Value error, ")
            problems.append(Problem(where, said[0].lower() + said[1:], "Correct the value."))
    return problems


def _known(keys: list[str]) -> list[str]:
    """List the keys that a world file allows in the table at this place."""
    model: type[BaseModel] = WorldRecipe
    for key in keys:
        inner = model.model_fields[key].annotation if key in model.model_fields else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return list(model.model_fields)


def _either(names: list[str]) -> str:
    return " or ".join(f"'{name}'" for name in names) if names else "another name"
