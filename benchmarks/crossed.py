"""Time crossed random effects beside lme4, in one run; lme4 is left out where R or it is missing.

Usage: python benchmarks/crossed.py [CASE ...]

Cases: `schools` (100,000 pupils, 22 columns, 1,000 secondary by 4,000 primary schools), `insteval`
(lme4's own data: 73,421 ratings, three factors; needs R) and `nation` (300,000 pupils, 17,000
by 20,000 schools with movers: ours alone). Processor time on one thread, from columns of numbers;
lme4's formula and model frame are in its time. Slower than lme4, or a lower likelihood than its,
ends the command with 1.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from baseeval.numerics.mixed_models.blocks import Block
from baseeval.numerics.mixed_models.crossed import crossed_likelihood
from baseeval.numerics.mixed_models.fitting import fit_likelihood
from baseeval.numerics.mixed_models.templates import Layout, full_template

ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
READ = """suppressMessages(library(lme4))
d <- as.data.frame(matrix(readBin("{path}", "double", {count}), ncol = {columns}))
"""
INSTEVAL = """suppressMessages(library(lme4)); e <- lme4::InstEval
both <- interaction(e$dept, e$service, drop = TRUE)
columns <- c(as.integer(e$s), as.integer(e$d), as.integer(both), as.integer(e$service) - 1, e$y)
writeBin(as.double(columns), "{path}")
"""
FIT = """t <- system.time(m <- lmer({formula}, d))
cat(sprintf("%.3f %.10f", t[["user.self"]] + t[["sys.self"]], as.numeric(logLik(m))))
"""


@dataclass(frozen=True)
class Rows:
    """Columns of X but the constant, outcome, and the factors."""

    x: np.ndarray
    y: np.ndarray
    factors: list[np.ndarray]


def draw_schools() -> Rows:
    rng = np.random.default_rng(1)
    n, schools, primaries = 100_000, 1000, 4000
    school = rng.integers(0, schools, n)
    primary = (4 * school + rng.integers(-12, 16, n)) % primaries
    x = rng.normal(size=(n, 21))
    y = x @ rng.normal(size=21) + rng.normal(size=n)
    y += rng.normal(0, 0.4, schools)[school] + rng.normal(0, 0.3, primaries)[primary]
    return Rows(x, y, [school, primary])


def draw_nation() -> Rows:
    """Primary schools feed the four nearest secondary ones; one pupil in 200 moves anywhere."""
    rng = np.random.default_rng(2)
    n, schools, primaries = 300_000, 17_000, 20_000
    near = cKDTree(rng.random((schools, 2))).query(rng.random((primaries, 2)), k=4)[1]
    primary = rng.integers(0, primaries, n)
    school = near[primary, rng.integers(0, 4, n)]
    movers = rng.integers(0, n, n // 200)
    school[movers] = rng.integers(0, schools, len(movers))
    x = rng.normal(size=(n, 9))
    y = x @ rng.normal(size=9) + rng.normal(size=n)
    y += rng.normal(0, 0.4, schools)[school] + rng.normal(0, 0.3, primaries)[primary]
    return Rows(x, y, [school, primary])


def read_insteval(folder: Path) -> Rows:
    path = folder / "insteval.bin"
    run_r(INSTEVAL.format(path=path))
    columns = np.fromfile(path).reshape(5, -1)
    return Rows(columns[3][:, None], columns[4], [c.astype(np.intp) for c in columns[:3]])


def fit_ours(rows: Rows) -> tuple[float, float]:
    start = time.process_time()
    ones = np.ones((len(rows.y), 1))
    groups = tuple(np.unique(codes, return_inverse=True)[1] for codes in rows.factors)
    block = Block(np.hstack([ones, rows.x]), rows.y, (ones,) * len(groups), groups)
    layout = Layout((full_template(1),) * len(groups))
    fit = fit_likelihood(crossed_likelihood(block, layout, 0))
    assert fit.converged
    return time.process_time() - start, fit.loglik


def fit_lme4(rows: Rows, folder: Path) -> tuple[float, float]:
    table = np.column_stack([rows.x, rows.y, *rows.factors])
    path = folder / "rows.bin"
    table.T.tofile(path)
    p, q = rows.x.shape[1], len(rows.factors)
    fixed = " + ".join(f"V{place + 1}" for place in range(p))
    random = " + ".join(f"(1 | V{p + 2 + place})" for place in range(q))
    read = READ.format(path=path, count=table.size, columns=table.shape[1])
    out = run_r(read + FIT.format(formula=f"V{p + 1} ~ {fixed} + {random}"))
    seconds, loglik = out.split()[-2:]
    return float(seconds), float(loglik)


def run_r(script: str) -> str:
    done = subprocess.run(
        ["Rscript", "-e", script], capture_output=True, text=True, check=True, timeout=600
    )
    return done.stdout


def has_lme4() -> bool:
    if shutil.which("Rscript") is None:
        return False
    asked = subprocess.run(
        ["Rscript", "-e", "library(lme4)"], capture_output=True, check=False, timeout=60
    )
    return asked.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Time crossed random effects beside lme4.")
    parser.add_argument("cases", nargs="*", default=["schools", "insteval", "nation"])
    cases, peer, good = parser.parse_args().cases, has_lme4(), True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for case in cases:
            if case == "insteval" and not peer:
                print("insteval: needs R with lme4")
                continue
            rows = {
                "schools": draw_schools,
                "nation": draw_nation,
                "insteval": lambda: read_insteval(folder),
            }[case]()
            ours, loglik = fit_ours(rows)
            line = f"{case:<10} {len(rows.y):>8,} rows   ours {ours:6.2f} s"
            if peer and case != "nation":
                theirs, reference = fit_lme4(rows, folder)
                ahead = (loglik - reference) / abs(reference)
                good &= ours <= theirs and ahead > -1e-8
                line += f"   lme4 {theirs:6.2f} s   {theirs / ours:5.1f}x   likelihood {ahead:+.1e}"
            print(line, flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    if any(os.environ.get(name) != "1" for name in ONE_THREAD):
        # The number of threads is read when numpy is loaded, so that this starts again.
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **ONE_THREAD})
    sys.exit(main())
