"""The study file: read strictly, every fault at once, and its hash."""

import datetime as dt
import re
import tomllib
from pathlib import Path

import pytest

from baseeval.errors import PlanError
from baseeval.plan import RESERVED, nearest, plan_from_keys, plan_hash, read_keys

PLAN = """
[study]
name = "small"
title = "A small study"

[data]
table = "pupils.csv"
wave = "wave"
baseline_wave = 1

[peers]
group = "autistic"
is_peer = ["no"]
peer_of = "matched_to"

[arms]
column = "placement"
base = [1]
host_mainstream = ["regular", "aide"]
non_host = [true]

[[outcomes]]
name = "attainment"
kind = "continuous"
column = "maths"
forms = ["level", "change", "gap"]
smallest_effect = 0.1

[[outcomes]]
name = "belonging"
kind = "scale"
items = ["b01", "b02"]
labels = { disagree = 1, agree = 2 }
reverse = ["b02"]
range = [1, 2]

[covariates]
adjust = ["sex", { column = "prior", wave = 1 }]
exact = ["need"]
"""


@pytest.fixture
def keys():
    return tomllib.loads(PLAN)


def faults(keys):
    with pytest.raises(PlanError) as caught:
        plan_from_keys(keys, Path("study.toml"))
    return [str(problem) for problem in caught.value.problems]


def test_the_core_is_read_with_its_defaults(keys):
    plan = plan_from_keys(keys, Path("study.toml"))

    assert plan.study.schema_ == 1
    assert plan.study.seed == 1
    assert plan.arms.labels() == {
        "base": ["1"],
        "host_mainstream": ["regular", "aide"],
        "non_host": ["true"],
    }
    assert plan.data.baseline_wave == "1"
    assert plan.data.pupil == "pupil_id"
    assert [c.column for c in plan.covariates.adjust] == ["sex", "prior"]
    assert plan.covariates.adjust[1].wave == "1"
    assert plan.outcomes[0].forms == ["level", "change", "gap"]
    assert plan.outcomes[0].better == "higher"
    assert plan.outcomes[1].min_answered == 0.75
    assert plan.outcomes[1].columns() == ("b01", "b02")
    assert plan.design.estimand == "ATT"
    assert plan.analysis.models == ["multilevel", "unadjusted"]
    assert plan.release.profile == "srs"


def test_schema_and_seed_may_be_given(keys):
    keys["study"] |= {"schema": 1, "seed": 7}

    assert plan_from_keys(keys, Path("study.toml")).study.seed == 7


def test_another_schema_is_refused(keys):
    keys["study"]["schema"] = 2

    assert faults(keys) == [
        "study.toml, [study] schema: this value is not one of those allowed. Use one of: 1."
    ]


@pytest.mark.parametrize(
    ("label", "text"), [(1, "1"), (1.0, "1"), (2.5, "2.5"), (True, "true"), ("x", "x")]
)
def test_labels_are_the_text_that_a_file_would_hold(keys, label, text):
    del keys["arms"]["non_host"]
    keys["arms"]["base"] = [label]

    assert plan_from_keys(keys, Path("study.toml")).arms.base == [text]


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(PLAN, encoding="utf-8-sig")

    plan = plan_from_keys(read_keys(path), path)

    assert plan.path == path
    assert plan.hash == plan_hash(tomllib.loads(PLAN))


def test_a_file_that_is_not_utf8_is_not_toml(tmp_path):
    path = tmp_path / "study.toml"
    path.write_bytes(PLAN.replace("A small", "Une école").encode("cp1252"))

    with pytest.raises(PlanError, match="this is not TOML"):
        plan_from_keys(read_keys(path), path)


def test_every_fault_is_named_at_once(keys):
    keys["study"]["nmae"] = "x"
    keys["study"]["seed"] = -1
    keys["data"]["table"] = 3
    keys["outcomes"][0]["kind"] = "continous"
    keys["outcomes"][1]["revers"] = []
    keys["covariates"]["adjust"][1]["weve"] = 1
    keys["analyses"] = {}
    keys["families"] = {}

    found = faults(keys)

    assert len(found) == 8
    for words in (
        "[families]: this section is reserved",
        "[study]: the key `nmae` is not known. Did you mean `name`?",
        "[study] seed: a whole number of at least 0 is needed here",
        "[data] table: text is needed here, in quotes",
        "[outcomes 1] kind: this value is not one of those allowed. Use one of: 'continuous'",
        "[outcomes 2]: the key `revers` is not known. Did you mean `reverse`?",
        "[covariates] adjust 2: the key `weve` is not known. Did you mean `wave`?",
        "the key `analyses` is not known. Did you mean `analysis`?",
    ):
        assert sum(words in fault for fault in found) == 1, words


def test_the_faults_of_one_section_are_named_at_once(keys):
    keys["outcomes"][1] |= {"range": [2, 1], "reverse": ["b09"], "column": "x"}
    keys["outcomes"][1]["items"] = ["b01", "b01"]

    found = faults(keys)

    assert all(fault.startswith("study.toml, [outcomes 2]: ") for fault in found)
    assert [fault.split(": ", 1)[1].split(". ")[0] for fault in found] == [
        "an outcome of kind 'scale' takes no `column`",
        "`range` must be [lowest, highest]",
        "`reverse` names `b09`, not among `items`",
        "`items` names something twice",
    ]


@pytest.mark.parametrize("section", RESERVED)
def test_a_reserved_section_is_refused_with_that_said(keys, section):
    keys[section] = [{"name": "later"}]

    (fault,) = faults(keys)

    assert fault.startswith(f"study.toml, [{section}]: this section is reserved for a later")


@pytest.mark.parametrize("key", ["path", "hash"])
def test_what_the_reader_adds_cannot_be_written(keys, key):
    keys[key] = "x"

    assert faults(keys)[0].startswith(f"study.toml: the key `{key}` is not known")


@pytest.mark.parametrize(
    ("section", "change", "words"),
    [
        ("data", {"table": None}, "names no data"),
        ("data", {"table": "s3://bucket/p.csv"}, "is a web address"),
        ("data", {"wave": None}, "`baseline_wave` needs `wave`"),
        ("data", {"waves": [2, 3]}, "`baseline_wave` is not among `waves`"),
        ("data", {"waves": [1, 2, 2]}, "`waves` names a wave twice"),
        ("covariates", {"exact": ["School"]}, "`School` is a name that baseeval needs"),
        ("peers", {"peer_of": None}, "give the columns `year` and `sex`"),
        ("peers", {"is_peer": []}, "at least 1 item"),
        ("arms", {"base": [], "host_mainstream": [], "non_host": []}, "no arm has a label"),
        ("arms", {"non_host": ["aide"]}, "`aide` stands more than once among the arms' labels"),
        ("arms", {"other": "ignore"}, "Use one of: 'error' or 'exclude'"),
        ("covariates", {"exact": ["sex"]}, "`sex` stands more than once"),
        ("covariates", {"exact": ["arm"]}, "`arm` is a name that baseeval needs"),
        ("covariates", {"exact": ["school_id"]}, "of one school are asked for by `prefer = "),
        ("covariates", {"exact": ["placement"]}, "`placement` says which arm it is"),
        ("covariates", {"exact": ["autistic"]}, "`autistic` says who is a peer"),
        (
            "covariates",
            {"exact": [{"column": "need", "date": dt.date(2020, 1, 1)}]},
            "`placement_date` must be given",
        ),
        (
            "covariates",
            {
                "exact": [{"column": "need", "date": dt.date(2020, 1, 2)}],
                "placement_date": dt.date(2020, 1, 1),
            },
            "`need` was measured after `placement_date`",
        ),
        ("study", {"name": "No Spaces"}, "lower-case letters, digits and _"),
    ],
)
def test_what_does_not_go_together_is_refused(keys, section, change, words):
    for key, value in change.items():
        if value is None:
            del keys[section][key]
        else:
            keys[section][key] = value

    assert any(words in fault for fault in faults(keys)), faults(keys)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "sessions"}, "needs `attended`, `possible`"),
        ({"column": ""}, "at least 1 character"),
        ({"forms": ["level", "level"]}, "`forms` names something twice"),
        ({"forms": []}, "at least 1 item"),
        ({"smallest_effect": 0}, "a number above 0 is needed here"),
        ({"smallest_effect": float("inf")}, "a number above 0 is needed here"),
        ({"smallest_effect": "0.1"}, "a number above 0 is needed here"),
        ({"better": "more"}, "Use one of: 'higher', 'lower' or 'neither'"),
        ({"name": "belonging"}, "`belonging` is the name of more than one outcome"),
        ({"column": "wave"}, "takes `wave`, which says which wave it is"),
    ],
)
def test_an_outcome_that_cannot_be_is_refused(keys, change, words):
    keys["outcomes"][0] |= change

    assert any(words in fault for fault in faults(keys)), faults(keys)


@pytest.mark.parametrize(
    ("design", "words"),
    [
        ({"caliper": 0}, "caliper: a caliper is a number other than 0, as 0.2"),
        ({"caliper": "0.2"}, "caliper: a caliper is a number other than 0, as 0.2"),
        ({"caliper": {}}, "caliper: a caliper is a number other than 0, as 0.2"),
        ({"caliper": {"prior": True}}, "such numbers by column, as { age = 1.0 }"),
        ({"caliper_unit": "SD"}, 'caliper_unit: the unit is "sd" or "raw"'),
        ({"caliper": 0.2, "caliper_unit": {"prior": "raw"}}, "`prior`, which has no caliper"),
        ({"trim": 0.5}, 'trim: it takes "crump", "common_support", or the smallest chance'),
        ({"trim": True}, 'trim: it takes "crump", "common_support", or the smallest chance'),
        ({"cutpoints": 4}, "cutpoints: cuts stand by column: how many bins"),
        ({"cutpoints": {"prior": [1, "2"]}}, "cutpoints: cuts stand by column: how many bins"),
        ({"largest_share": 1}, "largest_share: a number above 0 and below 1 is needed here"),
        ({"ratio": 1.5}, "ratio: a whole number of at least 1 is needed here"),
        ({"replace": "yes"}, "replace: true or false is needed here"),
        ({"prefer": "school"}, '`prefer = "school"` needs a `caliper`'),
        ({"prefer": "school", "caliper": 0.2, "reuse": 2}, "`reuse` does not go together"),
        ({"anti_exact": ["need"]}, "cannot both agree on `need` (`exact`) and differ on it"),
        ({"caliper": {"need": 1}}, "`caliper` needs numbers, and `need` is a category"),
        ({"sampling_weights": "need"}, "`sampling_weights` needs numbers, and `need` is a cat"),
    ],
)
def test_a_design_that_cannot_be_is_refused_in_plain_words(keys, design, words):
    keys["covariates"]["exact"] = [{"column": "need", "kind": "category"}]
    keys["design"] = design

    (fault,) = faults(keys)

    assert words in fault
    assert not re.search("input|literal|constrained|dict|valid|should", fault)


@pytest.mark.parametrize(
    "design",
    [
        {"caliper": -1, "prefer": "school"},
        {"caliper": {"": 0.2, "prior": -1.5}, "caliper_unit": {"prior": "raw"}},
        {"caliper": 0.2, "caliper_unit": "raw"},
        {"trim": 0.05},
        {"trim": "crump"},
        {"cutpoints": {"": "q4", "prior": [8.5, 11], "sex": 0}},
    ],
)
def test_choices_of_designs_arrive_as_they_are_written(keys, design):
    keys["design"] = design

    assert plan_from_keys(keys, Path("study.toml")).design.settings() == design


def test_a_form_needs_what_it_is_made_from(keys):
    del keys["peers"], keys["data"]["baseline_wave"]
    keys["covariates"]["adjust"] = ["maths"]

    found = faults(keys)

    assert len(found) == 3
    assert "the form 'change', which needs `baseline_wave`" in found[0]
    assert "`maths` belongs to the outcome `attainment`" in found[1]
    assert "the form 'gap', which needs [peers]" in found[2]


def test_the_hash_knows_no_order_and_no_layout():
    loose = "[b]\ny = 2 # two\nx = 1\n[a]\nlist = [\n  1,\n  2,\n]\n"
    tight = "a = { list = [1, 2] }\n[b]\nx = 1\ny = 2\n"

    assert plan_hash(tomllib.loads(loose)) == plan_hash(tomllib.loads(tight))
    assert len(plan_hash({})) == 64


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("smallest_effect = 0.1", "smallest_effect = 0.2"),
        ('"regular", "aide"', '"aide", "regular"'),
        ("A small study", "A small  study"),
        ('reverse = ["b02"]', "reverse = []"),
        ('name = "small"', 'name = "small"\nseed = 1'),
    ],
)
def test_the_hash_changes_with_any_value(old, new):
    assert PLAN.count(old) == 1
    changed = PLAN.replace(old, new)

    assert plan_hash(tomllib.loads(changed)) != plan_hash(tomllib.loads(PLAN))


def test_the_nearest_known_word_is_named_only_if_near():
    assert nearest("adjsut", ["adjust", "exact"]).startswith("Did you mean `adjust`?")
    assert nearest("zzz", ["adjust", "exact"]) == "Known here: `adjust`, `exact`."
