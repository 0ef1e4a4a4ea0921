"""The estimand of every row as one sentence."""

from __future__ import annotations

from itertools import product
from typing import Any

import pandas as pd
import pytest

import baseeval
from baseeval.design.estimand_sentences import estimand_sentence
from baseeval.design.registry import DESIGNS
from baseeval.errors import UsageError
from baseeval.results import ARMS, CONTRASTS, target_of

_CODES = ("ATT", "ATC", "ATE", "ATO", "ATM")


def rows() -> list[dict[str, Any]]:
    """Every contrast, estimand, target and kind of design that a results table can hold."""
    found = []
    for contrast, estimand in product(CONTRASTS, ("ATT", "ATC", "ATE", "ATO", "ATM", "ATEN")):
        targets = {target_of(contrast, estimand)}
        if estimand != "ATC":
            targets |= set(ARMS) if estimand == "ATT" else {"common"}
        found += [{"contrast": contrast, "estimand": estimand, "target": t} for t in targets]
    kinds = {spec.kind: name for name, spec in DESIGNS.items()}
    assert set(kinds) == {"match", "weight", "none"}
    return [row | {"design": name} for row in found for name in kinds.values()]


def test_every_row_has_a_sentence_and_no_two_answers_the_same() -> None:
    said: dict[str, Any] = {}
    for row in rows():
        sentence = estimand_sentence(row)
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert sentence.count(". ") == 0
        assert not any(code in sentence for code in ("common", "union", "_", "arm ", *_CODES))
        kind = DESIGNS[row["design"]].kind
        # An ATC is the ATT of the other arm.
        about = row["target"] if row["target"] in ARMS else row["estimand"]
        key = (row["contrast"], kind, "" if kind == "none" else about)
        assert said.setdefault(sentence, key) == key


def test_who_is_said_first_and_who_is_left_out_last() -> None:
    row = {"contrast": "host_vs_non_host", "estimand": "ATT", "target": "base"}
    assert estimand_sentence(row | {"design": "propensity"}) == (
        "About pupils with a base place: how pupils at schools with a base but without a place in "
        "it fared against pupils at schools with no base, each weighted to be like them; those "
        "without somebody like them in every other group are not described."
    )
    matched = {"contrast": "base_vs_host", "estimand": "ATC", "target": "host_mainstream"}
    assert estimand_sentence(matched | {"design": "nearest"}) == (
        "About pupils at the same schools without a base place: how pupils with a base place, who "
        "are matched with them, fared against them; pupils left without a match are not described."
    )


def test_weights_say_it_too() -> None:
    frame = pd.DataFrame({"race": list("abcabcabc"), "age": [1.0, 2, 3, 3, 1, 2, 2, 3, 1]})
    made = baseeval.weight(
        frame, treated="race", covariates=["age"], method="propensity", estimand="ATO"
    )
    assert estimand_sentence(made) == (
        "About pupils who could as well have been in any of the groups: how pupils of a, pupils "
        "of b and pupils of c fared against one another, each weighted to be like them; pupils "
        "all but certain of their group are not described."
    )


def test_an_estimand_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="ATTT"):
        estimand_sentence({"contrast": "", "estimand": "ATTT", "target": "", "design": "none"})
