"""The built-in worlds: what each is made to do, it does; what its draws give is what it states."""

import itertools
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from baseeval.worlds import simulate, simulate_recipe
from baseeval.worlds.areas import draw_area
from baseeval.worlds.reading import read_recipe
from baseeval.worlds.streams import Streams

ROOT = Path(__file__).parents[2]
WORLDS = ROOT / "synthetic_data" / "worlds"
BUILT_IN = sorted(path.stem for path in WORLDS.glob("*.toml"))
TREES = ("effects", "effects_by_target", "effects_sustained", "effects_recorded", "effects_sd")


def leaves(tree, path=()):
    if isinstance(tree, dict):
        for key, inner in tree.items():
            yield from leaves(inner, (*path, key))
    else:
        yield path, tree


def changed(recipe, **parts):
    return recipe.model_copy(
        update={part: getattr(recipe, part).model_copy(update=new) for part, new in parts.items()}
    )


@pytest.fixture(scope="module")
def tables():
    """The script that compares worlds with their draws."""
    sys.path.insert(0, str(ROOT / "scripts"))
    import make_world_tables  # noqa: PLC0415

    yield make_world_tables
    sys.path.remove(str(ROOT / "scripts"))


# What each world is for --------------------------------------------------------------------


def test_every_world_that_was_promised_is_there():
    assert {
        *("src_replication", "trust", "local_authority", "national", "null", "hidden_severity"),
        *("spillover_only", "weak_overlap", "mnar", "heterogeneous_bases", "misclassified"),
        *("many_schools", "clean"),
    } <= set(BUILT_IN)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_null_world_is_exactly_zero(seed):
    truth = simulate("null", seed=seed).truth
    for tree in TREES:
        assert {value for _, value in leaves(truth[tree])} <= {0.0, None}


def test_hosting_is_all_that_helps_where_only_spillover_is():
    truth = simulate("spillover_only").truth["effects"]["sample"]
    beside = {value for _, value in leaves(truth["base_vs_host"])} - {None}
    assert beside == {0.0}
    for name in ("attainment", "attendance", "belonging"):
        assert truth["host_vs_non_host"][name]["level"]["3"]["all"]["ATE"] > 0


def test_a_clean_world_gives_everyone_a_chance_of_every_arm_and_loses_nothing():
    recipe, world = read_recipe("clean"), simulate("clean")
    assert min(world.truth["smallest_probability"].values()) >= 0.05
    assert recipe.hosting.drawn == "independent"
    assert recipe.schools.host + recipe.schools.non_host == 200
    table = world.tables["pupils"].drop(columns="matched_to")
    assert len(table) == 3 * recipe.eligible.count
    assert not table.isna().any(axis=None)


def test_overlap_is_weak_where_the_world_says_so():
    def effective(name):
        """Pupils of a host, weighed by p (1 - p): the share of them that still counts."""
        recipe = read_recipe(name)
        area = draw_area(recipe, 2000, Streams(1))
        chance = area.placed.chance[area.placed.arm != 2]
        return float(np.mean(4 * chance * (1 - chance)))

    assert effective("weak_overlap") < 0.4 < 0.75 < effective("many_schools")


def test_what_goes_missing_follows_what_is_lost():
    def gap(name):
        table = simulate(name, seed=2).tables["pupils"]
        full = simulate_recipe(
            changed(
                read_recipe(name),
                missing=dict.fromkeys(type(read_recipe(name).missing).model_fields, 0.0),
            ),
            seed=2,
        ).tables["pupils"]
        both = full.merge(table, on=["pupil_id", "wave"], how="left", suffixes=("", "_seen"))
        return both["attainment_seen"].mean() - both["attainment"].mean()

    assert gap("mnar") > 0.3  # points: those who do badly are not seen
    assert abs(gap("many_schools")) < 0.1


def test_bases_differ_where_the_world_says_so():
    recipe = read_recipe("heterogeneous_bases")
    area = draw_area(recipe, 4000, Streams(1))
    own = area.responses["attainment"].sustained[:, -1, 0] / recipe.attainment.sd
    by_base = pd.Series(own).groupby(area.eligible.school).mean()[area.schools.hosts]
    assert by_base.std() == pytest.approx(recipe.attainment.effect.base, rel=0.3)
    assert (by_base < 0).any()


def test_records_disagree_with_placements_where_the_world_says_so():
    counts = simulate("misclassified").truth["counts"]
    assert counts["arms_recorded"]["base"] < 0.85 * counts["arms"]["base"]
    assert counts["arms_recorded"]["non_host"] > counts["arms"]["non_host"]


@pytest.mark.parametrize("name", ["spillover_only", "heterogeneous_bases"])
def test_two_worlds_have_a_cause_of_hosting_that_nothing_can_adjust_for(name):
    """Schools that host do better by far than the truth says, whatever the tables hold."""
    recipe = read_recipe(name)
    zero = {
        outcome: {
            "effect": getattr(recipe, outcome).effect.model_copy(
                update=dict.fromkeys(type(recipe.attainment.effect).model_fields, 0.0)
            )
        }
        for outcome in ("attainment", "attendance", "belonging")
    }
    quality = []
    for at in range(12):
        schools = draw_area(changed(recipe, **zero), 400, Streams(0, at, "cause")).schools
        quality.append(
            schools.quality[schools.hosts].mean() - schools.quality[~schools.hosts].mean()
        )
    quality = np.array(quality)
    assert quality.mean() / (quality.std(ddof=1) / np.sqrt(len(quality))) > 5
    assert "**nothing can adjust for that cause of hosting**" in _header(name)


def _header(name):
    lines = itertools.takewhile(
        lambda line: line.startswith("#"),
        (WORLDS / f"{name}.toml").read_text(encoding="utf-8").splitlines(),
    )
    return " ".join(line.removeprefix("#").strip() for line in lines)


def adjusted(world):
    """Attainment ATT of base against host at wave 3, least squares on all that tables show."""
    rows = world.tables["pupils"].query("wave == 3 and placement != 'N-SRC'")
    rows = rows.dropna(subset=["prior", "attainment"])
    base = (rows["placement"] == "SRC").to_numpy(dtype="float64")
    prior = rows["prior"].to_numpy(dtype="float64")
    traits = pd.get_dummies(
        rows[["school_id", "sex", "fsm", "ehcp", "cooccurring_need"]], drop_first=True
    ).to_numpy(dtype="float64")
    centred = (prior - prior[base == 1].mean()) * base  # the base coefficient is then the ATT
    x = np.column_stack([np.ones(len(base)), base, prior, centred, traits])
    return np.linalg.lstsq(x, rows["attainment"].to_numpy(), rcond=None)[0][1]


def error_of(world):
    truth = world.truth["effects"]["sample"]["base_vs_host"]
    return adjusted(world) - truth["attainment"]["level"]["3"]["all"]["ATT"]


def test_hidden_severity_biases_a_naive_analysis_by_the_stated_amount():
    said = re.search(r"Stated bias: (-?[\d.]+) points", _header("hidden_severity"))
    assert said is not None
    stated, sd = float(said.group(1)), 0.43  # points: one draw's own error, of 200 draws
    recipe = read_recipe("hidden_severity")
    errors = [error_of(simulate_recipe(recipe, seed=seed)) for seed in range(1, 6)]
    assert abs(np.mean(errors) - stated) < 4 * sd / np.sqrt(len(errors))
    # Without what is hidden the same analysis is right.
    open_ = changed(recipe, placement={"hidden": 0.0})
    errors = [error_of(simulate_recipe(open_, seed=seed)) for seed in range(1, 4)]
    assert abs(np.mean(errors)) < 4 * sd / np.sqrt(len(errors))


def test_the_country_is_as_large_as_it_says():
    recipe = read_recipe("national")
    areas = recipe.areas.count
    assert areas == 150
    schools = recipe.schools.host + recipe.schools.non_host
    assert areas * schools == pytest.approx(22_000, rel=0.01)
    assert areas * recipe.eligible.count == pytest.approx(1_700_000, rel=0.001)
    table = simulate("national", areas=1, pupils=300).tables["pupils"]
    assert 25 <= len(table.columns) <= 30
    assert table["matched_to"].isna().all()


# What a dial leaves as it is ---------------------------------------------------------------

#: Dial -> (what it is set to, the trees of the truth that it must not move). Every dial of
#: docs/methods/worlds.md, "Which truths a dial leaves as they are".
DIALS = {
    "missing": (
        {"missing": {"attrition_severity": 1.0, "survey_base": 1.0, "own_value": 1.0}},
        ("effects", "effects_by_target", "effects_sustained", "effects_recorded"),
    ),
    "recording": (
        {"recording": {"flag_missed": 0.3, "flag_false": 0.2, "unrecognised": 0.3}},
        ("effects", "effects_by_target", "effects_sustained"),
    ),
    "disorder": (
        {"disorder": {"late_entry": 0.2, "twice": 0.1, "dual": 0.1, "prior_lost": True}},
        TREES,
    ),
    "movers": (
        {"movers": {"leave": 0.4, "enter": 0.2, "kept": 0.5, "late": 0.5}},
        ("effects_sustained",),
    ),
    "dose": (
        {"dose": {"mean": [0.8, 0.5, 0.2], "spread": 1.0}},
        TREES,
    ),
    "choice without moves": ({"choice": {"push": 0.4, "push_fsm": 0.5}}, TREES),
    "report_bias": (
        {"attainment": {"report_bias": 0.5, "report_noise": 0.5}},
        ("effects", "effects_by_target", "effects_sustained", "effects_recorded"),
    ),
}


@pytest.fixture(scope="module")
def before():
    return simulate("src_replication", pupils=300).truth


@pytest.mark.parametrize("dial", DIALS)
def test_a_dial_leaves_the_truths_that_it_should(before, dial):
    parts, same = DIALS[dial]
    after = simulate_recipe(changed(read_recipe("src_replication"), **parts), pupils=300).truth
    for tree in same:
        assert list(leaves(after[tree])) == list(leaves(before[tree]))
    if dial not in ("dose", "choice without moves"):
        moved = (*TREES, "standardisers")
        assert any(list(leaves(after[tree])) != list(leaves(before[tree])) for tree in moved)


@pytest.mark.parametrize(
    ("parts", "own"),
    [
        ({"belonging": {"acquiescence": 0.6, "method": 0.4}}, "belonging"),
        ({"attendance": {"part_time": 0.2, "part_time_missed": 0.5}}, "attendance"),
        ({"attainment": {"floor": 40.0, "ceiling": 60.0}}, "attainment"),
    ],
)
def test_a_dial_of_one_outcome_leaves_the_others(before, parts, own):
    after = simulate_recipe(changed(read_recipe("src_replication"), **parts), pupils=300).truth
    old, new = (dict(leaves(truth["effects"]["sample"])) for truth in (before, after))
    moved = {path[1] for path in old if old[path] != new[path]}
    assert moved == {own}


@pytest.mark.parametrize(
    ("effect", "parts", "contrast"),
    [
        ({"base_quality_spread": 1.0}, {"quality": {"therapy": 0.8}}, "host_vs_non_host"),
        ({"dose": 0.5}, {"dose": {"spread": 1.0}}, "host_vs_non_host"),
        ({"crowding": -0.3}, {}, "base_vs_non_host"),
    ],
)
def test_a_dial_of_one_arm_leaves_the_contrast_without_it(before, effect, parts, contrast):
    recipe = read_recipe("src_replication")
    own = recipe.attainment.effect.model_copy(update=effect)
    after = simulate_recipe(changed(recipe, attainment={"effect": own}, **parts), pupils=300).truth
    old, new = (truth["effects"]["sample"] for truth in (before, after))
    moved = {name for name in old if old[name]["attainment"] != new[name]["attainment"]}
    assert moved == set(old) - {contrast}


def test_further_outcomes_leave_the_others(before):
    recipe, rich = read_recipe("src_replication"), read_recipe("trust")
    more = {name: getattr(rich, name) for name in ("difficulties", "suspensions", "peer_support")}
    after = simulate_recipe(recipe.model_copy(update=more), pupils=300).truth
    old, new = (truth["effects"]["sample"] for truth in (before, after))
    for contrast, tree in old.items():
        # To rounding: sums over more columns may be added up in another order.
        pairs = zip(leaves({name: new[contrast][name] for name in tree}), leaves(tree), strict=True)
        for (path, value), (same, stated) in pairs:
            assert path == same
            assert value == (None if stated is None else pytest.approx(stated, abs=1e-12))
        assert set(new[contrast]) == {*tree, *more}


def test_placement_leaves_the_effects_on_everybody(before):
    """Who is placed changes the targets; what an arm would do for each pupil stays."""
    hidden = changed(read_recipe("src_replication"), placement={"hidden": 1.5, "intercept": 0.5})
    after = simulate_recipe(hidden, pupils=300).truth
    common = [truth["effects_by_target"]["sample"]["common"] for truth in (before, after)]
    assert list(leaves(common[0])) == list(leaves(common[1]))
    assert before["effects"] != after["effects"]


def test_movers_leave_the_effects_before_the_last_wave(before):
    moved = changed(read_recipe("src_replication"), movers={"leave": 0.4, "kept": 0.0})
    after = simulate_recipe(moved, pupils=300).truth
    old, new = (dict(leaves(truth["effects"]["sample"])) for truth in (before, after))
    waves = {path[3] for path in old if old[path] != new[path]}
    assert waves == {"3"}


# What the draws give -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "count", "pupils"),
    [("local_authority", 20, 1021), ("trust", 24, 260), ("mnar", 12, 800)],
)
def test_draws_give_what_the_world_states(tables, name, count, pupils):
    numbers, published = tables.rows(name, count, pupils)
    within = tables.limit(count, len(numbers) + len(published))
    assert len(numbers) > 100
    assert {row.key: row.z for row in (*numbers, *published) if not abs(row.z) < within} == {}


def test_the_comparison_sees_a_generator_that_does_not_do_as_stated(tables, monkeypatch):
    """Draws of one world against the numbers of another that differs in three of them."""
    real, stated = tables.measures, read_recipe("many_schools")
    wrong = changed(
        stated,
        eligible={"ehcp": 0.36},
        attainment={"pupil_sd": 0.6},
        placement={"ehcp": 2.4},
    )
    monkeypatch.setattr(tables, "measures", lambda recipe, *drawn: real(wrong, *drawn))
    numbers, _ = tables.rows("many_schools", 12, 800)
    within = tables.limit(12, len(numbers))
    caught = {row.key for row in numbers if abs(row.z) > within}
    wrongs = {"eligible.ehcp", "attainment.pupil_sd (with the school's)", "placement.ehcp"}
    assert wrongs <= caught
    assert "eligible.female" not in caught


def test_the_table_in_the_docs_has_every_world_and_every_row(tables):
    page = (ROOT / "docs" / "methods" / "world-sources.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `(\w+)` \| \d+ \| (\d+) \|", page, flags=re.MULTILINE))
    assert set(told) == set(BUILT_IN)
    for name in ("src_replication", "many_schools"):
        numbers, _ = tables.rows(name, 2)
        assert int(told[name]) == len(numbers)
        part = page.split(f"## `{name}`")[1].split("\n## ")[0]
        for row in numbers:
            number = f"| {row.stated:.4g} |"
            lines = [line for line in part.splitlines() if row.key in line]
            assert any(number in line for line in lines) or row.source.startswith("docs"), row.key
    for stem, limits in re.findall(
        r"^\| `(\w+)` \| \d+ \| \d+ \| ([\d. |]+)\|$", page, re.MULTILINE
    ):
        worst, within = (float(part) for part in limits.split("|"))
        assert worst < within, stem
