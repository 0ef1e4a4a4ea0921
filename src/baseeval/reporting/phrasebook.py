"""The one place where a code becomes words. `amounts` does the same for numbers.

Readers meet no code: not an arm, a verdict, a flag or a method.
"""

from __future__ import annotations

import re

#: Short forms that column names use.
ABBREVIATIONS = {
    "attainment8": "Attainment 8",
    "progress8": "Progress 8",
    "eal": "English as an additional language",
    "ehcp": "EHC plan",
    "adhd": "ADHD",
    "fsm": "free school meals",
    "idaci": "IDACI",
    "ks1": "key stage 1",
    "ks2": "key stage 2",
    "sen": "SEN",
}

#: Words of the trade that other stages write, and what readers meet instead.
EVERYDAY = (
    (r"\b([Aa])n arm\b", r"\1 group"),
    (r"\barm(s?)\b", r"group\1"),
    (r"\bcovariate(s?)\b", r"recorded characteristic\1"),
)

GROUPS = {
    "base": "Pupils with a base place",
    "host_mainstream": "Pupils at the same schools without one",
    "non_host": "Pupils at schools with no base",
    "peer": "Matched peers",
    "peers": "Matched peers",
    "matched_peer": "Matched peers",
    "": "All together",
    "all": "All together",
}

#: Contrast -> how its first and second groups are called inside a sentence.
SIDES = {
    "base_vs_host": ("pupils with a base place", "pupils at the same schools without one"),
    "base_vs_non_host": ("pupils with a base place", "pupils at schools with no base"),
    "host_vs_non_host": (
        "pupils at schools with a base but without a place in it",
        "pupils at schools with no base",
    ),
}

#: Arm -> its pupils inside a sentence that compares them with nobody.
PUPILS = {
    "base": "pupils with a base place",
    "host_mainstream": "pupils at schools with a base but without a place in it",
    "non_host": "pupils at schools with no base",
}

SHORT_CONTRASTS = {
    "base_vs_host": "Base place, against same schools without one",
    "base_vs_non_host": "Base place, against schools with no base",
    "host_vs_non_host": "Same schools without a place, against schools with no base",
}

#: Who answered a questionnaire about the pupil: the three are never put together.
ANSWERED_BY = {
    "pupil": "Answered by the pupils themselves.",
    "parent": "Answered by a parent or carer about the pupil, not by the pupil.",
    "staff": "Answered by staff about the pupil, not by the pupil.",
}

FORMS = {
    "level": "",
    "change": "change since the first measurement",
    "gap": "difference from matched peers",
}

ESTIMANDS = {
    "ATT": "the pupils of the first group named",
    "ATC": "the pupils of the second group named",
    "ATE": "the pupils of both groups together",
    "ATO": "the pupils who could as well have been in either group",
    "ATM": "the pupils who could be paired across the groups",
    "ATEN": "the pupils whose placement was least certain, weighted by its entropy",
}

#: The same where one design holds all three groups; of an ATT it is one group's pupils.
OF_ALL_GROUPS = {
    "ATE": "the pupils of all three groups together",
    "ATO": "the pupils who could as well have been in any of the three groups",
    "ATM": "the pupils who could be matched across the three groups",
    "ATEN": "the pupils whose group was least certain, weighted by its entropy",
}

MODELS = {
    "unadjusted": "a plain difference, with nothing allowed for",
    "regression": "a regression that allows for the listed characteristics",
    "multilevel": "a model that knows that pupils of one school are alike (multilevel)",
}

#: Variant of the analysis -> how a row of it is marked; the main one is not.
VARIANTS = {
    "bound_low": "lowest possible",
    "bound_high": "highest possible",
}

#: What is said once where a report has bounds.
BOUNDS = (
    "For some outcomes a second pair of rows takes in every pupil, also those without a result. "
    "“Lowest possible” gives those of the first group the lowest value that there can be and "
    "those of the second the highest; “highest possible” the reverse. Whatever the missing "
    "results are, the difference lies between the two, as far as what was allowed for is enough. "
    "Each has a range of its own"
)

#: How alike two groups are on something recorded before -> in a table, and in a sentence.
BANDS = {
    "alike": ("alike", "so on what was recorded the groups are alike"),
    "adjust": ("to be allowed for", "so large that the model has to allow for it"),
    "not_comparable": ("not comparable", "too large for a fair comparison, whatever the model"),
}

#: What chance has to do with such a difference.
CHANCES = {
    "could_be_chance": (
        "could be chance",
        "Chance alone could make a difference as large as that between groups that are alike.",
    ),
    "beyond_chance": ("more than chance", "It is more than chance would make."),
    "over_limit": ("more than chance", "It is far more than chance would make."),
    "unknown": ("cannot be told", "Whether chance alone could make it cannot be told."),
}

INFERENCES = {
    "cr2_satterthwaite": "by school, corrected for few schools (CR2, Satterthwaite)",
    "school_means": "from the means of schools, allowing for how few they are",
    "ladder": "by as careful a method as so few schools allow",
    "wild_cluster": "by resampling whole schools (wild cluster bootstrap)",
    "permutation": "by exchanging placements (permutation)",
    "kenward_roger": "from the model, corrected for few schools (Kenward and Roger)",
}

MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August"),
    *("September", "October", "November", "December"),
)

GENERALISES = {
    "these_schools": "It speaks of these schools only.",
    "schools_like_these": "Its range allows for other schools like these.",
}


def spelled(code: str) -> str:
    """Write a code that the phrasebook does not hold as words."""
    words = code.replace("_", " ").split()
    return " ".join(ABBREVIATIONS.get(word.lower(), word) for word in words)


def everyday(words: str) -> str:
    """Put a reason or a note that another stage wrote into everyday words, without a full stop."""
    for technical, plain in EVERYDAY:
        words = re.sub(technical, plain, words)
    return words.strip().rstrip(".")


def capital(words: str) -> str:
    """Begin with a capital letter and change nothing else."""
    return words[:1].upper() + words[1:]


def group(arm: str) -> str:
    """Name a group of pupils."""
    return GROUPS.get(arm, capital(spelled(arm)))


def label_of(name: str, label: str = "") -> str:
    """Name an outcome, covariate or step: its label where it has one, else its code in words."""
    given = label and spelled(label).lower() != spelled(name).lower()
    return capital(label if given else spelled(name))


def wave_words(wave: str) -> str:
    """Name an occasion of measurement; nothing where a study has only one."""
    return f"wave {wave}" if wave else ""


def listed(words: list[str]) -> str:
    """Join words as people do.

    Examples
    --------
    >>> listed(["one", "two", "three"])
    'one, two and three'
    """
    return " and ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


def school_year(year: int) -> str:
    """Name a school year by both of its years.

    Examples
    --------
    >>> school_year(2022)
    '2021/22'
    """
    return f"{year - 1}/{year % 100:02d}"


def spelled_date(day: str) -> str:
    """Write an ISO date as people do.

    Examples
    --------
    >>> spelled_date("2024-06-20")
    '20 June 2024'
    """
    year, month, date = day.split("-")
    return f"{int(date)} {MONTHS[int(month) - 1]} {year}"


def contrast_title(contrast: str) -> str:
    """Name a contrast in full."""
    first, second = SIDES[contrast]
    return f"{capital(first)}, compared with {second}"
