"""The shapes of every answer: one long results table, and the records around it.

Every estimate becomes one :class:`Effect`, and an `Effect` is one row of the
results table whose columns are :data:`RESULT_COLUMNS`. Weighting or matching
give :class:`Weights`; judging them gives :class:`Balance`; what happened to
pupils on the way is a :class:`Flow`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ARMS: tuple[str, ...] = ("base", "host_mainstream", "non_host")

#: Of a later wave: a pupil whom no census of that school year saw.
NOT_SEEN = "not seen"

#: Of ways out of a base: all of them together.
ANY_WAY = "any"

#: Each contrast is read first arm minus second.
CONTRASTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "base_vs_host": ("base", "host_mainstream"),
        "base_vs_non_host": ("base", "non_host"),
        "host_vs_non_host": ("host_mainstream", "non_host"),
    }
)

#: A design over all three arms at once, in the place of a contrast.
ALL_ARMS = "all_arms"

#: Column -> (kind, meaning). Later work appends, never reorders.
RESULT_COLUMNS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "study": ("text", "Name of the study, from the plan"),
        "plan_hash": ("text", "SHA-256 of the plan as written"),
        "outcome": ("text", "Name of the outcome, from the plan"),
        "form": ("text", "level, change from the baseline wave, or gap to matched peers"),
        "wave": ("text", "Occasion of measurement; empty where the study has one"),
        "contrast": ("text", "The two arms compared, first minus second"),
        "estimand": ("text", "ATT, ATC, ATE, ATO, ATM or ATEN"),
        "target": ("text", "The pupils whom the answer is about"),
        "design": ("text", "How pupils were matched or weighted; none where they were not"),
        "model": ("text", "How the effect was estimated"),
        "estimate": ("number", "Difference first minus second, in the unit of the row"),
        "std_error": ("number", "Standard error of the estimate"),
        "df": ("number", "Degrees of freedom of the interval's t distribution"),
        "ci_low": ("number", "Lower end of the 95% interval"),
        "ci_high": ("number", "Upper end of the 95% interval"),
        "ci90_low": ("number", "Lower end of the 90% interval"),
        "ci90_high": ("number", "Upper end of the 90% interval"),
        "p_value": ("number", "Two-sided p-value against no difference"),
        "unit": ("text", "Unit of the estimate: points, proportion of sessions, ..."),
        "effect_size": ("number", "Estimate divided by the standardiser"),
        "effect_size_low": ("number", "Lower end of the 95% interval of the effect size"),
        "effect_size_high": ("number", "Upper end of the 95% interval of the effect size"),
        "smallest_effect": ("number", "Smallest effect of interest, in standard deviations"),
        "n_first": ("count", "Pupils of the first arm in the estimate"),
        "n_second": ("count", "Pupils of the second arm in the estimate"),
        "n_effective_first": ("number", "Kish effective number of pupils, first arm"),
        "n_effective_second": ("number", "Kish effective number of pupils, second arm"),
        "schools_first": ("count", "Schools of the first arm in the estimate"),
        "schools_second": ("count", "Schools of the second arm in the estimate"),
        "inference": ("text", "How the interval was made"),
        "generalises_to": ("text", "these_schools or schools_like_these"),
        "verdict": ("text", "What may be said, as a code"),
        "flags": ("text", "Warnings as codes, joined by ;"),
        "population": ("text", "Which pupils: all, unless the plan says otherwise"),
        "subgroup": ("text", "Which subgroup: all, unless the plan names one"),
        "variant": ("text", "Which variant of the analysis: main, unless the plan names one"),
        "role": ("text", "primary or secondary"),
        "headline": ("flag", "True for the first design by the first model"),
        "family": ("text", "The family of tests over which p_adjusted is taken"),
        "p_adjusted": ("number", "p-value adjusted over the family"),
    }
)

#: Field of an :class:`Effect` that only disclosure control reads -> its meaning.
INTERNAL_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "parameters": "Coefficients fitted",
        "unlike_first": (
            "Pupils of the first arm whose value is another than the one that at least half of "
            "them share; empty where no value is so common"
        ),
        "unlike_second": "The same of the second arm",
        "filled_first": "Of a bound: pupils of the first arm whose missing value was filled in",
        "filled_second": "The same of the second arm",
    }
)

#: Variant of the analysis -> what it is.
VARIANTS: Mapping[str, str] = MappingProxyType(
    {
        "main": "The analysis as planned, of pupils who have the outcome",
        "bound_low": (
            "The lowest that the effect can be, whatever the missing outcomes are: the lowest "
            "possible in the first arm, the highest possible in the second"
        ),
        "bound_high": "The highest that the effect can be, with the two exchanged",
    }
)

#: A results table holds at most one row for each combination of these.
RESULT_KEY: tuple[str, ...] = (
    "study",
    "outcome",
    "form",
    "wave",
    "contrast",
    "estimand",
    "target",
    "design",
    "model",
    "inference",
    "population",
    "subgroup",
    "variant",
)

VERDICTS: Mapping[str, str] = MappingProxyType(
    {
        "cannot_tell": "The data cannot tell the two groups apart, nor show that they are alike",
        "no_meaningful_difference": "Any difference is smaller than the study calls meaningful",
        "favours_first": "Better in the first arm, beyond chance",
        "favours_second": "Better in the second arm, beyond chance",
        "differs": "Different beyond chance; neither direction is called better",
    }
)

#: Every flag that a row can carry, and what it tells the reader.
FLAGS: Mapping[str, str] = MappingProxyType(
    {
        "few_schools": "An arm has fewer than ten schools, so the interval rests on few of them",
        "low_df": "Fewer than four effective degrees of freedom: the interval is a rough guide",
        "one_school": "An arm lies in one school only: pupils and school cannot be told apart",
        "poor_overlap": "Many pupils of the target have nobody like them in the other arm",
        "nothing_adjusted": "Pupils are compared as they are: nothing is adjusted for",
        "imbalance": "The groups still differ on a covariate by more than the stated limit",
        "high_missing": "Many pupils are missing from this row, or many more in one arm",
        "separation": (
            "The covariates tell the arms apart, for all pupils or for some: no weights exist"
        ),
        "heavy_weight": "One pupil holds more than a quarter of the weight of an arm",
        "no_common_support": "No pupil of the target has somebody alike in every other arm",
        "design_failed": "The design could not be made for this contrast",
        "gate_failed": (
            "The comparison failed what the plan's gate asks before outcomes are read; it answers "
            "nothing, and its numbers stand only where the plan said beforehand that they should"
        ),
        "model_failed": "The model could not be fitted to this contrast",
        "singular_fit": "A variance between schools was estimated at zero",
        "school_average": (
            "Averaged over schools, as here, the effect lies more than a standard error from its "
            "average over pupils: it differs with the size of the base"
        ),
        "conservative": (
            "So few schools allow only a cautious test: one that hardly ever errs, or a p-value "
            "raised to the smallest that they allow"
        ),
        "detectable_but_small": "Different from zero, yet smaller than the study calls meaningful",
        "no_pre_placement_baseline": (
            "Nothing measured before placement is adjusted for, or some pupils were placed already "
            "when first seen: for them it is change while placed"
        ),
        "post_placement_covariate": (
            "Something is adjusted for that was measured after placement began, and that placement "
            "may have changed"
        ),
        "pandemic": (
            "Measured in a pandemic year, when grades were assessed by schools or absence was "
            "recorded otherwise"
        ),
        "school_confounding_unadjustable": (
            "Too few schools to adjust for why some host a base and others do not"
        ),
        "scale_within_school": (
            "The scale is each school's own: only pupils of one school can be compared on it"
        ),
        "scale_not_invariant": (
            "The items of the scale do not work alike in the two arms, or not as one scale at all: "
            "its means may not mean the same"
        ),
        "invariance_not_assessable": (
            "Whether the scale means the same in the two arms cannot be judged: too few complete "
            "answers, most often. That is not a sign that it does"
        ),
        "low_reliability": "Alpha of the scale is below 0.70 in an arm",
        "low_completion": (
            "Fewer than 70% of an arm have a score of the scale, or 15 points fewer than of the "
            "other"
        ),
        "suppressed": "Withheld so that no pupil or school can be recognised",
    }
)


#: Of balance: the largest difference of any pair of three arms or more, in place of a contrast.
WORST_PAIR = "worst_pair"

#: How alike a standardised difference leaves two arms -> (its largest size, what follows). The
#: bands are those of the What Works Clearinghouse (Standards Handbook 5.0, baseline equivalence).
BALANCE_BANDS: Mapping[str, tuple[float, str]] = MappingProxyType(
    {
        "alike": (0.05, "The arms are alike on this covariate"),
        "adjust": (0.25, "The model has to adjust for this covariate"),
        "not_comparable": (np.inf, "The arms cannot be compared on this covariate"),
    }
)

#: What chance could have to do with a standardised difference, all covariates of a comparison
#: taken together.
CHANCE: Mapping[str, str] = MappingProxyType(
    {
        "over_limit": "Larger than the stated limit, beyond chance",
        "beyond_chance": "More than chance, yet not shown to be larger than the stated limit",
        "could_be_chance": "Chance alone could make a difference as large as this",
        "unknown": "An arm lies in one school, so what chance does cannot be told",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One answer: one row of the results table.

    The fields are the columns of :data:`RESULT_COLUMNS`, with the same
    meanings and units, and those of :data:`INTERNAL_COLUMNS`, which disclosure
    control needs and no released table shows. A number that does not exist is
    NaN.
    """

    outcome: str
    form: str
    wave: str
    contrast: str
    estimand: str
    target: str
    design: str
    model: str
    study: str = ""
    plan_hash: str = ""
    estimate: float = np.nan
    std_error: float = np.nan
    df: float = np.nan
    ci_low: float = np.nan
    ci_high: float = np.nan
    ci90_low: float = np.nan
    ci90_high: float = np.nan
    p_value: float = np.nan
    unit: str = ""
    effect_size: float = np.nan
    effect_size_low: float = np.nan
    effect_size_high: float = np.nan
    smallest_effect: float = np.nan
    n_first: int = 0
    n_second: int = 0
    n_effective_first: float = np.nan
    n_effective_second: float = np.nan
    schools_first: int = 0
    schools_second: int = 0
    inference: str = ""
    generalises_to: str = ""
    verdict: str = "cannot_tell"
    flags: tuple[str, ...] = ()
    population: str = "all"
    subgroup: str = "all"
    variant: str = "main"
    role: str = "secondary"
    headline: bool = False
    family: str = ""
    p_adjusted: float = np.nan
    parameters: int = 0
    unlike_first: int | None = None
    unlike_second: int | None = None
    filled_first: int | None = None
    filled_second: int | None = None


def target_of(contrast: str, estimand: str, focal: str | None = None) -> str:
    """Return whom an estimand is about.

    Parameters
    ----------
    contrast : str
        Empty for a plain table, whose arms are called first and second.
    estimand : str
    focal : str, optional
        Of a design over all arms at once: the arm that an ATT is about.

    Returns
    -------
    str
        An arm, the union of the two arms compared, or ``common``: all arms at once.

    Examples
    --------
    >>> target_of("base_vs_host", "ATT")
    'base'
    >>> target_of("host_vs_non_host", "ATT", focal="base")
    'base'
    """
    if focal is not None:
        return focal if estimand == "ATT" else "common"
    first, second = CONTRASTS.get(contrast, ("first", "second"))
    return {"ATT": first, "ATC": second}.get(estimand, "union")


def balance_band(smd: float) -> str:
    """Return the band that a standardised difference falls into.

    Parameters
    ----------
    smd : float
        NaN where the arms differ on a covariate that varies in neither.

    Returns
    -------
    str
        A key of :data:`BALANCE_BANDS`.

    Examples
    --------
    >>> balance_band(0.05), balance_band(-0.2), balance_band(0.3)
    ('alike', 'adjust', 'not_comparable')
    """
    for band, (most, _) in BALANCE_BANDS.items():
        if abs(smd) <= most:
            return band
    return "not_comparable"


def worst_chance(codes: Iterable[str]) -> str:
    """Return what is said of several differences: the code that weighs most.

    Parameters
    ----------
    codes : iterable of str
        Keys of :data:`CHANCE`; others are passed over.

    Returns
    -------
    str
        Empty where there is none.

    Examples
    --------
    >>> worst_chance(["could_be_chance", "unknown", "beyond_chance"])
    'beyond_chance'
    """
    told = set(codes)
    return next((code for code in CHANCE if code in told), "")


_DTYPES = {"text": "string", "number": "float64", "count": "Int64", "flag": "bool"}


def results_table(effects: Iterable[Effect]) -> pd.DataFrame:
    """Lay effects out as the results table.

    Parameters
    ----------
    effects : iterable of Effect

    Returns
    -------
    pandas.DataFrame
        One row an effect, the columns of :data:`RESULT_COLUMNS` in order.

    Examples
    --------
    >>> table = results_table([])
    >>> list(table.columns) == list(RESULT_COLUMNS)
    True
    """
    records = []
    for effect in effects:
        record = asdict(effect)
        record["flags"] = ";".join(effect.flags)
        records.append(record)
    table = pd.DataFrame.from_records(records, columns=list(RESULT_COLUMNS))
    return table.astype({name: _DTYPES[kind] for name, (kind, _) in RESULT_COLUMNS.items()})


def unreleased_table(effects: Sequence[Effect]) -> pd.DataFrame:
    """Lay effects out as the results table, with what disclosure control needs besides.

    Parameters
    ----------
    effects : sequence of Effect

    Returns
    -------
    pandas.DataFrame
        The columns of :data:`RESULT_COLUMNS`, then those of
        :data:`INTERNAL_COLUMNS`, which `release` reads and drops.

    Examples
    --------
    >>> list(unreleased_table([]).columns)[-2:]
    ['filled_first', 'filled_second']
    """
    internal = {name: [getattr(e, name) for e in effects] for name in INTERNAL_COLUMNS}
    counts = {name: pd.array(values, dtype="Int64") for name, values in internal.items()}
    return results_table(effects).assign(**counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimation:
    """How weights were estimated, so that an interval can account for it.

    With theta the q numbers estimated: theta's estimator solves sum of `scores`
    = 0, and to first order moves with row i's score s_i by `bread` @ s_i.

    Parameters
    ----------
    scores : ndarray, shape (n, q)
        Each row's estimating function at the estimate; columns add up to zero.
    bread : ndarray, shape (q, q)
        Inverse of minus the derivative of the summed scores by theta.
    d_weights : ndarray, shape (n, q)
        Derivative of each row's weight by theta.
    d_school_factor : ndarray, shape (n, q), optional
        The same of its `school_factor`; none where that is one.
    """

    scores: Floats
    bread: Floats
    d_weights: Floats
    d_school_factor: Floats | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What a design decided: one weight a row, and how it was reached.

    Parameters
    ----------
    weights : ndarray, shape (n,)
        One number a row of the data, zero for a row that is not used. Under
        ATT the rows of the target's arm have weight one.
    arm : ndarray of int, shape (n,)
        Position of each row's arm in `arms`; 0 is the first.
    covariates : ndarray, shape (n, p)
        The columns that were to be balanced, without an intercept: a number has
        one, a category one for each level.
    names : tuple of (covariate, level)
        Names of those columns; a number's level is empty.
    method, estimand, target : str
        How the weights were made, and whom the answer is about.
    arms : tuple of str
        Two, or all that were weighted at once.
    contrast : str
        The contrast; empty for a plain table and for all arms at once.
    pupil : ndarray of str, shape (n,)
        Pupil of each row, or the row's label in a plain table.
    school : ndarray of str, shape (n,)
        School of each row; empty where a plain table names none.
    base : ndarray, shape (n,), optional
        Survey or attrition weights that the weights hold already.
    propensity : ndarray, shape (n,) or (n, k), optional
        Fitted probability of the first arm, or of each of more than two.
    pairs : pandas.DataFrame, optional
        ``first_row, second_row, first_id, second_id`` (and ``third_*``), for
        matching.
    subclass : ndarray of int, shape (n,), optional
        Set or subclass of each row, from 0; -1 for a row in none.
    estimation : Estimation, optional
        Where it was asked for and the method has it.
    school_factor : ndarray, shape (n,)
        The school's part of each weight, the same for all of a school's rows that are used; one
        where the weight is the pupil's alone, as by default.
    flags : tuple of str
        Codes of :data:`FLAGS`.
    notes : tuple of str
        For the holder of the data: counts and categories, which do not leave.
    """

    weights: Floats
    arm: NDArray[np.intp]
    covariates: Floats
    names: tuple[tuple[str, str], ...]
    method: str
    estimand: str
    target: str
    arms: tuple[str, ...] = ("first", "second")
    contrast: str = ""
    pupil: NDArray[np.str_] = field(default_factory=lambda: np.empty(0, dtype=str))
    school: NDArray[np.str_] = field(default_factory=lambda: np.empty(0, dtype=str))
    base: Floats | None = None
    propensity: Floats | None = None
    pairs: pd.DataFrame | None = None
    subclass: NDArray[np.intp] | None = None
    estimation: Estimation | None = None
    school_factor: Floats = field(default_factory=lambda: np.empty(0))
    flags: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.school_factor):
            object.__setattr__(self, "school_factor", np.ones(len(self.weights)))

    @property
    def pupil_factor(self) -> Floats:
        """Return the part of each weight that is the pupil's within the school, shape (n,)."""
        within: Floats = self.weights / self.school_factor
        return within

    @property
    def treated(self) -> NDArray[np.bool_]:
        """Return which rows belong to the first arm, shape (n,)."""
        first: NDArray[np.bool_] = self.arm == 0
        return first

    def between(self, first: str, second: str, contrast: str = "") -> Weights:
        """Return two of the arms, first minus second, with the weights that they have.

        Parameters
        ----------
        first, second : str
            Names of arms.
        contrast : str

        Returns
        -------
        Weights
            About the same target; the propensity is that of the first of the two.

        Examples
        --------
        >>> three = Weights(weights=np.ones(3), arm=np.array([0, 1, 2]),
        ...     covariates=np.zeros((3, 1)), names=(("age", ""),), method="none",
        ...     estimand="ATE", target="common", arms=("a", "b", "c"))
        >>> three.between("a", "c").arm.tolist()
        [0, 1]
        """
        places = self.arms.index(first), self.arms.index(second)
        rows = np.isin(self.arm, places)
        score = self.propensity
        if score is not None and score.ndim == 2:
            both = score[rows][:, places]
            score = both[:, 0] / both.sum(axis=1)
        elif score is not None:
            score = score[rows] if places[0] == 0 else 1 - score[rows]
        parts: dict[str, Any] = {
            name: None if value is None else value[rows]
            for name, value in (
                ("pupil", self.pupil if len(self.pupil) else None),
                ("school", self.school if len(self.school) else None),
                ("base", self.base),
                ("subclass", self.subclass),
                ("school_factor", self.school_factor),
            )
        }
        return replace(
            self,
            weights=self.weights[rows],
            arm=np.where(self.arm[rows] == places[0], 0, 1).astype(np.intp),
            covariates=self.covariates[rows],
            arms=(first, second),
            contrast=contrast,
            propensity=score,
            pairs=None,
            estimation=None,
            **{name: part for name, part in parts.items() if part is not None},
        )


@dataclass(frozen=True, slots=True)
class Balance:
    """How alike arms are, before and after a design.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a covariate (or level of a category) and pair of arms: ``contrast,
        design, estimand, covariate, level, mean_first_before, ..., smd_before,
        smd_after, variance_ratio_before, variance_ratio_after, ks_before,
        ks_after``, the counts that disclosure control needs, ``denominator``
        (what differences are divided by), ``kind`` (mean or share), ``ecdf_mean_*,
        ovl_*``, the parts ``smd_between_*`` and ``smd_within_*`` schools,
        ``pair_distance``, ``se_after, p_chance, p_over_limit``, and the codes
        ``band`` (:data:`BALANCE_BANDS`) and ``chance`` (:data:`CHANCE`). Three arms
        or more have a further row for their worst pair, whose contrast is
        :data:`WORST_PAIR`.
    overlap : pandas.DataFrame
        One row a pair of arms and design: effective sizes, design effects and the
        share of the target that has somebody alike in the other arm.
    target : pandas.DataFrame, optional
        Each arm against the population that the answer is about.
    propensity : pandas.DataFrame, optional
        How each arm lies over the chance of being in the first of its pair, were
        both equally large.
    """

    table: pd.DataFrame
    overlap: pd.DataFrame
    target: pd.DataFrame | None = None
    propensity: pd.DataFrame | None = None


@dataclass(frozen=True, slots=True)
class Flow:
    """Who was counted and who was not, with the reason for every exclusion.

    Parameters
    ----------
    table : pandas.DataFrame
        ``step, arm, pupils, schools, reason``, in the order in which it
        happened.
    """

    table: pd.DataFrame
