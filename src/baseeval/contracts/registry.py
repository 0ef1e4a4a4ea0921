"""Every table that baseeval knows, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from baseeval.contracts import (
    attainment,
    attendance,
    bases,
    benchmarks,
    exclusions,
    marks,
    peers,
    placements,
    pupils,
    schools,
    surveys,
)
from baseeval.contracts.tables import TableContract

#: Name -> contract. The dictionary, the published schemas and the validator follow from it.
TABLES: Mapping[str, TableContract] = MappingProxyType(
    {
        module.CONTRACT.name: module.CONTRACT
        for module in (
            pupils,
            schools,
            placements,
            bases,
            attendance,
            marks,
            attainment,
            exclusions,
            surveys,
            peers,
            benchmarks,
        )
    }
)
