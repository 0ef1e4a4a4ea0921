"""Errors that teach: what is wrong, where, and what to do about it.

Every error of baseeval carries a list of :class:`Problem`, so that one run
names all that is wrong and not only the first. A message may name a file, a
column and a count; it never holds a pupil's value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and the way out.

    Parameters
    ----------
    where : str
        The file and column, plan key or argument at fault.
    what : str
        What is wrong there, with counts of rows or pupils, never their values.
    remedy : str
        What the reader can do.
    """

    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}. {self.remedy}"


@dataclass(frozen=True, slots=True)
class Fault(Problem):
    """A problem of a table, counted.

    Parameters
    ----------
    where, what, remedy : str
    file : str
        The file or files, as messages name them.
    column : str
        Empty where no one column is at fault.
    rule : str
        Short and fixed name of what is broken.
    count : int
        Rows, pupils or schools.
    stops : bool
        Whether the study cannot go on; otherwise the rows were read as `what` says.
    """

    file: str = ""
    column: str = ""
    rule: str = ""
    count: int = 0
    stops: bool = True


def fault(
    file: str,
    column: str,
    rule: str,
    count: int,
    what: str,
    remedy: str,
    *,
    unit: str = "row",
    verb: str = "have",
    stops: bool = False,
) -> Fault:
    """Word a fault of a table from its count.

    Parameters
    ----------
    file, column, rule : str
    count : int
    what : str
        Completes "3 rows have ...".
    remedy : str
    unit : str
        What is counted, in the singular.
    verb : str
        In the plural: "have" or "hold".
    stops : bool

    Returns
    -------
    Fault

    Examples
    --------
    >>> print(fault("spells.csv", "end", "end_before_start", 2, "an end before the start", "Mend."))
    spells.csv, column `end`: 2 rows have an end before the start. Mend.
    """
    where = f"{file}, column `{column}`" if column else file
    singular = {"have": "has"}.get(verb, f"{verb}s")
    counted = f"1 {unit} {singular}" if count == 1 else f"{count:,} {unit}s {verb}"
    return Fault(where, f"{counted} {what}", remedy, file, column, rule, count, stops)


class BaseevalError(Exception):
    """Base of every error that baseeval raises on purpose.

    Parameters
    ----------
    problems : Problem or sequence of Problem
        All that was found wrong.
    asides : sequence of Problem
        What was found besides and stops nothing; a check shows it, the message
        does not.

    Examples
    --------
    >>> print(PlanError(Problem("study.toml, [data]", "no table is named", "Add `table = ...`.")))
    study.toml, [data]: no table is named. Add `table = ...`.
    """

    exit_code = 1

    def __init__(
        self, problems: Problem | Sequence[Problem], asides: Sequence[Problem] = ()
    ) -> None:
        self.problems: tuple[Problem, ...] = (
            (problems,) if isinstance(problems, Problem) else tuple(problems)
        )
        self.asides = tuple(asides)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UsageError(BaseevalError, ValueError):
    """A command or function was called in a way that it does not allow (exit code 2)."""

    exit_code = 2


class PlanError(BaseevalError):
    """The study file is wrong (exit code 3)."""

    exit_code = 3


class DataError(BaseevalError):
    """The data break a contract (exit code 4)."""

    exit_code = 4


class DisclosureError(BaseevalError):
    """Something would have left that could disclose a pupil (exit code 5)."""

    exit_code = 5


class EstimationError(BaseevalError):
    """A method cannot give an honest answer on these data.

    The path catches it and writes a row that says so; a researcher who calls
    the method directly sees it raised.

    Parameters
    ----------
    problems : Problem or sequence of Problem
    flag : str
        The flag of `baseeval.results.FLAGS` that such a row carries.
    """

    def __init__(self, problems: Problem | Sequence[Problem], flag: str = "design_failed") -> None:
        super().__init__(problems)
        self.flag = flag
