"""All that leaves of questionnaires: scales, items, invariance, who answered and how."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from baseeval.disclosure import shapes
from baseeval.disclosure.completions import (
    release_completion,
    release_modes,
    together_by_mode,
    together_by_need,
)
from baseeval.disclosure.known import Known
from baseeval.disclosure.profiles import Profile
from baseeval.disclosure.responses import protect_responses
from baseeval.disclosure.scales import release_invariance, release_items, release_scales

#: Table -> the columns that disclosure control reads and no released table shows.
_INTERNAL = {
    "scales": {"schools": "count", "respondents": "count"},
    "items": {"unlike": "count", "fewest": "count"},
    "invariance": {},
    "completion": {"recorded": "flag"},
    "modes": {},
}


def release_questionnaires(
    tables: Mapping[str, pd.DataFrame | None], known: Known, profile: Profile
) -> dict[str, pd.DataFrame]:
    """Release the five tables of questionnaires, protected as one.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame or None
        scales, items, invariance, completion and modes, exact.
    known : Known
        What other tables have released.
    profile : Profile

    Returns
    -------
    dict of str to pandas.DataFrame
        The same tables as `Released` documents them.

    Raises
    ------
    UsageError
        A table lacks a column.
    """
    columns = {name: getattr(shapes, name.upper()) for name in _INTERNAL}
    exact = {
        name: shapes.records_of(tables[name], {**columns[name], **more}, name)
        for name, more in _INTERNAL.items()
    }
    scales, items = exact["scales"], exact["items"]
    completion = together_by_need(exact["completion"], profile)
    modes = together_by_mode(exact["modes"], profile)
    gone = protect_responses(scales, items, completion, modes, known, profile)
    released = {
        "scales": release_scales(scales, gone, known, profile),
        "items": release_items(items, scales, gone, known, profile),
        "invariance": release_invariance(exact["invariance"], scales, known, profile),
        "completion": release_completion(completion, gone, profile),
        "modes": release_modes(modes, gone, profile),
    }
    return {name: shapes.shaped(rows, columns[name]) for name, rows in released.items()}
