"""Write docs/data-dictionary.md and docs/schemas/ from the contracts: they cannot go stale."""

import json
from collections.abc import Iterator
from pathlib import Path

from baseeval.contracts.codes import BLANKS, NO, SUPPRESSION_CODES, YES
from baseeval.contracts.columns import ColumnContract
from baseeval.contracts.registry import TABLES
from baseeval.contracts.schema import table_schema
from baseeval.contracts.tables import Rule, TableContract

#: Name -> codes with their meanings, and the columns that use them.
Lists = dict[str, tuple[dict[str, str], list[str]]]

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = DOCS / "data-dictionary.md"
SCHEMAS = DOCS / "schemas"

#: A list of codes longer than this, or used by several columns, stands by itself.
SHORT = 4

KINDS = {
    "key": "text that names a pupil, school or base; compared as written",
    "number": "a decimal number; where the unit is %, a percent sign may follow",
    "integer": "a whole number",
    "flag": f"yes ({', '.join(YES)}) or no ({', '.join(NO)}), in any case",
    "date": "a day: 2022-09-01, 01/09/2022 or 01-09-2022",
    "code": "one of a list, in any case",
    "category": "any text, read as it stands",
}

INTRODUCTION = (
    "Made from the code by `scripts/make_dictionary.py`; a test holds it current. Words are in the "
    "[glossary](glossary.md).",
    "These are the tables that baseeval reads. You need only those that your study uses, and of "
    'each only the columns marked "column". Extracts under other names (the National Pupil '
    "Database, GIAS, a school's own system) are brought to these names by a crosswalk; the source "
    "says from what. [schemas](schemas/) holds each table as a "
    "[Table Schema](https://specs.frictionlessdata.io/table-schema/), for other software to check "
    "a file against. A schema gives the one form to write; this page also says what else is read.",
    '**Must** says what a table cannot do without: "column" has to be there, "value" has to be '
    "filled in every row. A row without such a value is counted and named. An impossible value or "
    "an unknown code is counted, named and read as missing; it stops nothing, unless it says so "
    "here.",
    f"**No value.** An empty cell, {', '.join(f'`{text}`' for text in BLANKS if text)} and the "
    "codes below are missing, each counted with its reason and none read as zero. In a key or a "
    "category they are text like any other. In a list of codes, a code of the list comes first: "
    "in `year_group`, `X` is a year group.",
)


def table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Lay rows out as a Markdown table."""
    lines = [heads, tuple("---" for _ in heads), *rows]
    escaped = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in escaped)


def shared_lists() -> Lists:
    """Name the lists of codes that stand by themselves, each with the columns that use it."""
    found: list[tuple[dict[str, str], list[str]]] = []
    for contract in TABLES.values():
        for column in contract.columns:
            users = next((users for codes, users in found if codes == column.codes), None)
            if users is None:
                found.append((dict(column.codes), [f"{contract.name}.{column.name}"]))
            else:
                users.append(f"{contract.name}.{column.name}")
    return {
        users[0].partition(".")[2]: (codes, users)
        for codes, users in found
        if codes and (len(users) > 1 or len(codes) > SHORT)
    }


def holds(column: ColumnContract, lists: Lists) -> str:
    """Say what a column may hold: its range, form and codes."""
    return "; ".join(_limits(column, lists))


def _limits(column: ColumnContract, lists: Lists) -> Iterator[str]:
    if column.unit:
        yield column.unit
    if column.low is not None and column.high is not None:
        yield f"{column.low:.10g} to {column.high:.10g}"
    elif column.low is not None:
        yield f"{column.low:.10g} or more"
    elif column.high is not None:
        yield f"{column.high:.10g} or less"
    if column.pattern:
        yield f"the form `{column.pattern.removeprefix('^').removesuffix('$')}`"
    name = next((name for name, (codes, _) in lists.items() if codes == column.codes), None)
    if name:
        yield f"[{name}](#{name})"
    elif column.codes:
        yield ", ".join(f"`{code}` {meaning}" for code, meaning in column.codes.items())
    if column.reasons:
        yield f"in place of a value: {', '.join(f'`{code}`' for code in column.reasons)}"
    if column.stops:
        yield "an impossible value stops the study"


def must(column: ColumnContract) -> str:
    """Say what of a column has to be there."""
    return ", ".join(["column"] * column.required + ["value"] * column.needed)


def what_happens(rule: Rule) -> str:
    """Say what a rule finds, and of what."""
    each = f", for each {', '.join(f'`{name}`' for name in rule.per)}" if rule.per else ""
    return f"{rule.unit}s with {rule.what}{each}"


def section(contract: TableContract, lists: Lists) -> str:
    """Describe one table."""
    name, key = contract.name, ", ".join(f"`{name}`" for name in contract.key)
    parts = [
        f"## {name}",
        f"**A row is:** {contract.meaning[0].lower()}{contract.meaning[1:]}. "
        f"**Told apart by:** {key}. **From:** {contract.source}. "
        f"**Schema:** [{name}.json](schemas/{name}.json).",
        table(
            ("column", "means", "kind", "holds", "must", "source"),
            [
                (f"`{c.name}`", c.meaning, c.kind, holds(c, lists), must(c), c.source)
                for c in contract.columns
            ],
        ),
    ]
    if contract.rules:
        parts += [
            "Checked between columns:",
            table(
                ("rule", "counts", "what is done", "stops the study"),
                [
                    (f"`{r.name}`", what_happens(r), r.remedy, "yes" if r.stops else "no")
                    for r in contract.rules
                ],
            ),
        ]
    return "\n\n".join(parts)


def dictionary() -> str:
    """Return the page."""
    lists = shared_lists()
    parts = [
        "# Data dictionary",
        *INTRODUCTION,
        table(
            ("code", "why there is no value"), [(f"`{c}`", m) for c, m in SUPPRESSION_CODES.items()]
        ),
        "**Kinds of column:**",
        table(("kind", "holds"), list(KINDS.items())),
        "**Tables:**",
        table(
            ("table", "a row is", "columns", "rules"),
            [
                (f"[{c.name}](#{c.name})", c.meaning, str(len(c.columns)), str(len(c.rules)))
                for c in TABLES.values()
            ],
        ),
        *(section(contract, lists) for contract in TABLES.values()),
        "## Lists of codes",
        "Where several columns share a list, or it is long, it stands here once.",
        *(
            f"### {name}\n\nUsed by {', '.join(f'`{user}`' for user in users)}.\n\n"
            + table(("code", "meaning"), [(f"`{code}`", words) for code, words in codes.items()])
            for name, (codes, users) in lists.items()
        ),
    ]
    return "\n\n".join(parts) + "\n"


def schemas() -> dict[str, str]:
    """Return each schema as the text of its file, by the file's name."""
    return {
        f"{name}.json": json.dumps(table_schema(name), indent=2, sort_keys=True, ensure_ascii=False)
        + "\n"
        for name in TABLES
    }


if __name__ == "__main__":
    PAGE.write_text(dictionary(), encoding="utf-8", newline="\n")
    SCHEMAS.mkdir(exist_ok=True)
    for name, text in schemas().items():
        (SCHEMAS / name).write_text(text, encoding="utf-8", newline="\n")
