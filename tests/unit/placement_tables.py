"""Tables written as text, for the tests of placements."""

from datetime import date

import pyarrow as pa

KINDS = {
    **dict.fromkeys(
        ["year", "sen_unit", "resourced_provision", "on_roll", "local_offer"], pa.int64()
    ),
    **dict.fromkeys(["entry_date", "start", "end", "decided", "on", "until"], pa.date32()),
    **dict.fromkeys(
        ["share_of_time_in_base", "places", "pupils", "sen_unit_pupils", "sen_unit_places"],
        pa.float64(),
    ),
    **dict.fromkeys(["rp_pupils", "rp_places"], pa.float64()),
}


def read(text: str) -> pa.Table:
    """Read a table of words parted by bars; a dash is no value."""
    lines = [line.strip() for line in text.strip().splitlines()]
    rows = [[cell.strip() for cell in line.split("|")] for line in lines]
    names = rows[0]
    columns = {}
    for i, name in enumerate(names):
        kind = KINDS.get(name, pa.string())
        columns[name] = pa.array([value(row[i], kind) for row in rows[1:]], kind)
    return pa.table(columns)


def value(cell: str, kind: pa.DataType) -> object:
    if cell == "-":
        return None
    if kind == pa.date32():
        return date.fromisoformat(cell)
    if kind == pa.int64():
        return int(cell)
    return float(cell) if kind == pa.float64() else cell


def tables_in(engine, **texts: str):
    return {name: engine.table(read(text)) for name, text in texts.items()}


def rows_of(engine, frame, order):
    return engine.collect(frame, order).to_pylist()
