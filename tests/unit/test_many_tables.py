"""A cohort made of many tables: every pupil of a small extract worked out by hand."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from baseeval.cohort.building import build_cohort
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError, PlanError
from baseeval.plan import plan_from_keys

HOST, OTHER, PRIMARY = "100001", "100002", "200001"

#: Pupil -> year -> (school, year group, SEN provision, first need, second, SEN unit flag).
#: The censuses are those of the spring: 16 January 2020, 21 January 2021, 20 January 2022.
CENSUS = {
    # Placed from entry; unflagged in primary school.
    "placed": {
        2020: (PRIMARY, "6", "E", "ASD", None, 0),
        2021: (HOST, "7", "E", "ASD", "SLCN", 1),
        2022: (HOST, "8", "E", "ASD", None, 1),
    },
    "beside": {
        2020: (PRIMARY, "6", "K", "ASD", None, 0),
        2021: (HOST, "7", "K", "ASD", None, 0),
        2022: (HOST, "8", "K", "ASD", None, 0),
    },
    "elsewhere": {
        2020: (PRIMARY, "6", "K", "ASD", None, 0),
        2021: (OTHER, "7", "K", "ASD", None, 0),
        2022: (OTHER, "8", "K", "ASD", None, 0),
    },
    # First recorded with another need: as first recorded, not eligible.
    "another need first": {
        2020: (PRIMARY, "6", "K", "MLD", None, 0),
        2021: (HOST, "7", "K", "ASD", None, 0),
    },
    "no need": {2021: (HOST, "7", "N", None, None, 0)},
    # A need recorded only after the first school year is knowledge of the future.
    "need too late": {
        2021: (HOST, "7", "N", None, None, 0),
        2022: (HOST, "8", "K", "ASD", None, 0),
    },
    # In mainstream at entry, in the base a year later: host_mainstream, and a mover.
    "later in the base": {
        2020: (PRIMARY, "6", "E", "ASD", None, 0),
        2021: (HOST, "7", "E", "ASD", None, 0),
        2022: (HOST, "8", "E", "ASD", None, 1),
    },
    # In the base when first seen: nothing was measured before.
    "placed already": {
        2021: (HOST, "7", "E", "ASD", None, 1),
        2022: (HOST, "8", "E", "ASD", None, 1),
    },
    "withdrew": {2021: (HOST, "7", "E", "ASD", None, 1)},
    "refused consent": {2021: (OTHER, "7", "K", "ASD", None, 0)},
    "too old": {
        2021: (OTHER, "10", "K", "ASD", None, 0),
        2022: (OTHER, "11", "K", "ASD", None, 0),
    },
    "secondary need": {2021: (OTHER, "7", "K", "SLCN", "ASD", 0)},
    # Not seen in the second year.
    "moved away": {
        2020: (PRIMARY, "6", "K", "ASD", None, 0),
        2021: (OTHER, "7", "K", "ASD", None, 0),
    },
    # Out of the base again in the second year, and still base: the arm is that of time zero.
    "back in class": {
        2020: (PRIMARY, "6", "E", "ASD", None, 0),
        2021: (HOST, "7", "E", "ASD", None, 1),
        2022: (HOST, "8", "E", "ASD", None, 0),
    },
}

ARMS = {
    "placed": "base",
    "placed already": "base",
    "back in class": "base",
    "beside": "host_mainstream",
    "later in the base": "host_mainstream",
    "elsewhere": "non_host",
    "moved away": "non_host",
}

STUDY = {
    "study": {"name": "tables", "title": "Tables"},
    "data": {"source": "contracts", "files": {}},
    "eligibility": {"needs": ["ASD"], "years": ["7"]},
    "outcomes": [
        {
            "name": "attendance",
            "kind": "sessions",
            "attended": "sessions_attended",
            "possible": "sessions_possible",
            "standardise": "cohort",
        }
    ],
    "covariates": {"adjust": ["fsm", "ks2_maths", "absence_share", "sex"]},
}


def pupils():
    rows = []
    for pupil, years in CENSUS.items():
        for year, (urn, group, provision, primary, secondary, unit) in years.items():
            rows.append(
                {
                    "pupil_id": pupil,
                    "year": year,
                    "term": "SPR",
                    "urn": urn,
                    "year_group": group,
                    "sen_provision": provision,
                    "primary_need": primary,
                    "secondary_need": secondary,
                    "sen_unit": unit,
                    "sex": "F" if len(pupil) % 2 else "M",
                    "fsm": int(year == 2020),
                    "entry_date": dt.date(2014, 9, 1) if year == 2020 else dt.date(2020, 9, 1),
                    "withdrawn": dt.date(2022, 3, 1) if pupil == "withdrew" else None,
                    "consent": int(pupil != "refused consent"),
                }
            )
    return pd.DataFrame(rows)


def attendance():
    rows = [
        {
            "pupil_id": pupil,
            "year": year,
            "sessions_possible": 300,
            "sessions_attended": 300 - 10 * number - (year - 2019),
        }
        for number, pupil in enumerate(CENSUS)
        for year in (2019, 2021, 2022)
        if year in CENSUS[pupil] or (year == 2019 and 2020 in CENSUS[pupil])
    ]
    return pd.DataFrame(rows)


def attainment():
    rows = [
        {"pupil_id": pupil, "year": 2019, "measure": "ks2_maths", "value": 100.0 + number}
        for number, pupil in enumerate(CENSUS)
        if 2020 in CENSUS[pupil]
    ]
    rows[0] |= {"value": "below_standard"}
    return pd.DataFrame(rows)


def tables():
    return {"pupils": pupils(), "attendance": attendance(), "attainment": attainment()}


def build(tmp_path, given=None, **changes):
    plan = plan_from_keys({**STUDY, **changes}, tmp_path / "study.toml")
    return build_cohort(plan, Engine(), given or tables())


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return build(tmp_path_factory.mktemp("study"))


def frame(cohort, table, order):
    return cohort.engine.collect(table, order).to_pandas().set_index(order[0])


def test_every_pupil_is_in_the_arm_worked_out_by_hand(cohort):
    found = frame(cohort, cohort.covariates, ["pupil"])

    assert found["arm"].to_dict() == ARMS
    assert found.loc["placed", "school"] == HOST


def test_every_pupil_who_is_left_out_has_the_reason(cohort):
    flow = cohort.flow.table
    out = flow[flow["step"] == "Left out"].set_index("reason")["pupils"].to_dict()

    assert out == {
        "consent was not given": 1,
        "withdrew from the study": 1,
        "not in an eligible year group in any record": 1,
        "no type of need is recorded by the end of the first school year": 2,
        "the type of need first recorded is not an eligible one": 2,
    }
    assert flow.loc[flow["step"] == "In the data", "pupils"].tolist() == [len(CENSUS)]


def test_the_need_is_counted_under_each_rule(cohort):
    # Eligible in all else: seven of an arm, and `secondary need`, whose second need is autism.
    assert cohort.need_rules.to_dict("list") == {
        "rule": ["primary", "secondary", "either"],
        "used": [True, False, False],
        "pupils": [7, 1, 8],
        "schools": [2, 1, 2],
    }


def test_covariates_are_those_of_before_time_zero(cohort):
    found = frame(cohort, cohort.covariates, ["pupil"])

    # Free meals were claimed in the census of 2020 alone; time zero is 1 September 2020.
    assert found.loc["beside", "fsm"] == 1
    assert np.isnan(found.loc["placed already", "fsm"])
    assert found.loc["beside", "ks2_maths"] == 101
    assert np.isnan(found.loc["placed", "ks2_maths"])
    # Of 2018/19, the last school year that was over: 2019/20 is not in the table.
    assert found.loc["beside", "absence_share"] == pytest.approx(10 / 300)
    # What does not change may be taken from any record.
    assert found["sex"].notna().all()


def test_a_missing_result_keeps_its_reason(cohort):
    missing = cohort.missing
    mine = missing[(missing["name"] == "ks2_maths") & (missing["arm"] == "base")]

    assert dict(zip(mine["reason"], mine["missing"], strict=True)) == {
        "below_standard": 1,
        "no row": 1,
    }


def test_waves_count_school_years_from_time_zero(cohort):
    rows = cohort.engine.collect(cohort.outcomes, ["pupil", "wave"]).to_pandas()
    waves = rows.groupby("pupil")["wave"].apply(list).to_dict()

    assert cohort.waves == ("0", "1", "2")
    assert waves["placed"] == ["1", "2"]
    assert waves["moved away"] == ["1"]


def test_an_outcome_is_standardised_within_its_school_year(cohort):
    rows = cohort.engine.collect(cohort.outcomes, ["pupil", "wave"]).to_pandas()
    value = rows.set_index(["pupil", "wave"])["value"]
    everyone = attendance().query("year == 2021")
    share = everyone["sessions_attended"] / everyone["sessions_possible"]
    mine = share[everyone["pupil_id"] == "beside"].iloc[0]

    assert value["beside", "1"] == pytest.approx((mine - share.mean()) / share.std(ddof=1))


def test_movers_keep_the_arm_of_time_zero_and_are_counted(cohort):
    moves = cohort.movements.set_index(["wave", "arm", "arm_then"])["pupils"].to_dict()

    assert moves == {
        ("1", "base", "base"): 3,
        ("1", "host_mainstream", "host_mainstream"): 2,
        ("1", "non_host", "non_host"): 2,
        ("2", "base", "base"): 2,
        ("2", "base", "host_mainstream"): 1,
        ("2", "host_mainstream", "base"): 1,
        ("2", "host_mainstream", "host_mainstream"): 1,
        ("2", "non_host", "non_host"): 1,
        ("2", "non_host", "not seen"): 1,
    }


def test_attrition_counts_who_is_not_seen_again(cohort):
    counts = cohort.attrition[cohort.attrition["covariate"] == ""]
    lost = counts.set_index(["wave", "arm"])[["pupils", "lost"]].to_dict("index")

    assert lost == {
        ("1", "base"): {"pupils": 3, "lost": 0},
        ("1", "host_mainstream"): {"pupils": 2, "lost": 0},
        ("1", "non_host"): {"pupils": 2, "lost": 0},
        ("2", "base"): {"pupils": 3, "lost": 0},
        ("2", "host_mainstream"): {"pupils": 2, "lost": 0},
        ("2", "non_host"): {"pupils": 2, "lost": 1},
    }


def test_pupils_placed_already_are_said_and_may_be_left_out(tmp_path, cohort):
    without = build(tmp_path, placement={"already_placed": "exclude"})

    assert "1 pupil of base had a place already when first seen" in cohort.notes[0]
    assert "change while placed" in cohort.notes[0]
    assert cohort.cautions["base_vs_host"] == {"no_pre_placement_baseline"}
    assert "placed already" not in frame(without, without.covariates, ["pupil"]).index
    assert not any("had a place already" in note for note in without.notes)
    assert without.cautions.keys() == {"attendance 1", "attendance 2"}


def test_arms_followed_over_time_describe_and_do_not_compare(tmp_path):
    followed = build(tmp_path, placement={"movers": "time_varying"})
    rows = followed.engine.collect(followed.outcomes, ["pupil", "wave"]).to_pandas()
    arms = rows.set_index(["pupil", "wave"])["arm"]

    assert followed.contrasts == ()
    assert arms["later in the base", "1"] == "host_mainstream"
    assert arms["later in the base", "2"] == "base"


def test_a_covariate_from_after_time_zero_is_refused_unless_it_is_meant(tmp_path):
    late = pupils().assign(looked_after=lambda rows: rows["year"].map({2021: 1, 2022: 0}))
    given = {**tables(), "pupils": late}

    with pytest.raises(PlanError) as error:
        build(tmp_path, given, covariates={"adjust": ["looked_after"]})
    meant = build(
        tmp_path,
        given,
        covariates={"adjust": [{"column": "looked_after", "after_placement": True}]},
    )

    assert "`looked_after` is recorded only after time zero" in str(error.value)
    assert "after_placement = true" in str(error.value)
    assert frame(meant, meant.covariates, ["pupil"])["looked_after"].tolist() == [1] * 7


def test_pandemic_years_are_not_pooled_unless_standardised(tmp_path):
    plain = [{**STUDY["outcomes"][0], "standardise": "no"}]
    # One cohort entered in 2020/21: at each wave there is one school year, and nothing is pooled.
    alone = build(tmp_path, outcomes=plain)
    # A second cohort, two years later, puts 2022/23 beside 2020/21.
    later = pupils().assign(pupil_id=lambda r: r["pupil_id"] + "2", year=lambda r: r["year"] + 2)
    later["entry_date"] = later["entry_date"].map(lambda day: day.replace(year=day.year + 2))
    both = {
        **tables(),
        "pupils": pd.concat([pupils(), later]),
        "attendance": pd.concat(
            [
                attendance(),
                attendance().assign(
                    pupil_id=lambda r: r["pupil_id"] + "2", year=lambda r: r["year"] + 2
                ),
            ]
        ),
    }

    assert alone.cautions["attendance 1"] == {"pandemic"}
    with pytest.raises(PlanError, match=r"figures of 2020/21, 2021/22, which were not made like"):
        build(tmp_path, both, outcomes=plain)
    assert build(tmp_path, both).cautions["attendance 2"] == {"pandemic"}


def test_a_matched_date_gives_everybody_a_start(tmp_path):
    spells = pd.DataFrame(
        {
            "pupil_id": ["placed", "back in class"],
            "urn": [HOST, HOST],
            "base_id": ["b", "b"],
            "base_type": ["SEN unit", "SEN unit"],
            "start": [dt.date(2021, 3, 1), dt.date(2021, 3, 1)],
            "end": [None, dt.date(2021, 9, 1)],
        }
    )
    cohort = build(
        tmp_path,
        {**tables(), "placements": spells},
        eligibility={"needs": ["ASD"], "time_zero": "matched_date"},
        placement={"source": "spells"},
        covariates={"adjust": ["fsm"]},
    )
    found = frame(cohort, cohort.covariates, ["pupil"])

    # All of one age draw from the two starts, both 1 March 2021; `too old` has nobody to match.
    assert found.loc[["placed", "back in class"], "arm"].tolist() == ["base", "base"]
    assert found.loc["beside", "arm"] == "host_mainstream"
    assert "too old" not in found.index
    reasons = cohort.flow.table.set_index("reason")["pupils"]
    assert reasons["nobody of the same year group was placed, so there is no date to match"] == 1
    # Sessions of the year that time zero divides belong to neither side of it.
    rows = cohort.engine.collect(cohort.outcomes, ["pupil", "wave"]).to_pandas()
    assert set(rows["wave"]) == {"2"}
    assert found["fsm"].dropna().isin([0]).all()


def test_a_fixed_date_follows_everybody_on_record_from_one_day(tmp_path):
    cohort = build(
        tmp_path,
        eligibility={
            "needs": ["ASD"],
            "time_zero": "fixed_date",
            "date": dt.date(2021, 9, 1),
        },
        covariates={"adjust": ["fsm", "absence_share"]},
    )
    found = frame(cohort, cohort.covariates, ["pupil"])

    # Of 2021/22 alone, by its census of January 2022; whoever left before is not on record.
    assert found["arm"].to_dict() == {
        "placed": "base",
        "placed already": "base",
        "later in the base": "base",
        "back in class": "host_mainstream",
        "beside": "host_mainstream",
        "need too late": "host_mainstream",  # not too late here: known by the end of 2021/22
        "elsewhere": "non_host",
        "too old": "non_host",
    }
    # Known by the day: the census of January 2021, and the sessions of 2020/21.
    assert (found["fsm"] == 0).all()
    expected = {pupil: (10 * i + 2) / 300 for i, pupil in enumerate(CENSUS)}
    np.testing.assert_allclose(found["absence_share"], [expected[pupil] for pupil in found.index])
    reasons = cohort.flow.table.set_index("reason")["pupils"]
    assert reasons["not on record in the school year of the eligibility event"] >= 2
    rows = cohort.engine.collect(cohort.outcomes, ["pupil", "wave"]).to_pandas()
    assert set(rows["wave"]) == {"0", "1"}


def test_an_export_says_its_own_day(tmp_path):
    exported = pupils().assign(recorded=None)
    of_2021 = exported["year"] == 2021
    exported.loc[of_2021, "recorded"] = dt.date(2020, 9, 1)
    cohort = build(
        tmp_path,
        {**tables(), "pupils": exported},
        eligibility={"needs": ["ASD"], "time_zero": "fixed_date", "date": dt.date(2020, 9, 1)},
        covariates={"adjust": ["fsm"]},
    )
    found = frame(cohort, cohort.covariates, ["pupil"])

    # The record of the day itself is known on the day: 0, where January 2020 said 1.
    assert (found["fsm"] == 0).all()
    assert found.loc["placed already", "arm"] == "base"


@pytest.mark.parametrize(
    ("rules", "what"),
    [
        ({"time_zero": "fixed_date"}, "say which day"),
        ({"date": dt.date(2021, 9, 1)}, "alone"),
    ],
)
def test_a_fixed_date_and_its_day_belong_together(tmp_path, rules, what):
    with pytest.raises(PlanError, match=what):
        build(tmp_path, eligibility={"needs": ["ASD"], **rules})


def test_an_issued_plan_may_be_time_zero(tmp_path):
    issued = pupils().assign(
        ehcp_date=lambda rows: np.where(rows["sen_provision"] == "E", dt.date(2021, 1, 4), None)
    )
    cohort = build(
        tmp_path,
        {**tables(), "pupils": issued},
        eligibility={"needs": ["ASD"], "time_zero": "ehcp_issue"},
        covariates={"adjust": ["ks2_maths"]},
    )
    found = frame(cohort, cohort.covariates, ["pupil"])

    assert set(found.index) == {"placed", "later in the base", "placed already", "back in class"}
    reasons = cohort.flow.table.set_index("reason")["pupils"]
    assert reasons["no date of the eligibility event is recorded"] >= 3


def test_peers_of_a_table_are_in_no_arm_and_make_the_gap(tmp_path):
    links = pd.DataFrame({"pupil_id": ["no need"], "peer_of": ["beside"]})
    outcome = {**STUDY["outcomes"][0], "standardise": "no", "forms": ["gap"]}
    cohort = build(
        tmp_path,
        {**tables(), "peers": links},
        data={"source": "contracts", "files": {"peers": "given"}},
        outcomes=[outcome],
    )
    rows = cohort.engine.collect(cohort.outcomes, ["pupil", "wave", "form"]).to_pandas()
    gap = rows[(rows["form"] == "gap") & (rows["pupil"] == "beside")]

    numbers = {pupil: number for number, pupil in enumerate(CENSUS)}
    more = 10 * (numbers["no need"] - numbers["beside"]) / 300
    assert gap["wave"].tolist() == ["1"]
    assert gap["value"].tolist() == [pytest.approx(more)]


def test_what_no_table_has_is_named_with_the_nearest(tmp_path):
    with pytest.raises(PlanError) as covariate:
        build(tmp_path, covariates={"adjust": ["ks2_math"]})
    outcome = {"name": "a", "kind": "continuous", "column": "ks4"}
    with pytest.raises(PlanError) as column:
        build(tmp_path, outcomes=[outcome], covariates={})
    with pytest.raises(DataError) as nothing:
        build(tmp_path, {"attendance": attendance()})

    assert "no table has the covariate `ks2_math`. Did you mean `ks2_maths`?" in str(
        covariate.value
    )
    assert "no table has the column `ks4`" in str(column.value)
    assert "no table of pupils is named" in str(nothing.value)


def test_rows_in_another_order_make_the_same_cohort(tmp_path, cohort):
    shuffled = {name: table.sample(frac=1, random_state=3) for name, table in tables().items()}
    again = build(tmp_path, shuffled)

    assert frame(again, again.covariates, ["pupil"]).equals(
        frame(cohort, cohort.covariates, ["pupil"])
    )
    assert again.flow.table.equals(cohort.flow.table)


def test_time_in_a_base_is_a_measure(tmp_path):
    days = {"name": "days", "kind": "continuous", "column": "days_in_base", "better": "neither"}
    cohort = build(tmp_path, outcomes=[days])
    rows = cohort.engine.collect(cohort.outcomes, ["pupil", "wave"]).to_pandas()
    value = rows.set_index(["pupil", "wave"])["value"].to_dict()

    # The flag of January 2021 may have begun with the entry on 1 September: a year to 31 August.
    assert value["placed", "1"] == 365
    assert value["placed", "2"] == 730
    assert value["beside", "2"] == 0
    # Last seen in the base on 21 January 2021, and not in it a year later.
    assert value["back in class", "2"] == (dt.date(2021, 1, 21) - dt.date(2020, 9, 1)).days + 1


def test_a_fault_told_of_one_table_is_told_of_another_too(tmp_path):
    """GIAS and the file of placements each hold a word for a base that nobody knows."""
    place = {"pupil_id": "placed", "urn": HOST, "base_type": "The Orchard", "start": "2020-09-01"}
    school = {"URN": HOST, "TypeOfResourcedProvision (name)": "Zebra House"}
    given = {**tables(), "placements": pd.DataFrame([place]), "gias": pd.DataFrame([school])}
    cohort = build(tmp_path, given)

    told = [fault for fault in cohort.faults if fault.rule == "unknown_base_word"]
    assert sorted(fault.file for fault in told) == ["placements", "tables['gias']"]
