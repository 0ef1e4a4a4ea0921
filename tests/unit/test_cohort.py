"""The cohort: who is in which arm, who is not and why, and what was measured when."""

from pathlib import Path
from types import SimpleNamespace

import pytest

import baseeval as be
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError, PlanError

ALL_ARMS = 'column = "arm"\nbase = ["b"]\nhost_mainstream = ["h", "h2"]\nnon_host = ["n"]'
WAVES = 'wave = "wave"\nbaseline_wave = 1'
MATCHED = '[peers]\ngroup = "aut"\nis_peer = ["no"]\npeer_of = "of"'
BY_YEAR = '[peers]\ngroup = "aut"\nis_peer = ["no"]\nyear = "year"\nsex = "sex"'


def build(folder: Path, text: str, *, arms=ALL_ARMS, data="", peers="", forms="", covariates=""):
    """Build a cohort of one outcome `y` from CSV text; give its tables as plain Python."""
    lines = [line.strip() for line in text.strip().splitlines()]
    (folder / "p.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "study.toml").write_text(
        "\n".join(
            [
                '[study]\nname = "s"\ntitle = "A study"',
                f'[data]\ntable = "p.csv"\npupil = "id"\nschool = "sch"\n{data}',
                f"[arms]\n{arms}" if arms else "",
                peers,
                f'[[outcomes]]\nname = "y"\nkind = "continuous"\ncolumn = "y"\n{forms}',
                f"[covariates]\n{covariates}",
            ]
        ),
        encoding="utf-8",
    )
    with Engine() as engine:
        cohort = be.build_cohort(be.read_study(folder / "study.toml"), engine)
        covariate_rows = engine.collect(cohort.covariates, ["pupil"]).to_pylist()
        order = ["form", "wave", "pupil"]
        outcome_rows = engine.collect(cohort.outcomes, order).to_pylist()
    flow = cohort.flow.table
    missing = cohort.missing
    return SimpleNamespace(
        cohort=cohort,
        arms={row["pupil"]: row["arm"] for row in covariate_rows},
        schools={row["pupil"]: row["school"] for row in covariate_rows},
        covariates=covariate_rows,
        outcomes={(row["form"], row["wave"], row["pupil"]): row["value"] for row in outcome_rows},
        flow=[tuple(row) for row in flow[["step", "arm", "pupils", "schools"]].to_numpy()],
        reasons=dict(zip(flow["reason"], flow["pupils"], strict=True)),
        missing=[
            tuple(row)
            for row in missing[["name", "wave", "arm", "pupils", "missing", "reason"]].to_numpy()
        ],
    )


def fault(folder, text, error=DataError, **options):
    with pytest.raises(error) as caught:
        build(folder, text, **options)
    return [str(problem) for problem in caught.value.problems]


def test_labels_make_the_arms(tmp_path):
    seen = build(tmp_path, "id,sch,arm,y\n1,A,b,1\n2,A,h,2\n3,A,h2,3\n4,B,n,4")

    assert seen.arms == {
        "1": "base",
        "2": "host_mainstream",
        "3": "host_mainstream",
        "4": "non_host",
    }
    assert seen.cohort.sizes == {"base": 1, "host_mainstream": 2, "non_host": 1}
    assert seen.cohort.contrasts == ("base_vs_host", "base_vs_non_host", "host_vs_non_host")
    assert seen.cohort.waves == ("",)
    assert seen.outcomes[("level", "", "3")] == 3.0


@pytest.mark.parametrize(
    ("arms", "contrasts"),
    [
        ('column = "arm"\nbase = ["b"]\nother = "exclude"', ()),
        (
            'column = "arm"\nbase = ["b"]\nhost_mainstream = ["h"]\nother = "exclude"',
            ("base_vs_host",),
        ),
        (
            'column = "arm"\nhost_mainstream = ["h"]\nnon_host = ["n"]\nother = "exclude"',
            ("host_vs_non_host",),
        ),
        ('column = "arm"\nbase = ["b"]\nnon_host = ["nobody"]\nother = "exclude"', ()),
    ],
)
def test_a_study_may_lack_arms(tmp_path, arms, contrasts):
    seen = build(tmp_path, "id,sch,arm,y\n1,A,b,1\n2,A,h,2\n4,B,n,4", arms=arms)

    assert seen.cohort.contrasts == contrasts


def test_a_study_without_arms_holds_everybody(tmp_path):
    seen = build(tmp_path, "id,sch,y\n1,A,1\n2,B,\n3,,3", arms="")

    assert seen.arms == {"1": "all", "2": "all"}
    assert seen.cohort.contrasts == ()
    assert seen.reasons["no school is recorded"] == 1
    assert ("y", "", "all", 2, 1, "blank") in seen.missing


def test_nobody_in_any_arm_is_refused(tmp_path):
    (found,) = fault(tmp_path, "id,sch,arm,y\n1,A,,1")

    assert found == (
        "p.csv: no pupil is in any arm. Most were left out because: no placement is recorded. "
        "Check [arms] and [eligibility]."
    )


def test_other_labels_may_be_left_out(tmp_path):
    text = "id,sch,arm,y\n1,A,b,1\n2,A,zoo,2\n3,B,n,3\n4,B,zoo,4"

    seen = build(tmp_path, text, arms=f'{ALL_ARMS}\nother = "exclude"')
    (found,) = fault(tmp_path, text)

    assert seen.arms == {"1": "base", "3": "non_host"}
    assert seen.reasons["the placement is one that the study leaves out"] == 2
    assert "2 rows have a label that no arm names" in found
    assert "zoo" not in found


def test_the_flow_gives_a_reason_for_everyone(tmp_path):
    text = """
        id,sch,arm,y,aut,of,x
        1,A,b,1,yes,,5
        2,A,h,2,yes,,
        3,B,n,3,yes,,6
        4,B,n,3,yes,,SUPP
        5,A,,5,no,1,7
        6,A,,6,yes,,7
        7,A,zoo,7,yes,,7
        8,,b,8,yes,,7
        9,,,9,no,3,7
    """

    seen = build(
        tmp_path,
        text,
        arms=f'{ALL_ARMS}\nother = "exclude"',
        peers=MATCHED,
        covariates='adjust = ["x"]',
    )

    assert seen.flow == [
        ("In the data", "all", 9, 2),
        ("Set aside", "all", 2, 1),
        ("Left out", "all", 1, 1),
        ("Left out", "all", 1, 1),
        ("Left out", "all", 1, 0),
        ("In an arm", "base", 1, 1),
        ("In an arm", "host_mainstream", 1, 1),
        ("In an arm", "non_host", 2, 1),
        ("In an arm, every covariate known", "base", 1, 1),
        ("In an arm, every covariate known", "host_mainstream", 0, 0),
        ("In an arm, every covariate known", "non_host", 1, 1),
    ]
    gone = sum(pupils for step, _, pupils, _ in seen.flow if step in ("Set aside", "Left out"))
    assert gone + sum(seen.cohort.sizes.values()) == 9
    assert seen.missing[:3] == [
        ("x", "", "base", 1, 0, ""),
        ("x", "", "host_mainstream", 1, 1, "blank"),
        ("x", "", "non_host", 2, 1, "SUPP"),
    ]


def test_missing_counts_add_up(tmp_path):
    text = """
        id,sch,arm,wave,y,x
        1,A,b,1,,1
        1,A,b,2,1,1
        2,A,b,1,SUPP,
        2,A,b,2,,
        3,A,b,1,5,SUPP
        4,B,n,1,,3
        4,B,n,2,5,3
        5,B,n,1,,3
        5,B,n,2,x,3
    """

    seen = build(tmp_path, text, data=WAVES, covariates='adjust = ["x"]')

    assert seen.missing == [
        ("x", "", "base", 3, 1, "SUPP"),
        ("x", "", "base", 3, 1, "blank"),
        ("x", "", "non_host", 2, 0, ""),
        ("y", "1", "base", 3, 1, "SUPP"),
        ("y", "1", "base", 3, 1, "blank"),
        ("y", "2", "base", 3, 1, "blank"),
        ("y", "2", "base", 3, 1, "no row at this wave"),
        ("y", "2", "non_host", 2, 1, "x"),
    ]
    values = {"base": 0, "non_host": 0}
    for _, _, pupil in seen.outcomes:
        values[seen.arms[pupil]] += 1
    assert values == {"base": 2, "non_host": 1}


def test_peers_are_in_no_arm_whatever_their_placement(tmp_path):
    text = (
        "id,sch,arm,y,aut,of\n1,A,b,1,yes,\n2,A,b,4,no,1\n3,A,zoo,6,no,1\n4,A,,6,no,\n5,B,n,3,yes,"
    )

    seen = build(tmp_path, text, peers=MATCHED, forms='forms = ["level", "gap"]')

    assert seen.arms == {"1": "base", "5": "non_host"}
    assert seen.reasons["a matched peer: in no arm, used only for gaps"] == 3
    assert seen.outcomes == {
        ("level", "", "1"): 1.0,
        ("level", "", "5"): 3.0,
        ("gap", "", "1"): 1 - (4 + 6) / 2,
    }


def test_gaps_are_taken_wave_by_wave(tmp_path):
    text = """
        id,sch,arm,wave,y,aut,of
        1,A,b,1,10,yes,
        1,A,b,2,14,yes,
        2,A,,1,8,no,1
        2,A,,2,,no,1
        3,A,,2,20,no,1
    """

    seen = build(tmp_path, text, data=WAVES, peers=MATCHED, forms='forms = ["gap"]')

    assert seen.outcomes[("gap", "1", "1")] == 10 - 8
    assert seen.outcomes[("gap", "2", "1")] == 14 - 20


def test_gaps_by_school_year_and_sex(tmp_path):
    text = """
        id,sch,arm,y,aut,year,sex
        1,A,b,10,yes,7,f
        2,A,h,10,yes,7,m
        3,B,n,10,yes,7,f
        4,A,,2,no,7,f
        5,A,,4,no,7,f
        6,A,,99,no,8,f
        7,B,,7,no,7,f
        8,B,,,no,7,f
        9,,,50,no,7,f
        10,A,b,10,yes,,f
    """

    seen = build(tmp_path, text, peers=BY_YEAR, forms='forms = ["gap"]')

    gaps = {pupil: value for (form, _, pupil), value in seen.outcomes.items() if form == "gap"}
    assert gaps == {"1": 10 - 3.0, "3": 10 - 7.0}


def test_year_and_sex_may_be_covariates_as_well(tmp_path):
    text = "id,sch,arm,y,aut,year,sex\n1,A,b,10,yes,7,f\n2,A,,4,no,7,f\n3,A,h,1,yes,7,f"

    seen = build(
        tmp_path,
        text,
        peers=BY_YEAR,
        forms='forms = ["gap"]',
        covariates='adjust = ["year", "sex"]',
    )

    assert seen.outcomes[("gap", "", "1")] == 6.0
    assert seen.covariates[0]["year"] == 7.0


def test_a_pupil_without_a_peer_has_no_gap(tmp_path):
    text = "id,sch,arm,y,aut,of\n1,A,b,1,yes,\n2,B,n,4,yes,\n3,A,,2,no,1\n4,A,,,no,2\n5,A,,9,no,"

    seen = build(tmp_path, text, peers=MATCHED, forms='forms = ["gap"]')

    assert {key: value for key, value in seen.outcomes.items() if key[0] == "gap"} == {
        ("gap", "", "1"): -1.0
    }


@pytest.mark.parametrize(
    ("peer", "words"),
    [
        ("", "column `aut`: no row holds a value that `is_peer` names"),
        ("\n3,A,,,no,1", "`y`: no pupil of an arm has the gap of `y` after placement"),
    ],
)
def test_a_gap_that_nobody_has_is_refused(tmp_path, peer, words):
    text = f"id,sch,arm,y,aut,of\n1,A,b,1,yes,\n2,B,n,4,yes,{peer}"

    (found,) = fault(tmp_path, text, peers=MATCHED, forms='forms = ["gap"]')

    assert found.startswith(f"p.csv, {words}")


def test_an_outcome_that_nobody_has_after_placement_is_refused(tmp_path):
    (found,) = fault(tmp_path, "id,sch,arm,wave,y\n1,A,b,1,5\n1,A,b,2,", data=WAVES)

    assert found.startswith("p.csv, `y`: no pupil of an arm has the level of `y` after placement.")


def test_who_is_a_peer_is_read_without_regard_to_case(tmp_path):
    text = "id,sch,arm,y,aut,of\n1,A,b,1,Yes,\n2,A,b,4,No,1\n3,A,b,6,NO,1"

    seen = build(tmp_path, text, peers=MATCHED, forms='forms = ["gap"]')

    assert seen.arms == {"1": "base"}
    assert seen.outcomes[("gap", "", "1")] == -4.0


def test_who_may_be_a_peer_is_in_no_arm(tmp_path):
    text = "id,sch,arm,y,aut,of\n1,A,b,1,yes,\n2,A,b,4,,\n3,A,b,6,no,1"

    seen = build(tmp_path, text, peers=MATCHED)

    assert seen.arms == {"1": "base"}
    assert seen.reasons["whether the pupil is a peer is not recorded"] == 1


def test_a_change_is_since_the_baseline(tmp_path):
    text = """
        id,sch,arm,wave,y
        1,A,b,0,100
        1,A,b,1,10
        1,A,b,2,13
        1,A,b,3,9
        2,A,h,1,
        2,A,h,2,5
        3,B,n,2,5
    """

    seen = build(tmp_path, text, data=WAVES, forms='forms = ["change"]')

    changes = {key[1:]: value for key, value in seen.outcomes.items() if key[0] == "change"}
    assert changes == {("2", "1"): 3.0, ("3", "1"): -1.0}


@pytest.mark.parametrize(
    ("given", "ordered"),
    [
        (["10", "9", "1"], ("1", "9", "10")),
        (["1.5", "1", "-1"], ("-1", "1", "1.5")),
    ],
)
def test_waves_are_in_the_order_of_numbers_where_they_are_numbers(tmp_path, given, ordered):
    rows = "\n".join(f"1,A,b,{wave},1" for wave in given)

    seen = build(tmp_path, f"id,sch,arm,wave,y\n{rows}", data='wave = "wave"')

    assert seen.cohort.waves == ordered
    assert [wave for _, wave, *_ in seen.missing] == list(ordered)


WORDS = "id,sch,arm,wave,y\n1,A,b,summer,7\n1,A,b,autumn,5"


def test_waves_in_words_are_in_the_order_that_the_plan_gives(tmp_path):
    order = 'wave = "wave"\nwaves = ["autumn", "spring", "summer"]\nbaseline_wave = "autumn"'

    seen = build(tmp_path, WORDS, data=order, forms='forms = ["change"]')

    assert seen.cohort.waves == ("autumn", "summer")
    assert seen.outcomes[("change", "summer", "1")] == 2.0


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ('wave = "wave"', "the 2 waves are words, whose order nothing tells"),
        ('wave = "wave"\nwaves = ["autumn"]', "the data hold waves that it does not name (1)"),
    ],
)
def test_waves_in_words_need_an_order(tmp_path, data, words):
    (found,) = fault(tmp_path, WORDS, PlanError, data=data)

    assert found.startswith(f"study.toml, [data] waves: {words}")
    assert "summer" not in found


def test_change_follows_the_order_of_numbers(tmp_path):
    text = "id,sch,arm,wave,y\n1,A,b,10,7\n1,A,b,9,5"

    seen = build(
        tmp_path,
        text,
        data='wave = "wave"\nbaseline_wave = 9',
        forms='forms = ["change"]',
    )

    assert seen.outcomes[("change", "10", "1")] == 2.0


def test_the_school_is_that_of_time_zero(tmp_path):
    text = """
        id,sch,arm,wave,y
        1,Before,b,0,1
        1,Zero,b,1,1
        1,After,b,2,1
        2,,b,1,1
        2,Later,b,2,1
        3,First,b,2,1
        3,Second,b,3,1
    """

    with_baseline = build(tmp_path, text, data=WAVES)
    without = build(tmp_path, text, data='wave = "wave"')

    assert with_baseline.schools == {"1": "Zero", "2": "Later", "3": "First"}
    assert without.schools == {"1": "Before", "2": "Later", "3": "First"}


def test_the_placement_is_that_of_time_zero(tmp_path):
    text = "id,sch,arm,wave,y\n1,A,,1,1\n1,A,b,2,2\n2,B,n,1,1\n2,B,zoo,2,1\n3,B,zoo,1,1\n3,B,n,2,1"

    seen = build(tmp_path, text, data=WAVES, arms=f'{ALL_ARMS}\nother = "exclude"')

    assert seen.arms == {"1": "base", "2": "non_host"}
    assert seen.reasons["the placement is one that the study leaves out"] == 1
    assert ("level", "1", "1") in seen.outcomes


def test_covariates_are_those_of_the_baseline(tmp_path):
    text = """
        id,sch,arm,wave,y,x,still,late
        1,A,b,0,1,5,f,
        1,A,b,1,1,6,f,
        1,A,b,2,1,7,f,2
        2,A,h,1,1,,,
        2,A,h,2,1,8,m,3
        3,B,n,2,1,9,m,4
    """

    seen = build(
        tmp_path,
        text,
        data=WAVES,
        covariates='adjust = ["x", { column = "y", wave = 0 }]\nexact = ["still"]',
    )

    rows = {row["pupil"]: (row["x"], row["y"], row["still"]) for row in seen.covariates}
    assert rows == {"1": (6.0, 1.0, "f"), "2": (None, None, None), "3": (None, None, None)}
    assert ("x", "", "host_mainstream", 1, 1, "blank") in seen.missing
    assert ("x", "", "non_host", 1, 1, "no row") in seen.missing


def test_the_reason_is_that_of_the_wave_that_is_taken(tmp_path):
    text = "id,sch,arm,wave,y,x\n1,A,b,1,1,SUPP\n1,A,b,2,1,\n2,A,b,1,1,3\n2,A,b,2,1,4"

    seen = build(tmp_path, text, data=WAVES, covariates='adjust = ["x"]')

    assert seen.missing[0] == ("x", "", "base", 2, 1, "SUPP")


def test_an_outcome_is_adjusted_for_at_the_baseline_only(tmp_path):
    """Its value at one later wave would not look like a change between waves."""
    text = "id,sch,arm,wave,y\n1,A,b,1,3\n2,A,b,1,\n2,A,b,2,9"

    seen = build(tmp_path, text, data=WAVES, covariates='adjust = ["y"]')

    assert [row["y"] for row in seen.covariates] == [3.0, None]


@pytest.mark.parametrize(
    ("covariate", "data", "error", "words"),
    [
        ('"x"', 'wave = "wave"', DataError, "the covariate changes between waves for 1 pupil."),
        ('{ column = "x", wave = 2 }', WAVES, PlanError, "from a wave after the baseline"),
        ('{ column = "x", wave = 7 }', WAVES, PlanError, "no row is of the wave named for `x`"),
        ('{ column = "x", wave = 1 }', 'wave = "wave"', PlanError, "Name `baseline_wave`"),
        ('"late"', WAVES, PlanError, "`late` is recorded only after the baseline"),
        ('"x"', 'wave = "wave"\nbaseline_wave = 8', PlanError, "The waves are: 1, 2."),
    ],
)
def test_a_covariate_must_predate_placement(tmp_path, covariate, data, error, words):
    text = "id,sch,arm,wave,y,x,late\n1,A,b,1,3,1,\n1,A,b,2,3,2,5"

    (found,) = fault(tmp_path, text, error, data=data, covariates=f"adjust = [{covariate}]")

    assert words in found


def test_many_waves_are_not_listed(tmp_path):
    rows = "\n".join(f"1,A,b,98765{number},1" for number in range(13))

    (found,) = fault(tmp_path, f"id,sch,arm,wave,y\n{rows}", PlanError, data=WAVES)

    assert "The column has 13 waves." in found
    assert "98765" not in found


def test_more_waves_than_there_can_be_are_refused(tmp_path):
    rows = "\n".join(f"1,A,b,98765{number},1" for number in range(51))

    (found,) = fault(tmp_path, f"id,sch,arm,wave,y\n{rows}", data=WAVES)

    assert "column `wave`: the column has 51 waves, more than the 50 that are allowed" in found
    assert "98765" not in found


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ("1,A,b,1,yes,\n1,A,b,1,yes,", "id", "1 pupil has more than one row. Keep one row a pupil"),
        ("1,A,b,1,yes,\n1,B,b,1,yes,", "sch", "1 pupil has rows in more than one school."),
        (",A,b,1,yes,\n,B,b,1,yes,", "id", "2 rows have no value"),
        ("nan,A,b,1,yes,", "id", "1 row has no value"),
    ],
)
def test_each_row_is_one_pupils(tmp_path, text, where, words):
    (found,) = fault(
        tmp_path, f"id,sch,arm,y,aut,of\n{text}\n9,B,n,1,yes,\n8,B,,1,no,9", peers=MATCHED
    )

    assert found.startswith(f"p.csv, column `{where}`: {words}")


@pytest.mark.parametrize(
    ("second", "where", "words"),
    [
        ("1,A,n,2,1,yes,", "arm", "1 pupil has rows in more than one arm"),
        ("1,A,b,2,1,no,", "aut", "1 pupil has rows both as a peer and as not a peer"),
        ("1,A,b,,1,yes,", "wave", "1 row has no value"),
        ("1,A,b,1,1,yes,", "id", "1 pupil has more than one row at one wave"),
        ("1,B,b,1,1,yes,", "sch", "1 pupil has rows in more than one school at one wave"),
    ],
)
def test_the_rows_of_a_pupil_agree(tmp_path, second, where, words):
    text = f"id,sch,arm,wave,y,aut,of\n1,A,b,1,1,yes,\n{second}\n8,A,,1,1,no,1"

    (found,) = fault(tmp_path, text, data=WAVES, peers=MATCHED)

    assert found.startswith(f"p.csv, column `{where}`: {words}")


def test_every_breach_is_named_at_once(tmp_path):
    text = "id,sch,arm,y,x\n1,A,b,one,1\n1,B,h,2,a\n,A,zoo,3,1"

    found = fault(tmp_path, text, covariates='adjust = ["x"]')

    assert [problem.split(":")[0] for problem in found] == [
        "p.csv, column `y`",
        "p.csv, column `x`",
        "p.csv, column `id`",
        "p.csv, column `sch`",
        "p.csv, column `arm`",
        "p.csv, column `arm`",
    ]


def needs(counts):
    """Give a table in which each arm holds so many pupils of each need."""
    rows = [
        f"{arm}{need}{number},{arm},{arm},1,{need}"
        for arm, held in counts.items()
        for need, count in held.items()
        for number in range(count)
    ]
    return "id,sch,arm,y,need\n" + "\n".join(rows)


def test_a_need_that_an_arm_lacks_is_warned_of(tmp_path):
    held = {"b": {"ASD": 12, "MLD": 12}, "h": {"ASD": 12, "MLD": 12}, "n": {"ASD": 12}}

    seen = build(tmp_path, needs(held), covariates='adjust = ["need"]')

    assert seen.cohort.notes == (
        "No pupil of non_host has need = MLD: nobody there can stand for such pupils.",
    )


def test_a_need_that_few_pupils_have_is_not_named(tmp_path):
    held = {"b": {"ASD": 12, "ZEBRA": 9}, "h": {"ASD": 12}, "n": {"ASD": 12, "LION": 1}}

    seen = build(tmp_path, needs(held), covariates='exact = ["need"]')

    (note,) = seen.cohort.notes
    assert note.startswith("Some arm has nobody with 2 of the rarer levels of need")


def test_a_school_cannot_both_host_and_not(tmp_path):
    seen = build(tmp_path, "id,sch,arm,y\n1,A,b,1\n2,A,n,2")

    (note,) = seen.cohort.notes
    assert note.startswith("Some schools hold pupils of non_host beside those of base")


def test_numbers_and_shared_needs_are_not_warned_of(tmp_path):
    held = {"b": {"1": 12}, "h": {"2": 12}, "n": {"3": 12}}
    assert build(tmp_path, needs(held), covariates='adjust = ["need"]').cohort.notes == ()

    held = {"b": {"ASD": 1}, "h": {"ASD": 12}}
    assert build(tmp_path, needs(held), covariates='adjust = ["need"]').cohort.notes == ()


def test_a_stated_category_keeps_levels_that_look_like_codes(tmp_path):
    text = "id,sch,arm,y,band\n1,A,b,1,low\n2,A,h,2,high\n3,A,h,3,\n4,B,n,4,x"
    stated = 'adjust = [{ column = "band", kind = "category" }]'

    seen = build(tmp_path, text, covariates=stated)
    guessed = build(tmp_path, text, covariates='adjust = ["band"]')

    assert [row["band"] for row in seen.covariates] == ["low", "high", None, "x"]
    assert [row["band"] for row in guessed.covariates] == [None, "high", None, None]
    assert ("band", "", "base", 1, 1, "low") in guessed.missing


def test_a_covariate_keeps_its_value_of_before_whatever_comes_later(tmp_path):
    text = """
        id,sch,arm,wave,y,x
        1,A,b,0,1,5
        1,A,b,1,1,
        1,A,b,2,1,9
        2,A,h,1,1,4
        2,A,h,2,1,4
    """

    seen = build(tmp_path, text, data=WAVES, covariates='adjust = ["x"]')

    assert [row["x"] for row in seen.covariates] == [5.0, 4.0]
