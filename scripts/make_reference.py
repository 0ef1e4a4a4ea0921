"""Write docs/reference.md from the code's own registries, so that it cannot go stale."""

from pathlib import Path

from baseeval.contracts.codes import SUPPRESSION_CODES
from baseeval.design.registry import DESIGNS
from baseeval.disclosure.profiles import PROFILES
from baseeval.effects.registry import MODELS
from baseeval.measures.kinds import KINDS
from baseeval.results import FLAGS, RESULT_COLUMNS, VARIANTS, VERDICTS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference.md"


def table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Lay rows out as a Markdown table."""
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def reference() -> str:
    """Return the page."""
    parts = [
        "# Reference",
        "Made from the code by `scripts/make_reference.py`; a test holds it current. Words are "
        "in the [glossary](glossary.md), derivations in [methods](methods/).",
        "## Designs",
        table(
            ("name", "what it does", "estimands", "of all arms at once", "settings", "source"),
            [
                (
                    f"`{s.name}`",
                    s.summary,
                    ", ".join(s.estimands),
                    ", ".join(s.estimands_of_several) or "no",
                    ", ".join(f"`{name}`" for name in s.settings),
                    s.source,
                )
                for s in DESIGNS.values()
            ],
        ),
        "## Models",
        table(
            ("name", "what it does", "outcomes", "carries designs", "inference", "source"),
            [
                (
                    f"`{s.name}`",
                    s.summary,
                    ", ".join(s.kinds),
                    "yes" if s.carries_designs else "no",
                    f"`{s.inference}`",
                    s.source,
                )
                for s in MODELS.values()
            ],
        ),
        "## Kinds of outcome",
        table(
            ("kind", "unit", "how it is measured"),
            [(f"`{k.name}`", k.unit, k.note) for k in KINDS.values()],
        ),
        "## Columns of the results table",
        table(
            ("column", "kind", "meaning"),
            [(f"`{name}`", kind, meaning) for name, (kind, meaning) in RESULT_COLUMNS.items()],
        ),
        "## Verdicts",
        table(("code", "meaning"), [(f"`{code}`", words) for code, words in VERDICTS.items()]),
        "## Flags",
        table(("code", "meaning"), [(f"`{code}`", words) for code, words in FLAGS.items()]),
        "## Variants",
        table(("code", "meaning"), [(f"`{code}`", words) for code, words in VARIANTS.items()]),
        "## Codes that are read as missing, each with its reason",
        table(
            ("code", "meaning"), [(f"`{code}`", words) for code, words in SUPPRESSION_CODES.items()]
        ),
        "## Disclosure profiles",
        table(
            ("profile", "smallest count", "residual df", "counts rounded to"),
            [
                (f"`{p.name}`", str(p.threshold), str(p.residual_df), str(p.base))
                for p in PROFILES.values()
            ],
        ),
    ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8", newline="\n")
