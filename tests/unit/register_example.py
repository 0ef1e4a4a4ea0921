"""Registers that may leave, as pages are tried on."""

import pandas as pd

from baseeval.placement.registering import (
    AUTHORITY_COLUMNS,
    BASE_COLUMNS,
    DISAGREEMENT_COLUMNS,
    Register,
)

_TIMES = ("base_id", "urn", "declared", "pupils", "mean_share", "looks_like", "flags")


def _table(columns, *rows):
    return pd.DataFrame.from_records(
        [dict(zip(columns, row, strict=True)) for row in rows], columns=columns
    )


def register_example():
    """Two authorities, three bases: one withheld, one that sources disagree on."""
    bases = pd.DataFrame.from_records(
        [
            {
                "la": "301",
                "urn": "100001",
                "school": "Long Meadow School",
                "base_id": "b1",
                "name": "The Harbour",
                "base_type": "resourced_provision",
                "type_name": "Resourced provision",
                "white_paper": "Specialist base",
                "needs": "ASD;SLCN",
                "places": 20,
                "pupils_census": 15,
                "sources": "bases;census",
                "local_offer": "yes",
                "disagreements": "the sources give different types",
                "flags": "",
            },
            {
                "la": "301",
                "urn": "100002",
                "base_id": "100002-sen_unit",
                "base_type": "sen_unit",
                "type_name": "SEN unit",
                "white_paper": "Specialist base",
                "needs": "",
                "sources": "census",
                "local_offer": "not known",
                "disagreements": "",
                "flags": "suppressed",
            },
        ],
        columns=list(BASE_COLUMNS),
    )
    authorities = _table(
        AUTHORITY_COLUMNS,
        ("301", "ASD", 1, 20, 50, 40.0, "needs_incomplete"),
        ("301", "HI", 0, None, None, float("nan"), "needs_incomplete;suppressed"),
    )
    disagreements = _table(
        DISAGREEMENT_COLUMNS, ("301", "100001", "b1", "type", "the sources give different types")
    )
    times = _table(_TIMES, ("b1", "100001", "resourced_provision", 15, 0.7, "sen_unit", ""))
    return Register(bases, authorities, disagreements, times)


def bare_example():
    """A register in which nothing was found."""
    return Register(
        _table(BASE_COLUMNS),
        _table(AUTHORITY_COLUMNS),
        _table(DISAGREEMENT_COLUMNS),
        _table(_TIMES),
    )
