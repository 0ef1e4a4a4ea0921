"""The same row always gives the same words, and each code has words."""

from __future__ import annotations

import math
import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from baseeval.disclosure.released import About, OutcomeAbout
from baseeval.reporting.alike import no_likeness
from baseeval.reporting.amounts import interval, plain, school_days, size, span
from baseeval.reporting.cautions import CAUTIONS
from baseeval.reporting.html import render
from baseeval.reporting.limits import all_not_made, not_made
from baseeval.reporting.method import methods
from baseeval.reporting.phrasebook import SHORT_CONTRASTS, SIDES, everyday, group, label_of
from baseeval.reporting.sentences import sentence
from baseeval.reporting.tags import PLACES, tag_of
from baseeval.results import ARMS, CONTRASTS, FLAGS, VERDICTS

EXAMPLE = runpy.run_path(str(Path(__file__).with_name("released_example.py")))
FORBIDDEN = (
    "arm", "arms", "treated", "control", "caused", "effect of", "base children", "failed",
    *VERDICTS, *CONTRASTS, *FLAGS,
)  # fmt: skip


def row(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = EXAMPLE["example_row"](**changes)
    return made


def outcome(better: str = "higher") -> OutcomeAbout:
    return OutcomeAbout(
        name="reading", label="reading", kind="continuous", better=better, unit="points"
    )


@pytest.mark.parametrize("contrast", CONTRASTS)
@pytest.mark.parametrize(
    ("verdict", "better", "words", "tone"),
    [
        ("favours_first", "higher", "Higher {place}", "good"),
        ("favours_first", "lower", "Lower {place}", "good"),
        ("favours_second", "higher", "Lower {place}", "poor"),
        ("favours_second", "lower", "Higher {place}", "poor"),
        ("differs", "neither", "Different", "different"),
        ("no_meaningful_difference", "higher", "Too close to matter", "close"),
        ("no_meaningful_difference", "lower", "Too close to matter", "close"),
        ("no_meaningful_difference", "neither", "Too close to matter", "close"),
        ("cannot_tell", "higher", "Cannot tell", "unknown"),
        ("cannot_tell", "lower", "Cannot tell", "unknown"),
        ("cannot_tell", "neither", "Cannot tell", "unknown"),
    ],
)
@pytest.mark.parametrize("suppressed", [False, True])
def test_each_verdict_has_its_words(
    contrast: str, verdict: str, better: str, words: str, tone: str, suppressed: bool
) -> None:
    way = -1 if "lower" in words.lower() else 1
    hidden = {"estimate": math.nan, "ci_low": math.nan, "ci_high": math.nan}
    one = row(
        contrast=contrast,
        verdict=verdict,
        estimate=6.9 * way,
        ci_low=min(1.5 * way, 12.3 * way),
        ci_high=max(1.5 * way, 12.3 * way),
        flags=("suppressed",) if suppressed else (),
    ) | (hidden if suppressed else {})
    tag, told = tag_of(one, better), sentence(one, outcome(better))
    assert told == sentence(dict(one), outcome(better))
    spoken = told.lower().replace(".", " ").replace(",", " ")
    assert not [word for word in FORBIDDEN if f" {word} " in f" {spoken} "]
    if suppressed:
        assert tag.words == "Withheld"
        assert "withheld" in told
        assert not any(sign.isdigit() for sign in told.replace("wave 3", ""))
        return
    assert (tag.words, tag.tone) == (words.format(place=PLACES[contrast]), tone)
    assert ("these data cannot tell" in told) == (verdict == "cannot_tell")
    assert ("much the same" in told) == (verdict == "no_meaningful_difference")
    assert SIDES[contrast][0] in told
    assert "40 pupils" in told
    assert "5 schools" in told


def test_sentences_in_full() -> None:
    told = sentence(row(verdict="favours_first", flags=("few_schools",)), outcome())
    assert told == (
        "Reading at wave 3 was higher for pupils with a base place than for similar pupils at the "
        "same schools without one, by 6.9 points. Differences between 1.5 and 12.3 points higher "
        "fit the data. This is for 40 pupils with a base place (in 5 schools), set beside 45 "
        "pupils at the same schools without one (in 5 schools). Its range allows for other "
        "schools like these. The comparison rests on few schools, so other schools could look "
        "different."
    )
    open_ended = row(estimate=2.0, ci_low=-3.0, ci_high=7.0)
    assert "That is not the same as no difference." in sentence(open_ended, outcome())
    barred = sentence(row(), outcome())
    assert "did not pass the checks" in barred
    chance = sentence(row(p_adjusted=0.09), outcome())
    assert "could arise by chance" in chance
    nothing = row(estimate=math.nan, ci_low=math.nan, ci_high=math.nan, flags=("model_failed",))
    assert "No trustworthy range could be worked out." in sentence(nothing, outcome())


def test_a_plain_difference_does_not_call_pupils_similar() -> None:
    plain = row(design="none", model="unadjusted", flags=("nothing_adjusted",))
    assert "similar" not in sentence(plain, outcome())
    assert "similar" not in sentence(row(flags=("imbalance",)), outcome())
    assert "similar" in sentence(row(design="none", model="multilevel"), outcome())


def test_a_row_without_counts_still_reads() -> None:
    told = sentence(row() | {"n_second": None}, outcome())
    assert "an unstated number of pupils at the same schools" in told


def test_contrasts_never_made_say_why() -> None:
    told = not_made("base_vs_non_host", "no such schools.")
    assert told == (
        "No comparison was made of pupils with a base place with pupils at schools with no base. "
        "The reason: no such schools."
    )
    nothing = About(study="s", title="t", contrasts_not_made=dict.fromkeys(CONTRASTS, "no groups"))
    assert all_not_made(nothing) == ("No groups were compared. The reason: no groups.",)


def test_attendance_reads_as_points_and_days() -> None:
    assert size(0.031, "proportion of sessions") == (
        "3.1 percentage points (about 6 school days a year)"
    )
    assert school_days(0.001) == "less than a school day a year"
    assert school_days(-0.0052) == "about 1 school day a year"


def test_numbers() -> None:
    assert interval(0.123, 0.05, 0.19) == "0.12 (0.05 to 0.19)"
    assert interval(-0.001, -0.05, math.nan) == "0.00"
    assert interval(math.nan, 0, 1) == "–"
    assert plain(-12345.6, 0) == "−12,346"
    assert span(-3, -1, "points") == "between 1.0 and 3.0 points lower"


def test_every_code_has_words() -> None:
    assert set(CAUTIONS) >= set(FLAGS)
    assert set(SIDES) == set(SHORT_CONTRASTS) == set(PLACES) == set(CONTRASTS)
    assert all("_" not in group(arm) for arm in ARMS)
    assert label_of("fsm_ever") == "Free school meals ever"
    assert label_of("fsm_ever", "fsm ever") == "Free school meals ever"
    assert everyday("In an arm, every covariate known.") == (
        "In a group, every recorded characteristic known"
    )
    assert label_of("x", "Reading") == "Reading"


@pytest.mark.parametrize(
    ("estimand", "focal", "words"),
    [
        ("ATT", "", "In all comparisons the same: pupils with a base place (ATT)"),
        ("ATT", "non_host", "In all comparisons the same: pupils at schools with no base (ATT)"),
        ("ATE", "", "In all comparisons the same: the pupils of all three groups together (ATE)"),
        ("ATO", "", "the pupils who could as well have been in any of the three groups (ATO)"),
    ],
)
def test_one_design_over_all_groups_is_about_the_same_pupils(
    estimand: str, focal: str, words: str
) -> None:
    released = EXAMPLE["released_example"]()
    common = replace(released.about, estimand=estimand, target="common", focal=focal)
    told = dict(methods(replace(released, about=common)))["Whom the answers are about"]
    assert told.endswith(words)
    two = replace(common, contrasts_made=("base_vs_host",))
    told = dict(methods(replace(released, about=two)))["Whom the answers are about"]
    assert "In all comparisons" not in told
    assert "three" not in told


def test_without_a_design_there_is_no_likeness_to_show() -> None:
    released = EXAMPLE["released_example"]()
    assert "No fair comparison of any two groups" in no_likeness(released.about)
    bare = replace(released.about, adjusted=(), exact=())
    assert "Nothing recorded before was named" in no_likeness(bare)
    page = render(replace(released, balance=released.balance.iloc[:0]))
    assert no_likeness(released.about) in page
