"""Write docs/outcomes.md and docs/features.md from the catalogue: they cannot go stale."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from baseeval.catalogue import (
    KNOWN,
    Feature,
    Outcome,
    Scale,
    known_features,
    known_outcomes,
    known_scales,
    known_sources,
    outcome_template,
)
from baseeval.measures.kinds import KINDS

DOCS = Path(__file__).resolve().parents[1] / "docs"
OUTCOMES, FEATURES = DOCS / "outcomes.md", DOCS / "features.md"

#: An outcome that shows how a section of a study file looks.
SHOWN = "belonging_pssm_positive"

OUTCOME_GROUPS = {
    "attainment": "Attainment",
    "attendance": "Attendance",
    "belonging": "Belonging",
    "exclusion": "Suspensions and exclusions",
    "destination": "Destinations",
    "wellbeing": "Wellbeing",
    "relationships": "Relationships and taking part",
    "learning": "Learning and growing up",
    "adults": "Parents and staff",
    "afterwards": "Time in mainstream, and what comes after",
}

FEATURE_GROUPS = {
    "kind": "What the base is",
    "people": "People",
    "working": "How it works",
    "rooms": "Rooms",
    "together": "Life together",
    "school": "The school around it",
}

RESPONDENTS = {"pupil": "pupil", "parent": "parent", "staff": "staff", "record": "records"}
MODERATOR = {"yes": "yes", "if_before": "if recorded before", "no": "no"}
SCORES = {"mean": "the mean of the items", "given": "comes scored", "own": "your own key"}

OUTCOMES_INTRODUCTION = (
    "Made from `src/baseeval/catalogue/` by `scripts/make_catalogue.py`; a test holds it current. "
    "Words are in the [glossary](glossary.md).",
    "What a base may change, for better or worse. Nobody measures all of it. Choose a few outcomes "
    "before you look at any result, say which of them matters most and how large a difference "
    "would matter, and ask for them alike in every arm. "
    "The marks of a good base are in the [checklist of features](features.md).",
    "**Better** says which direction is good. Where it says neither, people who know differ, and "
    "the report says only that the arms differ: time in mainstream and leaving a base are "
    "not good or bad by themselves. **Who says** names those who can; where there are several, "
    "choose one, for a parent's or teacher's answer is never pooled with pupils' own. "
    "**Measured as** is the `kind` of the study file.",
    "No questionnaire's words stand here, only numbers of items and which way they run. Get the "
    "questions, and leave to use them, from their owners.",
)

FEATURES_INTRODUCTION = (
    "Made from `src/baseeval/contracts/features.toml` by `scripts/make_catalogue.py`; a test holds "
    "it current. Words are in the [glossary](glossary.md); what a base may change is in the "
    "[catalogue of outcomes](outcomes.md).",
    "What parents, school leaders and DfE's experts say that a good base has: a checklist to fill "
    "in once a year, one row a base, with the day (`features_recorded`). Each is a column of the "
    "table [bases](data-dictionary.md#bases), or of [schools](data-dictionary.md#schools). Most of "
    "it rests on experience; hardly any has been tested. Recorded by enough bases, it can be.",
    '**Answer yes, no or "not known".** Not known is a value of its own, never read as no, and '
    "better than a guess. An empty cell means that nobody was asked.",
    "**Tells effects apart** says whether effects may be compared by it. *Yes*: it was settled "
    "before the pupils came. *If recorded before*: it moves with the pupils, so only what was "
    "recorded before they came may serve. *No*: it is for the register. Even then: bases were not "
    "given features by lot, those that have one mostly have others, and a dozen bases cannot tell "
    "two apart. A difference by feature is a lead to follow, not a cause. Arms without a base have "
    "no features.",
)


class Citing(Protocol):
    """Anything with a name and sources."""

    @property
    def name(self) -> str: ...
    @property
    def sources(self) -> tuple[str, ...]: ...
    @property
    def cautions(self) -> tuple[str, ...]: ...


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay rows out as a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    escaped = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in escaped)


def citations(names: Iterable[str]) -> str:
    """Name sources by their short labels."""
    return "; ".join(known_sources()[name].label for name in names)


def cautions(entries: Iterable[Citing]) -> str:
    """List what to take care of, entry by entry."""
    lines = [f"- `{e.name}`: {' '.join(map(stopped, e.cautions))}" for e in entries if e.cautions]
    return "Take care:\n\n" + "\n".join(lines)


def stopped(sentence: str) -> str:
    """End a sentence with a stop."""
    return sentence if sentence.endswith((".", "?")) else f"{sentence}."


def sources_table(used: Iterable[str]) -> str:
    """Describe the sources that a page cites, in the catalogue's order."""
    cited = set(used)
    return table(
        ("source", "in full", "how it was read"),
        [
            (s.label, f"[{s.title}]({s.address})" if s.address else s.title, KNOWN[s.known])
            for s in known_sources().values()
            if s.name in cited
        ],
    )


def numbers(items: Iterable[int]) -> str:
    """Write numbers of items."""
    return ", ".join(map(str, items)) or "none"


def outcome_section(title: str, outcomes: Sequence[Outcome]) -> list[str]:
    """Describe one group of outcomes."""
    return [
        f"## {title}",
        table(
            ("outcome", "asks", "who says", "better", "measured as", "comes from", "source"),
            [
                (
                    f"**{o.title}** `{o.name}`",
                    o.asks,
                    ", ".join(RESPONDENTS[r] for r in o.respondents),
                    o.better,
                    measured(o),
                    o.comes_from,
                    citations(o.sources),
                )
                for o in outcomes
            ],
        ),
        cautions(outcomes),
    ]


def measured(outcome: Outcome) -> str:
    """Say what an outcome is measured as."""
    parts = [f"{outcome.kind}: {outcome.unit}"]
    if outcome.scale:
        title = known_scales()[outcome.scale].title
        parts.append(f"[{title}](#{anchor(title)})")
    if outcome.forms != ("level",):
        parts.append(f"as {', '.join(outcome.forms)}")
    if outcome.level == "school":
        parts.append("said of a school, not of a pupil")
    return "; ".join(parts)


def anchor(heading: str) -> str:
    """Return the anchor that a Markdown page gives to a heading."""
    kept = (c for c in heading.lower() if c.isalnum() or c in " -_")
    return "".join(kept).replace(" ", "-")


def scale_section(scale: Scale) -> list[str]:
    """Describe the key of one scale."""
    rows = [
        ("measures", scale.measures),
        ("score", SCORES[scale.score]),
        ("items", str(scale.items) if scale.items else "yours" if scale.name == "own" else "?"),
    ]
    if scale.range:
        rows += [
            ("answers", f"{scale.range[0]:g} to {scale.range[1]:g}"),
            ("reversed items", numbers(scale.reversed)),
            *((f"items of `{name}`", numbers(held)) for name, held in scale.subscales.items()),
        ]
    if scale.score_range:
        rows.append(("subscale scores", f"{scale.score_range[0]:g} to {scale.score_range[1]:g}"))
    rows += [
        ("higher means", scale.higher_means),
        ("unanswered items", scale.proration),
        ("leave to use it", scale.permitted_use),
        ("how sure this key is", KNOWN[scale.known]),
        ("source", citations(scale.sources)),
    ]
    return [f"### {scale.title}", table((f"`{scale.name}`", ""), rows), cautions([scale])]


def outcomes_page() -> str:
    """Return the catalogue of outcomes."""
    outcomes, scales = list(known_outcomes().values()), list(known_scales().values())
    later = sorted({o.kind for o in outcomes} - set(KINDS))
    waiting = (
        f" Kinds for a later version: {', '.join(f'`{kind}`' for kind in later)}; "
        "a study file that asks for one is told so."
        if later
        else ""
    )
    grouped = {g: [o for o in outcomes if o.group == g] for g in OUTCOME_GROUPS}
    parts = [
        "# What a base may change: the outcomes",
        *OUTCOMES_INTRODUCTION,
        f"Kinds that can be estimated today: {', '.join(f'`{kind}`' for kind in KINDS)}.{waiting}",
        "## In a study file",
        f"`outcome_template` gives the section to paste: here that of `{SHOWN}`. The columns are "
        "placeholders.",
        f"```python\nfrom baseeval.catalogue import outcome_template\n\n"
        f'print(outcome_template("{SHOWN}"))\n```',
        f"```toml\n{outcome_template(SHOWN)}```",
        *(p for g, title in OUTCOME_GROUPS.items() for p in outcome_section(title, grouped[g])),
        "## Scales",
        "How each questionnaire is scored, and how sure that is.",
        *(part for scale in scales for part in scale_section(scale)),
        "## Sources",
        sources_table(name for entry in (*outcomes, *scales) for name in entry.sources),
    ]
    return "\n\n".join(parts) + "\n"


def feature_section(title: str, features: Sequence[Feature]) -> list[str]:
    """Describe one group of features."""
    return [
        f"## {title}",
        table(
            ("feature", "what is recorded", "answer", "of", "tells effects apart", "source"),
            [
                (
                    f"**{f.title}** `{f.name}`",
                    f.records,
                    answer(f),
                    f.of,
                    MODERATOR[f.moderator],
                    citations(f.sources),
                )
                for f in features
            ],
        ),
        cautions(features),
    ]


def answer(feature: Feature) -> str:
    """Say what may be answered."""
    if feature.held:
        return "as in the [data dictionary](data-dictionary.md#bases)"
    if feature.kind == "flag":
        return "yes, no, not known"
    if feature.kind == "code":
        codes = "; ".join(f"`{code}` {words}" for code, words in feature.codes.items())
        return f"{codes}; not known"
    if feature.kind == "number":
        span = f" ({feature.low:g} to {feature.high:g})" if feature.high is not None else ""
        return f"a number: {feature.unit}{span}; not known"
    return "words"


def features_page() -> str:
    """Return the checklist of features."""
    features = list(known_features().values())
    grouped = {g: [f for f in features if f.group == g] for g in FEATURE_GROUPS}
    parts = [
        "# What a good base has: a checklist",
        *FEATURES_INTRODUCTION,
        *(p for g, title in FEATURE_GROUPS.items() for p in feature_section(title, grouped[g])),
        "## Sources",
        "The commission's documents say what a good base has. That they say so is sure; that it "
        "works is what this package is for.",
        sources_table(name for feature in features for name in feature.sources),
    ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    OUTCOMES.write_text(outcomes_page(), encoding="utf-8", newline="\n")
    FEATURES.write_text(features_page(), encoding="utf-8", newline="\n")
