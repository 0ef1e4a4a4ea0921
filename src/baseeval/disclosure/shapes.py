"""The columns of every released table: exactly those that `Released` documents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import pandas as pd

from baseeval.errors import Problem, UsageError
from baseeval.results import RESULT_COLUMNS

SUPPRESSED = "suppressed"


def _columns(text: str = "", number: str = "", count: str = "") -> dict[str, str]:
    kinds = {"text": text, "number": number, "count": count}
    return {name: kind for kind, names in kinds.items() for name in names.split()}


def _ordered(order: str, kinds: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType({name: kinds[name] for name in order.split()})


def _with(given: Mapping[str, str], order: str, kinds: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType({**given, **_ordered(order, kinds)})


RESULTS: Mapping[str, str] = MappingProxyType(
    {name: kind for name, (kind, _) in RESULT_COLUMNS.items()}
)

BALANCE_NUMBERS = (
    "mean_first_before mean_second_before mean_first_after mean_second_after smd_before smd_after"
    " variance_ratio_before variance_ratio_after ks_before ks_after"
)
#: What a balance table must hold to be released.
BALANCE_GIVEN = _ordered(
    f"contrast design estimand covariate level {BALANCE_NUMBERS} status",
    _columns(text="contrast design estimand covariate level status", number=BALANCE_NUMBERS),
)
BALANCE_PARTS = "smd_between_before smd_between_after smd_within_before smd_within_after"
BALANCE_MORE = f"ecdf_mean_before ecdf_mean_after ovl_before ovl_after {BALANCE_PARTS} se_after"
#: With what is released where it holds that too.
BALANCE = _with(
    BALANCE_GIVEN,
    f"denominator kind {BALANCE_MORE} band chance",
    _columns(text="denominator kind band chance", number=BALANCE_MORE),
)

OVERLAP_GIVEN = _ordered(
    "contrast design estimand target n_first n_second n_effective_first n_effective_second"
    " schools_first schools_second share_outside_support max_smd_before max_smd_after flags",
    _columns(
        text="contrast design estimand target flags",
        number="n_effective_first n_effective_second share_outside_support"
        " max_smd_before max_smd_after",
        count="n_first n_second schools_first schools_second",
    ),
)
OVERLAP_EFFECTS = (
    "design_effect_first design_effect_second cluster_effect_first cluster_effect_second"
)
OVERLAP = _with(
    OVERLAP_GIVEN,
    f"schools_shared {OVERLAP_EFFECTS} band chance",
    _columns(text="band chance", number=OVERLAP_EFFECTS, count="schools_shared"),
)

PROPENSITY = _ordered(
    "contrast design estimand arm chance_from chance_to pupils share_before share_after status",
    _columns(
        text="contrast design estimand arm status",
        number="chance_from chance_to share_before share_after",
        count="pupils",
    ),
)

DESCRIBES = _ordered(
    "contrast design estimand target covariate level kind mean_described mean_base smd status",
    _columns(
        text="contrast design estimand target covariate level kind status",
        number="mean_described mean_base smd",
    ),
)

GATE = _ordered(
    "contrast design rule threshold value passed status",
    _columns(text="contrast design rule passed status", number="threshold value"),
)

RESPONDENTS = _ordered(
    "outcome form wave contrast design estimand n_first n_second n_effective_first"
    " n_effective_second schools_first schools_second largest_smd status",
    _columns(
        text="outcome form wave contrast design estimand status",
        number="n_effective_first n_effective_second largest_smd",
        count="n_first n_second schools_first schools_second",
    ),
)

FLOW = _ordered(
    "step arm pupils schools reason status",
    _columns(text="step arm reason status", count="pupils schools"),
)

DESCRIPTIONS = _ordered(
    "outcome form wave arm pupils schools missing mean sd p25 p50 p75 unit status",
    _columns(
        text="outcome form wave arm unit status",
        number="mean sd p25 p50 p75",
        count="pupils schools missing",
    ),
)

MISSING = _ordered(
    "role name wave arm pupils missing reason status",
    _columns(text="role name wave arm reason status", count="pupils missing"),
)

ATTRITION = _ordered(
    "wave arm covariate level pupils n_stayed n_lost smd status",
    _columns(text="wave arm covariate level status", number="smd", count="pupils n_stayed n_lost"),
)

NEED_RULES = _ordered(
    "rule used pupils schools status",
    {"used": "flag"} | _columns(text="rule status", count="pupils schools"),
)

MOVEMENTS = _ordered(
    "wave arm arm_then pupils schools status",
    _columns(text="wave arm arm_then status", count="pupils schools"),
)

WAYS_OUT = _ordered(
    "way years pupils_at_risk left share share_low share_high schools status",
    _columns(
        text="way status",
        number="share share_low share_high",
        count="years pupils_at_risk left schools",
    ),
)

SCALE_NUMBERS = "alpha alpha_low alpha_high omega omega_low omega_high one_factor_cfi"
SCALES = _ordered(
    f"outcome wave arm items pupils {SCALE_NUMBERS} note status",
    _columns(text="outcome wave arm note status", number=SCALE_NUMBERS, count="items pupils"),
)

ITEM_NUMBERS = "mean sd item_rest"
ITEMS = _ordered(
    f"outcome wave arm item pupils missing {ITEM_NUMBERS} status",
    _columns(text="outcome wave arm item status", number=ITEM_NUMBERS, count="pupils missing"),
)

LADDER_NUMBERS = "chi2 df p_value cfi rmsea srmr d_cfi d_rmsea"
INVARIANCE = _ordered(
    f"outcome wave groups step {LADDER_NUMBERS} verdict why",
    _columns(text="outcome wave groups step verdict why", number=LADDER_NUMBERS),
)

COMPLETION_COUNTS = "pupils answered could_not_be_asked declined other"
COMPLETION = _ordered(
    f"outcome wave arm need {COMPLETION_COUNTS} status",
    _columns(text="outcome wave arm need status", count=COMPLETION_COUNTS),
)

MODES = _ordered(
    "outcome wave arm mode pupils status",
    _columns(text="outcome wave arm mode status", count="pupils"),
)

#: Published already, so in no rule of release; its headings are ordinary words.
BENCHMARKS = _ordered(
    "measure value unit geography need sen_provision phase year source published reason",
    _columns(
        text="measure unit geography need sen_provision phase source published reason",
        number="value",
        count="year",
    ),
)

#: Every column that a released table about pupils can have. What a gate found, and a few columns
#: more, have ordinary words for headings, which would let other people's tables pass.
ALL_COLUMNS: frozenset[str] = frozenset(RESULTS).union(
    BALANCE, OVERLAP, PROPENSITY, DESCRIBES, RESPONDENTS, FLOW, DESCRIPTIONS, MISSING,
    ATTRITION, NEED_RULES, MOVEMENTS, WAYS_OUT, SCALES, ITEMS, INVARIANCE, COMPLETION, MODES,
).difference(("kind", "band", "chance"))  # fmt: skip


def shaped(records: Iterable[Mapping[str, object]], columns: Mapping[str, str]) -> pd.DataFrame:
    """Lay records out in these columns, with their types; what else they hold is dropped."""
    table = pd.DataFrame.from_records(
        [{name: record.get(name) for name in columns} for record in records],
        columns=list(columns),
    )
    for name, kind in columns.items():
        if kind == "text":
            table[name] = table[name].astype("string").fillna("")
        elif kind == "count":
            table[name] = pd.to_numeric(table[name]).astype("Int64")
        elif kind == "number":
            table[name] = pd.to_numeric(table[name]).astype("float64")
        else:
            table[name] = table[name].astype(bool)
    return table


def records_of(
    table: pd.DataFrame | None, columns: Mapping[str, str], name: str
) -> list[dict[str, object]]:
    """Read a table to be released as records, after checking that it has the columns.

    Raises
    ------
    UsageError
        If a column other than `status` is not there.
    """
    if table is None:
        return []
    absent = [column for column in columns if column not in table.columns and column != "status"]
    if absent:
        raise UsageError(
            Problem(
                f"release, {name}",
                f"the table lacks the columns {', '.join(absent)}",
                "Give the table as baseeval makes it.",
            )
        )
    return [{str(key): value for key, value in r.items()} for r in table.to_dict("records")]


def whole(value: object) -> int | None:
    """Read a count; None where it is missing."""
    return None if pd.isna(value) else int(value)  # type: ignore[call-overload]


def number(value: object) -> float:
    """Read a number; NaN where it is missing."""
    return float("nan") if pd.isna(value) else float(value)  # type: ignore[arg-type,call-overload]


def text(value: object) -> str:
    """Read a text; empty where it is missing."""
    return "" if pd.isna(value) else str(value)  # type: ignore[call-overload]
