"""What a spreadsheet does to data unasked: found by its traces, counted, and explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw

from baseeval.contracts.codes import BLANKS, SHEET_ERRORS
from baseeval.contracts.columns import ColumnContract
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import Fault, fault
from baseeval.sources.cells import SPACES
from baseeval.sources.lost_zeros import find_lost_zeros

#: 1.2E+11: how a spreadsheet shows a number of twelve digits or more, and saves it as CSV.
_SCIENTIFIC = r"^\d([.,]\d+)?[eE]\+\d{2,3}$"

_TIME = r"([ T,].*)?$"
_UP_TO_12, _FROM_13 = r"(0?[1-9]|1[0-2])", r"(1[3-9]|2\d|3[01])"
_MONTH_FIRST = rf"^{_UP_TO_12}[/-]{_FROM_13}[/-]\d{{4}}" + _TIME
_EITHER_FIRST = rf"^{_UP_TO_12}[/-]{_UP_TO_12}[/-]\d{{4}}" + _TIME

#: 01/09/25, 1.9.25, 01-Sep-25.
_SHORT_YEAR = r"^\d{1,2}[/.-](\d{1,2}|[A-Za-z]{3})[/.-]\d{2}" + _TIME

_ERRORS = "a spreadsheet's error (#N/A, #REF!, #VALUE!, ...)"


@dataclass(frozen=True, slots=True)
class _Trace:
    """What is said of a kind of damage, and whether it stops; `of_key` where keys differ."""

    rule: str
    what: str
    remedy: str
    stops: bool
    of_key: bool | None = None


_TRACES = (
    _Trace(
        "excel_scientific",
        "a number written as 1.2E+11: its last digits are lost for good",
        "Export again and name that file here; to look at it in a spreadsheet, import it "
        "(Data, From Text/CSV) with this column as Text, and do not save it as CSV.",
        stops=True,
    ),
    _Trace(
        "excel_error",
        f"{_ERRORS} in place of a key",
        "Mend the formula, and paste the column as values.",
        stops=True,
        of_key=True,
    ),
    _Trace(
        "excel_error",
        f"{_ERRORS}; it is read as missing",
        "If there should be a value, mend the formula in the sheet.",
        stops=False,
        of_key=False,
    ),
    _Trace(
        "month_first",
        "a day that seems to be written month first",
        "In the sheet give the whole column the format yyyy-mm-dd, look at it, and save again; "
        "days that a spreadsheet has turned round must come from a new export.",
        stops=True,
    ),
    _Trace(
        "short_year",
        "a day with a year of two digits, whose century is not guessed",
        "In the sheet give the column the format yyyy-mm-dd, and save again.",
        stops=True,
    ),
)
_RULES = (*(trace.rule for trace in _TRACES), "either_first")


def find_damage(
    frame: nw.LazyFrame[Any], contracts: Sequence[ColumnContract], engine: Engine, file: str
) -> list[Fault]:
    """Find what a spreadsheet has done to the columns of a table.

    Parameters
    ----------
    frame : narwhals LazyFrame
        As read, before its values are typed; only its text columns are looked at.
    contracts : sequence of ColumnContract
        Of columns that `frame` may hold; others are not looked at.
    engine : Engine
    file : str
        Named in messages.

    Returns
    -------
    list of Fault
        With counts of rows, never a value. Those of keys stop the study, as do days
        whose order or century nobody can tell. By column, in the order of `contracts`:

        - ``excel_scientific``: a key as 1.2E+11, whose digits are lost (stops);
        - ``excel_error``: #N/A and the like, in a key (stops) or elsewhere (read as
          missing, with the reason ``spreadsheet error``);
        - ``zeros_lost``: keys that seem to have lost a leading zero (does not stop);
        - ``month_first``: days such as 09/13/2025, which make every day whose two
          parts are both 12 or less doubtful (stops);
        - ``short_year``: days such as 01/09/25 (stops).

    Examples
    --------
    >>> import pyarrow as pa
    >>> from baseeval.contracts.columns import ColumnContract
    >>> with Engine() as engine:
    ...     frame = engine.table(pa.table({"pupil_id": ["1.2E+11", "A1"]}))
    ...     [found] = find_damage(
    ...         frame, [ColumnContract("pupil_id", "key", "pupil")], engine, "p.csv"
    ...     )
    >>> found.rule, found.count, found.stops
    ('excel_scientific', 1, True)
    """
    types = frame.collect_schema()
    held = [c for c in contracts if c.name in types.names() and types[c.name] == nw.String]
    if not held:
        return []
    # Once, and not in every pattern: the margins that the reader will take off too.
    text = frame.select(*(_trimmed(c.name) for c in held))
    tallies: dict[str, nw.Expr] = {}
    for contract in held:
        name, column = contract.name, nw.col(contract.name)
        tallies[f"excel_error {name}"] = column.is_in(list(SHEET_ERRORS))
        if contract.kind == "key":
            tallies[f"excel_scientific {name}"] = column.str.contains(_SCIENTIFIC)
        if contract.kind == "date":
            tallies[f"month_first {name}"] = column.str.contains(_MONTH_FIRST)
            tallies[f"either_first {name}"] = column.str.contains(_EITHER_FIRST)
            tallies[f"short_year {name}"] = column.str.contains(_SHORT_YEAR)
    counts = engine.counts(text, tallies)
    zeros = find_lost_zeros(
        text, [c.name for c in held if c.kind == "key" and c.pattern is None], engine, file
    )
    faults: list[Fault] = []
    for contract in held:
        name = contract.name
        mine = {rule: counts.get(f"{rule} {name}", 0) for rule in _RULES}
        faults += _of_column(file, name, contract.kind == "key", mine)
        faults += [zero for zero in zeros if zero.column == name]
    return faults


def _trimmed(name: str) -> nw.Expr:
    text = nw.col(name).str.strip_chars(SPACES)
    return nw.when(~text.is_in(list(BLANKS))).then(text).otherwise(None).alias(name)


def _of_column(file: str, name: str, is_key: bool, counts: dict[str, int]) -> list[Fault]:
    """Word what was found in a column, the worst first."""
    faults = []
    for trace in _TRACES:
        if counts[trace.rule] and trace.of_key in (None, is_key):
            what = trace.what
            if trace.rule == "month_first" and counts["either_first"]:
                other = counts["either_first"]
                what += (
                    f"; so {'1 other' if other == 1 else f'{other:,} others'} with a day and a "
                    "month of 12 or less may be either way round"
                )
            faults.append(
                fault(
                    file,
                    name,
                    trace.rule,
                    counts[trace.rule],
                    what,
                    trace.remedy,
                    verb="hold",
                    stops=trace.stops,
                )
            )
    return faults
