"""The truth of a world as tables: effects at the last wave, and how closely they are known."""

from __future__ import annotations

from typing import Any

from baseeval.reporting.amounts import plain
from baseeval.reporting.sheet import Sheet
from baseeval.reporting.world_words import CONTRAST_NAMES, OUTCOMES, UNITS
from baseeval.worlds.scales import WAVES
from baseeval.worlds.truth import CONTRASTS, ESTIMANDS, EVERYONE, FORM

_LAST = str(WAVES[-1])
_REALMS = {"sample": "in these schools", "population": "over all areas"}
_NUMERIC = frozenset(range(1, 1 + len(ESTIMANDS)))


def truth_sheets(truth: dict[str, Any], realm: str) -> list[Sheet]:
    """Lay the effects of the last wave out, one table a contrast.

    Parameters
    ----------
    truth : dict
        As `truth.json` holds it.
    realm : str
        ``sample`` or ``population``.

    Returns
    -------
    list of Sheet
        Empty where the truth does not tell of that realm. A population's numbers carry their
        Monte Carlo standard errors.
    """
    effects = truth["effects"].get(realm)
    errors = truth.get("mc_error", {}).get(realm)
    if effects is None:
        return []
    return [
        Sheet(
            f"{CONTRAST_NAMES[contrast]}: {_REALMS[realm]}",
            ("Outcome", *ESTIMANDS),
            tuple(
                (
                    f"{OUTCOMES[outcome]} ({UNITS[outcome][0]})",
                    *(_cell(outcome, e, tree, _at(errors, contrast, outcome)) for e in ESTIMANDS),
                )
                for outcome, tree in (
                    (name, _at(effects, contrast, name)) for name in effects[contrast]
                )
            ),
            _NUMERIC,
        )
        for contrast in CONTRASTS
    ]


def exactly_zero(truth: dict[str, Any]) -> bool:
    """Say whether no arm has any effect in the sample."""
    told = [
        value
        for contrast in truth["effects"]["sample"].values()
        for outcome in contrast.values()
        for wave in outcome[FORM].values()
        for value in wave[EVERYONE].values()
    ]
    return all(value in (None, 0.0) for value in told)


def _at(tree: Any, contrast: str, outcome: str) -> dict[str, float | None]:
    found: dict[str, float | None] = tree[contrast][outcome][FORM][_LAST][EVERYONE] if tree else {}
    return found


def _cell(
    outcome: str, estimand: str, effects: dict[str, float | None], errors: dict[str, float | None]
) -> str:
    _, factor, decimals = UNITS[outcome]
    value, error = effects[estimand], errors.get(estimand)
    if value is None:
        return "–"
    words = plain(factor * value, decimals)
    return words if error is None else f"{words} (± {plain(factor * error, decimals + 1)})"
