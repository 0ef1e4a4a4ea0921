"""What synthetic_data/README.md tells a reader: change one number, run one command, see it."""

import difflib
import json
import subprocess
import sys
from pathlib import Path

WORLDS = Path(__file__).parents[2] / "synthetic_data" / "worlds"


def simulate(world, out):
    done = subprocess.run(
        [sys.executable, "-m", "baseeval", "simulate", world, "--out", out, "--no-population"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads((out / "truth.json").read_text("utf-8")), (out / "world.html").read_text(
        "utf-8"
    )


def test_one_number_changed_shows_in_the_truth_and_on_the_page(tmp_path):
    text = (WORLDS / "src_replication.toml").read_text("utf-8")
    start = text.index("[attendance.effect]")
    mine = tmp_path / "mine.toml"
    mine.write_text(text[:start] + text[start:].replace("base = 0.40", "base = 0.60", 1))

    before, page = simulate("src_replication", tmp_path / "theirs")
    after, changed = simulate(mine, tmp_path / "mine")

    old, new = (truth["effects"]["sample"]["base_vs_non_host"] for truth in (before, after))
    assert (
        new["attendance"]["level"]["3"]["all"]["ATT"]
        > old["attendance"]["level"]["3"]["all"]["ATT"]
    )
    assert new["attainment"] == old["attainment"]
    assert new["belonging"] == old["belonging"]
    told = [
        line[1:]
        for line in difflib.unified_diff(page.splitlines(), changed.splitlines(), n=0)
        if line.startswith("+") and not line.startswith("+++")
    ]
    assert told
    assert any("0.6" in line for line in told)
