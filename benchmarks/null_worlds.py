"""The worlds of the null table, and what is asked of a procedure in them: see null_table.py."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from baseeval.stress.procedures import Ladder
from baseeval.stress.recovery import Procedure
from baseeval.stress.school_worlds import SchoolWorld

#: Rejection of a true null may not lie above this, and below that only where the answer says so.
MOST, LEAST = 0.06, 0.03
#: Coverage of 95% intervals at thirty schools.
COVERED = (0.93, 0.97)
#: Monte Carlo errors by which a rate may miss.
ERRORS = 2.0

_ICC = (0.0, 0.05, 0.15)
_SLOPES = (0.0, 0.3)
#: Seven schools: arms in schools of their own; base and host_mainstream inside the same schools.
_APART = SchoolWorld((2, 3, 2))
_INSIDE = (SchoolWorld((3, 4)), SchoolWorld((5, 2)))
_THIRTY = (SchoolWorld((15, 15), pupils=20), SchoolWorld((10, 10, 10), pupils=20))
_LADDER: dict[str, Procedure] = {"ladder": Ladder()}


@dataclass(frozen=True)
class Part:
    """A part of the table.

    Parameters
    ----------
    title, words : str
    worlds : tuple of SchoolWorld
    asked : str
        `null`: rejection; `coverage`: that too, and coverage; `nothing`: it is told only.
    procedures : dict
    share : float
        Of the draws asked for.
    """

    title: str
    words: str
    worlds: tuple[SchoolWorld, ...]
    asked: str = "null"
    procedures: dict[str, Procedure] | None = None
    share: float = 1.0

    @property
    def scored(self) -> dict[str, Procedure]:
        return self.procedures or _LADDER


PARTS = (
    Part(
        "Seven schools",
        "Arms in schools of their own (2/3/2), and base and host_mainstream pupils inside the same "
        "schools; base effects alike, or varying between schools about zero (slope, in pupil SD). "
        "Seventeen pupils a school is the study's own size.",
        (
            *(replace(_APART, icc=icc) for icc in _ICC),
            *(replace(w, icc=icc, slope=s) for w in _INSIDE for icc in _ICC for s in _SLOPES),
            replace(_APART, slope=0.3),
            replace(_APART, pupils=17),
            *(replace(world, pupils=17, slope=s) for world in _INSIDE for s in _SLOPES),
        ),
    ),
    Part(
        "Thirty schools",
        "95% intervals must hold the truth 93% to 97% of the time.",
        (
            *(replace(_THIRTY[0], icc=icc, slope=s) for icc in _ICC for s in _SLOPES),
            *(replace(_THIRTY[1], icc=icc) for icc in _ICC),
        ),
        "coverage",
    ),
    Part(
        "Hosts that are better schools for reasons of their own",
        "Nothing can adjust for that with seven schools. Bias is told; coverage is not asked.",
        (SchoolWorld((5, 2), pupils=17, confounding=0.3),),
        "nothing",
    ),
    Part(
        "Where one step gives way to the next, and with something to adjust for",
        "`prior`: a covariate that goes with the outcome (correlation 0.6) and is lower in bases "
        "by half an SD.",
        (
            SchoolWorld((9, 9), pupils=20, slope=0.3),
            SchoolWorld((10, 20), pupils=20, slope=0.3),
            SchoolWorld((20, 20), pupils=20, slope=0.3),
            SchoolWorld((1, 2, 20), pupils=20),
            SchoolWorld((5, 2), pupils=17, prior=0.6),
            SchoolWorld((2, 3, 2), pupils=17, prior=0.6),
        ),
        share=0.25,
    ),
    Part(
        "Each step by itself, wherever it can be taken",
        "Why the ladder takes the steps that it does. The multilevel model of Kenward-Roger and "
        "CR2 holds a variance of arms within schools where schools hold both.",
        (
            SchoolWorld((3, 4), icc=0.0),
            SchoolWorld((3, 4), icc=0.0, slope=0.3),
            SchoolWorld((15, 15), pupils=20, icc=0.0),
            SchoolWorld((15, 15), pupils=20, icc=0.0, slope=0.3),
        ),
        "nothing",
        {
            step: Ladder(step)
            for step in ("kenward_roger", "cr2_satterthwaite", "school_means", "permutation")
        },
        share=0.075,
    ),
)


def judged(table: pd.DataFrame, asked: str, errors: float = ERRORS) -> pd.DataFrame:
    """Return a table with what is wrong with each row, empty where nothing is.

    Parameters
    ----------
    table : pandas.DataFrame
        From :func:`~baseeval.stress.recovery.recover`.
    asked : str
        As in :class:`Part`.
    errors : float
        Monte Carlo errors by which a rate may miss.
    """
    return table.assign(wrong=[_wrong(row, asked, errors) for row in table.to_dict("records")])


def _wrong(row: dict[str, object], asked: str, errors: float) -> str:
    if asked == "nothing":
        return ""
    room = errors * float(row["rejection_error"])  # type: ignore[arg-type]
    rate = float(row["rejection"])  # type: ignore[arg-type]
    found = []
    if not rate <= MOST + room:
        found.append("rejects too often")
    flagged = dict(row["notes"]).get("conservative", 0.0) >= 0.5  # type: ignore[call-overload]
    if rate < LEAST - room and not flagged:
        found.append("cautious and does not say so")
    if asked == "coverage" and not COVERED[0] - room <= row["coverage"] <= COVERED[1] + room:  # type: ignore[operator]
        found.append("coverage")
    return ", ".join(found)
