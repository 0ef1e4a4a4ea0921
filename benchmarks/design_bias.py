"""How far each design lies from the truth on each world of the generator, in one table.

Usage: python benchmarks/design_bias.py [--draws N] [--worlds NAME ...] [--designs NAME ...]
       [--write]

Bias is the mean over draws of a design's weighted difference of attainment at the last wave, with
no model of the outcome, less the truth of the same pupils, in SD of the outcome, beside its Monte
Carlo error and the unadjusted answer's bias. A row whose design's assumptions hold on that world
must have a bias of at most 0.02 SD beyond two Monte Carlo errors; the command ends with 1 where
one has not. `--write` puts the table into docs/methods/design-bias.md.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    # Before numpy is loaded: each process has one thread.
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    here = Path(__file__).parent
    sys.path.insert(0, str(here))
    runpy.run_path(str(here / "bias_page.py"), run_name="__main__")
