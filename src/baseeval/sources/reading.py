"""One column read as its contract says: its value, why there is none, and what is at fault."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import narwhals.stable.v2 as nw

from baseeval.contracts.codes import NO, NUMBER, SHEET_ERRORS, SUPPRESSION_CODES, YES
from baseeval.contracts.columns import ColumnContract
from baseeval.sources.cells import EXACT, absent, as_text, number_text
from baseeval.sources.day_text import CALENDAR, day_of_text, is_serial

#: The reason where a spreadsheet's error stands in place of a value.
SHEET_ERROR = "spreadsheet error"

#: Column that holds what the text says, before anything is judged.
PARSED = "parsed:"


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
    keeps : bool
        Whether the value stands all the same.
    """

    rule: str
    fault: nw.Expr
    what: str
    remedy: str
    stops: bool
    keeps: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """A column as its contract reads it, in two steps so that nothing is worked out twice.

    Parameters
    ----------
    parsed : narwhals expression
        Over the trimmed frame: what the text says, where it says anything.
    value : narwhals expression
        Over the trimmed frame with every ``parsed:name``: the value of a row
        without a fault.
    why : narwhals expression or None
        Over the same: the reason where there is no value; a key has none.
    coded : narwhals expression or None
        True where a code stands for the value, with a reason.
    checks : tuple of Check
        Over the same frame.
    """

    parsed: nw.Expr
    value: nw.Expr
    why: nw.Expr | None = None
    coded: nw.Expr | None = None
    checks: tuple[Check, ...] = ()


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
        absent(contract, dtype) if contract.kind != "key" else _parsed(contract).is_null(),
        "no value",
        "Every row must say it: mend the rows, or take them out."
        if contract.stops
        else "Every row must say it; until then the rows are left out.",
        contract.stops,
    )
    return replace(reading, checks=(missing, *reading.checks))


def _parsed(contract: ColumnContract) -> nw.Expr:
    return nw.col(PARSED + contract.name)


def _coded(contract: ColumnContract) -> nw.Expr:
    return nw.col(contract.name).is_in([*contract.reasons, *SUPPRESSION_CODES, *SHEET_ERRORS])


def _why(contract: ColumnContract, dtype: nw.dtypes.DType) -> nw.Expr:
    """Say why there is no value: the code or its reason, or blank."""
    column = nw.col(contract.name)
    why = nw.when(absent(contract, dtype)).then(nw.lit("blank")).otherwise(nw.lit(None, nw.String))
    if dtype == nw.String:
        why = nw.when(column.is_in(list(SUPPRESSION_CODES))).then(column).otherwise(why)
        why = nw.when(column.is_in(list(SHEET_ERRORS))).then(nw.lit(SHEET_ERROR)).otherwise(why)
        for code, reason in contract.reasons.items():
            why = nw.when(column == code).then(nw.lit(reason)).otherwise(why)
    return nw.when(_parsed(contract).is_null()).then(why).otherwise(nw.lit(None, nw.String))


def _lost(contract: ColumnContract, dtype: nw.dtypes.DType) -> nw.Expr:
    """Return an expression true where something is there that was not parsed."""
    there = ~absent(contract, dtype)
    return nw.when(_parsed(contract).is_null()).then(there).otherwise(nw.lit(False))


def _measured(
    contract: ColumnContract, dtype: nw.dtypes.DType, parsed: nw.Expr, *checks: Check
) -> Reading:
    return Reading(
        parsed.alias(PARSED + contract.name),
        _parsed(contract),
        _why(contract, dtype),
        _coded(contract) if dtype == nw.String else None,
        checks,
    )


def _key(contract: ColumnContract, dtype: nw.dtypes.DType) -> Reading:
    parsed = as_text(contract.name, dtype).alias(PARSED + contract.name)
    if contract.pattern is None:
        return Reading(parsed, _parsed(contract))
    form = Check(
        "wrong_form",
        ~_parsed(contract).str.contains(contract.pattern),
        "something that has not the form of this key",
        "They are read as they stand. Mend them, or they may join to no other table; where the "
        "extract's numbers are pseudonyms, nothing need be done.",
        contract.stops,
        keeps=True,
    )
    return Reading(parsed, _parsed(contract), checks=(form,))


def _category(contract: ColumnContract, dtype: nw.dtypes.DType) -> Reading:
    # Its words are levels, `low` and `x` among them; a spreadsheet's error is no word.
    text, why = as_text(contract.name, dtype), nw.lit("blank")
    parsed = text
    if dtype == nw.String:
        error = nw.col(contract.name).is_in(list(SHEET_ERRORS))
        parsed = nw.when(~error).then(text).otherwise(None)
        why = nw.when(error).then(nw.lit(SHEET_ERROR)).otherwise(why)
    blank = nw.when(_parsed(contract).is_null()).then(why)
    return Reading(
        parsed.alias(PARSED + contract.name),
        _parsed(contract),
        blank.otherwise(nw.lit(None, nw.String)),
    )


def _word(contract: ColumnContract, dtype: nw.dtypes.DType) -> Reading:
    # A category told from a number by its values: codes are codes there.
    label = as_text(contract.name, dtype)
    return _measured(contract, dtype, nw.when(~absent(contract, dtype)).then(label))


def _code(contract: ColumnContract, dtype: nw.dtypes.DType) -> Reading:
    text = as_text(contract.name, dtype)
    small = text.str.to_lowercase()
    lower = {code.lower(): code for code in contract.codes}
    if all(code == code.lower() for code in contract.codes):
        value = small
    elif all(code == code.upper() for code in contract.codes):
        value = text.str.to_uppercase()
    else:
        value = text
        for word, code in lower.items():
            value = nw.when(small == word).then(nw.lit(code)).otherwise(value)
    unknown = Check(
        "unknown_code",
        _lost(contract, dtype),
        f"a code that is not one of {_listed(list(contract.codes))}",
        "They are read as missing: mend them, or write the codes anew before reading.",
        contract.stops,
    )
    # A code of the column comes before a code for no value: both use some letters.
    known = nw.when(small.is_in(list(lower))).then(value).otherwise(None)
    return replace(_measured(contract, dtype, known, unknown), coded=None)


def _flag(contract: ColumnContract, dtype: nw.dtypes.DType) -> Reading:
    text = as_text(contract.name, dtype).str.to_lowercase()
    value = nw.when(text.is_in(list(YES))).then(1).when(text.is_in(list(NO))).then(0)
    unknown = Check(
        "not_yes_or_no",
        _lost(contract, dtype),
        "something that is neither yes nor no (1 or 0, Y or N, true or false)",
        "They are read as missing: mend them.",
        contract.stops,
    )
    return _measured(contract, dtype, value.otherwise(None).cast(nw.Int64), unknown)


def _date(contract: ColumnContract, dtype: nw.dtypes.DType) -> Reading:
    if dtype == nw.Date:
        return _measured(contract, dtype, nw.col(contract.name))
    text = as_text(contract.name, dtype)
    real = _parsed(contract).str.contains(CALENDAR)
    wrong = Check(
        "not_a_date",
        ~absent(contract, dtype) & ~nw.coalesce(real, nw.lit(False)),
        "something that is not a date (2022-09-01, 01/09/2022 and 01-09-2022 are read)",
        "They are read as missing: mend them.",
        contract.stops,
    )
    serial = Check(
        "excel_serial_date",
        is_serial(text, _parsed(contract)),
        "a day as a spreadsheet's number; it is read as days since 30 December 1899",
        "If the numbers are no days, mend them; else nothing need be done.",
        stops=False,
        keeps=True,
    )
    value = nw.when(real).then(_parsed(contract)).otherwise(None).cast(nw.Date)
    return replace(_measured(contract, dtype, day_of_text(text), wrong, serial), value=value)


def _number(contract: ColumnContract, dtype: nw.dtypes.DType) -> Reading:
    checks, parsed = [], _parsed(contract)
    if dtype == nw.String:
        also = ", one of the study file's `labels`" if contract.labels else ""
        checks.append(
            Check(
                "text_in_number",
                _lost(contract, dtype),
                f"something that is neither a number{also} nor a known code "
                f"({', '.join([*contract.reasons, *SUPPRESSION_CODES])})",
                "Mend the values or leave them empty.",
                True,
            )
        )
        plain = number_text(contract)
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
            ~parsed.is_finite(),
            "a number without end (infinity)",
            "Mend the values or leave them empty.",
            True,
        )
    )
    if contract.low is not None or contract.high is not None:
        checks.append(_range(contract, parsed))
    return _measured(contract, dtype, value, *checks)


def _integer(contract: ColumnContract, dtype: nw.dtypes.DType) -> Reading:
    number, parsed = _number(contract, dtype), _parsed(contract)
    whole = parsed == parsed.round(0)
    broken = Check(
        "not_whole",
        parsed.is_finite() & ~whole,
        "a number that is not whole",
        "They are read as missing: mend them.",
        contract.stops,
    )
    value = nw.when(whole & (parsed.abs() < EXACT)).then(parsed).otherwise(None).cast(nw.Int64)
    return replace(number, value=value, checks=(*number.checks, broken))


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
