"""Values: codes never become numbers, and every cell is a value, a reason or a fault."""

import math

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from baseeval.contracts.codes import BLANKS, SUPPRESSION_CODES
from baseeval.contracts.columns import ColumnContract
from baseeval.engine.duckdb_engine import Engine
from baseeval.sources.values import WHY, read_values

codes = st.sampled_from([*SUPPRESSION_CODES])
blanks = st.sampled_from([*BLANKS, None])
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**9), 10**9)
written = numbers.map(repr) | numbers.map(lambda number: f" {number!r} ")
anything = st.text("SUPcxz low.-+e019,£é\t", max_size=6)


def typed(cells, kind):
    with Engine() as engine:
        table = pa.table({"order": range(len(cells)), "v": pa.array(cells, pa.string())})
        contracts = [ColumnContract("order", "number", "x"), ColumnContract("v", kind, "x")]
        found = read_values(engine.table(table), contracts, engine, "p.csv")
        rows = engine.collect(found.frame, ["order"]).to_pylist()
    return [(row["v"], row[WHY + "v"]) for row in rows], found


@settings(max_examples=15, deadline=None)
@given(cells=st.lists(codes | blanks | written, min_size=1, max_size=30))
def test_codes_are_never_numbers_and_numbers_never_change(cells):
    pairs, found = typed(cells, "number")

    assert found.problems == ()
    for cell, (value, why) in zip(cells, pairs, strict=True):
        if cell in SUPPRESSION_CODES:
            assert (value, why) == (None, cell)
        elif cell in (*BLANKS, None):
            assert (value, why) == (None, "blank")
        else:
            assert (value, why) == (float(cell), None)


@settings(max_examples=15, deadline=None)
@given(cells=st.lists(codes | blanks | written | anything, min_size=1, max_size=30))
def test_every_cell_is_a_number_or_a_reason_or_a_fault(cells):
    pairs, found = typed(cells, "number")

    lost = sum(why in ("text in number", "infinity") for _, why in pairs)
    told = [int(str(problem).split(": ")[1].split(" row")[0]) for problem in found.problems]
    assert sum(told) == lost
    assert all(value is None or math.isfinite(value) for value, _ in pairs)
    assert all((value is None) != (why is None) for value, why in pairs)


@settings(max_examples=15, deadline=None)
@given(cells=st.lists(codes | blanks | anything, min_size=1, max_size=30))
def test_a_stated_category_keeps_all_of_its_text(cells):
    pairs, found = typed(cells, "category")

    assert found.problems == ()
    assert "v" not in found.numeric
    for value, why in pairs:
        assert (value is None) != (why is None)
        assert why in (None, "blank")
        assert value not in BLANKS
