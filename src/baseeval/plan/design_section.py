"""The section that says how the arms are made comparable."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from baseeval.plan.basics import Column, Section, raise_all

Estimand = Literal["ATT", "ATC", "ATE", "ATO", "ATM", "ATEN"]
Width = Annotated[float, Field(gt=0)]
Unit = Literal["sd", "raw"]

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
    caliper: Width | dict[str, Width] | None = None
    caliper_unit: Unit | dict[str, Unit] | None = None
    order: Literal["largest", "smallest", "closest", "farthest", "random", "data"] | None = None
    prefer: Literal["school"] | None = None
    school_cost: Literal["both", "pupils", "mahalanobis", "rank_mahalanobis"] | None = None
    schools_each: Annotated[int, Field(ge=1)] | None = None
    keep_schools: Width | None = None
    subclasses: Annotated[int, Field(ge=2)] | None = None
    min_per_arm: Annotated[int, Field(ge=0)] | None = None
    cutpoints: dict[str, int | str | list[float]] | None = None
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
    trim: Literal["crump", "common_support"] | Annotated[float, Field(gt=0, lt=0.5)] | None = None
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
