"""How it was done, every result, and how to do it again."""

from __future__ import annotations

from collections.abc import Iterable

from baseeval.disclosure.released import About, Released
from baseeval.reporting.alike import design_name, design_words
from baseeval.reporting.amounts import NOT_SHOWN, difference_words, interval, interval_in
from baseeval.reporting.cautions import flag_name
from baseeval.reporting.cells import Row, codes, distinct, grouped, real, records, text
from baseeval.reporting.headlines import about_outcome, outcome_title
from baseeval.reporting.phrasebook import (
    BOUNDS,
    ESTIMANDS,
    INFERENCES,
    MODELS,
    OF_ALL_GROUPS,
    PUPILS,
    SHORT_CONTRASTS,
    VARIANTS,
    capital,
    label_of,
    spelled,
    wave_words,
)
from baseeval.reporting.sheet import Cell, Sheet, absent, shown
from baseeval.reporting.tags import Tag, tag_of
from baseeval.results import ARMS, CONTRASTS


def methods(released: Released) -> tuple[tuple[str, str], ...]:
    """Return the choices of the study as pairs of a question and its answer."""
    about = released.about
    made_alike = _listed(f"{design_name(one)}: {design_words(one)}" for one in about.designs)
    models = _listed(MODELS.get(one, spelled(one)) for one in about.models)
    ways = [way for way in distinct(records(released.results), "inference") if way]
    ranges = _listed(INFERENCES.get(one, spelled(one)) for one in ways)
    told = [
        ("Whom the answers are about", f"{_whom(about)} ({about.estimand})"),
        ("How groups were made alike", made_alike),
        ("What was allowed for", _listed(map(label_of, about.adjusted))),
        ("What had to match exactly", _listed(map(label_of, about.exact))),
        ("How differences were worked out", models),
        ("How the ranges were made", ranges),
        ("What missing results could change", _bounds(released)),
        ("Occasions of measurement", ", ".join(about.waves)),
        ("First measurement, before or at placement", about.baseline_wave),
    ]
    compared = [(question, answer) for question, answer in told if answer]
    kept = f"Profile “{released.profile}”: small counts are withheld and others may be rounded."
    return (*(compared if about.contrasts_made else ()), ("How pupils are protected", kept))


def all_results(released: Released) -> tuple[Sheet, ...]:
    """Return every row of the results in words, a table an outcome, the headline rows marked."""
    heads = (
        "Comparison",
        "Wave",
        "Method",
        "Answer",
        "Difference (95% interval)",
        "Effect size (95% interval)",
        "Pupils",
        "Schools",
        "Cautions",
    )
    sheets = []
    for (name, form), rows in grouped(records(released.results), "outcome", "form").items():
        outcome = about_outcome(released, name)
        unit = next(filter(None, (difference_words(text(row, "unit")) for row in rows)), "")
        title = outcome_title(released, name, form)
        title += f": differences in {unit}" if unit else ""
        lines = tuple(_line(row, outcome.better) for row in rows)
        sheets.append(Sheet(title, heads, lines))
    return tuple(sheets)


def _whom(about: About) -> str:
    """Say whom the answers are about: of one design over all three groups, the same pupils."""
    if about.target != "common" or len(about.contrasts_made) < len(CONTRASTS):
        return capital(ESTIMANDS[about.estimand])
    one_arm = PUPILS[about.focal or ARMS[0]]
    return f"In all comparisons the same: {OF_ALL_GROUPS.get(about.estimand, one_arm)}"


def _line(row: Row, better: str) -> tuple[Cell, ...]:
    """Return one row of the results in words."""
    raw = [real(row, name) for name in ("estimate", "ci_low", "ci_high")]
    sizes = [real(row, f"effect_size{end}") for end in ("", "_low", "_high")]
    difference, size = interval_in(text(row, "unit"), *raw), interval(*sizes)
    model = text(row, "model")
    design = "" if model == "unadjusted" else f"{design_name(text(row, 'design'))}, "
    variant = VARIANTS.get(text(row, "variant"), "")
    method = capital(f"{design}{spelled(model)}") + (f": {variant}" if variant else "")
    return (
        SHORT_CONTRASTS[text(row, "contrast")],
        capital(wave_words(text(row, "wave"))) or NOT_SHOWN,
        method + (" ★ headline" if row["headline"] is True else ""),
        _answer(row, better),
        absent(row) if difference == NOT_SHOWN else difference,
        absent(row) if size == NOT_SHOWN else size,
        _both(shown(row, "n_first"), shown(row, "n_second")),
        _both(shown(row, "schools_first"), shown(row, "schools_second")),
        ", ".join(flag_name(flag) for flag in codes(row)) or "none",
    )


def _bounds(released: Released) -> str:
    """Explain bounds where a row is one."""
    variants = distinct(records(released.results), "variant")
    return BOUNDS if set(variants) & set(VARIANTS) else ""


def _both(first: str, second: str) -> str:
    """Put the two groups' numbers together, once where both are withheld."""
    return first if first == second and not first[:1].isdigit() else f"{first} and {second}"


def _listed(words: Iterable[str]) -> str:
    """Join words by semicolons."""
    return capital("; ".join(words))


def _answer(row: Row, better: str) -> Tag | str:
    """Return a headline's answer as a tag; a check's in plain words, for it is no finding."""
    tag = tag_of(row, better)
    return tag if row["headline"] is True else tag.words
