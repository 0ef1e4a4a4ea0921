"""Every model there is: the collection of the specifications of their files."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from baseeval.effects.multilevel import MULTILEVEL
from baseeval.effects.regression import REGRESSION, UNADJUSTED
from baseeval.effects.spec import ModelSpec

MODELS: Mapping[str, ModelSpec] = MappingProxyType(
    {spec.name: spec for spec in (MULTILEVEL, REGRESSION, UNADJUSTED)}
)
