"""The contracts hold together, and the schemas that are published say what the reader does."""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
from collections import Counter
from typing import get_args

import narwhals.stable.v2 as nw
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baseeval.contracts.codes import BLANKS, SUPPRESSION_CODES
from baseeval.contracts.columns import ColumnContract, ColumnKind
from baseeval.contracts.registry import TABLES
from baseeval.contracts.schema import table_schema
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import UsageError
from baseeval.sources.values import WHY, read_values

COLUMNS = [(contract, column) for contract in TABLES.values() for column in contract.columns]
RULES = [(contract, rule) for contract in TABLES.values() for rule in contract.rules]

each_table = pytest.mark.parametrize("contract", TABLES.values(), ids=list(TABLES))
each_column = pytest.mark.parametrize(
    ("contract", "column"), COLUMNS, ids=[f"{t.name}.{c.name}" for t, c in COLUMNS]
)
each_rule = pytest.mark.parametrize(
    ("contract", "rule"), RULES, ids=[f"{t.name}.{r.name}" for t, r in RULES]
)

SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")

#: What a column of each kind is held as when it has been read.
HELD = {
    "key": pa.string(),
    "number": pa.float64(),
    "integer": pa.int64(),
    "flag": pa.int64(),
    "date": pa.date32(),
    "code": pa.string(),
    "category": pa.string(),
}

# Table Schema's own rules, from https://specs.frictionlessdata.io/table-schema/ .
TYPES = {"string", "number", "integer", "boolean", "date", "any"}
CONSTRAINTS = {
    "string": {"required", "enum", "pattern"},
    "number": {"required", "minimum", "maximum"},
    "integer": {"required", "minimum", "maximum"},
    "boolean": {"required"},
    "date": {"required"},
    "any": {"required"},
}


def held(contract, name):
    return HELD[contract.column(name).kind]


def repeated(names):
    return [name for name, times in Counter(names).items() if times > 1]


# ----------------------------------------------------------------------------------------
# The contracts
# ----------------------------------------------------------------------------------------


@each_table
def test_names_are_plain_and_told_apart_without_regard_to_case(contract):
    names = contract.names()
    assert [name for name in (contract.name, *names) if not SNAKE.fullmatch(name)] == []
    assert repeated(name.lower() for name in names) == []
    assert repeated(rule.name for rule in contract.rules) == []


@each_table
def test_a_table_says_what_it_is_and_has_the_columns_of_its_key(contract):
    assert contract.meaning
    assert contract.source
    assert contract.key
    assert set(contract.key) <= set(contract.names())
    assert any(contract.column(name).needed for name in contract.key)


@each_column
def test_a_column_holds_only_what_its_kind_can_use(contract, column):
    assert column.kind in get_args(ColumnKind)
    assert column.meaning
    assert bool(column.codes) == (column.kind == "code")
    measured = column.kind in ("number", "integer")
    assert measured or (column.low is None and column.high is None and not column.unit)
    assert measured or column.kind in ("flag", "code") or not column.reasons
    assert column.kind == "key" or column.pattern is None
    assert column.low is None or column.high is None or column.low < column.high
    assert not column.needed or column.required


@each_column
def test_codes_are_told_apart_in_any_case_and_each_has_its_own_meaning(contract, column):
    assert repeated(code.lower() for code in column.codes) == []
    assert repeated(column.codes.values()) == []
    assert not {*column.codes, *column.reasons} & set(BLANKS)
    assert all([*column.codes.values(), *column.reasons.values()])


def test_a_name_with_codes_in_two_tables_has_the_same_codes():
    first = {}
    for _, column in COLUMNS:
        # Why there is nothing is told in each table's own words.
        if column.kind == "code" and column.name != "status":
            assert first.setdefault(column.name, column.codes) == column.codes


@each_rule
def test_a_rule_reads_columns_of_its_table_and_says_what_to_do(contract, rule):
    assert SNAKE.fullmatch(rule.name)
    assert rule.columns
    assert set(rule.columns) <= set(contract.names())
    assert set(rule.per) <= set(contract.names())
    assert bool(rule.per) == bool(rule.gathered)
    assert not set(rule.gathered) & set(contract.names())
    assert not set(rule.worked) & set(contract.names())
    read = {*contract.names(), *rule.worked}
    for column, how in rule.gathered.values():
        assert (column in read, how) in ((True, "min"), (True, "max"), (False, "rows"))
    assert rule.remedy.endswith(".")
    assert not rule.what.endswith(".")


@each_rule
def test_a_rule_reads_no_more_than_it_names_and_a_row_without_values_is_no_fault(contract, rule):
    row = {name: pa.array([None], held(contract, name)) for name in (*rule.per, *rule.columns)}
    with Engine() as engine:
        table = engine.table(pa.table(row))
        if rule.worked:
            worked = [value.alias(name) for name, value in rule.worked.items()]
            table = table.with_columns(*worked)
        if rule.gathered:
            gathered = [
                nw.lit(1).alias(name) if how == "rows" else nw.col(column).alias(name)
                for name, (column, how) in rule.gathered.items()
            ]
            table = table.select(*gathered)
        found = engine.counts(table, {"fault": rule.fault})
    assert found == {"fault": 0}


@each_table
def test_rules_of_one_key_give_a_name_to_one_thing_alone(contract):
    for name in ("gathered", "worked"):
        given = [
            (rule.per, given, str(meant))
            for rule in contract.rules
            for given, meant in getattr(rule, name).items()
        ]
        assert repeated((per, given) for per, given, _ in set(given)) == []


# ----------------------------------------------------------------------------------------
# The schemas, against Table Schema's rules
# ----------------------------------------------------------------------------------------


@each_table
def test_a_schema_keeps_the_rules_of_table_schema(contract):
    schema = table_schema(contract.name)
    names = [field["name"] for field in schema["fields"]]
    assert names == list(contract.names())
    assert ("primaryKey" in schema) != ("uniqueKeys" in schema)
    key = schema.get("primaryKey") or schema["uniqueKeys"][0]
    assert key == list(contract.key)
    assert repeated(schema["missingValues"]) == []
    assert "" in schema["missingValues"]
    assert json.loads(json.dumps(schema)) == schema


@each_table
def test_no_part_of_a_primary_key_may_be_empty(contract):
    schema = table_schema(contract.name)
    fields = {field["name"]: field for field in schema["fields"]}
    for name in schema.get("primaryKey", ()):
        assert fields[name]["constraints"]["required"] is True


@each_column
def test_a_field_keeps_the_rules_of_table_schema(contract, column):
    field = field_of(contract.name, column.name)
    constraints = field.get("constraints", {})
    assert field["type"] in TYPES
    assert set(constraints) <= CONSTRAINTS[field["type"]]
    for bound in ("minimum", "maximum"):
        allowed = int if field["type"] == "integer" else (int, float)
        assert bound not in constraints or isinstance(constraints[bound], allowed)
    enum = constraints.get("enum", [])
    assert all(isinstance(code, str) for code in enum)
    assert repeated(enum) == []
    assert not set(enum) & set(field["missingValues"])
    categories = field.get("categories", [])
    assert [category["value"] for category in categories] == enum
    assert repeated(category["label"] for category in categories) == []
    re.compile(constraints.get("pattern", ""))
    assert repeated(field["missingValues"]) == []
    assert not {*field.get("trueValues", ())} & {*field.get("falseValues", ())}
    assert "trueValues" not in field or field["type"] == "boolean"


@each_table
def test_the_list_for_older_readers_hides_no_code(contract):
    schema = table_schema(contract.name)
    own = {text for field in schema["fields"] for text in field["missingValues"]}
    codes = {code for column in contract.columns for code in column.codes}
    assert not set(schema["missingValues"]) & codes
    assert set(schema["missingValues"]) | (own & codes) == own


def test_every_kind_of_column_has_a_type_of_the_standard():
    columns = [column.kind for _, column in COLUMNS]
    assert set(columns) == set(HELD)
    assert {field_of(t.name, c.name)["type"] for t, c in COLUMNS} == TYPES - {"any"}


def test_an_unknown_table_is_told_with_those_known():
    with pytest.raises(UsageError, match="no table is named `pupil`") as raised:
        table_schema("pupil")
    assert "`pupils`, `schools`" in str(raised.value)


def test_a_schema_may_be_changed_without_changing_the_next():
    table_schema("pupils")["fields"].clear()
    table_schema("attainment")["fields"][4]["reasons"].clear()
    assert table_schema("pupils")["fields"]
    assert table_schema("attainment")["fields"][4]["reasons"]


# ----------------------------------------------------------------------------------------
# The schemas, against what the reader does
# ----------------------------------------------------------------------------------------


def field_of(table, column):
    return next(f for f in table_schema(table)["fields"] if f["name"] == column)


def read(column, cells):
    """Read cells of text as the package does: each one's value, and why there is none."""
    with Engine() as engine:
        table = pa.table({"order": range(len(cells)), column.name: pa.array(cells, pa.string())})
        contracts = [ColumnContract("order", "number", "x"), column]
        found = read_values(engine.table(table), contracts, engine, "t.csv")
        rows = engine.collect(found.frame, ["order"]).to_pylist()
    return [(row[column.name], row.get(WHY + column.name)) for row in rows]


def cast(field, text):
    """Cast text as Table Schema says: missing first, then the type, then the constraints."""
    if text in field["missingValues"]:
        return None
    constraints = field.get("constraints", {})
    if field["type"] == "boolean":
        return {
            **dict.fromkeys(field["trueValues"], 1),
            **dict.fromkeys(field["falseValues"], 0),
        }[text]
    if field["type"] == "date":
        return datetime.date.fromisoformat(text)
    if field["type"] in ("number", "integer"):
        bare = text if field.get("bareNumber", True) else text.rstrip(" %")
        value = float(bare) if field["type"] == "number" else int(bare)
        assert constraints.get("minimum", value) <= value <= constraints.get("maximum", value)
        return value
    assert text in constraints.get("enum", [text])
    assert re.fullmatch(constraints.get("pattern", ".*"), text)
    return text


def written(field):
    """Draw text that the schema allows, for a value or for none."""
    constraints = field.get("constraints", {})
    low, high = constraints.get("minimum"), constraints.get("maximum")
    values = {
        "boolean": lambda: st.sampled_from([*field["trueValues"], *field["falseValues"]]),
        "date": lambda: st.dates(datetime.date(1900, 1, 1), datetime.date(2100, 12, 31)).map(str),
        "integer": lambda: st.integers(low or -(10**6), high or 10**6).map(str),
        "number": lambda: st.floats(low, high, allow_nan=False, allow_infinity=False).map(repr),
    }
    if field["type"] in values:
        drawn = values[field["type"]]()
    elif "enum" in constraints:
        drawn = st.sampled_from(constraints["enum"])
    elif "pattern" in constraints:
        drawn = st.from_regex(constraints["pattern"], fullmatch=True, alphabet="0123456789")
    else:
        drawn = st.text("aéX019-.;", min_size=1) | st.sampled_from([*SUPPRESSION_CODES])
    if field["type"] == "number" and not field.get("bareNumber", True):
        drawn = drawn | drawn.map(lambda text: text + "%")
    return drawn | st.sampled_from(field["missingValues"])


def one_of_each(columns):
    """Keep one of the columns that are read alike: their contracts differ in words only."""
    alike = {}
    for contract, column in columns:
        plain = dataclasses.replace(column, name="", meaning="", source="")
        alike.setdefault(repr(plain), (contract.name, column))
    return alike.values()


@pytest.mark.parametrize(
    ("table", "column"), one_of_each(COLUMNS), ids=[c.name for _, c in one_of_each(COLUMNS)]
)
def test_what_a_schema_calls_missing_is_read_as_missing_and_its_codes_as_codes(table, column):
    field = field_of(table, column.name)
    texts = [*field["missingValues"], *field.get("constraints", {}).get("enum", ())]
    texts += [*field.get("trueValues", ()), *field.get("falseValues", ())]
    found = read(column, texts)
    assert [value for value, _ in found] == [cast(field, text) for text in texts]
    if column.kind != "key":
        assert all((value is None) == (why is not None) for value, why in found)


one_of_a_kind = pytest.mark.parametrize(
    ("table", "name"),
    [
        ("pupils", "pupil_id"),
        ("schools", "urn"),
        ("schools", "ehcp_percent"),
        ("attainment", "value"),
        ("placements", "share_of_time_in_base"),
        ("pupils", "birth_month"),
        ("pupils", "sen_unit"),
        ("pupils", "entry_date"),
        ("pupils", "year_group"),
        ("surveys", "answer"),
    ],
)


@one_of_a_kind
@settings(max_examples=4, deadline=None)
@given(data=st.data())
def test_text_that_keeps_the_schema_is_read_as_the_standard_reads_it(table, name, data):
    column, field = TABLES[table].column(name), field_of(table, name)
    texts = data.draw(st.lists(written(field), min_size=1, max_size=40))
    assert [value for value, _ in read(column, texts)] == [cast(field, text) for text in texts]
