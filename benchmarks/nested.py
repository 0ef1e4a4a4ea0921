"""Time the nested engine of mixed models beside X'X over the same columns, and weigh it.

Usage: python benchmarks/nested.py [CASE ...]    (two300k two slope three300k three wave)

Each case runs in a process of its own with one BLAS thread: rows sorted by school and pupil as one
float64 matrix, read in blocks, fitted by REML. The line gives seconds of processor time to read
and to fit, how many passes of X'X (one product of the same columns, the median of three) both took,
and the memory at its highest beside that of the input. Beyond a limit it ends with 1.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass

import numpy as np

from baseeval.numerics.mixed_models.blocks import Block, cut_blocks
from baseeval.numerics.mixed_models.fitting import fit_likelihood
from baseeval.numerics.mixed_models.likelihood import Profile
from baseeval.numerics.mixed_models.nested import NestedLikelihood, nested_likelihood
from baseeval.numerics.mixed_models.templates import Layout, full_template

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
COLUMNS, FINE = 34, 16
MOST_MEMORY = 3e9


@dataclass(frozen=True)
class Case:
    rows: int
    schools: int
    waves: int
    wave_slope: bool = False
    school_slope: bool = False
    most_passes: float = 25.0


CASES = {
    "two": Case(1_700_000, 22_000, 1),
    "slope": Case(1_700_000, 22_000, 1, school_slope=True, most_passes=45.0),
    "three300k": Case(300_000, 1_000, 3),
    "three": Case(5_100_000, 22_000, 3),
    "wave": Case(5_100_000, 22_000, 3, wave_slope=True, most_passes=45.0),
}


class Counted(NestedLikelihood):
    """A likelihood that counts how often it is evaluated."""

    calls = 0

    def profile(self, theta: np.ndarray) -> Profile:
        Counted.calls += 1
        return super().profile(theta)


def rows_of(case: Case) -> tuple[Block, tuple[int, ...]]:
    """Pupils in schools, seen in each wave but one in ten after the first."""
    rng = np.random.default_rng(1)
    pupils = case.rows // case.waves
    school = np.sort(rng.integers(0, case.schools, pupils)).astype(np.intp)
    seen = np.ones((pupils, case.waves), dtype=bool)
    seen[:, 1:] = rng.random((pupils, case.waves - 1)) < 0.9
    pupil, wave = np.nonzero(seen)
    n = len(pupil)
    x = np.empty((n, COLUMNS))
    x[:, 0], x[:, 1] = 1.0, wave if case.waves > 1 else rng.standard_normal(n)
    for column in range(2, COLUMNS):
        x[:, column] = rng.standard_normal(n) if column < FINE else rng.random(n) < 0.3
    home = school[pupil]
    y = x @ np.linspace(-0.5, 0.5, COLUMNS) + rng.standard_normal(n)
    y += 0.4 * rng.standard_normal(case.schools)[home]
    if case.school_slope:
        y += 0.1 * rng.standard_normal(case.schools)[home] * x[:, 2]
    z, groups, owners = [x[:, [0, 2]] if case.school_slope else x[:, :1]], [home], [0]
    if case.waves > 1:
        y += 0.7 * rng.standard_normal(pupils)[pupil]
        if case.wave_slope:
            y += 0.3 * rng.standard_normal(pupils)[pupil] * wave
        z.append(x[:, :2] if case.wave_slope else x[:, :1])
        groups.append(pupil.astype(np.intp))
        owners.append(1)
    return Block(x, y, tuple(z), tuple(groups)), tuple(owners)


def held() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(name: str) -> int:
    case, clock = CASES[name], time.process_time
    whole, owners = rows_of(case)
    before = held()
    products = []
    for _ in range(3):
        start = clock()
        _ = whole.x.T @ whole.x
        products.append(clock() - start)
    one = sorted(products)[1]
    layout = Layout(tuple(full_template(z.shape[1]) for z in whole.z))
    start = clock()
    likelihood = nested_likelihood(cut_blocks(whole), layout, owners, 0)
    read = clock() - start
    counted = Counted(likelihood.layout, likelihood.data, likelihood.statistics)
    start = clock()
    fit = fit_likelihood(counted)
    fitted = clock() - start
    passes, memory = (read + fitted) / one, held()
    print(
        f"{name:<10}{len(whole.y):>10,} rows{one:>7.3f} s X'X{read:>7.2f} s read{fitted:>7.2f} s"
        f" fit{Counted.calls:>4} evaluations{passes:>6.1f} passes (most {case.most_passes:.0f})"
        f"{memory / 1e9:>6.2f} GB ({before / 1e9:.2f} before)  theta {np.round(fit.theta, 3)}",
        flush=True,
    )
    return int(passes > case.most_passes or memory > MOST_MEMORY or not fit.converged)


def main() -> int:
    parser = argparse.ArgumentParser(description="Time the nested engine beside X'X.")
    parser.add_argument("cases", nargs="*", help=", ".join(CASES))
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        return measure(options.cases[0])
    environment = os.environ | dict.fromkeys(THREADS, "1")
    runs = [
        subprocess.run([sys.executable, __file__, "--alone", name], env=environment, check=False)
        for name in options.cases or CASES
    ]
    return int(any(run.returncode for run in runs))


if __name__ == "__main__":
    sys.exit(main())
