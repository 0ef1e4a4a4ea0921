"""Cardinality and profile matching: as many pupils as can be kept in balance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from baseeval.design.pair_distances import costs_by_stratum, read_distances
from baseeval.design.sample import DesignSample
from baseeval.design.settings import Settings
from baseeval.design.spec import DesignSpec, Made
from baseeval.errors import EstimationError, Problem, UsageError
from baseeval.numerics.balance import standardiser
from baseeval.numerics.cardinality import Chosen, choose_balanced
from baseeval.numerics.optimal_pairs import pair_optimally

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def match_most(sample: DesignSample, settings: Settings) -> Made:
    """Keep the most pupils whose means differ by no more than the tolerance.

    Parameters
    ----------
    sample : DesignSample
    settings : Settings
        For ATT and ATC the arms' means are held together; with `profile` the
        target's arm is kept whole and the other's means are held to its. For ATE
        both arms' are held to those of all, to within half the tolerance each. `ratio`
        is that of the other arm to the target's, or of the second to the first for
        ATE; with `profile` it is left free. Where `mahalanobis` names covariates, those
        kept are paired on them.

    Returns
    -------
    Made
        Weight one for everybody kept; with a target of its own (`profile`, ATE), in
        each exact stratum as many as the target has there, scaled to a mean of one
        in each arm. The notes say whether more could have been kept, and how many
        more at most.

    Raises
    ------
    UsageError
        The choices do not go together.
    EstimationError
        No sample is in balance, or none was found in time; or rows have survey
        weights, which would undo the balance of counts.
    """
    _check(settings)
    if np.ptp(sample.base) > 0:
        raise EstimationError(
            Problem(
                f"design `cardinality`, {sample.where}",
                "survey or attrition weights would undo the balance of the pupils kept",
                "Leave them out, or use `stable` or `entropy`.",
            )
        )
    focal = sample.target("ATC" if settings.estimand == "ATC" else "ATT")
    sd = np.array([standardiser(c, sample.treated, settings.estimand) for c in sample.columns.T])
    chosen = np.zeros(len(focal), dtype=bool)
    bound, failed = 0, list[Chosen]()
    strata = np.unique(sample.strata)
    for stratum in strata:
        rows = np.flatnonzero(sample.strata == stratum)
        found = _choose(sample.columns[rows], focal[rows], settings.tolerance * sd, settings)
        chosen[rows] = found.rows
        bound += found.bound if found.feasible or found.stopped else 0
        failed += [] if found.feasible else [found]
    if not chosen.any():
        raise _nothing(sample, settings, failed)
    kept = ", ".join(
        f"{int(np.sum(chosen & (sample.arm == place))):,} of {arm}"
        for place, arm in enumerate(sample.arms)
    )
    most = int(chosen.sum())
    notes = [
        f"Kept {kept}.",
        "Proven: no larger sample is in balance."
        if most >= bound
        else f"Not proven the largest: up to {bound - most:,} more pupils might be kept in balance "
        f"({(bound - most) / most:.1%}), which no search settled within {settings.time_limit:g} "
        "seconds a stratum.",
    ]
    if failed:
        notes.append(f"{len(failed):,} of {len(strata):,} exact strata hold no balanced sample.")
    pairs, subclass = _pair(sample, settings, focal, chosen)
    return Made(
        weights=_weigh(sample, settings, focal, chosen),
        pairs=pairs,
        subclass=subclass,
        notes=tuple(notes),
    )


def _check(settings: Settings) -> None:
    ratio, problems = settings.ratio, []
    if ratio != int(ratio):
        problems.append(Problem("ratio", "it is not a whole number from one", "Give one."))
    if settings.profile and ratio != 1:
        problems.append(Problem("ratio", "a profile leaves it free", "Leave one of them out."))
    if settings.profile and settings.mahalanobis:
        problems.append(
            Problem("mahalanobis", "a profile keeps no ratio to pair by", "Leave one of them out.")
        )
    if problems:
        raise UsageError(problems)


def _choose(
    columns: Floats, focal: NDArray[np.bool_], widths: Floats, settings: Settings
) -> Chosen:
    """Choose within one stratum; the target's arm goes first."""
    union = settings.estimand == "ATE"
    target = None
    if union:
        # The two arms may stand on either side of the target.
        target, widths = columns.mean(axis=0), widths / 2
    elif settings.profile:
        target = columns[focal].mean(axis=0)
    return choose_balanced(
        columns,
        focal,
        widths,
        ratio=None if settings.profile else int(settings.ratio),
        target=target,
        whole=settings.profile and not union,
        seconds=settings.time_limit,
    )


def _weigh(
    sample: DesignSample, settings: Settings, focal: NDArray[np.bool_], chosen: NDArray[np.bool_]
) -> Floats:
    """Let each stratum count as much as it does in the target, where there is one."""
    weights = chosen.astype(float)
    size = int(sample.strata.max()) + 1
    if size == 1 or (settings.estimand != "ATE" and not settings.profile):
        return weights
    target = focal if settings.estimand != "ATE" else np.ones_like(focal)
    wanted = np.bincount(sample.strata[target], minlength=size)
    for place in range(len(sample.arms)):
        kept = chosen & (sample.arm == place)
        held = np.bincount(sample.strata[kept], minlength=size)
        share = (wanted / np.maximum(held, 1))[sample.strata[kept]]
        weights[kept] = share / share.mean()
    return weights


def _pair(
    sample: DesignSample, settings: Settings, focal: NDArray[np.bool_], chosen: NDArray[np.bool_]
) -> tuple[Ints | None, Ints | None]:
    """Pair those kept, where it is asked for, so that all have their partners."""
    if not settings.mahalanobis:
        return None, None
    distances = read_distances(
        sample, replace(settings, distance=np.zeros(len(focal))), "cardinality"
    )
    rows = np.flatnonzero(chosen)
    places = replace(distances, points=distances.points[rows])
    found = []
    for _, costs in costs_by_stratum(sample.select(chosen), places, focal[rows], "cardinality"):
        made = pair_optimally(costs, int(settings.ratio))
        found.append(np.column_stack([costs.first[made.first], costs.second[made.second]]))
    pairs = rows[np.concatenate(found)]
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    subclass = np.full(len(focal), -1, dtype=np.intp)
    number = np.unique(pairs[:, 0], return_inverse=True)[1]
    subclass[pairs[:, 0]], subclass[pairs[:, 1]] = number, number
    return (pairs[:, ::-1] if settings.estimand == "ATC" else pairs), subclass


def _nothing(sample: DesignSample, settings: Settings, failed: list[Chosen]) -> EstimationError:
    late = sum(each.stopped for each in failed)
    counted = ", ".join(
        f"{int(np.sum(sample.arm == place)):,} of {arm}" for place, arm in enumerate(sample.arms)
    )
    if late:
        what = f"no sample in balance was found within {settings.time_limit:g} seconds a stratum"
    else:
        what = "no sample is in balance"
    return EstimationError(
        Problem(
            f"design `cardinality`, {sample.where}",
            f"{what}: {len(sample.names)} columns within {settings.tolerance:g} standard "
            f"deviations ({counted}, in {len(failed):,} exact strata)",
            "Raise `time_limit`, or `tolerance`."
            if late
            else "Raise `tolerance`, adjust for "
            "fewer covariates, merge rare categories, or match exactly on less.",
        )
    )


SPEC = DesignSpec(
    name="cardinality",
    kind="match",
    summary="Keeps the most pupils whose covariate means differ by no more than a tolerance",
    words="keeping as many pupils as possible whose averages are alike in the two groups",
    estimands=("ATT", "ATC", "ATE"),
    make=match_most,
    source="Zubizarreta, Paredes and Rosenbaum (2014), doi:10.1214/13-AOAS713; profile matching: "
    "Cohn and Zubizarreta (2022), doi:10.1097/EDE.0000000000001517",
    settings=("ratio", "tolerance", "profile", "time_limit", "mahalanobis"),
)
