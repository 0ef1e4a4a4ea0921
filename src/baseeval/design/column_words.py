"""What a message calls a column of covariates, without telling of few pupils."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from baseeval.design.sample import DesignSample
from baseeval.design.scores import Name

#: A level that fewer pupils have is not named: what a message says of it, it says of them.
_FEWEST = 10


def column_words(sample: DesignSample, names: Sequence[Name]) -> tuple[str, ...]:
    """Name covariates, and levels that enough pupils have.

    Parameters
    ----------
    sample : DesignSample
    names : sequence of (covariate, level)
        The sample's own, or others made of them.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> import pandas as pd
    >>> from baseeval.design.table_samples import table_sample
    >>> frame = pd.DataFrame({"base": [1, 0] * 6, "need": ["ASC"] * 11 + ["VI"]})
    >>> sample = table_sample(frame, "base", ["need"])
    >>> column_words(sample, sample.names)
    ('`need` (ASC)', 'rare levels of `need`')
    """
    few = {
        level
        for place, (_, level) in enumerate(sample.names)
        if level and np.count_nonzero(sample.columns[:, place]) < _FEWEST
    }
    return tuple(_said(covariate, level, level in few) for covariate, level in names)


def _said(covariate: str, level: str, rare: bool) -> str:
    if not level:
        return f"`{covariate}`"
    return f"rare levels of `{covariate}`" if rare else f"`{covariate}` ({level})"
