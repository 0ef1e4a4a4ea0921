"""The synthetic worlds: reading, tables, truth, and that the truth can be recovered."""

import itertools
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from baseeval.errors import PlanError, UsageError
from baseeval.worlds import simulate, simulate_recipe, write_world
from baseeval.worlds.hosting import draw_hosts, host_probability
from baseeval.worlds.reading import read_recipe
from baseeval.worlds.streams import stream
from baseeval.worlds.truth import SUBGROUPS, add_up, cell_of, effect_tree, target_tree

ROOT = Path(__file__).parents[2]
WORLDS = ROOT / "synthetic_data" / "worlds"
ITEMS = [f"b{item:02d}" for item in range(1, 11)]

#: What a world file may cite; docs/methods/world-sources.md says what each is.
KNOWN_SOURCES = (
    *("assumed", "abstract", "preprint", "Goodenow", "DfE PIU", "DfE performance tables 2019"),
    *("DfE SEN 2025", "DfE absence 2023/24", "DfE suspensions 2023/24"),
)


@pytest.fixture(scope="module")
def src():
    return simulate("src_replication", seed=1)


def change(recipe, **parts):
    """The recipe with some values of some parts replaced."""
    return recipe.model_copy(
        update={part: getattr(recipe, part).model_copy(update=new) for part, new in parts.items()}
    )


def without_effects(recipe):
    parts = {}
    for name in ("attainment", "attendance", "belonging"):
        effect = getattr(recipe, name).effect
        zeros = dict.fromkeys(type(effect).model_fields, 0.0)
        parts[name] = {"effect": effect.model_copy(update=zeros)}
    return change(recipe, **parts)


def leaves(tree):
    if isinstance(tree, dict):
        for inner in tree.values():
            yield from leaves(inner)
    else:
        yield tree


# Reading -----------------------------------------------------------------------------------


def test_unknown_built_in_names_the_nearest_first():
    with pytest.raises(UsageError, match="Use 'src_replication' or "):
        simulate("src_replicaton")


def test_a_missing_file_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="no such world file"):
        simulate(tmp_path / "none.toml")


def test_every_fault_of_a_world_file_is_reported_at_once(tmp_path):
    text = (WORLDS / "src_replication.toml").read_text(encoding="utf-8")
    text = text.replace("size_spread = 0.15", "size_sprd = 0.15")
    text = text.replace("female = 0.25 ", "female = 25 ").replace("[0.0, 0.6, 1.0]", "[0.0, 1.0]")
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PlanError) as caught:
        simulate(path)
    said = str(caught.value)
    assert len(caught.value.problems) == 4
    assert "mine.toml, schools.size_sprd: unknown key. Did you mean 'size_spread'?" in said
    assert "mine.toml, schools.size_spread: is missing" in said
    assert "mine.toml, eligible.female" in said
    assert "mine.toml, growth" in said


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("growth = [0.0,", "growth = [0.1,", "growth must be 0 at wave 1"),
        ("steps = [-1.8, -0.8,", "steps = [-0.8, -1.8,", "steps must rise"),
        ("adhd = 0.25", "adhd = 0.75", "less than 1"),
        ("name = ", "name == ", "is not TOML"),
    ],
)
def test_values_that_contradict_each_other(tmp_path, old, new, said):
    text = (WORLDS / "src_replication.toml").read_text(encoding="utf-8")
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(PlanError, match=said):
        simulate(path)


@pytest.mark.parametrize("path", sorted(WORLDS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_number_of_a_world_file_states_its_source(path):
    assert read_recipe(path).name == path.stem
    for line in path.read_text(encoding="utf-8").splitlines():
        key, _, rest = line.partition("=")
        if rest and not line.startswith("#") and key.strip() not in ("name", "title"):
            source = rest.partition("#")[2]
            assert any(word in source for word in KNOWN_SOURCES), line


@pytest.mark.parametrize(("pupils", "seed"), [(6, 1), (0, 1), (119, -1)])
def test_impossible_numbers_are_usage_errors(pupils, seed):
    with pytest.raises(UsageError):
        simulate("src_replication", pupils=pupils, seed=seed)


# Chance ------------------------------------------------------------------------------------


def test_host_probability_agrees_with_enumeration():
    logit, hosts = np.array([0.3, -1.0, 2.0, 0.0, 0.7]), 3
    chance, total = np.zeros(5), 0.0
    for chosen in itertools.combinations(range(5), hosts):
        ways = math.exp(logit[list(chosen)].sum())
        total += ways
        chance[list(chosen)] += ways
    np.testing.assert_allclose(host_probability(logit, hosts), chance / total, rtol=1e-12)


def test_hosts_are_drawn_with_their_probability():
    logit, rng = np.array([0.3, -1.0, 2.0, 0.0, 0.7]), np.random.default_rng(5)
    drawn = np.array([draw_hosts(logit, 3, rng) for _ in range(4000)])
    assert (drawn.sum(axis=1) == 3).all()
    chance = host_probability(logit, 3)
    error = np.sqrt(chance * (1 - chance) / 4000)
    assert (np.abs(drawn.mean(axis=0) - chance) < 4 * error).all()


def test_many_schools_do_not_overflow():
    chance = host_probability(np.linspace(-3, 3, 3000), 1500)
    assert chance.sum() == pytest.approx(1500)


def test_streams_depend_on_stage_and_seed_alone():
    first = stream(1, "a").random(3)
    np.testing.assert_array_equal(first, stream(1, "a").random(3))
    assert not np.array_equal(first, stream(1, "b").random(3))
    assert not np.array_equal(first, stream(2, "a").random(3))


# Tables ------------------------------------------------------------------------------------


def test_columns_and_sizes(src):
    table = src.tables["pupils"]
    assert list(table.columns) == [
        *("pupil_id", "school_id", "wave", "year_group", "placement", "autistic", "matched_to"),
        *("sex", "fsm", "ehcp", "cooccurring_need", "prior", "attainment", "present", "possible"),
        *ITEMS,
    ]
    start = table[table["wave"] == 1]
    assert (start["autistic"] == "yes").sum() == (start["autistic"] == "no").sum() == 119
    hosts = start.groupby("school_id")["placement"].agg(lambda arm: (arm == "SRC").any())
    assert len(hosts) == 7
    assert hosts.sum() == 5
    assert not table.duplicated(["pupil_id", "wave"]).any()


def test_values_are_plausible(src):
    table = src.tables["pupils"]
    assert set(table["year_group"]) == {7, 8, 9}
    assert table["possible"].dropna().between(110, 200).all()
    assert (table["present"] <= table["possible"]).dropna().all()
    assert table["attainment"].dropna().between(0, 100).all()
    assert table["prior"].dropna().between(55, 145).all()
    assert all(table[item].dropna().between(1, 5).all() for item in ITEMS)
    share = table[["prior", "attainment", "present", *ITEMS]].isna().mean()
    assert share.between(0.001, 0.10).all()


def test_peers_belong_to_one_pupil_of_their_school(src):
    start = src.tables["pupils"].query("wave == 1").set_index("pupil_id")
    peers, eligible = start[start["autistic"] == "no"], start[start["autistic"] == "yes"]
    assert sorted(peers["matched_to"]) == sorted(eligible.index)
    mates = eligible.loc[peers["matched_to"]]
    assert (mates["school_id"].to_numpy() == peers["school_id"].to_numpy()).all()
    same = (mates[["year_group", "sex"]].to_numpy() == peers[["year_group", "sex"]]).all(axis=1)
    assert same.mean() > 0.85
    assert peers[["placement", "cooccurring_need"]].isna().all(axis=None)
    assert eligible["matched_to"].isna().all()


def test_reversed_items_run_against_the_others(src):
    answers = src.tables["pupils"][ITEMS].astype("float64")
    against = answers.corr()["b01"]
    assert (against[["b03", "b06", "b09"]] < -0.2).all()
    assert (against.drop(["b03", "b06", "b09"]) > 0.2).all()


def test_pupils_scale_and_schools_stay():
    world = simulate("src_replication", pupils=700, seed=3)
    assert world.truth["counts"]["eligible"] == world.truth["counts"]["peers"] == 700
    assert world.truth["counts"]["schools_host"] == 5


def test_the_committed_sample_is_what_the_command_makes(src, tmp_path):
    write_world(src, tmp_path)
    for name in ("pupils.csv", "truth.json"):
        stored = ROOT / "synthetic_data" / "sample" / name
        if name == "pupils.csv":
            made, kept = (pd.read_csv(folder) for folder in (tmp_path / name, stored))
            pd.testing.assert_frame_equal(made, kept)
        else:
            made, kept = (
                np.array([x for x in leaves(json.loads(path.read_text("utf-8"))) if _number(x)])
                for path in (tmp_path / name, stored)
            )
            np.testing.assert_allclose(made, kept, rtol=1e-9, atol=1e-12)


def _number(value):
    return isinstance(value, int | float)


def test_same_seed_same_bytes(tmp_path):
    for folder in ("one", "two"):
        write_world(simulate("src_replication", seed=4), tmp_path / folder)
    for name in ("pupils.csv", "truth.json"):
        made = (tmp_path / "one" / name).read_bytes()
        assert made == (tmp_path / "two" / name).read_bytes()
        assert made.endswith(b"\n")
        assert b"\r" not in made
    write_world(simulate("src_replication", seed=5), tmp_path / "three")
    other = (tmp_path / "three" / "pupils.csv").read_bytes()
    assert other != (tmp_path / "one" / "pupils.csv").read_bytes()


def test_a_world_file_elsewhere_is_the_built_in(src, tmp_path):
    copy = shutil.copy(WORLDS / "src_replication.toml", tmp_path / "copy.toml")
    pd.testing.assert_frame_equal(simulate(copy, seed=1).tables["pupils"], src.tables["pupils"])


# Truth -------------------------------------------------------------------------------------


def test_the_null_world_is_exactly_zero():
    truth = simulate_recipe(without_effects(read_recipe("src_replication"))).truth
    for tree in ("effects", "effects_sd", "effects_by_target", "effects_recorded"):
        # No pupil of this world is in a primary school: of them there is nothing to say.
        assert set(leaves(truth[tree])) - {None} == {0.0}


def test_wave_one_is_exactly_zero(src):
    for contrast in src.truth["effects"]["sample"].values():
        for outcome in contrast.values():
            assert set(outcome["level"]["1"]["all"].values()) == {0.0}
            assert outcome["level"]["3"]["all"]["ATT"] != 0


def test_effects_of_a_linear_outcome_are_those_of_the_recipe():
    recipe = read_recipe("many_schools")
    flat = recipe.attainment.effect.model_copy(
        update={"base_by_prior": 0.0, "base_quality_spread": 0.0, "school_by_arm": 0.0}
    )
    truth = simulate_recipe(change(recipe, attainment={"effect": flat}), pupils=200).truth
    effects = truth["effects"]["sample"]
    points, full = recipe.attainment.sd, recipe.growth
    for wave in (1, 2, 3):
        for contrast, size in [
            ("base_vs_host", flat.base - flat.host),
            ("base_vs_non_host", flat.base),
            ("host_vs_non_host", flat.host),
        ]:
            values = effects[contrast]["attainment"]["level"][str(wave)]["all"].values()
            assert list(values) == pytest.approx([size * points * full[wave - 1]] * 4, abs=1e-9)


def test_estimands_weight_pupils_as_they_are_defined():
    """Four pupils by hand: two in the base, one in the host's mainstream, one elsewhere."""
    chance = np.array([[0.6, 0.2, 0.2], [0.3, 0.3, 0.4], [0.2, 0.4, 0.4], [0.1, 0.1, 0.8]])
    arm = np.array([0, 0, 1, 2])
    potential = np.full((4, 3, 3), 50.0)
    potential[:, 2, 0] += [1.0, 2.0, 4.0, 8.0]
    cell = cell_of(np.array([1, 0, 0, 2]), np.array([True, False, False, True]), np.zeros(4, bool))
    sums = add_up(arm, chance, {"attainment": potential}, cell)
    tree = effect_tree(sums, SUBGROUPS, lambda outcome, wave: 1.0)
    made = tree["base_vs_host"]["attainment"]["level"]["3"]["all"]
    assert made["ATT"] == pytest.approx(1.5)
    assert made["ATC"] == pytest.approx(4.0)
    assert made["ATE"] == pytest.approx(7 / 3)
    tilt = np.array([0.75 * 0.25, 0.25, 2 / 9])  # p(1 - p) with p = 3/4, 1/2, 1/3
    assert made["ATO"] == pytest.approx(tilt @ [1, 2, 4] / tilt.sum())
    groups = tree["base_vs_host"]["attainment"]["level"]["3"]
    assert groups["ehcp=yes"]["ATT"] == pytest.approx(1.0)
    assert groups["need=none"]["ATE"] == pytest.approx(3.0)
    assert groups["need=language"]["ATE"] is None  # that pupil is in neither arm
    assert groups["phase=secondary"] == made
    assert groups["phase=primary"]["ATT"] is None
    common = target_tree(sums)["common"]
    assert common["base_vs_host"]["attainment"]["level"]["3"]["all"] == pytest.approx(15 / 4)
    scaled = effect_tree(sums, SUBGROUPS[:1], lambda outcome, wave: 2.0)
    scaled = scaled["base_vs_host"]["attainment"]["level"]["3"]["all"]
    assert scaled["ATT"] == pytest.approx(0.75)


def test_standardiser_is_the_pooled_within_arm_sd(src):
    table = src.tables["pupils"].query("wave == 3 and autistic == 'yes'")
    groups = [v.dropna() for _, v in table.groupby("placement")["attainment"]]
    squares = sum((len(v) - 1) * v.var() for v in groups)
    sd = math.sqrt(squares / sum(len(v) - 1 for v in groups))
    assert src.truth["standardisers"]["attainment"]["3"] == pytest.approx(sd, rel=1e-12)
    share = (table["present"] / table["possible"]).astype("float64")
    groups = [v.dropna() for _, v in share.groupby(table["placement"])]
    squares = sum((len(v) - 1) * v.var() for v in groups)
    sd = math.sqrt(squares / sum(len(v) - 1 for v in groups))
    assert src.truth["standardisers"]["attendance"]["3"] == pytest.approx(sd, rel=1e-12)
    raw = src.truth["effects"]["sample"]["base_vs_host"]["attendance"]["level"]["3"]["all"]
    scaled = src.truth["effects_sd"]["sample"]["base_vs_host"]["attendance"]["level"]["3"]["all"]
    assert scaled["ATT"] == pytest.approx(raw["ATT"] / sd)


def test_expected_values_match_what_is_recorded():
    """Without missing data, arm means of recorded values are those of the expected ones."""
    recipe = read_recipe("many_schools")
    nothing = dict.fromkeys(type(recipe.missing).model_fields, 0.0)
    recipe = change(without_effects(recipe), missing=nothing)
    big = change(
        recipe,
        belonging={"effect": recipe.belonging.effect.model_copy(update={"base": 1.0, "host": 1.0})},
        attendance={
            "effect": recipe.attendance.effect.model_copy(update={"base": 1.0, "host": 1.0})
        },
    )
    worlds = [simulate_recipe(r, pupils=8000, seed=2) for r in (recipe, big)]
    hosted = worlds[0].tables["pupils"].query("wave == 3 and placement != 'N-SRC'").index
    score, share = [], []
    for world in worlds:
        rows = world.tables["pupils"].loc[hosted]
        answers = rows[ITEMS].astype("float64")
        answers[["b03", "b06", "b09"]] = 6 - answers[["b03", "b06", "b09"]]
        score.append(answers.mean(axis=1).mean())
        share.append((rows["present"] / rows["possible"]).mean())
    # Only the arms of hosts gain, and both gain alike, so the truth is the difference between
    # the worlds: the same noise and item draws in both leave little Monte Carlo error.
    target = worlds[1].truth["effects_by_target"]["sample"]
    sizes = worlds[1].truth["counts"]["arms"]
    for outcome, gap, close in [
        ("belonging", score[1] - score[0], 0.01),
        ("attendance", share[1] - share[0], 0.004),
    ]:
        true = sum(
            sizes[arm] * target[arm]["base_vs_non_host"][outcome]["level"]["3"]["all"]
            for arm in ("base", "host_mainstream")
        ) / (sizes["base"] + sizes["host_mainstream"])
        assert gap == pytest.approx(true, abs=close)


# Recovery ----------------------------------------------------------------------------------


def host_estimates(world):
    """Naive and adjusted estimates of the attainment ATT of base against host, in points."""
    rows = world.tables["pupils"].query("wave == 3 and placement != 'N-SRC'")
    rows = rows.dropna(subset=["prior", "attainment"])
    base = (rows["placement"] == "SRC").to_numpy(dtype="float64")
    y = rows["attainment"].to_numpy()
    prior = rows["prior"].to_numpy(dtype="float64")
    traits = pd.get_dummies(
        rows[["school_id", "sex", "fsm", "ehcp", "cooccurring_need"]], drop_first=True
    ).to_numpy(dtype="float64")
    centred = (prior - prior[base == 1].mean()) * base  # the base coefficient is then the ATT
    x = np.column_stack([np.ones(len(y)), base, prior, centred, traits])
    fit = np.linalg.lstsq(x, y, rcond=None)[0]
    return y[base == 1].mean() - y[base == 0].mean(), fit[1]


def recover(recipe, seeds=range(1, 7)):
    naive, adjusted, true = [], [], []
    for seed in seeds:
        world = simulate_recipe(recipe, seed=seed)
        first, second = host_estimates(world)
        naive.append(first)
        adjusted.append(second)
        effects = world.truth["effects"]["sample"]["base_vs_host"]
        true.append(effects["attainment"]["level"]["3"]["all"]["ATT"])
    return np.array(naive), np.array(adjusted), np.array(true)


def test_placement_is_confounded_and_adjustment_recovers_the_truth():
    naive, adjusted, true = recover(read_recipe("many_schools"))
    assert (naive - true < -3).all()  # points; base pupils start lower
    error = adjusted - true
    sd = 0.35  # points: the estimator's own error at this size, measured over 60 seeds
    assert abs(error.mean()) < 4 * sd / math.sqrt(len(error))
    assert error.std(ddof=1) < 2 * sd


def test_hidden_severity_cannot_be_adjusted_away():
    recipe = read_recipe("many_schools")
    strong = change(recipe, placement={"hidden": 2.0}, attainment={"severity": -0.8})
    _, adjusted, true = recover(strong, seeds=range(1, 4))
    assert (adjusted - true < -1.5).all()


def test_a_parameter_of_one_stage_leaves_other_stages_alone():
    recipe = read_recipe("src_replication")
    before = simulate_recipe(recipe).tables["pupils"]
    after = simulate_recipe(change(recipe, attainment={"pupil_sd": 0.9})).tables["pupils"]
    rest = [name for name in before.columns if name != "attainment"]
    pd.testing.assert_frame_equal(before[rest], after[rest])
    assert not before["attainment"].equals(after["attainment"])
