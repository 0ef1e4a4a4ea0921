"""Whether a questionnaire can be trusted, in words: from released rows to sentences."""

from __future__ import annotations

import dataclasses
import runpy
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from baseeval.disclosure import shapes
from baseeval.disclosure.released import Released
from baseeval.reporting.completion import completion_sheet, completion_words, mode_sheet
from baseeval.reporting.found import findings
from baseeval.reporting.html import render
from baseeval.reporting.scales import trust

EXAMPLE: dict[str, Any] = runpy.run_path(str(Path(__file__).with_name("released_example.py")))


def example(**tables: pd.DataFrame) -> Released:
    return dataclasses.replace(EXAMPLE["released_example"](), **tables)


def answered(*cells: object, status: str = "") -> Released:
    row = ["belonging", "2", "base", "all", *cells, status]
    return example(completion=EXAMPLE["table_of"](shapes.COMPLETION, [row]))


@pytest.mark.parametrize(
    ("released", "words"),
    [
        (
            answered(80, 60, 10, 10, 0),
            "Of the pupils with a base place, about 60 of 80 answered; 10 could not be asked in "
            "any way that was offered and 10 did not wish to answer.",
        ),
        (
            answered(80, 60, 15, pd.NA, pd.NA, status="suppressed"),
            "Of the pupils with a base place, about 60 of 80 answered; 15 could not be asked in "
            "any way that was offered. How many did not wish to answer is withheld.",
        ),
        (
            answered(80, 60, pd.NA, pd.NA, 20, status="not recorded"),
            "Of the pupils with a base place, about 60 of 80 answered.",
        ),
        (
            answered(80, pd.NA, pd.NA, pd.NA, pd.NA, status="suppressed"),
            "How many pupils with a base place answered is withheld.",
        ),
    ],
    ids=["all told", "few declined", "not recorded", "withheld"],
)
def test_who_answered_in_a_sentence(released: Released, words: str) -> None:
    said = completion_words(released, "belonging")
    assert said[0] == words
    assert said[-1] == "What follows is about those who answered."
    recorded = "It is not recorded who could not be asked, nor who did not wish to answer."
    assert (recorded in said) == ("not recorded" in released.completion.loc[0, "status"])


def test_nothing_is_said_of_an_outcome_that_nobody_was_asked() -> None:
    assert completion_words(example(), "attendance") == ()
    assert not completion_sheet(example(), "attendance").rows


def test_each_group_and_wave_has_its_own_words() -> None:
    (one,) = trust(example())
    assert one.by.startswith("Answered by a parent or carer")
    assert one.agreement == (
        "Pupils with a base place: the answers to the 9 questions agree well at wave 2 "
        "(alpha 0.84) and well at wave 3 (alpha 0.84).",
        "Pupils at the same schools without one: the answers to the 9 questions agree little at "
        "wave 2 (alpha 0.64) and little at wave 3 (alpha 0.64).",
        "Pupils at schools with no base: how well the answers agree is withheld.",
    )
    meaning = " ".join(one.meaning)
    assert "some questions work otherwise" in meaning
    assert "could not be checked: too few answered every question" in meaning
    assert "From wave 2 and wave 3, the questions work alike" in meaning
    assert "do not hang together as the scale supposes" in meaning


def test_not_assessable_is_never_told_as_alike() -> None:
    steps = EXAMPLE["invariance"]()
    few = steps[steps["verdict"] == "not assessable"].groupby("step").head(1)
    (one,) = trust(example(invariance=few))
    assert "alike" not in " ".join(one.meaning)


def test_modes_are_shares_of_those_who_answered_where_they_may_be_told() -> None:
    rows = mode_sheet(example(), "belonging").rows
    assert rows[0][2:] == ("The questionnaire as it stands", "20", "80%")
    assert rows[1][2:] == ("Any other way", "withheld", "withheld")


def test_the_answer_says_that_the_questions_may_not_mean_the_same() -> None:
    (finding,) = [found for found in findings(example()) if found.title == "Belonging"]
    told = [" ".join((*c.cautions, *(w for a in c.answers for w in a.cautions)))
            for c in finding.comparisons]  # fmt: skip
    assert "The questionnaire may not mean the same in the two groups" in told[0]
    assert "Answered by a parent or carer" in finding.note


def test_a_study_without_a_questionnaire_has_no_such_section() -> None:
    assert "Can the questionnaire be trusted" not in render(EXAMPLE["two_arms"]())
    assert "Can the questionnaire be trusted" in render(example())
