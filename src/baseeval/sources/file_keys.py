"""What a study file may say of its files: which tables, which columns, which words."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from baseeval.contracts.codes import NO, YES
from baseeval.contracts.columns import ColumnContract
from baseeval.contracts.registry import TABLES
from baseeval.errors import PlanError, Problem
from baseeval.plan import FileSection, Plan, nearest
from baseeval.sources.crosswalk import (
    Crosswalk,
    contract_crosswalk,
    load_crosswalk,
    with_headings,
    with_words,
)
from baseeval.sources.mis import mis_crosswalk
from baseeval.sources.npd import NPD_FILES
from baseeval.sources.school_files import SCHOOL_FILES
from baseeval.sources.stacked_columns import STACKED

#: Keys of [data.files] of which a study has one: each pair makes one table.
_SAME = (
    ("census", "pupils"),
    ("absence", "attendance"),
    ("marks", "attendance"),
    ("marks", "absence"),
)


def known_files(source: str | None) -> list[str]:
    """Return the keys that [data.files] may have.

    Parameters
    ----------
    source : str, optional
        npd, mis or contracts; without one there is a tidy table, and only context
        beside it.

    Returns
    -------
    list of str
    """
    if source is None:
        return ["benchmarks"]
    own = list(NPD_FILES) if source == "npd" else []
    return list(dict.fromkeys([*own, *TABLES, *SCHOOL_FILES]))


def extracts_of(plan: Plan) -> Mapping[str, str]:
    """Return the keys that stand for extracts, of which `exclusions` is a contract's name too.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    mapping of str to str
        Key -> crosswalk.
    """
    return NPD_FILES if plan.data.source == "npd" else {}


def crosswalk_of(key: str, plan: Plan) -> Crosswalk:
    """Return the crosswalk that a key's files are read by, with the user's headings and words.

    Parameters
    ----------
    key : str
        One of `known_files`.
    plan : Plan

    Returns
    -------
    Crosswalk
    """
    known = with_headings(_shipped(key, plan), plan.data.columns.get(key, {}))
    return with_words(known, plan.data.values.get(key, {}))


def _shipped(key: str, plan: Plan) -> Crosswalk:
    name = extracts_of(plan).get(key) or SCHOOL_FILES.get(key)
    if name is not None and name not in TABLES:
        return load_crosswalk(name)
    return mis_crosswalk(key) if plan.data.source == "mis" else contract_crosswalk(TABLES[key])


def check_files(plan: Plan, keys: Sequence[str]) -> None:
    """Refuse a plan that names a table, column, word or shape that is not read.

    Parameters
    ----------
    plan : Plan
    keys : sequence of str
        Of [data.files], and of what is given in place of files.

    Raises
    ------
    PlanError
        With every fault at once.
    """
    known = known_files(plan.data.source)
    where = f"{plan.path.name}, [data.files]"
    problems = [
        Problem(where, f"`{key}` is not a table that is read here", nearest(key, known))
        for key in keys
        if key not in known
    ]
    for section, named in (("columns", plan.data.columns), ("values", plan.data.values)):
        problems += [
            Problem(
                f"{plan.path.name}, [data.{section}]",
                f"no file `{key}` is named",
                nearest(key, list(keys)),
            )
            for key in named
            if key not in keys
        ]
    for one, other in _SAME:
        if one in keys and other in keys:
            problems.append(
                Problem(where, f"`{one}` and `{other}` are the same table", "Name one of them.")
            )
    for key in keys:
        if key in known:
            problems += _columns(key, plan)
            problems += _words(key, plan)
            for one_of in plan.data.files.get(key, []):
                problems += _options(key, one_of, plan)
    problems += _places(plan, keys)
    if problems:
        raise PlanError(problems)


def _columns(key: str, plan: Plan) -> Iterator[Problem]:
    own = plan.data.columns.get(key, {})
    where = f"{plan.path.name}, [data.columns.{key}]"
    known = _known_columns(key, plan)
    for column in own:
        if column not in known:
            yield _unknown(where, column, known)
    headings = [heading.lower() for heading in own.values()]
    for heading in dict.fromkeys(own.values()):
        if headings.count(heading.lower()) > 1:
            what = f"the heading `{heading}` is named for more than one column"
            yield Problem(where, what, "A heading means one column: keep one of them.")


def _known_columns(key: str, plan: Plan) -> list[str]:
    """Return the columns of which a user may name the heading."""
    shipped = _shipped(key, plan)
    # A heading that no extract has, such as that of a consent, may be added to an extract.
    held = TABLES[shipped.contract].names() if shipped.contract in TABLES else ()
    return list(dict.fromkeys([*shipped.columns, *held]))


def _words(key: str, plan: Plan) -> Iterator[Problem]:
    known = list(_shipped(key, plan).columns)
    contract = TABLES.get(key)
    for column, words in plan.data.values.get(key, {}).items():
        where = f"{plan.path.name}, [data.values.{key}]"
        if column not in known:
            yield _unknown(where, column, known)
        elif contract is not None and key not in extracts_of(plan) and column in contract.names():
            allowed = _codes(contract.column(column))
            for code in dict.fromkeys(words.values()):
                if allowed and code and code not in allowed:
                    what = f"`{code}` is not a code of `{column}`"
                    yield Problem(f"{where} {column}", what, nearest(code, list(allowed)))


def _codes(column: ColumnContract) -> Collection[str]:
    """Return what a word may stand for; empty for anything."""
    if column.kind == "flag":
        return (*YES, *NO)
    return tuple(column.codes) if column.kind == "code" else ()


def _options(key: str, section: FileSection, plan: Plan) -> Iterator[Problem]:
    where = f"{plan.path.name}, [data.files] {key}"
    known = _known_columns(key, plan)
    for name in section.columns:
        if name not in known:
            yield _unknown(f"{where}, `columns`", name, known)
    if not (section.constants or section.stack):
        return
    if key in extracts_of(plan) or key not in TABLES:
        what = "`set` and `stack` are for tables of the data dictionary, and this is an extract"
        yield Problem(where, what, "Take them out; an extract says these things itself.")
        return
    if section.stack and key not in STACKED:
        stacked = " and ".join(f"`{table}`" for table in STACKED)
        yield Problem(
            where,
            f"`stack` makes rows of {stacked} alone",
            "Take it out: the other tables have one row of the file for each of theirs.",
        )
        return
    cell, tells = STACKED.get(key, ("", ""))
    names = [n for n in TABLES[key].names() if n != "pupil_id"]
    made = [n for n in names if not (section.stack and n == cell)]
    for name in section.constants:
        if name not in made:
            yield _unknown(f"{where}, `set`", name, made)
    for number, entry in enumerate(section.stack, 1):
        place = f"{where}, `stack` {number}"
        for name in entry:
            if name not in ("column", *made):
                yield _unknown(place, name, ["column", *made])
        if tells not in entry and tells not in section.constants:
            what = f"this entry does not say its `{tells}`"
            yield Problem(place, what, f'Add it: {{ column = "...", {tells} = "..." }}.')


def _places(plan: Plan, keys: Sequence[str]) -> Iterator[Problem]:
    """Ask who is in a base, where nothing says so."""
    data = plan.data
    if data.base is not None and "pupils" not in keys:
        what = "it takes places from the pupils' file, and none is named"
        yield Problem(f"{plan.path.name}, [data.base]", what, "Name `pupils` in [data.files].")
    reads = plan.placement is not None and plan.placement.source == "spells"
    if data.source == "mis" and reads and data.base is None and "placements" not in keys:
        yield Problem(
            f"{plan.path.name}, [data]",
            "nothing says who is in a base",
            "Write [data.base] with a `column` of the pupils' file or a `list` of pupils, or name "
            "a file of `placements` in [data.files].",
        )


def _unknown(where: str, name: str, known: Sequence[str]) -> Problem:
    return Problem(where, f"there is no column `{name}` in this table", nearest(name, list(known)))
