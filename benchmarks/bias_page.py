"""The table of bias as a page and a command: see design_bias.py."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd
from bias_study import GROUNDS, WAYS, Ground, collected, table

PAGE = Path(__file__).resolve().parents[1] / "docs" / "methods" / "design-bias.md"
HEADS = (
    "design",
    "bias",
    "MC",
    "unadjusted",
    "RMSE",
    "ESS first",
    "ESS second",
    "kept",
    "failed",
    "assumptions hold",
)


def only(ground: Ground) -> str:
    """Say for which contrasts a world's assumptions hold all the same."""
    return f"; the assumptions hold for {', '.join(ground.holds)} alone" if ground.holds else ""


def page(found: pd.DataFrame, draws: int) -> str:
    """Lay the table out as a page."""
    lines = [
        "# How far each design lies from the truth",
        "",
        f"Made by `python benchmarks/design_bias.py --write`, {draws} draws a world. Bias is the "
        "mean error of the design's own weighted difference of attainment at the last wave, with "
        "no model of the outcome, in SD, with its Monte Carlo error (MC).",
        "Where a design's assumptions hold (yes), its bias must be within 0.02 SD beyond two MC. "
        "ESS: effective sizes of the two arms. Kept: share of the first arm's pupils that the "
        "design uses. Failed: share of draws on which it refused.",
        "",
        *[f"- `{g.name}`: {g.why}{only(g)}." for g in GROUNDS if g.why],
        *[f"- {w.title}: {w.coarse}." for w in WAYS if w.coarse],
        "",
    ]
    for (world, contrast), rows in found.groupby(["world", "contrast"], sort=False):
        lines += [f"## {world}: {contrast}", ""]
        lines += [
            f"| {' | '.join(HEADS)} |",
            f"|{'---|' * len(HEADS)}",
        ]
        for r in rows.itertuples():
            numbers = [
                f"{r.bias:+.3f}",
                f"{r.error:.3f}",
                f"{r.unadjusted:+.3f}",
                f"{r.rmse:.3f}",
                f"{r.n_effective_first:.0f}",
                f"{r.n_effective_second:.0f}",
                f"{r.target_kept:.2f}",
                f"{r.failed:.2f}",
            ]
            holds = f"{'yes' if r.assumed else 'no'}{', MISSED' if r.missed else ''}"
            lines.append(f"| {' | '.join([r.design, *numbers, holds])} |")
        lines.append("")
    return "\n".join(lines)


def main() -> int:
    """Run the study."""
    asked = argparse.ArgumentParser(description="Bias of each design on each world.")
    asked.add_argument("--draws", type=int, default=40)
    asked.add_argument("--workers", type=int, default=2)
    asked.add_argument("--worlds", nargs="*", default=[g.name for g in GROUNDS])
    asked.add_argument("--designs", nargs="*", default=[w.title for w in WAYS])
    asked.add_argument("--write", action="store_true")
    said = asked.parse_args()
    grounds = tuple(g for g in GROUNDS if g.name in said.worlds)
    found = table(collected(grounds, ("none", *said.designs), said.draws, said.workers))
    if said.write:
        PAGE.write_text(page(found, said.draws) + "\n", encoding="utf-8", newline="\n")
    with pd.option_context(
        "display.width", 220, "display.max_rows", None, "display.max_columns", 20
    ):
        sys.stdout.write(found.round(3).to_string() + "\n")
    return int(found["missed"].any())


if __name__ == "__main__":
    sys.exit(main())
