"""Pseudonyms: a known function of key and number, everywhere alike, and nothing else changed."""

from __future__ import annotations

import hashlib
import runpy
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import baseeval as be
from baseeval.contracts.registry import TABLES
from baseeval.engine.duckdb_engine import Engine
from baseeval.errors import DataError, UsageError
from baseeval.pipeline import estimate_all, make_designs
from baseeval.plan import plan_from_keys
from baseeval.sources.pseudonyms import NAMES_A_PUPIL, make_key, pseudonym, pseudonymised

HELP: dict[str, Any] = runpy.run_path(str(Path(__file__).with_name("mis_example.py")))
Read, problems, PUPILS, DATA = (HELP[n] for n in ("Read", "problems", "PUPILS", "DATA"))

KEY = bytes(range(32))
KEYED = DATA.replace('source = "mis"', 'source = "mis"\npseudonym_key = "a.key"')

#: RFC 4231, test cases 1, 2 and 6: key, data, the beginning of HMAC-SHA-256.
VECTORS = [
    (b"\x0b" * 20, "Hi There", "b0344c61d8db38535ca8"),
    (b"Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a04"),
    (
        b"\xaa" * 131,
        "Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a",
    ),
]


@pytest.mark.parametrize(("key", "text", "expected"), VECTORS)
def test_a_pseudonym_is_that_of_the_published_vectors(key, text, expected):
    assert pseudonym(key, text) == expected


@given(st.text(min_size=1))
def test_a_pseudonym_is_an_hmac_written_out(text):
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in KEY.ljust(64, b"\0")) + text.encode()).digest()
    outer = hashlib.sha256(bytes(b ^ 0x5C for b in KEY.ljust(64, b"\0")) + inner).hexdigest()

    assert pseudonym(KEY, text) == outer[:20]


def test_every_column_that_names_a_pupil_is_known():
    keys = {
        column.name
        for contract in TABLES.values()
        for column in contract.columns
        if column.kind == "key" and ("pupil" in column.meaning.lower() or "peer" in column.meaning)
    }
    assert keys == set(NAMES_A_PUPIL)


def test_numbers_are_trimmed_as_keys_are_and_blanks_stay_blank():
    with Engine() as engine:
        text = engine.table(pa.table({"pupil_id": [" A1", "A1\t", "", None, "NaN"], "x": range(5)}))
        number = engine.table(pa.table({"pupil_id": [7.0, None], "peer_of": ["8", "7"]}))
        found = [pseudonymised(frame, KEY, engine) for frame in (text, number)]
        one, two = (engine.collect(frame, []).to_pylist() for frame in found)
        bare = pseudonymised(text, None, engine)

        assert bare is text
    a1, seven, eight = (pseudonym(KEY, name) for name in ("A1", "7", "8"))
    assert sorted((row["x"], row["pupil_id"]) for row in one) == list(
        enumerate([a1, a1, None, None, None])
    )
    assert {(row["pupil_id"], row["peer_of"]) for row in two} == {(seven, eight), (None, seven)}


def test_every_table_has_the_same_pseudonyms(tmp_path):
    (tmp_path / "a.key").write_text(KEY.hex() + "\n", encoding="ascii")
    data = KEYED.replace("[data.files]", '[data.files]\nmarks = "m.csv"\npeers = "p.csv"')
    files = {
        "pupils.csv": PUPILS,
        "m.csv": "UPN,Date,Session,Mark\n A1,2025-09-10,AM,/\n",
        "p.csv": "pupil_id,peer_of\nA3,A1\n",
        "b.txt": "A1;2025-09-03\n",
    }
    read = Read(tmp_path, f'{data}\n[data.base]\nlist = "b.txt"', files)

    one, two, three = (pseudonym(KEY, name) for name in ("A1", "A2", "A3"))
    assert {row[0] for row in read.rows("pupils", "pupil_id")} == {one, two, three}
    assert read.rows("attendance", "pupil_id", "sessions_attended") == [(one, 1.0)]
    assert read.rows("placements", "pupil_id") == [(one,)]
    assert read.rows("peers", "pupil_id", "peer_of") == [(three, one)]
    assert "a.key" not in read.files


def test_what_a_spreadsheet_did_to_a_number_is_found_before_it_is_hidden(tmp_path):
    (tmp_path / "a.key").write_text(KEY.hex(), encoding="ascii")
    read = Read(tmp_path, KEYED, {"pupils.csv": PUPILS.replace("A1,", "1.2E+11,")})

    assert read.fault("excel_scientific").column == "pupil_id"


@pytest.mark.parametrize(
    ("held", "told"),
    [
        (None, "there is no such file. Make one, once: `baseeval key a.key`"),
        ("", "the file does not hold a key (64 hexadecimal digits)"),
        ("ab" * 31, "the file does not hold a key"),
        ("xy" * 32, "the file does not hold a key"),
        ("é" * 64, "the file does not hold a key"),
    ],
)
def test_a_key_that_is_none_is_told_and_never_shown(tmp_path, held, told):
    if held is not None:
        (tmp_path / "a.key").write_text(held, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        Read(tmp_path, KEYED, {"pupils.csv": PUPILS})

    assert told in problems(caught.value)
    assert not held or held not in problems(caught.value)


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path):
    one, two = make_key(tmp_path / "a.key"), be.make_key(str(tmp_path / "b.key"))

    texts = [path.read_text(encoding="ascii") for path in (one, two)]
    assert [len(bytes.fromhex(text.strip())) for text in texts] == [32, 32]
    assert texts[0] != texts[1]
    assert stat.S_IMODE(one.stat().st_mode) == 0o600
    with pytest.raises(UsageError, match="never written over"):
        make_key(one)
    with pytest.raises(UsageError, match="cannot be made"):
        make_key(tmp_path / "absent" / "a.key")
    assert one.read_text(encoding="ascii") == texts[0]


def test_a_key_in_the_output_folder_is_refused(tmp_path):
    make_key(tmp_path / "out.key")
    (tmp_path / "t.csv").write_text("p,s,arm,y\na,1,x,2\n", encoding="utf-8")
    study = tmp_path / "study.toml"
    study.write_text(
        '[study]\nname = "t"\ntitle = "T"\n[data]\ntable = "t.csv"\npseudonym_key = "out.key"\n'
        '[[outcomes]]\nname = "y"\nkind = "continuous"\ncolumn = "y"\nbetter = "higher"\n',
        encoding="utf-8",
    )
    out = tmp_path / "o"
    out.mkdir()
    study.write_text(study.read_text().replace("out.key", "o/out.key"), encoding="utf-8")

    with pytest.raises(UsageError, match="lies in the output folder"):
        be.run(study, out)


def tidy(rng: np.random.Generator, pupils: int) -> pd.DataFrame:
    """Draw a tidy table whose pupils' numbers stand in no order."""
    school = rng.integers(0, 6, pupils)
    places = np.where(rng.random(pupils) < 0.5, "base", "host")
    return pd.DataFrame(
        {
            "pupil_id": [f"{number:07d}" for number in rng.permutation(10**6)[:pupils]],
            "school_id": school,
            "place": np.where(school < 3, places, "none"),
            "age": rng.normal(size=pupils).round(3),
            "fsm": np.where(rng.random(pupils) < 0.1, None, rng.integers(0, 2, pupils)),
            "score": rng.normal(size=pupils).round(3),
        }
    )


KEYS: dict[str, Any] = {
    "study": {"name": "t", "title": "T"},
    "arms": {
        "column": "place",
        "base": ["base"],
        "host_mainstream": ["host"],
        "non_host": ["none"],
    },
    "outcomes": [{"name": "s", "kind": "continuous", "column": "score", "better": "higher"}],
    "covariates": {"adjust": ["age", "fsm"]},
    "design": {"methods": ["entropy"]},
    "analysis": {"models": ["unadjusted", "regression"]},
}


@settings(max_examples=3, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(60, 120))
def test_pseudonyms_change_no_answer(tmp_path_factory, seed, pupils):
    folder = tmp_path_factory.mktemp("same")
    make_key(folder / "a.key")
    tables = {"table": tidy(np.random.default_rng(seed), pupils)}
    told, named = [], []
    for data in ({"table": "t.csv"}, {"table": "t.csv", "pseudonym_key": "a.key"}):
        cohort = be.build_cohort(
            plan_from_keys({**KEYS, "data": data}, folder / "study.toml"), None, tables
        )
        designs = make_designs(cohort)
        rows = estimate_all(cohort, designs).drop(columns="plan_hash")
        named.append(set(cohort.engine.collect(cohort.covariates, ["pupil"])["pupil"].to_pylist()))
        told.append((cohort.flow.table, designs.balance.table, rows))

    key = bytes.fromhex((folder / "a.key").read_text().strip())
    assert named[1] == {pseudonym(key, pupil) for pupil in named[0]}
    for plain, hidden in zip(*told, strict=True):
        pd.testing.assert_frame_equal(plain, hidden, rtol=1e-9, atol=1e-9)
