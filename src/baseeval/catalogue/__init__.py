"""The catalogue: outcomes, keys of scales and features of a base, kept as data with their sources.

It holds no words of any instrument: keys and numbers of items only.
"""

from baseeval.catalogue.entries import KNOWN, Feature, Outcome, Scale, Source
from baseeval.catalogue.loading import (
    known_features,
    known_outcomes,
    known_scales,
    known_sources,
)
from baseeval.catalogue.templating import outcome_template

__all__ = [
    "KNOWN",
    "Feature",
    "Outcome",
    "Scale",
    "Source",
    "known_features",
    "known_outcomes",
    "known_scales",
    "known_sources",
    "outcome_template",
]
