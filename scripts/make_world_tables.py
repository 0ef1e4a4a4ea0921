"""Write docs/methods/world-sources.md: each number of each world beside what its draws give."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import expit, logit
from scipy.stats import t

from baseeval.worlds.areas import Area, Recorded, draw_area, record_area
from baseeval.worlds.reading import read_recipe
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.streams import Streams

sys.path.insert(0, str(Path(__file__).parent))
from world_tables.kinds import Measure
from world_tables.measuring import measures

ROOT = Path(__file__).resolve().parents[1]
WORLDS = ROOT / "synthetic_data" / "worlds"
PAGE = ROOT / "docs" / "methods" / "world-sources.md"

#: Draws of each world: areas, or whole worlds of one area with seeds of their own.
DRAWS, DRAWS_OF = 40, {"national": 24, "src_replication": 100, "trust": 80}
#: Chance that a correct generator breaks the limit anywhere in a world's rows.
ALARM = 0.001
#: Worlds whose rows stand in full; of the others, those that differ from `many_schools`.
IN_FULL = ("many_schools", "src_replication", "trust", "local_authority", "national")
EXACT = 1e-9

#: Published figures: what, the world that has it, and the number.
PUBLISHED = {
    "national": {
        "pupils with SEN who have an EHC plan": (0.273, "DfE SEN 2025"),
        "pupils with SEN with FSM": (0.405, "DfE SEN 2025"),
        "pupils with SEN who are girls": (0.363, "DfE SEN 2025"),
        "sessions missed, wave 1": (0.109, "DfE absence 2023/24"),
        "suspensions a pupil and year, wave 1": (0.258, "DfE suspensions 2023/24"),
        "primary schools": (0.831, "DfE performance tables 2019"),
        "hosts an area": (11.1, "DfE PIU"),
    },
    "local_authority": {
        "pupils persistently absent, wave 1": (0.310, "DfE absence 2023/24"),
        "primary schools": (0.831, "DfE performance tables 2019"),
        "hosts an area": (11.1, "DfE PIU"),
    },
    "trust": {"pupils persistently absent, wave 1": (0.310, "DfE absence 2023/24")},
}


@dataclass(frozen=True)
class Row:
    """A number of a world beside what its draws give; z is their distance in standard errors."""

    key: str
    stated: float
    source: str
    observed: float
    error: float
    z: float


def draws(recipe: WorldRecipe, count: int, pupils: int) -> Iterator[tuple[Area, Recorded]]:
    """Draw areas of a world, in a realm of their own."""
    for at in range(count):
        streams = Streams(0, at, "sources")
        area = draw_area(recipe, pupils, streams)
        yield area, record_area(recipe, area, streams)


def rows(name: str, count: int, pupils: int | None = None) -> tuple[list[Row], list[Row]]:
    """Measure a world: the rows of its numbers, and those of published figures.

    Draws are of as many eligible pupils as the world has in an area, or of so many.
    """
    recipe, sources = read_recipe(name), comments(WORLDS / f"{name}.toml")
    found: dict[str, list[Measure]] = {}
    shares: dict[str, list[tuple[float, float]]] = {}
    for area, recorded in draws(recipe, count, pupils or recipe.eligible.count):
        for measure in measures(recipe, area, recorded):
            found.setdefault(measure[0], []).append(measure)
        for key, pair in figures(recipe, area, recorded).items():
            shares.setdefault(key, []).append(pair)
    numbers = [_row(key, each, source_of(key, sources)) for key, each in found.items()]
    published = [
        _row(key, [(key, "mean", stated, a - stated * b, b) for a, b in shares[key]], source)
        for key, (stated, source) in PUBLISHED.get(name, {}).items()
    ]
    return numbers, published


def _row(key: str, each: list[Measure], source: str) -> Row:
    kind, stated = each[0][1:3]
    if kind == "given":  # what is expected differs from draw to draw
        stated = sum(m[2] * m[4] for m in each) / sum(m[4] for m in each)
    num, den = (np.array([m[at] for m in each], dtype=float) for at in (3, 4))
    shift = num.sum() / den.sum()
    count = len(each)
    error = np.sqrt(((num - shift * den) ** 2).sum() * count / (count - 1)) / den.sum()
    if abs(shift) < EXACT and error < EXACT:
        return Row(key, stated, source, stated, 0.0, 0.0)
    if error == 0:
        return Row(key, stated, source, stated + shift, 0.0, float(np.inf))
    z = shift / error
    if kind == "rate":
        return Row(
            key, stated, source, expit(logit(stated) + shift), stated * (1 - stated) * error, z
        )
    if kind == "sd":
        observed = np.sqrt(max(stated**2 + shift, 0.0))
        return Row(key, stated, source, observed, error / (2 * stated), z)
    return Row(key, stated, source, stated + shift, error, z)


def limit(count: int, many: int) -> float:
    """The |z| that a correct generator exceeds in any of so many rows with chance `ALARM`."""
    return float(t.isf(ALARM / (2 * many), count - 1))


def figures(recipe: WorldRecipe, area: Area, recorded: Recorded) -> dict[str, tuple[float, float]]:
    """Sums and sizes of what is published: from the tables, before any dial of the records."""
    own, count = area.eligible, len(area.eligible.school)
    present, possible = (recorded.columns[name][:count, 0] for name in ("present", "possible"))
    seen = ~np.isnan(present)
    absent = 1 - present[seen] / possible[seen]
    found = {
        "pupils with SEN who have an EHC plan": (own.ehcp.sum(), count),
        "pupils with SEN with FSM": (own.fsm.sum(), count),
        "pupils with SEN who are girls": (own.female.sum(), count),
        "sessions missed, wave 1": (np.sum(absent * possible[seen]), possible[seen].sum()),
        "pupils persistently absent, wave 1": ((absent >= 0.1 - EXACT).sum(), seen.sum()),
        "primary schools": (area.schools.primary.sum(), len(area.schools.primary)),
        "hosts an area": (area.schools.hosts.sum(), 1),
    }
    if recipe.suspensions is not None:
        y = recorded.columns["suspensions"][:count, 0]
        key = "suspensions a pupil and year, wave 1"
        found[key] = (np.nansum(y), (~np.isnan(y)).sum())
    return {key: (float(a), float(b)) for key, (a, b) in found.items()}


def comments(path: Path) -> dict[str, str]:
    """Read the source that stands beside each number of a world file."""
    found, part = {}, ""
    for line in path.read_text(encoding="utf-8").splitlines():
        heading = re.match(r"\[([\w.]+)\]", line)
        if heading:
            part = heading.group(1) + "."
        elif "=" in line and not line.startswith("#"):
            key, _, rest = line.partition("=")
            found[part + key.strip()] = rest.partition("#")[2].strip()
    return found


def source_of(key: str, sources: dict[str, str]) -> str:
    """Give the source of a row: of the number that it begins with, or the methods' page."""
    stem = re.split(r",| \(", key)[0]
    if stem not in sources:
        return "docs/methods/worlds.md"
    said = re.split(r"[;:]", sources[stem])[0].strip()
    return said if said else "assumed"


def _table(heads: tuple[str, ...], lines: list[tuple[str, ...]]) -> str:
    marks = tuple("---" for _ in heads)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, marks, *lines))


def _cells(row: Row) -> tuple[str, ...]:
    key = f"`{row.key}`" if "." in row.key and " " not in row.key else row.key
    spread = f"{row.error:.2g}" if row.error else "exact"
    return key, f"{row.stated:.4g}", row.source, f"{row.observed:.4g}", spread, f"{row.z:+.1f}"


HEADS = ("quantity", "stated", "source", "observed", "standard error", "z")

INTRODUCTION = """# World sources: every number of every world, and what its draws give

Made by `python scripts/make_world_tables.py`, which takes about {minutes}; a test holds its
structure current and asserts the limits on a smaller draw.

Each row is a number of a world file. *Observed* is what independent draws of the world give for
it, worked out from the formulas of [worlds.md](worlds.md) and not with the generator's functions;
*z* is its distance from what is stated in standard errors, which come from the spread between
draws. For a coefficient of a logistic or linear part, observed is one Newton step from the stated
numbers, all else as stated. "Exact" numbers vary in no draw. The limit on |z| is Bonferroni's
over a world's rows: a correct generator breaks it with chance {alarm:g} a world (Student's t, as
many degrees of freedom as draws less one).

## Sources

- "assumed": chosen here; no published figure was found, or none is needed.
- "abstract", "preprint": Cook and Boddy 2026, its abstract in Surrey's repository and its
  companion (osf.io h8zgq_v1). "Goodenow": Goodenow 1993.
- "DfE PIU": the DfE Policy Insights Unit's report of June 2026 on SEN units and resourced
  provision.
- "DfE performance tables 2019": the census and absence files of that year, one row a school;
  computed over the 20,189 state-funded primary and secondary schools with fewer than 6,000 pupils
  (which leaves out the national rows).
- "DfE SEN 2025": Special educational needs in England 2024/25, as reported at
  flourisheducation.co.uk (resources/news, 12 June 2025) and amhie.com; "DfE SEN 2024": the number
  of pupils with SEN in 2024, as analysed by Tes.
- "DfE absence 2023/24": Pupil absence in schools in England. Autistic pupils: enrolments and
  persistent absentees by primary need and type of school (Explore Education Statistics, permanent
  table 6b0c8697-fbb0-49a1-ce41-08dd66bfee22); persistent absence in mainstream schools is (20,474
  + 27,639) / (78,664 + 76,556) = 31.0%. Autumn term by SEN provision: as reported by nasen ("New
  absence figures released").
- "DfE suspensions 2023/24": numbers by SEN provision, as given in the minister's statement
  (parliamenttoday.com, news 166045).

Figures of other years, phases or groups than a world's own stand for it only roughly: all-pupil
FSM in six years for FSM of pupils with SEN between schools, one term's absence for a wave's.
"""


def page(minutes: str) -> str:
    """Return the page; the numbers of drawing are in `DRAWS`."""
    summary, published, tables = [], [], []
    plain: dict[str, float] = {}
    order = [
        "many_schools",
        *sorted(p.stem for p in WORLDS.glob("*.toml") if p.stem != "many_schools"),
    ]
    for name in order:
        count = DRAWS_OF.get(name, DRAWS)
        numbers, known = rows(name, count)
        worst = max(abs(row.z) for row in numbers)
        within = limit(count, len(numbers))
        cells = (f"`{name}`", str(count), str(len(numbers)), f"{worst:.1f}", f"{within:.1f}")
        summary.append(cells)
        published += [(f"`{name}`", *_cells(row)) for row in known]
        if name == "many_schools":
            plain = {row.key: row.stated for row in numbers}
        kept = [r for r in numbers if name in IN_FULL or plain.get(r.key) != r.stated]
        kept = [row for row in kept if name in IN_FULL or row.source != "docs/methods/worlds.md"]
        note = "" if name in IN_FULL else "\n\nNumbers that differ from those of `many_schools`.\n"
        tables.append(f"## `{name}`{note}\n\n{_table(HEADS, [_cells(row) for row in kept])}")
    parts = [
        INTRODUCTION.format(alarm=ALARM, minutes=minutes).rstrip(),
        "## All worlds",
        _table(("world", "draws", "rows", "largest abs(z)", "limit"), summary),
        "## Published figures that a world is set to",
        "The number of the world file was solved for so that the share over all pupils is the\n"
        "published one; the world then has it within sampling error and its own rounding.",
        _table(("world", *HEADS), published),
        *tables,
    ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page("three minutes"), encoding="utf-8", newline="\n")
