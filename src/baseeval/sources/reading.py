"""One column read as its contract says: its value, why there is none, and what is at fault."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import narwhals.stable.v2 as nw

from baseeval.contracts.codes import BLANKS, NUMBER, SUPPRESSION_CODES
from baseeval.contracts.columns import ColumnContract

#: Whole numbers from here on are not all told apart by a 64-bit float.
_EXACT = 2.0**53

_YES, _NO = ("1", "y", "yes", "true", "t"), ("0", "n", "no", "false", "f")

#: A day as DfE and the schools' systems write it, midnight after it or not.
_ISO = r"^\d{4}-\d{2}-\d{2}([ T]00:00(:00(\.0+)?)?)?$"
_BRITISH = r"^\d{2}[/-]\d{2}[/-]\d{4}([ T]00:00(:00(\.0+)?)?)?$"


@dataclass(frozen=True, slots=True)
class Check:
    """What may be wrong with a column's values.

    Parameters
    ----------
    rule : str
    fault : narwhals expression
        True for the rows at fault.
    what : str
        Completes "3 rows hold ...".
    remedy : str
    stops : bool
    """

    rule: str
    fault: nw.Expr
    what: str
    remedy: str
    stops: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """A column as its contract reads it; expressions over the trimmed frame.

    Parameters
    ----------
    value : narwhals expression
    why : narwhals expression or None
        The reason where there is no value; a key has none.
    coded : narwhals expression or None
        True where a code stands for the value, with a reason.
    checks : tuple of Check
    """

    value: nw.Expr
    why: nw.Expr | None
    coded: nw.Expr | None
    checks: tuple[Check, ...]


def read_column(contract: ColumnContract, dtype: nw.dtypes.DType) -> Reading:
    """Read a column as its contract says.

    Parameters
    ----------
    contract : ColumnContract
        Of any kind but ``either``.
    dtype : narwhals DType
        What the column is held as: text, or typed already.

    Returns
    -------
    Reading
    """
    reading = _KINDS[contract.kind](contract, dtype)
    if not contract.needed:
        return reading
    missing = Check(
        "no_value",
        reading.value.is_null(),
        "no value",
        "Every row must say it; until then the rows are left out.",
        contract.stops,
    )
    return Reading(reading.value, reading.why, reading.coded, (missing, *reading.checks))


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
    return nw.col(name).cast(nw.String).str.strip_chars()


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
        is_whole = (number == number.round(0)) & (number.abs() < _EXACT)
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
    return column.is_null() | column.is_in(list(BLANKS)) | _coded(contract, dtype)


def is_number(contract: ColumnContract) -> nw.Expr:
    """Return an expression true where text is a number, or a label that stands for one.

    Parameters
    ----------
    contract : ColumnContract

    Returns
    -------
    narwhals expression
    """
    number = _plain(contract).str.contains(NUMBER)
    if not contract.labels:
        return number
    words = [word.strip().lower() for word in contract.labels]
    return number | nw.col(contract.name).str.to_lowercase().is_in(words)


def _coded(contract: ColumnContract, dtype: nw.dtypes.DType) -> nw.Expr:
    if dtype != nw.String:
        return nw.lit(False)
    return nw.col(contract.name).is_in([*contract.reasons, *SUPPRESSION_CODES])


def _why(contract: ColumnContract, dtype: nw.dtypes.DType, faults: list[Check]) -> nw.Expr:
    """Say why there is no value: the code or its reason, blank, or what was wrong with it."""
    column = nw.col(contract.name)
    why = nw.when(absent(contract, dtype)).then(nw.lit("blank")).otherwise(nw.lit(None, nw.String))
    if dtype == nw.String:
        why = nw.when(column.is_in(list(SUPPRESSION_CODES))).then(column).otherwise(why)
        for code, reason in contract.reasons.items():
            why = nw.when(column == code).then(nw.lit(reason)).otherwise(why)
    for check in faults:
        why = nw.when(check.fault).then(nw.lit(check.rule.replace("_", " "))).otherwise(why)
    return why


def _measured(
    contract: ColumnContract, dtype: nw.dtypes.DType, value: nw.Expr, checks: list[Check]
) -> Reading:
    """Take the value from rows without a fault, and say of the others why they have none."""
    name, kept = contract.name, value
    for check in checks:
        kept = nw.when(~nw.coalesce(check.fault, nw.lit(False))).then(kept).otherwise(None)
    return Reading(
        kept.alias(name),
        _why(contract, dtype, checks),
        _coded(contract, dtype) if dtype == nw.String else None,
        tuple(checks),
    )


def _key(contract: ColumnContract, dtype: nw.dtypes.DType) -> Reading:
    text = as_text(contract.name, dtype)
    if contract.pattern is None:
        return Reading(text, None, None, ())
    form = Check(
        "wrong_form",
        ~text.str.contains(contract.pattern),
        "something that has not the form of this key",
        "Mend them: such rows join to nothing.",
        contract.stops,
    )
    return Reading(text, None, None, (form,))


def _category(contract: ColumnContract, dtype: nw.dtypes.DType) -> Reading:
    # Its words are levels, `low` and `x` among them.
    label = as_text(contract.name, dtype)
    blank = nw.when(label.is_null()).then(nw.lit("blank")).otherwise(nw.lit(None, nw.String))
    return Reading(label, blank, None, ())


def _word(contract: ColumnContract, dtype: nw.dtypes.DType) -> Reading:
    # A category told from a number by its values: codes are codes there.
    label = as_text(contract.name, dtype)
    value = nw.when(~absent(contract, dtype)).then(label).otherwise(None)
    return _measured(contract, dtype, value, [])


def _code(contract: ColumnContract, dtype: nw.dtypes.DType) -> Reading:
    name, text = contract.name, as_text(contract.name, dtype)
    lower = {code.lower(): code for code in contract.codes}
    known = text.str.to_lowercase().is_in(list(lower))
    if all(code == code.upper() for code in contract.codes):
        value = text.str.to_uppercase()
    elif all(code == code.lower() for code in contract.codes):
        value = text.str.to_lowercase()
    else:
        value = text
        for small, code in lower.items():
            value = nw.when(text.str.to_lowercase() == small).then(nw.lit(code)).otherwise(value)
    # A code of the column comes before a code for no value: both use some letters.
    nothing = text.is_null()
    if dtype == nw.String:
        nothing = nothing | (_coded(contract, dtype) & ~known)
    unknown = Check(
        "unknown_code",
        ~nothing & ~known,
        f"a code that is not one of {_listed(list(contract.codes))}",
        "They are read as missing: mend them, or map them in [data.columns].",
        contract.stops,
    )
    kept = nw.when(known).then(value).otherwise(None).alias(name)
    why = nw.when(text.is_null()).then(nw.lit("blank")).otherwise(nw.lit(None, nw.String))
    if dtype == nw.String:
        why = nw.when(_coded(contract, dtype) & ~known).then(nw.col(name)).otherwise(why)
    why = nw.when(unknown.fault).then(nw.lit("unknown code")).otherwise(why)
    return Reading(kept, why, None, (unknown,))


def _flag(contract: ColumnContract, dtype: nw.dtypes.DType) -> Reading:
    text = as_text(contract.name, dtype).str.to_lowercase()
    yes, no = text.is_in(list(_YES)), text.is_in(list(_NO))
    unknown = Check(
        "not_yes_or_no",
        ~absent(contract, dtype) & ~yes & ~no,
        "something that is neither yes nor no (1 or 0, Y or N, true or false)",
        "They are read as missing: mend them.",
        contract.stops,
    )
    value = nw.when(yes).then(nw.lit(1)).otherwise(nw.when(no).then(nw.lit(0)))
    return _measured(contract, dtype, value.cast(nw.Int64), [unknown])


def _date(contract: ColumnContract, dtype: nw.dtypes.DType) -> Reading:
    if dtype == nw.Date:
        return _measured(contract, dtype, nw.col(contract.name), [])
    text = as_text(contract.name, dtype)
    iso, british = text.str.contains(_ISO), text.str.contains(_BRITISH)
    day = nw.when(iso).then(text.str.slice(8, 2)).otherwise(text.str.slice(0, 2))
    month = nw.when(iso).then(text.str.slice(5, 2)).otherwise(text.str.slice(3, 2))
    year = nw.when(iso).then(text.str.slice(0, 4)).otherwise(text.str.slice(6, 4))
    formed = iso | british

    def number(part: nw.Expr) -> nw.Expr:
        return nw.when(formed).then(part).otherwise(nw.lit("1")).cast(nw.Int64)

    real = formed & _in_calendar(number(year), number(month), number(day))
    written = nw.concat_str(year, month, day, separator="-")
    wrong = Check(
        "not_a_date",
        ~absent(contract, dtype) & ~nw.coalesce(real, nw.lit(False)),
        "something that is not a date (2022-09-01, 01/09/2022 and 01-09-2022 are read)",
        "They are read as missing: mend them.",
        contract.stops,
    )
    value = nw.when(real).then(written).otherwise(None).cast(nw.Date)
    return _measured(contract, dtype, value, [wrong])


def _in_calendar(year: nw.Expr, month: nw.Expr, day: nw.Expr) -> nw.Expr:
    """Return an expression true for a day that the calendar has."""
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    last = nw.when(month.is_in([4, 6, 9, 11])).then(nw.lit(30)).otherwise(nw.lit(31))
    february = nw.when(leap).then(nw.lit(29)).otherwise(nw.lit(28))
    last = nw.when(month == 2).then(february).otherwise(last)
    return (year >= 1800) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= last)


def _number(contract: ColumnContract, dtype: nw.dtypes.DType) -> Reading:
    checks = []
    if dtype == nw.String:
        also = ", one of the study file's `labels`" if contract.labels else ""
        checks.append(
            Check(
                "text_in_number",
                ~absent(contract, dtype) & ~is_number(contract),
                f"something that is neither a number{also} nor a known code "
                f"({', '.join([*contract.reasons, *SUPPRESSION_CODES])})",
                "Mend the values or leave them empty.",
                True,
            )
        )
        plain = _plain(contract)
        value = nw.when(plain.str.contains(NUMBER)).then(plain).otherwise(None).cast(nw.Float64)
        for word, number in contract.labels.items():
            said = nw.col(contract.name).str.to_lowercase() == word.strip().lower()
            value = nw.when(said).then(nw.lit(float(number))).otherwise(value)
    else:
        present = ~absent(contract, dtype)
        value = nw.when(present).then(nw.col(contract.name)).otherwise(None).cast(nw.Float64)
    checks.append(
        Check(
            "infinity",
            ~value.is_finite(),
            "a number without end (infinity)",
            "Mend the values or leave them empty.",
            True,
        )
    )
    if contract.low is not None or contract.high is not None:
        checks.append(_range(contract, value))
    return _measured(contract, dtype, value, checks)


def _integer(contract: ColumnContract, dtype: nw.dtypes.DType) -> Reading:
    number = _number(contract, dtype)
    broken = Check(
        "not_whole",
        number.value.is_finite() & (number.value != number.value.round(0)),
        "a number that is not whole",
        "They are read as missing: mend them.",
        contract.stops,
    )
    whole = nw.when(number.value == number.value.round(0)).then(number.value).otherwise(None)
    return _measured(contract, dtype, whole.cast(nw.Int64), [*number.checks, broken])


def _range(contract: ColumnContract, value: nw.Expr) -> Check:
    low = value < contract.low if contract.low is not None else nw.lit(False)
    high = value > contract.high if contract.high is not None else nw.lit(False)
    mend = "Mend the values, or the range in the study file."
    return Check(
        "out_of_range",
        value.is_finite() & (low | high),
        f"a value that is impossible here ({_span(contract)} is possible)",
        mend if contract.stops else "They are read as missing: mend them.",
        contract.stops,
    )


def _span(contract: ColumnContract) -> str:
    low = "no lower end" if contract.low is None else f"{contract.low:g}"
    return f"{low} or more" if contract.high is None else f"{low} to {contract.high:g}"


def _plain(contract: ColumnContract) -> nw.Expr:
    """Return a number's text, less the percent sign that its unit allows."""
    column = nw.col(contract.name)
    return column.str.replace_all(r"\s*%$", "") if contract.unit == "%" else column


def _listed(codes: list[str]) -> str:
    shown = codes if len(codes) <= 8 else [*codes[:7], f"{len(codes) - 7} more"]
    return ", ".join(shown)


_KINDS: Mapping[str, Callable[[ColumnContract, nw.dtypes.DType], Reading]] = {
    "key": _key,
    "number": _number,
    "integer": _integer,
    "flag": _flag,
    "date": _date,
    "code": _code,
    "category": _category,
    "word": _word,
}
