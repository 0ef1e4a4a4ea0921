"""Make a table of England's mainstream secondary schools from the DfE performance tables.

python analyses/england_schools/prepare.py --data ../shared/data/england \
    --out analyses/england_schools/data

Reads the school census, absence and key stage 4 files by the package's own contracts, joins them
on URN, leaves special schools out, writes `schools.csv` (one row a school) and prints what was left
out, or read otherwise than it stands.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import narwhals.stable.v2 as nw
import pandas as pd

from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError
from baseeval.sources.crosswalk import load_crosswalk
from baseeval.sources.gathering import gather_files
from baseeval.sources.school_files import SCHOOL_FILES, read_school_files
from baseeval.sources.values import WHY

HERE = Path(__file__).parent
SHARED = Path(os.environ.get("BASEEVAL_SHARED", HERE.parents[1] / ".." / "shared"))

FILES = {
    "performance_census": "census.csv.gz",
    "performance_absence": "abs.csv.gz",
    "performance_ks4": "ks4provisional.csv.gz",
}

#: Column of the schools' contract -> column of the table.
COLUMNS = {
    "urn": "urn",
    "la": "la",
    "school_type_code": "school_type",
    "pupils_on_roll": "pupils_on_roll",
    "pupils_at_end_of_ks4": "pupils_at_end_of_ks4",
    "attainment8": "attainment8",
    "progress8": "progress8",
    "english_maths_5_percent": "english_maths_5_percent",
    "overall_absence_percent": "overall_absence_percent",
    "persistent_absence_percent": "persistent_absence_percent",
    "ehcp_percent": "ehcp_percent",
    "sen_support_percent": "sen_support_percent",
    "fsm_ever_percent": "fsm_ever_percent",
}
MAINSTREAM = "State-funded secondary"
SPECIAL = ["State-funded special school", "Non-maintained special school"]


def join(folder: Path) -> pd.DataFrame:
    """Schools that are in all three files, every value as text and every code as published."""
    with Engine() as engine:
        gathered = {
            key: gather_files(name, folder, load_crosswalk(SCHOOL_FILES[key]), engine, key)
            for key, name in FILES.items()
        }
        tables = read_school_files(gathered, engine, keep="every")
        for fault in tables.faults:
            print(fault)
        if stopping := [fault for fault in tables.faults if fault.stops]:
            raise DataError(stopping)
        schools = tables.frames["schools"]
        held = schools.collect_schema()
        published = [_published(name, held) for name in ("school_group", *COLUMNS)]
        return engine.collect(schools.select(*published), ["urn"]).to_pandas()


def _published(name: str, held: nw.Schema) -> nw.Expr:
    """A column as text again: the number without a percent sign, or the code in its place."""
    value = nw.col(name)
    if held[name].is_numeric():
        whole = value.round(0).cast(nw.Int64).cast(nw.String)
        text = nw.when(value == value.round(0)).then(whole).otherwise(value.cast(nw.String))
    else:
        text = value
    if WHY + name in held:
        why = nw.col(WHY + name)
        text = nw.when(value.is_null() & (why != "blank")).then(why).otherwise(text)
    return nw.coalesce(text, nw.lit("")).alias(name)


def prepare(folder: Path) -> pd.DataFrame:
    """One row a mainstream secondary school, ordered by URN."""
    schools = join(folder)
    kind = schools["school_group"]
    special, mainstream = kind.isin(SPECIAL), kind == MAINSTREAM
    print(f"schools in all three files: {len(schools)}")
    print(f"special schools left out: {special.sum()}")
    print(f"schools of another type left out: {(~special & ~mainstream).sum()}")
    print(f"mainstream secondary schools kept: {mainstream.sum()}")
    table = schools.loc[mainstream, list(COLUMNS)].rename(columns=COLUMNS)
    return table.reset_index(drop=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Make schools.csv from the performance tables.")
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "england")
    parser.add_argument("--out", type=Path, default=HERE / "data")
    arguments = parser.parse_args()
    table = prepare(arguments.data)
    arguments.out.mkdir(parents=True, exist_ok=True)
    table.to_csv(arguments.out / "schools.csv", index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
