"""Time the multinomial logit of three arms beside scikit-learn's and statsmodels', and its memory.

Usage: python benchmarks/logits.py [ROWS]

1.7 million rows of 22 columns and a constant, unless told otherwise. Each side is a process of its
own with one BLAS thread, so that its memory can be told. scikit-learn's newton-cholesky runs
without a penalty, its tolerance tightened until its likelihood is ours; it is skipped where it is
not installed. Memory is the most that a side ever held beside its libraries, the columns and what
made them included. Ends with 1 where scikit-learn takes less than twice our processor time or
statsmodels less than three times, where likelihoods differ, or where ours holds more than three
times the columns.
"""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

LEAST_TIMES = {"scikit-learn": 2.0, "statsmodels": 3.0}
MOST_MEMORY = 3.0
#: Log-likelihoods this close are equal: no estimate is off by more than 0.02 of its standard error.
EQUAL = 2e-4
COLUMNS, ARMS = 23, 3
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")

Fit = Callable[[np.ndarray, np.ndarray], np.ndarray]


def pupils(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Make eight numbers and fourteen yes-or-no columns beside a constant; a rare second arm."""
    rng = np.random.default_rng(rows)
    x = np.empty((rows, COLUMNS))
    x[:, 0] = 1
    for column in range(1, 9):
        x[:, column] = rng.standard_normal(rows)
    for column, share in enumerate(rng.uniform(0.05, 0.5, COLUMNS - 9), start=9):
        x[:, column] = rng.random(rows) < share
    beta = rng.normal(0, 0.3, (ARMS - 1, COLUMNS))
    beta[:, 0] = -2.5, 1.0
    odds = np.exp(beta @ x.T)
    below = np.cumsum(np.vstack([np.ones(rows), odds]), axis=0)
    drawn = rng.random(rows) * below[-1]
    return x, np.sum(drawn > below[:-1], axis=0)


def ours() -> Fit:
    fit = importlib.import_module("baseeval.numerics.multinomial").fit_multinomial
    return lambda x, arm: fit(x, arm).beta


def scikit_learn() -> Fit:
    regression = importlib.import_module("sklearn.linear_model").LogisticRegression
    model = regression(
        C=np.inf, solver="newton-cholesky", tol=1e-6, fit_intercept=False, max_iter=100
    )

    def fit(x: np.ndarray, arm: np.ndarray) -> np.ndarray:
        found = model.fit(x, arm).coef_
        return found[1:] - found[0]

    return fit


def statsmodels() -> Fit:
    model = importlib.import_module("statsmodels.discrete.discrete_model").MNLogit
    return lambda x, arm: model(arm, x).fit(method="newton", disp=0, maxiter=50).params.T


SIDES = {"ours": ours, "scikit-learn": scikit_learn, "statsmodels": statsmodels}


def log_likelihood(x: np.ndarray, arm: np.ndarray, beta: np.ndarray) -> float:
    """Add up the log chances of the arms, some rows at a time."""
    total = 0.0
    for low in range(0, len(x), 100_000):
        eta = np.zeros((len(x[low : low + 100_000]), ARMS))
        eta[:, 1:] = x[low : low + 100_000] @ beta.T
        own = np.take_along_axis(eta, arm[low : low + 100_000, None], axis=1)[:, 0]
        total += float(np.sum(own - np.log(np.exp(eta).sum(axis=1))))
    return total


def peak() -> float:
    """Return the most memory that this process has held, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def child(side: str, rows: int) -> None:
    fit = SIDES[side]()
    idle = peak()
    x, arm = pupils(rows)
    wall, cpu = time.perf_counter(), time.process_time()
    beta = fit(x, arm)
    took = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    memory = (peak() - idle) / x.nbytes
    print(json.dumps({**took, "memory": memory, "likelihood": log_likelihood(x, arm, beta)}))


def timed(side: str, rows: int) -> dict[str, float]:
    """Run one side in a process of its own."""
    environment = {**os.environ, **dict.fromkeys(THREADS, "1")}
    command = [sys.executable, __file__, side, str(rows)]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(said.stdout)
    print(
        f"{side:<13} {found['wall']:7.1f} s  {found['cpu']:7.1f} s of processor  "
        f"{found['memory']:5.1f} times the columns  log-likelihood {found['likelihood']:.6f}",
        flush=True,
    )
    return found


def main(rows: int) -> int:
    mine = timed("ours", rows)
    good = mine["memory"] <= MOST_MEMORY
    for peer, least in LEAST_TIMES.items():
        if importlib.util.find_spec({"scikit-learn": "sklearn"}.get(peer, peer)) is None:
            print(f"{peer}: not installed, so left out")
            continue
        theirs = timed(peer, rows)
        ratio = theirs["cpu"] / mine["cpu"]
        equal = abs(theirs["likelihood"] - mine["likelihood"]) < EQUAL
        print(f"{peer} takes {ratio:.1f} times as long as ours{'' if equal else ': DIFFER'}")
        good &= equal and ratio >= least
    return 0 if good else 1


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in SIDES:
        child(sys.argv[1], int(sys.argv[2]))
    else:
        sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else 1_700_000))
