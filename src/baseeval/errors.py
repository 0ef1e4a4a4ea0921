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


class BaseevalError(Exception):
    """Base of every error that baseeval raises on purpose.

    Parameters
    ----------
    problems : Problem or sequence of Problem
        All that was found wrong.

    Examples
    --------
    >>> print(PlanError(Problem("study.toml, [data]", "no table is named", "Add `table = ...`.")))
    study.toml, [data]: no table is named. Add `table = ...`.
    """

    exit_code = 1

    def __init__(self, problems: Problem | Sequence[Problem]) -> None:
        self.problems: tuple[Problem, ...] = (
            (problems,) if isinstance(problems, Problem) else tuple(problems)
        )
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
