"""DfE's SEN statistics by school: rows by unit, provision and need, made into one row a school."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import narwhals.stable.v2 as nw

from baseeval.contracts.codes import NUMBER, SUPPRESSION_CODES
from baseeval.contracts.vocabulary import NEEDS
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import Fault, fault
from baseeval.sources.contracted import Contracted
from baseeval.sources.declared import NO_BASE, base_type, joined_needs, plain
from baseeval.sources.gathering import Gathered
from baseeval.sources.school_part import read_part, text_of, with_numbers, without_totals

#: The guidance of the SEN releases (2024/25) has these two the other way about than DfE's standard,
#: in which ``x`` is unavailable and ``z`` not applicable.
EES_SEN_CODES: Mapping[str, str] = MappingProxyType({"x": "not applicable", "z": "not available"})

#: What says "all of them" in a column by which the rows are broken down, as `plain` gives it.
_TOTALS = ("", "all pupils", "all", "total")

_PLANS = (
    *("education health and care plan", "education health and care plans"),
    *("ehc plan", "ehc plans", "ehcp", "statement", "statement or ehc plan"),
)
_SUPPORT = ("sen support", "sen support sen without an ehc plan", "sen without an ehc plan")
_NO_SEN = ("no sen", "no identified sen", "no special educational need")

#: Columns that are the same on every row of a school.
_OF_SCHOOL = ("la", "la_name", "laestab", "name", "school_group", "school_type", "opened")

_COUNTS = ("all", "ehcp", "support", "unit", "rp")


def read_ees_sen(
    gathered: Gathered, engine: Engine, codes: Mapping[str, str], words: Mapping[str, str]
) -> Contracted:
    """Read the school-level file of "Special educational needs in England".

    Parameters
    ----------
    gathered : Gathered
        By the crosswalk ``ees_sen``.
    engine : Engine
    codes : mapping of str to str
        What this release's guidance says that its codes mean; `EES_SEN_CODES`.
    words : mapping of str to str
        The user's own words for a unit -> type of base; empty for none.

    Returns
    -------
    Contracted
        One row a school and year. Pupils on roll, in a SEN unit and in resourced
        provision are those of the total rows, so that nobody is counted twice.
    """
    frame, faults = without_totals(with_numbers(gathered.frame), engine, gathered.label)
    rows, told = _rows(frame, engine, gathered.label, codes, words)
    schools = engine.keep(_schools(rows))
    faults += [*told, *_untold(schools, engine, gathered.label)]
    return read_part(_under_contract(schools, codes), gathered, engine, faults, codes)


def _rows(
    frame: nw.LazyFrame[Any],
    engine: Engine,
    label: str,
    codes: Mapping[str, str],
    words: Mapping[str, str],
) -> tuple[nw.LazyFrame[Any], list[Fault]]:
    """Keep the rows that are read, each with the type of its unit and the count that it gives."""
    held = frame.collect_schema().names()
    by = ("unit_type", "sen_provision", "need")
    said = [plain(text_of(frame, name)).alias(name) for name in by]
    frame = frame.with_columns(*said).filter(nw.col("need").is_in(list(_TOTALS)))
    unit, provision = nw.col("unit_type"), nw.col("sen_provision")
    everyone, total = unit.is_in(list(_TOTALS)), provision.is_in(list(_TOTALS))
    gives: nw.Expr = nw.when(everyone & provision.is_in(list(_PLANS))).then(nw.lit("ehcp"))
    support = everyone & provision.is_in(list(_SUPPORT))
    gives = nw.when(support).then(nw.lit("support")).otherwise(gives)
    gives = nw.when(total & ~everyone).then(nw.lit("unit")).otherwise(gives)
    gives = nw.when(total & everyone).then(nw.lit("all")).otherwise(gives)
    nothing = [code for code, meaning in codes.items() if meaning == "not applicable"]
    kind, strange = base_type(unit, words, nothing)
    known = [*_TOTALS, *_PLANS, *_SUPPORT, *_NO_SEN]
    provides = [name for name in (f"provides_{code.lower()}" for code in NEEDS) if name in held]
    read = engine.keep(
        frame.select(
            nw.col("urn"),
            _year(frame).alias("year"),
            *(text_of(frame, name) for name in (*_OF_SCHOOL, "pupils") if name in held),
            *((plain(text_of(frame, name)) == "yes").alias(name) for name in provides),
            gives.alias("gives"),
            nw.when(~everyone).then(kind).alias("kind"),
            (~everyone & strange).alias("strange"),
            (~provision.is_in(known)).alias("odd"),
        )
    )
    counts = engine.counts(read, {"strange": nw.col("strange"), "odd": nw.col("odd")})
    faults = [
        fault(
            label,
            "specialist_provision_unit_type",
            "unknown_base_word",
            counts["strange"],
            "a word for a unit that is not known; they are read as bases of an unknown type",
            "If you know what it means, put a known word, such as SEN unit, in its place.",
        ),
        fault(
            label,
            "sen_provision",
            "unknown_provision",
            counts["odd"],
            "a word for SEN provision that is not known; they are left out",
            "Check them against the guidance of the release.",
        ),
    ]
    return read.filter(~nw.col("gives").is_null()), [told for told in faults if told.count]


def _schools(rows: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Make one row a school and year; the text of each count, and how many rows gave it."""
    held = rows.collect_schema().names()
    kind, count = nw.col("kind"), nw.col("pupils")
    here = {
        **{name: nw.col("gives") == name for name in ("all", "ehcp", "support")},
        "unit": kind == "sen_unit",
        "rp": kind == "resourced_provision",
    }
    peopled = _number(count) > 0
    hidden = count.is_in(["c", "low", "SUPP"])
    named = (kind != NO_BASE) & (peopled | hidden)
    both = kind == "sen_unit_and_resourced_provision"
    marked = rows.with_columns(
        *(nw.when(of_row).then(count).alias(f"text:{name}") for name, of_row in here.items()),
        *(
            nw.when(of_row).then(1).otherwise(0).alias(f"rows:{name}")
            for name, of_row in here.items()
        ),
        nw.when(named & ((kind == "sen_unit") | both)).then(1).otherwise(0).alias("unit?"),
        nw.when(named & ((kind == "resourced_provision") | both)).then(1).otherwise(0).alias("rp?"),
        nw.when(named & (kind != "sen_unit") & (kind != "resourced_provision") & ~both)
        .then(kind)
        .alias("other"),
    )
    provided = [name for name in held if name.startswith("provides_")]
    return marked.group_by("urn", "year").agg(
        *(nw.col(name).max() for name in _OF_SCHOOL if name in held),
        *(nw.col(name).cast(nw.Int64).max() for name in provided),
        *(nw.col(f"text:{name}").max() for name in _COUNTS),
        *(nw.col(f"rows:{name}").sum() for name in _COUNTS),
        nw.col("unit?").max(),
        nw.col("rp?").max(),
        nw.col("other").max(),
    )


def _untold(schools: nw.LazyFrame[Any], engine: Engine, label: str) -> list[Fault]:
    """Count the schools with two rows for one total, and those without a row for all pupils."""
    twice = nw.any_horizontal(*(nw.col(f"rows:{name}") > 1 for name in _COUNTS), ignore_nulls=True)
    counts = engine.counts(schools, {"twice": twice, "none": nw.col("rows:all") == 0})
    faults = [
        fault(
            label,
            "school_urn",
            "school_twice",
            counts["twice"],
            "more than one row for the same unit, provision and need",
            "Keep one row for each.",
            unit="school",
            stops=True,
        ),
        fault(
            label,
            "pupil_count",
            "no_total_row",
            counts["none"],
            "no row for all of their pupils; their counts are left out, as a row by unit may be "
            "of the whole school",
            "Download the file again, with its totals.",
            unit="school",
        ),
    ]
    return [told for told in faults if told.count]


def _under_contract(schools: nw.LazyFrame[Any], codes: Mapping[str, str]) -> nw.LazyFrame[Any]:
    held = schools.collect_schema().names()
    whole = nw.col("rows:all") > 0

    def share(name: str) -> nw.Expr:
        part, all_pupils = _number(nw.col(f"text:{name}")), _number(nw.col("text:all"))
        # As the performance tables publish it: to one decimal place.
        percent = (100 * part / nw.when(all_pupils > 0).then(all_pupils)).round(1)
        missing = nw.col(f"text:{name}").is_in([*codes, *SUPPRESSION_CODES])
        text = nw.when(percent.is_null() & missing).then(nw.col(f"text:{name}"))
        return text.otherwise(percent.cast(nw.String))

    units = nw.when(nw.col("unit?") == 1).then(nw.lit("sen_unit")).otherwise(nw.col("other"))
    kind = nw.when(nw.col("rp?") == 1).then(nw.lit("resourced_provision")).otherwise(units)
    both = (nw.col("unit?") == 1) & (nw.col("rp?") == 1)
    kind = nw.when(both).then(nw.lit("sen_unit_and_resourced_provision")).otherwise(kind)
    provided = [code for code in NEEDS if f"provides_{code.lower()}" in held]
    needs = joined_needs({code: nw.col(f"provides_{code.lower()}") == 1 for code in provided})
    return schools.select(
        "urn",
        "year",
        *(name for name in _OF_SCHOOL if name in held),
        nw.col("text:all").alias("pupils_on_roll"),
        share("ehcp").alias("ehcp_percent"),
        share("support").alias("sen_support_percent"),
        nw.when(kind.is_null()).then(nw.lit(NO_BASE)).otherwise(kind).alias("base_type"),
        nw.when(whole).then(nw.col("text:unit")).alias("sen_unit_pupils"),
        nw.when(whole).then(nw.col("text:rp")).alias("rp_pupils"),
        *([needs.alias("base_needs")] if provided else []),
    )


def _year(frame: nw.LazyFrame[Any]) -> nw.Expr:
    """Return the summer of a school year: 202425 is 2025, and 2025 is 2025."""
    if "period" not in frame.collect_schema().names():
        return nw.lit(None, nw.Int64)
    number = _number(text_of(frame, "period")).cast(nw.Int64)
    return nw.when(number > 9999).then(number // 100 + 1).otherwise(number)


def _number(text: nw.Expr) -> nw.Expr:
    return nw.when(text.str.contains(NUMBER)).then(text).cast(nw.Float64)
