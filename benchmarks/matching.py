"""Time nearest-neighbour matching of a nation beside one sort of the scores, and weigh it.

Usage: python benchmarks/matching.py

Pupils are matched with others of the same need (exact strata) on a propensity score, within a
fifth of its standard deviation. A line says how many sorts (`numpy.argsort` of the pooled scores,
in the same process) the pairing took, from arrays to pairs and in processor time, and how much
memory, beside that of the arrays that go in; each case is a process of its own with one BLAS
thread. Ends with 1 where a case takes more sorts, or more memory, than it may.
"""

from __future__ import annotations

import gc
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from baseeval.numerics.nearest import match_nearest


class Case(NamedTuple):
    treated: int
    pool: int
    ratio: int
    most_sorts: float


CASES = (Case(49_000, 1_500_000, 1, 6.0), Case(144_000, 1_500_000, 3, 10.0))
MOST_MEMORY = 3.0
RUNS = 7
#: Shares of pupils by need, much as in the census of schools.
NEEDS = (0.26, 0.21, 0.16, 0.12, 0.09, 0.05, 0.04, 0.03, 0.02, 0.01, 0.01)
GIVEN = ("score", "treated", "order", "need", "caliper")
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def make(case: Case, folder: Path) -> None:
    rng = np.random.default_rng(case.treated)
    n = case.treated + case.pool
    treated = np.zeros(n, dtype=bool)
    treated[rng.choice(n, case.treated, replace=False)] = True
    score = 1 / (1 + np.exp(2.5 - treated - rng.standard_normal(n)))
    need = rng.choice(len(NEEDS), n, p=NEEDS).astype(np.intp)
    rows = np.flatnonzero(treated)
    order = rows[np.argsort(-score[rows], kind="stable")]
    caliper = np.array(0.2 * score.std(ddof=1))
    for name, values in zip(GIVEN, (score, treated, order, need, caliper), strict=True):
        np.save(folder / f"{name}.npy", values)


def held() -> int:
    """Return the most bytes that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def fastest(*works: Callable[[], object]) -> list[float]:
    """Return the least processor time of each, taken in turns."""
    took = np.empty((RUNS, len(works)))
    for run in range(RUNS):
        for place, work in enumerate(works):
            gc.collect()
            start = time.process_time()
            work()
            took[run, place] = time.process_time() - start
    return took.min(axis=0).tolist()


def child(folder: Path, number: int) -> int:
    case = CASES[number]
    *given, width = (np.load(folder / f"{name}.npy") for name in GIVEN)
    score, caliper = given[0], float(width)

    def pair() -> np.ndarray:
        return match_nearest(*given, ratio=case.ratio, caliper=caliper)

    before = held()
    pairs = len(pair())
    size = sum(each.nbytes for each in given)
    memory = (held() - before + size) / size
    ours, sort = fastest(pair, lambda: np.argsort(score))
    good = ours <= case.most_sorts * sort and memory <= MOST_MEMORY
    print(
        f"{case.treated:,} on {case.pool:,}, 1:{case.ratio}: {pairs:,} pairs in {ours:.2f} s, "
        f"{ours / sort:.1f} sorts (at most {case.most_sorts:.0f}), memory {memory:.1f} times the "
        f"input (at most {MOST_MEMORY:.0f}){'' if good else ': TOO MUCH'}",
        flush=True,
    )
    return 0 if good else 1


def main() -> int:
    bad = 0
    for number, case in enumerate(CASES):
        with tempfile.TemporaryDirectory() as scratch:
            make(case, Path(scratch))
            command = [sys.executable, __file__, scratch, str(number)]
            bad |= subprocess.run(
                command, env=os.environ | dict.fromkeys(THREADS, "1"), check=False
            ).returncode
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(child(Path(sys.argv[1]), int(sys.argv[2])) if sys.argv[1:] else main())
