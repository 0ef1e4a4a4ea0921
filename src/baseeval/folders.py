"""Output folders: made whole beside their place, then swapped in; never half written."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from baseeval.errors import Problem, UsageError

#: The file by which a folder is known as baseeval's own.
MANIFEST = "manifest.json"


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
    if not directory.exists():
        return
    if directory.is_dir() and (not any(directory.iterdir()) or (directory / mark).is_file()):
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
    directory.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
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
    place = directory.with_name(f"{directory.name}.restricted")
    was_there = place.exists()
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    place.chmod(0o700)
    (place / ".gitignore").write_text("*\n", encoding="utf-8")
    spill = place / "spill"
    try:
        yield place
    except BaseException:
        shutil.rmtree(place if not was_there else spill, ignore_errors=True)
        raise
    shutil.rmtree(spill, ignore_errors=True)
