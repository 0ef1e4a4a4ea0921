"""Who is in the study at all: the same rules in every arm, a reason for each exclusion."""

from __future__ import annotations

from collections.abc import Collection
from types import MappingProxyType

import narwhals.stable.v2 as nw
import pandas as pd

from baseeval.engine.duckdb_engine import Engine
from baseeval.engine.frames import COUNT, Frame
from baseeval.plan import EligibilitySection

#: Why a pupil is left out, in the order in which it is decided.
REASONS = MappingProxyType(
    {
        "consent": "consent was not given",
        "withdrawn": "withdrew from the study",
        "year group": "not in an eligible year group in any record",
        "phase": "not in a school of an eligible phase in any record",
        "no need": "no type of need is recorded by the end of the first school year",
        "need": "the type of need first recorded is not an eligible one",
        "ehcp": "not eligible by EHC plan",
        "time zero": "no date of the eligibility event is recorded",
        "not seen": "not on record in the school year of the eligibility event",
        "cohort": "the eligibility event lies outside the study's school years",
        "no match": "nobody of the same year group was placed, so there is no date to match",
    }
)


def need_matches(rules: EligibilitySection, rule: str) -> nw.Expr:
    """Return an expression true where a need is eligible under one of the three rules.

    Parameters
    ----------
    rules : EligibilitySection
    rule : str
        ``primary``, ``secondary`` or ``either``.

    Returns
    -------
    narwhals expression
        Over ``primary_need`` and ``secondary_need``; null where none is recorded.
    """
    wanted = [need.upper() for need in rules.needs]
    primary = nw.col("primary_need").str.to_uppercase().is_in(wanted)
    secondary = nw.col("secondary_need").str.to_uppercase().is_in(wanted)
    if rule == "primary":
        return primary
    if rule == "secondary":
        return secondary
    return nw.coalesce(primary, nw.lit(False)) | nw.coalesce(secondary, nw.lit(False))


def exclusion(rules: EligibilitySection, held: Collection[str]) -> nw.Expr:
    """Return the reason why a pupil is not eligible; null for one who is.

    Parameters
    ----------
    rules : EligibilitySection
    held : collection of str
        The columns that the frame has, of ``consent`` (1 or 0), ``withdrawn``
        (not null: withdrew), ``year_group``, ``phase``, ``primary_need``,
        ``secondary_need``, ``sen_provision``, as at time zero.

    Returns
    -------
    narwhals expression
        A key of :data:`REASONS`.
    """
    tests: list[tuple[str, nw.Expr]] = []
    if "consent" in held:
        tests.append(("consent", nw.col("consent") == 0))
    if "withdrawn" in held:
        tests.append(("withdrawn", ~nw.col("withdrawn").is_null()))
    if rules.years:
        known = nw.coalesce(nw.col("year_group").is_in(rules.years), nw.lit(False))
        tests.append(("year group", ~known))
    if rules.phases:
        phases = [phase.lower() for phase in rules.phases]
        known = nw.coalesce(nw.col("phase").str.to_lowercase().is_in(phases), nw.lit(False))
        tests.append(("phase", ~known))
    if rules.needs:
        recorded = [~nw.col(name).is_null() for name in _needs(rules.need_rule)]
        some = recorded[0] if len(recorded) == 1 else recorded[0] | recorded[1]
        tests.append(("no need", ~some))
        tests.append(("need", ~need_matches(rules, rules.need_rule)))
    if rules.ehcp != "any":
        plan = nw.coalesce(nw.col("sen_provision").str.to_uppercase() == "E", nw.lit(False))
        tests.append(("ehcp", ~plan if rules.ehcp == "only" else plan))
    reason = nw.lit(None, dtype=nw.String)
    for name, fails in reversed(tests):
        reason = nw.when(fails).then(nw.lit(name)).otherwise(reason)
    return reason


def _needs(rule: str) -> tuple[str, ...]:
    return {
        "primary": ("primary_need",),
        "secondary": ("secondary_need",),
        "either": ("primary_need", "secondary_need"),
    }[rule]


def count_need_rules(
    pupils: Frame, rules: EligibilitySection, school: str, engine: Engine
) -> pd.DataFrame:
    """Count who is eligible by need under each of the three rules.

    Parameters
    ----------
    pupils : narwhals LazyFrame
        One row a pupil who is eligible in all other ways: ``primary_need``,
        ``secondary_need`` and the school. A column that is not there counts nobody.
    rules : EligibilitySection
    school : str
        Name of the school's column.
    engine : Engine

    Returns
    -------
    pandas.DataFrame
        ``rule, used, pupils, schools``.
    """
    columns = ["rule", "used", "pupils", "schools"]
    if not rules.needs:
        return pd.DataFrame(columns=columns)
    held = pupils.collect_schema().names()
    records = []
    for rule in ("primary", "secondary", "either"):
        if not set(_needs(rule)) <= set(held):
            continue
        found = engine.collect(
            pupils.filter(need_matches(rules, rule)).select(
                COUNT.alias("pupils"),
                nw.col(school).n_unique().cast(nw.Int64).alias("schools"),
            ),
            [],
        ).to_pylist()[0]
        records.append({"rule": rule, "used": rule == rules.need_rule, **found})
    return pd.DataFrame.from_records(records, columns=columns)
