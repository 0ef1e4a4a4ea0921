"""Make the study's table from the public Project STAR files: one row a pupil and wave.

python analyses/star/prepare.py --data ../shared/data/star --out analyses/star/data

Reads `students.csv.gz` and `comparison.csv.gz`, writes `pupils.csv`, and prints a count for every
pupil or value that is set aside. README.md says why each choice was made.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
SHARED = Path(os.environ.get("BASEEVAL_SHARED", HERE.parents[1] / ".." / "shared"))

WAVES = {1: 0, 2: 1, 3: 3, 4: 8}  # wave: grade (0 is kindergarten); grade 2 outcomes are not public
GRADES = {"gk": 0, "g1": 1, "g2": 2, "g3": 3}
CLASSES = {
    "SMALL CLASS": "small",
    "REGULAR CLASS": "regular",
    "REGULAR + AIDE CLASS": "regular+aide",
}
MONTHS = {
    "JANUARY": 1, "FEBRUARY": 2, "MARCH": 3, "ARPIL": 4, "MAY": 5, "JUNE": 6,
    "JULY": 7, "AUGUST": 8, "SEPTEMBER": 9, "OCTOBER": 10, "NOVEMBER": 11, "DECEMBER": 12,
}  # fmt: skip
SCHOOL_YEAR = 180  # days in a Tennessee school year: more days enrolled than this are impossible

# The nine items of the belonging subscore `g8idblng`, and those of them that run against it.
BELONGING = [
    "g8idprou", "g8idrspt", "g8idattn", "g8idactv", "g8idcare",
    "g8idplac", "g8idprob", "g8idfavr", "g8idintr",
]  # fmt: skip
BELONGING_REVERSED = ["g8idattn", "g8idcare", "g8idplac"]

COLUMNS = [
    "pupil_id", "school_id", "placement", "entry_grade", "wave", "grade",
    "sex", "white", "age_months", "free_lunch",
    "reading", "maths", "present", "possible", *BELONGING,
]  # fmt: skip


def read_students(folder: Path) -> pd.DataFrame:
    """The experiment's pupils, with their entry and covariates in columns named as `pupils.csv`."""
    raw = pd.read_csv(folder / "students.csv.gz")
    pupils = raw[raw["stdntid"].notna()].copy()
    print(f"students.csv.gz: {len(raw)} rows, {len(raw) - len(pupils)} without any value dropped")

    enrolled = pupils[[f"{grade}classtype" for grade in GRADES]].notna()
    entry = enrolled.idxmax(axis="columns").str.removesuffix("classtype")
    for name, column in [("class", "classtype"), ("school_id", "schid"), ("lunch", "freelunch")]:
        pupils[name] = pd.Series(index=pupils.index, dtype=object)
        for grade in GRADES:
            rows = entry == grade
            pupils.loc[rows, name] = pupils.loc[rows, f"{grade}{column}"]
    no_school = pupils["school_id"].isna()
    print(f"  {no_school.sum()} pupils without a school at entry dropped")
    pupils, entry = pupils[~no_school].copy(), entry[~no_school]

    pupils["pupil_id"] = pupils["stdntid"]
    pupils["entry_grade"] = entry.map(GRADES)
    late = " (entered grade " + pupils["entry_grade"].astype(str) + ")"
    pupils["placement"] = pupils["class"].map(CLASSES) + late.where(pupils["entry_grade"] > 0, "")
    pupils["sex"] = pupils["gender"].str.lower()
    pupils["white"] = yes_no(pupils["race"], "WHITE")
    pupils["age_months"] = age_months(pupils["birthyear"], pupils["birthmonth"].map(MONTHS))
    pupils["free_lunch"] = yes_no(pupils["lunch"], "FREE LUNCH")
    return pupils


def read_comparison(folder: Path) -> pd.DataFrame:
    """The pupils of schools without small classes, in the same columns."""
    pupils = pd.read_csv(folder / "comparison.csv.gz", na_values=["mssng"])
    schools = pupils[["g1schid", "g2schid", "g3schid"]]
    print(f"comparison.csv.gz: {len(pupils)} rows")
    no_school = schools.isna().all(axis="columns")
    print(f"  {no_school.sum()} pupils without a school dropped")
    pupils, schools = pupils[~no_school].copy(), schools[~no_school]

    first = schools.notna().idxmax(axis="columns").str.removesuffix("schid")
    pupils["pupil_id"] = pupils["stdntid"]
    pupils["school_id"] = schools.bfill(axis="columns").iloc[:, 0]
    pupils["entry_grade"] = first.map(GRADES)
    late = " (first seen grade " + pupils["entry_grade"].astype(str) + ")"
    pupils["placement"] = "comparison" + late.where(pupils["entry_grade"] > 1, "")
    pupils["sex"] = pupils["gender"]
    pupils["white"] = yes_no(pupils["race"], "white")
    pupils["age_months"] = age_months(pupils["birthyear"], pupils["birthmonth"])
    return pupils


def yes_no(values: pd.Series, yes: str) -> pd.Series:
    """`yes` where a value equals `yes`, `no` where it is another, blank where it is blank."""
    return values.eq(yes).map({True: "yes", False: "no"}).where(values.notna())


def age_months(year: pd.Series, month: pd.Series) -> pd.Series:
    """Age in whole months in September 1985, when the experiment's kindergarten year began."""
    return (1985 - year) * 12 + (9 - month)


def sessions(pupils: pd.DataFrame, prefix: str) -> pd.DataFrame:
    """Days present and days enrolled; both blank where one is unknown or their sum impossible."""
    present, absent = pupils[f"{prefix}present"], pupils[f"{prefix}absent"]
    possible = present + absent
    half = present.notna() != absent.notna()
    impossible = possible > SCHOOL_YEAR
    print(
        f"  grade {GRADES[prefix]} attendance: {impossible.sum()} pupils enrolled for more than "
        f"{SCHOOL_YEAR} days and {half.sum()} with one of two counts blanked"
    )
    keep = possible.notna() & ~impossible
    return pd.DataFrame({"present": present.where(keep), "possible": possible.where(keep)})


def at_wave(pupils: pd.DataFrame, wave: int) -> pd.DataFrame:
    """The rows of one wave: every pupil who had entered by then, measured or not."""
    grade = WAVES[wave]
    pupils = pupils[pupils["entry_grade"] <= grade]
    prefix = {number: prefix for prefix, number in GRADES.items()}.get(grade, "none")
    rows = pupils.assign(wave=wave, grade=grade)
    if f"{prefix}treadss" in pupils:
        rows["reading"], rows["maths"] = pupils[f"{prefix}treadss"], pupils[f"{prefix}tmathss"]
    if f"{prefix}present" in pupils:
        rows = rows.join(sessions(pupils, prefix))
    if grade == 8:
        rows[BELONGING] = pupils[BELONGING].apply(lambda item: item.str.lower())
    else:
        rows = rows.drop(columns=BELONGING, errors="ignore")
    return rows.reindex(columns=COLUMNS)


def prepare(folder: Path) -> pd.DataFrame:
    """One row a pupil and wave, ordered by pupil and wave."""
    students, comparison = read_students(folder), read_comparison(folder)
    shared = set(students["school_id"]) & set(comparison["school_id"])
    if shared:
        raise SystemExit(f"comparison.csv.gz: {len(shared)} schools are in the experiment as well")
    pieces = [at_wave(students, wave) for wave in WAVES]
    pieces += [at_wave(comparison, wave) for wave in (2, 3)]  # nothing else was measured there
    table = pd.concat([piece.astype(object) for piece in pieces], ignore_index=True)
    whole = ["pupil_id", "school_id", "age_months", "reading", "maths", "present", "possible"]
    table[whole] = table[whole].astype("Float64").astype("Int64")
    return table.sort_values(["pupil_id", "wave"], ignore_index=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Make pupils.csv from the Project STAR files.")
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "star")
    parser.add_argument("--out", type=Path, default=HERE / "data")
    arguments = parser.parse_args()
    table = prepare(arguments.data)
    arguments.out.mkdir(parents=True, exist_ok=True)
    table.to_csv(arguments.out / "pupils.csv", index=False, lineterminator="\n")
    counts = table.groupby("placement").agg(
        pupils=("pupil_id", "nunique"), schools=("school_id", "nunique"), rows=("wave", "size")
    )
    print(f"\npupils.csv: {len(table)} rows, {table['pupil_id'].nunique()} pupils")
    print(counts.to_string())


if __name__ == "__main__":
    main()
