"""The cohort does not depend on how the file happens to be laid out."""

import csv
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import baseeval as be
from baseeval.engine.duckdb_engine import Engine

ROOT = Path(__file__).parents[2]
PLAN = (ROOT / "analyses" / "src_replication" / "study.toml").read_text(encoding="utf-8")
SAMPLE = ROOT / "synthetic_data" / "sample" / "pupils.csv"


def sample():
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        return list(reader.fieldnames), list(reader)


def tables(columns, rows, **style):
    """Write the rows and build the cohort; give every table in its stated order."""
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder) / "study.toml"
        plan.write_text(
            PLAN.replace("../../synthetic_data/sample/pupils.csv", "p.csv"), encoding="utf-8"
        )
        with (Path(folder) / "p.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, extrasaction="ignore", **style)
            writer.writeheader()
            writer.writerows(rows)
        with Engine() as engine:
            cohort = be.build_cohort(be.read_study(plan), engine)
            return (
                engine.collect(cohort.covariates, ["school", "pupil"]).to_pylist(),
                engine.collect(
                    cohort.outcomes, ["outcome", "form", "wave", "school", "pupil"]
                ).to_pylist(),
                cohort.flow.table.to_csv(),
                cohort.missing.to_csv(),
                (cohort.sizes, cohort.waves, cohort.notes),
            )


@pytest.fixture(scope="module")
def as_it_stands():
    return tables(*sample())


@settings(max_examples=3, deadline=None, derandomize=True)
@given(order=st.randoms(use_true_random=False))
def test_shuffling_rows_and_columns_changes_nothing(as_it_stands, order):
    columns, rows = sample()
    order.shuffle(columns)
    order.shuffle(rows)

    assert tables(columns, rows) == as_it_stands


@pytest.mark.parametrize("style", [{"delimiter": ";"}, {"quoting": csv.QUOTE_ALL}])
def test_the_dialect_of_the_file_changes_nothing(as_it_stands, style):
    assert tables(*sample(), **style) == as_it_stands


def test_columns_that_no_plan_names_change_nothing(as_it_stands):
    columns, rows = sample()
    for number, row in enumerate(rows):
        row["remark"] = f"remark {number}"

    assert tables([*columns, "remark"], rows) == as_it_stands
