"""Days as text: the forms in which schools' systems and spreadsheets write them."""

from __future__ import annotations

import datetime as dt

import narwhals.stable.v2 as nw

#: A day as DfE, the schools' systems and forms on the web write it, a time after it or not.
_TIME = r"([ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?Z?)?$"
_ISO = r"^\d{4}-\d{2}-\d{2}" + _TIME
_BRITISH = r"^\d{2}[/-]\d{2}[/-]\d{4}" + _TIME

#: A day as a spreadsheet's own number, 18 February 1982 to 10 January 2119. Smaller numbers are
#: left alone: SAS counts its days from 1960 and R from 1970, so that theirs of today are smaller.
_SERIAL = r"^[3-7]\d{4}(\.0)?$"

#: The day before the first, as Excel counts since 1 March 1900 (it thinks 1900 a leap year).
_SERIAL_ZERO = dt.date(1899, 12, 30)

#: Longer than a spreadsheet's number, shorter than any day written out.
_SHORT = 8

#: The days that the calendar has, from 1800 on.
CALENDAR = (
    r"^((1[89]|2\d)\d\d-((0[13578]|1[02])-(0[1-9]|[12]\d|3[01])|(0[469]|11)-(0[1-9]|[12]\d|30)"
    r"|02-(0[1-9]|1\d|2[0-8]))"
    r"|((1[89]|2\d)(0[48]|[2468][048]|[13579][26])|(2[048]|[13579][26])00)-02-29)$"
)


def day_of_text(text: nw.Expr) -> nw.Expr:
    """Return the day that a text says, as year-month-day.

    Parameters
    ----------
    text : narwhals expression
        2022-09-01, 01/09/2022, 01-09-2022, each with a time of day after it or not (the
        day is what is read), or a spreadsheet's day number such as 44805 (30000 to 79999).

    Returns
    -------
    narwhals expression
        Text; missing where there is none. It may be a day that the calendar has
        not: compare it with `CALENDAR`.
    """
    parts = (text.str.slice(6, 4), text.str.slice(3, 2), text.str.slice(0, 2))
    turned = nw.concat_str(*parts, separator="-")
    iso, british, serial = (text.str.contains(form) for form in (_ISO, _BRITISH, _SERIAL))
    number = nw.when(serial).then(text.str.slice(0, 5)).otherwise(None).cast(nw.Int32)
    counted = (nw.lit(_SERIAL_ZERO) + number).cast(nw.String)
    return (
        nw.when(iso)
        .then(text.str.slice(0, 10))
        .otherwise(nw.when(british).then(turned).otherwise(counted))
    )


def is_serial(text: nw.Expr, day: nw.Expr) -> nw.Expr:
    """Return an expression true where a text said its day as a spreadsheet's number.

    Parameters
    ----------
    text : narwhals expression
    day : narwhals expression
        From `day_of_text`.

    Returns
    -------
    narwhals expression
    """
    # The length tells them apart at a fraction of what another pattern would cost.
    return ~day.is_null() & (text.str.len_chars() < _SHORT)
