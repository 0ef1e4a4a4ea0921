"""What `baseeval check` found: what was read, what must be mended, and what to look at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from baseeval.errors import Fault, Problem


@dataclass(frozen=True, slots=True)
class TableRead:
    """A table that was read.

    Parameters
    ----------
    name : str
        Such as ``pupils``.
    label : str
        The file or files, as the faults name them.
    rows, columns : int
    files : tuple of str
        The names of the files; none where a frame was given in their place.
    """

    name: str
    label: str
    rows: int
    columns: int
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FlowStep:
    """Pupils and schools at one step of the cohort.

    Parameters
    ----------
    step, arm : str
    pupils, schools : int
    reason : str
        Why they left; empty for those who remain.
    """

    step: str
    arm: str
    pupils: int
    schools: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FileFaults:
    """The faults of one file, worst first, then by column.

    Parameters
    ----------
    file : str
        The file or files, as messages name them.
    stopping : tuple of Fault
        What must be mended: until then the study cannot go on.
    questions : tuple of Fault
        What was counted, and read as its remedy says.
    """

    file: str
    stopping: tuple[Fault, ...]
    questions: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check found.

    Parameters
    ----------
    title : str
        The study's, or its file's name.
    tables : tuple of TableRead
    files : tuple of FileFaults
        Those with something to mend first, then as they came.
    notes : tuple of str
    flow : tuple of FlowStep
        Where the data can be read.
    """

    title: str
    tables: tuple[TableRead, ...]
    files: tuple[FileFaults, ...]
    notes: tuple[str, ...]
    flow: tuple[FlowStep, ...]

    @property
    def stopping(self) -> int:
        """The number of faults that must be mended."""
        return sum(len(file.stopping) for file in self.files)

    @property
    def questions(self) -> int:
        """The number of questions to look at."""
        return sum(len(file.questions) for file in self.files)


def make_check(
    faults: Iterable[Problem],
    tables: Sequence[TableRead] = (),
    notes: Sequence[str] = (),
    flow: Sequence[FlowStep] = (),
    title: str = "",
) -> CheckReport:
    """Put in order what a check found.

    Parameters
    ----------
    faults : iterable of Problem
        A `Fault` stops or not, as it says; any other problem stops. One that is
        given twice is shown once.
    tables : sequence of TableRead
    notes : sequence of str
    flow : sequence of FlowStep
    title : str

    Returns
    -------
    CheckReport

    Examples
    --------
    >>> missing = Problem("study.toml, [data]", "no table is named", "Add `table = ...`.")
    >>> found = make_check([missing], title="A study")
    >>> found.stopping, found.questions, found.files[0].file
    (1, 0, 'study.toml')
    """
    by_file: dict[str, list[Fault]] = {}
    for fault in dict.fromkeys(map(_placed, faults)):
        by_file.setdefault(fault.file, []).append(fault)
    files = [
        FileFaults(
            file,
            tuple(sorted((fault for fault in found if fault.stops), key=_worst_first)),
            tuple(sorted((fault for fault in found if not fault.stops), key=_worst_first)),
        )
        for file, found in by_file.items()
    ]
    files.sort(key=lambda file: not file.stopping)
    return CheckReport(title, tuple(tables), tuple(files), tuple(notes), tuple(flow))


def _placed(problem: Problem) -> Fault:
    """Say of every problem in which file it is."""
    file, _, place = problem.where.partition(", ")
    if isinstance(problem, Fault) and problem.file:
        return problem
    column = problem.column if isinstance(problem, Fault) else place
    rest = (problem.rule, problem.count, problem.stops) if isinstance(problem, Fault) else ()
    return Fault(problem.where, problem.what, problem.remedy, file, column, *rest)


def _worst_first(fault: Fault) -> tuple[bool, int, str, str]:
    """Order what has no count, so that nothing can be read of it, before the largest count."""
    return bool(fault.count), -fault.count, fault.column, fault.what
