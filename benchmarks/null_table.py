"""The seven-school null table as a command and a page.

    python benchmarks/null_table.py --write                 # 4,000 draws a world
    python benchmarks/null_table.py --draws 200             # a look
    python benchmarks/null_table.py --keep FOLDER           # a run that was stopped goes on there

It ends with 1 where the ladder rejects a true null too often, or is cautious and does not say so.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import sys
from pathlib import Path

import pandas as pd
from null_worlds import PARTS, Part, judged

from baseeval.stress.recovery import recover

PAGE = Path(__file__).resolve().parents[1] / "docs" / "methods" / "null-table.md"
HEADS = (
    "contrast",
    "procedure",
    "rejects at 5%",
    "covers 95%",
    "bias",
    "RMSE",
    "mean length",
    "failed",
    "step and flags (share of draws)",
)


def told(world: str, done: int, draws: int) -> None:
    """Show on a terminal how far a world is."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{world}: {done} of {draws}")
        sys.stderr.flush()


def run_part(part: Part, draws: int, workers: int, seed: int, keep: Path | None) -> pd.DataFrame:
    """Score one part of the table."""
    found = recover(
        part.worlds,
        part.scored,
        draws=max(1, round(part.share * draws)),
        seed=seed,
        workers=workers,
        folder=keep,
        progress=told,
    )
    return judged(found, part.asked)


def lines_of(part: Part, found: pd.DataFrame, draws: int) -> list[str]:
    """Lay a part out as tables, one a world."""
    lines = [f"## {part.title}", "", f"{part.words} {draws:,} draws a world.", ""]
    for world, rows in found.groupby("world", sort=False):
        lines += [f"### {world}", "", f"| {' | '.join(HEADS)} |", f"|{'---|' * len(HEADS)}"]
        for row in rows.to_dict("records"):
            notes = [f"{n} {s:.0%}" if s < 1 else str(n) for n, s in row["notes"].items()]
            cells = [
                row["question"],
                row["procedure"],
                f"{row['rejection']:.3f} ({row['rejection_error']:.3f})",
                f"{row['coverage']:.3f}",
                f"{row['bias']:+.3f} ({row['bias_error']:.3f})",
                f"{row['rmse']:.3f}",
                f"{row['mean_length']:.2f}",
                f"{row['failed']:.3f}",
                ", ".join(notes) + (f" **{row['wrong']}**" if row["wrong"] else ""),
            ]
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return lines


def page(parts: list[tuple[Part, pd.DataFrame]], draws: int, seed: int) -> str:
    """Lay the table out as a page."""
    lines = [
        "# How often each inference is wrong where no arm has an effect",
        "",
        f"Made by `python benchmarks/null_table.py --write`: {draws:,} draws a world at seed "
        f"{seed}, fewer where a part says so, by the recovery harness "
        "(`baseeval.stress.recovery`). Worlds: `baseeval.stress.school_worlds`, plain numpy; "
        "school sizes vary with a log SD of 0.35 over forty sets of them. The ladder is scored as "
        "one procedure: see [few schools](few-schools.md). Monte Carlo errors stand in brackets.",
        "",
        "A rate above 6% by more than two of its errors fails, flagged or not; one below 3% must "
        "carry `conservative`, which follows from the schools alone. Procedures within a world "
        "see the same draws.",
        "",
    ]
    for part, found in parts:
        lines += lines_of(part, found, max(1, round(part.share * draws)))
    return "\n".join(lines)


def main() -> int:
    """Run the study."""
    asked = argparse.ArgumentParser(description="How often a true null is rejected.")
    asked.add_argument("--draws", type=int, default=4000)
    asked.add_argument("--workers", type=int, default=2)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--keep", type=Path, default=None)
    asked.add_argument("--write", action="store_true")
    said = asked.parse_args()
    parts = [
        (part, run_part(part, said.draws, said.workers, said.seed, said.keep)) for part in PARTS
    ]
    if said.write:
        PAGE.write_text(page(parts, said.draws, said.seed), encoding="utf-8", newline="\n")
    whole = pd.concat([found for _, found in parts], ignore_index=True)
    shown = ["world", "question", "procedure", "rejection", "coverage", "bias", "rmse", "wrong"]
    with pd.option_context("display.width", 200, "display.max_rows", None):
        sys.stdout.write(whole[shown].round(3).to_string(index=False) + "\n")
    return int((whole["wrong"] != "").any())


if __name__ == "__main__":
    sys.exit(main())
