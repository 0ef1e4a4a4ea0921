"""A team's whole journey: the replication study on synthetic pupils, from file to folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import baseeval as be
from baseeval.results import CONTRASTS, RESULT_KEY


@pytest.fixture(scope="module")
def results(replication: Path) -> pd.DataFrame:
    return pd.read_parquet(replication / "results.parquet")


def test_same_plan_data_and_seed_give_the_same_bytes(
    replication: Path, root: Path, tmp_path: Path
) -> None:
    again = be.run(root / "analyses" / "src_replication" / "study.toml", tmp_path / "again")
    names = sorted(path.name for path in replication.iterdir())
    assert names == sorted(path.name for path in again.iterdir())
    for name in names:
        assert (replication / name).read_bytes() == (again / name).read_bytes(), name


def test_results_keep_their_contract(results: pd.DataFrame, replication: Path) -> None:
    assert list(results.columns) == list(be.RESULT_COLUMNS)
    assert not results.duplicated(list(RESULT_KEY)).any()
    header = (replication / "results.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header.split(",") == list(be.RESULT_COLUMNS)
    assert set(results["contrast"]) == set(CONTRASTS)
    assert set(results["wave"]) == {"2", "3"}  # wave 1 is before placement: no outcome


def test_every_question_has_one_headline_a_wave(results: pd.DataFrame) -> None:
    heads = results[results["headline"]]
    assert not heads.duplicated(["outcome", "form", "wave", "contrast"]).any()
    assert (heads["design"] == "none").all()
    assert (heads["model"] == "multilevel").all()
    assert len(heads) == 3 * 2 * (3 + 1 + 1)


def test_seven_schools_give_no_tiny_p_value_between_schools(results: pd.DataFrame) -> None:
    between = results[results["contrast"] != "base_vs_host"]
    known = between["p_value"].dropna()
    assert len(known)
    assert (known >= 0.0476).all()  # 1 / 21, to three digits
    assert between["flags"].str.contains("school_confounding_unadjustable|suppressed").all()


def test_intervals_hold_together(results: pd.DataFrame) -> None:
    told = results.dropna(subset=["estimate", "ci_low"])
    assert (told["ci_low"] < told["ci90_low"]).all()
    assert (told["ci90_high"] < told["ci_high"]).all()
    off = (told["ci_low"] + told["ci_high"]) / 2 - told["estimate"]
    adjusted = told["model"] != "unadjusted"
    # Rounded to a hundredth of the standard error's first digit, a plain difference to a tenth.
    assert (off[adjusted].abs() <= 0.011 * told["std_error"][adjusted]).all()
    assert (off[~adjusted].abs() <= 0.11 * told["std_error"][~adjusted]).all()
    assert (told["schools_first"] >= 2).all()
    assert (told["schools_second"] >= 2).all()
    few = told["model"] == "multilevel"
    assert set(told["inference"][few]) == {"school_means"}
    assert set(told["inference"][~few]) == {"cr2_satterthwaite"}


def test_the_folder_passes_the_screen_and_a_pupil_file_fails_it(
    replication: Path, root: Path, tmp_path: Path
) -> None:
    assert be.screen(replication) == []
    spoiled = tmp_path / "spoiled"
    shutil.copytree(replication, spoiled)
    shutil.copy(root / "synthetic_data" / "sample" / "pupils.csv", spoiled / "extract.csv")
    outcome = subprocess.run(
        [sys.executable, "-m", "baseeval", "screen", str(spoiled)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 5
    assert "extract.csv" in outcome.stderr
    assert not re.search(r"P\d{5}", outcome.stderr)


def test_no_pupil_and_no_place_of_this_machine_leaves(replication: Path, root: Path) -> None:
    for path in replication.iterdir():
        content = path.read_bytes()
        assert not re.search(rb"\bP\d{5}\b", content), path.name
        assert str(root).encode() not in content, path.name
        assert str(Path.home()).encode() + b"/" not in content, path.name


def test_pupil_level_files_stay_with_their_owner(replication: Path) -> None:
    private = replication.with_name("output.restricted")
    assert (private / ".gitignore").read_text(encoding="utf-8") == "*\n"
    if os.name == "posix":
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert not (private / "spill").exists()
    weights = pd.read_parquet(private / "weights_base_vs_host_entropy.parquet")
    assert (weights.loc[weights["first"], "weight"] == 1).all()


def test_the_manifest_names_what_was_read_and_written(replication: Path, root: Path) -> None:
    manifest = json.loads((replication / "manifest.json").read_text(encoding="utf-8"))
    study = be.read_study(root / "analyses" / "src_replication" / "study.toml")
    assert manifest["plan_hash"] == study.hash
    assert [entry["name"] for entry in manifest["inputs"]] == ["pupils.csv"]
    written = {entry["name"] for entry in manifest["outputs"]} | {"manifest.json"}
    assert written == {path.name for path in replication.iterdir()}
    assert manifest["versions"]["baseeval"] == be.__version__


def test_most_intervals_hold_the_truth(results: pd.DataFrame, root: Path) -> None:
    """Each 95% interval of the adjusted headline may miss; most of 12 independent-ish must not."""
    truth = json.loads((root / "synthetic_data" / "sample" / "truth.json").read_text())
    heads = results[results["headline"] & (results["form"] == "level")].dropna(subset=["ci_low"])
    held = []
    for row in heads.itertuples():
        branch = truth["effects"]["sample"][row.contrast][row.outcome]["level"][row.wave]["all"]
        held.append(row.ci_low <= branch["ATT"] <= row.ci_high)
    assert len(held) >= 12
    assert np.mean(held) >= 0.75


def test_the_report_tells_the_story(replication: Path) -> None:
    page = (replication / "report.html").read_text(encoding="utf-8")
    for words in ("special schools", "cannot tell", "must not decide"):
        assert words in page.lower(), words
    assert "<script" not in page
    assert not re.search(r"""(?:src|href)=["'](?!#)""", page)


def test_a_run_shows_its_stages(root: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "baseeval", "run"]
    command += [str(root / "analyses" / "src_replication" / "study.toml")]
    command += ["--out", str(tmp_path / "output")]
    plain = subprocess.run(command, capture_output=True, text=True, check=True)
    assert len(plain.stderr.splitlines()) == 7
    assert "\x1b" not in plain.stderr + plain.stdout


@pytest.mark.skipif(os.name != "posix", reason="no pseudo-terminal on this system")
def test_a_terminal_sees_a_progress_bar(root: Path, tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    command = [sys.executable, "-m", "baseeval", "run"]
    command += [str(root / "analyses" / "src_replication" / "study.toml")]
    command += ["--out", str(tmp_path / "output")]
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    environment.pop("CI", None)
    child = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=theirs, env=environment, close_fds=True
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            block = os.read(ours, 4096)
        except OSError:
            break
        if not block:
            break
        shown += block
    assert child.wait() == 0
    assert "━".encode() in shown
    assert b"/7" in shown


def test_a_model_without_design_runs_under_any_estimand(root: Path, tmp_path: Path) -> None:
    """`unadjusted` carries no design: it must not stop a study of the overlap."""
    plan = (root / "analyses" / "src_replication" / "study.toml").read_text(encoding="utf-8")
    plan = plan.replace('estimand = "ATT"', 'estimand = "ATO"')
    plan = plan.replace('methods = ["none", "entropy", "nearest"]', 'methods = ["propensity"]')
    plan = plan.replace("../../synthetic_data/sample/pupils.csv", "pupils.csv")
    shutil.copy(root / "synthetic_data" / "sample" / "pupils.csv", tmp_path)
    (tmp_path / "study.toml").write_text(plan, encoding="utf-8")

    rows = pd.read_parquet(be.run(tmp_path / "study.toml") / "results.parquet")

    assert set(zip(rows["design"], rows["model"], strict=True)) == {
        ("propensity", "multilevel"),
        ("none", "unadjusted"),
    }
    assert set(rows["target"]) == {"union"}
    assert rows.loc[rows["model"] == "unadjusted", "estimate"].notna().any()
