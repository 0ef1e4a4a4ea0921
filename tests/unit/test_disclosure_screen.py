"""What an output checker would find, and what he would let pass."""

from __future__ import annotations

import gzip
import json
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest

from baseeval.disclosure.contents import Finding
from baseeval.disclosure.headings import is_count, is_key
from baseeval.disclosure.released import About
from baseeval.disclosure.releasing import release
from baseeval.disclosure.screening import screen
from baseeval.disclosure.shapes import DESCRIPTIONS
from baseeval.errors import UsageError
from baseeval.reporting.tables import write_tables
from baseeval.results import CONTRASTS, Effect, Flow, results_table

ARMS = ("base", "host_mainstream", "non_host")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "output"
    place.mkdir()
    return place


@pytest.fixture
def finished(written_once: Path, tmp_path: Path) -> Path:
    """A run's folder, as the package writes it."""
    return Path(shutil.copytree(written_once, tmp_path / "finished"))


@pytest.fixture(scope="module")
def written_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    random = np.random.default_rng(1)
    effects = [
        Effect(
            study="seven", plan_hash="5f2c1b7e" * 8, outcome=outcome, form="level", wave=str(wave),
            contrast=contrast, estimand="ATT", target=first, design=design, model="multilevel",
            estimate=float(random.normal()), std_error=0.1, df=5.43, p_value=0.2,
            n_first=int(random.integers(5, 60)), n_second=int(random.integers(9, 999)),
            n_effective_first=3.2, n_effective_second=17.0, schools_first=5, schools_second=2,
        )
        for outcome in ("attainment", "attendance", "belonging")
        for wave in (1, 2, 3)
        for design in ("entropy", "nearest")
        for contrast, (first, _) in CONTRASTS.items()
    ]  # fmt: skip
    flow = pd.DataFrame(
        [("In an arm", arm, n, 5, "") for arm, n in zip(ARMS, (38, 43, 7), strict=True)],
        columns=["step", "arm", "pupils", "schools", "reason"],
    )
    missing = pd.DataFrame(
        [("covariate", f"c{i}", "", arm, 41, i, "blank") for i in range(40) for arm in ARMS],
        columns=["role", "name", "wave", "arm", "pupils", "missing", "reason"],
    )
    described = pd.DataFrame(
        [("belonging", "level", "1", arm, 43, 5, 11, 2.4567, 0.6, 2.0, 2.5, 3.0, "mean score")
         for arm in ARMS],
        columns=[name for name in DESCRIPTIONS if name != "status"],
    )  # fmt: skip
    out = release(
        results_table(effects),
        flow=Flow(flow),
        missing=missing,
        descriptions=described,
        about=About(study="seven", title="Seven schools"),
    )
    write_tables(out, folder)
    manifest = {
        "study": "seven",
        "plan_hash": "5f2c1b7e" * 8,
        "seed": 1,
        "profile": "srs",
        "inputs": [{"file": "pupils.csv", "sha256": "0a1b2c3d" * 8}],
        "versions": {"numpy": "2.3.1", "pandas": "3.1.1"},
        "plan": {
            "data": {"pupil": "pupil_id", "school": "school_id"},
            "outcomes": [
                {
                    "name": "belonging",
                    "items": ["b01", "b02"],
                    "range": [1, 4],
                    "min_answered": 0.75,
                }
            ],
            "peers": {"peer_of": "matched_to"},
        },
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    (folder / "report.html").write_text(
        "<html><head><style>a{b:c}</style></head><body><h1>Year 7 and 8 pupils in 7 schools</h1>"
        "<p>A group of fewer than 10 pupils is withheld. n = 10 is enough.</p>"
        "<table><tr><th>Step</th><th>Base</th><th>Schools</th></tr>"
        "<tr><th>Pupils in the data</th><td>40</td><td>5</td></tr>"
        "<tr><th>Effective number of pupils</th><td>3.2</td><td>5</td></tr></table>"
        "<script>var scale = 'x:\\n' + 3;</script></body></html>",
        encoding="utf-8",
    )
    return folder


def pupils(rows: int = 60) -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "pupil_id": [f"P{i:05d}" for i in random.permutation(rows)],
            "school_id": random.choice(["S01", "S02"], rows),
            "sex": random.choice(["female", "male"], rows),
            "attainment": random.normal(50, 10, rows),
        }
    )


def found(folder: Path) -> str:
    return "\n".join(map(str, screen(folder)))


def test_a_finished_run_is_clean(finished: Path) -> None:
    assert screen(finished) == []


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        screen(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="no profile"):
        screen(tmp_path, profile="none")


WRITERS: dict[str, Callable[[pd.DataFrame, Path], object]] = {
    "pupils.csv": lambda table, path: table.to_csv(path, index=False),
    "pupils.tsv": lambda table, path: table.to_csv(path, index=False, sep="\t"),
    "pupils.csv.gz": lambda table, path: table.to_csv(path, index=False),
    "semicolons.csv": lambda table, path: table.to_csv(path, index=False, sep=";"),
    "sixteen.csv": lambda table, path: table.to_csv(path, index=False, encoding="utf-16"),
    "windows.csv": lambda table, path: table.assign(note="é").to_csv(path, encoding="cp1252"),
    "pupils.parquet": lambda table, path: table.to_parquet(path, index=False),
    "pupils.xlsx": lambda table, path: table.to_excel(path, index=False),
    "pupils.json": lambda table, path: table.to_json(path, orient="records"),
    "columns.json": lambda table, path: table.to_json(path, orient="split"),
    "deep.json": lambda table, path: path.write_text(
        json.dumps({"a": [{"b": table.to_dict("list")}]}), encoding="utf-8"
    ),
    "lines.jsonl": lambda table, path: table.to_json(path, orient="records", lines=True),
    "pupils.html": lambda table, path: table.to_html(path, index=False),
    "pupils.txt": lambda table, path: table.to_csv(path, index=False),
    "nested/deeper/pupils.csv": lambda table, path: table.to_csv(path, index=False),
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("key", ["pupil_id", "PupilMatchingRefAnonymous_SPR22", "reference", None])
def test_rows_of_pupils_are_found(finished: Path, name: str, key: str | None) -> None:
    table = pupils()
    table = (
        table.drop(columns="pupil_id") if key is None else table.rename(columns={"pupil_id": key})
    )
    path = finished / name
    path.parent.mkdir(parents=True, exist_ok=True)
    WRITERS[name](table, path)
    findings = screen(finished)
    if key is None and name == "pupils.html":
        return  # a page's tables have headings of any kind: without identifiers they pass
    assert {finding.file for finding in findings} == {name}
    told = "\n".join(map(str, findings))
    assert not any(value in told for value in pupils()["pupil_id"])


def test_repeated_rows_a_pupil_are_found(folder: Path) -> None:
    waves = pd.concat([pupils()] * 3).rename(columns={"pupil_id": "ref"})
    waves.to_csv(folder / "long.csv", index=False)
    assert "each named by a value of its own" in found(folder)


def test_the_sample_of_synthetic_pupils_fails(finished: Path, root: Path) -> None:
    sample = root / "synthetic_data" / "sample" / "pupils.csv"
    (finished / "extra.csv").write_bytes(sample.read_bytes())
    assert "extra.csv, column pupil_id: names pupils" in found(finished)


LEAKS: dict[str, tuple[str, str]] = {
    "small.csv": ("arm,n_first\nbase,7\nhost,40\n", "1 counts of pupils from 0 to 9"),
    "zero.csv": ("arm,Number of pupils\nbase,0\n", "1 counts of pupils"),
    "exact.csv": ("arm,pupils\nbase,37\n", "not rounded to 5"),
    "float.csv": ("arm,missing\nbase,7.0\n", "1 counts of pupils"),
    "extreme.csv": ("outcome,mean,max\nx,2.1,4\n", "one pupil's"),
    "names.csv": ("name,score\nAnn Lee,3\nJo Smith-Ray,4\n", "people's names"),
    "dob.csv": ("date_of_birth,score\n2010-01-01,3\n", "names pupils"),
    "path.csv": ("file\n/home/ann/extract.csv\n", "absolute paths"),
    "windows.txt": (r"read C:\Users\ann\pupils.csv first", "absolute paths"),
    "share.md": (r"see \\server\share\file", "absolute paths"),
    "mail.md": ("ask ann.lee@school.example", "e-mail"),
    "upn.txt": ("A123456789012 was left out", "unique pupil number"),
    "words.md": ("There were 3 pupils in the base.", "1 counts of pupils under 10 in words"),
    "n.svg": ("<svg><text>base (n = 4)</text></svg>", "in words"),
    "table.md": ("| arm | pupils |\n|---|---|\n| base | 4 |\n", "1 counts of pupils"),
    "scalar.json": ('{"arms": {"base": {"n": 4}}}', "1 counts of pupils"),
    "one.json": ('{"upn": "A123456789012"}', "names pupils"),
    "page.html": (
        "<table><tr><th>Arm<th colspan=2>Pupils</tr><tr><th><th>wave 1<th>wave 2</tr>"
        "<tr><td>base<td>40<td>4 (2 schools)</table>",
        "1 counts of pupils",
    ),
    "across.html": (
        "<table><tr><th></th><th>SRC</th></tr><tr><th>Pupils</th><td>4</td></tr></table>",
        "row 1: 1 counts",
    ),
    "script.html": ('<script type="application/json">[{"pupil_id": "P1"}]</script>', "pupil_id"),
    "comment.html": ("<p>ok</p><!-- from /home/ann/x.csv -->", "absolute paths"),
    "title.html": ("<p title='/Users/ann/x.csv'>ok</p>", "absolute paths"),
    "broken.json": ("{", "cannot be read"),
    "empty.parquet": ("", "cannot be read"),
    "model.pkl": ("x", "cannot read"),
    ".cache": ("x", "is hidden"),
    "noending": ("x", "cannot read"),
}


@pytest.mark.parametrize("name", LEAKS)
def test_leaks_are_found(finished: Path, name: str) -> None:
    text, told = LEAKS[name]
    (finished / name).write_text(text, encoding="utf-8")
    findings = screen(finished)
    assert {finding.file for finding in findings} == {name}
    assert told in "\n".join(map(str, findings))


def test_values_are_never_told(folder: Path) -> None:
    (folder / "headless.csv").write_text(
        "".join(f"A{i:011d}X,Ann Lee,{i}\n" for i in range(40)), encoding="utf-8"
    )
    told = found(folder)
    assert "(no heading)" in told
    assert "A00000000000X" not in told
    assert "Ann" not in told


def test_links_are_reported_and_not_followed(folder: Path, tmp_path: Path) -> None:
    pupils().to_csv(tmp_path / "pupils.csv")
    (folder / "away").symlink_to(tmp_path, target_is_directory=True)
    (folder / "pupils.csv").symlink_to(tmp_path / "pupils.csv")
    assert {(f.file, f.what) for f in screen(folder)} == {
        ("away", "is not a plain file and was not opened"),
        ("pupils.csv", "is not a plain file and was not opened"),
    }


def test_workbooks_are_read_whole(folder: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["Table 1: who was compared"])
    sheet.append(["Arm", "Number of pupils"])
    sheet.append(["base", 4])
    hidden = book.create_sheet("spare")
    hidden.sheet_state = "hidden"
    book.properties.creator = "Ann Lee"
    book.save(folder / "tables.xlsx")
    told = found(folder)
    assert "sheet Table" not in told
    assert "column Number of pupils: 1 counts" in told
    assert "sheet spare: is hidden" in told
    assert "properties: name a person" in told


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (*chunks, (b"IEND", b""))
    )
    return b"\x89PNG\r\n\x1a\n" + body


def test_pictures_metadata_is_read(folder: Path) -> None:
    (folder / "clean.png").write_bytes(png((b"tEXt", b"Software\0Matplotlib")))
    assert screen(folder) == []
    (folder / "author.png").write_bytes(png((b"tEXt", b"Author\0Ann")))
    packed = b"Comment\0\0" + zlib.compress(b"/home/ann/plot.py")
    (folder / "path.png").write_bytes(png((b"zTXt", packed)))
    (folder / "tail.png").write_bytes(png() + b"P00001,3\n")
    (folder / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe1\0\0Exif\0\0")
    assert {finding.file for finding in screen(folder)} == {
        "author.png",
        "path.png",
        "tail.png",
        "photo.jpg",
    }


def test_a_bomb_of_a_picture_is_read_in_part(folder: Path) -> None:
    packed = b"Comment\0\0" + zlib.compress(b"0" * 50_000_000)
    (folder / "bomb.png").write_bytes(png((b"zTXt", packed)))
    assert screen(folder) == []


def test_a_gzip_that_is_none_is_a_finding(folder: Path) -> None:
    (folder / "a.csv.gz").write_bytes(b"no")
    (folder / "b.csv.gz").write_bytes(gzip.compress(b"arm,pupils\nbase,3\n"))
    assert [finding.file for finding in screen(folder)] == ["a.csv.gz", "b.csv.gz"]


def test_zeros_pass_where_the_profile_lets_them(folder: Path) -> None:
    (folder / "zero.csv").write_text("arm,pupils\nbase,0\n", encoding="utf-8")
    assert screen(folder, profile="ees") == []
    assert screen(folder) == [
        Finding(
            "zero.csv",
            "column pupils",
            "1 counts of pupils from 0 to 9",
            "Withhold them, and another where a total would give them away.",
        )
    ]


@pytest.mark.parametrize(
    "heading",
    ["n", "N", "n_first", "Pupils", "Number of pupils", "pupil_count", "Missing", "count",
     "Pupils with a value", "n (%)", "count_second", "pupils_on_roll"],
)  # fmt: skip
def test_headings_of_counts(heading: str) -> None:
    assert is_count(heading)


@pytest.mark.parametrize(
    "heading",
    ["schools_first", "n_effective_first", "Share of pupils", "Pupils (%)", "mean", "wave",
     "pupil_id", "Schools", "estimate", "name", "reason"],
)  # fmt: skip
def test_headings_of_other_things(heading: str) -> None:
    assert not is_count(heading)


@pytest.mark.parametrize(
    "heading",
    ["UPN", "pupil_id", "Pupil ID", "PupilMatchingRefAnonymous", "KS2_PupilMatchingRefAnonymous",
     "pupilmatchingrefanonymous_spr22", "stdntid", "Surname", "Date of birth", "ULN"],
)  # fmt: skip
def test_headings_that_name_pupils(heading: str) -> None:
    assert is_key(heading)
