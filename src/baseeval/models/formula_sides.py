"""The sides of a formula as formulaic reads them, and the columns that they name."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from formulaic.transforms import TRANSFORMS

from baseeval.errors import Problem, UsageError
from baseeval.models.formula_language import ModelFormula, read_side
from baseeval.plan import nearest

_INSTEAD = {
    "offset": 'Give it as `offset="..."`.',
    "factor": "Write `C(...)`.",
}
_OTHERWISE = "Make a column of it first, or use one of numpy's, such as np.log."


@dataclass(frozen=True, slots=True)
class FormulaSides:
    """A formula's sides.

    Parameters
    ----------
    formula : ModelFormula
    sides : mapping of str to formulaic.SimpleFormula
        response, fixed, and each different left side of the random terms.
    used : mapping of str to frozenset of str
        Columns that each side uses, grouping factors apart.
    functions : frozenset of str
        Functions that no one knows.
    random : tuple of str
        For each random term, which side is its left one.
    """

    formula: ModelFormula
    sides: Mapping[str, Any]
    used: Mapping[str, frozenset[str]]
    functions: frozenset[str]
    random: tuple[str, ...]

    @property
    def where(self) -> str:
        """Return what a message calls the formula."""
        return f"formula `{self.formula.text}`"

    @property
    def names(self) -> tuple[str, ...]:
        """Return the columns that any side uses, grouping factors apart."""
        return tuple(sorted(frozenset().union(*self.used.values())))

    @property
    def outcome(self) -> str | None:
        """Return the column that is the outcome, None where it is computed."""
        (term,) = self.sides["response"]
        (factor,) = term.factors
        return str(factor.expr) if factor.eval_method.value == "lookup" else None


def take_sides(formula: ModelFormula, held: Sequence[str]) -> FormulaSides:
    """Have formulaic read every side of a formula.

    Parameters
    ----------
    formula : ModelFormula
    held : sequence of str
        Columns of the table, which go before functions of the same name.

    Returns
    -------
    FormulaSides

    Raises
    ------
    UsageError
        A side cannot be read, is empty, or the outcome is not one column.
    """
    where = f"formula `{formula.text}`"
    whole = read_side(f"{formula.response} ~ {formula.fixed}", where)
    sides: dict[str, Any] = {"response": whole.lhs, "fixed": whole.rhs}
    lefts = {term.left: f"random{k}" for k, term in enumerate(formula.random)}
    for left, key in lefts.items():
        sides[key] = read_side(left, where)
    problems = []
    terms = list(sides["response"])
    if len(terms) != 1 or len(terms[0].factors) != 1:
        what = f"`{formula.response}` is not one outcome"
        problems.append(Problem(where, what, "Name one column before the `~`."))
    if not list(sides["fixed"]):
        what = "no fixed column is left"
        problems.append(Problem(where, what, "Keep the intercept or name a column."))
    problems += [
        Problem(where, f"the random term of `{left}` has no column", "Write 1 for an intercept.")
        for left, key in lefts.items()
        if not list(sides[key])
    ]
    if problems:
        raise UsageError(problems)
    found = {key: _names(side, held) for key, side in sides.items()}
    return FormulaSides(
        formula,
        sides,
        {key: names for key, (names, _) in found.items()},
        frozenset().union(*(functions for _, functions in found.values())),
        tuple(lefts[term.left] for term in formula.random),
    )


def check_names(
    held: Sequence[str], sides: FormulaSides, groups: Sequence[str], further: Sequence[str]
) -> None:
    """Refuse names that are no column of the table, all at once.

    Parameters
    ----------
    held : sequence of str
        Columns of the table.
    sides : FormulaSides
    groups : sequence of str
        Columns of the grouping factors.
    further : sequence of str
        Columns named beside the formula.

    Raises
    ------
    UsageError
    """
    wanted = dict.fromkeys([*sides.names, *groups, *further])
    problems = [
        Problem("data", f"there is no column `{name}`", nearest(name, [*held]))
        for name in wanted
        if name not in held
    ]
    problems += [
        Problem(sides.where, f"there is no function `{name}`", _INSTEAD.get(name, _OTHERWISE))
        for name in sorted(sides.functions)
    ]
    if problems:
        raise UsageError(problems)


def _names(side: Any, held: Sequence[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the columns that a side uses, and functions that are not known."""
    columns: set[str] = set()
    functions: set[str] = set()
    for factor in (factor for term in side for factor in term.factors):
        if factor.eval_method.value == "lookup":
            columns.add(str(factor.expr))
        elif factor.eval_method.value == "python":
            quoted = dict(enumerate(re.findall(r"`([^`]+)`", factor.expr)))
            plain = factor.expr
            for place, name in quoted.items():
                plain = plain.replace(f"`{name}`", f"_quoted_{place}")
            whole = ast.parse(plain.strip(), mode="eval")
            called = {id(node.func) for node in ast.walk(whole) if isinstance(node, ast.Call)}
            for node in ast.walk(whole):
                if not isinstance(node, ast.Name):
                    continue
                if id(node) in called and node.id not in held:
                    if node.id not in TRANSFORMS and not hasattr(builtins, node.id):
                        functions.add(node.id)
                elif node.id in held or node.id not in TRANSFORMS:
                    columns.add(node.id)
            columns = {_unquoted(name, quoted) for name in columns}
    return frozenset(columns), frozenset(functions)


def _unquoted(name: str, quoted: Mapping[int, str]) -> str:
    found = re.fullmatch(r"_quoted_(\d+)", name)
    return quoted[int(found[1])] if found else name
