"""The codes with which England's data say why a value is not there."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

#: Code -> meaning. Performance tables write the first five, open data (EES) the others.
SUPPRESSION_CODES: Mapping[str, str] = MappingProxyType(
    {
        "SUPP": "suppressed by the publisher",
        "NE": "no entries",
        "NA": "not applicable",
        "NP": "not published",
        "LOWCOV": "low coverage",
        "c": "confidential",
        "x": "unavailable",
        "z": "not applicable",
        "low": "rounds to zero",
        "u": "unreliable",
    }
)

#: Words for yes and no, compared without regard to case.
YES: tuple[str, ...] = ("1", "y", "yes", "true", "t")
NO: tuple[str, ...] = ("0", "n", "no", "false", "f")

#: Text that means no more than an empty cell.
BLANKS: tuple[str, ...] = ("", "NaN", "nan")

#: What a spreadsheet writes where a formula failed.
SHEET_ERRORS: tuple[str, ...] = (
    "#N/A",
    "#REF!",
    "#VALUE!",
    "#DIV/0!",
    "#NAME?",
    "#NUM!",
    "#NULL!",
    "#SPILL!",
    "#CALC!",
)

#: A plain decimal number. Infinity is not one.
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$"
