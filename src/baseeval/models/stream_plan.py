"""A formula on a lazy table: what light queries tell before its rows are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw
from numpy.typing import NDArray

from baseeval.engine.frames import Frame
from baseeval.errors import DataError, Problem, UsageError
from baseeval.models.formula_columns import SidePlan
from baseeval.models.formula_language import parse_formula
from baseeval.models.formula_plan import Category, FormulaPlan, learn_plan, marked_columns
from baseeval.models.formula_sides import FormulaSides, check_names, take_sides

_MOST_CATEGORIES = 1000
_SAMPLED = 64


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """A formula on a lazy table of one grouping factor, or of two that are nested.

    Parameters
    ----------
    sides : FormulaSides
    frame : narwhals LazyFrame
        The rows that count.
    plan : FormulaPlan
    levels : mapping of str to list
        Of the columns of categories.
    groups : tuple of tuple of str
        Columns of each grouping factor.
    counts : tuple of int
        Levels of each.
    owners : tuple of int
        For each factor: 0 the outer, 1 the inner.
    n, left_out : int
        Rows that count, and those that do not.
    weights : str, optional
    """

    sides: FormulaSides
    frame: Frame
    plan: FormulaPlan
    levels: Mapping[str, list[Any]]
    groups: tuple[tuple[str, ...], ...]
    counts: tuple[int, ...]
    owners: tuple[int, ...]
    n: int
    left_out: int
    weights: str | None

    @property
    def fixed(self) -> SidePlan:
        """Return the fixed columns."""
        return self.plan.sides["fixed"]

    @property
    def random(self) -> tuple[SidePlan, ...]:
        """Return the columns of each random term."""
        return tuple(self.plan.sides[key] for key in self.sides.random)

    @property
    def order(self) -> tuple[str, ...]:
        """Return the columns to sort by: the outer factor's, then the inner's."""
        ranked = sorted(zip(self.owners, self.groups, strict=True))
        return tuple(dict.fromkeys(name for _, names in ranked for name in names))


def plan_stream(formula: str, frame: Frame, weights: str | None = None) -> StreamPlan:
    """Plan a model of a lazy table by a few light queries.

    Parameters
    ----------
    formula : str
        With random terms of one grouping factor, or of two nested ones.
    frame : narwhals LazyFrame
    weights : str, optional
        Column of precision weights; rows of weight zero are left out.

    Returns
    -------
    StreamPlan

    Raises
    ------
    UsageError, DataError
        The formula or the columns cannot be used, or the groups cross.
    """
    parsed = parse_formula(formula)
    schema = frame.collect_schema()
    sides = take_sides(parsed, schema.names())
    groups = tuple(dict.fromkeys(term.group for term in parsed.random))
    further = [] if weights is None else [weights]
    check_names(schema.names(), sides, [name for group in groups for name in group], further)
    if len(groups) not in (1, 2):
        remedy = "Name one factor or two nested ones, or bring the table to memory."
        raise UsageError(Problem(sides.where, f"{len(groups)} grouping factors", remedy))
    texts = _texts(sides, schema)
    names = dict.fromkeys([*sides.names, *(n for group in groups for n in group), *further])
    whole = _complete(frame.select(*names), schema, weights)
    rows = _collected(frame.select(nw.len().alias("n")))["n"][0]
    n, counts, owners = _groups(whole, groups, sides.where)
    marked = sorted(marked_columns(sides.sides) | texts)
    levels = {name: _levels(whole, name) for name in marked}
    _refuse(sides, levels, texts)
    numbers = [name for name in sides.names if name not in texts]
    plan = _plan(sides, whole, numbers, levels, texts)
    return StreamPlan(sides, whole, plan, levels, groups, counts, owners, n, rows - n, weights)


def _texts(sides: FormulaSides, schema: Mapping[str, Any]) -> set[str]:
    problems = []
    texts = set()
    for name in sides.names:
        kind = schema[name]
        if isinstance(kind, (nw.String, nw.Categorical, nw.Enum)):
            texts.add(name)
        elif not (kind.is_numeric() or isinstance(kind, nw.Boolean)):
            what = f"it holds {kind}, which is neither a number nor a category"
            remedy = "Count days from one, or code it."
            problems.append(Problem(f"data, column `{name}`", what, remedy))
    if problems:
        raise DataError(problems)
    return texts


def _complete(frame: Frame, schema: Mapping[str, Any], weights: str | None) -> Frame:
    names = frame.collect_schema().names()
    whole = frame.drop_nulls(names)
    for name in names:
        if schema[name].is_float():
            whole = whole.filter(~nw.col(name).is_nan())
    return whole if weights is None else whole.filter(nw.col(weights) > 0)


def _groups(
    frame: Frame, groups: tuple[tuple[str, ...], ...], where: str
) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """Count rows and levels, and find which factor lies within which."""
    n = _collected(frame.select(nw.len().alias("n")))["n"][0]
    if not n:
        raise DataError(Problem("data", "no row has every value", "Fill in or drop columns."))
    counts = tuple(_distinct(frame, group) for group in groups)
    if len(groups) == 1:
        return n, counts, (0,)
    both = _distinct(frame, tuple(dict.fromkeys(groups[0] + groups[1])))
    owners = (0, 1) if counts[0] <= counts[1] else (1, 0)
    if both != max(counts):
        remedy = "Bring the table to memory for a crossed model."
        raise UsageError(Problem(where, "its grouping factors cross", remedy))
    return n, counts, owners


def _distinct(frame: Frame, names: Sequence[str]) -> int:
    return int(_collected(frame.select(*names).unique().select(nw.len().alias("n")))["n"][0])


def _levels(frame: Frame, name: str) -> list[Any]:
    found = _collected(frame.select(name).unique().sort(name).head(_MOST_CATEGORIES + 1))[name]
    return sorted(found)


def _refuse(sides: FormulaSides, levels: Mapping[str, list[Any]], texts: set[str]) -> None:
    problems = []
    if sides.outcome in texts:
        what = "the outcome is text or a category, which has no mean"
        remedy = "Use a column of numbers; code yes and no as 1 and 0."
        problems.append(Problem(f"data, column `{sides.outcome}`", what, remedy))
    for name, found in levels.items():
        where = f"data, column `{name}`"
        if name != sides.outcome and len(found) < 2:
            what = "every row that has all values has the same category"
            problems.append(Problem(where, what, "Leave the column out of the formula."))
        elif len(found) > _MOST_CATEGORIES:
            what = f"it has more than {_MOST_CATEGORIES:,} categories"
            problems.append(Problem(where, what, f"Make it a random term, (1 | {name})."))
    if problems:
        raise DataError(problems)


def _plan(
    sides: FormulaSides,
    frame: Frame,
    numbers: list[str],
    levels: Mapping[str, list[Any]],
    texts: set[str],
) -> FormulaPlan:
    sample: dict[str, NDArray[Any]] = {}
    if numbers:
        held = frame.select(*numbers).head(_SAMPLED).collect("pyarrow")
        sample = {name: held.get_column(name).to_numpy() for name in numbers}
    known = {name: Category(found, name not in texts) for name, found in levels.items()}
    plan = learn_plan(sides.sides, sample, known, sides.where)
    if plan.computed:
        said = ", ".join(f"`{key.lstrip('~')}`" for key in plan.computed)
        remedy = "Make columns of them first, in the table itself."
        raise UsageError(
            Problem(sides.where, f"{said} cannot be computed a part of the rows at a time", remedy)
        )
    return plan


def _collected(frame: Frame) -> dict[str, list[Any]]:
    return dict(frame.collect("pyarrow").to_native().to_pydict())
