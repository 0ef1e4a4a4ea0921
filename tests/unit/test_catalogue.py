"""The catalogue: its entries, what would be wrong with one, and what a study file takes from it."""

from __future__ import annotations

import re
import tomllib
from dataclasses import FrozenInstanceError, replace

import pyarrow as pa
import pytest

import baseeval as be
from baseeval.catalogue import (
    Feature,
    Outcome,
    Scale,
    known_features,
    known_outcomes,
    known_scales,
    known_sources,
    outcome_template,
)
from baseeval.catalogue.checking import feature_faults, outcome_faults, scale_faults
from baseeval.catalogue.loading import read_entries
from baseeval.contracts.base_features import feature_columns
from baseeval.contracts.bases import OWN
from baseeval.contracts.registry import TABLES
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import BaseevalError, UsageError
from baseeval.measures.kinds import KINDS
from baseeval.plan import OutcomeSection, read_keys
from baseeval.sources.contracted import read_contract

OUTCOMES, SCALES, FEATURES = known_outcomes(), known_scales(), known_features()

STUDY = """
[study]
name = "pasted"
title = "Pasted"

[data]
table = "pupils.csv"
wave = "wave"
baseline_wave = 1

[arms]
column = "placement"
base = ["base"]
non_host = ["none"]

"""


NAMED_OUTCOMES = """
    attainment_scaled attainment_graded attainment_teacher attainment_entered
    attainment_below_standard attendance absence_authorised absence_unauthorised
    absence_persistent absence_severe part_time_timetable belonging_pssm belonging_pisa
    belonging_star belonging_own suspensions permanent_exclusion neet sdq_total peer_support
    teacher_support friendships bullying stigma seen_as_different trips_and_clubs
    curriculum_engagement confidence independence communication enjoyment parents_views
    teacher_confidence teacher_motivation joint_working resource_pressure time_in_mainstream
    time_in_mainstream_change left_to_mainstream left_to_another_base left_to_special_school
    left_to_alternative_provision left_to_home_education setting_after_year_6
"""
NAMED_FEATURES = """
    base_type needs need_scope places on_school_site admission_criteria expected_mainstream_share
    specialist_teacher permanent_teacher pupils_per_adult class_size speech_language_therapist
    psychologist mental_health_support trained_in_need whole_school_send_training
    head_of_base_trained head_of_base_in_leadership staff_turnover joint_planning
    consistent_approaches intentional_timetabling provision_mapping low_stimulation_space
    outdoor_space eating_space private_toilets acoustics shared_arrival shared_breaks shared_trips
    parent_communication visits_before_transfer funding_route purpose_written gradual_transitions
    shared_clubs inside_school consistent_teacher usual_journey phase_transfer_planned
"""


# ---- What the brief names -----------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMED_OUTCOMES.split())
def test_an_outcome_that_the_brief_names_is_there(name: str) -> None:
    assert name in OUTCOMES


@pytest.mark.parametrize("name", NAMED_FEATURES.split())
def test_a_feature_that_the_brief_names_is_there(name: str) -> None:
    assert name in FEATURES


def test_the_keys_of_the_belonging_scales() -> None:
    pssm, pisa, star = (SCALES[name] for name in ("pssm", "pisa_belong", "star_belonging"))
    assert (pssm.items, pssm.range, pssm.reversed) == (18, (1, 5), (3, 6, 9, 12, 16))
    assert len(pssm.numbers("positive")) == 13
    assert {*pssm.numbers("positive"), *pssm.reversed} == set(pssm.numbers())
    assert (pisa.items, pisa.range, pisa.reversed) == (6, (1, 4), (1, 4, 6))
    assert {*pisa.numbers("positive"), *pisa.numbers("negative")} == set(pisa.numbers())
    assert pisa.numbers("negative") == pisa.reversed
    assert [star.columns[n - 1] for n in star.reversed] == ["g8idattn", "g8idcare", "g8idplac"]


def test_a_licensed_scale_has_no_key() -> None:
    assert SCALES["sdq"].score == "given"
    assert (SCALES["sdq"].reversed, SCALES["sdq"].range) == ((), None)
    better = {name: o.better for name, o in OUTCOMES.items() if o.scale == "sdq"}
    assert {name for name, way in better.items() if way != "lower"} == {"sdq_prosocial"}


def test_leaving_and_time_in_mainstream_are_not_taken_as_good() -> None:
    undecided = [o for o in OUTCOMES.values() if o.name.startswith(("left_to", "time_in", "sett"))]
    assert {outcome.better for outcome in undecided} == {"neither"}


def test_entries_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        OUTCOMES["attendance"].better = "lower"  # type: ignore[misc]
    with pytest.raises(TypeError):
        OUTCOMES["attendance"] = OUTCOMES["stigma"]  # type: ignore[index]


# ---- What would be wrong ------------------------------------------------------------------------


def test_every_fault_of_a_file_is_named_at_once() -> None:
    good = {
        "name": "maths",
        "title": "Maths",
        "group": "attainment",
        "asks": "How well?",
        "respondents": ["record"],
        "better": "higher",
        "kind": "continuous",
        "unit": "points",
        "comes_from": "A test",
        "sources": ["brief"],
    }
    rows = [
        good,
        good,
        good | {"name": "b", "better": "up"},
        good | {"name": "c", "colour": 1},
        good | {"name": "d", "sources": []},
        good | {"name": "E"},
    ]
    with pytest.raises(BaseevalError) as caught:
        read_entries(rows, Outcome, "outcomes.toml")
    told = [problem.where for problem in caught.value.problems]
    assert told == [
        "outcomes.toml, b, `better`",
        "outcomes.toml, c, `colour`",
        "outcomes.toml, d, `sources`",
        "outcomes.toml, E, `name`",
        "outcomes.toml, maths",
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"reversed": (3, 19)}, "`reversed` names an item that the scale does not have"),
        ({"reversed": (3, 3)}, "`reversed` names an item twice"),
        ({"subscales": {"short": (0, 20)}}, "`short` names an item"),
        ({"range": (5, 1)}, "a range must be"),
        ({"range": None}, "needs `items` and `range`"),
        ({"columns": ("a", "b")}, "`columns` is not one heading an item"),
        ({"score": "given"}, "holds no key"),
        ({"sources": ("hearsay",)}, "the source `hearsay` is not known"),
    ],
)
def test_what_would_be_wrong_with_a_scale(change: dict[str, object], told: str) -> None:
    wrong: Scale = replace(SCALES["pssm"], **change)  # type: ignore[arg-type]
    assert told in " ".join(str(fault) for fault in scale_faults([wrong], known_sources()))


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("belonging_pssm", {"scale": "pssn"}, "the scale `pssn` is not known"),
        ("belonging_pssm", {"scale": ""}, "names its `scale`"),
        ("belonging_pssm", {"scale": "sdq"}, "a given score is not of kind 'scale'"),
        ("sdq_total", {"scale": "pssm"}, "a given score is not of kind 'scale'"),
        ("belonging_pssm", {"subscale": "brief"}, "the subscale `brief` is not known"),
        ("attendance", {"columns": {}}, "`columns` are not those of the kind"),
        ("neet", {"columns": {"attended": "neet"}}, "`columns` are not those of the kind"),
        ("neet", {"sources": ("hearsay",)}, "the source `hearsay` is not known"),
        ("neet", {"unit": "share of leavers"}, "begins with `proportion`"),
        ("absence_severe", {"columns": {}}, "`columns` are not those of the kind"),
        ("suspensions", {"counts": "entered"}, "only an outcome of kind 'binary'"),
        ("suspensions", {"order": ("few", "many")}, "only an outcome of kind 'ordinal'"),
    ],
)
def test_what_would_be_wrong_with_an_outcome(
    name: str, change: dict[str, object], told: str
) -> None:
    wrong = replace(OUTCOMES[name], **change)  # type: ignore[arg-type]
    faults = outcome_faults([wrong], SCALES, known_sources())
    assert told in " ".join(str(fault) for fault in faults)


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("places", {"held": False}, "`held` does not say"),
        ("acoustics", {"held": True}, "`held` does not say"),
        ("places", {"kind": "flag", "unit": ""}, "not that of the contract's column"),
        ("acoustics", {"codes": {"good": "Good"}}, "has `codes`"),
        ("psychologist", {"codes": {}}, "has `codes`"),
        ("class_size", {"unit": ""}, "has a `unit`"),
        ("class_size", {"low": 50}, "`low` must be less"),
        ("acoustics", {"sources": ("hearsay",)}, "the source `hearsay` is not known"),
    ],
)
def test_what_would_be_wrong_with_a_feature(
    name: str, change: dict[str, object], told: str
) -> None:
    wrong: Feature = replace(FEATURES[name], **change)  # type: ignore[arg-type]
    assert told in " ".join(str(fault) for fault in feature_faults([wrong], known_sources()))


# ---- Features as columns ------------------------------------------------------------------------


def test_every_feature_is_a_column_of_its_table() -> None:
    for of, table in (("base", "bases"), ("school", "schools")):
        recorded, *columns = feature_columns(of)
        names = [column.name for column in columns]
        mine = {feature.name for feature in FEATURES.values() if feature.of == of}
        held = {feature.name for feature in FEATURES.values() if feature.of == of and feature.held}
        assert {*names, *held} == mine
        assert mine | {recorded.name} <= set(TABLES[table].names())
        assert (recorded.name, recorded.kind) == ("features_recorded", "date")
        assert all(column.source and not column.required for column in columns)
    assert {column.name for column in OWN} >= {f.name for f in FEATURES.values() if f.held}


def test_a_column_is_of_the_kind_and_range_of_its_feature() -> None:
    columns = {c.name: c for of in ("base", "school") for c in feature_columns(of)}
    for name, feature in FEATURES.items():
        if not feature.held:
            column = columns[name]
            assert (column.kind, column.meaning) == (feature.kind, feature.records)
            assert (column.unit, dict(column.codes)) == (feature.unit, dict(feature.codes))
            assert (column.low, column.high) == (feature.low, feature.high)


def test_not_known_is_counted_apart_from_no_and_from_an_empty_cell() -> None:
    table = pa.table(
        {
            "base_id": ["1", "2", "3", "4"],
            "urn": ["1", "1", "1", "1"],
            "acoustics": ["yes", "No", "not known", ""],
            "psychologist": ["weekly", "none", "Unknown", ""],
            "class_size": ["8", "6.5", "not recorded", ""],
            "features_recorded": ["2021-07-01", "01/07/2021", "", "2021-07-01"],
        }
    )
    with Engine() as engine:
        read = read_contract(engine.table(table), TABLES["bases"], engine, "bases.csv")
        rows = read.frame.sort("base_id").collect().to_dict(as_series=False)
    assert not read.faults
    assert rows["acoustics"] == [1, 0, None, None]
    assert rows["psychologist"] == ["weekly", "none", None, None]
    assert rows["class_size"] == [8, 6.5, None, None]
    for column in ("acoustics", "psychologist", "class_size"):
        assert rows[f"why:{column}"] == [None, None, "not known", "blank"]


def test_what_a_feature_cannot_hold_is_told() -> None:
    table = pa.table(
        {
            "base_id": ["1", "2"],
            "urn": ["1", "1"],
            "acoustics": ["perhaps", "yes"],
            "psychologist": ["hourly", "none"],
            "expected_mainstream_share": ["150", "50"],
            "class_size": ["many", "8"],
        }
    )
    with Engine() as engine:
        read = read_contract(engine.table(table), TABLES["bases"], engine, "bases.csv")
    told = {(fault.column, fault.rule, fault.stops) for fault in read.faults}
    assert told == {
        ("acoustics", "not_yes_or_no", False),
        ("psychologist", "unknown_code", False),
        ("expected_mainstream_share", "out_of_range", False),
        ("class_size", "text_in_number", True),
    }


# ---- Templates ----------------------------------------------------------------------------------


def study_of(tmp_path, *names: str):
    path = tmp_path / "study.toml"
    path.write_text(STUDY + "\n".join(map(outcome_template, names)), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", OUTCOMES)
def test_the_plan_reader_accepts_a_template(name: str, tmp_path) -> None:
    (read,) = be.read_study(study_of(tmp_path, name)).outcomes
    known = OUTCOMES[name]
    assert (read.name, read.label, read.kind) == (name, known.title, known.kind)
    assert (read.better, tuple(read.forms)) == (known.better, known.forms)
    # A place in an order is its own unit.
    assert read.unit == ("" if known.kind == "ordinal" else known.unit)
    assert (read.missed_at_least, tuple(read.order)) == (known.missed_at_least, known.order)


def test_all_templates_stand_in_one_study(tmp_path) -> None:
    assert {outcome.kind for outcome in OUTCOMES.values()} <= set(KINDS)
    read = be.read_study(study_of(tmp_path, *OUTCOMES))
    assert [outcome.name for outcome in read.outcomes] == list(OUTCOMES)


@pytest.mark.parametrize("name", ["attainment_entered", "attainment_below_standard"])
def test_a_template_says_how_a_source_counts(name: str) -> None:
    said = [line.removeprefix("# ") for line in outcome_template(name).splitlines()]
    (section,) = tomllib.loads(outcome_template(name))["outcomes"]
    keys = tomllib.loads(
        "\n".join(
            line for line in said if line.startswith(("column", "counts")) and "# your" not in line
        )
    )
    read = OutcomeSection(**{**section, **keys})
    assert read.counts == OUTCOMES[name].counts


def test_a_template_scores_as_its_scale_says() -> None:
    (section,) = tomllib.loads(outcome_template("belonging_pssm_positive"))["outcomes"]
    assert "reverse" not in section
    assert len(section["items"]) == 13
    assert not set(section["items"]) & {f"pssm_{n:02}" for n in SCALES["pssm"].reversed}
    (section,) = tomllib.loads(outcome_template("belonging_pisa"))["outcomes"]
    assert section["reverse"] == ["pisa_belong_1", "pisa_belong_4", "pisa_belong_6"]


def test_the_template_of_star_is_that_of_its_study(root) -> None:
    (section,) = tomllib.loads(outcome_template("belonging_star"))["outcomes"]
    study = read_keys(root / "analyses" / "star" / "study.toml")
    (used,) = [outcome for outcome in study["outcomes"] if outcome["name"] == "belonging"]
    for key in ("kind", "items", "reverse", "range", "min_answered", "better"):
        assert section[key] == used[key], key


def test_lines_of_a_template_are_short() -> None:
    lines = [line for name in OUTCOMES for line in outcome_template(name).splitlines()]
    assert max(map(len, lines)) <= 120


def test_an_unknown_outcome_is_told_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean `attendance`"):
        outcome_template("atendance")
    with pytest.raises(UsageError, match="`known_outcomes"):
        outcome_template("zzz")


# ---- Words --------------------------------------------------------------------------------------


def test_nothing_is_asked_in_the_first_person() -> None:
    """Items of questionnaires speak as `I`; the catalogue speaks of pupils."""
    entries = (*OUTCOMES.values(), *SCALES.values(), *FEATURES.values())
    said = [
        text for e in entries for text in (str(e),) if re.search(r"\bI [a-z]|\b(me|my)\b", text)
    ]
    assert said == []
