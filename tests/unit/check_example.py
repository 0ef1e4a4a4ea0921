"""A check with a little of everything, for the tests of its words, its page and its terminal."""

from __future__ import annotations

from baseeval.errors import Fault, Problem, fault
from baseeval.reporting.check_report import CheckReport, FlowStep, TableRead, make_check

CENSUS = "census_*.csv (3 files)"


def faults() -> list[Problem]:
    """Return faults out of order: some stop, some only count, one stands in the plan."""
    return [
        fault("absence.csv", "possible", "over_420", 17, "more than 420 sessions", "Look."),
        fault(CENSUS, "sex", "sex_differs", 3, "a sex that differs", "Look.", unit="pupil"),
        fault(CENSUS, "sen_unit", "flag_without_sen", 31, "a base flag and no SEN", "Look."),
        fault(CENSUS, "fsm", "fsm_and_never_fsm", 31, "free meals <now> & never", "Look."),
        fault(CENSUS, "idaci", "text_in_number", 1204, "text", "Mend.", verb="hold", stops=True),
        Fault(
            f"{CENSUS}, column `urn`",
            "the file has no such column",
            "Add it, or name its heading in `[data.columns.pupils]`.",
            CENSUS,
            "urn",
            "no_column",
        ),
        Problem("study.toml, [design] methods", "`entropyy` is not there", "Did you mean it?"),
        fault(CENSUS, "sex", "sex_differs", 3, "a sex that differs", "Look.", unit="pupil"),
    ]


def check_example() -> CheckReport:
    """Return a check that found much."""
    files = ("census_2020.csv", "census_2021.csv", "census_2022.csv")
    return make_check(
        faults(),
        [TableRead("pupils", CENSUS, 1_000_000, 29, files), TableRead("peers", "p.csv", 1, 2)],
        ["Absence of 2020 is not like other years'."],
        [
            FlowStep("eligible", "base", 4120, 31),
            FlowStep("placed at first sight", "base", 4, 1, "no census before placement"),
        ],
        title="Autistic pupils in bases",
    )


def clean_example() -> CheckReport:
    """Return a check that found nothing."""
    return make_check([], [TableRead("pupils", "p.csv", 12, 3, ("p.csv",))], title="A study")


def questions_example() -> CheckReport:
    """Return a check that found nothing that stops."""
    return make_check([one for one in faults() if isinstance(one, Fault) and not one.stops])
