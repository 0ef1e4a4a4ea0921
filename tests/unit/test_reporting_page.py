"""The page is whole, safe, self-contained and the same each time."""

from __future__ import annotations

import dataclasses
import re
import runpy
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from baseeval.disclosure.released import Released
from baseeval.reporting.html import render
from baseeval.reporting.writing import report
from baseeval.results import CONTRASTS, FLAGS, VERDICTS

EXAMPLE: dict[str, Any] = runpy.run_path(str(Path(__file__).with_name("released_example.py")))
STUDIES = ("released_example", "two_arms", "described_only")
VOID = {"meta", "link", "br", "img", "input", "hr"}

each_study = pytest.mark.parametrize("study", STUDIES)


class Reader(HTMLParser):
    """Collect tags, attributes and words, and check that tags close."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    def having(self, name: str) -> list[str]:
        return [str(attrs[name]) for _, attrs in self.tags if name in attrs]


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert not reader.open
    return reader


def example(study: str, *arguments: Any) -> Released:
    released: Released = EXAMPLE[study](*arguments)
    return released


@each_study
def test_asks_nothing_of_a_network(study: str) -> None:
    page = render(example(study))
    reader = read(page)
    assert all(link.startswith("#") for link in reader.having("href"))
    assert not reader.having("src")
    assert not {tag for tag, _ in reader.tags} & {"script", "link", "iframe", "img", "object"}
    assert not re.search(r"https?:|//www|@import|url\((?!#)", page)


@each_study
def test_ids_are_unique_and_every_anchor_lands(study: str) -> None:
    reader = read(render(example(study)))
    counts = Counter(reader.having("id"))
    assert [name for name, count in counts.items() if count > 1] == []
    targets = [link.removeprefix("#") for link in reader.having("href")]
    targets += reader.having("aria-labelledby")
    assert set(targets) <= set(counts)
    clips = re.findall(r"url\(#([^)]+)\)", render(example(study)))
    assert set(clips) <= set(counts)


@each_study
def test_headings_come_in_order(study: str) -> None:
    levels = [int(tag[1]) for tag, _ in read(render(example(study))).tags if re.match(r"h\d", tag)]
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))


@each_study
def test_no_code_reaches_a_reader(study: str) -> None:
    page = render(example(study))
    body = re.sub(r"<code>.*?</code>", "", page[page.index("<body>") :])
    words = re.sub(r"\s+", " ", " ".join(read(f"{body.replace('</html>', '')}").words))
    codes = [code for code in (*VERDICTS, *CONTRASTS, *FLAGS) if "_" in code]
    assert [code for code in codes if code in words] == []
    assert "Special schools were not compared" in words
    assert "must not decide any pupil’s place" in words
    assert not re.search(r"\bnan\b|<NA>|\bNone\b", words)


@each_study
def test_same_bytes_twice(study: str, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        report(example(study), tmp_path / folder)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == [
        "balance.csv", "descriptions.csv", "flow.csv", "missing.csv", "overlap.csv", "report.html",
        "results.csv", "results.parquet",
    ]  # fmt: skip
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_files_keep_the_results(tmp_path: Path) -> None:
    released = example("released_example")
    report(released, tmp_path)
    written = (tmp_path / "results.csv").read_bytes()
    assert b"\r" not in written
    assert b"nan" not in written.lower()
    kept = pd.read_parquet(tmp_path / "results.parquet")
    pd.testing.assert_frame_equal(kept, released.results, check_dtype=False)
    third = pd.DataFrame({"value": [1 / 3, float("nan")], "count": pd.array([1, pd.NA])})
    report(
        dataclasses.replace(
            released, flow=third.assign(step="a", arm="", pupils=1, schools=1, reason="", status="")
        ),
        tmp_path,
    )
    assert (tmp_path / "flow.csv").read_text().splitlines()[1:] == [
        "0.333333333333,1,a,,1,1,,", ",,a,,1,1,,"
    ]  # fmt: skip


def test_hostile_words_stay_words() -> None:
    evil = '--><script>alert("x")</script><img src=x onerror=alert(1)>'
    released = example("released_example", evil)
    released = dataclasses.replace(
        released,
        balance=released.balance.assign(covariate=evil, level='" onload="x'),
        flow=released.flow.assign(reason=evil),
        about=dataclasses.replace(
            released.about,
            question=evil,
            notes=(evil,),
            inputs=((evil, "0" * 64),),
            arms={"base": (evil,)},
            outcomes=tuple(
                dataclasses.replace(outcome, label=f'{evil}"x $a_b$')
                for outcome in released.about.outcomes
            ),
        ),
    )
    reader = read(render(released))
    assert not {tag for tag, _ in reader.tags} & {"script", "img"}
    assert not [name for _, attrs in reader.tags for name in attrs if name.startswith("on")]


def test_two_arms_name_what_was_not_compared() -> None:
    page = render(example("two_arms"))
    assert page.count("The reason: no pupil of a school without a base is in the data.") == 4
    assert "Comparisons that were not made" in page


def test_a_described_study_makes_sense() -> None:
    page = render(example("described_only"))
    assert "No groups were compared." in page
    assert "3,105" in page
    assert 'id="alike"' not in page
    assert 'id="results"' not in page
    assert "<svg" not in page


def test_withheld_cells_say_so() -> None:
    words = " ".join(read(render(example("released_example"))).words)
    assert words.count("withheld") > 5
    assert "Withheld" in words
