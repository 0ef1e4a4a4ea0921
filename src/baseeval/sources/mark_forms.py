"""The forms of a register: one row a session, one row a day, or a string of marks a pupil."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

import narwhals.stable.v2 as nw
import pyarrow as pa

from baseeval.contracts.marks import CONTRACT
from baseeval.contracts.tables import TableContract
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame
from baseeval.errors import Fault
from baseeval.sources.cells import as_text
from baseeval.sources.contracted import read_contract
from baseeval.sources.gathering import Gathered
from baseeval.sources.rows import count_fault

_ROW = ("pupil_id", "date", "session", "mark", "urn")

#: One row a pupil and session: what every form is brought to.
ROWS = TableContract(
    CONTRACT.name,
    CONTRACT.meaning,
    CONTRACT.key,
    tuple(
        replace(CONTRACT.column(name), needed=name in ("pupil_id", "date", "session"))
        for name in _ROW
    ),
)

#: A space in a string of marks, so that it is not taken for a margin.
_CLOSED = "\u2423"

#: Stands between the days of a string that is parted.
_BETWEEN = "\u241e"

#: Pairs of marks that a string may have on a Saturday or Sunday.
_WEEKEND = ("##", "--", "ZZ", f"#{_CLOSED}", f"{_CLOSED}#")

_SATURDAY = 6

_STRINGS = TableContract(
    "marks",
    "A string of marks",
    ("pupil_id", "start"),
    (
        CONTRACT.column("pupil_id"),
        replace(CONTRACT.column("start"), needed=True),
        replace(CONTRACT.column("marks"), needed=True),
        CONTRACT.column("urn"),
    ),
)

_ONE_ROW_A_SESSION = (
    "Give one row a pupil and session, with the columns `date`, `session` (AM or PM) and `mark`"
)


@dataclass(frozen=True, slots=True)
class Laid:
    """A register with one row a pupil and session, not yet typed.

    Parameters
    ----------
    frame : narwhals LazyFrame
        Its columns are those of `ROWS`.
    faults : tuple of Fault
    """

    frame: Frame
    faults: tuple[Fault, ...] = ()


def lay_marks(gathered: Gathered, engine: Engine) -> Laid:
    """Bring a register to one row a pupil and session, whichever form it has.

    Parameters
    ----------
    gathered : Gathered
        Under the names of the contract ``marks``.
    engine : Engine

    Returns
    -------
    Laid
        Of a form that is not read: no row, and a fault that stops the study.
    """
    held = set(gathered.frame.collect_schema().names())
    if {"date", "session", "mark"} <= held:
        return Laid(_rows(_named(gathered.frame)))
    if {"date", "mark"} <= held:
        return _of_days(gathered.frame, gathered.label, engine)
    if {"start", "marks"} <= held:
        return _of_strings(gathered.frame, gathered.label, engine)
    return Laid(_empty(engine), (_no_form(gathered.label),))


def _named(frame: Frame) -> Frame:
    """Name the halves of the day that are numbered."""
    session = as_text("session", frame.collect_schema()["session"]).str.strip_chars()
    named = nw.when(session == "1").then(nw.lit("AM")).when(session == "2").then(nw.lit("PM"))
    return frame.with_columns(named.otherwise(session).alias("session"))


def _rows(frame: Frame) -> Frame:
    held = frame.collect_schema().names()
    return frame.select(*(name for name in _ROW if name in held))


def _of_days(frame: Frame, label: str, engine: Engine) -> Laid:
    """Part the two characters of a day."""
    mark = as_text("mark", frame.collect_schema()["mark"])
    days = frame.with_columns(mark.alias("mark"))
    broken = (_length("mark") != 2) | _long_code("mark")
    kept, faults = _without_broken(days, "mark", broken, label, engine)
    return Laid(_halves(kept), tuple(faults))


def _of_strings(frame: Frame, label: str, engine: Engine) -> Laid:
    """Part a string into the days of the calendar from its start."""
    spaced = nw.col("marks").cast(nw.String).str.replace_all(" ", _CLOSED, literal=True)
    read = read_contract(frame.with_columns(spaced.alias("marks")), _STRINGS, engine, label)
    names = read.frame.collect_schema().names()
    if "pupil_id" not in names:
        return Laid(_empty(engine), read.faults)
    broken = (_length("marks") % 2 != 0) | _long_code("marks")
    strings, found = _without_broken(read.frame, "marks", broken, label, engine)
    faults = [*read.faults, *found]
    longest = engine.collect(strings.select(_length("marks").max().alias("n")), [])
    places = [f"{place:04d}" for place in range(int(longest.column("n").to_pylist()[0] or 0) // 2)]
    if not places:
        return Laid(_empty(engine), tuple(faults))
    ids = [name for name in names if name in ("pupil_id", "start", "urn")]
    pair = nw.col("pair")
    pairs = (
        strings.select(*ids, _numbered(places).alias("pair"))
        .explode("pair")
        .select(*ids, pair.str.slice(0, 4).alias("place"), pair.str.slice(4, 2).alias("mark"))
        .filter(~nw.col("mark").is_in(["", 2 * _CLOSED]))
        .join(_calendar(strings, places, engine), on=["start", "place"], how="inner")
    )
    pairs = engine.keep(pairs)
    faults += _at_weekends(pairs, label, engine)
    return Laid(_halves(pairs).filter(nw.col("mark") != _CLOSED), tuple(faults))


def _numbered(places: list[str]) -> nw.Expr:
    """Split a string into pairs of marks, each after its place, which a list would forget."""
    parts: list[nw.Expr] = []
    for place in places:
        before = _BETWEEN if parts else ""
        parts += [nw.lit(before + place), nw.col("marks").str.slice(2 * int(place), 2)]
    return nw.concat_str(*parts).str.split(_BETWEEN)


def _calendar(frame: Frame, places: list[str], engine: Engine) -> Frame:
    """Say of every first day which day each place of a string is."""
    found = engine.collect(frame.select("start").unique(), ["start"])
    days = [(start, p) for start in found.column("start").to_pylist() for p in places]
    table = {
        "start": pa.array([start for start, _ in days], pa.date32()),
        "place": pa.array([place for _, place in days], pa.string()),
        "date": pa.array([start + timedelta(days=int(p)) for start, p in days], pa.date32()),
    }
    return engine.table(pa.table(table))


def _halves(days: Frame) -> Frame:
    """Make two rows of a day, morning and afternoon."""
    halves = [
        _rows(
            days.with_columns(
                nw.lit(session).alias("session"), nw.col("mark").str.slice(place, 1).alias("mark")
            )
        )
        for place, session in enumerate(("AM", "PM"))
    ]
    return nw.concat(halves, how="vertical")


def _length(name: str) -> nw.Expr:
    return nw.col(name).str.len_chars()


def _long_code(name: str) -> nw.Expr:
    """Find C2, J1 and their like, which no form of one character a session can hold."""
    return nw.col(name).str.contains(r"\d")


def _without_broken(
    frame: Frame, column: str, broken: nw.Expr, label: str, engine: Engine
) -> tuple[Frame, list[Fault]]:
    """Refuse what does not part into one character a session."""
    faults = count_fault(
        label,
        column,
        "not_two_marks",
        engine.counts(frame, {"broken": broken})["broken"],
        "something else than two marks of one character for a day, morning and afternoon "
        "(a code of two characters, such as C2 or J1, has no place there)",
        f"{_ONE_ROW_A_SESSION}.",
        verb="hold",
        stops=True,
    )
    return frame.filter(nw.coalesce(~broken, nw.lit(True))), faults


def _at_weekends(pairs: Frame, label: str, engine: Engine) -> list[Fault]:
    marked = (nw.col("date").dt.weekday() >= _SATURDAY) & ~nw.col("mark").is_in(list(_WEEKEND))
    return count_fault(
        label,
        "marks",
        "weekend_marks",
        engine.counts(pairs, {"marked": marked})["marked"],
        "marks that fall on a Saturday or Sunday, so that the strings seem to leave weekends out "
        "or to begin on another day",
        f"Fill weekends and holidays with spaces, and check `start`. Or: {_ONE_ROW_A_SESSION}.",
        unit="day",
        stops=True,
    )


def _no_form(label: str) -> Fault:
    return Fault(
        label,
        "its columns make no register that is read here: `date`, `session` and `mark`; or `date` "
        "and a `mark` of two characters; or `start` and a string of `marks`",
        f"{_ONE_ROW_A_SESSION}, or name your own headings in [data.columns.marks].",
        label,
        "mark",
        "no_form",
    )


def _empty(engine: Engine) -> Frame:
    """Make a register without a row."""
    text = pa.array([], pa.string())
    columns = {"pupil_id": text, "date": pa.array([], pa.date32()), "session": text, "mark": text}
    return engine.table(pa.table(columns))
