"""What the pupils of a world look like by arm, counted in bars, for the page that shows it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from baseeval.worlds.missing import SURVEY
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.scales import WAVES
from baseeval.worlds.scoring import belonging_score
from baseeval.worlds.tables import LABELS

Floats = NDArray[np.float64]

#: Where the bars of each distribution end. What lies outside is counted in the outermost.
_SHARES = np.array([0, 50, 60, 70, 75, 80, 85, 90, 95, 100]) / 100
_SCORES = np.arange(1, 5.01, 0.5)


@dataclass(frozen=True)
class Meeting:
    """Bars of what the tables show, by recorded arm; those of two areas may be added.

    Attributes
    ----------
    edges : dict of str to ndarray, shape (bars + 1,)
        ``prior`` (points), ``attendance`` (proportion of sessions), ``belonging`` (mean score).
    counts : dict of str to ndarray, shape (3, bars)
        Eligible pupils with a value, arms in the order of ``ARMS``.
    """

    edges: dict[str, Floats]
    counts: dict[str, Floats]

    def __add__(self, other: Meeting) -> Meeting:
        """Add the pupils of another area of the same world."""
        return Meeting(
            self.edges, {name: own + other.counts[name] for name, own in self.counts.items()}
        )


def meet(recipe: WorldRecipe, table: pa.Table) -> Meeting:
    """Count the eligible pupils of a table into bars.

    Parameters
    ----------
    recipe : WorldRecipe
    table : pyarrow.Table
        From :func:`baseeval.worlds.tables.pupils_table`, of one area or of many; of pandas, give
        ``pyarrow.Table.from_pandas(frame)``.

    Returns
    -------
    Meeting
        The entry score at wave 1; attendance and belonging at the last wave.
    """
    # Pupils who stand in the table twice are one pupil each: rows that repeat are next to each
    # other, since the table is sorted by pupil and wave.
    first = _rows(table, WAVES[0])
    last = _rows(table, WAVES[-1])
    centre, end = recipe.prior.mean, 3 * recipe.prior.sd
    edges = {
        "prior": np.linspace(centre - end, centre + end, 13),
        "attendance": _SHARES,
        "belonging": _SCORES,
    }
    items = {name: _numbers(last, name) for name in SURVEY}
    values = {
        "prior": (first, _numbers(first, "prior")),
        "attendance": (last, _numbers(last, "present") / _numbers(last, "possible")),
        "belonging": (last, belonging_score(recipe, items)),
    }
    counts = {
        name: np.stack([_bars(value[_in_arm(rows, label)], edges[name]) for label in LABELS])
        for name, (rows, value) in values.items()
    }
    return Meeting(edges, counts)


def _rows(table: pa.Table, wave: int) -> pa.Table:
    kept = table.filter(pc.equal(table["wave"], wave))
    ids = kept["pupil_id"]
    if len(ids) < 2:
        return kept
    again = pc.equal(ids.slice(1), ids.slice(0, len(ids) - 1))
    if not pc.any(again).as_py():
        return kept
    return kept.filter(pc.invert(pa.chunked_array([pa.array([False]), *again.chunks])))


def _in_arm(rows: pa.Table, label: str) -> NDArray[np.bool_]:
    arm = rows["placement"].cast(pa.string())
    found: NDArray[np.bool_] = pc.fill_null(pc.equal(arm, label), False).to_numpy()
    return found


def _numbers(rows: pa.Table, name: str) -> Floats:
    return np.asarray(rows[name].cast(pa.float64()).to_numpy(), dtype=np.float64)


def _bars(value: Floats, edges: Floats) -> Floats:
    seen = value[~np.isnan(value)]
    # A value on an edge belongs to the bar above it, whatever floating point made of it.
    inside = np.clip(seen + 1e-9, edges[0], edges[-1] - 1e-9)
    return np.histogram(inside, edges)[0].astype(np.float64)
