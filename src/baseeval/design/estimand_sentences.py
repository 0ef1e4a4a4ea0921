"""What an answer is about, as one plain sentence: who, against whom, and what was made alike."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from baseeval.design.choices import check_choice
from baseeval.design.registry import DESIGNS
from baseeval.results import CONTRASTS, Weights

#: Arm -> its pupils, as a report calls them.
_PUPILS: Mapping[str, str] = MappingProxyType(
    {
        "base": "pupils with a base place",
        "host_mainstream": "pupils at schools with a base but without a place in it",
        "non_host": "pupils at schools with no base",
        "first": "pupils of the first group",
        "second": "pupils of the second group",
    }
)

#: Estimand of a union -> whom it is about, and who is left undescribed where pupils are weighted.
_OF_MANY: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "ATE": (
            "pupils of {all} groups together",
            "pupils without somebody like them in {other} are not described",
        ),
        "ATO": (
            "pupils who could as well have been in {any}",
            "pupils all but certain of their group are not described",
        ),
        "ATM": (
            "pupils who could be matched one to one across the groups",
            "pupils without somebody like them in {other} are not described",
        ),
        "ATEN": (
            "pupils whose group was least certain",
            "pupils all but certain of their group are not described",
        ),
    }
)

#: The same where pupils are matched.
_UNMATCHED = "pupils left without a match are not described"

_ESTIMANDS = ("ATT", "ATC", *_OF_MANY)


def estimand_sentence(answer: Weights | Mapping[str, object]) -> str:
    """Write out the estimand of a design, or of a row of results.

    Parameters
    ----------
    answer : Weights or mapping
        A row has `contrast`, `estimand`, `target` and `design`, as in
        `baseeval.results.RESULT_COLUMNS`; a plain table's contrast is empty.

    Returns
    -------
    str
        One sentence.

    Raises
    ------
    UsageError
        There is no such estimand.

    Examples
    --------
    >>> row = {"contrast": "base_vs_non_host", "target": "base", "design": "propensity"}
    >>> about, how = estimand_sentence(row | {"estimand": "ATT"}).split(": ")
    >>> about
    'About pupils with a base place'
    >>> how.split(";")[0]
    'how they fared against pupils at schools with no base, who are weighted to be like them'
    """
    if isinstance(answer, Weights):
        contrast, estimand, target = answer.contrast, answer.estimand, answer.target
        method, arms = answer.method, answer.arms
    else:
        contrast, estimand, target, method = (
            str(answer[name]) for name in ("contrast", "estimand", "target", "design")
        )
        arms = CONTRASTS.get(contrast, ("first", "second"))
    check_choice("estimand", estimand, _ESTIMANDS)
    kind = DESIGNS[method].kind if method in DESIGNS else "weight"
    pupils = _named(arms, contrast)
    if kind == "none":
        return (
            f"How {_against([*pupils.values()])} as they are, with nothing made alike: what they "
            "differ in besides is part of the answer."
        )
    if estimand in _OF_MANY:
        return _of_many(estimand, target, pupils, kind)
    return _of_one(target, pupils, kind)


def _of_one(target: str, pupils: dict[str, str], kind: str) -> str:
    """Say it of an estimand about one group."""
    about = pupils.get(target) or _pupils(target)
    others = [called for arm, called in pupils.items() if arm != target]
    made = "matched with" if kind == "match" else "weighted to be like"
    each = "who are" if len(others) == 1 else "each"
    if target not in pupils:
        fared = f"how {_against(others)}, each {made} them"
    elif target == next(iter(pupils)):
        fared = f"how they fared against {_joined(others)}, {each} {made} them"
    else:
        fared = f"how {_joined(others)}, {each} {made} them, fared against them"
    other = "the other group" if len(others) == 1 else "every other group"
    left = f"those without somebody like them in {other} are not described"
    return f"About {about}: {fared}; {_UNMATCHED if kind == 'match' else left}."


def _of_many(estimand: str, target: str, pupils: dict[str, str], kind: str) -> str:
    """Say it of an estimand about two groups or more together."""
    several = target == "common" or len(pupils) > 2
    words = {
        "all": "all" if several else "both",
        "any": "any of the groups" if several else "either group",
        "other": "every other group" if several else "the other group",
    }
    about, left = (part.format(**words) for part in _OF_MANY[estimand])
    made = "matched with pupils like them" if kind == "match" else "weighted to be like them"
    fared = f"how {_against([*pupils.values()])}, each {made}"
    return f"About {about}: {fared}; {_UNMATCHED if kind == 'match' else left}."


def _named(arms: tuple[str, ...], contrast: str) -> dict[str, str]:
    pupils = {arm: _pupils(arm) for arm in arms}
    if contrast == "base_vs_host":
        pupils["host_mainstream"] = "pupils at the same schools without a base place"
    return pupils


def _pupils(arm: str) -> str:
    return _PUPILS.get(arm, f"pupils of {arm}")


def _against(pupils: list[str]) -> str:
    """Say who fared against whom."""
    if len(pupils) == 2:
        return f"{pupils[0]} fared against {pupils[1]}"
    return f"{_joined(pupils)} fared against one another"


def _joined(pupils: list[str]) -> str:
    return f"{', '.join(pupils[:-1])} and {pupils[-1]}" if len(pupils) > 1 else pupils[0]
