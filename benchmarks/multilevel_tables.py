"""Tables for `multilevel.py`: pupils in schools and waves in pupils, for Python and for R.

33 columns with the constant: six numbers, four of yes or no, and factors of twelve, six, four and
four levels. A growth table has a wave for one of the numbers. Rows come sorted by school and pupil.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather

NUMBERS = ("prior", "reading", "age", "absence", "intake", "distance")
FLAGS = ("female", "fsm", "eal", "support")
LEVELS = {"need": 12, "ethnicity": 6, "year": 4, "area": 4}
COLUMNS = 1 + len(NUMBERS) + len(FLAGS) + sum(count - 1 for count in LEVELS.values())


@dataclass(frozen=True)
class Size:
    rows: int
    schools: int
    waves: bool = False


def fixed_part(waves: bool) -> str:
    numbers = ("wave", *NUMBERS[:-1]) if waves else NUMBERS
    return "y ~ " + " + ".join((*numbers, *FLAGS, *LEVELS))


def draw(size: Size) -> dict[str, np.ndarray]:
    """Draw the columns: doubles for numbers, whole numbers for codes and identifiers."""
    rng = np.random.default_rng(size.rows)
    share = rng.gamma(6.0, size=size.schools)
    if size.waves:
        # One to four waves a pupil, three for most.
        seen = rng.choice([1, 2, 3, 4], size=size.rows, p=[0.08, 0.2, 0.6, 0.12])
        pupils = int(np.searchsorted(np.cumsum(seen), size.rows)) + 1
        seen = seen[:pupils]
        seen[-1] -= seen.sum() - size.rows
    else:
        pupils, seen = size.rows, np.ones(size.rows, dtype=np.int64)
    school = np.sort(
        np.concatenate(
            [
                np.arange(size.schools),
                rng.choice(size.schools, pupils - size.schools, p=share / share.sum()),
            ]
        )
    )
    pupil = np.repeat(np.arange(pupils, dtype=np.int32), seen)
    columns: dict[str, np.ndarray] = {"school": school.astype(np.int32)[pupil]}
    y = 0.4 * rng.standard_normal(size.schools)[columns["school"]]
    y += rng.standard_normal(size.rows) * (0.6 if size.waves else 1.0)
    if size.waves:
        columns["pupil"] = pupil
        # Which waves a pupil has: the first few, less one in the middle for some.
        order = np.arange(size.rows) - np.repeat(np.cumsum(seen) - seen, seen)
        late = (rng.random(pupils) < 0.15)[pupil] & (order > 0)
        columns["wave"] = (order + late).astype(np.float64)
        y += 0.7 * rng.standard_normal(pupils)[pupil]
        y += (0.5 + 0.2 * rng.standard_normal(pupils))[pupil] * columns["wave"]
    for place, name in enumerate(NUMBERS[: 5 if size.waves else 6]):
        source = size.schools if name == "intake" else pupils
        drawn = rng.standard_normal(source)[columns["school"] if name == "intake" else pupil]
        columns[name] = drawn
        y += (0.5, -0.3, 0.1, -0.2, 0.3, 0.05)[place] * drawn
    for name, rate in zip(FLAGS, (0.5, 0.25, 0.2, 0.13), strict=True):
        drawn = (rng.random(pupils) < rate)[pupil].astype(np.float64)
        columns[name] = drawn
        y -= 0.1 * drawn
    for name, count in LEVELS.items():
        weight = rng.gamma(2.0, size=count)
        drawn = rng.choice(count, pupils, p=weight / weight.sum())[pupil].astype(np.int32)
        columns[name] = drawn
        y += np.linspace(-0.3, 0.3, count)[drawn]
    columns["y"] = y
    return columns


def write(size: Size, folder: Path) -> None:
    """Write a table for either side, unless it is there: Arrow's, and raw columns for R."""
    if (folder / "table.arrow").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    said = []
    for name, column in draw(size).items():
        column.tofile(folder / f"{name}.bin")
        words = [f"{name}{level:02d}" for level in range(LEVELS.get(name, 0))]
        kind = "double" if column.dtype == np.float64 else "integer"
        said.append({"name": name, "kind": kind, "levels": words})
    text = json.dumps({"rows": size.rows, "columns": said})
    (folder / "columns.json").write_text(text, encoding="utf-8")
    write_arrow(folder)


def write_arrow(folder: Path) -> None:
    """Write Arrow's table of raw columns."""
    about = json.loads((folder / "columns.json").read_text(encoding="utf-8"))
    made = {}
    for column in about["columns"]:
        kind = np.float64 if column["kind"] == "double" else np.int32
        values = np.fromfile(folder / f"{column['name']}.bin", dtype=kind)
        made[column["name"]] = (
            pa.DictionaryArray.from_arrays(values.astype(np.int8), column["levels"])
            if column["levels"]
            else pa.array(values)
        )
    pyarrow.feather.write_feather(
        pa.table(made), folder / "table.arrow", compression="uncompressed"
    )


def write_exam(folder: Path, script: Path) -> None:
    """Have R write the Exam table of its package mlmRev: 4,059 pupils in 65 schools of London."""
    if (folder / "table.arrow").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["Rscript", str(script), str(folder), "write"], check=True)
    write_arrow(folder)


def dense(folder: Path) -> np.ndarray:
    """Return the columns of the fixed part as one matrix, dummies written out."""
    table = pyarrow.feather.read_table(folder / "table.arrow", memory_map=False)
    x = np.empty((table.num_rows, COLUMNS))
    x[:, 0] = 1
    at = 1
    for name in table.column_names:
        if name in LEVELS:
            codes = table[name].combine_chunks().indices.to_numpy()
            for level in range(1, LEVELS[name]):
                x[:, at] = codes == level
                at += 1
        elif name not in ("y", "school", "pupil"):
            x[:, at] = table[name].to_numpy()
            at += 1
    return x
