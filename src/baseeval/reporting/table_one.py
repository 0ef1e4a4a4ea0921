"""The groups side by side before and after they were made comparable: a weighted Table 1."""

from __future__ import annotations

from baseeval.disclosure.released import Released
from baseeval.reporting.alike import headline_rows
from baseeval.reporting.alike_sheets import average
from baseeval.reporting.cells import Row, records, text
from baseeval.reporting.love import covariate_name
from baseeval.reporting.phrasebook import group
from baseeval.reporting.sheet import Sheet
from baseeval.results import ARMS, CONTRASTS

_SIDES = ("first", "second")


def table_one(released: Released) -> Sheet:
    """Return averages of three groups on everything recorded before.

    Parameters
    ----------
    released : Released

    Returns
    -------
    Sheet
        Without rows where fewer than three groups were compared: the numbers of their one
        figure say the same. A group that weighting leaves as it is has no second column.
    """
    by_contrast = headline_rows(released)
    arms = [arm for arm in ARMS if any(arm in CONTRASTS[name] for name in by_contrast)]
    names = list(
        dict.fromkeys(covariate_name(row) for rows in by_contrast.values() for row in rows)
    )
    columns: dict[str, dict[str, str]] = {}
    if len(arms) == len(ARMS):
        columns = {f"{group(arm)}, before": _before(arm, by_contrast) for arm in arms}
        columns |= _after(released, by_contrast, columns)
    lines = tuple((name, *(cells.get(name, "–") for cells in columns.values())) for name in names)
    return Sheet(
        "What was recorded before, group by group",
        ("Recorded before", *columns),
        lines if columns else (),
        frozenset(range(1, len(columns) + 1)),
    )


def _before(arm: str, by_contrast: dict[str, list[Row]]) -> dict[str, str]:
    """Return a group's averages before, from the first comparison that shows each."""
    found: dict[str, str] = {}
    for contrast, rows in by_contrast.items():
        if arm in CONTRASTS[contrast]:
            side = _SIDES[CONTRASTS[contrast].index(arm)]
            found = _cells(rows, f"mean_{side}_before") | _shown(found)
    return found


def _after(
    released: Released, by_contrast: dict[str, list[Row]], before: dict[str, dict[str, str]]
) -> dict[str, dict[str, str]]:
    """Return the averages of the groups that a design changed, each once."""
    found: dict[str, dict[str, str]] = {}
    for contrast, rows in by_contrast.items():
        target = next(
            (
                text(row, "target")
                for row in records(released.overlap)
                if text(row, "contrast") == contrast
                and text(row, "design") == text(rows[0], "design")
            ),
            "",
        )
        like = f"made like {_small(group(target))}" if target in ARMS else "made comparable"
        for side, arm in zip(_SIDES, CONTRASTS[contrast], strict=True):
            cells = _cells(rows, f"mean_{side}_after")
            if cells != _cells(rows, f"mean_{side}_before"):
                name = f"{group(arm)}, {like}"
                found[name] = cells | _shown(found.get(name, {}))
    return found


def _cells(rows: list[Row], name: str) -> dict[str, str]:
    return {covariate_name(row): average(row, name) for row in rows}


def _shown(cells: dict[str, str]) -> dict[str, str]:
    """Return the cells that hold a number."""
    return {name: cell for name, cell in cells.items() if any(c.isdigit() for c in cell)}


def _small(words: str) -> str:
    return words[:1].lower() + words[1:]
