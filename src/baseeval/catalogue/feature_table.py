"""The features of bases as columns of a table, so that a contract can take them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from baseeval.catalogue.entries import Feature
from baseeval.catalogue.loading import known_features, known_sources
from baseeval.contracts.columns import ColumnContract
from baseeval.contracts.tables import domain_column

#: Words for "nobody knows": no value, counted apart from an empty cell, and never a no.
NOT_KNOWN: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(("not known", "Not known", "not_known", "unknown"), "not known")
)

#: A feature that moves with the pupils may serve only as recorded before they came.
RECORDED = domain_column("features_recorded", "date", "Day on which the features were recorded")


def feature_columns() -> tuple[ColumnContract, ...]:
    """Return the features that the contract ``bases`` has no column for, as columns.

    Returns
    -------
    tuple of ColumnContract
        The day of recording, then the catalogue's order; none of them is required.

    Examples
    --------
    >>> column = feature_columns()[-1]
    >>> column.name, column.kind, column.unit
    ('usual_journey', 'number', 'minutes')
    """
    own = (_column(feature) for feature in known_features().values() if not feature.held)
    return (RECORDED, *own)


def _column(feature: Feature) -> ColumnContract:
    cited = known_sources()
    return domain_column(
        feature.name,
        feature.kind,
        feature.records,
        unit=feature.unit,
        codes=dict(feature.codes),
        reasons={} if feature.kind == "category" else dict(NOT_KNOWN),
        low=feature.low,
        high=feature.high,
        source=", ".join(cited[name].label for name in feature.sources),
    )
