"""What a column's heading says that it holds: counts of pupils, or what names one."""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PEOPLE = _words("pupil pupils child children student students learner learners")
_COUNTS = _words(
    "n count counts freq frequency headcount missing excluded cohort_size group_size"
    " number_on_roll nor answered declined could_not_be_asked other"
)
_NOT_A_COUNT = _words(
    "effective share percent percentage pct proportion rate mean average median sd se school"
    " schools per score scores id smd r2 ratio estimate weight weights df reason"
)
_KEYS = _words(
    "pupil pupil_id pupilid pupil_key pupil_ref pupil_number student_id studentid stdntid"
    " child_id childid learner_id learnerid candidate_number admission_number upn uln upi"
    " nhs_number matched_to first_id second_id first_row second_row"
    " surname forename first_name last_name firstname lastname full_name fullname"
    " preferred_name pupil_name student_name child_name legal_name middle_name"
    " dob date_of_birth dateofbirth birth_date birthdate postcode home_address"
)
_EXTREMES = _words("min max minimum maximum")
_OUR_SETTINGS = _words("min_answered")  # keys of a study file
_KEY_START = re.compile(r"^(ks\d_)?(pupil_?matching_?ref|pupil_?ref|unique_?pupil)")


def normal(heading: str) -> str:
    """Write a heading in lower case with `_` between words.

    Examples
    --------
    >>> normal("Number of pupils"), normal("PupilMatchingRefAnonymous_SPR22")
    ('number_of_pupils', 'pupil_matching_ref_anonymous_spr22')
    """
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", heading.strip())
    return re.sub(r"[^a-z0-9]+", "_", split.lower()).strip("_")


def is_count(heading: str) -> bool:
    """Tell whether a column of this heading counts pupils."""
    name = normal(heading)
    words = name.split("_")
    if name in _COUNTS:
        return True
    if _NOT_A_COUNT.intersection(words) or ("%" in heading and "n" not in words):
        return False
    if is_key(heading):
        return False
    counts_something = words[0] == "n" and len(words) <= 3
    return counts_something or words[0] == "count" or words[-1] == "count" or _counts_people(words)


def heads_a_row_of_counts(heading: str) -> bool:
    """Tell whether a row that begins so counts pupils."""
    return bool(re.match(r"(number_of_|all_)?(pupils|children|students)\b", normal(heading))) or (
        normal(heading) in _COUNTS
    )


def is_key(heading: str) -> bool:
    """Tell whether a column of this heading names pupils or says when they were born."""
    name = normal(heading)
    bare = name.replace("_", "")
    return name in _KEYS or bool(_KEY_START.match(name) or _KEY_START.match(bare))


def is_extreme(heading: str) -> bool:
    """Tell whether a column of this heading holds smallest or largest values."""
    name = normal(heading)
    words = name.split("_")
    return name not in _OUR_SETTINGS and not _EXTREMES.isdisjoint(words)


def _counts_people(words: list[str]) -> bool:
    return bool(_PEOPLE.intersection(words)) and not words[-1].startswith("type")
