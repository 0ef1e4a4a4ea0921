"""The section that says how the arms are made comparable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from baseeval.plan.basics import Column, Section, quoted, raise_all
from baseeval.plan.plain_faults import is_number, only

Estimand = Literal["ATT", "ATC", "ATE", "ATO", "ATM", "ATEN"]
Width = Annotated[float, Field(gt=0)]
Unit = Literal["sd", "raw"]


def _by_column(value: object, is_allowed: Callable[[Any], bool]) -> bool:
    """Tell whether a value is allowed, or is a table of such values by name."""
    if isinstance(value, dict):
        return bool(value) and all(is_allowed(each) for each in value.values())
    return is_allowed(value)


def _is_cut(value: object) -> bool:
    if isinstance(value, list):
        return all(is_number(cut) for cut in value)
    return isinstance(value, str) or (type(value) is int and value >= 0)


#: A negative width keeps partners apart.
Caliper = Annotated[
    float | dict[str, float] | None,
    only(
        lambda value: _by_column(value, lambda width: is_number(width) and width != 0),
        "a caliper is a number other than 0, as 0.2, or such numbers by column, as { age = 1.0 }; "
        "a negative one keeps partners apart by more than its size",
    ),
]
CaliperUnit = Annotated[
    Unit | dict[str, Unit] | None,
    only(
        lambda value: _by_column(value, lambda unit: unit in ("sd", "raw")),
        'the unit is "sd" or "raw", or one of them by column, as { age = "raw" }',
    ),
]
Trim = Annotated[
    Literal["crump", "common_support"] | float | None,
    only(
        lambda value: (
            value in ("crump", "common_support") or (is_number(value) and 0 < value < 0.5)
        ),
        'it takes "crump", "common_support", or the smallest chance of an arm, a number above 0 '
        "and below 0.5, as 0.05",
    ),
]
Cutpoints = Annotated[
    dict[str, int | str | list[float]] | None,
    only(
        lambda value: isinstance(value, dict) and _by_column(value, _is_cut),
        "cuts stand by column: how many bins, the name of a rule, or a list of cuts, as "
        '{ age = 4, prior = "q5", score = [8.5, 11.5] }',
    ),
]

#: Keys of the section that are not choices of a method.
_OWN = (
    "methods",
    "estimand",
    "target",
    "focal",
    "anti_exact",
    "largest_share",
    "sampling_weights",
)


class DesignSection(Section):
    """How the arms are made comparable.

    Attributes
    ----------
    target : {"pairwise", "common"}
        Whether each contrast has a design of its own, or one design holds all
        three arms, so that contrasts are about the same pupils and add up.
    """

    methods: list[str] = []
    estimand: Estimand = "ATT"
    target: Literal["pairwise", "common"] = "pairwise"
    focal: Literal["base", "host_mainstream", "non_host"] | None = None
    anti_exact: list[Column] = []
    sampling_weights: Column | None = None
    largest_share: Annotated[float, Field(gt=0, lt=1)] | None = None
    distance: Literal["logit", "linear_logit", "mahalanobis"] | None = None
    mahalanobis: list[Column] | None = None
    ratio: Annotated[int, Field(ge=1)] | None = None
    replace: bool | None = None
    reuse: Annotated[int, Field(ge=1)] | None = None
    caliper: Caliper = None
    caliper_unit: CaliperUnit = None
    order: Literal["largest", "smallest", "closest", "farthest", "random", "data"] | None = None
    prefer: Literal["school"] | None = None
    school_cost: Literal["both", "pupils", "mahalanobis", "rank_mahalanobis"] | None = None
    schools_each: Annotated[int, Field(ge=1)] | None = None
    keep_schools: Width | None = None
    subclasses: Annotated[int, Field(ge=2)] | None = None
    min_per_arm: Annotated[int, Field(ge=0)] | None = None
    cutpoints: Cutpoints = None
    grouping: dict[str, list[list[str]]] | None = None
    min_controls: Width | None = None
    max_controls: Width | None = None
    tolerance: Annotated[float, Field(ge=0)] | None = None
    profile: bool | None = None
    time_limit: Annotated[float, Field(gt=0)] | None = None
    moments: Literal[1, 2] | None = None
    interactions: bool | None = None
    propensity: str | None = None
    ridge: Annotated[float, Field(ge=0)] | None = None
    trim: Trim = None
    truncate: Annotated[float, Field(gt=0.5, lt=1)] | None = None
    stabilise: bool | None = None
    normalise: bool | None = None

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        faults = []
        if self.focal is not None and (self.target == "pairwise" or self.estimand != "ATT"):
            faults.append('`focal` is for `target = "common"` with the estimand ATT')
        if self.target == "common" and self.estimand == "ATC":
            faults.append(
                'with `target = "common"` there are three arms: take the estimand ATT, and say '
                "whom it is about in `focal`"
            )
        if self.prefer is not None and self.caliper is None:
            faults.append(
                '`prefer = "school"` needs a `caliper`, as 0.2: without one any pupil of the same '
                "school goes before a like one elsewhere"
            )
        if self.prefer is not None and self.reuse is not None:
            faults.append('`reuse` does not go together with `prefer = "school"`; leave one out')
        if isinstance(self.caliper_unit, dict):
            widths = self.caliper if isinstance(self.caliper, dict) else {"": self.caliper}
            stray = sorted(name for name in self.caliper_unit if name not in widths)
            if stray:
                faults.append(f"`caliper_unit` names {quoted(stray)}, which has no caliper")
        raise_all(faults)
        return self

    def settings(self) -> dict[str, Any]:
        """Return the choices of methods that the plan makes, by name.

        Returns
        -------
        dict of str to object
        """
        made = {name: getattr(self, name) for name in type(self).model_fields if name not in _OWN}
        said = {name: value for name, value in made.items() if value is not None}
        if "mahalanobis" in said:
            said["mahalanobis"] = tuple(said["mahalanobis"])
        return said

    def columns(self) -> dict[str, list[str]]:
        """Return the columns that the section names, by key.

        Returns
        -------
        dict of str to list of str
        """
        calipers = self.caliper if isinstance(self.caliper, dict) else {}
        return {
            "anti_exact": self.anti_exact,
            "mahalanobis": self.mahalanobis or [],
            "caliper": [name for name in calipers if name],
            "sampling_weights": [] if self.sampling_weights is None else [self.sampling_weights],
        }
