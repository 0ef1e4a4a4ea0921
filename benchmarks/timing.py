"""Time each kernel beside its peer and print the ratios; started by `run.py`, with one thread.

Each pair must first agree on the answer, to the digits that the peer itself is good for.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Callable

import numpy as np
from cases import CASES, Case

FORMAT = "{:<49} {:>10} {:>10} {:>9}  {}"


def fastest(work: Callable[[], np.ndarray], most: int) -> tuple[float, np.ndarray]:
    """Give the least time of at most so many runs, one if it takes 10 s, and the answer."""
    best, answer = np.inf, np.empty(0)
    for _ in range(most):
        gc.collect()
        start = time.perf_counter()
        answer = work()
        took = time.perf_counter() - start
        best = min(best, took)
        if took > 10:
            break
    return best, answer


def run_case(case: Case) -> bool:
    ours, answer = fastest(case.ours, 5)
    theirs, expected = fastest(case.peer, 3)
    apart = float(np.max(np.abs(answer - expected) / np.maximum(1e-12, np.abs(expected))))
    agreed = apart <= case.tolerance
    note = f"agree to {apart:.1e}" if agreed else f"DIFFER by {apart:.1e}"
    print(
        FORMAT.format(
            case.name,
            f"{1000 * ours:.1f} ms",
            f"{1000 * theirs:.1f} ms",
            f"{theirs / ours:.1f}x",
            note,
        ),
        flush=True,
    )
    return agreed


def main() -> int:
    parser = argparse.ArgumentParser(description="Time each kernel beside its peer.")
    parser.add_argument("names", nargs="*", help="run only cases whose name holds one of these")
    parser.add_argument("--quick", action="store_true", help="leave out cases of a minute or more")
    options = parser.parse_args()
    print(FORMAT.format("kernel vs peer", "ours", "peer", "ratio", "largest relative difference"))
    good = True
    for make in CASES:
        if options.quick and make.slow:
            continue
        if options.names and not any(name in make.name for name in options.names):
            continue
        case = make.build()
        if case is None:
            print(f"{make.name:<49} the peer is not installed")
            continue
        good &= run_case(case)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
