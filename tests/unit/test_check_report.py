"""What a check found: put in order, said in words, on a terminal and on a page."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from baseeval.errors import Fault, Problem, fault
from baseeval.reporting.check_html import check_page
from baseeval.reporting.check_report import FlowStep, make_check
from baseeval.reporting.check_terminal import check_lines
from baseeval.reporting.check_words import verdict

EXAMPLE: dict[str, Any] = runpy.run_path(str(Path(__file__).with_name("check_example.py")))
EXAMPLES = ("check_example", "clean_example", "questions_example")


def test_files_with_something_to_mend_come_first_and_the_worst_fault_of_each() -> None:
    report = EXAMPLE["check_example"]()
    assert [file.file for file in report.files] == [
        EXAMPLE["CENSUS"],
        "study.toml",
        "absence.csv",
    ]
    census = report.files[0]
    assert [fault.column for fault in census.stopping] == ["urn", "idaci"]
    assert [fault.column for fault in census.questions] == ["fsm", "sen_unit", "sex"]
    assert (report.stopping, report.questions) == (3, 4)


def test_a_problem_of_no_table_stops_and_keeps_its_words() -> None:
    problem = Problem("study.toml, [data]", "no table is named", "Add it.")
    (file,) = make_check([problem]).files
    (placed,) = file.stopping
    assert (file.file, placed.column, placed.count) == ("study.toml", "[data]", 0)
    assert str(placed) == str(problem)


def test_a_fault_without_a_file_takes_it_from_where_it_is() -> None:
    (file,) = make_check([Fault("p.csv", "3 pupils", "Look.", count=3, stops=False)]).files
    assert (file.file, file.questions[0].count) == ("p.csv", 3)


@pytest.mark.parametrize(
    ("stopping", "questions", "words"),
    [
        (0, 0, "Nothing is wrong: the plan and the data keep their contracts."),
        (0, 1, "Nothing must be mended. 1 question stops nothing: look at what was found."),
        (0, 2, "Nothing must be mended. 2 questions stop nothing: look at what was found."),
        (1, 0, "1 fault must be mended before the study can run."),
        (2, 1, "2 faults must be mended before the study can run. Besides, 1 question stops"),
        (2, 3, "2 faults must be mended before the study can run. Besides, 3 questions stop"),
    ],
)
def test_the_verdict_says_whether_the_study_can_run(
    stopping: int, questions: int, words: str
) -> None:
    found = [
        fault("p.csv", f"c{number}", "rule", 1, "x", "Look.", stops=number < stopping)
        for number in range(stopping + questions)
    ]
    assert verdict(make_check(found)).startswith(words)


def test_off_a_terminal_each_thing_is_one_plain_line() -> None:
    lines = check_lines(EXAMPLE["check_example"]())
    assert lines == [
        "pupils: 1,000,000 rows and 29 columns read from census_*.csv (3 files).",
        "peers: 1 row and 2 columns read from p.csv.",
        "Must be mended: census_*.csv (3 files), column `urn`: the file has no such column. "
        "Add it, or name its heading in `[data.columns.pupils]`.",
        "Must be mended: census_*.csv (3 files), column `idaci`: 1,204 rows hold text. Mend.",
        "To look at: census_*.csv (3 files), column `fsm`: 31 rows have free meals <now> & never. "
        "Look.",
        "To look at: census_*.csv (3 files), column `sen_unit`: 31 rows have a base flag and no "
        "SEN. Look.",
        "To look at: census_*.csv (3 files), column `sex`: 3 pupils have a sex that differs. Look.",
        "Must be mended: study.toml, [design] methods: `entropyy` is not there. Did you mean it?",
        "To look at: absence.csv, column `possible`: 17 rows have more than 420 sessions. Look.",
        "eligible, base: 4,120 pupils in 31 schools.",
        "placed at first sight, base: fewer than 10 pupils in 1 school "
        "(no census before placement).",
        "Note: Absence of 2020 is not like other years'.",
        "3 faults must be mended before the study can run. Besides, 4 questions stop nothing.",
    ]


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_a_terminal_gets_tables_of_its_width_that_lose_no_word(width: int) -> None:
    lines = check_lines(EXAMPLE["check_example"](), width)
    text = re.sub(r"\W", "", "".join(lines))
    assert max(map(len, lines)) <= width
    assert not re.search("\x1b", "".join(lines))
    for words in ("mustbemended", "tolookat", "fewer"):
        assert words in text
    assert any(re.search(r"idaci\s+1,204", line) for line in lines)
    assert any("[design]" in line for line in lines), "brackets are not markup"


def test_a_narrow_terminal_gets_plain_lines() -> None:
    report = EXAMPLE["check_example"]()
    assert check_lines(report, 40) == check_lines(report)


class Reader(HTMLParser):
    """Collect tags with their attributes, and words; check that tags close."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_page_is_whole_and_asks_for_nothing(example: str) -> None:
    page = check_page(EXAMPLE[example]())
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in reader.tags}
    assert not re.search(r"https?:|@import|url\(", page)
    assert "default-src 'none'" in page
    ids = [attrs["id"] for _, attrs in reader.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    named = [attrs["aria-labelledby"] for _, attrs in reader.tags if "aria-labelledby" in attrs]
    assert set(named) <= set(ids)
    assert "Not for release" in " ".join(reader.words)
    assert page == check_page(EXAMPLE[example]()), "the same each time"


def test_the_page_counts_and_escapes_and_tells_mending_from_looking() -> None:
    page = check_page(EXAMPLE["check_example"]())
    assert "1,204" in page
    assert "rows have free meals &lt;now&gt; &amp; never" in page
    assert "<code>entropyy</code> is not there" in page
    assert page.index("Must be mended") < page.index("To look at")
    assert page.index("To look at") < page.index("What was read")
    assert "census_2020.csv, census_2021.csv, census_2022.csv" in page
    assert "fewer than 10" in page


def test_a_clean_page_has_no_empty_part() -> None:
    page = check_page(EXAMPLE["clean_example"]())
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", page) == ["What was read"]


def test_a_step_of_nobody_is_said() -> None:
    assert "all, base: 0 pupils in 0 schools." in check_lines(
        make_check([], flow=[FlowStep("all", "base", 0, 0)])
    )


def test_nothing_heavy_is_imported() -> None:
    script = (
        "import sys, baseeval.reporting.check_html, baseeval.reporting.check_terminal\n"
        "heavy = {'matplotlib', 'statsmodels', 'linearmodels', 'gptables'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
