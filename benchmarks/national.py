"""Time the writing of the national world beside DuckDB writing a table as large of random numbers.

Usage: python benchmarks/national.py [AREAS]

Each side is a process of its own with one thread, so that its memory can be told. DuckDB writes as
many rows of the same columns and types, with the same codec, words where ours has words. Ours also
draws every potential outcome and adds up the truth of the pupils drawn. Ends with 1 if ours takes
more than four times as long, or 4 GB.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from baseeval.worlds import write_simulation
from baseeval.worlds.forms import CODEC

MOST_TIMES, MOST_BYTES = 4.0, 4 * 2**30

#: Names of pupils and schools; the peer's are as long.
KEYS = {
    "pupil_id": "'P' || (100000000 + i // 3)",
    "school_id": "'S' || (100000 + (random() * 22049)::int)",
}


def clocks() -> np.ndarray:
    return np.array([time.perf_counter(), time.process_time()])


def ours(folder: Path, areas: int | None) -> list[float]:
    begun = clocks()
    write_simulation("national", folder, areas=areas, population=False)
    return (clocks() - begun).tolist()


def peer(folder: Path, theirs: Path) -> list[float]:
    files = sorted((theirs / "pupils").glob("*.parquet"))
    rows = sum(pq.ParquetFile(file).metadata.num_rows for file in files)
    table = pq.read_table(files[0], partitioning=None)
    chosen = ", ".join(f"{random_value(table, field)} as {field.name}" for field in table.schema)
    begun = clocks()
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute(
            f"copy (select {chosen} from range({rows}) t(i)) "
            f"to '{folder / 'pupils.parquet'}' (format parquet, codec '{CODEC}')"
        )
    took = (clocks() - begun).tolist()
    made = pq.read_schema(folder / "pupils.parquet")
    assert made.names == table.schema.names
    assert made.types == [plain(kind) for kind in table.schema.types]
    assert pq.ParquetFile(folder / "pupils.parquet").metadata.num_rows == rows
    return took


def plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def random_value(table: pa.Table, field: pa.Field) -> str:
    """Give the SQL of the cheapest random values of a column's type and about its range."""
    if field.name in KEYS:
        return KEYS[field.name]
    if pa.types.is_floating(field.type):
        return "random() * 100"
    if pa.types.is_integer(field.type):
        found = table[field.name].drop_null().to_numpy()
        kind = "tinyint" if pa.types.is_int8(field.type) else "smallint"
        return f"({found.min()} + random() * {found.max() - found.min()})::{kind}"
    words = table[field.name].drop_null().unique().to_pylist()
    if not words:
        return "null::varchar"
    levels = ", ".join(f"'{word}'" for word in words)
    return f"[{levels}][1 + (random() * {len(words) - 1})::int]"


def timed(side: str, *arguments: str) -> dict[str, float]:
    """Run one side in a process of its own."""
    command = [sys.executable, __file__, side, *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(said.stdout)
    print(
        f"{side:<6} {found['wall']:8.1f} s  {found['cpu']:8.1f} s of processor  "
        f"{found['memory'] / 2**20:8.0f} MB",
        flush=True,
    )
    return found


def child(side: str, folder: str, other: str) -> None:
    pa.set_cpu_count(1)
    if side == "ours":
        took = ours(Path(folder), int(other) if other else None)
    else:
        took = peer(Path(folder), Path(other))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"wall": took[0], "cpu": took[1], "memory": memory}))


def main(areas: str) -> int:
    with tempfile.TemporaryDirectory() as scratch:
        first, second = Path(scratch, "ours"), Path(scratch, "peer")
        for folder in (first, second):
            folder.mkdir()
        mine = timed("ours", str(first), areas)
        theirs = timed("peer", str(second), str(first))
    times = mine["wall"] / theirs["wall"]
    print(
        f"ours takes {times:.2f} times as long as DuckDB "
        f"({mine['cpu'] / theirs['cpu']:.2f} of processor time)"
    )
    return 0 if times <= MOST_TIMES and mine["memory"] <= MOST_BYTES else 1


if __name__ == "__main__":
    if sys.argv[1:2] in (["ours"], ["peer"]):
        child(*sys.argv[1:])
    else:
        sys.exit(main(*sys.argv[1:2] or [""]))
