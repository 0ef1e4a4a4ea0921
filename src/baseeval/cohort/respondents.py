"""Whose answers each outcome takes: those of a pupil, a parent and staff are never put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import COUNT, Frame
from baseeval.errors import PlanError, Problem
from baseeval.plan import OutcomeSection, Plan

#: Before the name of an item that is one respondent's, or was asked in some modes alone.
ANSWER = "answer:"


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What a table of surveys says besides the answers; nothing where there is none.

    Parameters
    ----------
    has_status : bool
        Whether it can say why there is no answer.
    has_mode : bool
        Whether it says how the questions were put.
    respondents : mapping of str to str
        Outcome -> whose answers it takes; empty text where the data do not say.
    """

    has_status: bool
    has_mode: bool
    respondents: Mapping[str, str]


NOT_SURVEYED = Surveyed(False, False, {})


@dataclass(frozen=True, slots=True)
class Group:
    """Outcomes that are read from one survey: they share items, respondent and modes.

    Parameters
    ----------
    outcomes : list of OutcomeSection
    items : list of str
    respondent : str
        Empty where the data do not say.
    instruments : list of str
        Those that ask these items.
    prefix : str
        Before the name of an item, in that of its column.
    """

    outcomes: list[OutcomeSection]
    items: list[str]
    respondent: str
    instruments: list[str]
    prefix: str


def as_held(outcome: OutcomeSection, plan: Plan) -> OutcomeSection:
    """Return an outcome with its items under the names of the columns that hold their answers.

    Parameters
    ----------
    outcome : OutcomeSection
    plan : Plan

    Returns
    -------
    OutcomeSection
        The same, unless a source holds answers of several respondents or modes to one item.
    """
    prefix = "" if plan.data.source is None else _prefix(outcome)
    if not prefix:
        return outcome
    names = {key: [prefix + item for item in getattr(outcome, key)] for key in ("items", "reverse")}
    return outcome.model_copy(update=names)


def groups_of(
    rows: Frame, scales: Sequence[OutcomeSection], plan: Plan, engine: Engine
) -> tuple[list[Group], dict[str, str], int]:
    """Find whose answers each scale takes, and which scales are read from one survey.

    Parameters
    ----------
    rows : narwhals LazyFrame
        ``item, instrument, respondent``.
    scales : sequence of OutcomeSection
    plan : Plan
    engine : Engine

    Returns
    -------
    groups : list of Group
    respondents : dict of str to str
        As in `Surveyed`.
    blank : int
        Answers without a respondent, where others have one.

    Raises
    ------
    PlanError
        Several respondents answered and an outcome does not say whose answers it takes, or
        names one who did not answer.
    """
    respondents, instruments, blank = _resolved(rows, scales, plan, engine)
    return _groups(scales, respondents, instruments), respondents, blank


def _resolved(
    rows: Frame, scales: Sequence[OutcomeSection], plan: Plan, engine: Engine
) -> tuple[dict[str, str], dict[str, list[str]], int]:
    """Find whose answers each outcome takes, by which instruments; count those of nobody."""
    by = ["item", "instrument", "respondent"]
    found = engine.collect(rows.group_by(*by).agg(COUNT.alias("rows")), by).to_pylist()
    respondents: dict[str, str] = {}
    instruments: dict[str, list[str]] = {}
    problems: list[Problem] = []
    nobody: dict[int, int] = {}
    for outcome in scales:
        mine = {i: row for i, row in enumerate(found) if row["item"] in outcome.items}
        known = sorted({row["respondent"] for row in mine.values()} - {None})
        instruments[outcome.name] = sorted({row["instrument"] for row in mine.values()} - {None})
        respondents[outcome.name] = outcome.respondent or (known[0] if len(known) == 1 else "")
        if known:
            nobody |= {i: row["rows"] for i, row in mine.items() if row["respondent"] is None}
        where = f"{plan.path.name}, [outcomes] {outcome.name}"
        told = " and ".join(known) or "nobody in particular"
        if outcome.respondent is None and len(known) > 1:
            what = f"the data hold answers of {told}, which are never put together"
            remedy = f'Say whose it takes: `respondent = "{known[-1]}"`. Another outcome can take '
            problems.append(Problem(where, what, f"{remedy}the others'."))
        elif outcome.respondent not in (None, *known) and mine:
            if known or outcome.respondent != "pupil":
                what = f"it takes the answers of {outcome.respondent}, and the data hold {told}'s"
                remedy = "Mend `respondent` here, or the column `respondent` of the surveys."
                problems.append(Problem(where, what, remedy))
            else:
                respondents[outcome.name] = ""
    if problems:
        raise PlanError(problems)
    return respondents, instruments, sum(nobody.values())


def _prefix(outcome: OutcomeSection) -> str:
    modes = "+".join(sorted(outcome.modes))
    return f"{ANSWER}{outcome.respondent or ''}:{modes}:" if outcome.respondent or modes else ""


def _groups(
    scales: Sequence[OutcomeSection],
    respondents: Mapping[str, str],
    instruments: Mapping[str, list[str]],
) -> list[Group]:
    """Put outcomes together that share an item: pieces of two surveys would make a third."""
    groups: list[Group] = []
    for outcome in scales:
        prefix, respondent = _prefix(outcome), respondents[outcome.name]
        shared = [
            group
            for group in groups
            if group.prefix == prefix and set(group.items) & set(outcome.items)
        ]
        rest = [group for group in groups if group not in shared]
        items = [item for group in shared for item in group.items] + list(outcome.items)
        asked = {name for group in shared for name in group.instruments}
        groups = [
            *rest,
            Group(
                [*(one for group in shared for one in group.outcomes), outcome],
                list(dict.fromkeys(items)),
                respondent,
                sorted(asked | set(instruments[outcome.name])),
                prefix,
            ),
        ]
    return groups
