"""The ladder: which inference serves which layout of schools, and the answer that it gives.

The step is a matter of the design alone: how many schools hold each arm. An outcome has no part
in it, nor has whether a variance came out as zero. Which step serves where was settled by the
simulations of `docs/methods/null-table.md`; the reasons stand in `docs/methods/few-schools.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from baseeval.errors import EstimationError, Problem
from baseeval.numerics.cr2 import Interval
from baseeval.numerics.few_schools.arm_cells import ArmSample, has_school_covariate
from baseeval.numerics.few_schools.cluster_permutation import permute_arms
from baseeval.numerics.few_schools.random_arm import fit_random_arm
from baseeval.numerics.few_schools.school_means import compare_school_means

#: An arm in fewer schools than this is in few.
FEW_SCHOOLS = 10
#: From this many schools an arm's variances are estimated well enough for a multilevel model; from
#: FEW_SCHOOLS on where it is needed, because a covariate is the schools' own.
_ENOUGH_SCHOOLS = 20
#: With more schools than this the other arm's spread is known well enough for CR2.
_MANY_SCHOOLS = 200
#: A test that may reject a true null less often than this is flagged: 3% and a margin.
_CAUTIOUS = 0.033


@dataclass(frozen=True, slots=True)
class LadderAnswer:
    """What the ladder says of two arms.

    Parameters
    ----------
    estimate : float
        First arm minus second.
    interval : Interval
    step : str
        The rung, as the results table names it: `cr2_satterthwaite`, `school_means`,
        `permutation`; or `kenward_roger`, where it was asked for.
    parameters : int
        Coefficients fitted.
    flags : tuple of str
        `few_schools`, `conservative`, `one_school`, `singular_fit`.
    """

    estimate: float
    interval: Interval
    step: str
    parameters: int
    flags: tuple[str, ...] = ()


def ladder_step(sample: ArmSample) -> str:
    """Return the step that a design takes.

    Parameters
    ----------
    sample : ArmSample
        Its outcome is not looked at.

    Returns
    -------
    str
    """
    smaller, shared, schools = _layout(sample)
    if smaller == 1 and not shared:
        return "permutation"
    if schools > _MANY_SCHOOLS or smaller >= _ENOUGH_SCHOOLS:
        return "cr2_satterthwaite"
    if smaller >= FEW_SCHOOLS and shared < schools and has_school_covariate(sample):
        return "cr2_satterthwaite"
    return "school_means"


def ladder(sample: ArmSample, step: str | None = None) -> LadderAnswer:
    """Compare two arms by the step that their schools allow.

    Parameters
    ----------
    sample : ArmSample
    step : str, optional
        Another step than the design's own, for comparison.

    Returns
    -------
    LadderAnswer

    Raises
    ------
    EstimationError
        The step cannot be taken.

    Examples
    --------
    Two arms within five schools of ten pupils, five in each arm: a paired t-test.

    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> rng = np.random.default_rng(1)
    >>> sample = SimpleNamespace(
    ...     outcome=rng.standard_normal(50),
    ...     first=np.tile([True, False], 25),
    ...     weights=np.ones(50),
    ...     covariates=np.empty((50, 0)),
    ...     school=np.repeat(np.arange(5), 10),
    ... )
    >>> answer = ladder(sample)
    >>> answer.step, round(answer.interval.df, 6)
    ('school_means', 4.0)
    """
    smaller, _, _ = _layout(sample)
    chosen = step or ladder_step(sample)
    answer = _STEPS[chosen](sample)
    flags = list(answer.flags)
    if smaller < FEW_SCHOOLS:
        flags.insert(0, "few_schools")
    if smaller == 1:
        flags.insert(0, "one_school")
    return LadderAnswer(answer.estimate, answer.interval, chosen, answer.parameters, tuple(flags))


def _layout(sample: ArmSample) -> tuple[int, int, int]:
    """Return the schools of the arm that has fewer, those that hold both, and all."""
    first, second = set(sample.school[sample.first]), set(sample.school[~sample.first])
    return min(len(first), len(second)), len(first & second), len(first | second)


def _by_school_means(sample: ArmSample) -> LadderAnswer:
    found = compare_school_means(sample)
    flags = ("conservative",) if found.least < _CAUTIOUS else ()
    return LadderAnswer(found.estimate, found.interval, "", found.parameters, flags)


def _by_permutation(sample: ArmSample) -> LadderAnswer:
    _, shared, _ = _layout(sample)
    found = permute_arms(sample, "signs" if shared else "schools")
    # The most that a test on so many arrangements can reject is a multiple of the smallest p.
    most = found.smallest * int((0.05 + 1e-9) / found.smallest)
    flags = ("conservative",) if most < _CAUTIOUS else ()
    return LadderAnswer(found.estimate, found.interval, "", found.parameters, flags)


def _by_robust_variance(sample: ArmSample) -> LadderAnswer:
    model = fit_random_arm(sample)
    flags = ("singular_fit",) if model.fit.singular else ()
    return LadderAnswer(model.estimate, model.robust_interval(), "", model.x.shape[1], flags)


def _by_kenward_roger(sample: ArmSample) -> LadderAnswer:
    if np.ptp(sample.weights) != 0:
        raise EstimationError(
            Problem(
                "kenward_roger",
                "weights of a design are not precisions: the likelihood is no longer one",
                "Take `cr2_satterthwaite`.",
            )
        )
    model = fit_random_arm(sample)
    flags = ("singular_fit",) if model.fit.singular else ()
    return LadderAnswer(model.estimate, model.model_interval(), "", model.x.shape[1], flags)


_STEPS: Mapping[str, Callable[[ArmSample], LadderAnswer]] = MappingProxyType(
    {
        "kenward_roger": _by_kenward_roger,
        "cr2_satterthwaite": _by_robust_variance,
        "school_means": _by_school_means,
        "permutation": _by_permutation,
    }
)
