"""A whole study file: its sections, and what must hold between them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from baseeval.plan.basics import Section, quoted, raise_all
from baseeval.plan.data_sections import DataSection, StudySection
from baseeval.plan.design_section import DesignSection
from baseeval.plan.gate_section import GATE_RULES, GateSection
from baseeval.plan.method_sections import (
    AnalysisSection,
    Covariate,
    CovariatesSection,
    ReleaseSection,
)
from baseeval.plan.outcome_section import OutcomeSection
from baseeval.plan.outcomes_agree import outcome_faults
from baseeval.plan.people_sections import (
    ArmsSection,
    EligibilitySection,
    PeersSection,
    PlacementSection,
)


class Plan(Section):
    """A whole study file.

    Attributes
    ----------
    path : pathlib.Path
        Where the plan was read; data files are relative to its folder.
    hash : str
        SHA-256 of the canonical JSON of the keys as written.
    """

    study: StudySection
    data: DataSection
    outcomes: Annotated[list[OutcomeSection], Field(min_length=1)]
    peers: PeersSection | None = None
    arms: ArmsSection | None = None
    eligibility: EligibilitySection | None = None
    placement: PlacementSection | None = None
    covariates: CovariatesSection = CovariatesSection()
    design: DesignSection = DesignSection()
    gate: GateSection | None = None
    analysis: AnalysisSection = AnalysisSection()
    release: ReleaseSection = ReleaseSection()
    path: Path = Field(default=Path("study.toml"), exclude=True)
    hash: str = Field(default="", exclude=True)

    @model_validator(mode="after")
    def _parts_agree(self) -> Self:
        faults = self._sources_agree()
        faults += outcome_faults(
            self.outcomes,
            is_tidy=self.data.source is None,
            has_non_host=self.arms is not None and "non_host" in self.arms.labels(),
        )
        names = [outcome.name for outcome in self.outcomes]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            faults.append(f"outcomes: {quoted(twice)} is the name of more than one outcome")
        covariates = self.covariates.every()
        measured = {c.column for c in covariates if not c.wave}
        for outcome in self.outcomes:
            if "change" in outcome.forms and self.data.baseline_wave is None:
                faults.append(
                    f"outcomes: `{outcome.name}` asks for the form 'change', which needs "
                    "`baseline_wave` in [data]"
                )
            caught = sorted(measured & set(outcome.columns()))
            if caught and self.data.baseline_wave is None:
                faults.append(
                    f"covariates: {quoted(caught)} belongs to the outcome `{outcome.name}`; only "
                    "its value at an earlier wave may be adjusted for"
                )
            if "gap" in outcome.forms and self.peers is None:
                faults.append(
                    f"outcomes: `{outcome.name}` asks for the form 'gap', which needs [peers]"
                )
        faults += self._gate_faults()
        faults += self._design_faults(covariates)
        for key, column in self._keys().items():
            if column in {c.column for c in covariates}:
                faults.append(f"covariates: `{column}` says {key}; {self._instead(column)}")
            faults += [
                f"outcomes: `{outcome.name}` takes `{column}`, which says {key}"
                for outcome in self.outcomes
                if column in outcome.columns()
            ]
        raise_all(faults)
        return self

    def _sources_agree(self) -> list[str]:
        """Say which sections belong to a tidy table and which to a source."""
        faults = []
        eligibility = self.eligibility
        if self.data.source is None:
            if self.placement is not None:
                faults.append(
                    "placement: a tidy table says the placement in [arms]; leave this out"
                )
            if eligibility is not None:
                lost = [n for n in eligibility.wanted() if n not in eligibility.columns]
                if lost:
                    faults.append(
                        f"eligibility: say which columns of the table hold {quoted(lost)}, in "
                        "[eligibility.columns]"
                    )
            if any(outcome.standardise != "no" for outcome in self.outcomes):
                faults.append("outcomes: `standardise` needs a source that says the school year")
            if any(outcome.modes for outcome in self.outcomes):
                faults.append("outcomes: `modes` needs a source with a table `surveys`")
        else:
            if self.data.wave != "wave":
                faults.append("data: a source makes the waves itself; leave `wave` out")
            if self.data.base is not None and self.placement and self.placement.source == "census":
                faults.append(
                    'placement: [data.base] says who is in a base; write `source = "spells"`'
                )
            if eligibility is not None and eligibility.columns:
                faults.append("eligibility: `columns` is for a tidy table; use [data.columns]")
            named = [c.column for c in self.covariates.every() if c.wave]
            if named:
                faults.append(
                    f"covariates: {quoted(named)} has a `wave`; a source takes the last value "
                    "before time zero"
                )
        return faults

    def _gate_faults(self) -> list[str]:
        """Say what a gate asks that cannot be judged."""
        if self.gate is None:
            return []
        asked = self.gate.thresholds()
        if not asked:
            return [
                f"gate: it asks nothing; name one of {quoted(list(GATE_RULES))}, or leave it out"
            ]
        if self.covariates.adjust or self.covariates.exact:
            return []
        return [
            f"gate: `{rule}` needs covariates; name some in [covariates] adjust"
            for rule in ("largest_smd", "overlap")
            if rule in asked
        ]

    def _design_faults(self, covariates: tuple[Covariate, ...]) -> list[str]:
        """Say which columns the design reads that no covariate is, or that cannot serve it."""
        held = [c.column for c in covariates]
        words = {c.column for c in covariates if c.kind == "category"}
        both = sorted({c.column for c in self.covariates.exact} & set(self.design.anti_exact))
        faults = [
            f"design: partners cannot both agree on `{column}` (`exact`) and differ on it "
            "(`anti_exact`); take it out of one"
            for column in both
        ]
        faults += [
            f"design: `{key}` needs numbers, and `{column}` is a category in [covariates]"
            for key in ("caliper", "sampling_weights")
            for column in self.design.columns()[key]
            if column in words
        ]
        return faults + [
            f"design: `{key}` names `{column}`, which stands nowhere in [covariates]; put it into "
            "`carried` if nothing is to adjust for it"
            for key, columns in self.design.columns().items()
            for column in columns
            if column not in held
        ]

    def _instead(self, column: str) -> str:
        """Say what to do about a column that is no covariate."""
        if column == self.data.school and column in {c.column for c in self.covariates.exact}:
            return (
                'partners of one school are asked for by `prefer = "school"` in [design], with a '
                "`caliper`"
            )
        return "it cannot be adjusted for"

    def _keys(self) -> dict[str, str | None]:
        """Return the columns that say whose, where and when a row is, by what they say."""
        return {
            "who the pupil is": self.data.pupil,
            "which school it is": self.data.school,
            "which wave it is": self.data.wave,
            "which arm it is": None if self.arms is None else self.arms.column,
            "who is a peer": None if self.peers is None else self.peers.group,
            "whose peer it is": None if self.peers is None else self.peers.peer_of,
        }
