"""Designs that a plan names: about one target for all contrasts, and not made with the reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from baseeval.cli import app
from baseeval.cohort.building import build_cohort
from baseeval.pipeline import estimate_all, make_designs
from baseeval.results import CONTRASTS
from baseeval.study import read_study


def written(root: Path, folder: Path, design: str) -> Path:
    """Write the replication's plan with another [design]."""
    study = root / "analyses" / "src_replication" / "study.toml"
    head, rest = study.read_text(encoding="utf-8").split("[design]")
    plan = f"{head}[design]\n{design}\n[analysis]{rest.split('[analysis]')[1]}"
    data = (root / "synthetic_data").as_posix()
    path = folder / "study.toml"
    path.write_text(plan.replace("../../synthetic_data", data), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("estimand", "focal", "target"),
    [("ATT", "base", "base"), ("ATO", None, "common")],
)
def test_contrasts_of_one_target_add_up(
    root: Path, tmp_path: Path, estimand: str, focal: str | None, target: str
) -> None:
    of_whom = "" if focal is None else f'focal = "{focal}"\n'
    design = f'estimand = "{estimand}"\ntarget = "common"\n{of_whom}methods = ["propensity"]\n'
    cohort = build_cohort(read_study(written(root, tmp_path, design)))
    designs = make_designs(cohort)
    assert {weights.target for weights in designs.made.values()} == {target}
    values = cohort.engine.collect(cohort.outcomes, ["pupil", "outcome", "wave"]).to_pandas()
    values = values[(values["outcome"] == "attainment") & (values["form"] == "level")]
    values = values[values["wave"] == values["wave"].max()].set_index("pupil")["value"]
    differences = {}
    for contrast in CONTRASTS:
        made = designs.made[contrast, "propensity"]
        y = values.reindex(made.pupil).to_numpy(float)
        known = np.isfinite(y)
        means = []
        for arm in (0, 1):
            mine = known & (made.arm == arm)
            means.append(np.average(y[mine], weights=made.weights[mine]))
        differences[contrast] = means[0] - means[1]
    around = differences["base_vs_host"] + differences["host_vs_non_host"]
    assert around == pytest.approx(differences["base_vs_non_host"], abs=1e-9)
    rows = estimate_all(cohort, designs)
    carried = rows[rows["design"] == "propensity"]
    assert set(carried["target"]) == {target}
    assert not carried["estimate"].isna().all()


def test_a_design_that_cannot_be_made_is_told_with_its_reason(root: Path, tmp_path: Path) -> None:
    study = written(root, tmp_path, 'estimand = "ATT"\nmethods = ["schools"]\n')
    told = CliRunner().invoke(app, ["run", str(study), "--out", str(tmp_path / "out")])
    assert told.exit_code == 0, told.output
    assert "not made: base_vs_host schools" in " ".join(told.output.split())
    notes = tmp_path / "out.restricted" / "designs" / "notes.txt"
    assert "not made: base_vs_host schools: " in notes.read_text(encoding="utf-8")
    rows = pd.read_csv(tmp_path / "out" / "results.csv")
    failed = rows[(rows["contrast"] == "base_vs_host") & (rows["design"] == "schools")]
    assert failed["estimate"].isna().all()
    assert failed["flags"].str.contains("design_failed|suppressed").all()
