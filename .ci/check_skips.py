"""Say what was skipped and why; fail if a reason is not on the list.

Usage: check_skips.py JUNIT_XML
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from xml.etree import ElementTree

ALLOWED = frozenset({"BASEEVAL_SHARED data absent", "no chromium on this machine"})


def reasons(path: str) -> Counter[str]:
    """Count the skipped tests of a JUnit report by reason."""
    counted: Counter[str] = Counter()
    for skipped in ElementTree.parse(path).iter("skipped"):
        if skipped.get("type") == "pytest.xfail":
            continue
        reason = skipped.get("message", "")
        whole_file = re.search(r"Skipped: (.*?)['\"]\)\s*$", skipped.text or "", re.DOTALL)
        if reason == "collection skipped" and whole_file:
            reason = whole_file.group(1)
        counted[reason] += 1
    return counted


def main(path: str) -> int:
    """Print each reason with its count; 1 if one is not allowed."""
    counted = reasons(path)
    for reason, count in counted.most_common():
        mark = "allowed" if reason in ALLOWED else "NOT ALLOWED"
        print(f"skipped {count}: {reason} ({mark})")
    return int(bool(set(counted) - ALLOWED))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
