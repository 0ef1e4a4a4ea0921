"""One base named by several sources: which of their names are of the same one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from baseeval.contracts.vocabulary import WHITE_PAPER_BY_TYPE
from baseeval.placement.naming import UNKNOWN
from baseeval.placement.rules import BOTH, PARTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What one source says of one base.

    Parameters
    ----------
    source : str
        ``bases`` (a list), ``spells`` (a file), ``schools`` (GIAS, EES) or ``census``.
    urn, base_type : str
    base_id : str or None
        None where the source names a school and a type only.
    pupils, places : int or None
    twice : int
        Of the pupils, those whom the source also counts in the school's other type.
    name, commissioner : str or None
    needs : frozenset of str
    local_offer : bool or None
    """

    source: str
    urn: str
    base_type: str
    base_id: str | None = None
    pupils: int | None = None
    places: int | None = None
    twice: int = 0
    name: str | None = None
    commissioner: str | None = None
    needs: frozenset[str] = frozenset()
    local_offer: bool | None = None


@dataclass(slots=True)
class Base:
    """A base, and what each source says of it.

    Parameters
    ----------
    base_id, urn : str
    named : list of Named
    shared : set of str
        Sources that name the school's bases of this type as one: their counts
        cannot be divided.
    """

    base_id: str
    urn: str
    named: list[Named] = field(default_factory=list)
    shared: set[str] = field(default_factory=set)

    @property
    def base_type(self) -> str:
        """The type by the first source that gives one."""
        return next((n.base_type for n in self.named if n.base_type != UNKNOWN), UNKNOWN)

    @property
    def commissioner(self) -> str:
        """Who commissions it, by the first source that says."""
        said = (n.commissioner for n in self.named if n.commissioner not in (None, UNKNOWN))
        return next(said, None) or UNKNOWN

    @property
    def white_paper_type(self) -> str:
        """The type that tells the White Paper's word: the first that can, else its own."""
        tells = (n.base_type for n in self.named if WHITE_PAPER_BY_TYPE[n.base_type] != UNKNOWN)
        return next(tells, self.base_type)

    @property
    def sources(self) -> list[str]:
        """The sources that name it, each once, in order."""
        return list(dict.fromkeys(n.source for n in self.named))

    def total(self, source: str, what: Literal["pupils", "places"]) -> int | None:
        """Add up what a source counts.

        Parameters
        ----------
        source : str
        what : str
            ``pupils`` or ``places``.

        Returns
        -------
        int or None
            None where it counts none, or several bases as one.
        """
        named = [n for n in self.named if n.source == source and getattr(n, what) is not None]
        if not named or source in self.shared:
            return None
        twice = sum(n.twice for n in named) if what == "pupils" and len(named) > 1 else 0
        counts: list[int] = [getattr(n, what) for n in named]
        return sum(counts) - twice


def match_bases(sources: Iterable[Iterable[Named]]) -> list[Base]:
    """Bring together what the sources say of each base.

    Parameters
    ----------
    sources : iterable of iterable of Named
        Each source's names, those that tell bases apart best first.

    Returns
    -------
    list of Base
        In the order of school and base.

    Notes
    -----
    A name with a ``base_id`` is of the base of that id. A name of a school and a
    type is of that school's base of the same type (of all of them where there
    are several, their counts then being nobody's), else of the school's only
    base, if it is the source's only such name there and the source has not
    named that base already; else of a base that no other source has named.
    """
    bases: dict[str, Base] = {}
    at: dict[str, list[Base]] = {}

    def add(name: Named) -> None:
        key = name.base_id or f"{name.urn}-{name.base_type}"
        if key in bases:
            bases[key].named.append(name)
            return
        bases[key] = Base(key, name.urn, [name])
        at.setdefault(name.urn, []).append(bases[key])

    for source in sources:
        names = sorted(source, key=lambda n: (n.urn, n.base_id or "", n.base_type))
        for name in (n for n in names if n.base_id is not None):
            add(name)
        left: dict[str, list[Named]] = {}
        for name in (n for n in names if n.base_id is None):
            same = [b for b in at.get(name.urn, []) if _is_of(name.base_type, b.base_type)]
            for base in same:
                base.named.append(name)
                if len(same) > 1:
                    base.shared.add(name.source)
            if not same:
                left.setdefault(name.urn, []).append(name)
        for urn, names_left in left.items():
            only = at.get(urn, [])
            if len(only) == len(names_left) == 1 and _may_be(names_left[0], only[0]):
                only[0].named.append(names_left[0])
            else:
                for name in names_left:
                    add(name)
    return sorted(bases.values(), key=lambda base: (base.urn, base.base_id))


def _may_be(name: Named, base: Base) -> bool:
    """Tell whether a name may be that of a school's only base.

    Not if its source has named that base by another type: the source then knows of two.
    """
    return name.base_type == UNKNOWN or name.source not in base.sources


def _is_of(named: str, declared: str) -> bool:
    """Tell whether a type named is the type of a base, or a part of it."""
    return named == declared or (declared == BOTH and named in PARTS)
