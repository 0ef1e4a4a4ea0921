"""The school census of an area, and its matched peers, as their contracts have them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from baseeval.worlds.areas import Area, Recorded
from baseeval.worlds.circumstances import arms_over_time
from baseeval.worlds.contract_types import contract_table, words
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.roll import Roll, la_of
from baseeval.worlds.streams import Streams

Flags = NDArray[np.bool_]
Whole = NDArray[np.intp]

#: Codes of the census for the co-occurring needs, in the order of ``NEEDS``.
_SECOND_NEEDS: list[str | None] = [None, "SEMH", "SLCN", "MLD"]

#: Days before entry between which first EHC plans were issued.
_PLANS = (60, 730)


@dataclass(frozen=True)
class _Census:
    """A census: its term, the wave (a position) of its school year, and who is in it."""

    term: str
    wave: int
    there: Flags


def pupils_rows(
    recipe: WorldRecipe, area: Area, recorded: Recorded, roll: Roll, streams: Streams
) -> pa.Table:
    """Lay out a row a pupil and census.

    Parameters
    ----------
    recipe : WorldRecipe
    area : Area
    recorded : Recorded
    roll : Roll
    streams : Streams

    Returns
    -------
    pyarrow.Table
        Of the contract ``pupils``.
    """
    total = len(roll.ids)
    stays = roll.stays
    censuses = (
        _Census("SPR", 0, stays[:, 0]),
        # Who leaves before wave 2 had come by then; who comes late had not.
        _Census("AUT", 1, stays[:, 0]),
        _Census("SPR", 1, stays[:, 1]),
        _Census("AUT", 2, stays[:, 2]),
        _Census("SPR", 2, stays[:, 2]),
    )
    flagged = _flagged(area, total)
    other = roll.everyone.other
    twofold = streams("disorder/dual").random(total) < recipe.disorder.dual
    twofold &= other != roll.everyone.school
    issued = roll.entered - streams("forms/ehcp_date").integers(*_PLANS, total)
    parts = []
    for census in censuses:
        second = census.there & twofold if census.wave else np.zeros(total, dtype=np.bool_)
        again = census.there & recorded.twice[:, census.wave] & (census.term == "SPR")
        who = np.concatenate([np.flatnonzero(m) for m in (census.there, again, second)])
        guest = np.arange(len(who)) >= len(who) - second.sum()
        order = np.argsort(recorded.names.pupils[who], kind="stable")
        who, guest = who[order], guest[order]
        parts.append(_rows(area, roll, census, who, guest, twofold, flagged, issued))
    return pa.concat_tables(parts)


def _flagged(area: Area, total: int) -> Flags:
    """Say whom the census flags as in a base, by wave; who moves is flagged as moved."""
    placed, school = area.placed, area.eligible.school
    arms = arms_over_time(placed, area.around)
    flags = np.zeros((total, arms.shape[1]), dtype=np.bool_)
    own = flags[: len(school)]
    own[:, 1] = placed.recorded == 0
    moved = arms[:, 2] != arms[:, 1]
    known = (arms[:, 2] == 0) & area.schools.recognised[school]
    own[:, 2] = np.where(moved, known, own[:, 1])
    return flags


def _rows(
    area: Area,
    roll: Roll,
    census: _Census,
    who: Whole,
    guest: Flags,
    twofold: Flags,
    flagged: Flags,
    issued: NDArray[np.datetime64],
) -> pa.Table:
    people, wave, count = roll.everyone, census.wave, len(who)
    eligible = who < roll.eligible
    urn = np.where(guest, roll.urns[people.other[who]], roll.school(who, wave))
    at = np.where(guest, people.other[who], people.school[who])
    phase = np.where(wave == 0, 2, np.where(area.schools.primary[at], 0, 1))
    main = 2 * guest + (twofold[who] & ~guest & (wave > 0))
    plan = people.ehcp[who]
    no_plan = pa.scalar(None, pa.date32())
    day = pa.array(issued[who].astype("datetime64[D]"))
    start = roll.entered[who] if wave else np.full(count, roll.day(9, 1, 0))
    return contract_table(
        "pupils",
        {
            "pupil_id": roll.ids.take(pa.array(who)),
            "year": np.full(count, roll.year(wave)),
            "term": pa.array([census.term] * count, pa.string()),
            "urn": urn,
            "la": pa.array([la_of(roll.area)] * count, pa.string()),
            "phase": words(["PS", "SS", "AT"], phase),
            "year_group": words(["R", *map(str, range(1, 12))], people.year[who] + wave - 1),
            "sex": words(["M", "F"], people.female[who]),
            "fsm": people.fsm[who],
            "sen_provision": words(["N", "K", "E"], np.where(plan, 2, eligible)),
            "primary_need": words([None, "ASD"], eligible),
            "secondary_need": words(_SECOND_NEEDS, np.where(eligible, people.need[who], 0)),
            "sen_unit": np.zeros(count, dtype=np.bool_),
            "resourced_provision": flagged[who, wave] & ~guest,
            "enrolment": words(["C", "M", "S"], main),
            "on_roll": np.ones(count, dtype=np.bool_),
            "entry_date": start,
            "ehcp_date": pc.if_else(pa.array(plan), day, no_plan),
        },
    )


def peers_rows(roll: Roll) -> pa.Table:
    """Lay out whose peer each peer is.

    Parameters
    ----------
    roll : Roll

    Returns
    -------
    pyarrow.Table
        Of the contract ``peers``.
    """
    peers = roll.order[roll.order >= roll.eligible]
    return contract_table(
        "peers",
        {
            "pupil_id": roll.ids.take(pa.array(peers)),
            "peer_of": roll.ids.take(pa.array(peers - roll.eligible)),
        },
    )
