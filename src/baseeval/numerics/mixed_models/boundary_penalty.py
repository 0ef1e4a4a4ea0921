"""A penalty that keeps the variances of a mixed model off zero.

Chung, Rabe-Hesketh, Dorie, Gelman and Liu (2013, doi:10.1007/s11336-013-9328-2): with few groups
the likelihood is often highest at a variance of zero, of which nobody is persuaded. A gamma(2)
prior of rate near zero on the standard deviation is zero there and flat elsewhere by comparison:
the estimate moves by about one standard error at most. For correlated effects it becomes a
Wishart prior with q + 2 degrees of freedom and a scale without end (Chung et al. 2015,
doi:10.3102/1076998615570945).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from baseeval.numerics.mixed_models.fitting import Penalty
from baseeval.numerics.mixed_models.templates import Layout

Floats = NDArray[np.float64]

#: Below this an element of theta is as good as zero, and the penalty is as good as infinite.
_FLOOR = 1e-12


def boundary_penalty(layout: Layout, power: float = 1.0) -> Penalty:
    """Return a penalty on the deviance for :func:`fit_likelihood`.

    Parameters
    ----------
    layout : Layout
    power : float
        a of the prior theta^a on each relative standard deviation, that is
        det(Sigma_t)^(a / 2) on a covariance: 1 is gamma(2), as Chung et al. (2013)
        recommend; 1.5 is gamma(2.5), the default of the R package blme.

    Returns
    -------
    callable
        theta to -2 a sum log theta_kk and its gradient. The prior is on
        variances over sigma^2, so sigma is profiled as without it.

    Examples
    --------
    >>> from baseeval.numerics.mixed_models.templates import full_template
    >>> penalty = boundary_penalty(Layout((full_template(1),)))
    >>> penalty(np.array([1.0]))[0] == 0, penalty(np.array([0.1]))[0] > 4
    (True, True)
    """
    places = np.flatnonzero(layout.diagonal)

    def penalty(theta: Floats) -> tuple[float, Floats]:
        held = np.maximum(np.abs(theta[places]), _FLOOR)
        slope = np.zeros_like(theta)
        slope[places] = -2 * power / np.copysign(held, theta[places])
        return float(-2 * power * np.log(held).sum()), slope

    return penalty
