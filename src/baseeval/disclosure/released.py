"""What has passed disclosure control, ready to be written or reported."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import pandas as pd

from baseeval.disclosure.shapes import DESCRIBES, PROPENSITY, shaped


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeAbout:
    """What a reader must know of an outcome.

    Parameters
    ----------
    name, label, kind : str
        `label` is the outcome in words; the name where the plan gives none.
    better : str
        higher, lower or neither.
    unit : str
        Unit of the estimate: points, proportion of sessions, mean score, ...
    smallest_effect : float, optional
        Smallest effect of interest.
    smallest_effect_unit : str
        sd or outcome.
    note : str
        How the outcome is measured here, in a sentence.
    respondent : str
        Of a scale: pupil, parent or staff; empty where the data do not say.
    contrasts : tuple of str
        Those that it was asked for; empty for all.
    """

    name: str
    label: str
    kind: str
    better: str
    unit: str
    smallest_effect: float | None = None
    smallest_effect_unit: str = "sd"
    note: str = ""
    respondent: str = ""
    contrasts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EligibilityAbout:
    """Who is in the study at all, in the codes of the plan.

    Parameters
    ----------
    needs : tuple of str
        Types of need; empty for any.
    need_rule : str
        primary, secondary or either.
    years, phases : tuple of str
        Year groups and phases; empty for any.
    ehcp : str
        any, only or none.
    time_zero : str
        school_entry, ehcp_issue, matched_date or fixed_date; empty where the table says it.
    date : datetime.date, optional
        The fixed date.
    first_year, last_year : int, optional
        School years of time zero, each by the summer in which it ends.
    """

    needs: tuple[str, ...] = ()
    need_rule: str = "primary"
    years: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()
    ehcp: str = "any"
    time_zero: str = ""
    date: dt.date | None = None
    first_year: int | None = None
    last_year: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementAbout:
    """Who counts as placed, in the codes of the plan.

    Parameters
    ----------
    source : str
        census, spells or schools.
    types : tuple of str
        Codes of bases that count; empty for all.
    host_at_least : int
        Pupils in a base who make a school a host.
    hosts_listed : bool
        Whether the plan lists the hosts instead.
    grace_days : int
        A place that begins within so many days after time zero counts.
    movers : str
        at_entry, time_varying or modal.
    comparison : str
        all or considered.
    already_placed : str
        keep or exclude.
    """

    source: str
    types: tuple[str, ...] = ()
    host_at_least: int = 1
    hosts_listed: bool = False
    grace_days: int = 31
    movers: str = "at_entry"
    comparison: str = "all"
    already_placed: str = "keep"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateAbout:
    """What the plan asked of every comparison before any outcome was read.

    Parameters
    ----------
    thresholds : dict
        Rule -> threshold, in the order of `baseeval.plan.GATE_RULES`.
    icc, power : float
        What the smallest detectable effect assumes.
    show_failed : bool
        Whether the numbers of a comparison that failed stand.
    """

    thresholds: dict[str, float]
    icc: float
    power: float
    show_failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a report says of a study besides its numbers. It holds no pupil's value.

    Parameters
    ----------
    study, title, question, plan_hash : str
    seed : int
    outcomes : tuple of OutcomeAbout
    arms : dict
        Arm -> the labels that the data use for it.
    contrasts_made : tuple of str
    contrasts_not_made : dict
        Contrast -> the reason.
    estimand : str
    target : str
        pairwise, or common where one design holds all three arms.
    focal : str
        The arm that a common ATT is about; empty for the first.
    designs, models : tuple of str
        As the plan names them, the headline first.
    adjusted, exact : tuple of str
        Covariates.
    waves : tuple of str
    baseline_wave : str
        Empty where the plan names none.
    has_peers : bool
    eligibility : EligibilityAbout, optional
        Where the plan has rules of eligibility.
    placement : PlacementAbout, optional
        Where the plan says how placements are read.
    gate : GateAbout, optional
        Where the plan has a gate.
    notes : tuple of str
        Warnings of the run in plain sentences.
    inputs : tuple of (file name, SHA-256)
    versions : dict
        Package -> version.
    """

    study: str
    title: str
    question: str = ""
    plan_hash: str = ""
    seed: int = 1
    outcomes: tuple[OutcomeAbout, ...] = ()
    arms: dict[str, tuple[str, ...]] = field(default_factory=dict)
    contrasts_made: tuple[str, ...] = ()
    contrasts_not_made: dict[str, str] = field(default_factory=dict)
    estimand: str = "ATT"
    target: str = "pairwise"
    focal: str = ""
    designs: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    adjusted: tuple[str, ...] = ()
    exact: tuple[str, ...] = ()
    waves: tuple[str, ...] = ()
    baseline_wave: str = ""
    has_peers: bool = False
    eligibility: EligibilityAbout | None = None
    placement: PlacementAbout | None = None
    gate: GateAbout | None = None
    notes: tuple[str, ...] = ()
    inputs: tuple[tuple[str, str], ...] = ()
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """Tables that have passed the profile's rules. Nothing else is written or shown.

    Suppressed cells are missing (NaN, NA or empty text) with the reason in the
    table's `flags` or `status` column.

    Parameters
    ----------
    profile : str
        Name of the disclosure profile applied.
    results : pandas.DataFrame
        The columns of `baseeval.results.RESULT_COLUMNS`.
    balance : pandas.DataFrame
        `contrast, design, estimand, covariate, level, mean_first_before,
        mean_second_before, mean_first_after, mean_second_after, smd_before,
        smd_after, variance_ratio_before, variance_ratio_after, ks_before,
        ks_after, status, denominator, kind, ecdf_mean_before, ecdf_mean_after,
        ovl_before, ovl_after, smd_between_before, smd_between_after,
        smd_within_before, smd_within_after, se_after, band, chance`.
    overlap : pandas.DataFrame
        `contrast, design, estimand, target, n_first, n_second,
        n_effective_first, n_effective_second, schools_first, schools_second,
        share_outside_support, max_smd_before, max_smd_after, flags,
        schools_shared, design_effect_first, design_effect_second,
        cluster_effect_first, cluster_effect_second, band, chance`.
    propensity : pandas.DataFrame
        `contrast, design, estimand, arm, chance_from, chance_to, pupils,
        share_before, share_after, status`: how each arm lies over the chance of
        being in the first, were both equally large, in parts of its own of which
        none holds few.
    describes : pandas.DataFrame
        `contrast, design, estimand, target, covariate, level, kind,
        mean_described, mean_base, smd, status`: whom an answer describes, beside
        all base pupils of the study.
    gate : pandas.DataFrame
        `contrast, design, rule, threshold, value, passed, status`: what every
        design shows before outcomes are read. Without a threshold nothing was
        asked; `passed` is yes, no or not asked.
    respondents : pandas.DataFrame
        `outcome, form, wave, contrast, design, estimand, n_first, n_second,
        n_effective_first, n_effective_second, schools_first, schools_second,
        largest_smd, status`: of those who have the outcome, how alike the arms
        still are after the design.
    flow : pandas.DataFrame
        `step, arm, pupils, schools, reason, status`.
    descriptions : pandas.DataFrame
        `outcome, form, wave, arm, pupils, schools, missing, mean, sd, p25, p50,
        p75, unit, status`.
    missing : pandas.DataFrame
        `role, name, wave, arm, pupils, missing, reason, status`: pupils of the
        arm, how many lack the value, and why (blank, SUPP, no row at the wave,
        too few items answered, ...).
    attrition : pandas.DataFrame
        `wave, arm, covariate, level, pupils, n_stayed, n_lost, smd, status`. A
        row without a covariate counts who of an arm could be seen at a wave, who
        was and who was not. The others hold the mean of those lost less that of
        those who stayed, over the SD of both together, and no counts.
    need_rules : pandas.DataFrame
        `rule, used, pupils, schools, status`: who is eligible under each rule
        of need.
    movements : pandas.DataFrame
        `wave, arm, arm_then, pupils, schools, status`: pupils by their arm at
        time zero and at a wave, also where nobody moved so.
    ways_out : pandas.DataFrame
        `way, years, pupils_at_risk, left, share, share_low, share_high, schools,
        status`: base pupils who left the base by each way, and by any, within so
        many years of the first day in it. `pupils_at_risk` were in it and
        followed when the last of these years began; `schools` are those of
        everybody followed.
    scales : pandas.DataFrame
        `outcome, wave, arm, items, pupils, alpha, alpha_low, alpha_high, omega,
        omega_low, omega_high, one_factor_cfi, note, status`: how well a scale
        agrees with itself, from pupils who answered every item.
    items : pandas.DataFrame
        `outcome, wave, arm, item, pupils, missing, mean, sd, item_rest, status`,
        of pupils who answered any item; `missing` lack this one.
    invariance : pandas.DataFrame
        `outcome, wave, groups, step, chi2, df, p_value, cfi, rmsea, srmr, d_cfi,
        d_rmsea, verdict, why`: one row a step of a ladder. Several waves, and
        groups, are joined by `; `.
    completion : pandas.DataFrame
        `outcome, wave, arm, need, pupils, answered, could_not_be_asked, declined,
        other, status`: pupils of the arm at time zero, and the parts that they
        fall into. `answered` have a score.
    modes : pandas.DataFrame
        `outcome, wave, arm, mode, pupils, status`: how the questions were put to
        those who have a score, where the data say it.
    benchmarks : pandas.DataFrame
        `measure, value, unit, geography, need, sen_provision, phase, year,
        source, published, reason`: published figures as they were published.
    about : About
    """

    profile: str
    results: pd.DataFrame
    balance: pd.DataFrame
    overlap: pd.DataFrame
    propensity: pd.DataFrame = field(default_factory=lambda: shaped([], PROPENSITY))
    describes: pd.DataFrame = field(default_factory=lambda: shaped([], DESCRIBES))
    gate: pd.DataFrame
    respondents: pd.DataFrame
    flow: pd.DataFrame
    descriptions: pd.DataFrame
    missing: pd.DataFrame
    attrition: pd.DataFrame
    need_rules: pd.DataFrame
    movements: pd.DataFrame
    ways_out: pd.DataFrame
    scales: pd.DataFrame
    items: pd.DataFrame
    invariance: pd.DataFrame
    completion: pd.DataFrame
    modes: pd.DataFrame
    benchmarks: pd.DataFrame
    about: About
