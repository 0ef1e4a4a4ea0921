"""Time each kernel beside its peer, in one run on one machine, and print the ratios.

Usage: python benchmarks/run.py [--quick] [NAME ...]

Ratios only mean something side by side, so nothing here is compared with a stored time. Where
answers differ the row says so and the command ends with 1.
"""

from __future__ import annotations

import os
import runpy
from pathlib import Path

if __name__ == "__main__":
    # Before numpy is loaded: small kernels lose by threads, and both sides shall have one.
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    runpy.run_path(str(Path(__file__).with_name("timing.py")), run_name="__main__")
