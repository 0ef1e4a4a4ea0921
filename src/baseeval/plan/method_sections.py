"""The sections that say how: covariates, analysis, release."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from baseeval.plan.basics import Column, Label, Section, quoted, raise_all


class Covariate(Section):
    """One covariate, with when it was measured where the plan says."""

    column: Column
    wave: Label | None = None
    date: dt.date | None = None
    kind: Literal["number", "category"] | None = None
    after_placement: bool = False


def _as_covariate(value: object) -> object:
    return {"column": value} if isinstance(value, str) else value


CovariateEntry = Annotated[Covariate, BeforeValidator(_as_covariate)]


class CovariatesSection(Section):
    """What is adjusted for, all of it measured before placement.

    Attributes
    ----------
    carried : list of Covariate
        What the design reads and nothing adjusts for: columns of calipers, of what
        partners must not share, of survey weights.
    """

    adjust: list[CovariateEntry] = []
    exact: list[CovariateEntry] = []
    carried: list[CovariateEntry] = []
    placement_date: dt.date | None = None

    def every(self) -> tuple[Covariate, ...]:
        """Return all that a pupil brings to the design: adjusted for, exact, or only carried.

        Returns
        -------
        tuple of Covariate
        """
        return (*self.adjust, *self.exact, *self.carried)

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        faults = []
        columns = [covariate.column for covariate in self.every()]
        twice = sorted({column for column in columns if columns.count(column) > 1})
        if twice:
            faults.append(
                f"{quoted(twice)} stands more than once in `adjust`, `exact` and `carried`"
            )
        # The engine does not tell capitals from small letters.
        taken = sorted(name for name in columns if name.lower() in ("pupil", "school", "arm"))
        if taken:
            faults.append(f"{quoted(taken)} is a name that baseeval needs; rename the column")
        dates = {
            c.column: c.date for c in self.every() if c.date is not None and not c.after_placement
        }
        placed = self.placement_date
        if dates and placed is None:
            faults.append("a covariate has a `date`, so `placement_date` must be given too")
        late = sorted(column for column, date in dates.items() if placed and date > placed)
        if late:
            faults.append(
                f"{quoted(late)} was measured after `placement_date`; leave it out, or say that "
                "you mean it with `after_placement = true`, and every row will say so"
            )
        raise_all(faults)
        return self


class AnalysisSection(Section):
    """How effects are estimated."""

    models: Annotated[list[str], Field(min_length=1)] = ["multilevel", "unadjusted"]
    missing: Literal["complete_case", "multiple_imputation"] = "complete_case"


class ReleaseSection(Section):
    """Which rules govern what may leave."""

    profile: str = "srs"
