"""The sections that say who is in the study, in which arm, and beside whom."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from baseeval.plan.basics import Column, Label, Section, quoted, raise_all


class EligibilitySection(Section):
    """Who is in the study at all, in every arm alike.

    `columns` names the columns of a tidy table; a source has them under the
    contract's names. `time_zero`, `date`, `first_year` and `last_year` are for sources.
    """

    needs: list[Label] = []
    need_rule: Literal["primary", "secondary", "either"] = "primary"
    years: list[Label] = []
    phases: list[Label] = []
    ehcp: Literal["any", "only", "none"] = "any"
    time_zero: Literal["school_entry", "ehcp_issue", "matched_date", "fixed_date"] = "school_entry"
    date: dt.date | None = None
    first_year: int | None = None
    last_year: int | None = None
    columns: dict[
        Literal[
            "primary_need",
            "secondary_need",
            "year_group",
            "phase",
            "sen_provision",
            "consent",
            "withdrawn",
        ],
        Column,
    ] = {}

    @model_validator(mode="after")
    def _dates_agree(self) -> Self:
        faults = []
        first, last = self.first_year, self.last_year
        if first is not None and last is not None and first > last:
            faults.append("`first_year` comes after `last_year`")
        if self.time_zero == "fixed_date" and self.date is None:
            faults.append("`time_zero` is `fixed_date`: say which day in `date` (2025-09-01)")
        if self.time_zero != "fixed_date" and self.date is not None:
            faults.append('`date` is for `time_zero = "fixed_date"` alone')
        raise_all(faults)
        return self

    def wanted(self) -> tuple[str, ...]:
        """Return the contract's columns that these rules read."""
        needs = {
            "primary": ("primary_need",),
            "secondary": ("secondary_need",),
            "either": ("primary_need", "secondary_need"),
        }
        return (
            *(needs[self.need_rule] if self.needs else ()),
            *(("year_group",) if self.years else ()),
            *(("phase",) if self.phases else ()),
            *(("sen_provision",) if self.ehcp != "any" else ()),
        )


class PlacementSection(Section):
    """Who is placed in a base, by whose word, and which schools host one."""

    source: Literal["census", "spells", "schools"] = "census"
    types: list[Label] = []
    host_at_least: Annotated[int, Field(ge=1)] = 1
    hosts: list[Label] = []
    grace_days: Annotated[int, Field(ge=0)] = 31
    movers: Literal["at_entry", "time_varying", "modal"] = "at_entry"
    comparison: Literal["all", "considered"] = "all"
    already_placed: Literal["keep", "exclude"] = "keep"


class PeersSection(Section):
    """Pupils who are in no arm but belong to someone who is."""

    group: Column
    is_peer: Annotated[list[Label], Field(min_length=1)]
    peer_of: Column | None = None
    year: Column | None = None
    sex: Column | None = None

    @model_validator(mode="after")
    def _some_link(self) -> Self:
        if self.peer_of is None and (self.year is None or self.sex is None):
            raise ValueError(
                "without `peer_of`, peers are taken by school, year and sex: give the columns "
                "`year` and `sex`"
            )
        return self


class ArmsSection(Section):
    """Which labels make which arm."""

    column: Column
    base: list[Label] = []
    host_mainstream: list[Label] = []
    non_host: list[Label] = []
    other: Literal["error", "exclude"] = "error"

    @model_validator(mode="after")
    def _labels_once(self) -> Self:
        labels = [*self.base, *self.host_mainstream, *self.non_host]
        if not labels:
            raise ValueError("no arm has a label; name the labels of at least one arm")
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(f"{quoted(twice)} stands more than once among the arms' labels")
        return self

    def labels(self) -> dict[str, list[str]]:
        """Return the labels of each arm that the plan names."""
        arms = {
            "base": self.base,
            "host_mainstream": self.host_mainstream,
            "non_host": self.non_host,
        }
        return {arm: labels for arm, labels in arms.items() if labels}
