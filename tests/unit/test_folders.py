"""Output folders: whole or not at all, nobody else's, and the restricted one shut."""

import os
import stat
import sys

import pytest

from baseeval.errors import UsageError
from baseeval.folders import MANIFEST, check_free, restricted, swapped_in

OURS = '{"manifest": 1, "plan_hash": "0"}'


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def fail_after(file, failure):
    file.parent.mkdir(exist_ok=True)
    file.write_text("half", encoding="utf-8")
    raise failure


def test_an_absent_or_empty_folder_is_free(tmp_path):
    check_free(tmp_path / "absent")
    check_free(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("thesis.docx", "a"),
        (".hidden", "a"),
        (MANIFEST, '{"name": "a web app", "icons": []}'),
        (MANIFEST, "[1, 2]"),
        (MANIFEST, "not JSON"),
    ],
)
def test_a_folder_of_somebody_elses_is_refused(tmp_path, name, content):
    (tmp_path / name).write_text(content, encoding="utf-8")

    with pytest.raises(UsageError, match="is not empty and holds no"):
        check_free(tmp_path)
    with pytest.raises(UsageError), swapped_in(tmp_path):
        pytest.fail("it must not come so far")
    assert (tmp_path / name).read_text(encoding="utf-8") == content


def test_a_folder_of_ours_is_free(tmp_path):
    (tmp_path / MANIFEST).write_text(OURS, encoding="utf-8")
    (tmp_path / "report.html").write_text("x", encoding="utf-8")

    check_free(tmp_path)


def test_a_simulations_folder_is_known_by_its_truth(tmp_path):
    (tmp_path / "truth.json").write_text('{"world": "w"}', encoding="utf-8")

    check_free(tmp_path, mark="truth.json")
    with pytest.raises(UsageError):
        check_free(tmp_path)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")

    with pytest.raises(UsageError):
        check_free(tmp_path / "file")
    with pytest.raises(UsageError, match="cannot be made"), swapped_in(tmp_path / "file" / "out"):
        pytest.fail("it must not come so far")
    with pytest.raises(UsageError, match="cannot be made"), restricted(tmp_path / "file" / "out"):
        pytest.fail("it must not come so far")


def test_what_is_written_is_swapped_in_whole(tmp_path):
    place = tmp_path / "deep" / "out"
    with swapped_in(place) as fresh:
        (fresh / "a").write_text("1", encoding="utf-8")
        assert not place.exists()

    assert names(place) == ["a"]
    assert names(place.parent) == ["out"]


def test_what_was_there_is_replaced_whole(tmp_path):
    place = tmp_path / "out"
    place.mkdir()
    (place / MANIFEST).write_text(OURS, encoding="utf-8")
    (place / "stale.csv").write_text("x", encoding="utf-8")

    with swapped_in(place) as fresh:
        (fresh / "a").write_text("1", encoding="utf-8")

    assert names(place) == ["a"]
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_nothing(tmp_path, failure):
    with pytest.raises(failure), swapped_in(tmp_path / "deep" / "er" / "out") as fresh:
        fail_after(fresh / "a", failure)

    assert names(tmp_path) == []


def test_a_failure_leaves_what_was_there(tmp_path):
    place = tmp_path / "out"
    place.mkdir()
    (place / MANIFEST).write_text(OURS, encoding="utf-8")

    with pytest.raises(KeyError), swapped_in(place) as fresh:
        fail_after(fresh / "a", KeyError)

    assert names(place) == [MANIFEST]
    assert names(tmp_path) == ["out"]


def test_the_folder_may_be_the_one_we_stand_in(tmp_path, monkeypatch):
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    here = type(place)()

    with restricted(here) as private, swapped_in(here) as fresh:
        (fresh / "a").write_text("1", encoding="utf-8")
        assert private.name == "here.restricted"

    assert names(tmp_path) == ["here", "here.restricted"]
    assert names(place) == ["a"]


def test_the_restricted_folder_is_its_owners_alone(tmp_path):
    with restricted(tmp_path / "out") as private:
        (private / "spill").mkdir()
        (private / "weights.parquet").write_bytes(b"w")

    assert private == tmp_path / "out.restricted"
    assert names(private) == [".gitignore", "weights.parquet"]
    assert (private / ".gitignore").read_text(encoding="utf-8") == "*\n"
    if os.name == "posix":
        assert stat.S_IMODE(private.stat().st_mode) == 0o700


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes")
def test_a_restricted_folder_that_stood_open_is_shut(tmp_path):
    place = tmp_path / "out.restricted"
    place.mkdir(mode=0o755)

    with restricted(tmp_path / "out"):
        assert stat.S_IMODE(place.stat().st_mode) == 0o700


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_no_restricted_folder(tmp_path, failure):
    with pytest.raises(failure), restricted(tmp_path / "deep" / "out") as private:
        fail_after(private / "weights.parquet", failure)

    assert names(tmp_path) == []


def test_a_failure_leaves_an_earlier_restricted_folder(tmp_path):
    place = tmp_path / "out.restricted"
    place.mkdir()
    (place / "weights.parquet").write_bytes(b"earlier")

    with pytest.raises(KeyError), restricted(tmp_path / "out") as private:
        fail_after(private / "spill" / "t.tmp", KeyError)

    assert names(place) == [".gitignore", "weights.parquet"]
