"""Matched peers: pupils who are in no arm but belong to one who is."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from baseeval.contracts.tables import Rule, TableContract
from baseeval.contracts.tables import domain_column as column

COLUMNS = (
    column("pupil_id", "key", "The peer", required=True, needed=True),
    column("peer_of", "key", "Whose peer it is", required=True, needed=True),
)

RULES = (
    Rule(
        "own_peer",
        ("peer_of", "pupil_id"),
        nw.col("pupil_id") == nw.col("peer_of"),
        "a pupil as that pupil's own peer",
        "Mend the pairs.",
        stops=True,
    ),
    Rule(
        "peer_twice",
        ("pupil_id",),
        nw.col("rows") > 1,
        "more than one pupil to be the peer of",
        "Keep one row a peer.",
        stops=True,
        per=("pupil_id",),
        gathered={"rows": ("", "rows")},
        unit="peer",
    ),
)

CONTRACT = TableContract(
    "peers", "A peer and whose peer it is", ("pupil_id",), COLUMNS, RULES, "The study's own list"
)
