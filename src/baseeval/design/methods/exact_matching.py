"""Exact matching: pupils alike in every covariate stand for one another."""

from __future__ import annotations

import numpy as np

from baseeval.design.sample import DesignSample
from baseeval.design.settings import Settings
from baseeval.design.spec import DesignSpec, Made
from baseeval.design.stratified import design_of_strata
from baseeval.numerics.strata_weights import cross_codes


def match_exactly(sample: DesignSample, settings: Settings) -> Made:
    """Put pupils who agree on every covariate in one stratum.

    Parameters
    ----------
    sample : DesignSample
    settings : Settings

    Returns
    -------
    Made
        Rows of a stratum that lacks an arm have weight zero.

    Raises
    ------
    EstimationError
        No stratum holds both arms.
    """
    values = [np.unique(column, return_inverse=True)[1] for column in sample.columns.T]
    return design_of_strata(
        sample,
        cross_codes([sample.strata, *values]),
        method="exact",
        estimand=settings.estimand,
        remedy="Match exactly on fewer covariates, or coarsen them (`cem`).",
    )


SPEC = DesignSpec(
    name="exact",
    kind="match",
    summary="Compares pupils who agree on every covariate, and leaves out those without a like",
    words="comparing only pupils who are the same on every listed characteristic",
    estimands=("ATT", "ATC", "ATE"),
    make=match_exactly,
    source="Ho, Imai, King and Stuart (2011), doi:10.18637/jss.v042.i08; weights as MatchIt 4.7.2",
)
