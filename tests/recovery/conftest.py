"""A world through the whole path: its tables as a study, and each answer beside its truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from baseeval.cohort.building import build_cohort
from baseeval.engine.duckdb_engine import Engine
from baseeval.pipeline import estimate_all, make_designs
from baseeval.study import read_study
from baseeval.worlds import World, simulate_recipe, write_world
from baseeval.worlds.reading import read_recipe
from baseeval.worlds.recipe import WorldRecipe

PLAN = """
[study]
name = "recovery"
title = "A world whose truth is known"
question = "Is the truth found?"

[data]
table = "pupils.csv"
pupil = "pupil_id"
school = "school_id"
wave = "wave"
baseline_wave = 1

[peers]
group = "autistic"
is_peer = ["no"]
peer_of = "matched_to"

[arms]
column = "placement"
base = ["SRC"]
host_mainstream = ["M-SRC"]
non_host = ["N-SRC"]

[[outcomes]]
name = "attainment"
kind = "continuous"
column = "attainment"
better = "higher"
smallest_effect = 0.2

[[outcomes]]
name = "attendance"
kind = "sessions"
attended = "present"
possible = "possible"
better = "higher"
smallest_effect = 0.2

[[outcomes]]
name = "belonging"
kind = "scale"
items = ["b01", "b02", "b03", "b04", "b05", "b06", "b07", "b08", "b09", "b10"]
reverse = ["b03", "b06", "b09"]
range = [1, 5]
min_answered = 0.75
better = "higher"
smallest_effect = 0.2

[covariates]
adjust = ["prior", "ehcp", "cooccurring_need", "fsm", "sex"]

[design]
estimand = "ATT"
methods = {designs}

[analysis]
models = {models}
"""

Answers = Callable[..., pd.DataFrame]


def answer(world: World, folder: Path, designs: list[str], models: list[str]) -> pd.DataFrame:
    """Give the results table of one world with columns `seed`, `truth` and `sd` added.

    The study has the first and the last wave: the one between would double the work.
    """
    pupils = world.tables["pupils"]
    write_world(replace(world, tables={"pupils": pupils[pupils["wave"] != 2]}), folder)
    plan = PLAN.format(designs=designs, models=models).replace("'", '"')
    if not world.truth["parameters"]["peers"]["include"]:
        before, rest = plan.split("[peers]")
        plan = before + "[arms]" + rest.split("[arms]")[1]
    (folder / "study.toml").write_text(plan, encoding="utf-8")
    with Engine() as engine:
        cohort = build_cohort(read_study(folder / "study.toml"), engine)
        rows = estimate_all(cohort, make_designs(cohort))
    effects, sds = world.truth["effects"]["sample"], world.truth["standardisers"]
    keys = list(zip(rows["contrast"], rows["outcome"], strict=True))
    rows["truth"] = [effects[c][o]["level"]["3"]["all"]["ATT"] for c, o in keys]
    rows["sd"] = [sds[o]["3"] for _, o in keys]
    rows["seed"] = world.seed
    return rows


@pytest.fixture
def answers(tmp_path: Path) -> Answers:
    """Give a function from a world, seeds and methods to all their results tables."""

    def collect(
        recipe: str | WorldRecipe,
        *,
        seeds: range,
        designs: list[str],
        models: list[str],
        pupils: int | None = None,
    ) -> pd.DataFrame:
        recipe = read_recipe(recipe) if isinstance(recipe, str) else recipe
        tables = []
        for seed in seeds:
            world = simulate_recipe(recipe, pupils=pupils, seed=seed)
            tables.append(answer(world, tmp_path / str(seed), designs, models))
        return pd.concat(tables, ignore_index=True)

    return collect
