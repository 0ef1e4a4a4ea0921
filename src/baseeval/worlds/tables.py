"""The pupils' table: one row a pupil and wave, as a team would be given it."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from baseeval.worlds.missing import SURVEY
from baseeval.worlds.pupils import Pupils
from baseeval.worlds.scales import NEEDS, WAVES
from baseeval.worlds.streams import stream

LABELS = ("SRC", "M-SRC", "N-SRC")  # the study's words, in the order of ``ARMS``
WHOLE = ("prior", "present", "possible", *SURVEY)


@dataclass(frozen=True)
class Names:
    """What pupils and schools are called: names in an order that tells nothing."""

    pupils: NDArray[np.object_]
    schools: NDArray[np.object_]


def draw_names(pupils: int, schools: int, seed: int) -> Names:
    """Name pupils and schools by numbers in random order, from 1."""
    return Names(
        pupils=_numbered("P", 5, stream(seed, "names/pupils").permutation(pupils)),
        schools=_numbered("S", 2, stream(seed, "names/schools").permutation(schools)),
    )


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
    arm: NDArray[np.intp],
    names: Names,
    stays: NDArray[np.bool_],
    columns: dict[str, NDArray[np.float64]],
) -> pd.DataFrame:
    """Lay out the table.

    Parameters
    ----------
    pupils : Pupils
        Eligible pupils, then peers in the same order.
    arm : ndarray of int, shape (eligible,)
    names : Names
    stays : ndarray of bool, shape (pupils, waves)
    columns : dict of str to ndarray, shape (pupils, waves)

    Returns
    -------
    pandas.DataFrame
        Sorted by pupil and wave; whole numbers in ``Int64``, blanks missing.
    """
    total, eligible = len(pupils.school), len(arm)
    none = np.full(total - eligible, None, dtype=object)
    need = np.array(NEEDS, dtype=object)[pupils.need[:eligible]]
    fixed = {
        "pupil_id": names.pupils,
        "school_id": names.schools[pupils.school],
        "year_group": pupils.year,
        "placement": np.concatenate([np.array(LABELS, dtype=object)[arm], none]),
        "autistic": _yes(np.arange(total) < eligible),
        "matched_to": np.concatenate(
            [np.full(eligible, None, dtype=object), names.pupils[: total - eligible]]
        ),
        "sex": np.where(pupils.female, "female", "male").astype(object),
        "fsm": _yes(pupils.fsm),
        "ehcp": _yes(pupils.ehcp),
        "cooccurring_need": np.concatenate([need, none]),
    }
    wide = {name: np.repeat(values, len(WAVES)) for name, values in fixed.items()}
    table = pd.DataFrame(wide)
    table.insert(2, "wave", np.tile(np.array(WAVES), total))
    for name in ("prior", "attainment", "present", "possible", *SURVEY):
        values = pd.Series(columns[name].reshape(-1))
        table[name] = values.astype("Int64") if name in WHOLE else values
    table = table[stays.reshape(-1)]
    return table.sort_values(["pupil_id", "wave"], ignore_index=True)


def _numbered(letter: str, width: int, order: NDArray[np.intp]) -> NDArray[np.object_]:
    width = max(width, len(str(len(order))))
    return np.array([f"{letter}{number + 1:0{width}d}" for number in order], dtype=object)


def _yes(flag: NDArray[np.bool_]) -> NDArray[np.object_]:
    return np.where(flag, "yes", "no").astype(object)
