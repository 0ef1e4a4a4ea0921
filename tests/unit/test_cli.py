"""The command line: what it says, and with which exit code it leaves."""

import json
import sys

import pytest

import baseeval as be
from baseeval.cli import main
from baseeval.errors import DisclosureError, Problem
from baseeval.running import STAGES

PLAN = """
[study]
name = "s"
title = "A study"
[data]
table = "p.csv"
[arms]
column = "arm"
base = ["b"]
host_mainstream = ["h"]
[[outcomes]]
name = "y"
kind = "continuous"
column = "y"
[covariates]
adjust = ["need"]
[analysis]
models = ["unadjusted"]
"""


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(PLAN, encoding="utf-8")
    rows = [
        f"{arm}{number},S{number % 2},{arm},{number % 5},{'ASD' if arm == 'b' else 'MLD'}"
        for arm in "bh"
        for number in range(12)
    ]
    text = "pupil_id,school_id,arm,y,need\n" + "\n".join(rows) + "\n"
    (tmp_path / "p.csv").write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def leave(monkeypatch, capsys):
    """Run the command line here; give its exit code, its output and its complaints."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["baseeval", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        return left.value.code, out, err

    return run


def test_help_names_every_command(leave):
    code, out, _ = leave("--help")

    assert code == 0
    assert all(name in out for name in ("run", "check", "register", "simulate", "screen"))
    assert leave("run", "--help")[0] == 0


@pytest.mark.parametrize(
    "arguments", [(), ("bogus",), ("run",), ("run", "a", "b"), ("check", "--out", "x", "a")]
)
def test_wrong_usage_is_2(leave, arguments):
    code, _, err = leave(*arguments)

    assert code == 2
    assert "Traceback" not in err


def test_check_says_what_would_be_compared(leave, study):
    code, out, err = leave("check", study)

    assert code == 0
    assert out.splitlines() == [
        "table: 24 rows and 5 columns read from p.csv.",
        "In the data, all: 24 pupils in 2 schools.",
        "In an arm, base: 12 pupils in 2 schools.",
        "In an arm, host_mainstream: 12 pupils in 2 schools.",
        "In an arm, every covariate known, base: 12 pupils in 2 schools (others lack a covariate).",
        "In an arm, every covariate known, host_mainstream: 12 pupils in 2 schools (others lack a "
        "covariate).",
        "Note: No pupil of host_mainstream has need = ASD: nobody there can stand for such pupils.",
        "Note: No pupil of base has need = MLD: nobody there can stand for such pupils.",
        "Nothing is wrong: the plan and the data keep their contracts.",
        "Contrasts: base_vs_host.",
    ]
    assert err == ""


def test_check_of_a_study_that_only_describes(leave, study):
    text = study.read_text(encoding="utf-8")
    text = text.replace('host_mainstream = ["h"]', 'other = "exclude"')
    study.write_text(text, encoding="utf-8")

    _, out, _ = leave("check", study)

    assert "Contrasts: none (description only)." in out


def test_run_names_its_stages_on_plain_lines(leave, study, monkeypatch):
    def run(path, out, *, engine, progress):
        assert (path, out, engine) == (study, None, "duckdb")
        for stage in STAGES:
            progress(stage)
        return path.parent / "output"

    monkeypatch.setattr(be, "run", run, raising=False)
    code, out, err = leave("run", study)

    assert code == 0
    assert out == f"Done: {study.parent / 'output' / 'report.html'}\n"
    assert len(err.splitlines()) == 7
    assert "\x1b" not in err


def test_the_exit_codes_of_plan_and_data(leave, study):
    assert leave("run", study.with_name("absent.toml"))[0] == 3
    (study.parent / "p.csv").unlink()
    assert leave("run", study)[0] == 4


def test_an_engine_that_is_not_there_is_wrong_usage(leave, study):
    code, _, err = leave("run", study, "--engine", "spark")

    assert code == 2
    assert "engine `spark`: it is reserved for a later version. Use duckdb." in err


def test_somebody_elses_folder_is_wrong_usage(leave, study, tmp_path):
    place = tmp_path / "thesis"
    place.mkdir()
    (place / "thesis.docx").write_text("a", encoding="utf-8")

    code, _, err = leave("run", study, "--out", place)

    assert code == 2
    assert "thesis: it exists, is not empty" in err
    assert [path.name for path in place.iterdir()] == ["thesis.docx"]
    assert not (tmp_path / "thesis.restricted").exists()


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (DisclosureError(Problem("a.csv", "a small count", "Hide it.")), 5, "a.csv: a small count"),
        (KeyboardInterrupt(), 130, ""),
        (RuntimeError("pupil ZEBRA has 7"), 1, "This is a fault of ours."),
        (MemoryError("ZEBRA"), 1, "MemoryError"),
    ],
)
def test_the_other_exit_codes(leave, study, monkeypatch, error, code, words):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(be, "run", fail, raising=False)
    left, out, err = leave("run", study)

    assert left == code
    assert words in err
    assert "ZEBRA" not in out + err
    assert "Traceback" not in err


def test_simulate_writes_tables_and_truth(leave, tmp_path):
    place = tmp_path / "world"

    code, out, _ = leave("simulate", "src_replication", "--out", place, "--pupils", 40, "--seed", 3)

    assert code == 0
    assert out == f"Done: {place / 'world.html'}\n"
    assert {path.name for path in place.iterdir()} == {"pupils.csv", "truth.json", "world.html"}
    truth = json.loads((place / "truth.json").read_text(encoding="utf-8"))
    assert truth["seed"] == 3
    assert truth["counts"]["eligible"] == 40

    first = (place / "pupils.csv").read_bytes()
    assert leave("simulate", "src_replication", "--out", place, "--pupils", 40, "--seed", 3)[0] == 0
    assert (place / "pupils.csv").read_bytes() == first


@pytest.mark.parametrize(
    "arguments",
    [("nowhere",), ("src_replication", "--pupils", 2), ("src_replication", "--seed", -1)],
)
def test_simulate_refuses_and_leaves_nothing(leave, tmp_path, arguments):
    code, _, err = leave("simulate", *arguments, "--out", tmp_path / "world")

    assert code in (2, 3)
    assert err
    assert list(tmp_path.iterdir()) == []


def test_screen_passes_what_is_clean_and_fails_pupils(leave, tmp_path):
    place = tmp_path / "out"
    place.mkdir()
    (place / "notes.txt").write_text("Nothing here.\n", encoding="utf-8")
    assert leave("screen", place)[:2] == (0, "Nothing found that must not leave.\n")

    rows = "\n".join(f"ZEBRA{number},S1,{number}" for number in range(30))
    (place / "pupils.csv").write_text(f"pupil_id,school,score\n{rows}\n", encoding="utf-8")
    code, _, err = leave("screen", place)

    assert code == 5
    assert "pupils.csv" in err
    assert "things must not leave." in err
    assert "ZEBRA" not in err


def test_screen_of_nothing_or_by_no_profile_is_wrong_usage(leave, tmp_path):
    assert leave("screen", tmp_path / "absent")[0] == 2
    assert leave("screen", tmp_path, "--profile", "none")[0] == 2


def test_check_writes_its_page_where_it_is_told(leave, study):
    page = study.parent / "check.html"
    code, _, _ = leave("check", study, "--page", page)
    bad = study.parent / "bad.toml"
    bad.write_text(study.read_text(encoding="utf-8").replace("[study]", "[studdy]"), "utf-8")
    wrong, _, err = leave("check", bad, "--page", page)

    assert (code, wrong) == (0, 3)
    assert "studdy" in err
    assert "studdy" in page.read_text(encoding="utf-8")


def test_a_register_needs_sources(leave, study):
    code, _, err = leave("register", study, "--out", study.parent / "register")

    assert code == 3
    assert "a register is made from sources" in err
    assert not (study.parent / "register").exists()
