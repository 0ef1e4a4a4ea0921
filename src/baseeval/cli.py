"""The command `baseeval`: a thin door to the package's functions."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

import baseeval as be
from baseeval.errors import BaseevalError
from baseeval.folders import swapped_in
from baseeval.keeping import designs_not_made
from baseeval.reporting.check_words import LOOK

app = typer.Typer(
    name="baseeval",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_STAGES = {
    "check": "Reading the study file",
    "cohort": "Reading the data and counting who is compared",
    "design": "Making the groups comparable",
    "estimate": "Estimating effects",
    "release": "Withholding what could disclose a pupil",
    "report": "Writing the report",
    "screen": "Screening what was written",
}

_COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())

Study = Annotated[Path, typer.Argument(help="The study file (TOML).", show_default=False)]


def _tell_version(asked: bool) -> None:
    if asked:
        _say(f"baseeval {be.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Say it, leave."),
    ] = False,
) -> None:
    """Estimate what being placed in a base did to pupils, and how sure anyone can be."""


@app.command("new")
def new_command(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="An absent or empty folder.")],
    like: Annotated[
        str, typer.Option("--from", help="What to begin from: trust, npd or src_replication.")
    ] = "trust",
    year: Annotated[
        int, typer.Option(help="Of trust: the school year to record; 2027 is 2026/27.")
    ] = 2027,
) -> None:
    """Begin a study: a commented study file, an example, and a workbook to record in."""
    place = be.new_study(directory, like=like, year=year)
    _say(f"Done: read {place / 'README.md'}, then {place / 'study.toml'}")


@app.command("run")
def run_command(
    study: Study,
    out: Annotated[
        Path | None, typer.Option(help="Folder for what may leave; `output` beside the study file.")
    ] = None,
    engine: Annotated[str, typer.Option(help="Data engine: duckdb.")] = "duckdb",
) -> None:
    """Run a study: from its file to its report."""
    with _progress() as told:
        place = be.run(study, out, engine=engine, progress=told)
    for reason in designs_not_made(place):
        _say(f"{LOOK}: not made: {reason}")
    _say(f"Done: {place / 'report.html'}")


@app.command("check")
def check_command(
    study: Study,
    page: Annotated[
        Path | None, typer.Option(help="Write the check as a page too (not for release).")
    ] = None,
) -> None:
    """Check a study file and its data; name every problem at once."""
    found = be.examine_study(study)
    if page is not None:
        page.write_text(be.check_page(found.report), encoding="utf-8", newline="\n")
    console = Console()
    width = console.width if console.is_terminal else None
    if found.error is None:
        for line in be.check_lines(found.report, width):
            _say(line)
        _say(f"Contrasts: {', '.join(found.contrasts) or 'none (description only)'}.")
        return
    if width is None:
        for file in found.report.files:
            for question in file.questions:
                _say(f"{LOOK}: {question}")
        raise found.error
    for line in be.check_lines(found.report, width):
        _say(line)
    raise typer.Exit(found.error.exit_code)


@app.command("register")
def register_command(
    study: Study,
    out: Annotated[Path, typer.Option(help="Folder for the register.")],
    profile: Annotated[
        str | None, typer.Option(help="Disclosure profile; the study's own by default.")
    ] = None,
) -> None:
    """List every base that any source of a study names, small counts withheld."""
    register = be.list_bases(study, profile=profile)
    with swapped_in(out, mark="register.html") as fresh:
        be.write_register(register, fresh, be.read_study(study).study.title)
    _say(f"Done: {out / 'register.html'}")


@app.command("key")
def key_command(
    file: Annotated[Path, typer.Argument(help="The key's file, where none stands yet.")],
) -> None:
    """Make a key for pseudonyms: a secret, to be kept apart from whatever leaves."""
    be.make_key(file)
    _say(
        f"Done: {file}. Name it in the study file: [data] pseudonym_key. Keep it secret and safe: "
        "who has it can find pupils again, and without it nobody makes the same pseudonyms."
    )


@app.command("simulate")
def simulate_command(
    world: Annotated[str, typer.Argument(help="A world file or a built-in name.")],
    out: Annotated[Path, typer.Option(help="Folder for the tables and truth.json.")],
    form: Annotated[str, typer.Option(help="tidy, contracts, npd or mis.")] = "tidy",
    pupils: Annotated[
        int | None, typer.Option(help="Eligible pupils to draw, in all areas.")
    ] = None,
    areas: Annotated[
        int | None, typer.Option(help="Areas to draw; the world's own by default.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The only seed.")] = 1,
    processes: Annotated[
        int, typer.Option(help="Areas drawn at a time; the same bytes for any number.")
    ] = 1,
    population: Annotated[
        bool, typer.Option(help="Tell the truth over all areas like these as well.")
    ] = True,
    potential: Annotated[
        bool, typer.Option(help="Write each pupil's chance of every arm, and outcome under it.")
    ] = False,
) -> None:
    """Draw synthetic pupils from a world whose truth is known, in any form of data."""
    with swapped_in(out, mark="truth.json") as fresh, _area_progress() as told:
        written = be.write_simulation(
            world,
            fresh,
            form=form,
            pupils=pupils,
            areas=areas,
            seed=seed,
            processes=processes,
            population=population,
            potential=potential,
            told=told,
        )
        page = be.world_page(written.recipe, written.truth, written.seen)
        (fresh / "world.html").write_text(page, encoding="utf-8", newline="\n")
    _say(f"Done: {out / 'world.html'}")


@app.command("screen")
def screen_command(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of outputs.")],
    profile: Annotated[str, typer.Option(help="Disclosure profile: srs, ees or trust.")] = "srs",
) -> None:
    """Read every file of a folder as an output checker would."""
    findings = be.screen(directory, profile)
    for finding in findings:
        _complain(f"{finding.file}, {finding.where}: {finding.what}. {finding.remedy}")
    if findings:
        _complain(f"{len(findings)} things must not leave.")
        raise typer.Exit(5)
    _say("Nothing found that must not leave.")


def command() -> NoReturn:
    """Run the command line as a process of its own, which ends here and now.

    Whatever was to be written is written by then. A library's threads that end while the
    interpreter closes were seen to abort it, and to turn a good exit code into another.
    """
    code: object = 0
    try:
        main()
    except SystemExit as done:
        code = done.code
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # nobody reads any more
            stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def main() -> NoReturn:
    """Run the command line and leave with one of the documented exit codes."""
    # Many small matrices: one thread is faster than two, and repeatable.
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    interrupts: list[int] = []

    def interrupt(number: int, _: object) -> None:
        interrupts.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    try:
        app()
    except BaseevalError as error:
        for problem in error.problems:
            _complain(str(problem))
        sys.exit(error.exit_code)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001
        # A library may answer an interrupt with an error of its own.
        if interrupts:
            _complain("Interrupted; nothing half-written is left.")
            sys.exit(130)
        # The message of a fault of ours may quote data, so it is not shown.
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = "" if place is None else f" at {_module_line(place.tb_frame.f_code.co_filename)}"
        line = "" if place is None else f":{place.tb_lineno}"
        _complain(
            f"baseeval failed ({type(error).__name__}{where}{line}). This is a fault of ours."
        )
        sys.exit(1)
    sys.exit(0)


def _module_line(path: str) -> str:
    """Return a source file's name without the folders of this machine."""
    return "/".join(Path(path).parts[-2:])


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _complain(line: str) -> None:
    sys.stderr.write(f"{line}\n")


@contextmanager
def _area_progress() -> Iterator[Callable[[int, int], None]]:
    """Show areas as a bar on a terminal, as plain lines elsewhere: one each tenth at most."""
    console = Console(stderr=True)
    if not console.is_terminal:

        def line(done: int, total: int) -> None:
            if done and (done == total or done * 10 // total > (done - 1) * 10 // total):
                _complain(f"Areas written: {done} of {total}")

        yield line
        return
    with Progress(*_COLUMNS, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)

        def moved(done: int, total: int) -> None:
            words = "Writing areas" if done < total else "Working out the truth"
            bar.update(task, description=words, completed=done, total=total)

        yield moved


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Show stages as a bar on a terminal, as plain lines elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda stage: _complain(_STAGES[stage])
        return
    with Progress(*_COLUMNS, console=console, transient=True) as bar:
        task = bar.add_task("", total=len(_STAGES))
        begun: list[str] = []

        def told(stage: str) -> None:
            bar.update(task, description=_STAGES[stage], completed=len(begun))
            begun.append(stage)

        yield told
        bar.update(task, completed=len(_STAGES))
