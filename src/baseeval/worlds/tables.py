"""The pupils' table: one row a pupil and wave, as a team would be given it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from baseeval.worlds.missing import SURVEY
from baseeval.worlds.pupils import Pupils
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.recording import SUBSCALES
from baseeval.worlds.scales import NEEDS, SUPPORTS, WAVES
from baseeval.worlds.streams import Streams

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]
Whole = NDArray[np.intp]

LABELS = ("SRC", "M-SRC", "N-SRC")  # the study's words, in the order of ``ARMS``

#: Columns of whole numbers, of which some may be missing.
_WHOLE = ("prior", "present", "possible", "part_time", *SURVEY, *SUBSCALES, "suspensions")

#: Columns after the fixed ones, in order, of those that the world has.
_MEASURED = (
    "prior",
    "attainment",
    "present",
    "possible",
    "part_time",
    *SURVEY,
    *SUBSCALES,
    "suspensions",
    *SUPPORTS,
)


@dataclass(frozen=True)
class Names:
    """What pupils and schools are called, by numbers in an order that tells nothing.

    Attributes
    ----------
    pupils, schools : ndarray of int
        From 1.
    pupil_names, school_names : pyarrow.StringArray
        In the order of pupils and of schools.
    """

    pupils: Whole
    schools: Whole
    pupil_names: pa.StringArray
    school_names: pa.StringArray


def draw_names(recipe: WorldRecipe, pupils: int, schools: int, streams: Streams) -> Names:
    """Name the pupils and schools of an area; where there are several, each name says which."""
    several = recipe.areas.count > 1 or streams.area > 0
    area = f"{streams.area + 1:03d}-" if several else ""
    one = streams("names/pupils").permutation(pupils) + 1
    two = streams("names/schools").permutation(schools) + 1
    return Names(one, two, _numbered(f"P{area}", 5, one), _numbered(f"S{area}", 2, two))


def _numbered(prefix: str, width: int, numbers: Whole) -> pa.StringArray:
    width = max(width, len(str(len(numbers))))
    digits = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), width=width, padding="0")
    return pc.binary_join_element_wise(pa.scalar(prefix), digits, pa.scalar(""))


def together(eligible: Pupils, peers: Pupils | None) -> Pupils:
    """Eligible pupils followed by their peers, if there are any."""
    if peers is None:
        return eligible
    return Pupils(
        *(
            np.concatenate([getattr(eligible, field.name), getattr(peers, field.name)])
            for field in fields(Pupils)
        )
    )


def pupils_table(
    pupils: Pupils,
    arm: Whole,
    names: Names,
    stays: Flags,
    columns: dict[str, Floats],
    twice: Flags,
) -> pa.Table:
    """Lay out the table.

    Parameters
    ----------
    pupils : Pupils
        Eligible pupils, then peers in the same order.
    arm : ndarray of int, shape (eligible,)
        As recorded.
    names : Names
    stays : ndarray of bool, shape (pupils, waves)
    columns : dict of str to ndarray, shape (pupils, waves)
    twice : ndarray of bool, shape (pupils, waves)
        Rows that stand there twice.

    Returns
    -------
    pyarrow.Table
        Sorted by pupil and wave; words are dictionary-encoded, blanks missing.
    """
    total, eligible = len(pupils.school), len(arm)
    order = np.argsort(names.pupils, kind="stable")
    times = (stays * (1 + twice))[order].reshape(-1)
    row = np.repeat(np.repeat(order, len(WAVES)), times)
    wave = np.repeat(np.tile(np.arange(len(WAVES)), total), times)
    peer = np.arange(total) >= eligible
    held = names.pupil_names.take(pa.array(np.arange(total) % eligible))
    matched = pc.if_else(pa.array(peer), held, pa.scalar(None, pa.string()))
    made = {
        "pupil_id": names.pupil_names.take(pa.array(row)),
        "school_id": _coded(names.school_names, pupils.school[row]),
        "wave": pa.array((wave + 1).astype(np.int8)),
        "year_group": pa.array(pupils.year[row].astype(np.int8)),
        "placement": _coded(LABELS, np.where(peer, -1, np.resize(arm, total))[row]),
        "autistic": _yes(~peer[row]),
        "matched_to": matched.take(pa.array(row)),
        "sex": _coded(("male", "female"), pupils.female[row].astype(np.intp)),
        "fsm": _yes(pupils.fsm[row]),
        "ehcp": _yes(pupils.ehcp[row]),
        "cooccurring_need": _coded(NEEDS, np.where(peer, -1, pupils.need)[row]),
    }
    cell = row * len(WAVES) + wave
    for name in _MEASURED:
        if name in columns:
            values = columns[name].reshape(-1).take(cell)
            made[name] = _measured(values, whole=name in _WHOLE)
    return pa.table(made)


def _coded(words: Sequence[str] | pa.StringArray, code: Whole) -> pa.DictionaryArray:
    """Encode words; a negative code is missing."""
    indices = pa.array(code.astype(np.int32), mask=code < 0)
    levels = words if isinstance(words, pa.Array) else pa.array(list(words), pa.string())
    return pa.DictionaryArray.from_arrays(indices, levels)


def _measured(values: Floats, *, whole: bool) -> pa.Array:
    gone = np.isnan(values)
    if not whole:
        return pa.array(values, mask=gone)
    values[gone] = 0
    return pa.array(values.astype(np.int16), mask=gone)


def _yes(flag: Flags) -> pa.DictionaryArray:
    return _coded(("no", "yes"), flag.astype(np.intp))


def as_frame(table: pa.Table) -> pd.DataFrame:
    """Give the table to pandas: words as text, whole numbers in ``Int64``.

    Parameters
    ----------
    table : pyarrow.Table
        From :func:`pupils_table`.

    Returns
    -------
    pandas.DataFrame
    """
    plain = pa.table(
        {
            name: column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
            for name, column in zip(table.column_names, table.columns, strict=True)
        }
    )
    frame: pd.DataFrame = plain.to_pandas()
    for name in frame.columns:
        if name in _WHOLE:
            frame[name] = frame[name].astype("Int64")
        elif name in ("wave", "year_group"):
            frame[name] = frame[name].astype("int64")
    return frame
