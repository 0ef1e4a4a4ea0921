"""Output folders: made whole beside their place, then swapped in; never half written."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from baseeval.errors import Problem, UsageError

#: The file by which a folder is known as baseeval's own.
MANIFEST = "manifest.json"

#: A key that each such file of baseeval's holds: other tools write a manifest.json too.
_KEYS = {MANIFEST: "plan_hash", "truth.json": "world"}


def check_free(directory: Path, mark: str = MANIFEST) -> None:
    """Refuse a folder that holds somebody's files.

    Parameters
    ----------
    directory : pathlib.Path
    mark : str
        A file by which a folder is known as ours.

    Raises
    ------
    UsageError
        It is a file, or it is not empty and not ours.
    """
    directory = directory.resolve()
    if not directory.exists():
        return
    if directory.is_dir() and (not any(directory.iterdir()) or _is_ours(directory / mark)):
        return
    raise UsageError(
        Problem(
            directory.name,
            f"it exists, is not empty and holds no {mark} of baseeval's",
            "Name a folder that is absent or empty, so that nothing of yours is overwritten.",
        )
    )


@contextmanager
def swapped_in(directory: Path, mark: str = MANIFEST) -> Iterator[Path]:
    """Give a fresh folder to fill, and put it in place only if all goes well.

    Parameters
    ----------
    directory : pathlib.Path
        Where the files shall stand in the end.
    mark : str
        See :func:`check_free`.

    Yields
    ------
    pathlib.Path
        An empty folder beside `directory`; gone again if the block raises.
    """
    check_free(directory, mark)
    directory = directory.resolve()
    made = _make(directory.parent)
    try:
        scratch = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    except OSError as error:
        raise _cannot_make(directory, error) from None
    fresh, old = scratch / "new", scratch / "old"
    fresh.mkdir()
    try:
        yield fresh
        if directory.exists():
            directory.rename(old)
        try:
            fresh.rename(directory)
        except OSError:
            if old.exists():
                old.rename(directory)
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        _unmake(made)


def restricted_beside(directory: Path) -> Path:
    """Return where the restricted sibling of an output folder is.

    Parameters
    ----------
    directory : pathlib.Path

    Returns
    -------
    pathlib.Path
    """
    return directory.with_name(f"{directory.name}.restricted")


@contextmanager
def restricted(directory: Path) -> Iterator[Path]:
    """Open the restricted sibling of an output folder, where pupil-level files may lie.

    Parameters
    ----------
    directory : pathlib.Path
        The output folder.

    Yields
    ------
    pathlib.Path
        ``DIR.restricted``: for its owner only, ignored by git. If the block
        raises and the folder was not there before, it is removed.
    """
    directory = directory.resolve()
    place = restricted_beside(directory)
    was_there = place.exists()
    made = _make(directory.parent)
    try:
        place.mkdir(exist_ok=True, mode=0o700)
        place.chmod(0o700)
        (place / ".gitignore").write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise _cannot_make(place, error) from None
    spill = place / "spill"
    try:
        yield place
    except BaseException:
        shutil.rmtree(place if not was_there else spill, ignore_errors=True)
        _unmake(made)
        raise
    shutil.rmtree(spill, ignore_errors=True)


def _is_ours(file: Path) -> bool:
    """Say whether a file is one that baseeval marks its folders with."""
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(held, dict) and _KEYS[file.name] in held


def _make(folder: Path) -> list[Path]:
    """Make a folder and its parents; return those that were not there, deepest first."""
    absent = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_make(folder, error) from None
    return absent


def _unmake(folders: list[Path]) -> None:
    """Remove the folders that were made, so far as they are empty."""
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return


def _cannot_make(folder: Path, error: OSError) -> UsageError:
    return UsageError(
        Problem(
            folder.name,
            f"the folder cannot be made ({type(error).__name__})",
            "Name a folder in a place where you may write.",
        )
    )
