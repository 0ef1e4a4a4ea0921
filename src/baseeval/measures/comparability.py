"""Whether a scale means the same in every arm and at every wave, before its means are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from narwhals.stable.v2.typing import IntoDataFrame
from numpy.typing import NDArray

from baseeval.errors import EstimationError, Problem, UsageError
from baseeval.measures.items import EVERYONE, ItemRows, read_items
from baseeval.numerics.factor import FactorFit
from baseeval.numerics.factor_model import MATRICES, Moments, is_singular, moments_of
from baseeval.numerics.invariance import Rules, Step, climb
from baseeval.numerics.invariance_model import STEPS
from baseeval.numerics.reliability import complete_rows

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_INDICES = ("chi2", "df", "p_value", "cfi", "tli", "rmsea", "rmsea_low", "rmsea_high", "srmr")
_CHANGES = ("d_chi2", "d_df", "d_p_value", "d_cfi", "d_rmsea", "d_srmr")


@dataclass(frozen=True, slots=True)
class Invariance:
    """The ladder of invariance of a scale.

    Parameters
    ----------
    verdict : str
        The highest step that holds with all below it: ``scalar``, ``metric``, ``configural``,
        ``none``; or ``not assessable``, which is never a sign of invariance.
    why : str
        Why it goes no higher; empty for ``scalar``.
    steps : pandas.DataFrame
        One row a step: ``step, chi2, df, p_value, cfi, tli, rmsea, rmsea_low, rmsea_high`` (90%),
        ``srmr``, the differences from the step below (``d_chi2, d_df, d_p_value, d_cfi, d_rmsea,
        d_srmr``), ``verdict, why``.
    parameters : pandas.DataFrame
        ``step, group, wave, kind, item, other, estimate, std_error, standardised``: kinds are
        ``loading, intercept, residual_covariance, factor_covariance, factor_mean``; `item` is a
        factor for the last two. Fixed entries have no error. Loadings are also standardised.
    cases : pandas.DataFrame
        ``group, rows, complete``: pupils, and those with every item (at every wave).
    no_group : int
        Rows left out because their group is missing.
    """

    verdict: str
    why: str
    steps: pd.DataFrame
    parameters: pd.DataFrame
    cases: pd.DataFrame
    no_group: int


def check_invariance(
    data: IntoDataFrame,
    items: Sequence[str],
    *,
    group: str | None = None,
    wave: str | None = None,
    pupil: str | None = None,
    reverse: Sequence[str] = (),
    range: tuple[float, float] | None = None,
    factors: Mapping[str, Sequence[str]] | None = None,
    reference: str | None = None,
    identification: str = "variance",
    rules: Rules | None = None,
) -> Invariance:
    """Climb the ladder of configural, metric and scalar invariance, by maximum likelihood.

    Parameters
    ----------
    data : dataframe
        One row a pupil (and wave), any frame that narwhals reads.
    items : sequence of str
        Columns of numbers.
    group : str, optional
        Column of arms.
    wave : str, optional
        Column of waves: equality is asked across waves too, in one model with a factor a wave and
        correlated residuals of the same item. Needs `pupil`; pupils with every wave are used.
    pupil : str, optional
    reverse : sequence of str
        Items worded the other way, turned round within `range`.
    range : (low, high), optional
        Lowest and highest answer.
    factors : mapping of str to sequence of str, optional
        Factors and their items, each item in one; by default one factor.
    reference : str, optional
        The first group, whose latent means are 0.
    identification : str
        ``variance`` (factor variance 1 in the first group) or ``marker`` (first loading 1); the
        verdict is the same.
    rules : Rules, optional

    Returns
    -------
    Invariance

    Raises
    ------
    UsageError
        A column is absent or wrong, nobody is in a group, or there is nothing to compare.
    EstimationError
        An item does not vary in a group, or repeats others.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> arm = np.repeat(["base", "host_mainstream"], 500)
    >>> rows = rng.normal(size=(1000, 1)) + rng.normal(size=(1000, 4))
    >>> frame = pd.DataFrame(rows, columns=["b1", "b2", "b3", "b4"]).assign(arm=arm)
    >>> check_invariance(frame, ["b1", "b2", "b3", "b4"], group="arm").verdict
    'scalar'
    """
    limits = rules or Rules()
    _refuse_call(group, wave, pupil, identification)
    read = read_items(
        data, items, group=group, reverse=reverse, range=range, reference=reference,
        also=[wave, pupil],
    )  # fmt: skip
    pattern, names = _pattern(read.items, factors)
    cells, position, labels = _wide(read, wave, pupil)
    if len(read.groups) < 2 and len(labels) < 2:
        what = "there is one group and one wave, so nothing can differ"
        raise UsageError(Problem("data", what, "Name a `group` or a `wave` with two or more."))
    whole = complete_rows(cells)
    blocks = [cells[whole & (position == g)] for g in np.arange(len(read.groups))]
    cases = pd.DataFrame(
        {
            "group": read.groups,
            "rows": np.bincount(position, minlength=len(read.groups)),
            "complete": [len(block) for block in blocks],
        }
    )
    few = [
        g for g, block in zip(read.groups, blocks, strict=True) if len(block) < limits.least_cases
    ]
    if few:
        why = f"fewer than {limits.least_cases} complete cases in {', '.join(few)}"
        return _not_assessable(why, cases, read.no_group)
    moments = [moments_of(block) for block in blocks]
    _refuse_singular(read, blocks, moments, labels)
    steps = climb(moments, pattern, len(labels), identification, limits)
    verdict, why = _verdict(steps)
    table = pd.DataFrame([_row(step) for step in steps])
    parameters = pd.concat(
        [_parameters(step, read, names, labels) for step in steps], ignore_index=True
    )
    return Invariance(verdict, why, table, parameters, cases, read.no_group)


def _refuse_call(
    group: str | None, wave: str | None, pupil: str | None, identification: str
) -> None:
    problems = []
    if group is None and wave is None:
        what = "neither a group nor a wave is named"
        problems.append(Problem("check_invariance", what, "Name `group`, `wave`, or both."))
    if wave is not None and pupil is None:
        what = "waves of one pupil cannot be told without the pupil"
        problems.append(Problem("pupil", what, "Name the column, as in `pupil='pupil_id'`."))
    if identification not in ("variance", "marker"):
        what = f"{identification!r} is no way to set a factor's unit"
        problems.append(Problem("identification", what, "Choose `variance` or `marker`."))
    if problems:
        raise UsageError(problems)


def _pattern(
    items: tuple[str, ...], factors: Mapping[str, Sequence[str]] | None
) -> tuple[Flags, tuple[str, ...]]:
    held = {"factor": list(items)} if factors is None else {k: list(v) for k, v in factors.items()}
    pattern = np.array([[item in own for own in held.values()] for item in items], dtype=bool)
    problems = [
        Problem(
            f"factors, `{item}`", f"it belongs to {count} factors", "Give each item one factor."
        )
        for item, count in zip(items, pattern.sum(axis=1), strict=True)
        if count != 1
    ]
    named = [item for own in held.values() for item in own]
    problems += [
        Problem("factors", f"`{item}` is not one of the items", "Add it to `items`.")
        for item in dict.fromkeys(named)
        if item not in items
    ]
    problems += [
        Problem(f"factor `{name}`", f"it has {count} items", "Give a factor at least three items.")
        for name, count in zip(held, pattern.sum(axis=0), strict=True)
        if count < 3
    ]
    if problems:
        raise UsageError(problems)
    return pattern, tuple(held)


def _wide(
    read: ItemRows, wave: str | None, pupil: str | None
) -> tuple[Floats, NDArray[np.intp], list[str]]:
    """Return a row a pupil with the items of each wave side by side, groups, and waves."""
    if wave is None or pupil is None:
        return read.rows, read.group, [""]
    frame = read.frame
    problems = [
        Problem(
            f"column `{name}`", _counted(lacking, "row lacks it", "rows lack it"), "Fill it in."
        )
        for name in (wave, pupil)
        if (lacking := int(frame[name].isna().sum()))
    ]
    twice = int(frame.duplicated([pupil, wave]).sum())
    if twice:
        what = _counted(twice, "row repeats", "rows repeat") + " a pupil and wave"
        problems.append(Problem("data", what, "Keep one row a pupil and wave."))
    who, pupils = pd.factorize(frame[pupil])
    first = np.full(len(pupils), -1, dtype=np.intp)
    first[who[::-1]] = read.group[::-1]
    moved = len(np.unique(who[read.group != first[who]]))
    if moved:
        what = _counted(moved, "pupil is", "pupils are") + " in more than one group"
        problems.append(Problem("data", what, "Give each pupil one group over all waves."))
    if problems:
        raise UsageError(problems)
    when, waves = pd.factorize(frame[wave], sort=True)
    cells = np.full((len(pupils), len(waves), len(read.items)), np.nan)
    cells[who, when] = read.rows
    return cells.reshape(len(pupils), -1), first, [str(label) for label in waves]


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _refuse_singular(
    read: ItemRows, blocks: Sequence[Floats], moments: Sequence[Moments], labels: Sequence[str]
) -> None:
    problems = []
    for name, block, own in zip(read.groups, blocks, moments, strict=True):
        if not is_singular(own):
            continue
        where = "data" if name == EVERYONE else f"group `{name}`"
        still = np.flatnonzero(np.ptp(block, axis=0) == 0)
        cells = [
            (read.items[c % len(read.items)], labels[c // len(read.items)]) for c in map(int, still)
        ]
        named = ", ".join(
            f"`{item}`" + (f" at wave {label}" * bool(label)) for item, label in cells
        )
        what = f"items over its {own.n} complete cases repeat one another"
        if named:
            what = f"all {own.n} complete cases give the same answer to {named}"
        elif own.n <= len(own.mean):
            what = f"there are {own.n} complete cases for {len(own.mean)} items"
        remedy = "Leave such items out for every group and wave, or gather more answers."
        problems.append(Problem(where, what, remedy))
    if problems:
        raise EstimationError(problems, flag="model_failed")


def _not_assessable(why: str, cases: pd.DataFrame, no_group: int) -> Invariance:
    columns = ["step", *_INDICES, *_CHANGES]
    steps = pd.DataFrame({"step": STEPS}, columns=columns).astype(dict.fromkeys(columns[1:], float))
    steps = steps.assign(verdict="not assessable", why=why)
    columns = ["step", "group", "wave", "kind", "item", "other", "estimate", "std_error"]
    parameters = pd.DataFrame(columns=[*columns, "standardised"])
    return Invariance("not assessable", why, steps, parameters, cases, no_group)


def _verdict(steps: Sequence[Step]) -> tuple[str, str]:
    """Return the highest step that holds; a first step that fits any data bars no other."""
    reached, why = "", ""
    for step in steps:
        if step.verdict == "holds":
            reached = step.name
        elif step is steps[0] and step.indices.df == 0 and steps[1].verdict != "not assessable":
            why = f"{step.name}: {step.why}"
        else:
            failed = step.verdict == "fails"
            return reached or ("none" if failed else step.verdict), f"{step.name}: {step.why}"
    return reached, "" if reached == STEPS[-1] else why


def _row(step: Step) -> dict[str, object]:
    row: dict[str, object] = {"step": step.name}
    row |= {name: getattr(step.indices, name) for name in _INDICES}
    row |= {name: getattr(step, name) for name in _CHANGES}
    return row | {"verdict": step.verdict, "why": step.why}


def _parameters(
    step: Step, read: ItemRows, factors: Sequence[str], labels: Sequence[str]
) -> pd.DataFrame:
    """Return every entry of the model by name; items are named as columns, factors as given."""
    model = step.fit.model
    kinds = np.array(MATRICES)[model.matrix]
    rows = []
    values = model.entries(step.fit.parameters)
    errors, standardised = step.fit.standard_errors, _standardised(step.fit)
    for e, kind in enumerate(kinds):
        row, column = int(model.row[e]), int(model.column[e])
        of_items = kind in ("loading", "intercept", "residual_covariance")
        names = read.items if of_items else factors
        other = ""
        if kind == "loading":
            other = factors[column % len(factors)]
        elif kind.endswith("covariance"):
            other = names[column % len(names)]
            before = labels[column // len(names)]
            other += f" at wave {before}" if column // len(names) != row // len(names) else ""
        rows.append(
            {
                "step": step.name,
                "group": read.groups[model.group[e]],
                "wave": labels[row // len(names)],
                "kind": str(kind),
                "item": names[row % len(names)],
                "other": other,
                "estimate": float(values[e]),
                "std_error": float(errors[e]),
                "standardised": float(standardised[e]),
            }
        )
    return pd.DataFrame(rows)


def _standardised(fit: FactorFit) -> Floats:
    """Return loadings in SDs of item and factor, NaN for other entries, shape (e,)."""
    model, at = fit.model, fit.matrices
    item = np.diagonal(at.covariance, axis1=1, axis2=2)
    factor = np.diagonal(at.factor_covariance, axis1=1, axis2=2)
    found = np.full(len(model.matrix), np.nan)
    here = model.matrix == MATRICES.index("loading")
    group, row, column = model.group[here], model.row[here], model.column[here]
    ratio = np.maximum(factor[group, column], 0.0) / item[group, row]
    found[here] = at.loading[group, row, column] * np.sqrt(ratio)
    return found
