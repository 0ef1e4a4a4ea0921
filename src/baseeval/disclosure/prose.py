"""What an output checker looks for in words: small counts, paths, people."""

from __future__ import annotations

import re
from collections.abc import Iterator

from baseeval.disclosure.profiles import Profile

_ROOTS = (
    "home|Users|root|mnt|tmp|var|opt|srv|data|media|usr|private|work|workspace|Workspace"
    "|dbfs|Volumes|export|scratch"
)
_PATHS = re.compile(
    rf"(?<![\w.:/\\~-])/(?:{_ROOTS})/[\w.-]+"
    r"|(?<!\w)[A-Za-z]:(?:\\{1,2}|/)[\w .-]+(?:\\{1,2}|/|\.\w)"
    r"|(?<!\\)\\\\[\w.-]+\\[\w$.-]+"
    r"|\bfile://|(?<!\w)~/[\w.-]+"
)
_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_UPN = re.compile(r"(?<![A-Za-z0-9])[A-HJ-NP-RT-Z]\d{11}[0-9A-HJ-NP-RT-Z](?![A-Za-z0-9])")
_PUPILS = re.compile(
    r"(?<![\w.,:/-])(\d+)[ \u00a0](?:\w+[ \u00a0])?(?:pupils?|child(?:ren)?|students?)\b"
    r"|\bn[ \u00a0]?=[ \u00a0]?(\d+)\b(?![.,]\d)",
    re.IGNORECASE,
)
_ORDINAL = re.compile(
    r"(?:years?|grades?|stages?|waves?|class|level|ks|phase|form|under|than|below)"
    r"\W+(?:\d+\W+(?:to|and|or)?\W*)*$",
    re.IGNORECASE,
)


def suspect_text(where: str, text: str, profile: Profile) -> Iterator[tuple[str, str, str]]:
    """Yield what must not leave in prose: where, what as a count, remedy."""
    small = sum(
        profile.is_small(int(found[1] or found[2]))
        for found in _PUPILS.finditer(text)
        if not _ORDINAL.search(text, max(found.start() - 40, 0), found.start())
    )
    if small:
        what = f"{small} counts of pupils under {profile.threshold} in words"
        yield where, what, f"Say `fewer than {profile.threshold}`, or leave them out."
    for pattern, what, remedy in (
        (_PATHS, "absolute paths, which name users and machines", "Give file names alone."),
        (_MAIL, "e-mail addresses", "Leave them out."),
        (_UPN, "values of the form of a unique pupil number", "Leave them out."),
    ):
        if times := len(pattern.findall(text)):
            yield where, f"{times} {what}", remedy
