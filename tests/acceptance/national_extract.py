"""An extract of the National Pupil Database over three school years: by hand, and by seed.

Both are of the same shape: censuses of 2017/18 to 2019/20, the absence and exclusions of those
years, KS2 of 2018 and 2019, KS4 of 2023 and 2024. Who is in Year 7 in 2018/19 or 2019/20 has
KS2 before, a year of secondary school that the data cover, and KS4 in the fifth.
"""

# ruff: noqa: E501  (the tables are as wide as the extracts)

from __future__ import annotations

import datetime as dt
import runpy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

NPD: dict[str, Any] = runpy.run_path(str(Path(__file__).parents[1] / "npd_extract.py"))
write_columns, write_text = NPD["write_columns"], NPD["write_text"]

#: First Thursday of October, third of January, third of May: from a calendar, not from the code.
CENSUS_DAYS: dict[tuple[int, str], dt.date] = {
    (2018, "SPR"): dt.date(2018, 1, 18),
    (2018, "SUM"): dt.date(2018, 5, 17),
    (2019, "AUT"): dt.date(2018, 10, 4),
    (2019, "SPR"): dt.date(2019, 1, 17),
    (2019, "SUM"): dt.date(2019, 5, 16),
    (2020, "AUT"): dt.date(2019, 10, 3),
    (2020, "SPR"): dt.date(2020, 1, 16),
}

STUDY = """
[study]
name = "national"
title = "Bases in a national extract"
question = "Did being placed in a base change what became of pupils?"
seed = 11

[data]
source = "npd"
baseline_wave = "0"

[data.files]
census = "census_*.csv"
absence = "absence_*.csv"
ks2 = "ks2_*.csv"
ks4 = "ks4_*.csv"
exclusions = "exclusions_*.csv"

# No extract of the department has these two: the study's own columns, beside the census.
[data.columns.census]
consent = "StudyConsent"
withdrawn = "StudyWithdrawn"

[eligibility]
needs = ["ASD"]
years = ["7"]
first_year = 2019
last_year = 2020

[placement]
source = "census"

[[outcomes]]
name = "attendance"
kind = "sessions"
attended = "sessions_attended"
possible = "sessions_possible"
standardise = "cohort"
forms = ["level", "change"]

[[outcomes]]
name = "suspensions"
kind = "continuous"
column = "suspension_sessions"
better = "lower"

[[outcomes]]
name = "attainment"
kind = "continuous"
column = "ks4_attainment8"

[covariates]
adjust = ["sex", "fsm", "ks2_reading", "absence_share", "idaci"]
"""

# ----------------------------------------------------------------------------------------
# Worked pupils. 100001 has a SEN unit, 100002 a resourced provision, 100003 and 100004 have
# no base; 200001 and 200002 are primary schools, the second with a resourced provision.
# ----------------------------------------------------------------------------------------

_HEADINGS = "PupilMatchingRefAnonymous_{0}, URN_{0}, NCyearActual_{0}, EnrolStatus_{0}, OnRoll_{0}, SENprovision_{0}, Gender_{0}, FSMeligible_{0}, IDACIScore_{0}, EntryDate_{0}, SENUnitIndicator_{0}, ResourcedProvisionIndicator_{0}"
_NEEDS = ", PrimarySENtype_{0}, SecondarySENtype_{0}"


def _headed(mark: str, rows: str, *, spring: bool = False, more: str = "") -> str:
    return (_HEADINGS + (_NEEDS if spring else "") + more).format(mark) + rows


WORKED = {
    "census_2018_spring.csv": _headed(
        "SPR18",
        """
A01, 200001, 6,  C, 1, S, M, 1, 0.10, 2014-09-03, 0, 0, ASD,
A02, 200001, 06, C, 1, E, F, 0, 0.20, 2014-09-03, 0, 0, ASD,
A03, 200001, 6,  C, 1, A, M, 0, 0.30, 2014-09-03, 0, 0, ASD,
A04, 200001, 6,  C, 1, N, F, 0, 0.35, 2014-09-03, 0, 0, ,
A05, 200001, 6,  C, 1, P, M, 1, 0.40, 2014-09-03, 0, 0, BESD,
A06, 200001, 6,  C, 1, K, M, 0, 0.45, 2014-09-03, 0, 0, ASD,
A08, 200001, 5,  C, 1, K, F, 0, 0.50, 2014-09-03, 0, 0, ASD,
A09, 200001, 5,  C, 1, K, M, 1, 0.55, 2014-09-03, 0, 0, ASD,
A10, 100003, 10, C, 1, N, M, 0, 0.05, 2014-09-03, 0, 0, ,
A12, 200001, 6,  C, 1, E, F, 0, 0.58, 2014-09-03, 0, 0, ASD,
A13, 200001, 6,  C, 1, K, F, 1, 0.60, 2014-09-03, 0, 0, ASD,
A14, 200001, 6,  C, 1, E, M, 0, 0.65, 2014-09-03, 0, 0, ASD,
A15, 200001, 6,  C, 1, P, F, 0, 0.70, 2014-09-03, 0, 0, ASD,
A16, 200002, 6,  C, 1, E, M, 0, 0.75, 2014-09-03, 0, 1, ASD,
A17, 200001, 6,  C, 1, K, M, 0, 0.80, 2014-09-03, 0, 0, SLCN, ASD
A18, 100003, 7,  C, 1, K, F, 0, 0.85, 2017-09-04, 0, 0, ASD,
A19, 100003, 7,  C, 1, K, F, 0, 0.86, 2017-09-04, 0, 0, SLCN, ASD
""",
        spring=True,
    ),
    "census_2018_summer.csv": _headed(
        "SUM18",
        """
A01, 200001, 6, C, 1, S, M, 0, 0.15, 2014-09-03, 0, 0
A02, 200001, 6, C, 1, E, F,  ,     , 2014-09-03, 0, 0
A16, 200002, 6, C, 1, E, M, 0, 0.75, 2014-09-03, 0, 1
""",
    ),
    "census_2019_autumn.csv": _headed(
        "AUT19",
        """
A01, 100003, 7,  S, 1, E, M, 1, 0.15, 2018-09-03, 0, 0
A01, 100001, 7,  M, 1, E, M, 1, 0.15, 2018-09-03, 1, 0
A02, 100001, 7,  C, 1, E, F, 1, 0.20,           , 1, 0
A03, 100001, 07, C, 1, K, M, 1, 0.30, 2018-09-03, 0, 0
A04, 100003, 7,  C, 1, N, F, 0, 0.35, 2018-09-03, 0, 0
A05, 100001, 7,  C, 1, K, M, 0, 0.40, 2018-09-03, 0, 0
A06, 100003, 7,  C, 1, K, M, 0, 0.45, 2018-09-03, 0, 0
A07, 100001, 7,  C, 1, E, F, 0, 0.25, 2018-09-05, 1, 0
A08, 200001, 6,  C, 1, K, F, 0, 0.50, 2014-09-03, 0, 0
A09, 200001, 6,  C, 1, K, M, 1, 0.55, 2014-09-03, 0, 0
A10, 100003, 11, C, 1, N, M, 0, 0.05, 2014-09-03, 0, 0
A11, 200001, 6,  C, 1, K, F, 0, 0.90, 2018-09-03, 0, 0
A12, 100001, 7,  C, 1, E, F, 0, 0.58, 2018-09-03, 0, 0
A13, 100003, 7,  C, 1, K, F, 1, 0.60, 2018-09-03, 0, 0
A14, 100001, 7,  S, 1, E, M, 0, 0.65, 2018-09-03, 1, 0
A14, 100004, 7,  C, 1, E, M, 0, 0.65, 2018-09-03, 0, 0
A15, 100001, 7,  C, 0, K, F, 0, 0.70,           , 1, 0
A16, 100004, 7,  C, 1, E, M, 0, 0.75, 2018-09-03, 0, 0
A17, 100003, 7,  C, 1, K, M, 0, 0.80, 2018-09-03, 0, 0
A18, 100003, 8,  C, 1, K, F, 0, 0.85, 2017-09-04, 0, 0
""",
    ),
    "census_2019_spring.csv": _headed(
        "SPR19",
        """
A01, 100001, 7, C, 1, E, M, 1, 0.15, 2018-09-03, 1, 0, ASD,
A02, 100001, 7, C, 1, E, F, 1, 0.20,           , 1, 0, ASD,
A03, 100001, 7, C, 1, K, M, 1, 0.30, 2018-09-03, 0, 0, ASD,
A04, 100003, 7, C, 1, N, F, 0, 0.35, 2018-09-03, 0, 0, ,
A05, 100001, 7, C, 1, K, M, 0, 0.40, 2018-09-03, 0, 0, ASD,
A06, 100001, 7, C, 1, K, M, 0, 0.45, 2019-01-07, 1, 0, ASD,
A07, 100001, 7, C, 1, E, F, 0, 0.25, 2018-09-05, 1, 0, ASD,
A08, 200001, 6, C, 1, K, F, 1, 0.50, 2014-09-03, 0, 0, ASD,
A09, 200001, 6, C, 1, K, M, 0, 0.55, 2014-09-03, 0, 0, ASD,
A10, 100003, 11, C, 1, N, M, 0, 0.05, 2014-09-03, 0, 0, ,
A11, 200001, 6, C, 1, K, F, 0, 0.95, 2018-09-03, 0, 0, ASD,
A12, 100001, 7, C, 1, E, F, 0, 0.58, 2018-09-03, 0, 0, ASD,
A13, 100003, 7, C, 1, K, F, 1, 0.60, 2018-09-03, 0, 0, ASD,
A14, 100004, 7, C, 1, E, M, 0, 0.65, 2018-09-03, 0, 0, ASD,
A15, 100001, 7, C, 1, K, F, 0, 0.70,           , 0, 0, ASD,
A16, 100004, 7, C, 1, E, M, 0, 0.75, 2018-09-03, 0, 0, ASD,
A17, 100003, 7, C, 1, K, M, 0, 0.80, 2018-09-03, 0, 0, SLCN, ASD
""",
        spring=True,
    ),
    "census_2019_summer.csv": _headed(
        "SUM19",
        """
A01, 100001, 7, C, 1, E, M, 1, 0.15, 2018-09-03, 1, 0
A02, 100001, 7, C, 1, E, F, 1, 0.20,           , 0, 0
A03, 100001, 7, C, 1, K, M, 1, 0.30, 2018-09-03, 0, 0
A09, 200001, 6, C, 1, K, M, 0, 0.55, 2014-09-03, 0, 0
A11, 200001, 6, C, 1, K, F, 0, 0.95, 2018-09-03, 0, 0
""",
    ),
    "census_2020_autumn.csv": _headed(
        "AUT20",
        """
A01, 100001, 8, C, 1, E, M, 1, 0.15, 2018-09-03, 1, 0
A02, 100001, 8, C, 1, E, F, 1, 0.20,           , 0, 0
A03, 100001, 8, C, 1, K, M, 1, 0.30, 2018-09-03, 1, 0
A04, 100003, 8, C, 1, K, F, 0, 0.35, 2018-09-03, 0, 0
A05, 100001, 8, C, 1, K, M, 0, 0.40, 2018-09-03, 0, 0
A06, 100001, 8, C, 1, K, M, 0, 0.45, 2019-01-07, 1, 0
A07, 100001, 8, C, 1, E, F, 0, 0.25, 2018-09-05, 1, 0
A09, 100002, 7, C, 1, E, M, 1, 0.55, 2019-09-02, 0, 1
A11, 100003, 7, C, 1, K, F, 1, 0.95, 2019-09-02, 0, 0
A12, 100001, 8, C, 1, E, F, 0, 0.58, 2018-09-03, 0, 0
A14, 100004, 8, C, 1, E, M, 0, 0.65, 2018-09-03, 0, 0
A15, 100001, 8, C, 1, K, F, 0, 0.70,           , 0, 0
A16, 100004, 8, C, 1, E, M, 0, 0.75, 2018-09-03, 0, 0
A17, 100003, 8, C, 1, K, M, 0, 0.80, 2018-09-03, 0, 0
A18, 100003, 9, C, 1, K, F, 0, 0.85, 2017-09-04, 0, 0
""",
    ),
    "census_2020_spring.csv": _headed(
        "SPR20",
        """
A01, 100001, 8, C, 1, E, M, 1, 0.15, 2018-09-03, 1, 0, ASD, , 1,
A04, 100003, 8, C, 1, K, F, 0, 0.35, 2018-09-03, 0, 0, ASD, , 1,
A08, 100003, 7, C, 1, K, F, 0, 0.51, 2020-01-06, 0, 0, ASD, , 1,
A09, 100002, 7, C, 1, E, M, 1, 0.55, 2019-09-02, 0, 1, ASD, , 1,
A12, 100001, 8, C, 1, E, F, 0, 0.58, 2018-09-03, 0, 0, ASD, , 1, 2019-11-01
""",
        spring=True,
        more=", StudyConsent_{0}, StudyWithdrawn_{0}",
    ),
    "absence_2018.csv": """
PupilMatchingRefAnonymous_ab18, URN_ab18, SessionsPossible_Autumn_ab18, SessionsPossible_Spring_ab18, SessionsPossible_Summer_ab18, SessionsPossible_Summer6th_ab18, OverallAbsence_Autumn_ab18, OverallAbsence_Spring_ab18, OverallAbsence_Summer_ab18, OverallAbsence_Summer6th_ab18
A01, 200001, 140, 120, 50, 60, 5, 3, 2, 0
A02, 200001, 140, 120, 50, 60, 17, 10, 5, 5
A03, 200001, 100, 100, 50, 50, 6, 6, 3, 0
A06, 200001, 100, 100, 50, 50, 10, 10, 5, 5
A09, 200001, 100, 100, 50, 50, 4, 4, 4, 0
A10, 100003, 100, 100, 50, 50, 10, 10, 5, 5
A13, 200001, 100, 100, 50, 50, 20, 20, 10, 10
A14, 200001, 100, 100, 50, 50, 0, 0, 0, 0
A15, 200001, 100, 100, 50, 50, 3, 0, 0, 0
A16, 200002, 100, 100, 50, 50, 3, 3, 3, 0
""",
    "absence_2019.csv": """
PupilMatchingRefAnonymous_ab19, URN_ab19, SessionsPossible_Autumn_ab19, SessionsPossible_Spring_ab19, SessionsPossible_Summer_ab19, SessionsPossible_Summer6th_ab19, OverallAbsence_Autumn_ab19, OverallAbsence_Spring_ab19, OverallAbsence_Summer_ab19, OverallAbsence_Summer6th_ab19
A01, 100001, 100, 60, 20, 10, 5, 0, 0, 0
A01, 100003, 100, 60, 20, 10, 5, 3, 2, 0
A02, 100001, 140, 120, 60, 60, 14, 12, 6, 6
A03, 100001, 140, 120, 60, 60, 10, 5, 4, 0
A06, 100003, 150, 0, 0, 0, 15, 0, 0, 0
A06, 100001, 0, 120, 60, 50, 0, 4, 0, 0
A07, 100001, 140, 120, 60, 60, 0, 0, 0, 0
A08, 200001, 100, 100, 50, 50, 10, 10, 5, 5
A09, 200001, 150, 140, 70, 70, 5, 5, 5, 5
A10, 100003, 140, 120, 60, 60, 14, 12, 30, 30
A13, 100003, 140, 120, 60, 60, 40, 20, 8, 8
A14, 100004, 140, 120, 60, 60, 20, 10, 4, 4
A15, 100001, 140, 120, 60, 60, 19, 0, 0, 0
A16, 100004, 140, 120, 60, 60, 50, 25, 10, 10
X01, 100004, 140, 120, 60, 60, 70, 60, 30, 30
""",
    "absence_2020.csv": """
PupilMatchingRefAnonymous_ab20, URN_ab20, SessionsPossible_Autumn_ab20, SessionsPossible_Spring_ab20, OverallAbsence_Autumn_ab20, OverallAbsence_Spring_ab20
A01, 100001, 100, 100, 5, 5
A02, 100001, 100, 100, 10, 10
A03, 100001, 100, 100, 20, 20
A06, 100001, 100, 100, 0, 0
A07, 100001, 100, 100, 5, 5
A08, 100003, , 100, , 10
A09, 100002, 100, 100, 15, 15
A14, 100004, 100, 100, 25, 25
A15, 100001, 100, 100, 10, 10
A16, 100004, 0, 0, 0, 0
""",
    "ks2_2018.csv": """
KS2_PupilMatchingRefAnonymous, KS2_ACADYR, KS2_NATRES, KS2_READOUTCOME, KS2_READMRK, KS2_MATOUTCOME, KS2_MATMRK
A01, 2017/2018, 0, AS, 45, AS, 90
A01, 2017/2018, 1, NS, 30, B,
A02, 2017/2018, 1, B,  0,  B,  0
A03, 2017/2018, 1, AS, 33, AS, 70
A06, 2017/2018, 1, A,  ,   NS, 20
A13, 2017/2018, 1, AS, 40, AS, 80
A14, 2017/2018, 1, L,  ,   L,
A14, 2017/2018, 1, NS, 12, L,
A15, 2017/2018, 1, N,  3,  N,  2
A16, 2017/2018, 1, T,  0,  T,  0
""",
    "ks2_2019.csv": """
KS2_PupilMatchingRefAnonymous, KS2_ACADYR, KS2_NATRES, KS2_READOUTCOME, KS2_READMRK
A08, 2018/2019, 1, AS, 28
A09, 2018/2019, 1, AS, 35
A11, 2018/2019, 1, J,
X01, 2018/2019, 1, AS, 50
""",
    "ks4_results.csv": """
KS4_PupilMatchingRefAnonymous, KS4_ACADYR, KS4_NATRES, KS4_ATT8
A01, 2022/2023, 1, 20
A02, 2022/2023, 0, 30
A02, 2022/2023, 1, 0
A03, 2022/2023, 1, SUPP
A06, 2022/2023, 1, 44.5
A08, 2023/2024, 1, 41
A09, 2023/2024, 1, 15
A10, 2018/2019, 1, 50
A13, 2022/2023, 1, 35
""",
    "exclusions_2018.csv": """
PupilMatchingRefAnonymous_ex18, URN_ex18, TotalFixedExclusions_ex18, TotalFixedSessions_ex18
A13, 200001, 2, 6
""",
    "exclusions_2019.csv": """
PupilMatchingRefAnonymous_ex19, URN_ex19, TotalFixedExclusions_ex19, TotalFixedSessions_ex19
A02, 100001, 1, 4
""",
    "exclusions_2020.csv": """
PupilMatchingRefAnonymous_ex20, URN_ex20, TotalFixedExclusions_ex20, TotalFixedSessions_ex20
A08, 100003, 1, 2
A11, 100003, 1, 3
A11, 100004, 2, 7
""",
}


def write_worked(folder: Path) -> Path:
    """Write the worked extract and its study file."""
    write_text(folder, WORKED)
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    return folder / "study.toml"


# ----------------------------------------------------------------------------------------
# Thousands of pupils by seed, with the same traps sprinkled
# ----------------------------------------------------------------------------------------

PRIMARIES, SECONDARIES = 90, 60
_TERMS = list(CENSUS_DAYS)
#: This census came without the flags.
NO_FLAGS = (2019, "SUM")


def generate(folder: Path, pupils: int, seed: int, study: str = STUDY) -> Path:
    """Write an extract of so many pupils, and its study file."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(seed)
    # Ids that nothing but a pupil's row could hold.
    ids = np.array([f"PMR{n:06X}{draw.integers(16**4):04X}ZQ" for n in range(pupils)], dtype=object)
    age = draw.choice([4, 5, 6, 7, 8, 9, 10], pupils, p=[0.08, 0.3, 0.34, 0.08, 0.06, 0.06, 0.08])
    lives = _Lives(draw, ids, age)
    for year, term in _TERMS:
        _write_census(folder, draw, lives, year, term)
    for year in (2018, 2019, 2020):
        _write_absence(folder, draw, lives, year)
        _write_exclusions(folder, draw, lives, year)
    for year in (2018, 2019):
        _write_ks2(folder, draw, ids[age + year - 2018 == 6], ids, year)
    for year in (2023, 2024):
        _write_ks4(folder, draw, ids[age + year - 2018 == 11], year)
    (folder / "study.toml").write_text(study, encoding="utf-8")
    return folder / "study.toml"


def _pick(draw: Any, options: Sequence[Any], size: int, p: Sequence[float] | None = None) -> Any:
    values = np.empty(len(options), dtype=object)
    values[:] = options
    return values[draw.choice(len(options), size, p=p)]


def _holes(draw: Any, values: Any, rate: float, hole: Any = None) -> Any:
    held = np.array(values, dtype=object)
    held[draw.random(len(held)) < rate] = hole
    return held


class _Lives:
    """What becomes of each pupil from census to census."""

    def __init__(self, draw: Any, ids: Any, age: Any) -> None:
        size = len(ids)
        self.ids, self.age = ids, age
        self.sex = _holes(draw, _pick(draw, ["M", "F"], size), 0.02)
        self.sen = draw.random(size) < 0.5
        self.need = _pick(
            draw, ["ASD", "asd", "SLCN", "BESD", "MLD"], size, [0.4, 0.1, 0.2, 0.2, 0.1]
        )
        self.idaci = draw.integers(0, 900, size) / 1000
        self.consent = _pick(draw, ["1", "0", None], size, [0.9, 0.01, 0.09])
        self.withdrawn = _pick(draw, [None, "01/11/2019", "2019-03-04"], size, [0.985, 0.01, 0.005])
        primary = 200000 + draw.integers(0, PRIMARIES, size)
        secondary = 100000 + draw.integers(0, SECONDARIES, size)
        # Of the secondary schools a third host a unit, some a provision, some both; of the
        # primary schools a few.
        unit = {100000 + n for n in range(0, SECONDARIES, 3)} | {200000 + n for n in range(6)}
        provision = {100000 + n for n in range(0, SECONDARIES, 6)} | {
            100001,
            100004,
            200003,
            200007,
        }
        first = np.where(draw.random(size) < 0.85, 0, draw.integers(0, len(_TERMS), size))
        last = np.where(draw.random(size) < 0.88, len(_TERMS), draw.integers(0, len(_TERMS), size))
        self.at: dict[tuple[int, str], dict[str, Any]] = {}
        school = np.zeros(size, dtype=int)
        entry = np.empty(size, dtype=object)
        placed = np.zeros(size, dtype=bool)
        for number, (year, term) in enumerate(_TERMS):
            group = age + year - 2018
            now = np.where(group <= 6, primary, secondary)
            moved = draw.random(size) < (0.05 if term == "AUT" else 0.02)
            secondary = np.where(
                moved & (group > 6), 100000 + draw.integers(0, SECONDARIES, size), secondary
            )
            now = np.where(group <= 6, primary, secondary)
            new = (now != school) | (number == first)
            day = CENSUS_DAYS[year, term]
            entry = np.where(new, _entries(draw, size, day, number == 0), entry)
            hosted = np.isin(now, list(unit | provision))
            chance = np.where(self.sen & hosted, 0.35, np.where(hosted, 0.004, 0.0))
            begins = draw.random(size) < np.where(new, chance, chance * 0.15)
            stays = placed & ~new & (draw.random(size) > 0.07)
            placed, school = begins | stays, now
            has_unit, has_provision = np.isin(now, list(unit)), np.isin(now, list(provision))
            both = draw.random(size) < 0.1
            in_unit = placed & has_unit & (~has_provision | (ids < "PMR002000") | both)
            in_provision = placed & has_provision & (~in_unit | both)
            here = (number >= first) & (number <= last) & (draw.random(size) > 0.03)
            self.at[year, term] = {
                "group": group,
                "school": now,
                "entry": entry,
                "unit": in_unit,
                "provision": in_provision,
                "here": here,
            }


def _entries(draw: Any, size: int, day: dt.date, already: bool) -> Any:
    """Days of entry to a school, none after the census that first sees the pupil there."""
    if already:
        return _pick(draw, ["2014-09-03", "2016-09-05", "04/09/2017", None], size)
    if day.month == 10:
        y = day.year
        days = [
            f"{y}-08-28",
            f"{y}-09-01",
            f"{y}-09-03",
            f"05/09/{y}",
            f"{y}-09-30",
            f"{y}-10-01",
            None,
        ]
        return _pick(draw, days, size, [0.15, 0.1, 0.4, 0.1, 0.05, 0.05, 0.15])
    y, m = day.year, day.month
    days = [f"{y}-{m:02d}-07", f"{y}-{m:02d}-{day.day}", f"02/{m:02d}/{y}", None]
    return _pick(draw, days, size, [0.5, 0.1, 0.2, 0.2])


def _spelt(draw: Any, groups: Any) -> Any:
    """Spell a year group as schools do; of a pupil and census, not of a row."""
    how = draw.integers(0, 60, len(groups))
    return np.array(
        [
            {0: f"{g:02d}", 1: f"{g} ", 2: None}.get(w, str(g))
            for g, w in zip(groups, how, strict=True)
        ],
        dtype=object,
    )


def _write_census(folder: Path, draw: Any, lives: _Lives, year: int, term: str) -> None:
    at = lives.at[year, term]
    row = np.flatnonzero(at["here"])
    one = draw.random(len(row))
    # Half of those registered twice are flagged by the other school as well, or by it alone.
    other = row[one < 0.05]
    enrol = _pick(draw, ["C", "M", "S", "G"], len(row), [0.9, 0.05, 0.03, 0.02])
    roll = _pick(draw, ["1", "0", None], len(row), [0.97, 0.02, 0.01])
    enrol_2 = _pick(draw, ["S", "C", "M", "G", None], len(other), [0.6, 0.2, 0.1, 0.05, 0.05])
    roll_2 = _pick(draw, ["1", "0", None], len(other), [0.7, 0.25, 0.05])
    group = _spelt(draw, at["group"])
    elsewhere = at["school"][other] // 100000 * 100000 + (at["school"][other] + 7) % 50
    moved = elsewhere == at["school"][other]
    elsewhere = np.where(moved, elsewhere + 1, elsewhere)
    who = np.concatenate([row, other])
    size = len(who)
    school = np.concatenate([at["school"][row], elsewhere])
    second = np.arange(size) >= len(row)
    unit, provision = at["unit"][who], at["provision"][who]
    swap = second & (draw.random(size) < 0.3)
    sen = np.where(
        lives.sen[who],
        _pick(
            draw, ["K", "E", "A", "P", "S", "e", None], size, [0.4, 0.3, 0.05, 0.1, 0.1, 0.02, 0.03]
        ),
        _pick(draw, ["N", None], size, [0.95, 0.05]),
    )
    mark = f"_{term}{year % 100}"
    columns: dict[str, Any] = {
        "PupilMatchingRefAnonymous": _holes(draw, lives.ids[who], 0.0005),
        "LAESTAB": [str(number + 3000000) for number in school],
        "URN": _holes(draw, [str(number) for number in school], 0.003),
        "NCyearActual": group[who],
        "EnrolStatus": np.concatenate([enrol, enrol_2]),
        "OnRoll": np.concatenate([roll, roll_2]),
        "SENprovision": sen,
        "Gender" if year < 2020 else "Sex": lives.sex[who],
        "FSMeligible": _pick(draw, ["1", "0", None], size, [0.3, 0.65, 0.05]),
        "IDACIScore": _holes(draw, [f"{score:.3f}" for score in lives.idaci[who]], 0.05, "SUPP"),
        "EntryDate": np.array(at["entry"], dtype=object)[who],
    }
    columns["LAESTAB"] = _holes(draw, columns["LAESTAB"], 0.2)
    if (year, term) != NO_FLAGS:
        columns["SENUnitIndicator"] = np.where(unit ^ swap, "1", "0").astype(object)
        columns["ResourcedProvisionIndicator"] = np.where(provision, "1", "0").astype(object)
        unsaid = draw.random(size) < 0.02
        columns["SENUnitIndicator"][unsaid] = None
        columns["ResourcedProvisionIndicator"][unsaid] = None
    if term == "SPR":
        own = np.where(
            draw.random(size) < 0.1, _pick(draw, ["SLCN", "MLD", "ASD"], size), lives.need[who]
        )
        said = lives.sen[who] & (draw.random(size) < 0.85)
        odd = draw.random(size) < 0.01
        first = np.where(odd, "ZZZ", np.where(said, own, None))
        second_need = _pick(draw, ["ASD", "SLCN", "BESD", None], size, [0.1, 0.1, 0.05, 0.75])
        named = said & ~odd
        columns["PrimarySENtype" if year > 2018 else "SENneed1"] = first
        columns["SecondarySENtype" if year > 2018 else "SENneed2"] = np.where(
            named, second_need, None
        )
    if (year, term) == (2020, "SPR"):
        columns["StudyConsent"] = lives.consent[who]
        columns["StudyWithdrawn"] = lives.withdrawn[who]
    write_columns(
        folder / f"census_{year}_{term.lower()}.csv",
        {(name + mark): values for name, values in columns.items()},
        draw.permutation(size),
    )


def _write_absence(folder: Path, draw: Any, lives: _Lives, year: int) -> None:
    pupils = len(lives.ids)
    row = np.flatnonzero(draw.random(pupils) < 0.92)
    row = np.concatenate([row, draw.choice(row, pupils // 20, replace=True)])
    who = np.concatenate([lives.ids[row], [f"PMRX{n:08X}ZQ" for n in range(pupils // 200)]])
    size, mark = len(who), f"_ab{year % 100}"
    terms = {
        2018: ("3Term",),
        2019: ("Autumn", "Spring", "Summer", "Summer6th"),
        2020: ("Autumn", "Spring"),
    }[year]
    most = {"3Term": 390, "Autumn": 145, "Spring": 125, "Summer": 60, "Summer6th": 60}
    columns: dict[str, Any] = {"PupilMatchingRefAnonymous": who}
    columns["URN"] = [str(100000 + n) for n in draw.integers(0, SECONDARIES, size)]
    if year == 2019:
        group = np.concatenate([lives.age[row] + 1, np.full(size - len(row), 11)])
        columns["NCyearActual"] = _holes(draw, [str(n) for n in group], 0.2)
    for term in terms:
        possible = most[term] - draw.integers(0, 20, size)
        possible = np.where(draw.random(size) < 0.01, possible + 60, possible)
        possible = np.where(draw.random(size) < 0.01, 0, possible)
        authorised = draw.binomial(possible, 0.05)
        unauthorised = draw.binomial(possible, 0.02)
        overall = authorised + unauthorised + (draw.random(size) < 0.01)
        overall = np.where(draw.random(size) < 0.002, possible + 3, overall)
        unsaid = draw.random(size) < 0.01
        columns[f"SessionsPossible_{term}"] = np.where(unsaid, None, possible)
        columns[f"AuthorisedAbsence_{term}"] = _holes(draw, authorised, 0.01)
        columns[f"UnauthorisedAbsence_{term}"] = _holes(draw, unauthorised, 0.01, "c")
        columns[f"OverallAbsence_{term}"] = _holes(draw, np.where(unsaid, None, overall), 0.02)
    prefix = {"3Term": "ABS_"}
    named = {
        prefix.get(name.rpartition("_")[2], "") + name + mark: values
        for name, values in columns.items()
    }
    write_columns(folder / f"absence_{year}.csv", named, draw.permutation(size))


def _write_ks2(folder: Path, draw: Any, sat: Any, everybody: Any, year: int) -> None:
    late = draw.choice(everybody, len(everybody) // 100, replace=False)
    ids = np.unique(np.concatenate([sat[draw.random(len(sat)) < 0.95], late]))
    twice = draw.choice(ids, len(ids) // 25, replace=False)
    who = np.concatenate([ids, twice, [f"PMRX{n:08X}ZQ" for n in range(9)]])
    size = len(who)
    second = (np.arange(size) >= len(ids)) & (np.arange(size) < len(ids) + len(twice))
    outcome = _pick(
        draw,
        ["AS", "NS", "B", "N", "A", "T", "J", "M", "Q", "CA", "as", None],
        size,
        [0.5, 0.28, *[0.02] * 7, 0.02, 0.04, 0.02],
    )
    marks = _holes(draw, draw.integers(0, 51, size), 0.04)
    # A second record always has a result, so that two records never tie but in what they say.
    outcome = np.where(second, "AS", outcome)
    marks = np.where(second, draw.integers(1, 51, size), marks)
    columns = {
        "PupilMatchingRefAnonymous": who,
        "ACADYR": [f"{year - 1}/{year}"] * size,
        "NATRES": _pick(draw, ["1", "0", None], size, [0.9, 0.05, 0.05]),
        "READOUTCOME": outcome,
        "READMRK": marks,
    }
    named = {f"KS2_{name}": values for name, values in columns.items()}
    write_columns(folder / f"ks2_{year}.csv", named, draw.permutation(size))


def _write_ks4(folder: Path, draw: Any, ids: Any, year: int) -> None:
    ids = ids[draw.random(len(ids)) < 0.9]
    twice = draw.choice(ids, len(ids) // 25, replace=False)
    who = np.concatenate([ids, twice])
    size = len(who)
    points = _holes(draw, draw.integers(0, 900, size) / 10, 0.03, "SUPP")
    columns = {
        "PupilMatchingRefAnonymous": who,
        "ACADYR": [f"{year - 1}/{year}"] * size,
        "NATRES": _pick(draw, ["1", "0", None], size, [0.9, 0.05, 0.05]),
        "ATT8": np.where(np.arange(size) >= len(ids), draw.integers(0, 900, size) / 10, points),
    }
    named = {f"KS4_{name}": values for name, values in columns.items()}
    write_columns(folder / f"ks4_{year}.csv", named, draw.permutation(size))


def _write_exclusions(folder: Path, draw: Any, lives: _Lives, year: int) -> None:
    row = np.flatnonzero(draw.random(len(lives.ids)) < 0.08)
    row = np.concatenate([row, draw.choice(row, len(row) // 5, replace=True)])
    who = np.concatenate([lives.ids[row], [f"PMRX{n:08X}ZQ" for n in range(7)]])
    size, mark = len(who), f"_ex{year % 100}"
    columns: Mapping[str, Any] = {
        "PupilMatchingRefAnonymous": who,
        "URN": [str(100000 + n) for n in draw.integers(0, SECONDARIES, size)],
        "TotalFixedExclusions": _holes(draw, draw.integers(1, 4, size), 0.05),
        "TotalFixedSessions": _holes(draw, draw.integers(1, 20, size), 0.05),
    }
    named = {name + mark: values for name, values in columns.items()}
    write_columns(folder / f"exclusions_{year}.csv", named, draw.permutation(size))
