"""Time `fit_mixed`, the whole of it from an Arrow table to the summary, beside lme4 and others.

Usage: python benchmarks/multilevel.py [--quick] [--runs N] [--peers PYTHON] [--folder DIR] [CASE]

Every side is a process of its own with one BLAS thread, so that its memory is its own; the table is
read before the clock starts. Medians of user and system time together, ratios of medians within
this run. Memory is the most a process ever held, its libraries and the table included. R is needed,
with lme4 and jsonlite (for Exam mlmRev); PYTHON is an interpreter that has mixedlm, mixedlm-rs,
lme-python or kamino-lme, those that it lacks are passed over. Ends with 1 where a limit is missed
or log-likelihoods differ.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multilevel_tables import Size, fixed_part, write, write_exam

HERE = Path(__file__).parent
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
PEERS = ("mixedlm", "mixedlm_rs", "lme_python", "kamino")
#: How far, of itself, our log-likelihood may fall short of a peer's.
SHORT = 1e-8


@dataclass(frozen=True)
class Case:
    """A model and its limits: times lme4's speed, share of its memory, passes of X'X, MB."""

    name: str
    size: Size | None
    random: str
    speed: float | None = None
    share: float | None = None
    passes: float | None = None
    most_memory: float | None = None
    peers: tuple[str, ...] = ()
    quick: bool = False

    @property
    def formula(self) -> str:
        if self.size is None:
            return f"normexam ~ standLRT + sex + schgend + {self.random}"
        return f"{fixed_part(self.size.waves)} + {self.random}"


SCHOOL, BOTH = "(1 | school)", "(1 | pupil) + (1 | school)"
GROWTH = "(1 + wave | pupil) + (1 | school)"
NATION = Size(5_100_000, 22_000, waves=True)
CASES = (
    Case("exam", None, SCHOOL, speed=1, peers=PEERS, quick=True),
    Case("exam_slope", None, "(1 + standLRT | school)", speed=1, peers=PEERS[2:], quick=True),
    Case("two_100k", Size(100_000, 1_000), SCHOOL, peers=PEERS, quick=True),
    Case("two_1700k", Size(1_700_000, 22_000), SCHOOL, speed=30, share=0.25),
    Case("three_30k", Size(30_000, 100, waves=True), BOTH, peers=PEERS[:1], quick=True),
    Case("three_300k", Size(300_000, 1_000, waves=True), BOTH, speed=50),
    Case("three_300k_slope", Size(300_000, 1_000, waves=True), GROWTH),
    Case("three_5100k", NATION, BOTH, passes=25, most_memory=3000),
    Case("three_5100k_slope", NATION, GROWTH, passes=45, most_memory=3000),
)


def run_side(command: list[str]) -> dict[str, Any] | None:
    """Run one side; None where it could not."""
    environment = {**os.environ, **dict.fromkeys(THREADS, "1")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"  failed: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")
        return None
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    found["seconds"] = statistics.median(found["cpu"])
    return found


def say(side: str, found: dict[str, Any]) -> None:
    print(
        f"  {side:<11} {found['seconds']:9.4f} s of processor  "
        f"{statistics.median(found['wall']):9.4f} s  {found['memory']:6.0f} MB  "
        f"log-likelihood {found['loglik']:.6f}",
        flush=True,
    )


def judge(name: str, value: float, limit: float | None, at_least: bool) -> bool:
    """Print a figure beside its limit and return whether it keeps it."""
    if limit is None:
        print(f"  {name} {value:.2f}")
        return True
    kept = value >= limit if at_least else value <= limit
    word = "at least" if at_least else "at most"
    print(f"  {name} {value:.2f}, {word} {limit:g} asked{'' if kept else ': MISSED'}")
    return kept


def equal(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Return whether our likelihood is as high, saying so where it is not."""
    short = (theirs["loglik"] - ours["loglik"]) / abs(theirs["loglik"])
    if short > SHORT:
        print(f"  DIFFER: our log-likelihood is lower by {short:.1e} of itself")
    return short <= SHORT


def run_case(case: Case, folder: Path, runs: int, python: str | None) -> bool:
    print(f"{case.name}: {case.random}", flush=True)
    here = folder / ("exam" if case.size is None else f"{case.size.rows}")
    if case.size is None:
        write_exam(here, HERE / "multilevel.R")
    else:
        write(case.size, here)
    script, told = str(HERE / "multilevel_sides.py"), [str(here), case.formula, str(runs)]
    ours = run_side([sys.executable, script, "ours", *told])
    if ours is None:
        return False
    say("ours", ours)
    good = True
    if case.most_memory is not None:
        good &= judge("memory in MB", ours["memory"], case.most_memory, at_least=False)
    if case.passes is not None:
        one = run_side([sys.executable, script, "passes", *told])
        if one is None:
            return False
        print(f"  X'X         {one['seconds']:9.4f} s of processor")
        good &= judge("passes of X'X", ours["seconds"] / one["seconds"], case.passes, False)
    else:
        lme4 = run_side(["Rscript", str(HERE / "multilevel.R"), *told])
        if lme4 is None:
            return False
        say("lme4", lme4)
        good &= judge("times lme4's speed", lme4["seconds"] / ours["seconds"], case.speed, True)
        share = ours["memory"] / lme4["memory"]
        good &= judge("of lme4's memory", share, case.share, at_least=False)
        good &= equal(ours, lme4)
    for peer in case.peers if python else ():
        found = run_side([str(python), script, peer, *told])
        if found is not None:
            say(peer, found)
            least = 1.0 if peer != "kamino" else None
            ratio = found["seconds"] / ours["seconds"]
            good &= judge(f"times the speed of {peer}", ratio, least, at_least=True)
            good &= equal(ours, found)
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description="Time fit_mixed beside lme4 and others.")
    parser.add_argument("cases", nargs="*", choices=[[], *(case.name for case in CASES)])
    parser.add_argument("--quick", action="store_true", help="the small cases only")
    parser.add_argument("--runs", type=int, default=3, help="runs of each side (default 3)")
    parser.add_argument("--peers", help="an interpreter in which other packages are installed")
    parser.add_argument("--folder", type=Path, help="keep the tables here for another time")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        good = [
            run_case(case, folder, options.runs, options.peers)
            for case in CASES
            if (case.quick or not options.quick)
            and (not options.cases or case.name in options.cases)
        ]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
