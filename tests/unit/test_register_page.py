"""The page and the files of a register of bases."""

import runpy
from pathlib import Path

import pandas as pd

from baseeval.disclosure.screening import screen
from baseeval.registering import write_register
from baseeval.reporting.register_page import register_page

EXAMPLES = runpy.run_path(str(Path(__file__).parent / "register_example.py"))


def test_the_page_tells_what_is_withheld_from_what_nobody_records():
    page = register_page(EXAMPLES["register_example"](), "Anyshire")

    assert "<title>Register of bases: Anyshire</title>" in page
    assert "2 bases in 2 schools" in page
    assert "Sources disagree on 1 of them." in page
    assert "Long Meadow School" in page
    assert "The Harbour" in page
    assert "ASD; SLCN" in page
    assert "Resourced provision (specialist base)" in page
    assert "bases, census; in the local offer" in page
    # The pupils of the second base are withheld; its places are on no list.
    assert "withheld" in page
    assert "not known" in page


def test_a_register_of_nothing_says_so():
    page = register_page(EXAMPLES["bare_example"]())

    assert "0 bases in 0 schools" in page
    assert "Places in each local authority" not in page


def test_one_source_cannot_disagree():
    one = EXAMPLES["register_example"]()
    one.bases["sources"] = "census"

    assert "Only one source names any" in register_page(one)


def test_the_files_pass_the_screen_and_hold_the_tables(tmp_path):
    made = EXAMPLES["register_example"]()
    write_register(made, tmp_path, "Anyshire")

    held = {path.name for path in tmp_path.iterdir()}
    assert held == {
        "register.html",
        "bases.csv",
        "authorities.csv",
        "disagreements.csv",
        "times.csv",
    }
    again = pd.read_csv(tmp_path / "bases.csv", dtype=str)
    assert list(again.columns) == [*made.bases.rename(columns={"name": "base"}).columns]
    assert screen(tmp_path) == []
