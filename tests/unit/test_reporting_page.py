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
from baseeval.disclosure.screening import screen
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
    always = [
        "attrition.csv", "balance.csv", "descriptions.csv", "flow.csv", "missing.csv",
        "overlap.csv", "report.html", "results.csv", "results.parquet",
    ]  # fmt: skip
    where_any = [
        "benchmarks.csv", "completion.csv", "describes.csv", "eligibility.csv", "gate.csv",
        "invariance.csv", "items.csv", "modes.csv", "movements.csv", "propensity.csv",
        "respondents_balance.csv", "scales.csv", "ways_out.csv",
    ]  # fmt: skip
    assert names == sorted([*always, *(where_any if study == "released_example" else [])])
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


def test_a_study_without_such_tables_has_no_such_sections() -> None:
    ids = set(read(render(example("described_only"))).having("id"))
    assert not ids & {"needs", "lost", "moved", "context"}
    assert "Who is in the study" not in render(example("described_only"))
    assert {"lost"} == set(read(render(example("two_arms"))).having("id")) & {
        "needs",
        "lost",
        "moved",
    }


def section(page: str, name: str) -> str:
    found = re.search(rf'<section[^>]*aria-labelledby="{name}">.*?</section>', page, re.DOTALL)
    assert found
    shown = re.sub(r'<span class="head"[^>]*>.*?</span>', "", found[0])
    return re.sub(r"\s+", " ", " ".join(read(shown).words))


def test_who_was_lost_names_the_largest_differences_alone() -> None:
    told = section(render(example("released_example")), "lost")
    assert "Pupils with a base place Wave 2 40 withheld withheld withheld" in told
    assert "Pupils with a base place Wave 3 40 30 10 25%" in told
    assert "in 10 comparisons" in told
    assert "8 differences are larger than a quarter of a standard deviation" in told
    assert "the others are in attrition.csv" in told
    assert told.count(" higher ") + told.count(" lower ") == 6
    assert "0.12" not in told


def test_few_lost_are_said_to_be_few() -> None:
    released = example("released_example")
    few = released.attrition.assign(smd=float("nan"), status="suppressed")
    told = section(render(dataclasses.replace(released, attrition=few)), "lost")
    assert "is withheld, because they are few or nobody" in told
    none = released.attrition.assign(smd=0.1)
    assert "No difference is larger" in section(
        render(dataclasses.replace(released, attrition=none)), "lost"
    )


def test_rules_of_need_and_movements_are_tables_in_words() -> None:
    page = render(example("released_example"))
    assert "The main need (primary) Yes 125 7" in section(page, "needs")
    assert "The second need (secondary) No withheld withheld" in section(page, "needs")
    moved = section(page, "moved")
    assert "The groups compared are those at the start" in moved
    assert "Pupils at schools with no base Wave 3 withheld withheld 35 withheld" in moved


def test_published_figures_stand_apart_with_source_and_date() -> None:
    page = render(example("released_example"))
    told = section(page, "context")
    assert "not an effect" in told
    assert "Number of pupils (pupils) 206,131" in told
    assert "DfE, Pupil absence in schools in England, published 16 March 2023" in told
    assert "35 more are in benchmarks.csv." in told
    assert 'class="tag' not in page[page.index('id="context">') : page.index('id="how">')]
    assert page.index('id="limits">') < page.index('id="context">')


def test_who_is_in_the_study_is_said_in_words() -> None:
    told = section(render(example("released_example")), "who")
    assert (
        "The study is about pupils whose main or second recorded need is autistic spectrum "
        "disorder or speech, language and communication needs, in year 7 or in year 8, with an "
        "EHC plan. In every group a pupil is followed from the day they came to the school where "
        "they are first eligible. That day lies in 2019/20 to 2021/22."
    ) in told
    assert (
        "Who has a base place is taken from the school census. Only these count: SEN unit or "
        "resourced provision. A school has a base in a school year if the number of its pupils "
        "with a place is 3 or more. A place that began up to 31 days late counts as from the "
        "start. Later moves do not change a pupil’s group."
    ) in told


def test_change_of_pupils_placed_already_is_change_while_placed() -> None:
    released = example("released_example")
    flag = "no_pre_placement_baseline"
    of_base = released.results["contrast"].str.startswith("base")
    rows = released.results.assign(form="change")
    some = rows.assign(flags=rows["flags"].where(~of_base, rows["flags"] + f";{flag}"))
    page = render(dataclasses.replace(released, results=some))
    assert "Teacher-assessed attainment at wave 3 (change while placed) was higher" in page
    assert "at wave 2 (change since the first measurement) was much the same" in page
    assert "Teacher-assessed attainment: change</h3>" in page
    every = rows.assign(flags=rows["flags"] + f";{flag}")
    page = render(dataclasses.replace(released, results=every))
    assert "Teacher-assessed attainment: change while placed</h3>" in page
    assert "since the first measurement" not in page


def test_the_pages_and_files_pass_the_screen_and_planted_faults_do_not(tmp_path: Path) -> None:
    released = example("released_example")
    report(released, tmp_path)
    assert screen(tmp_path) == []
    for name, column, small in (
        ("attrition", "n_lost", 7),
        ("need_rules", "pupils", 3),
        ("movements", "pupils", 12),
    ):
        spoiled = getattr(released, name).copy()
        spoiled.loc[0, column] = small
        folder = tmp_path / name
        report(dataclasses.replace(released, **{name: spoiled}), folder)
        found = {finding.file for finding in screen(folder)}
        file = "eligibility" if name == "need_rules" else name
        assert found == {f"{file}.csv", "report.html"}


def test_withheld_cells_say_so() -> None:
    words = " ".join(read(render(example("released_example"))).words)
    assert words.count("withheld") > 5
    assert "Withheld" in words
