"""A check as one page, for whoever holds the data."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from baseeval.errors import Fault
from baseeval.reporting.amounts import counted
from baseeval.reporting.check_report import CheckReport
from baseeval.reporting.check_words import (
    LOOK,
    MEND,
    NOT_FOR_RELEASE,
    READ_ALL_THE_SAME,
    STOPS,
    count_of,
    finding,
    pupils_of,
    reason_of,
    size_of,
    verdict,
    where,
)
from baseeval.reporting.filling import filled
from baseeval.reporting.sheet import Sheet


def check_page(report: CheckReport) -> str:
    """Return a check as a self-contained page: no script, and nothing asked of a network.

    Parameters
    ----------
    report : CheckReport

    Returns
    -------
    str
        HTML. It counts rows exactly, so it is for the data's holder and is written only
        where they say.
    """
    return filled(
        "check.html.j2",
        title=report.title,
        verdict=verdict(report),
        not_for_release=NOT_FOR_RELEASE,
        read=_read(report),
        files=[
            (
                file.file,
                [
                    (kind, hint, _faults(caption, faults))
                    for kind, caption, hint, faults in (
                        ("mend", MEND, STOPS, file.stopping),
                        ("look", LOOK, READ_ALL_THE_SAME, file.questions),
                    )
                    if faults
                ],
            )
            for file in report.files
        ],
        notes=report.notes,
        flow=_flow(report),
    )


def _read(report: CheckReport) -> Sheet:
    return Sheet(
        "Tables and their size",
        ("Table", "Read from", "Rows", "Columns"),
        tuple(
            (table.name, ", ".join(table.files) or table.label, *size_of(table))
            for table in report.tables
        ),
        frozenset({2, 3}),
    )


def _faults(caption: str, faults: Sequence[Fault]) -> Sheet:
    return Sheet(
        caption,
        ("Column", "Count", "What was found", "What to do"),
        tuple(
            (_column(fault), count_of(fault), _marked(finding(fault)), _marked(fault.remedy))
            for fault in faults
        ),
        frozenset({1}),
    )


def _column(fault: Fault) -> str:
    return Markup("<code>{}</code>").format(fault.column) if fault.column else where(fault)


def _marked(words: str) -> str:
    """Set what stands between backticks as code."""
    parts = words.split("`")
    code = Markup("<code>{}</code>")
    return Markup("").join(
        code.format(part) if position % 2 and position < len(parts) - 1 else part
        for position, part in enumerate(parts)
    )


def _flow(report: CheckReport) -> Sheet:
    return Sheet(
        "Pupils and schools at each step",
        ("Step", "Arm", "Pupils", "Schools", "Why they left"),
        tuple(
            (step.step, step.arm, pupils_of(step), counted(step.schools), reason_of(step))
            for step in report.flow
        ),
        frozenset({2, 3}),
    )
