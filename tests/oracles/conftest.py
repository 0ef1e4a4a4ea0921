"""Reading what R gave, and comparing terms by name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

R_FOLDER = Path(__file__).parent / "r"


def plain_name(term: str) -> str:
    """Reduce R's and formulaic's name of a term to one, whatever the order of an interaction."""
    name = re.sub(r"\[T\.([^\]]*)\]", r"\1", term).replace("(Intercept)", "Intercept")
    return ":".join(sorted(name.split(":")))


def read_exactly(path: Path) -> pd.DataFrame:
    """Read a table with every digit of its numbers, in any version of pandas."""
    frame, text = pd.read_csv(path), pd.read_csv(path, dtype=str)
    for column in frame.select_dtypes("float"):
        frame[column] = [float(value) for value in text[column]]
    return frame


@pytest.fixture(scope="session")
def r_values() -> Callable[[str], dict[str, Any]]:
    """Read a committed file of R's values."""
    return lambda name: json.loads((R_FOLDER / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def r_data() -> Callable[[str], pd.DataFrame]:
    """Read the data that go with such a file, every digit of them."""
    return lambda name: read_exactly(R_FOLDER / name)


@pytest.fixture(scope="session")
def reference(shared: Path) -> Callable[[str], Any]:
    """Read a shared reference file: values as a dictionary, data as a table."""
    folder = shared / "data" / "reference_values"

    def read(name: str) -> Any:
        path = folder / name
        if path.suffix == ".json":
            return json.loads(path.read_text(encoding="utf-8"))
        return read_exactly(path)

    return read


@pytest.fixture(scope="session")
def by_r_name() -> Callable[[pd.DataFrame, str, list[str]], np.ndarray]:
    """Take a column of a table of terms, in R's order of terms."""

    def take(table: pd.DataFrame, column: str, names: list[str]) -> np.ndarray:
        named = pd.Series(table[column].to_numpy(), index=map(plain_name, table["term"]))
        return named.loc[[plain_name(name) for name in names]].to_numpy(dtype=float)

    return take
