"""Time balance over a nation beside sorts of a column, and weigh it.

Usage: python benchmarks/balance.py

Two arms, 3 in 100 in the first, in 20,000 schools; 22 covariates, of which six are measured
finely, four are whole numbers and twelve are zeros and ones. The line says how many sorts
(`numpy.argsort` of one fine column, in the same process) the whole of `check_balance` took, before
and after, between and within schools, with what chance could do; and its memory at the highest,
beside that of the matrix that goes in. One BLAS thread. Ends with 1 beyond either limit.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time

import numpy as np

from baseeval.design.balancing import check_balance
from baseeval.results import Weights

PUPILS, COVARIATES, FINE, WHOLE, SCHOOLS = 1_500_000, 22, 6, 4, 20_000
MOST_SORTS, MOST_MEMORY = 70.0, 3.0
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def nation() -> Weights:
    rng = np.random.default_rng(0)
    arm = np.where(rng.random(PUPILS) < 0.03, 0, 1).astype(np.intp)
    columns = np.empty((PUPILS, COVARIATES))
    for place in range(COVARIATES):
        if place < FINE:
            columns[:, place] = rng.standard_normal(PUPILS) + 0.3 * (arm == 0)
        elif place < FINE + WHOLE:
            columns[:, place] = rng.integers(0, 200, PUPILS)
        else:
            columns[:, place] = rng.random(PUPILS) < 0.2
    codes = np.array([f"{k:06d}" for k in range(SCHOOLS)])
    return Weights(
        weights=np.where(arm == 0, 1.0, rng.exponential(size=PUPILS)),
        arm=arm,
        covariates=columns,
        names=tuple((f"x{place}", "") for place in range(COVARIATES)),
        method="entropy",
        estimand="ATT",
        target="first",
        school=codes[rng.integers(0, SCHOOLS, PUPILS)],
        propensity=rng.random(PUPILS),
    )


def held() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure() -> int:
    design = nation()
    column = np.ascontiguousarray(design.covariates[:, 0])
    sorts = []
    for _ in range(5):
        start = time.process_time()
        np.argsort(column)
        sorts.append(time.process_time() - start)
    before, start = held(), time.process_time()
    found = check_balance(design, icc=0.15)
    took = (time.process_time() - start) / float(np.median(sorts))
    memory = 1 + (held() - before) / design.covariates.nbytes
    print(
        f"{len(found.table)} covariates of {PUPILS:,} pupils: {took:.1f} sorts "
        f"(at most {MOST_SORTS:.0f}), {memory:.2f} times the matrix (at most {MOST_MEMORY:.0f})"
    )
    return int(took > MOST_SORTS or memory > MOST_MEMORY)


def main() -> int:
    if sys.argv[1:] == ["measure"]:
        return measure()
    environment = os.environ | dict.fromkeys(THREADS, "1")
    command = [sys.executable, __file__, "measure"]
    return subprocess.run(command, check=False, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
