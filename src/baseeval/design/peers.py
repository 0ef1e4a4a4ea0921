"""Peers: for each pupil of a study, like pupils without the need from the same class of pupils."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
from narwhals.stable.v2.typing import IntoDataFrame
from numpy.typing import NDArray

from baseeval.design.sample import expand, require_columns, strata_of
from baseeval.errors import DataError, EstimationError, Problem, UsageError
from baseeval.numerics.mahalanobis import match_mahalanobis, whiten
from baseeval.numerics.nearest import match_nearest

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Peers:
    """Peers and whose they are.

    Parameters
    ----------
    table : pandas.DataFrame
        ``pupil_id, peer_of``, as the table `peers` of the data dictionary: each
        peer once.
    notes : tuple of str
        Counts, for the holder of the data.
    """

    table: pd.DataFrame
    notes: tuple[str, ...]


def match_peers(
    data: IntoDataFrame,
    *,
    of: str,
    pupil: str = "pupil_id",
    exact: Sequence[str] = ("school", "year", "sex"),
    nearest: Sequence[str] = (),
    ratio: int = 1,
    seed: int = 0,
) -> Peers:
    """Pick peers for the pupils of a study from pupils who are in no arm of it.

    Parameters
    ----------
    data : dataframe
        Any that narwhals reads, one row a pupil.
    of : str
        Column of ones (pupils who are to have peers) and zeros (pupils who may
        be peers); rows without a value are neither.
    pupil : str
        Column that identifies pupils.
    exact : sequence of str
        A peer is the same on all of these; the school, year and sex of the study
        of specialist resource centres by default.
    nearest : sequence of str
        Among those, the nearest on these by Mahalanobis distance, the closest
        pairs first. Without any that varies, peers are drawn at random.
    ratio : int
        Peers that each pupil is to have; everybody has one before anybody has a
        second.
    seed : int
        Of the draw.

    Returns
    -------
    Peers
        The same whatever the order of the rows.

    Raises
    ------
    UsageError
        A column is not there, or `of` or `ratio` is none.
    DataError
        A pupil has several rows.
    EstimationError
        Nobody has a peer.

    Examples
    --------
    >>> frame = pd.DataFrame({"pupil_id": ["a", "b", "c"], "autistic": [1, 0, 0],
    ...     "school": ["s", "s", "t"], "year": [7, 7, 7], "sex": ["F", "F", "F"]})
    >>> match_peers(frame, of="autistic").table.to_numpy().tolist()
    [['b', 'a']]
    """
    frame = nw.from_native(data, eager_only=True).to_pandas()
    _check(frame, of, pupil, [*exact, *nearest], ratio)
    wanted = frame[[pupil, of, *exact, *nearest]].reset_index(drop=True)
    held = wanted.dropna().sort_values(pupil, kind="stable")
    gives = held[of].to_numpy().astype(bool)
    if not (gives.any() and (~gives).any()):
        raise _nobody(frame, of, exact)
    chooses = np.random.default_rng(seed).permutation(np.flatnonzero(gives))
    strata = strata_of(held, exact)
    space = whiten(expand(held, nearest)[0], gives) if nearest else None
    if space is not None and space.points.shape[1]:
        pairs = match_mahalanobis(space, gives, chooses, strata, ratio=ratio, priority="closest")
    else:
        drawn = np.random.default_rng((seed, 1)).permutation(len(held)).astype(float)
        drawn[gives] = len(held)  # everybody chooses from the top, so the draw decides
        pairs = match_nearest(drawn, gives, chooses, strata, ratio=ratio)
    if not len(pairs):
        raise _nobody(frame, of, exact)
    ids = held[pupil].to_numpy()
    table = pd.DataFrame({"pupil_id": ids[pairs[:, 1]], "peer_of": ids[pairs[:, 0]]})
    table = table.sort_values(["peer_of", "pupil_id"], ignore_index=True)
    return Peers(table, _notes(wanted, of, gives, pairs, ratio))


def _check(frame: pd.DataFrame, of: str, pupil: str, columns: Sequence[str], ratio: int) -> None:
    require_columns(frame, [of, pupil, *columns])
    problems = []
    if not set(frame[of].dropna().unique()) <= {0, 1}:
        problems.append(
            Problem(
                f"data, column `{of}`",
                "it holds something other than 1 (is to have peers) and 0 (may be one)",
                "Recode it; leave it empty for pupils who are neither.",
            )
        )
    if ratio < 1 or ratio != int(ratio):
        problems.append(Problem("ratio", "it is not a whole number from one", "Give one."))
    if problems:
        raise UsageError(problems)
    repeated = int(frame[pupil].duplicated().sum())
    if repeated:
        raise DataError(
            Problem(
                f"data, column `{pupil}`",
                f"{repeated} of {len(frame)} rows are of a pupil who has a row already",
                "Keep one row a pupil.",
            )
        )


def _nobody(frame: pd.DataFrame, of: str, exact: Sequence[str]) -> EstimationError:
    counts = frame[of].value_counts()
    return EstimationError(
        Problem(
            "peers",
            f"no pupil who may be a peer ({int(counts.get(0, 0))}) is the same as one who is to "
            f"have one ({int(counts.get(1, 0))}) on {', '.join(f'`{name}`' for name in exact)}",
            "Match on less.",
        )
    )


def _notes(
    wanted: pd.DataFrame, of: str, gives: NDArray[np.bool_], pairs: Ints, ratio: int
) -> tuple[str, ...]:
    total = int((wanted[of] == 1).sum())
    numbers = np.bincount(pairs[:, 0], minlength=len(gives))[gives]
    notes = [f"{int((numbers > 0).sum())} of {total} pupils have a peer."]
    if ratio > 1:
        notes.append(f"{int((numbers == ratio).sum())} have all {ratio}.")
    incomplete = int((wanted[of].notna() & wanted.isna().any(axis=1)).sum())
    if incomplete:
        notes.append(f"{incomplete} pupils lack a value to be matched on, and are left out.")
    return tuple(notes)
