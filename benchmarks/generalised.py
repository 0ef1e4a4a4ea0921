"""Time a binomial mixed model of sessions missed beside lme4's glmer, one quadrature point each.

Usage: python benchmarks/generalised.py [ROWS]

100,000 pupils in 1,000 schools (or a hundredth of ROWS), twenty columns, a random intercept. Each
side is a process of its own with one BLAS thread; times are of the processor and of the fit alone,
the model matrix made (glmer makes its own, which is a small part of its time). Memory is the most
that our side held beside the columns and what made them, over the size of the columns. Without
Rscript and lme4 our side runs alone. Ends with 1 where glmer takes less than ten times as long, its
likelihood is higher by more than rounding, or ours holds more than three times the columns.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.special import expit

from baseeval.numerics.generalised.fitting_generalised import fit_generalised

LEAST_RATIO, MOST_MEMORY, ROUNDING = 10.0, 3.0, 1e-8
COLUMNS, RUNS = 20, 3
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
GLMER = """
suppressMessages(library(lme4))
a <- commandArgs(TRUE); n <- as.integer(a[2]); p <- as.integer(a[3])
m <- matrix(readBin(a[1], "double", n * (p + 2)), n)
x <- m[, 2:p]; school <- factor(m[, p + 2]); missed <- m[, p + 1]
size <- readBin(a[4], "double", n)
formula <- cbind(missed, size - missed) ~ x + (1 | school)
took <- system.time(f <- suppressWarnings(glmer(formula, family = binomial)))
cat(sprintf("%.17g %.17g %.17g %.17g", sum(took[1:2]), logLik(f), getME(f, "theta"), fixef(f)[2]))
"""


def pupils(rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draw columns (nine numbers, ten flags, a constant), sessions missed and possible, schools."""
    rng = np.random.default_rng(rows)
    x = np.ones((rows, COLUMNS))
    x[:, 1:10] = rng.normal(size=(rows, 9))
    x[:, 10:] = rng.random((rows, 10)) < 0.3
    school = rng.integers(0, max(2, rows // 100), rows)
    school = np.unique(school, return_inverse=True)[1]
    possible = rng.integers(60, 190, rows).astype(float)
    eta = -2.5 + x[:, 1:] @ rng.normal(0, 0.1, COLUMNS - 1) + rng.normal(0, 0.5, rows)[school]
    missed = rng.binomial(possible.astype(int), expit(eta)).astype(float)
    return x, missed, possible, school


def held() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def run_ours(rows: int) -> dict[str, float]:
    x, missed, possible, school = pupils(rows)
    before, took = held(), []
    for _ in range(RUNS):
        start = time.process_time()
        fit = fit_generalised(x, missed, [school], trials=possible)
        took.append(time.process_time() - start)
    return {
        "seconds": sorted(took)[RUNS // 2],
        "loglik": fit.loglik,
        "theta": float(fit.theta[0]),
        "beta": float(fit.beta[1]),
        "memory": (held() - before) / x.nbytes,
    }


def run_glmer(rows: int) -> dict[str, float] | None:
    if shutil.which("Rscript") is None:
        return None
    x, missed, possible, school = pupils(rows)
    with tempfile.TemporaryDirectory() as name:
        data, sizes, script = (Path(name) / part for part in ("data", "sizes", "fit.R"))
        np.column_stack([x, missed, school]).T.tofile(data)
        possible.tofile(sizes)
        script.write_text(GLMER, encoding="utf-8")
        command = ["Rscript", script, data, str(rows), str(COLUMNS), sizes]
        said = subprocess.run(command, capture_output=True, text=True, env=alone(), check=False)
    if said.returncode:
        print(said.stderr.strip())
        return None
    return dict(
        zip(
            ("seconds", "loglik", "theta", "beta"),
            map(float, said.stdout.split()[-4:]),
            strict=True,
        )
    )


def alone() -> dict[str, str]:
    return {**os.environ, **dict.fromkeys(THREADS, "1")}


def main() -> int:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    command = [sys.executable, __file__, "ours", str(rows)]
    said = subprocess.run(command, env=alone(), capture_output=True, text=True, check=True)
    ours = json.loads(said.stdout)
    print(f"{rows:,} rows, {max(2, rows // 100):,} schools, {COLUMNS} columns", flush=True)
    line = "{:<6} {:8.2f} s  log-likelihood {:.6f}  sd {:.6f}  first slope {:.8f}"
    print(
        line.format("ours", *(ours[k] for k in ("seconds", "loglik", "theta", "beta"))), flush=True
    )
    print(f"memory {ours['memory']:.1f} times the columns")
    theirs = run_glmer(rows)
    kept = ours["memory"] <= MOST_MEMORY
    if theirs is None:
        print("no Rscript with lme4 here: nothing to compare with")
        return 0 if kept else 1
    print(line.format("glmer", *(theirs[k] for k in ("seconds", "loglik", "theta", "beta"))))
    ratio = theirs["seconds"] / ours["seconds"]
    print(f"ratio {ratio:.1f}")
    kept &= ratio >= LEAST_RATIO
    kept &= ours["loglik"] >= theirs["loglik"] - ROUNDING * abs(theirs["loglik"])
    return 0 if kept else 1


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(run_ours(int(sys.argv[2]))))
    else:
        sys.exit(main())
