"""Time a formula on a table beside one pass of X'X over the same columns.

Usage: python benchmarks/formula.py          # 1.7 million rows, and 5.1 million
       python benchmarks/formula.py 200000   # so many rows

From a pyarrow table to the end of iterating its blocks: 33 fixed columns, of which 19 are of five
factors, columns of the random terms, codes of the groups. X'X is summed over blocks of the same
columns. Processor time, the best of three; memory at the highest beside the table's own. One
thread. Ends with 1 beyond the limits.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa

from baseeval.models.model_rows import read_rows
from baseeval.numerics.mixed_models.blocks import BLOCK_ROWS

FACTORS = {"region": 9, "phase": 4, "ethnicity": 6, "need": 3, "language": 2}
MOST_SECONDS, MOST_MEMORY = 0.8, 1.3
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
FIXED = " + ".join([*(f"x{k}" for k in range(13)), *FACTORS])


def nation(rows: int, waves: int) -> pa.Table:
    rng = np.random.default_rng(0)
    pupils = rows // waves
    school = np.sort(rng.integers(0, max(rows // waves // 77, 2), pupils))
    columns = {
        "school": pa.array(np.repeat(school, waves)),
        "pupil": pa.array(np.repeat(np.arange(pupils), waves)),
        "wave": pa.array(np.tile(np.arange(waves, dtype=np.int8), pupils)),
    }
    n = pupils * waves
    for k in range(13):
        columns[f"x{k}"] = pa.array(
            rng.standard_normal(n) if k < 8 else rng.integers(0, 9, n, dtype=np.int16)
        )
    for name, count in FACTORS.items():
        words = pa.array([f"{name} {k}" for k in range(count)])
        codes = pa.array(rng.integers(0, count, n, dtype=np.int8))
        columns[name] = pa.DictionaryArray.from_arrays(codes, words)
    columns["y"] = pa.array(rng.standard_normal(n))
    return pa.table(columns)


def once(table: pa.Table, formula: str) -> float:
    start = time.process_time()
    rows = read_rows(formula, table)
    for block in rows.blocks():
        assert len(block.y) <= BLOCK_ROWS
    return time.process_time() - start


def measure(rows: int, waves: int, sorted_rows: bool) -> int:
    pa.set_cpu_count(1)
    table = nation(rows, waves)
    if not sorted_rows:
        table = table.take(pa.array(np.random.default_rng(1).permutation(len(table))))
    formula = f"y ~ {FIXED} + (1 | school)" + (" + (1 + wave | pupil)" if waves > 1 else "")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    took = min(once(table, formula) for _ in range(3))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    whole = np.concatenate(
        [block.x for _, block in zip(range(200), read_rows(formula, table).blocks(), strict=False)]
    )
    passes = []
    for _ in range(5):
        start = time.process_time()
        whole.T @ whole
        passes.append(time.process_time() - start)
    one = min(passes) * len(table) / len(whole)
    memory = 1 + grown / table.nbytes
    limit = MOST_SECONDS * rows / 1_700_000
    said = "sorted" if sorted_rows else "in any order"
    print(
        f"{rows:,} rows {said}, {whole.shape[1]} columns, {waves} waves: {took:.2f} s, "
        f"{took / one:.1f} passes of X'X, {memory:.2f} times the table's memory"
    )
    return int(sorted_rows and (took > limit or memory > MOST_MEMORY))


CASES = ((1_700_000, 1, True), (1_700_000, 1, False), (1_700_000, 3, True), (5_100_000, 3, True))


def main() -> int:
    if sys.argv[1:2] == ["measure"]:
        rows, waves, sorted_rows = (int(word) for word in sys.argv[2:])
        return measure(rows, waves, bool(sorted_rows))
    cases = CASES
    if sys.argv[1:]:
        cases = tuple((int(sys.argv[1]), waves, ordered) for _, waves, ordered in CASES[:3])
    environment = os.environ | dict.fromkeys(THREADS, "1")
    ended = 0
    for rows, waves, ordered in cases:
        command = [sys.executable, __file__, "measure", str(rows), str(waves), str(int(ordered))]
        ended |= subprocess.run(command, check=False, env=environment).returncode
    return ended


if __name__ == "__main__":
    sys.exit(main())
