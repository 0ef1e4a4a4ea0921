"""Released tables made by hand: seven schools, three outcomes, three contrasts, two waves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from baseeval.disclosure import shapes
from baseeval.disclosure.released import (
    About,
    EligibilityAbout,
    GateAbout,
    OutcomeAbout,
    PlacementAbout,
    Released,
)
from baseeval.results import (
    CONTRASTS,
    RESULT_COLUMNS,
    Effect,
    balance_band,
    results_table,
)

ARMS = {"base": (40, 5), "host_mainstream": (45, 5), "non_host": (40, 2)}
HASH = "5f2c1b7e" * 8
QUESTIONNAIRES = ("scales", "items", "invariance", "completion", "modes")

OUTCOMES = (
    OutcomeAbout(
        name="attainment",
        label="Teacher-assessed attainment",
        kind="continuous",
        better="higher",
        unit="points",
        smallest_effect=0.2,
        note="Points on the school's own scale, in English, maths and science.",
    ),
    OutcomeAbout(
        name="attendance",
        label="attendance",
        kind="sessions",
        better="higher",
        unit="proportion of sessions",
        smallest_effect=0.2,
        note="Sessions attended out of sessions possible.",
    ),
    OutcomeAbout(
        name="belonging",
        label="belonging",
        kind="scale",
        better="neither",
        unit="mean score",
        note="The mean of nine answers, from 1 to 4.",
        respondent="parent",
    ),
)

# outcome, wave, contrast -> estimate, half width, sd, verdict, flags
ANSWERS: dict[tuple[str, str, str], tuple[float, float, float, str, tuple[str, ...]]] = {
    ("attainment", "2", "base_vs_host"): (2.3, 5.1, 12.0, "cannot_tell", ()),
    ("attainment", "3", "base_vs_host"): (6.9, 5.4, 12.4, "favours_first", ()),
    ("attainment", "2", "base_vs_non_host"): (1.1, 14.0, 12.0, "cannot_tell", ("low_df",)),
    ("attainment", "3", "base_vs_non_host"): (
        4.0,
        31.0,
        12.4,
        "cannot_tell",
        ("low_df", "imbalance"),
    ),
    ("attainment", "2", "host_vs_non_host"): (
        -1.2,
        1.1,
        12.0,
        "no_meaningful_difference",
        ("detectable_but_small",),
    ),
    ("attainment", "3", "host_vs_non_host"): (np.nan, np.nan, np.nan, "", ("suppressed",)),
    ("attendance", "2", "base_vs_host"): (0.002, 0.012, 0.08, "no_meaningful_difference", ()),
    ("attendance", "3", "base_vs_host"): (0.031, 0.02, 0.09, "favours_first", ()),
    ("attendance", "2", "base_vs_non_host"): (-0.044, 0.03, 0.08, "favours_second", ("low_df",)),
    ("attendance", "3", "base_vs_non_host"): (-0.02, 0.06, 0.09, "cannot_tell", ("low_df",)),
    ("attendance", "2", "host_vs_non_host"): (
        np.nan,
        np.nan,
        np.nan,
        "cannot_tell",
        ("model_failed",),
    ),
    ("attendance", "3", "host_vs_non_host"): (-0.01, 0.05, 0.09, "cannot_tell", ("low_df",)),
    ("belonging", "2", "base_vs_host"): (0.31, 0.22, 0.6, "differs", ("scale_not_invariant",)),
    ("belonging", "3", "base_vs_host"): (0.12, 0.3, 0.6, "cannot_tell", ("high_missing",)),
    ("belonging", "2", "base_vs_non_host"): (np.nan, np.nan, np.nan, "", ("suppressed",)),
    ("belonging", "3", "base_vs_non_host"): (0.05, 0.7, 0.6, "cannot_tell", ("low_df",)),
}

UNITS = {outcome.name: outcome for outcome in OUTCOMES}


def example_row(**changes: Any) -> dict[str, Any]:
    """Return one headline row as the results table holds it, with changes."""
    fields: dict[str, Any] = {
        "study": "example",
        "plan_hash": HASH,
        "outcome": "attainment",
        "form": "level",
        "wave": "3",
        "contrast": "base_vs_host",
        "estimand": "ATT",
        "target": "base",
        "design": "entropy",
        "model": "multilevel",
        "inference": "cr2_satterthwaite",
        "generalises_to": "schools_like_these",
        "estimate": 6.9,
        "ci_low": 1.5,
        "ci_high": 12.3,
        "unit": "points",
        "n_first": 40,
        "n_second": 45,
        "schools_first": 5,
        "schools_second": 5,
        "headline": True,
        "verdict": "cannot_tell",
    }
    row: dict[str, Any] = results_table([Effect(**(fields | changes))]).to_dict("records")[0]
    return row


def results(
    design: str = "entropy", model: str = "multilevel", headline: bool = True
) -> pd.DataFrame:
    rows = []
    for (outcome, wave, contrast), (estimate, half, sd, verdict, flags) in ANSWERS.items():
        first, second = CONTRASTS[contrast]
        small = UNITS[outcome].smallest_effect
        row = example_row(
            outcome=outcome,
            wave=wave,
            contrast=contrast,
            target=first,
            design=design,
            model=model,
            headline=headline,
            estimate=estimate,
            std_error=half / 2.3,
            df=3.4,
            ci_low=estimate - half,
            ci_high=estimate + half,
            p_value=0.04,
            unit=UNITS[outcome].unit,
            effect_size=estimate / sd,
            effect_size_low=(estimate - half) / sd,
            effect_size_high=(estimate + half) / sd,
            smallest_effect=np.nan if small is None else small,
            n_first=ARMS[first][0],
            n_second=ARMS[second][0],
            schools_first=ARMS[first][1],
            schools_second=ARMS[second][1],
            verdict=verdict,
            flags=("few_schools", *flags),
        )
        if "suppressed" in flags:
            row |= {"n_first": pd.NA, "n_second": pd.NA}
        rows.append(row)
    kinds = results_table([]).dtypes.to_dict()
    return pd.DataFrame(rows, columns=list(RESULT_COLUMNS)).astype(kinds)


def balance() -> pd.DataFrame:
    covariates = [
        ("sex", "male"),
        ("fsm", "yes"),
        ("prior", ""),
        ("communication_need", ""),
        ("age_months", ""),
    ]
    befores = {
        "base_vs_host": (0.05, 0.22, -0.61, 0.48, 0.1),
        "base_vs_non_host": (-0.12, 0.35, -0.74, 0.66, -0.2),
        "host_vs_non_host": (-0.17, 0.13, -0.13, 0.18, -0.3),
    }
    rows = []
    for contrast, sizes in befores.items():
        for (covariate, level), before in zip(covariates, sizes, strict=True):
            after = before / (40 if contrast == "base_vs_host" else 4)
            withheld = contrast == "host_vs_non_host" and covariate == "fsm"
            row = {
                "contrast": contrast,
                "design": "entropy",
                "estimand": "ATT",
                "covariate": covariate,
                "level": level,
                "mean_first_before": 0.5,
                "mean_second_before": 0.5 - before / 2,
                "mean_first_after": 0.5,
                "mean_second_after": 0.5 - after / 2,
                "smd_before": before,
                "smd_after": after,
                "variance_ratio_before": 1.2,
                "variance_ratio_after": 1.05,
                "ks_before": 0.2,
                "ks_after": 0.06,
                "denominator": f"SD of {CONTRASTS[contrast][0]}",
                "kind": "share" if level else "mean",
                "ecdf_mean_before": 0.1,
                "ecdf_mean_after": 0.03,
                "ovl_before": 0.8,
                "ovl_after": 0.97,
                "smd_between_before": before / 3,
                "smd_between_after": after / 3,
                "smd_within_before": before * 2 / 3,
                "smd_within_after": after * 2 / 3,
                "se_after": 0.19,
                "band": balance_band(after),
                "chance": "beyond_chance" if abs(after) > 0.18 else "could_be_chance",
            }
            if withheld:
                numbers = ("mean", "smd", "var", "ks", "ecdf", "ovl", "se_")
                row |= {name: np.nan for name in row if name.startswith(numbers)}
                row |= {"band": "", "chance": ""}
            rows.append(row | {"status": "suppressed" if withheld else ""})
    return shapes.shaped(rows, shapes.BALANCE)


def propensity() -> pd.DataFrame:
    lines: list[list[object]] = []
    for contrast, arms in CONTRASTS.items():
        edges = {arms[0]: (0.0, 0.35, 0.5, 0.65, 1.0), arms[1]: (0.0, 0.1, 0.25, 0.45, 1.0)}
        for arm, (start, *ends) in edges.items():
            for low, high in zip((start, *ends), ends, strict=False):
                after = 0.25 if arm == arms[0] else high - low
                lines.append([contrast, "entropy", "ATT", arm, low, high, 15, 0.25, after, ""])
    return table_of(shapes.PROPENSITY, lines)


def describes() -> pd.DataFrame:
    lines: list[list[object]] = []
    for contrast, (first, _) in CONTRASTS.items():
        of = [contrast, "entropy", "ATT", first]
        if contrast == "base_vs_host":
            lines.append([*of, "prior", "", "mean", np.nan, np.nan, np.nan, "suppressed"])
            continue
        lines.append([*of, "prior", "", "mean", 0.52, 0.48, 0.14, ""])
        lines.append([*of, "fsm", "yes", "share", 0.3, 0.3, 0.02, ""])
    return table_of(shapes.DESCRIBES, lines)


def overlap() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "contrast": name,
                "design": "entropy",
                "estimand": "ATT",
                "target": first,
                "n_first": ARMS[first][0],
                "n_second": ARMS[second][0],
                "n_effective_first": float(ARMS[first][0]),
                "n_effective_second": 21.4,
                "schools_first": ARMS[first][1],
                "schools_second": ARMS[second][1],
                "share_outside_support": share,
                "max_smd_before": 0.61,
                "max_smd_after": 0.02,
                "flags": "few_schools",
            }
            for (name, (first, second)), share in zip(
                CONTRASTS.items(), (0.05, 0.18, 0.1), strict=True
            )
        ]
    )


def flow() -> pd.DataFrame:
    lines: list[tuple[str, str, object, object, str, str]] = [
        ("In the data", "all", 250, 7, "", ""),
        ("Left out", "all", pd.NA, pd.NA, "The need is not one of the study's", "suppressed"),
    ]
    for arm, (pupils, schools) in ARMS.items():
        lines.append(("Compared", arm, pupils, schools, "", ""))
    return pd.DataFrame(lines, columns=["step", "arm", "pupils", "schools", "reason", "status"])


def descriptions() -> pd.DataFrame:
    middles = {"attainment": (61.0, 12.0), "attendance": (0.86, 0.08), "belonging": (2.6, 0.6)}
    rows = []
    for outcome, (start, sd) in middles.items():
        for place, (arm, (pupils, schools)) in enumerate(ARMS.items()):
            for wave in ("1", "2", "3"):
                mean = start + sd * (0.1 * place + 0.2 * int(wave))
                withheld = outcome == "belonging" and arm == "non_host" and wave == "2"
                values = (
                    [np.nan] * 5 if withheld else [mean, sd, mean - 0.7 * sd, mean, mean + 0.7 * sd]
                )
                rows.append(
                    [
                        outcome,
                        "level",
                        wave,
                        arm,
                        pd.NA if withheld else pupils,
                        schools,
                        pd.NA,
                        *values,
                        UNITS[outcome].unit,
                        "suppressed" if withheld else "",
                    ]
                )
    columns = [
        "outcome",
        "form",
        "wave",
        "arm",
        "pupils",
        "schools",
        "missing",
        "mean",
        "sd",
        "p25",
        "p50",
        "p75",
        "unit",
        "status",
    ]
    return pd.DataFrame(rows, columns=columns).astype({"pupils": "Int64", "missing": "Int64"})


def missing() -> pd.DataFrame:
    lines: list[tuple[str, str, str, str, object, object, str, str]] = [
        ("outcome", "attainment", "3", "base", 40, pd.NA, "", "suppressed"),
        ("outcome", "belonging", "3", "base", 40, 15, "too few items answered", ""),
        (
            "outcome",
            "belonging",
            "3",
            "non_host",
            40,
            pd.NA,
            "too few items answered",
            "suppressed",
        ),
        ("covariate", "prior", "1", "host_mainstream", 45, 10, "blank", ""),
    ]
    columns = ["role", "name", "wave", "arm", "pupils", "missing", "reason", "status"]
    return pd.DataFrame(lines, columns=columns)


def attrition() -> pd.DataFrame:
    """Return two waves: few lost of one group, enough of the others to say who."""
    lost = {("base", "2"): pd.NA, ("base", "3"): 10, ("non_host", "3"): 15}
    large = {"sex": -0.31, "fsm": 0.52, "prior": -0.44, "age_months": 0.12, "eal": 0.27}
    lines: list[list[object]] = []
    for wave in ("2", "3"):
        for arm, (pupils, _) in ARMS.items():
            gone = lost.get((arm, wave), pd.NA)
            status = "suppressed" if gone is pd.NA else ""
            kept = pd.NA if gone is pd.NA else pupils - int(gone)
            lines.append([wave, arm, "", "", pupils, kept, gone, np.nan, status])
            for place, (name, smd) in enumerate(large.items()):
                level = "male" if name == "sex" else ""
                shown = np.nan if status else smd * (1 + 0.1 * place)
                lines.append([wave, arm, name, level, pd.NA, pd.NA, pd.NA, shown, status])
    return table_of(shapes.ATTRITION, lines)


def need_rules() -> pd.DataFrame:
    lines = [("primary", True, 125, 7, ""), ("secondary", False, pd.NA, pd.NA, "suppressed")]
    lines.append(("either", False, 140, 7, ""))
    return table_of(shapes.NEED_RULES, lines)


def movements() -> pd.DataFrame:
    lines = []
    for wave in ("2", "3"):
        for arm, (pupils, schools) in ARMS.items():
            for then in (*ARMS, "not seen"):
                same = arm == then
                counts = (pupils - 5, schools, "") if same else (pd.NA, pd.NA, "suppressed")
                lines.append((wave, arm, then, *counts))
    return table_of(shapes.MOVEMENTS, lines)


def ways_out() -> pd.DataFrame:
    """Return two ways out and all of them, one with a share and one withheld in the first year."""
    lines: list[list[object]] = []
    for way, shares in (
        ("mainstream", (0.25, 0.4)),
        ("unknown", (np.nan, 0.2)),
        ("any", (0.4, 0.6)),
    ):
        for year, share in enumerate(shares, 1):
            hidden = share != share
            left = pd.NA if hidden else round(40 * share / 5) * 5
            ends = [share, share - 0.1, share + 0.1]
            lines.append(
                [way, year, 40 if year == 1 else 25, left, *ends, 5, "suppressed" * hidden]
            )
    return table_of(shapes.WAYS_OUT, lines)


def benchmarks() -> pd.DataFrame:
    """Return more published figures than a page shows, one of them without a value."""
    source = "DfE, Pupil absence in schools in England"
    lines = [
        (
            "absence rate",
            11.6,
            "per cent",
            "England",
            "ASD",
            "E",
            "SS",
            2022,
            source,
            "2023-03-16",
            "",
        ),
        (
            "absence rate",
            pd.NA,
            "per cent",
            "Rutland",
            "ASD",
            "",
            "",
            2022,
            source,
            "2023-03-16",
            "c",
        ),
        (
            "number of pupils",
            206131,
            "pupils",
            "England",
            "ASD",
            "",
            "",
            2023,
            "DfE",
            "2023-06-22",
            "",
        ),
    ]
    lines += [
        (
            "absence rate",
            7.1 + year / 10,
            "per cent",
            "England",
            "",
            "",
            "",
            2005 + year,
            source,
            "2023-03-16",
            "",
        )
        for year in range(40)
    ]
    return table_of(shapes.BENCHMARKS, lines)


def scales() -> pd.DataFrame:
    """Return one scale at two waves: one arm withheld, one where alpha does not exist."""
    lines = []
    for wave in ("2", "3"):
        for arm, (pupils, _) in ARMS.items():
            agree = [0.84, 0.76, 0.9, 0.85, 0.77, 0.91, 0.95]
            if arm == "host_mainstream":
                agree = [value - 0.2 for value in agree]
            note = "intervals take pupils of a school as independent: fewer than ten schools"
            shown: list[object] = [pupils - 5, *agree, note, ""]
            if (arm, wave) == ("non_host", "2"):
                shown = [pd.NA, *[np.nan] * 7, "", "suppressed"]
            if (arm, wave) == ("non_host", "3"):
                shown = [15, *[np.nan] * 7, "not estimated: an item does not vary", ""]
            lines.append(["belonging", wave, arm, 9, *shown])
    return table_of(shapes.SCALES, lines)


def items() -> pd.DataFrame:
    lines: list[list[object]] = []
    for number in range(1, 10):
        for arm in ("base", "host_mainstream"):
            few = number == 9
            spread = np.nan if few else 0.8
            status = "suppressed" if few else ""
            lines.append(
                ["belonging", "2", arm, f"b0{number}", 35, pd.NA, 3.1, spread, 0.45, status]
            )
    return table_of(shapes.ITEMS, lines)


def invariance() -> pd.DataFrame:
    """Return a ladder that fails at its last step, one that holds and one not assessable."""
    lines: list[list[object]] = []
    found = {
        ("2", "base; host_mainstream"): ("holds", "holds", "fails"),
        ("2", "base; non_host"): ("not assessable",) * 3,
        ("2; 3", "base; host_mainstream"): ("holds",) * 3,
        ("2", "host_mainstream; non_host"): ("fails", "not assessable", "not assessable"),
    }
    for (wave, groups), verdicts in found.items():
        for step, verdict in zip(("configural", "metric", "scalar"), verdicts, strict=True):
            why = "" if verdict == "holds" else "fewer than 100 complete cases in non_host"
            numbers: list[float] = [61.2, 54.0, 0.23, 0.981, 0.03, 0.045, -0.004, 0.002]
            if verdicts[0] == "not assessable":
                numbers = [np.nan] * 8
            lines.append(["belonging", wave, groups, step, *numbers, verdict, why])
    return table_of(shapes.INVARIANCE, lines)


def completion() -> pd.DataFrame:
    lines: list[list[object]] = []
    for wave in ("2", "3"):
        for arm in ARMS:
            lines.append(["belonging", wave, arm, "all", 40, 25, 10, pd.NA, pd.NA, "suppressed"])
            lines.append(["belonging", wave, arm, "ASD", 30, 20, pd.NA, pd.NA, pd.NA, "suppressed"])
            lines.append(["belonging", wave, arm, "other needs", *[pd.NA] * 5, "suppressed"])
    return table_of(shapes.COMPLETION, lines)


def modes() -> pd.DataFrame:
    lines: list[list[object]] = []
    for wave in ("2", "3"):
        for arm in ARMS:
            lines.append(["belonging", wave, arm, "standard", 20, ""])
            lines.append(["belonging", wave, arm, "other modes", pd.NA, "suppressed"])
    return table_of(shapes.MODES, lines)


def gate() -> pd.DataFrame:
    values = {
        "largest_smd": (0.25, 0.04),
        "overlap": (float("nan"), 0.02),
        "schools_per_arm": (2.0, 3.0),
        "effective_size": (15.0, 25.0),
        "smallest_detectable_effect": (float("nan"), 0.9),
    }
    lines: list[list[object]] = []
    for contrast in CONTRASTS:
        for design in ("entropy", "nearest", "none"):
            for rule, (threshold, value) in values.items():
                passed = "not asked" if threshold != threshold else "yes"
                lines.append([contrast, design, rule, threshold, value, passed, ""])
    return table_of(shapes.GATE, lines)


def respondents() -> pd.DataFrame:
    lines: list[list[object]] = []
    for contrast in CONTRASTS:
        for design in ("entropy", "nearest"):
            for wave in ("2", "3"):
                asked = ["belonging", "level", wave, contrast, design, "ATT"]
                lines.append([*asked, 40, 60, 40.0, 45.0, 3, 4, 0.07, ""])
    return table_of(shapes.RESPONDENTS, lines)


def table_of(columns: Mapping[str, str], lines: Sequence[Sequence[object]]) -> pd.DataFrame:
    return shapes.shaped([dict(zip(columns, line, strict=True)) for line in lines], columns)


def nothing(*names: str) -> dict[str, pd.DataFrame]:
    """Return empty tables, as a study has them that lacks these."""
    return {name: shapes.shaped([], getattr(shapes, name.upper())) for name in names}


def released_example(
    title: str = "Autistic pupils in seven schools: does a base place help?",
) -> Released:
    """Return a study with everything a report can meet."""
    tables = [results(), results("nearest", headline=False), results("none", "unadjusted", False)]
    return Released(
        profile="srs",
        results=pd.concat(tables, ignore_index=True),
        balance=balance(),
        overlap=overlap(),
        propensity=propensity(),
        describes=describes(),
        gate=gate(),
        respondents=respondents(),
        flow=flow(),
        descriptions=descriptions(),
        missing=missing(),
        attrition=attrition(),
        need_rules=need_rules(),
        movements=movements(),
        ways_out=ways_out(),
        scales=scales(),
        items=items(),
        invariance=invariance(),
        completion=completion(),
        modes=modes(),
        benchmarks=benchmarks(),
        about=About(
            study="example",
            title=title,
            question="Did being placed in a base change attainment, attendance and belonging?",
            plan_hash=HASH,
            outcomes=OUTCOMES,
            arms={"base": ("SRC",), "host_mainstream": ("M-SRC",), "non_host": ("M",)},
            contrasts_made=tuple(CONTRASTS),
            designs=("entropy", "nearest"),
            models=("multilevel", "unadjusted"),
            adjusted=("sex", "fsm", "prior", "communication_need", "age_months"),
            exact=("year_group",),
            waves=("1", "2", "3"),
            baseline_wave="1",
            has_peers=True,
            eligibility=EligibilityAbout(
                needs=("ASD", "SLCN"),
                need_rule="either",
                years=("7", "8"),
                ehcp="only",
                time_zero="school_entry",
                first_year=2020,
                last_year=2022,
            ),
            placement=PlacementAbout(
                source="census",
                types=("sen_unit", "resourced_provision"),
                host_at_least=3,
            ),
            gate=GateAbout(
                thresholds={"largest_smd": 0.25, "schools_per_arm": 2.0, "effective_size": 15.0},
                icc=0.15,
                power=0.8,
            ),
            notes=("Two pupils changed group between waves; each stays in the group of wave 1.",),
            inputs=(("pupils.csv", "ab" * 32),),
            versions={"baseeval": "0.1.0", "numpy": "2.3.4", "pandas": "3.1.1"},
        ),
    )


def two_arms() -> Released:
    """Return the study without schools that have no base: two contrasts cannot be made."""
    whole = released_example()
    why = "no pupil of a school without a base is in the data"
    about = {name: getattr(whole.about, name) for name in whole.about.__dataclass_fields__}
    about |= {
        "contrasts_made": ("base_vs_host",),
        "contrasts_not_made": {"base_vs_non_host": why, "host_vs_non_host": why},
        "arms": {name: whole.about.arms[name] for name in ("base", "host_mainstream")},
    }
    tables = {
        name: getattr(whole, name)[getattr(whole, name)["contrast"] == "base_vs_host"]
        for name in ("results", "balance", "overlap")
    }
    rest = {name: getattr(whole, name) for name in ("profile", "flow", "descriptions", "missing")}
    rest |= nothing("gate", "respondents", "need_rules", "movements", "ways_out", "benchmarks")
    rest |= nothing(*QUESTIONNAIRES)
    about |= {"eligibility": None, "placement": None}
    return Released(**tables, **rest, attrition=whole.attrition, about=About(**about))


def described_only() -> Released:
    """Return a study with no groups: schools described, nothing compared."""
    whole = released_example()
    described = whole.descriptions[whole.descriptions["arm"] == "base"]
    described = described[described["wave"] == "1"].assign(
        arm="", wave="", pupils=3105, schools=3105
    )
    flow_rows = whole.flow[whole.flow["arm"] == "all"]
    return Released(
        profile="srs",
        results=whole.results.iloc[:0],
        balance=whole.balance.iloc[:0],
        overlap=whole.overlap.iloc[:0],
        flow=flow_rows,
        descriptions=described,
        missing=whole.missing.iloc[:0],
        **nothing(
            "gate",
            "respondents",
            "attrition",
            "need_rules",
            "movements",
            "ways_out",
            "benchmarks",
            *QUESTIONNAIRES,
        ),
        about=About(
            study="described",
            title="England's mainstream secondary schools",
            question="What do attainment and absence look like?",
            plan_hash=HASH,
            outcomes=OUTCOMES,
            contrasts_not_made=dict.fromkeys(CONTRASTS, "the plan names no arms"),
        ),
    )
