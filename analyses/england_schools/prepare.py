"""Make a table of England's mainstream secondary schools from the DfE performance tables.

python analyses/england_schools/prepare.py --data ../shared/data/england \
    --out analyses/england_schools/data

Joins the school census, absence and key stage 4 files on URN, leaves special schools out, writes
`schools.csv` (one row a school) and prints how many schools are left after each step.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
SHARED = Path(os.environ.get("BASEEVAL_SHARED", HERE.parents[1] / ".." / "shared"))

COLUMNS = {
    "URN": "urn",
    "LA": "la",
    "NFTYPE": "school_type",
    "NOR": "pupils_on_roll",
    "TPUP": "pupils_at_end_of_ks4",
    "ATT8SCR": "attainment8",
    "P8MEA": "progress8",
    "PTL2BASICS_95": "english_maths_5_percent",
    "PERCTOT": "overall_absence_percent",
    "PPERSABS10": "persistent_absence_percent",
    "PSENELSE": "ehcp_percent",
    "PSENELK": "sen_support_percent",
    "PNUMFSMEVER": "fsm_ever_percent",
}
WITH_PERCENT_SIGN = ["english_maths_5_percent"]
MAINSTREAM = "State-funded secondary"
SPECIAL = ["State-funded special school", "Non-maintained special school"]


def read_schools(path: Path) -> pd.DataFrame:
    """The rows of one file that are a school, every value as the text that was published.

    Rows for a local authority or for the whole country carry no URN. The files open with a byte
    order mark, and codes such as SUPP stand among the numbers, so nothing is parsed here.
    """
    rows = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    schools = rows[rows["URN"].str.fullmatch(r"\d{6}")]
    print(f"{path.name}: {len(rows)} rows, {len(schools)} of them schools")
    return schools


def join(folder: Path) -> pd.DataFrame:
    """Schools that are in all three files; a URN that stands twice in one is an error."""
    schools = read_schools(folder / "ks4provisional.csv.gz")
    census = read_schools(folder / "census.csv.gz")
    absence = read_schools(folder / "abs.csv.gz").drop(columns=["LA", "ESTAB"])
    schools = schools.merge(
        census.drop(columns="ESTAB"), on="URN", how="inner", validate="one_to_one"
    )
    print(f"in key stage 4 and census: {len(schools)}")
    schools = schools.merge(absence, on="URN", how="inner", validate="one_to_one")
    print(f"in all three files: {len(schools)}")
    return schools


def prepare(folder: Path) -> pd.DataFrame:
    """One row a mainstream secondary school, ordered by URN."""
    schools = join(folder)
    special, mainstream = (schools["SCHOOLTYPE"].isin(kind) for kind in (SPECIAL, [MAINSTREAM]))
    print(f"special schools left out: {special.sum()}")
    print(f"schools of another type left out: {(~special & ~mainstream).sum()}")
    print(f"mainstream secondary schools kept: {mainstream.sum()}")
    table = schools[mainstream].rename(columns=COLUMNS)[list(COLUMNS.values())]
    for column in WITH_PERCENT_SIGN:
        table[column] = table[column].str.removesuffix("%")
    return table.sort_values("urn", ignore_index=True)


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
