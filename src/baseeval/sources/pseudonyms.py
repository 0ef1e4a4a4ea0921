"""Pseudonyms in place of pupils' numbers, made on reading with a key that the trust keeps."""

from __future__ import annotations

import hmac
import os
import re
import secrets
from collections.abc import Collection
from pathlib import Path

import narwhals.stable.v2 as nw
import pyarrow as pa

from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame
from baseeval.errors import DataError, Problem, UsageError
from baseeval.plan import Plan
from baseeval.sources.cell_text import without_margins

#: Columns of the contracts that name a pupil.
NAMES_A_PUPIL = ("pupil_id", "peer_of")

_BYTES = 32
_DIGITS = 20
_HEX = re.compile(rf"^[0-9a-fA-F]{{{2 * _BYTES}}}$")

_OWNER_ALONE = 0o600


def make_key(path: str | os.PathLike[str]) -> Path:
    """Make the file of a key for pseudonyms: 32 random bytes as 64 hexadecimal digits.

    Parameters
    ----------
    path : path
        Where nothing stands yet; only its owner may read the file.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    UsageError
        Something stands there: a key is never written over, since without it nobody
        can make the same pseudonyms again. Or the file cannot be made.
    """
    place = Path(path)
    try:
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ALONE)
    except FileExistsError:
        what = "a file of this name is there, and a key is never written over"
        remedy = "Name another file, or use the key that is there."
        raise UsageError(Problem(place.name, what, remedy)) from None
    except OSError as error:
        raise UsageError(
            Problem(
                place.name,
                f"the file cannot be made ({type(error).__name__})",
                "Name a file in a folder that is there and in which you may write.",
            )
        ) from None
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(f"{secrets.token_hex(_BYTES)}\n")
    return place


def read_key(plan: Plan) -> bytes | None:
    """Read the key that a plan names.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    bytes or None
        32 bytes; None where the plan names no key.

    Raises
    ------
    DataError
        There is no such file, or no key in it. Nothing of the file is ever shown.
    """
    named = plan.data.pseudonym_key
    if named is None:
        return None
    path = plan.path.parent / named
    where = f"{path.name}, [data] `pseudonym_key`"
    try:
        text = path.read_text(encoding="ascii").strip()
    except OSError:
        raise DataError(
            Problem(
                where,
                "there is no such file",
                f"Make one, once: `baseeval key {path.name}` in the study file's folder. Or fetch "
                "the one with which the trust's other studies were made.",
            )
        ) from None
    except UnicodeDecodeError:
        text = ""
    if not _HEX.match(text):
        what = f"the file does not hold a key ({2 * _BYTES} hexadecimal digits)"
        remedy = "Use a file as `baseeval key FILE` makes it."
        raise DataError(Problem(where, what, remedy))
    return bytes.fromhex(text)


def check_key_apart(plan: Plan, out: Path) -> None:
    """Refuse a key that lies in the folder of what may leave.

    Parameters
    ----------
    plan : Plan
    out : pathlib.Path
        The output folder, which is replaced as a whole.

    Raises
    ------
    UsageError
    """
    named = plan.data.pseudonym_key
    if named is None:
        return
    key = (plan.path.parent / named).resolve()
    if out.resolve() in key.parents:
        what = "the key for pseudonyms lies in the output folder, which may leave"
        raise UsageError(Problem(out.name, what, "Keep it beside the study file, or elsewhere."))


def pseudonym(key: bytes, pupil: str) -> str:
    """Return the pseudonym of a pupil: the first 20 digits of an HMAC-SHA256 (RFC 2104).

    Parameters
    ----------
    key : bytes
    pupil : str
        As a table holds the number, without margins.

    Returns
    -------
    str
        20 hexadecimal digits: 80 bits, so that among ten million pupils two have one
        pseudonym with a chance below 1 in ten billion.

    Examples
    --------
    >>> pseudonym(b"Jefe", "what do ya want for nothing?")  # RFC 4231, test case 2
    '5bdcc146bf60754e6a04'
    """
    return hmac.digest(key, pupil.encode(), "sha256").hex()[:_DIGITS]


def pseudonymised(
    frame: Frame, key: bytes | None, engine: Engine, columns: Collection[str] = NAMES_A_PUPIL
) -> Frame:
    """Put pseudonyms in place of pupils' numbers.

    Parameters
    ----------
    frame : narwhals LazyFrame
        Not yet typed.
    key : bytes, optional
        Without one the frame is returned as it is.
    engine : Engine
    columns : collection of str
        Those that name a pupil; a frame need not have them all.

    Returns
    -------
    narwhals LazyFrame
        Cells without a number stay so.
    """
    schema = frame.collect_schema()
    held = [name for name in columns if name in schema.names()]
    if key is None or not held:
        return frame
    plain = without_margins(frame, held)
    names = schema.names()
    for name in held:
        found = engine.collect(plain.select(nw.col(name).alias("pupil")).unique(), ["pupil"])
        pupils = [pupil for pupil in found.column("pupil").to_pylist() if pupil is not None]
        table = pa.table(
            {
                name: pa.array(pupils, pa.string()),
                "key:pseudonym": pa.array([pseudonym(key, p) for p in pupils], pa.string()),
            }
        )
        joined = plain.join(engine.table(table), on=name, how="left")
        plain = joined.drop(name).rename({"key:pseudonym": name}).select(*names)
    return engine.keep(plain)
