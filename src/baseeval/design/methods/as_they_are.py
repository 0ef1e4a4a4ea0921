"""No design: pupils as they are."""

from __future__ import annotations

from baseeval.design.sample import DesignSample
from baseeval.design.settings import Settings
from baseeval.design.spec import DesignSpec, Made


def as_they_are(sample: DesignSample, settings: Settings) -> Made:
    """Give every row its survey weight, which is one where there is none.

    Parameters
    ----------
    sample : DesignSample
    settings : Settings

    Returns
    -------
    Made
    """
    return Made(weights=sample.base.copy())


SPEC = DesignSpec(
    name="none",
    kind="none",
    summary="Takes pupils as they are: no weighting and no matching",
    words="no matching or weighting",
    estimands=("ATT", "ATC", "ATE"),
    estimands_of_several=("ATT", "ATE"),
    make=as_they_are,
    source="",
    needs_covariates=False,
)
