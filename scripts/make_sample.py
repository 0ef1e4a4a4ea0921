"""Remake synthetic_data/sample: the pupils of the README's main job, and their truth."""

from pathlib import Path

from baseeval.worlds import simulate, write_world

SAMPLE = Path(__file__).resolve().parents[1] / "synthetic_data" / "sample"

if __name__ == "__main__":
    write_world(simulate("src_replication", seed=1), SAMPLE)
