"""Malformed inputs: each gives one clear message, exit code 3 or 4, and leaves nothing behind.

The list in `CASES` is the list of what is tried. Bad rows carry sentinels, so that a message
which quoted a pupil's value would be caught.
"""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from baseeval.cli import main

PLAN = """
[study]
name = "malformed"
title = "A study whose inputs get damaged"

[data]
table = "pupils.csv"
wave = "wave"
baseline_wave = 1

[arms]
column = "placement"
base = ["centre"]
host_mainstream = ["mainstream"]
non_host = ["elsewhere"]

[[outcomes]]
name = "attainment"
kind = "continuous"
column = "maths"

[[outcomes]]
name = "attendance"
kind = "sessions"
attended = "present"
possible = "possible"

[[outcomes]]
name = "belonging"
kind = "scale"
items = ["b01", "b02", "b03"]
range = [1, 5]

[covariates]
adjust = ["sex", "prior"]

[design]
methods = ["none"]

[analysis]
models = ["unadjusted"]
"""

SECRET_ID = "ZEBRA-SECRET"
SECRET_TEXT = "SECRETVALUE"

Row = dict[str, str]
Rows = list[Row]


def good_rows() -> Rows:
    """Give two waves of 60 pupils in six schools, all of it sound."""
    placements = ["centre", "mainstream", "elsewhere"]
    rows = []
    for number in range(60):
        arm = number % 3
        school = f"S{number % 2 if arm < 2 else 2 + number % 4}"
        for wave in (1, 2):
            rows.append(
                {
                    "pupil_id": f"P{number:03d}",
                    "school_id": school,
                    "wave": str(wave),
                    "placement": placements[arm],
                    "maths": str(50 + (number * 7 + wave) % 13),
                    "present": str(150 + (number * 5 + wave) % 30),
                    "possible": "190",
                    "b01": str(1 + number % 5),
                    "b02": str(1 + (number + wave) % 5),
                    "b03": str(1 + (number * 2) % 5),
                    "sex": "female" if number % 4 < 2 else "male",
                    "prior": str(95 + number % 11),
                }
            )
    return rows


def as_csv(rows: Rows) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


@dataclass(frozen=True)
class Case:
    """What is damaged, and what must be said of it."""

    code: int
    says: tuple[str, ...]
    plan: Callable[[str], str] = lambda text: text
    rows: Callable[[Rows], Rows] = lambda rows: rows
    text: Callable[[str], str] = lambda text: text
    without: str = ""


def put(old: str, new: str) -> Callable[[str], str]:
    def edited(text: str) -> str:
        assert text.count(old) >= 1, old
        return text.replace(old, new, 1)

    return edited


def both(*edits: Callable[[str], str]) -> Callable[[str], str]:
    def edited(text: str) -> str:
        for edit in edits:
            text = edit(text)
        return text

    return edited


def marked(count: int, **values: str) -> Callable[[Rows], Rows]:
    """Spoil the given cells for `count` pupils, whose id becomes a sentinel."""

    def edited(rows: Rows) -> Rows:
        for number in range(count):
            for row in rows[2 * number : 2 * number + 2]:
                row["pupil_id"] = f"{SECRET_ID}-{number}"
            rows[2 * number + 1] |= values
        return rows

    return edited


def _twice(rows: Rows) -> Rows:
    rows = marked(2)(rows)
    return [*rows, dict(rows[0]), dict(rows[3])]


def _two_schools(rows: Rows) -> Rows:
    rows = marked(1)(rows)
    return [*rows, {**rows[0], "school_id": SECRET_TEXT}]


def _no_id(rows: Rows) -> Rows:
    for row in rows[:3]:
        row["pupil_id"] = ""
        row["placement"] = "centre"
    return rows


def _waves(rows: Rows) -> Rows:
    for number, row in enumerate(rows):
        row["prior"] = str(90 + number)
    return rows


def _without(column: str) -> Callable[[Rows], Rows]:
    def edited(rows: Rows) -> Rows:
        return [{key: value for key, value in row.items() if key != column} for row in rows]

    return edited


def _ragged(text: str) -> str:
    lines = text.splitlines()
    lines[3] = f"{SECRET_ID},{SECRET_TEXT}"
    lines[7] += f",{SECRET_TEXT}"
    return "\n".join(lines) + "\n"


def _headless(text: str) -> str:
    first = ",".join([SECRET_ID, "S1", "1", "centre", SECRET_TEXT, *"1111111"])
    return "\n".join([first, *text.splitlines()[1:]]) + "\n"


def _headings(names: str) -> Callable[[str], str]:
    return lambda text: "\n".join([names, *text.splitlines()[1:]]) + "\n"


CASES = {
    # The plan: exit code 3.
    "not TOML": Case(3, ("study.toml", "not TOML", "line 2"), plan=lambda _: "\n[study\nname ="),
    "no [study] at all": Case(
        3, ("study.toml, [study]: this is missing. Add it.",), plan=put("[study]", "[design.x]")
    ),
    "unknown key": Case(
        3,
        ("study.toml, [design]: the key `method` is not known", "Did you mean `methods`?"),
        plan=put("methods =", "method ="),
    ),
    "unknown section": Case(
        3,
        ("study.toml: the key `covariate` is not known", "Did you mean `covariates`?"),
        plan=put("[covariates]", "[covariate]"),
    ),
    "wrong value": Case(
        3,
        ("study.toml, [outcomes 1] kind", "'continuous'", "'sessions'", "'scale'"),
        plan=put('"continuous"', '"continous"'),
    ),
    "two faults of the plan at once": Case(
        3,
        ("the key `tabel` is not known", "Did you mean `table`?", "[outcomes 2] forms"),
        plan=both(
            put("table =", 'tabel = "x"\ntable ='),
            put('kind = "sessions"', 'kind = "sessions"\nforms = ["levle"]'),
        ),
    ),
    "three faults of one section at once": Case(
        3,
        ("takes no `column`", "`range` must be [lowest, highest]", "`reverse` names `b09`"),
        plan=put("range = [1, 5]", 'range = [5, 1]\nreverse = ["b09"]\ncolumn = "maths"'),
    ),
    "a section kept for later": Case(
        3,
        ("study.toml, [subgroups]: this section is reserved for a later version",),
        plan=lambda text: text + '\n[[subgroups]]\nname = "girls"\n',
    ),
    "unknown model": Case(
        3,
        ("[analysis] models", "`multilevl`", "Did you mean `multilevel`?"),
        plan=put('"unadjusted"', '"multilevl"'),
    ),
    "an estimand that the design cannot serve": Case(
        3,
        ("`entropy` cannot serve the estimand ATO", "ATO is served by", "propensity"),
        plan=put('methods = ["none"]', 'methods = ["entropy"]\nestimand = "ATO"'),
    ),
    "a web address": Case(
        3, ("[data]", "web address"), plan=put('"pupils.csv"', '"https://example.org/p.csv"')
    ),
    "a covariate from after the baseline": Case(
        3,
        ("study.toml, [covariates]: `prior` is taken from a wave after the baseline",),
        plan=put('"prior"', '{ column = "prior", wave = 2 }'),
    ),
    "a covariate that exists only after the baseline": Case(
        3,
        ("study.toml, [covariates]: `prior` is recorded only after the baseline",),
        rows=lambda rows: [row | ({"prior": ""} if row["wave"] == "1" else {}) for row in rows],
    ),
    "a baseline that no row has": Case(
        3,
        ("study.toml, [data] baseline_wave: no row is of this wave. The waves are: 1, 2.",),
        plan=put("baseline_wave = 1", "baseline_wave = 7"),
    ),
    # The data: exit code 4.
    "no such file": Case(
        4, ("pupils.csv: no such file", "starts at the study file's folder"), without="pupils.csv"
    ),
    "a kind of file that is not read": Case(
        4,
        ("study.toml: this kind of file is not read. Use .csv, .csv.gz, .parquet, .xlsx, .sav.",),
        plan=put('"pupils.csv"', '"study.toml"'),
    ),
    "an empty file": Case(
        4, ("pupils.csv: the file is empty. Export it again.",), text=lambda _: ""
    ),
    "headings and nothing else": Case(
        4,
        ("pupils.csv: the file holds no pupils. Export it again.",),
        text=lambda text: text.splitlines()[0] + "\n",
    ),
    "no headings": Case(
        4,
        ("pupils.csv: the first line holds none of the columns", "`pupil_id`", "`school_id`"),
        text=_headless,
    ),
    "a missing column": Case(
        4,
        ("pupils.csv, column `prior`: the file has no such column", "Did you mean `prior_score`?"),
        text=lambda text: text.replace("prior", "prior_score", 1),
    ),
    "two missing columns": Case(
        4,
        ("column `maths`: the file has no such column", "column `b02`: the file has no such"),
        rows=lambda rows: _without("maths")(_without("b02")(rows)),
    ),
    "the same heading twice": Case(
        4,
        ("pupils.csv, column `sex`: 2 columns have this heading. Keep one of them.",),
        text=_headings(
            "pupil_id,school_id,wave,placement,maths,present,possible,b01,b02,b03,sex,sex"
        ),
    ),
    "a column without a heading": Case(
        4,
        ("pupils.csv: 1 column has no heading. Give every column a heading.",),
        text=_headings("pupil_id,school_id,wave,placement,maths,present,possible,b01,b02,b03,sex,"),
    ),
    "lines of the wrong length": Case(
        4,
        ("pupils.csv: 2 lines do not have the 12 fields that the header names", "stray commas"),
        text=_ragged,
    ),
    "rows without a pupil": Case(
        4,
        ("pupils.csv, column `pupil_id`: 3 rows have no value", "mend or remove those rows"),
        rows=_no_id,
    ),
    "the same pupil twice": Case(
        4,
        ("pupils.csv, column `pupil_id`: 2 pupils have more than one row at one wave", "Keep one"),
        rows=_twice,
    ),
    "a pupil in two schools at one wave": Case(
        4,
        ("column `school_id`: 1 pupil has rows in more than one school at one wave", "on roll"),
        rows=_two_schools,
    ),
    "a placement that no arm names": Case(
        4,
        ("column `placement`: 3 rows have a label that no arm names", '`other = "exclude"`'),
        rows=marked(3, placement=SECRET_TEXT),
    ),
    "a pupil in two arms": Case(
        4,
        ("column `placement`: 2 pupils have rows in more than one arm", "time zero"),
        rows=marked(2, placement="elsewhere"),
    ),
    "more attended than possible": Case(
        4,
        ("column `present`: 2 rows have more sessions attended than `possible` allows", "Mend"),
        rows=marked(2, present="987654"),
    ),
    "fewer than no sessions": Case(
        4,
        ("column `present`: 1 row holds a value that is impossible here (0 or more is possible)",),
        rows=marked(1, present="-987654"),
    ),
    "an answer outside its range": Case(
        4,
        (
            "column `b02`: 4 rows hold a value that is impossible here (1 to 5 is possible)",
            "Mend the values, or the range in the study file.",
        ),
        rows=marked(4, b02="987654"),
    ),
    "text in a number": Case(
        4,
        ("column `maths`: 2 rows hold something that is neither a number", "leave them empty"),
        rows=marked(2, maths=SECRET_TEXT),
    ),
    "infinity in a number": Case(
        4,
        ("column `maths`: 1 row holds something that is neither a number",),
        rows=marked(1, maths="Infinity"),
    ),
    "a number too large to hold": Case(
        4, ("column `maths`: 1 row holds a number without end",), rows=marked(1, maths="9e999")
    ),
    "numbers and text in a covariate": Case(
        4,
        (
            "column `prior`: 119 rows hold a number and 1 row holds other text",
            'kind = "category"',
        ),
        rows=marked(1, prior=SECRET_TEXT),
    ),
    "a wave column that names pupils": Case(
        4,
        ("column `code`: the column has 60 waves, more than the 50 that are allowed",),
        plan=put('wave = "wave"', 'wave = "code"'),
        rows=lambda rows: [
            row | {"pupil_id": f"P{number}", "code": f"987654{number // 2:02d}"}
            for number, row in enumerate(rows)
        ],
    ),
    "a covariate that changes, and no baseline": Case(
        4,
        ("column `prior`: the covariate changes between waves for 60 pupils", "`baseline_wave`"),
        plan=put("baseline_wave = 1", ""),
        rows=_waves,
    ),
    "three faults of the data at once": Case(
        4,
        ("column `maths`: 2 rows", "column `b01`: 2 rows", "column `placement`: 2 rows"),
        rows=marked(2, maths=SECRET_TEXT, b01="987654", placement=SECRET_TEXT),
    ),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder for a study; temporary files go to `temp` beside it."""
    temp = tmp_path / "temp"
    temp.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temp))
    study = tmp_path / "study"
    study.mkdir()
    return study


def lay_out(case: Case, folder: Path) -> None:
    (folder / "study.toml").write_text(case.plan(PLAN), encoding="utf-8")
    if case.without != "pupils.csv":
        text = case.text(as_csv(case.rows(good_rows())))
        (folder / "pupils.csv").write_text(text, encoding="utf-8")


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def leave(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    """Run the command line in this process; give its exit code and what it wrote."""
    monkeypatch.setattr(sys, "argv", ["baseeval", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    out, err = capsys.readouterr()
    assert isinstance(left.value.code, int)
    return left.value.code, out, err


def test_there_are_ten_and_more():
    assert len(CASES) >= 10
    assert {case.code for case in CASES.values()} == {3, 4}


@pytest.mark.parametrize("name", CASES)
def test_a_malformed_input_is_named_and_leaves_nothing(name, folder, monkeypatch, capsys):
    case = CASES[name]
    lay_out(case, folder)
    before = everything(folder.parent)
    study, place = folder / "study.toml", folder / "results" / "output"

    code, out, err = leave(["run", str(study), "--out", str(place)], monkeypatch, capsys)

    assert code == case.code, err
    for words in case.says:
        assert words in err
    assert out == ""
    for sentinel in ("ZEBRA", "SECRET", "987654", "Traceback", "fault of ours", str(folder)):
        assert sentinel not in out + err
    assert everything(folder.parent) == before


@pytest.mark.parametrize("name", ["unknown key", "text in a number"])
def test_check_says_the_same_as_run(name, folder, monkeypatch, capsys):
    case = CASES[name]
    lay_out(case, folder)
    before = everything(folder.parent)

    code, out, err = leave(["check", str(folder / "study.toml")], monkeypatch, capsys)

    assert code == case.code
    assert all(words in err for words in case.says)
    assert out == ""
    assert everything(folder.parent) == before


def test_a_study_file_that_is_not_there(folder, monkeypatch, capsys):
    code, _, err = leave(["run", str(folder / "absent.toml")], monkeypatch, capsys)

    assert code == 3
    assert "absent.toml: the study file cannot be read. Check the path." in err
    assert everything(folder) == set()


@pytest.mark.parametrize(("name", "content"), [("p.parquet", b"no table"), ("p.csv.gz", b"x")])
def test_a_file_that_is_not_what_its_name_says(name, content, folder, monkeypatch, capsys):
    (folder / "study.toml").write_text(PLAN.replace("pupils.csv", name), encoding="utf-8")
    (folder / name).write_bytes(content)

    code, _, err = leave(["run", str(folder / "study.toml")], monkeypatch, capsys)

    assert code == 4
    assert f"{name}: the file cannot be read" in err
    assert everything(folder) == {"study.toml", name}


def test_as_a_command_of_its_own(folder):
    case = CASES["three faults of the data at once"]
    lay_out(case, folder)
    before = everything(folder)

    command = [sys.executable, "-m", "baseeval", "run", "study.toml", "--out", "output"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

    assert done.returncode == 4
    assert all(words in done.stderr for words in case.says)
    assert "ZEBRA" not in done.stdout + done.stderr
    assert "SECRET" not in done.stdout + done.stderr
    assert everything(folder) == before


def test_what_was_there_before_stays(folder, monkeypatch, capsys):
    """A run that fails over an earlier run's folder leaves that folder as it was."""
    lay_out(CASES["text in a number"], folder)
    place = folder / "output"
    place.mkdir()
    (place / "manifest.json").write_text('{"manifest": 1, "plan_hash": "0"}', encoding="utf-8")
    (place / "results.csv").write_text("earlier\n", encoding="utf-8")
    private = folder / "output.restricted"
    private.mkdir()
    (private / "weights.parquet").write_bytes(b"earlier")

    code, _, _ = leave(["run", str(folder / "study.toml")], monkeypatch, capsys)

    assert code == 4
    assert (place / "results.csv").read_text(encoding="utf-8") == "earlier\n"
    assert (private / "weights.parquet").read_bytes() == b"earlier"
    assert not (private / "spill").exists()
    assert {path.name for path in folder.iterdir()} == {
        "study.toml",
        "pupils.csv",
        "output",
        "output.restricted",
    }


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8-sig"])
def test_what_is_not_a_fault_runs(encoding, folder, monkeypatch, capsys):
    """Windows-1252 and a byte order mark are how spreadsheets write; both are read."""
    (folder / "study.toml").write_text(PLAN, encoding=encoding if "sig" in encoding else "utf-8")
    rows = good_rows()
    for row in rows:
        row["school_id"] = f"École {row['school_id']}"
    (folder / "pupils.csv").write_text(as_csv(rows), encoding=encoding)

    code, out, err = leave(["run", str(folder / "study.toml")], monkeypatch, capsys)

    assert code == 0, err
    assert "report.html" in out
    assert (folder / "output" / "results.csv").is_file()
    assert not list(folder.glob(".output*"))
    assert "École" not in (folder / "output" / "results.csv").read_text(encoding="utf-8")
