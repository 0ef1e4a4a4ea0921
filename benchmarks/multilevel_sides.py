"""Sides of `multilevel.py` in Python, each a process of its own: SIDE FOLDER FORMULA RUNS.

Also `passes FOLDER RUNS`: how long X'X takes over the columns of the same table.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

#: Tables of fewer rows are too short for the clock, so they are fitted so often in a loop.
SMALL, REPEATED = 10_000, 20


def peak() -> float:
    """Return the most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def read(folder: Path) -> Any:
    """Read a table whole, so that its memory counts."""
    arrow = importlib.import_module("pyarrow")
    arrow.set_cpu_count(1)
    feather = importlib.import_module("pyarrow.feather")
    return feather.read_table(folder / "table.arrow", memory_map=False)


def ours(folder: Path, formula: str) -> Callable[[], dict[str, Any]]:
    fit_mixed = importlib.import_module("baseeval").fit_mixed
    table = read(folder)

    def work() -> dict[str, Any]:
        fit = fit_mixed(formula, table)
        str(fit.summary())
        fixed = fit.fixed
        return {
            "loglik": fit.loglik,
            "names": list(fixed["term"]),
            "estimate": list(fixed["estimate"]),
            "std_error": list(fixed["std_error"]),
        }

    return work


def frame_for(folder: Path) -> Any:
    """Read a table with pandas; the peers' own environment need not have Arrow."""
    pandas = importlib.import_module("pandas")
    about = json.loads((folder / "columns.json").read_text(encoding="utf-8"))
    columns = {}
    for column in about["columns"]:
        kind = np.float64 if column["kind"] == "double" else np.int32
        values = np.fromfile(folder / f"{column['name']}.bin", dtype=kind)
        if column["levels"]:
            values = np.array(column["levels"], dtype=object)[values]
        elif column["name"] in ("school", "pupil"):
            values = values.astype(str).astype(object)
        columns[column["name"]] = values
    return pandas.DataFrame(columns)


def mixedlm(folder: Path, formula: str) -> Callable[[], dict[str, Any]]:
    lmer, frame = importlib.import_module("mixedlm").lmer, frame_for(folder)

    def work() -> dict[str, Any]:
        fit = lmer(formula, frame)
        str(fit.summary())
        return {"loglik": float(fit.logLik().value), "estimate": list(fit.fixef().values())}

    return work


def mixedlm_rs(folder: Path, formula: str) -> Callable[[], dict[str, Any]]:
    make, frame = importlib.import_module("mixedlm_rs").mixedlm, frame_for(folder)
    fixed = formula.split(" + (")[0]

    def work() -> dict[str, Any]:
        fit = make(fixed, frame, groups="school").fit()
        str(fit.summary())
        return {"loglik": float(fit.llf), "estimate": list(map(float, fit.fe_params))}

    return work


def lme_python(folder: Path, formula: str) -> Callable[[], dict[str, Any]]:
    lmer = importlib.import_module("lme_python").lmer
    frame = importlib.import_module("polars").from_pandas(frame_for(folder))

    def work() -> dict[str, Any]:
        fit = lmer(formula, data=frame, reml=True)
        str(fit.summary())
        return {"loglik": float(fit.log_likelihood), "estimate": list(fit.coefficients)}

    return work


def kamino(folder: Path, formula: str) -> Callable[[], dict[str, Any]]:
    lmer, frame = importlib.import_module("kamino").lmer, frame_for(folder)

    def work() -> dict[str, Any]:
        fit = lmer(formula, frame, reml=True)
        str(fit.beta_covariance)
        return {"loglik": float(fit.log_likelihood), "estimate": list(map(float, fit.beta))}

    return work


SIDES = {
    "ours": ours,
    "mixedlm": mixedlm,
    "mixedlm_rs": mixedlm_rs,
    "lme_python": lme_python,
    "kamino": kamino,
}


def timed(work: Callable[[], dict[str, Any]], runs: int, repeated: int) -> dict[str, Any]:
    cpu, wall = [], []
    found: dict[str, Any] = {}
    if repeated > 1:
        work()
    for _ in range(runs):
        gc.collect()
        start = time.process_time(), time.perf_counter()
        for _ in range(repeated):
            found = work()
        cpu.append((time.process_time() - start[0]) / repeated)
        wall.append((time.perf_counter() - start[1]) / repeated)
    return {"cpu": cpu, "wall": wall, "memory": peak(), **found}


def passes(folder: Path, runs: int) -> dict[str, Any]:
    """Time X'X of the dense columns, constant and dummies among them."""
    x = importlib.import_module("multilevel_tables").dense(folder)

    def work() -> dict[str, Any]:
        return {"loglik": float((x.T @ x)[0, 0])}

    work()
    return timed(work, runs, 1)


def main(side: str, folder: Path, formula: str, runs: int) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        if side == "passes":
            found = passes(folder, runs)
        else:
            about = json.loads((folder / "columns.json").read_text(encoding="utf-8"))
            repeated = REPEATED if about["rows"] < SMALL else 1
            found = timed(SIDES[side](folder, formula), runs, repeated)
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
