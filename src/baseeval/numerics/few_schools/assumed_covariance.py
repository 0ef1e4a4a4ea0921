"""What is assumed of the means of schools before any outcome is looked at.

With few schools, variances between them cannot be estimated. One guess fixes how much each
school counts; a set of others, far apart, says how large the statistic may be by chance.
All is in units of the variance of a pupil within a school.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.few_schools.arm_cells import CellLayout

Floats = NDArray[np.float64]

#: Variance of schools, and of an arm within them: the guess that weighs schools. It amounts to an
#: intraclass correlation of 0.09, half of it the arm's own.
_GUESS = (0.05, 0.05)
#: None, the guess, and so much that every school counts the same.
_RANGE = ((0.0, 0.0), _GUESS, (1.0, 1.0))
#: The spread of school means in one arm may be this many times that in the other, either way.
_SPREAD = 1.5


def assumed_guess(layout: CellLayout) -> Floats:
    """Return the covariance of the cells' means by which schools are weighed.

    Parameters
    ----------
    layout : CellLayout

    Returns
    -------
    ndarray, shape (k, k)
        A weight counts as a pupil.
    """
    return _covariance(layout, *_GUESS, 1 / layout.totals)


def assumed_range(layout: CellLayout) -> Floats:
    """Return the covariances under which a comparison must not be too sure.

    Parameters
    ----------
    layout : CellLayout

    Returns
    -------
    ndarray, shape (w, k, k)
        Means rest on the effective number of pupils; what estimating gamma adds
        is held.
    """
    found = []
    for schools, arms in _RANGE:
        alike = _covariance(layout, schools, arms, 1 / layout.effective)
        for first, second in ((1.0, 1.0), (_SPREAD, 1.0), (1.0, _SPREAD)):
            scale = np.where(layout.first, first, second)
            found.append(alike * np.outer(scale, scale) + layout.noise)
    return np.array(found)


def _covariance(layout: CellLayout, schools: float, arms: float, pupils: Floats) -> Floats:
    same = layout.school[:, None] == layout.school
    return np.asarray(schools * same + np.diag(arms + pupils))
