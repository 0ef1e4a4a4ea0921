"""Every design method there is: the collection of the specifications of their files."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from baseeval.design import entropy_balancing, nearest_matching, propensity
from baseeval.design.spec import DesignSpec

NONE = DesignSpec(
    name="none",
    summary="Takes pupils as they are: no weighting and no matching",
    estimands=("ATT", "ATC", "ATE"),
    needs_covariates=False,
    source="",
)

#: Every design method there is, by name.
DESIGNS: Mapping[str, DesignSpec] = MappingProxyType(
    {
        spec.name: spec
        for spec in (NONE, propensity.SPEC, entropy_balancing.SPEC, nearest_matching.SPEC)
    }
)
