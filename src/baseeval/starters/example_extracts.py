"""Extracts in the form of the National Pupil Database, of pupils of a synthetic world."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from baseeval.worlds import simulate

#: Entry to secondary school in 2022/23: no year that the pandemic touched is in it.
_ENTRY = 2023

_NEEDS = {"language": "SLCN", "learning": "MLD"}

#: Scores of the tests of key stage 2 that count as a result.
_LOWEST, _HIGHEST = 80, 120


def write_extracts(folder: Path) -> None:
    """Write censuses, absence and key stage 2, a file a year.

    Parameters
    ----------
    folder : pathlib.Path
        Made if it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pupils = simulate("src_replication", seed=1).tables["pupils"]
    pupils = pupils.assign(urn=[f"9000{school[1:]}" for school in pupils["school_id"]])
    first = pupils[pupils["wave"] == 1]
    _write(_census(first, _ENTRY - 1, "SPR", primary=True), folder, f"census_spr{_ENTRY - 1}")
    for wave in (1, 2, 3):
        held, year = pupils[pupils["wave"] == wave], _ENTRY + wave - 1
        for term in ("AUT", "SPR"):
            _write(_census(held, year, term), folder, f"census_{term.lower()}{year}")
        _write(_absence(held, year), folder, f"absence_{year}")
    _write(_key_stage_2(first), folder, f"ks2_{_ENTRY - 1}")


def _write(table: pd.DataFrame, folder: Path, name: str) -> None:
    table.to_csv(folder / f"{name}.csv", index=False, lineterminator="\n", encoding="utf-8")


def _census(held: pd.DataFrame, year: int, term: str, *, primary: bool = False) -> pd.DataFrame:
    autistic = held["autistic"] == "yes"
    plan = held["ehcp"] == "yes"
    placed = (held["placement"] == "SRC") & (not primary)
    table = pd.DataFrame(
        {
            "PupilMatchingRefAnonymous": held["pupil_id"],
            "URN": "900100" if primary else held["urn"],
            "Phase": "PS" if primary else "SS",
            "NCyearActual": str(year - _ENTRY + 7),
            "Sex": held["sex"].map({"female": "F", "male": "M"}),
            "FSMeligible": (held["fsm"] == "yes").astype(int),
            "SENprovision": plan.map({True: "E", False: ""}).where(plan, autistic.map(_SUPPORT)),
            "PrimarySENtype": autistic.map({True: "ASD", False: ""}),
            "SecondarySENtype": held["cooccurring_need"].map(_NEEDS).where(autistic, ""),
            "SENUnitIndicator": 0,
            "ResourcedProvisionIndicator": placed.astype(int),
            "EnrolStatus": "C",
            "OnRoll": 1,
            "EntryDate": "2016-09-01" if primary else f"{_ENTRY - 1}-09-01",
        }
    )
    return table.rename(columns=lambda name: f"{name}_{term}{year % 100:02d}")


_SUPPORT = {True: "K", False: "N"}


def _absence(held: pd.DataFrame, year: int) -> pd.DataFrame:
    known = held[held["present"].notna()]
    missed = (known["possible"] - known["present"]).astype(int)
    table = pd.DataFrame(
        {
            "PupilMatchingRefAnonymous": known["pupil_id"],
            "URN": known["urn"],
            "SessionsPossible_Annual": known["possible"].astype(int),
            "OverallAbsence_Annual": missed,
        }
    )
    return table.rename(columns=lambda name: f"{name}_ab{year % 100:02d}")


def _key_stage_2(first: pd.DataFrame) -> pd.DataFrame:
    known = first[first["prior"].notna()]
    below = known["prior"] < _LOWEST
    return pd.DataFrame(
        {
            "KS2_PupilMatchingRefAnonymous": known["pupil_id"],
            "KS2_ACADYR": _ENTRY - 1,
            "KS2_READOUTCOME": below.map({True: "B", False: "AS"}),
            "KS2_READSCORE": known["prior"].clip(upper=_HIGHEST).where(~below),
        }
    )
