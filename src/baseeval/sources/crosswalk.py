"""Crosswalks: whose headings mean which columns of a contract, as data.

A crosswalk is a TOML file beside this module (``crosswalks/*.toml``)::

    contract = "pupils"
    meaning = "Pupil level of the school census"
    suffix = "_(?P<term>AUT|SPR|SUM)(?P<year>[0-9]{2})"   # optional: ends each heading
    prefix = "KS2_"                                       # optional: begins each heading
    file_year = "(?P<year>20[0-9]{2})"                    # optional: in the file's name
    needed = [["pupil_id"], ["urn", "laestab"], ["year"]] # optional: every file has one of each
    example = "URN_SPR22"                                 # optional: a heading, for messages

    [columns]                                  # contract's column -> headings, any case, first wins
    pupil_id = ["PupilMatchingRefAnonymous", "PupilMatchingRefAnonymous_SPR"]

    [recode.sen_provision]                                # code to write -> codes at the origin
    E = ["S"]
    K = ["A", "P"]

    [values.sex]                                          # the same, for words that need no
    F = ["Girl", "Female"]                                # telling: nothing is counted

What only code can do stands in the module of the source.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files

from baseeval.contracts.registry import TABLES
from baseeval.contracts.tables import TableContract


@dataclass(frozen=True, slots=True)
class Crosswalk:
    """Whose headings mean which columns.

    Parameters
    ----------
    name : str
    contract : str
        The table that it leads to.
    meaning : str
    columns : mapping of str to tuple of str
        Column -> the headings that it may have, compared without regard to case.
    prefix, suffix, file_year : str
        Regular expressions around a heading, and in a file's name; the groups
        ``term`` and ``year`` become columns.
    recode : mapping of str to mapping of str to str
        Column -> code at the origin (upper case) -> code of the contract.
    values : mapping of str to mapping of str to str
        The same, for words that are plainly what they say, or that the study file
        gives: they are read without being counted.
    needed : tuple of tuple of str
        Columns, ``term`` and ``year`` among them, of which every file has one of each tuple.
    example : str
        A heading with its suffix, for messages.
    own : frozenset of str
        The columns whose heading the study file names: some file must have it.
    kinds : mapping of str to str
        Column that the contract has not -> kind of what it holds, as contracts name it.
    kept : mapping of str to str
        Another name -> heading: columns taken under that name as they stand, whatever
        else the heading means. Some file must have each.
    """

    name: str
    contract: str
    meaning: str
    columns: Mapping[str, tuple[str, ...]]
    prefix: str = ""
    suffix: str = ""
    file_year: str = ""
    recode: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    needed: tuple[tuple[str, ...], ...] = ()
    example: str = ""
    kinds: Mapping[str, str] = field(default_factory=dict)
    own: frozenset[str] = frozenset()
    kept: Mapping[str, str] = field(default_factory=dict)

    def headings(self) -> tuple[str, ...]:
        """Return every heading that it knows.

        Returns
        -------
        tuple of str
        """
        known = (heading for options in self.columns.values() for heading in options)
        return tuple(dict.fromkeys((*known, *self.kept.values())))

    def knows(self, heading: str) -> bool:
        """Tell whether a heading is read, or would be but for its ending.

        Parameters
        ----------
        heading : str

        Returns
        -------
        bool
        """
        kept = {named.lower() for named in self.kept.values()}
        read = bool(self.split(heading)[0]) or heading.lower() in kept
        return read or bool(self.strange_ending(heading))

    def kind(self, heading: str) -> str | None:
        """Return the kind of what is wanted under a heading.

        Parameters
        ----------
        heading : str

        Returns
        -------
        str or None
            As contracts name it; None where it is not known, or where there are words
            for its codes, so that words are wanted.
        """
        placed = self.place(heading)[0]
        kept = [name for name, named in self.kept.items() if named.lower() == heading.lower()]
        names = [*([] if placed is None else [placed]), *kept]
        table = TABLES.get(self.contract)
        words = {*self.recode, *self.values}
        columns = () if table is None else table.columns
        known = {c.name: c.kind for c in columns if c.name not in words}
        kinds = [self.kinds.get(name) or known.get(name) for name in names]
        return next((kind for kind in kinds if kind is not None), None)

    def place(self, heading: str) -> tuple[str | None, dict[str, str]]:
        """Return the column that a heading means, and the term and year that it says.

        Parameters
        ----------
        heading : str

        Returns
        -------
        column : str or None
        marks : dict of str to str
        """
        option, said = self.split(heading)
        return self._known().get(option), said

    def split(self, heading: str) -> tuple[str, dict[str, str]]:
        """Take a heading's prefix and suffix off.

        Parameters
        ----------
        heading : str

        Returns
        -------
        option : str
            In small letters; empty where no known heading is left.
        marks : dict of str to str
        """
        known = self._known()
        if heading.lower() in known:
            return heading.lower(), {}
        end = f"(?:{self.suffix})?" if self.suffix else ""
        match = re.match(f"^(?:{self.prefix})?(?P<core>.*?){end}$", heading, re.IGNORECASE)
        if match is None or match["core"].lower() not in known:
            return "", {}
        said = match.groupdict()
        return match["core"].lower(), {m: said[m] for m in ("term", "year") if said.get(m)}

    def strange_ending(self, heading: str) -> str:
        """Return the ending of a heading that is known but for its ending.

        Parameters
        ----------
        heading : str

        Returns
        -------
        str
            Such as ``_WIN22``; empty where there is none, or a known one.
        """
        match = re.match(f"^(?:{self.prefix})?(?P<core>.+)(?P<end>_[a-z0-9]+)$", heading, re.I)
        if not self.suffix or match is None or self.split(heading)[0]:
            return ""
        return match["end"] if match["core"].lower() in self._known() else ""

    def _known(self) -> dict[str, str]:
        return {option.lower(): column for column, own in self.columns.items() for option in own}


def load_crosswalk(name: str) -> Crosswalk:
    """Load a crosswalk that ships with the package.

    Parameters
    ----------
    name : str
        Such as ``npd_census``.

    Returns
    -------
    Crosswalk

    Examples
    --------
    >>> load_crosswalk("npd_census").contract
    'pupils'
    """
    text = files("baseeval.sources").joinpath("crosswalks", f"{name}.toml").read_text("utf-8")
    keys = tomllib.loads(text)
    recode, values = (_words(keys.pop(key, {})) for key in ("recode", "values"))
    columns = {column: tuple(known) for column, known in keys.pop("columns").items()}
    needed = tuple(tuple(options) for options in keys.pop("needed", ()))
    return Crosswalk(
        name=name, columns=columns, recode=recode, values=values, needed=needed, **keys
    )


def _words(told: Mapping[str, Mapping[str, Sequence[str]]]) -> dict[str, dict[str, str]]:
    """Turn the words of each code into the code of each word."""
    return {
        column: {word.upper(): code for code, words in codes.items() for word in words}
        for column, codes in told.items()
    }


def with_headings(crosswalk: Crosswalk, own: Mapping[str, str]) -> Crosswalk:
    """Put a user's own headings in place of those of a crosswalk.

    Parameters
    ----------
    crosswalk : Crosswalk
    own : mapping of str to str
        Column of the contract -> heading in the user's file.

    Returns
    -------
    Crosswalk
    """
    mine = {heading.lower() for heading in own.values()}
    # A heading means what the user says, and no longer what it would have meant.
    known = {
        column: tuple(option for option in options if option.lower() not in mine)
        for column, options in crosswalk.columns.items()
    }
    named = {column: (heading,) for column, heading in own.items()}
    return replace(crosswalk, columns={**known, **named}, own=frozenset(own))


def with_words(crosswalk: Crosswalk, own: Mapping[str, Mapping[str, str]]) -> Crosswalk:
    """Add a user's own words to those that a crosswalk knows.

    Parameters
    ----------
    crosswalk : Crosswalk
    own : mapping of str to mapping of str to str
        Column of the contract -> word in the user's file, in any case -> code of
        the contract.

    Returns
    -------
    Crosswalk
    """
    values = dict(crosswalk.values)
    for column, words in own.items():
        upper = {word.strip().upper(): code for word, code in words.items()}
        values[column] = {**values.get(column, {}), **upper}
    return replace(crosswalk, values=values)


def contract_crosswalk(contract: TableContract) -> Crosswalk:
    """Make the crosswalk of a file that already has the contract's headings.

    Parameters
    ----------
    contract : TableContract

    Returns
    -------
    Crosswalk
    """
    own = {name: (name,) for name in contract.names()}
    return Crosswalk(contract.name, contract.name, contract.meaning, own)
