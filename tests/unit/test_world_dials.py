"""What each dial of a world leaves as it is: tables, truths, and other outcomes."""

import numpy as np
import pytest

from baseeval.worlds import simulate_recipe
from baseeval.worlds.areas import draw_area, record_area
from baseeval.worlds.circumstances import arms_over_time
from baseeval.worlds.reading import read_recipe
from baseeval.worlds.scales import Difficulties, Support, Suspensions
from baseeval.worlds.streams import Streams

TREES = ("effects", "effects_by_target", "effects_sustained", "effects_recorded")

#: Dial -> the trees of the truth that it may change; all others stay as they are.
DIALS = {
    ("recording", "flag_missed", 0.2): {"effects_recorded"},
    ("recording", "flag_false", 0.2): {"effects_recorded"},
    ("recording", "unrecognised", 0.4): {"effects_recorded"},
    ("disorder", "late_entry", 0.2): set(),
    ("disorder", "twice", 0.2): set(),
    ("disorder", "prior_lost", True): set(),
    ("missing", "attrition_severity", 1.0): set(),
    ("missing", "survey_base", 2.0): set(),
    ("missing", "own_value", 1.0): set(),
    ("movers", "leave", 0.3): {"effects", "effects_by_target", "effects_recorded"},
    ("movers", "enter", 0.3): {"effects", "effects_by_target", "effects_recorded"},
    ("attainment", "report_bias", 0.5): set(),
    ("dose", "spread", 1.0): set(),  # an effect must follow the dose for it to matter
}


def change(recipe, **parts):
    return recipe.model_copy(
        update={part: getattr(recipe, part).model_copy(update=new) for part, new in parts.items()}
    )


def wide(pupils=300):
    """A world with every outcome, and movers who keep and gain half."""
    recipe = read_recipe("many_schools")
    scale = recipe.attainment.model_dump()
    more = {
        "difficulties": Difficulties(
            **{k: scale[k] for k in Difficulties.model_fields if k in scale}
        ).model_copy(update={"centre": -1.0, "sd": 0.6}),
        "suspensions": Suspensions(
            **{k: scale[k] for k in Suspensions.model_fields if k in scale}
        ).model_copy(update={"centre": -1.5, "sd": 0.5, "clustering": 1.0}),
        "teacher_support": Support(
            **{k: scale[k] for k in Support.model_fields if k in scale}
        ).model_copy(update={"centre": 0.5, "sd": 0.8}),
        "peer_support": Support(
            **{k: scale[k] for k in Support.model_fields if k in scale}
        ).model_copy(update={"centre": 0.0, "sd": 0.8}),
    }
    recipe = recipe.model_copy(
        update={**more, "eligible": recipe.eligible.model_copy(update={"count": pupils})}
    )
    return change(recipe, movers={"kept": 0.5, "late": 0.5})


@pytest.fixture(scope="module")
def plain():
    return simulate_recipe(wide())


@pytest.mark.parametrize("dial", DIALS, ids=lambda dial: ".".join(dial[:2]))
def test_a_dial_changes_what_it_says_and_nothing_else(plain, dial):
    part, key, value = dial
    turned = simulate_recipe(change(wide(), **{part: {key: value}}))
    changed = {tree for tree in TREES if turned.truth[tree] != plain.truth[tree]}
    # A world in which everybody is recorded rightly has one truth by both.
    assert changed == DIALS[dial]
    if part != "dose":
        assert not turned.tables["pupils"].equals(plain.tables["pupils"])


def test_a_kept_place_is_the_effect_of_the_recipe_and_a_lost_one_half(plain):
    moved = simulate_recipe(change(wide(), movers={"leave": 1.0}))
    initial, sustained = (
        moved.truth[tree]["sample"]["base_vs_host"]["attainment"]["level"]
        for tree in ("effects", "effects_sustained")
    )
    kept = plain.truth["effects"]["sample"]["base_vs_host"]["attainment"]["level"]
    for estimand in ("ATT", "ATC", "ATE", "ATO"):
        assert sustained["3"]["all"][estimand] == pytest.approx(kept["3"]["all"][estimand])
        assert initial["2"]["all"][estimand] == kept["2"]["all"][estimand]
        assert initial["3"]["all"][estimand] == pytest.approx(kept["3"]["all"][estimand] / 2)


def test_part_of_the_effect_on_belonging_comes_by_way_of_support():
    recipe = wide()
    effects = {
        name: {
            "effect": getattr(recipe, name).effect.model_copy(
                update={
                    "base": 0.0,
                    "host": 0.0,
                    "base_by_prior": 0.0,
                    "base_quality_spread": 0.0,
                    "school_by_arm": 0.0,
                }
            )
        }
        for name in ("belonging", "teacher_support")
    }
    effects["peer_support"] = {
        "effect": recipe.peer_support.effect.model_copy(
            update={
                "base": 1.0,
                "host": 0.0,
                "base_by_prior": 0.0,
                "base_quality_spread": 0.0,
                "school_by_arm": 0.0,
            }
        )
    }
    effects["belonging"]["peer_support"] = 0.5
    area = draw_area(change(recipe, **effects), 300, Streams(1))
    gain = area.responses["belonging"].gain
    # One SD of peer support is worth half an SD of belonging.
    expected = 0.5 * recipe.belonging.sd * np.array(recipe.growth)
    np.testing.assert_allclose(gain[:, :, 0], np.broadcast_to(expected, gain.shape[:2]))
    assert not gain[:, :, 1:].any()


def test_dose_and_crowding_work_through_the_pupil_and_the_school():
    recipe = wide()
    effect = recipe.attainment.effect.model_copy(
        update={
            "dose": 0.8,
            "crowding": 0.1,
            "base_by_prior": 0.0,
            "school_by_arm": 0.0,
            "base_quality_spread": 0.0,
        }
    )
    recipe = change(
        recipe, attainment={"effect": effect}, dose={"spread": 1.0, "mean": [0.6, 0.5, 0.3]}
    )
    area = draw_area(recipe, 300, Streams(1))
    gain = area.responses["attainment"].sustained[:, -1] / recipe.attainment.sd
    dose = area.around.dose[:, -1]
    np.testing.assert_allclose(gain[:, 0], effect.base * (1 + 0.8 * (dose - 0.3)))
    home = area.eligible.school
    np.testing.assert_allclose(gain[:, 1], effect.host + 0.1 * area.around.crowding[home])
    # How full a base is, is known from who was placed: seats over expected seats, in tenths.
    hosts = np.flatnonzero(area.schools.hosts)
    for school in hosts[:5]:
        here = home == school
        over = (area.placed.arm[here] == 0).sum() - area.placed.chance[here].sum()
        assert area.around.crowding[school] == pytest.approx(10 * over / here.sum())
    assert not area.around.crowding[~area.schools.hosts].any()


def test_records_go_wrong_as_the_dials_say():
    recipe = change(
        wide(3000), recording={"flag_missed": 0.3, "flag_false": 0.1, "unrecognised": 0.25}
    )
    area = draw_area(recipe, 3000, Streams(1))
    arm, recorded, home = area.placed.arm, area.placed.recorded, area.eligible.school
    known = area.schools.recognised[home]
    assert (recorded[~known] == 2).all()
    base, beside = known & (arm == 0), known & (arm == 1)
    for share, group, stated in (
        (recorded[base] == 1, base, 0.3),
        (recorded[beside] == 0, beside, 0.1),
    ):
        assert abs(share.mean() - stated) < 4 * np.sqrt(stated * (1 - stated) / group.sum())
    assert not (area.schools.recognised & ~area.schools.hosts).any()
    table = record_area(recipe, area, Streams(1)).table.to_pandas()
    first = table[(table["wave"] == 1) & (table["autistic"] == "yes")]
    words = dict(zip((0, 1, 2), ("SRC", "M-SRC", "N-SRC"), strict=True))
    counted = {words[at]: int((recorded == at).sum()) for at in range(3)}
    assert first["placement"].astype(str).value_counts().to_dict() == counted


def test_families_who_look_for_a_base_find_it_only_where_one_is():
    recipe = wide(3000)
    recipe = change(
        recipe,
        hosting={"drawn": "independent"},
        choice={"push": 0.5, "moves": 0.8},
        schools={"primary": 0.5},
    )
    area = draw_area(recipe, 3000, Streams(1))
    pupils, schools = area.eligible, area.schools
    moved = pupils.school != pupils.local
    assert moved.any()
    assert (pupils.school[moved] == pupils.other[moved]).all()
    assert (pupils.push & schools.hosts[pupils.other] & ~schools.hosts[pupils.local])[moved].all()
    assert (schools.primary[pupils.other] == schools.primary[pupils.local]).all()
    assert ((pupils.year < 7) == schools.primary[pupils.local]).all()
    # The chance of an arm is over the draws of hosts and of the move: check it by drawing.
    p = schools.probability
    there = pupils.push & (pupils.other != pupils.local)
    expected = p[pupils.local] + (1 - p[pupils.local]) * p[pupils.other] * 0.8 * there
    np.testing.assert_allclose(1 - area.placed.probability[:, 2], expected)
    np.testing.assert_allclose(area.placed.probability.sum(axis=1), 1.0)


def test_chances_of_the_arms_are_those_of_repeated_draws():
    recipe = change(
        wide(1200),
        hosting={"drawn": "independent", "intake": 0.5},
        choice={"push": 0.4, "moves": 0.7},
    )
    in_host = expected = variance = 0.0
    for seed in range(40):
        area = draw_area(recipe, 1200, Streams(seed))
        chance = 1 - area.placed.probability[:, 2]
        in_host += (area.placed.arm < 2).sum()
        expected += chance.sum()
        by_school = np.bincount(area.eligible.local, minlength=len(area.schools.hosts))
        variance += (by_school**2 * area.schools.probability * (1 - area.schools.probability)).sum()
    assert abs(in_host - expected) < 4 * np.sqrt(2 * variance)


def test_arms_over_time_follow_the_movers():
    recipe = change(wide(), movers={"leave": 0.4, "enter": 0.3})
    area = draw_area(recipe, 300, Streams(1))
    arms = arms_over_time(area.placed, area.around)
    assert (arms[:, 0] == area.placed.arm).all()
    left = (area.placed.arm == 0) & area.around.leaves
    entered = (area.placed.arm == 1) & area.around.enters
    np.testing.assert_array_equal(arms[:, -1] != arms[:, 0], left | entered)


def test_scores_keep_to_their_scales_and_means(plain):
    recipe = change(
        wide(4000),
        attainment={"floor": 20.0, "ceiling": 60.0, "report_noise": 0.5},
        attendance={"part_time": 0.2, "part_time_missed": 0.4},
        belonging={"acquiescence": 0.5, "method": 0.7},
        missing=dict.fromkeys(type(wide().missing).model_fields, 0.0),
    )
    area = draw_area(recipe, 4000, Streams(1))
    table = record_area(recipe, area, Streams(1)).table.to_pandas()
    rows = table[(table["autistic"] == "yes") & (table["wave"] == 1)]
    potential = area.potential(recipe)
    subscales = ["emotional", "conduct", "hyperactivity", "peer_problems"]
    items = np.array(rows[[f"b{n:02d}" for n in range(1, 11)]], dtype=float)
    items[:, [2, 5, 8]] = 6 - items[:, [2, 5, 8]]
    seen = {
        "attainment": rows["attainment"],
        "attendance": rows["present"] / rows["possible"],
        "belonging": items.mean(axis=1),
        "difficulties": rows[subscales].sum(axis=1),
        "suspensions": rows["suspensions"],
        "teacher_support": rows["teacher_support"],
        "peer_support": rows["peer_support"],
    }
    for name, values in seen.items():
        known = np.asarray(values, dtype=float)
        apart = known.mean() - potential[name][:, 0, 0].mean()
        assert abs(apart) < 4.5 * known.std() / np.sqrt(len(known)), name
    assert rows["attainment"].between(20, 60).all()
    assert rows[subscales].max().max() <= 10
    assert rows["peer_support"].between(1, 5).all()
    assert (rows["part_time"] <= rows["possible"] - rows["present"]).all()
    assert rows["part_time"].gt(0).any()


def test_the_first_areas_of_a_larger_draw_are_those_of_a_smaller():
    recipe = change(wide(), areas={"count": 5})
    small, large = (simulate_recipe(recipe, areas=n).tables["pupils"] for n in (2, 5))
    first = large[large["pupil_id"].str[:5].isin(["P001-", "P002-"])].reset_index(drop=True)
    assert first.equals(small)
    assert large["school_id"].str[:5].nunique() == 5
