"""Schools, as GIAS and the performance tables describe them."""

from __future__ import annotations

import narwhals.stable.v2 as nw

from baseeval.contracts.base_features import feature_columns
from baseeval.contracts.columns import ColumnContract
from baseeval.contracts.tables import Rule, TableContract
from baseeval.contracts.tables import domain_column as column
from baseeval.contracts.vocabulary import BASE_TYPES

_GIAS = "Get Information about Schools"
_TABLES = "Performance tables"


def _percent(name: str, meaning: str, source: str) -> ColumnContract:
    return column(name, "number", meaning, unit="%", low=0, high=100, source=source)


COLUMNS = (
    column(
        "urn",
        "key",
        "School (Unique Reference Number)",
        required=True,
        needed=True,
        pattern=r"^\d{6}$",
        source=_GIAS,
    ),
    column("year", "integer", "School year, named by the summer in which it ends"),
    column("laestab", "key", "Local authority and establishment number", source=_GIAS),
    column("name", "category", "Name of the school", source=_GIAS),
    column("la", "key", "Local authority, three digits", source=_GIAS),
    column("la_name", "category", "Name of the local authority", source=_GIAS),
    column("phase", "category", "Phase of education", source=_GIAS),
    column("school_type", "category", "Type of establishment", source=_GIAS),
    column(
        "school_type_code",
        "category",
        "Type of establishment, by the code of the performance tables (`NFTYPE`)",
        source=_TABLES,
    ),
    column(
        "school_group",
        "category",
        "Phase and kind of school, as DfE's statistics group them: State-funded secondary, ...",
        source=_TABLES,
    ),
    column("status", "category", "Open, closed or proposed", source=_GIAS),
    column("opened", "date", "Day of opening", source=_GIAS),
    column("closed", "date", "Day of closing", source=_GIAS),
    column("trust_id", "key", "Trust", source=_GIAS),
    column("trust_name", "category", "Name of the trust", source=_GIAS),
    column("pupils_on_roll", "number", "Pupils on roll", unit="pupils", low=0, source=_GIAS),
    _percent("ehcp_percent", "Pupils with an EHC plan", _TABLES),
    _percent("sen_support_percent", "Pupils with SEN support", _TABLES),
    _percent("fsm_percent", "Pupils eligible for free school meals", _GIAS),
    _percent("fsm_ever_percent", "Pupils eligible in the last six years", _TABLES),
    _percent("eal_percent", "Pupils with another first language", _TABLES),
    _percent("overall_absence_percent", "Sessions missed", _TABLES),
    _percent("persistent_absence_percent", "Pupils missing a tenth or more", _TABLES),
    _percent("english_maths_5_percent", "Pupils with grade 5 or more in both", _TABLES),
    column(
        "pupils_at_end_of_ks4", "number", "Pupils at the end of key stage 4", low=0, source=_TABLES
    ),
    column(
        "attainment8",
        "number",
        "Attainment 8 score",
        unit="points",
        low=0,
        high=100,
        source=_TABLES,
    ),
    column(
        "progress8",
        "number",
        "Progress 8 score",
        unit="grades",
        low=-10,
        high=10,
        source=_TABLES,
    ),
    column("base_type", "code", "Base that the school declares", codes=BASE_TYPES, source=_GIAS),
    column("sen_unit_pupils", "number", "Pupils in the SEN unit", low=0, source=_GIAS),
    column("sen_unit_places", "number", "Places in the SEN unit", low=0, source=_GIAS),
    column("rp_pupils", "number", "Pupils in the resourced provision", low=0, source=_GIAS),
    column("rp_places", "number", "Places in the resourced provision", low=0, source=_GIAS),
    column("base_needs", "category", "Types of need provided for, joined by ;", source=_GIAS),
    column("local_offer", "flag", "Base listed in the authority's local offer"),
    column(
        "held_by",
        "category",
        "Files that hold the school, by their keys in the study file, joined by ;",
    ),
    *feature_columns("school"),
)

RULES = (
    Rule(
        "unit_over_capacity",
        ("sen_unit_pupils", "sen_unit_places"),
        nw.col("sen_unit_pupils") > nw.col("sen_unit_places"),
        "more pupils in the SEN unit than places",
        "They are read as they stand; the register shows both.",
        unit="school",
    ),
    Rule(
        "rp_over_capacity",
        ("rp_pupils", "rp_places"),
        nw.col("rp_pupils") > nw.col("rp_places"),
        "more pupils in the resourced provision than places",
        "They are read as they stand; the register shows both.",
        unit="school",
    ),
    Rule(
        "school_twice",
        ("urn",),
        nw.col("rows") > 1,
        "more than one row",
        "Keep one row a school and year.",
        stops=True,
        per=("urn", "year"),
        gathered={"rows": ("", "rows")},
        unit="school",
    ),
)

CONTRACT = TableContract(
    "schools",
    "A school, in one year where there are several",
    ("urn", "year"),
    COLUMNS,
    RULES,
    "Get Information about Schools (GIAS), DfE's performance tables, EES's SEN release",
)
