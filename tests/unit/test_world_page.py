"""The page of a world: its arrows, its pupils, its truth, its dials."""

import html
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from baseeval.reporting.world_diagram import alternative
from baseeval.reporting.world_dials import dials
from baseeval.reporting.world_html import world_page
from baseeval.worlds import simulate
from baseeval.worlds.arrows import arrows
from baseeval.worlds.meeting import meet
from baseeval.worlds.reading import read_recipe

WORLDS = Path(__file__).parents[2] / "synthetic_data" / "worlds"


def page_of(source, **options):
    world = simulate(source, **options)
    recipe = read_recipe(source)
    seen = meet(recipe, pa.Table.from_pandas(world.tables["pupils"]))
    return world_page(recipe, world.truth, seen), world.truth


@pytest.fixture(scope="module")
def src():
    return page_of("src_replication")


def test_the_page_asks_for_nothing_and_runs_nothing(src):
    page, _ = src
    assert "<script" not in page
    assert not re.search(r"""(src|href)=["'](?!#)""", page)
    assert not re.search(r"url\((?!#)", page)
    assert "http" not in re.sub(r"http-equiv", "", page)


def test_the_same_inputs_give_the_same_bytes(src):
    assert page_of("src_replication")[0] == src[0]


def test_ids_of_the_page_are_its_own(src):
    ids = re.findall(r'\bid="([^"]+)"', src[0])
    assert len(ids) == len(set(ids))
    aims = re.findall(r'<section aria-labelledby="([^"]+)"|url\(#([^)]+)\)', src[0])
    assert {a or b for a, b in aims} <= set(ids)


def test_one_number_changes_the_truth_and_the_page_there_and_only_there(tmp_path, src):
    """What synthetic_data/README.md tells a reader to do."""
    text = (WORLDS / "src_replication.toml").read_text(encoding="utf-8")
    start = text.index("[attendance.effect]")
    changed = text[:start] + text[start:].replace("base = 0.40", "base = 0.60", 1)
    mine = tmp_path / "mine.toml"
    mine.write_text(changed, encoding="utf-8")
    page, truth = page_of(mine)

    before = src[1]["effects"]["sample"]
    after = truth["effects"]["sample"]
    moved = {
        (contrast, outcome)
        for contrast, tree in before.items()
        for outcome in tree
        if tree[outcome] != after[contrast][outcome]
    }
    assert moved == {("base_vs_host", "attendance"), ("base_vs_non_host", "attendance")}

    # A cell or a line of the page that differs is about attendance.
    old, new = src[0].splitlines(), page.splitlines()
    assert len(old) == len(new)
    apart = [at for at, (a, b) in enumerate(zip(old, new, strict=True)) if a != b]
    figure = _span(old, '<svg id="world-attendance"', "</figure>")
    rows = [at for at in apart if at not in figure]
    assert rows
    assert all("Attendance" in old[at] or "attendance.effect.base" in old[at] for at in rows)
    told = [html.unescape(new[at]) for at in rows]
    effect = after["base_vs_non_host"]["attendance"]["level"]["3"]["all"]["ATT"]
    assert any(f">{100 * effect:.2f}<" in line for line in told)


def _span(lines, opening, closing):
    first = next(at for at, line in enumerate(lines) if opening in line)
    last = next(at for at in range(first, len(lines)) if closing in lines[at])
    return range(first, last + 1)


def test_every_number_of_the_truth_at_the_last_wave_is_on_the_page(src):
    page, truth = src
    for contrast in truth["effects"]["sample"].values():
        for value in contrast["attainment"]["level"]["3"]["all"].values():
            assert f">{value:.2f}<".replace("-", "−") in page


def test_a_population_is_told_with_its_error(src):
    assert "Over all areas like these" not in src[0]
    truth = simulate("src_replication").truth
    effects = truth["effects"]["sample"]
    errors = {
        contrast: {
            outcome: {"level": {"3": {"all": dict.fromkeys(("ATT", "ATC", "ATE", "ATO"), 0.0123)}}}
            for outcome in tree
        }
        for contrast, tree in effects.items()
    }
    truth["effects"]["population"], truth["mc_error"]["population"] = effects, errors
    recipe = read_recipe("src_replication")
    seen = meet(recipe, pa.Table.from_pandas(simulate("src_replication").tables["pupils"]))
    page = world_page(recipe, truth, seen)
    assert "Over all areas like these" in page
    assert "(± 0.012)" in page


# Arrows ------------------------------------------------------------------------------------


def numbers(tree, path=""):
    for key, value in tree.items():
        where = f"{path}.{key}" if path else key
        if isinstance(value, dict):
            yield from numbers(value, where)
        else:
            yield where, value


def test_every_arrow_is_a_number_of_the_file_that_is_not_zero():
    for path in sorted(WORLDS.glob("*.toml")):
        recipe = read_recipe(path)
        stated = dict(numbers(recipe.model_dump()))
        for arrow in arrows(recipe):
            assert arrow.sizes
            assert all(
                stated[key] == size != 0 for key, size in zip(arrow.keys, arrow.sizes, strict=True)
            )


def test_a_number_set_to_zero_takes_its_arrow_away():
    recipe = read_recipe("local_authority")
    full = {(arrow.cause, arrow.effect) for arrow in arrows(recipe)}
    for part, key, pair in [
        ("hosting", "quality", ("quality", "hosting")),
        ("prior", "severity", ("severity", "prior")),
        ("eligible", "ehcp_severity", ("severity", "ehcp")),
        ("placement", "distance", ("journey", "placement")),
        ("attendance", "severity", ("severity", "attendance")),
        ("belonging", "peer_support", ("peer_support", "belonging")),
        ("choice", "moves", ("push", "hosting")),
    ]:
        assert pair in full
        without = recipe.model_copy(
            update={part: getattr(recipe, part).model_copy(update={key: 0.0})}
        )
        assert full - {(arrow.cause, arrow.effect) for arrow in arrows(without)} == {pair}


def test_a_world_without_effects_has_no_arrow_from_a_place():
    causes = {(a.cause, a.effect) for a in arrows(read_recipe("null")) if a.cause == "placement"}
    assert causes == set()


def test_the_diagram_has_every_arrow_in_words_and_dashes_what_no_table_shows():
    recipe = read_recipe("hidden_severity")
    said = alternative(arrows(recipe))
    assert re.search(r"Severity: [^;]*place in the base", said)
    assert "Severity decides on places and moves outcomes" in page_of("hidden_severity")[0]
    page, _ = page_of("src_replication")
    diagram = page[page.index('<svg id="causes"') : page.index("</svg>", page.index('id="causes"'))]
    paths = re.findall(r"<path d=\"M\d[^>]*marker-end[^>]*>", diagram)
    dashed = [path for path in paths if "dasharray" in path]
    # Quality to hosting; severity to need, plan and score; severity, school quality and the
    # quality of bases to the outcomes.
    assert len(dashed) == 7
    assert (
        f'aria-label="{html.escape(alternative(arrows(read_recipe("src_replication"))))}"' in page
    )


# Pupils and dials --------------------------------------------------------------------------


def test_bars_count_each_pupil_with_a_value_once():
    world = simulate("local_authority", seed=3)
    recipe = read_recipe("local_authority")
    table = world.tables["pupils"]
    seen = meet(recipe, pa.Table.from_pandas(table))
    assert table.duplicated(["pupil_id", "wave"]).any()
    once = table.drop_duplicates(["pupil_id", "wave"])
    for at, label in enumerate(("SRC", "M-SRC", "N-SRC")):
        arm = once[once["placement"] == label]
        first, last = (arm[arm["wave"] == wave] for wave in (1, 3))
        assert seen.counts["prior"][at].sum() == first["prior"].notna().sum()
        assert seen.counts["attendance"][at].sum() == last["present"].notna().sum()
        share = (last["present"] / last["possible"]).dropna().to_numpy(dtype="float64")
        assert seen.counts["attendance"][at][-1] == (share >= 0.95 - 1e-9).sum()
    both = seen + seen
    np.testing.assert_array_equal(both.counts["belonging"], 2 * seen.counts["belonging"])


def test_dials_that_are_off_are_not_told_and_those_that_are_on_are():
    assert dials(read_recipe("clean")) == []
    on = {dial.name for dial in dials(read_recipe("local_authority"))}
    assert on == {
        *("choice", "hosting.quality", "dose", "quality", "movers", "effect.crowding"),
        *("attainment reports", "belonging answers", "attendance.part_time"),
        *("missing", "recording", "disorder"),
    }
    assert {dial.name for dial in dials(read_recipe("hidden_severity"))} == {"placement.hidden"}


@pytest.mark.parametrize("name", ["null", "clean"])
def test_the_page_says_what_a_world_holds_in_store(name):
    page, _ = page_of(name, seed=2)
    if name == "null":
        assert "every true effect is exactly zero" in page
    else:
        assert "Nothing that decides on an arm is hidden" in page
        assert "No dial is on." in page
