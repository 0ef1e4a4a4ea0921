"""A cell before it is read as anything: its text, and whether a value is there at all."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from baseeval.contracts.codes import BLANKS, NUMBER, SHEET_ERRORS, SUPPRESSION_CODES
from baseeval.contracts.columns import ColumnContract

#: Whole numbers from here on are not all told apart by a 64-bit float.
EXACT = 2.0**53

#: White space at an end of a cell; pages and spreadsheets write a space that does not break too.
SPACES = " \t\n\v\f\r\u00a0"
_MARGIN = f"^[{SPACES}]|[{SPACES}]$"


def trimmed(contract: ColumnContract, dtype: nw.dtypes.DType) -> nw.Expr:
    """Return text without its margins; what is neither number nor truth, as text.

    Parameters
    ----------
    contract : ColumnContract
        A day stays a day where one is wanted.
    dtype : narwhals DType

    Returns
    -------
    narwhals expression
    """
    name, wanted = contract.name, contract.kind == "date"
    if dtype.is_numeric() or dtype == nw.Boolean or (wanted and dtype == nw.Date):
        return nw.col(name)
    text = nw.col(name).cast(nw.String)
    # To look for a margin costs a third of taking one away, and few cells have one.
    return (
        nw.when(text.str.contains(_MARGIN))
        .then(text.str.strip_chars(SPACES))
        .otherwise(text)
        .alias(name)
    )


def as_text(name: str, dtype: nw.dtypes.DType) -> nw.Expr:
    """Return a column as the text that a CSV file of it would hold.

    Parameters
    ----------
    name : str
    dtype : narwhals DType
        Whole numbers held with a point lose it, so that a code keeps its look.

    Returns
    -------
    narwhals expression
        Missing where the cell is blank.
    """
    column = nw.col(name)
    text = column.cast(nw.String)
    if dtype.is_float() or dtype == nw.Decimal:
        number = column.cast(nw.Float64)
        is_whole = (number == number.round(0)) & (number.abs() < EXACT)
        whole = nw.when(is_whole).then(number).otherwise(0.0).cast(nw.Int64)
        text = nw.when(is_whole).then(whole.cast(nw.String)).otherwise(text)
    return nw.when(~text.is_in(list(BLANKS))).then(text).otherwise(None).alias(name)


def absent(contract: ColumnContract, dtype: nw.dtypes.DType) -> nw.Expr:
    """Return an expression true where there is no value, for whatever reason.

    Parameters
    ----------
    contract : ColumnContract
    dtype : narwhals DType

    Returns
    -------
    narwhals expression
    """
    column = nw.col(contract.name)
    if dtype.is_float():
        return column.is_null() | column.is_nan()
    if dtype != nw.String:
        return column.is_null()
    codes = [*BLANKS, *contract.reasons, *SUPPRESSION_CODES, *SHEET_ERRORS]
    return column.is_null() | column.is_in(codes)


def is_number(contract: ColumnContract) -> nw.Expr:
    """Return an expression true where text is a number, or a label that stands for one.

    Parameters
    ----------
    contract : ColumnContract

    Returns
    -------
    narwhals expression
    """
    number = number_text(contract).str.contains(NUMBER)
    if not contract.labels:
        return number
    words = [word.strip().lower() for word in contract.labels]
    return number | nw.col(contract.name).str.to_lowercase().is_in(words)


def number_text(contract: ColumnContract) -> nw.Expr:
    """Return a number's text, less the percent sign that its unit allows.

    Parameters
    ----------
    contract : ColumnContract

    Returns
    -------
    narwhals expression
    """
    column = nw.col(contract.name)
    return column.str.replace_all(r"\s*%$", "") if contract.unit == "%" else column
