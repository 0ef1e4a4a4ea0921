"""What formulaic makes of a formula, learnt on a few rows that hold every category.

The rows are made up of the table's own numbers and of all its categories. The columns that
`formula_columns` fills in for them are compared with formulaic's own; a side of the formula that
does not agree, or that holds what has no quick way, is left to formulaic altogether.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from formulaic import Formula, SimpleFormula
from formulaic.parser.types import Factor, Term
from numpy.typing import NDArray

from baseeval.models.formula_columns import (
    CodedPart,
    DerivedPart,
    HeldValues,
    NumberPart,
    Part,
    Piece,
    SidePlan,
)
from baseeval.models.formulaic_calls import as_floats, compute, from_codes, materialise

Floats = NDArray[np.float64]

_MARKED = re.compile(r"C\(\s*(?:`([^`]+)`|([^\W\d]\w*))\s*[,)]")
_FEWEST = 32


@dataclass(frozen=True, slots=True)
class FormulaPlan:
    """How every side of a formula becomes columns.

    Parameters
    ----------
    sides : mapping of str to SidePlan
    computed : mapping of str to formulaic.SimpleFormula
        What is left to formulaic, by key.
    """

    sides: Mapping[str, SidePlan]
    computed: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Category:
    """The categories of a column, and whether its values are numbers (as in ``C(year)``)."""

    levels: list[Any]
    numeric: bool


def marked_columns(sides: Mapping[str, Any]) -> set[str]:
    """Return the columns that a formula calls categories by ``C(...)``.

    Parameters
    ----------
    sides : mapping of str to formulaic.SimpleFormula

    Returns
    -------
    set of str
    """
    named = [
        _marked(factor.expr) for side in sides.values() for term in side for factor in term.factors
    ]
    return {name for name in named if name is not None}


def learn_plan(
    sides: Mapping[str, Any],
    numbers: Mapping[str, NDArray[Any]],
    categories: Mapping[str, Category],
    where: str,
) -> FormulaPlan:
    """Ask formulaic, on a few made-up rows, which columns a formula has.

    Parameters
    ----------
    sides : mapping of str to formulaic.SimpleFormula
    numbers : mapping of str to ndarray
        A few values of each column of numbers.
    categories : mapping of str to Category
    where : str
        What a message calls the formula.

    Returns
    -------
    FormulaPlan

    Raises
    ------
    UsageError
        formulaic cannot make the columns.
    """
    sample, values = _made_up(numbers, categories)
    matrices = materialise(Formula(**sides), sample, where)
    plans: dict[str, SidePlan] = {}
    computed: dict[str, Any] = {}
    # a column that two sides share is encoded, and remembered, for the first alone
    states = {k: v for side in sides for k, v in matrices[side].model_spec.encoder_state.items()}
    functions = _functions(sides, states)
    if functions:
        values.held_derived.update(compute(functions, sample, where)[1])
    for side, formula in sides.items():
        matrix = matrices[side]
        plan = _planned(matrix.model_spec, states, categories, values)
        if plan is None or not _agrees(plan, values, as_floats(matrix)):
            columns = tuple(str(name) for name in matrix.model_spec.column_names)
            key = f"~{side}"
            piece = Piece((DerivedPart(key),), 1.0, 0, len(columns))
            plan = SidePlan(columns, (piece,), _intercept(matrix.model_spec))
            computed[key] = formula
        computed |= {key: functions[key] for key in plan.computed if key in functions}
        plans[side] = plan
    return FormulaPlan(plans, computed)


def _made_up(
    numbers: Mapping[str, NDArray[Any]], categories: Mapping[str, Category]
) -> tuple[pd.DataFrame, HeldValues]:
    """Make rows up: real numbers, and every category of every column, in changing company."""
    sizes = [2 * len(category.levels) for category in categories.values()]
    m = max([_FEWEST, *sizes, *map(len, numbers.values())])
    rows = np.arange(m)
    columns: dict[str, Any] = {name: np.resize(held, m) for name, held in numbers.items()}
    codes: dict[str, NDArray[Any]] = {}
    for place, (name, category) in enumerate(categories.items()):
        count = len(category.levels)
        codes[name] = (rows + place * (rows // count)) % count
        if category.numeric:
            columns[name] = np.asarray(category.levels, dtype=columns[name].dtype)[codes[name]]
        else:
            columns[name] = from_codes(codes[name], category.levels)
    held = {name: columns[name] for name in numbers}
    return pd.DataFrame(columns, index=rows), HeldValues(m, held, codes, {})


def _functions(sides: Mapping[str, Any], states: Mapping[str, Any]) -> dict[str, Any]:
    """Return the functions whose values are numbers, each as a formula of its own."""
    factors = [factor for side in sides.values() for term in side for factor in term.factors]
    return {
        factor.expr: SimpleFormula([Term([factor])])
        for factor in factors
        if factor.eval_method is Factor.EvalMethod.PYTHON and _numeric(states, factor)
    }


def _numeric(states: Mapping[str, Any], factor: Factor) -> bool:
    return factor.expr in states and states[factor.expr][0] is Factor.Kind.NUMERICAL


def _planned(
    spec: Any,
    states: Mapping[str, Any],
    categories: Mapping[str, Category],
    values: HeldValues,
) -> SidePlan | None:
    pieces: list[Piece] = []
    start = 0
    for term in spec.structure:
        first = start
        for scoped in term.scoped_terms:
            parts, width = [], 1
            for factor in scoped.factors:
                part = _part(states, factor, categories)
                if part is None:
                    return None
                parts.append(part)
                made = part.columns(values)
                width *= 1 if made.ndim == 1 else made.shape[1]
            pieces.append(Piece(tuple(parts), float(scoped.scale), start, start + width))
            start += width
        if start - first != len(term.columns):
            return None
    names = tuple(str(name) for name in spec.column_names)
    return SidePlan(names, tuple(pieces), _intercept(spec))


def _intercept(spec: Any) -> int | None:
    start = 0
    for term in spec.structure:
        if any(not scoped.factors and scoped.scale == 1 for scoped in term.scoped_terms):
            return start
        start += len(term.columns)
    return None


def _part(
    states: Mapping[str, Any], scoped: Any, categories: Mapping[str, Category]
) -> Part | None:
    factor = scoped.factor.factor
    looked_up = factor.eval_method is Factor.EvalMethod.LOOKUP
    if _numeric(states, factor):
        return NumberPart(factor.expr) if looked_up else DerivedPart(factor.expr)
    if looked_up and factor.expr in categories:  # each against the first, or each for itself
        own = np.eye(len(categories[factor.expr].levels))
        return CodedPart(factor.expr, own[:, 1:] if scoped.reduced else own)
    name = _marked(factor.expr)
    state = states.get(factor.expr, (None, {}))[1]
    if name is None or name not in categories or "contrasts" not in state:
        return None
    # the sparse form is quicker to make than a data frame
    found = state["contrasts"].get_coding_matrix(scoped.reduced, sparse=True).toarray()
    place = {level: k for k, level in enumerate(state["categories"])}
    levels = categories[name].levels
    coding = np.zeros((len(levels), found.shape[1]))
    for k, level in enumerate(levels):
        if level in place:
            coding[k] = found[place[level]]
    return CodedPart(name, coding)


def _agrees(plan: SidePlan, values: HeldValues, wanted: Floats) -> bool:
    made = plan.design(values)
    return made.shape == wanted.shape and bool(
        np.allclose(made, wanted, rtol=1e-12, atol=0, equal_nan=True)
    )


def _marked(expression: str) -> str | None:
    found = _MARKED.match(expression)
    return found[1] or found[2] if found else None
