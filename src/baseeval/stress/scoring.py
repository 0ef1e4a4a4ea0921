"""Scoring answers beside the truth: rejection, coverage, bias, and how sure these are."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd

#: Level of the tests that are scored.
_LEVEL = 0.05


def score_draws(rows: pd.DataFrame) -> pd.DataFrame:
    """Score answers by world, question and procedure.

    Parameters
    ----------
    rows : pandas.DataFrame
        One row an answer: world, question, procedure, truth, estimate, low, high, p_value, notes
        (joined by `;`).

    Returns
    -------
    pandas.DataFrame
        `draws`; `failed`, the share without a p-value; of the others `rejection` (p under 0.05)
        and `coverage` with their Monte Carlo errors; `bias` with its error, `rmse` and the
        spread `sd` of the estimates; `mean_length` of the intervals; `notes`: each with the
        share of the draws that have it.
    """
    scored = [
        dict(zip(("world", "question", "procedure"), key, strict=True)) | _score(group)
        for key, group in rows.groupby(["world", "question", "procedure"], sort=False)
    ]
    return pd.DataFrame(scored)


def _score(group: pd.DataFrame) -> dict[str, object]:
    known = group[group["p_value"].notna()]
    count = len(known)
    inside = (known["low"] <= known["truth"]) & (known["truth"] <= known["high"])
    errors = (known["estimate"] - known["truth"]).to_numpy()
    rejection, coverage = _share(known["p_value"] < _LEVEL), _share(inside)
    spread = float(errors.std(ddof=1)) if count > 1 else float("nan")
    return {
        "draws": len(group),
        "failed": 1 - count / len(group),
        "rejection": rejection,
        "rejection_error": _error(rejection, count),
        "coverage": coverage,
        "coverage_error": _error(coverage, count),
        "bias": float(errors.mean()) if count else float("nan"),
        "bias_error": spread / np.sqrt(count) if count else float("nan"),
        "rmse": float(np.sqrt(np.mean(errors**2))) if count else float("nan"),
        "sd": spread,
        "mean_length": float((known["high"] - known["low"]).mean()),
        "notes": _notes(group["notes"]),
    }


def _share(holds: pd.Series) -> float:
    return float(holds.mean()) if len(holds) else float("nan")


def _error(share: float, count: int) -> float:
    """Return the Monte Carlo error of a share."""
    return float(np.sqrt(share * (1 - share) / count)) if count else float("nan")


def _notes(notes: pd.Series) -> dict[str, float]:
    counts = Counter(note for each in notes for note in each.split(";") if note)
    return {note: count / len(notes) for note, count in sorted(counts.items())}
