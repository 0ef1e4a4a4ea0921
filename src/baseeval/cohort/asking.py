"""What a plan asks of the tables of its sources: refused where no table can answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import narwhals.stable.v2 as nw

from baseeval.cohort.exposing import EXPOSURE
from baseeval.contracts.registry import TABLES
from baseeval.contracts.vocabulary import NEEDS, PHASES, YEAR_GROUPS
from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import Frame
from baseeval.errors import Fault, PlanError, Problem, fault
from baseeval.plan import Plan, nearest

#: Names that the rows of a study need, whatever their case: the engine does not tell it apart.
_TAKEN = ("pupil_id", "arm", "wave", "is_peer", "peer_of")
_PREFIXES = ("key:", "why:", "year:", "answer:", "mode:")

_YEARLY_KEYS = ("pupil_id", "year", "urn", "pandemic")


def check_plan(plan: Plan, tables: Mapping[str, Frame], measures: Sequence[str]) -> None:
    """Refuse a plan that asks for what no table has, or for one name of two things.

    Parameters
    ----------
    plan : Plan
        With a `source`.
    tables : mapping of str to narwhals LazyFrame
        Contract's name -> table.
    measures : sequence of str
        Of the table ``attainment``.

    Raises
    ------
    PlanError
    """
    problems = [
        *_outcomes(plan, tables, measures),
        *_codes(plan),
        *_names(plan, tables, measures),
    ]
    if "peers" in tables and plan.peers is None:
        problems.append(
            Problem(
                f"{plan.path.name}, [data.files]",
                "a table of peers is given, and the plan does not name it",
                'Write `peers = "peers.csv"` there, so that the plan says that there are peers.',
            )
        )
    if problems:
        raise PlanError(problems)


def _outcomes(plan: Plan, tables: Mapping[str, Frame], measures: Sequence[str]) -> list[Problem]:
    """Name outcomes made from a column that no table has."""
    known = [*measures, *EXPOSURE, *_yearly_columns(tables)]
    problems = []
    for outcome in plan.outcomes:
        where = f"{plan.path.name}, [outcomes] {outcome.name}"
        if outcome.kind == "scale" and "surveys" not in tables:
            problems.append(
                Problem(where, "no table of surveys is named", "Name it in [data.files] surveys.")
            )
        elif outcome.kind != "scale":
            problems += [
                Problem(where, f"no table has the column `{name}`", nearest(name, known))
                for name in outcome.columns()
                if name not in known
            ]
        if (outcome.counts or outcome.floor) and outcome.column not in measures:
            key = "counts" if outcome.counts else "floor"
            problems.append(
                Problem(
                    where,
                    f"`{key}` asks why there is no result, and `{outcome.column}` is no measure "
                    "of `attainment`, which alone says so",
                    nearest(str(outcome.column), list(measures)),
                )
            )
    return problems


def _yearly_columns(tables: Mapping[str, Frame]) -> list[str]:
    known = []
    for table in ("attendance", "exclusions"):
        if table in tables:
            held = tables[table].collect_schema().names()
            known += [n for n in TABLES[table].names() if n in held and n not in _YEARLY_KEYS]
    return known


def _codes(plan: Plan) -> list[Problem]:
    """Name codes of [eligibility] that no row of a source can hold."""
    rules = plan.eligibility
    assert rules is not None
    asked = {
        "needs": (rules.needs, list(NEEDS)),
        "phases": (rules.phases, list(PHASES)),
        "years": (rules.years, list(YEAR_GROUPS)),
    }
    return [
        Problem(
            f"{plan.path.name}, [eligibility] {key}",
            f"`{word}` is not a code of the data dictionary",
            nearest(word, known),
        )
        for key, (words, known) in asked.items()
        for word in words
        if (word if key == "years" else word.upper()) not in known
    ]


def _names(plan: Plan, tables: Mapping[str, Frame], measures: Sequence[str]) -> list[Problem]:
    """Name columns that could be mistaken for others."""
    covariates = [c.column for c in plan.covariates.every()]
    asked = list(dict.fromkeys([*covariates, *(c for o in plan.outcomes for c in o.columns())]))
    cases = Counter(name.lower() for name in asked)
    taken = (*_TAKEN, plan.data.pupil.lower(), plan.data.school.lower())
    columns = {name.lower() for name in (*_yearly_columns(tables), *EXPOSURE, "absence_share")}
    for table in ("pupils", "placements", "schools"):
        if table in tables:
            columns |= {name.lower() for name in tables[table].collect_schema().names()}
    items = {c.lower() for o in plan.outcomes for c in o.items}
    others = {c.lower() for o in plan.outcomes if not o.items for c in o.columns()}
    problems = [
        Problem(
            f"{plan.path.name}, [data] {key}",
            f"`{name}` is a name that baseeval needs for something else",
            "Leave the key out: a source has the names of the data dictionary.",
        )
        for key, name in (("pupil", plan.data.pupil), ("school", plan.data.school))
        if name.lower() in _TAKEN[key == "pupil" :]
    ]
    for name in asked:
        small = name.lower()
        if small in taken or small.startswith(_PREFIXES):
            what = f"`{name}` is a name that baseeval needs"
        elif cases[small] > 1:
            what = f"`{name}` differs from another name in nothing but its capitals"
        elif name in measures and small in columns:
            what = f"`{name}` is a measure of `attainment`, and a column of another table too"
        elif small in items & others:
            what = f"`{name}` is an item of one outcome and the column of another"
        else:
            continue
        problems.append(Problem(plan.path.name, what, "Rename the measure or item in the data."))
    return problems


def count_strangers(
    plan: Plan, tables: Mapping[str, Frame], labels: Mapping[str, str], engine: Engine
) -> list[Fault]:
    """Count the peers and hosts that a study names and no census knows.

    Parameters
    ----------
    plan : Plan
    tables : mapping of str to narwhals LazyFrame
    labels : mapping of str to str
        Table -> its files, as messages name them.
    engine : Engine

    Returns
    -------
    list of Fault
    """
    faults = []
    if "peers" in tables:
        seen = tables["pupils"].select("pupil_id").unique()
        lost = tables["peers"].join(seen, on="pupil_id", how="anti")
        count = engine.counts(lost, {"lost": ~nw.col("pupil_id").is_null()})["lost"]
        if count:
            what = "no row in any census of this study"
            remedy = "They are no one's peers: add their rows to the census, or check the keys."
            label = labels.get("peers", "peers")
            faults.append(
                fault(label, "pupil_id", "peer_not_in_census", count, what, remedy, unit="peer")
            )
    hosts = sorted(set(plan.placement.hosts)) if plan.placement is not None else []
    if hosts:
        found = tables["pupils"].filter(nw.col("urn").is_in(hosts)).select("urn").unique()
        count = len(hosts) - engine.counts(found, {"found": ~nw.col("urn").is_null()})["found"]
        if count:
            what = "no pupil in any census of this study"
            remedy = "Check `hosts` in [placement]: a URN that changed is another one."
            faults.append(
                fault(
                    plan.path.name, "hosts", "host_not_in_census", count, what, remedy, unit="host"
                )
            )
    return faults
