"""Balance as tables: the numbers of a love plot, of distributions, and of schools."""

from __future__ import annotations

from baseeval.reporting.cells import Row, real, text
from baseeval.reporting.love import covariate_name
from baseeval.reporting.phrasebook import BANDS, CHANCES
from baseeval.reporting.sheet import Sheet, absent, share, shown

_RECORDED = "Recorded before"


def average(row: Row, name: str) -> str:
    """Write a mean of a row, that of a yes or no per cent."""
    if text(row, "kind") == "share":
        return share(row, name)
    return shown(row, name, 2)


def band_word(row: Row) -> str:
    """Say in a word or two how alike a row leaves two groups."""
    return _word(row, "band", BANDS)


def moved_sheet(rows: list[Row], title: str) -> Sheet:
    """Return the numbers that a love plot draws, and the averages behind them."""
    heads = (
        _RECORDED,
        "First group, before",
        "First group, after",
        "Second group, before",
        "Second group, after",
        "Difference before (SD)",
        "Difference after (SD)",
        "How alike",
        "Could be chance?",
    )
    lines = tuple(
        (
            covariate_name(row),
            *(
                average(row, f"mean_{side}_{when}")
                for side in ("first", "second")
                for when in ("before", "after")
            ),
            shown(row, "smd_before", 2),
            shown(row, "smd_after", 2),
            band_word(row),
            _word(row, "chance", CHANCES),
        )
        for row in rows
    )
    return Sheet(f"{title}: the numbers in the figure", heads, lines, frozenset(range(1, 7)))


def spread_sheet(rows: list[Row], title: str) -> Sheet:
    """Return how alike whole distributions are; nothing for a table that does not say."""
    names = ("variance_ratio", "ks", "ecdf_mean", "ovl")
    words = ("Ratio of variances", "Largest gap", "Mean gap", "Shared area")
    heads = (_RECORDED, *(f"{word}, {when}" for word in words for when in ("before", "after")))
    lines = tuple(
        (
            covariate_name(row),
            *(shown(row, f"{name}_{when}", 2) for name in names for when in ("before", "after")),
        )
        for row in rows
    )
    known = any(real(row, "ovl_after") == real(row, "ovl_after") for row in rows)
    return Sheet(
        f"{title}: spread of the values (gaps lie between the shares of each group at or below a "
        "value)",
        heads,
        lines if known else (),
        frozenset(range(1, 9)),
    )


def parts_sheet(rows: list[Row], title: str) -> Sheet:
    """Split each difference into that of schools and that of pupils within them."""
    names = ("smd_between_before", "smd_between_after", "smd_within_before", "smd_within_after")
    heads = (
        _RECORDED,
        "Between schools, before",
        "Between schools, after",
        "Within schools, before",
        "Within schools, after",
    )
    known = any(real(row, name) == real(row, name) for row in rows for name in names)
    lines = tuple((covariate_name(row), *(shown(row, name, 2) for name in names)) for row in rows)
    return Sheet(
        f"{title}: each difference (SD), the part between schools and the part within them",
        heads,
        lines if known else (),
        frozenset(range(1, 5)),
    )


def _word(row: Row, name: str, words: dict[str, tuple[str, str]]) -> str:
    code = text(row, name)
    return words[code][0] if code in words else absent(row)
