"""The words of a check, the same on a terminal and on a page."""

from __future__ import annotations

from baseeval.errors import Fault
from baseeval.reporting.amounts import NOT_SHOWN, counted, number_of
from baseeval.reporting.check_report import CheckReport, FlowStep, TableRead

#: A smaller count of pupils in an arm is not shown, not even to who holds the data.
FEW = 10

MEND = "Must be mended"
LOOK = "To look at"
READ_ALL_THE_SAME = "These stop nothing: they were read as the last column says."
STOPS = "The study cannot run until these are mended."
NOT_FOR_RELEASE = (
    "For whoever holds the data. Not for release: rows are counted exactly, and nothing was "
    "withheld."
)
#: Where no one column is at fault.
WHOLE = "whole file"


def verdict(report: CheckReport) -> str:
    """Say in a sentence or two whether the study can run."""
    stopping, questions = report.stopping, report.questions
    if stopping:
        mend = f"{number_of(stopping, 'fault', 'faults')} must be mended before the study can run."
        if not questions:
            return mend
        ask = number_of(questions, "question", "questions")
        return f"{mend} Besides, {ask} {'stops' if questions == 1 else 'stop'} nothing."
    if questions:
        ask = number_of(questions, "question stops", "questions stop")
        return f"Nothing must be mended. {ask} nothing: look at what was found."
    return "Nothing is wrong: the plan and the data keep their contracts."


def count_of(fault: Fault) -> str:
    """Write how many are at fault; a dash where nothing is counted."""
    return counted(fault.count or None)


def finding(fault: Fault) -> str:
    """Say what was found, less the count that stands beside it."""
    return fault.what.removeprefix(f"{fault.count:,} ") if fault.count else fault.what


def where(fault: Fault) -> str:
    """Name the column, or the part of the study file."""
    return fault.column or WHOLE


def size_of(table: TableRead) -> tuple[str, str]:
    """Write the rows and columns of a table."""
    return counted(table.rows), counted(table.columns)


def pupils_of(step: FlowStep) -> str:
    """Write the pupils of a step."""
    return f"fewer than {FEW}" if 0 < step.pupils < FEW else counted(step.pupils)


def reason_of(step: FlowStep) -> str:
    """Say why pupils left at a step."""
    return step.reason or NOT_SHOWN
