"""A study's plan against what the methods can do."""

import pytest

import baseeval as be
from baseeval.errors import PlanError

PLAN = """
[study]
name = "s"
title = "A study"
[data]
{data}
[arms]
column = "arm"
base = ["b"]
[[outcomes]]
name = "y"
kind = "{kind}"
column = "y"
[covariates]
adjust = [{adjust}]
[design]
estimand = "{estimand}"
methods = [{methods}]
[analysis]
models = [{models}]
missing = "{missing}"
[release]
profile = "{profile}"
"""
SOUND = {
    "data": 'table = "p.csv"',
    "kind": "continuous",
    "adjust": '"x"',
    "estimand": "ATT",
    "methods": '"none", "entropy", "nearest", "propensity"',
    "models": '"multilevel", "regression", "unadjusted"',
    "missing": "complete_case",
    "profile": "srs",
}


def read(folder, **changes):
    path = folder / "study.toml"
    path.write_text(PLAN.format(**SOUND | changes), encoding="utf-8")
    return be.read_study(path)


def faults(folder, **changes):
    with pytest.raises(PlanError) as caught:
        read(folder, **changes)
    return [str(problem) for problem in caught.value.problems]


def test_a_sound_study_is_read(tmp_path):
    assert read(tmp_path).design.methods == ["none", "entropy", "nearest", "propensity"]


@pytest.mark.parametrize(
    ("method", "estimand", "serves"),
    [
        ("entropy", "ATO", "ATT, ATC, ATE"),
        ("nearest", "ATE", "ATT, ATC"),
        ("nearest", "ATO", "ATT, ATC"),
    ],
)
def test_an_estimand_that_a_design_cannot_serve_is_refused(tmp_path, method, estimand, serves):
    (fault,) = faults(tmp_path, methods=f'"{method}"', estimand=estimand)

    assert f"`{method}` cannot serve the estimand {estimand}. It serves {serves};" in fault
    assert "propensity" in fault.split("is served by")[1]


@pytest.mark.parametrize("estimand", ["ATT", "ATC", "ATE", "ATO"])
def test_propensity_serves_every_estimand(tmp_path, estimand):
    assert read(tmp_path, methods='"propensity"', estimand=estimand).design.estimand == estimand


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"models": '"multilevell"'},
            "`multilevell` is not there (yet). Did you mean `multilevel`",
        ),
        ({"models": '"unadjusted", "unadjusted"'}, "a model is named twice"),
        ({"methods": '"entropi"'}, "`entropi` is not there (yet). Did you mean `entropy`?"),
        ({"methods": '"none", "none"'}, "a design is named twice"),
        ({"adjust": "", "methods": '"entropy"'}, "`entropy` needs covariates. Name some in"),
        ({"missing": "multiple_imputation"}, "reserved for a later version"),
        ({"data": 'source = "npd"'}, "a source says the placement in [placement]"),
        ({"profile": "srss"}, "the profile `srss` is not there (yet). Did you mean `srs`?"),
    ],
)
def test_a_method_that_is_not_there_is_named_with_the_nearest(tmp_path, changes, words):
    (fault,) = faults(tmp_path, **changes)

    assert fault.startswith("study.toml, [")
    assert words in fault


def test_every_fault_of_the_methods_is_named_at_once(tmp_path):
    found = faults(
        tmp_path, models='"a", "b"', methods='"c", "nearest"', estimand="ATO", profile="d"
    )

    assert len(found) == 5


def test_check_tells_who_would_be_compared(tmp_path):
    (tmp_path / "p.csv").write_text("pupil_id,school_id,arm,y,x\n1,A,b,2,3\n", encoding="utf-8")
    read(tmp_path)

    cohort = be.check_study(tmp_path / "study.toml")

    assert cohort.sizes == {"base": 1}
    assert cohort.contrasts == ()


def test_a_fault_of_shape_hides_no_fault_of_method(tmp_path):
    text = """
        [study]
        name = "s"
        titel = "A study"
        [data]
        table = "p.csv"
        [[outcomes]]
        name = "y"
        kind = "continuous"
        column = "y"
        [design]
        methods = ["entropie"]
        [analysis]
        models = ["multi"]
        [release]
        profile = "sr"
    """
    plan = tmp_path / "study.toml"
    plan.write_text("\n".join(line.strip() for line in text.splitlines()), encoding="utf-8")

    with pytest.raises(PlanError) as caught:
        be.read_study(plan)

    told = str(caught.value)
    for words in ("`titel` is not known", "`entropie`", "`entropy`", "`multi`", "`sr`"):
        assert words in told
