"""Chances of the arms from learners of the extra `ml`, each school's by a fit to other schools."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from baseeval.design.sample import DesignSample
from baseeval.design.scores import Scores
from baseeval.design.settings import Settings
from baseeval.design.tilts import tilt_weights
from baseeval.errors import EstimationError, Problem, UsageError

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

#: Folds of cross-fitting; every arm needs as many schools.
FOLDS = 5
#: Chances nearer to zero than this are drawn up to it: a learner can say "never" of few pupils.
LEAST_CHANCE = 0.005

_FOREST_TREES = 200
_MOST_TREES, _TREES_APART = 400, 10


def forest_scores(sample: DesignSample, settings: Settings) -> Scores:
    """Average many trees of chances, none of which saw the pupil's school.

    Breiman (2001, doi:10.1023/A:1010933404324); cross-fitting as Chernozhukov and others (2018,
    doi:10.1111/ectj.12097).

    Parameters
    ----------
    sample : DesignSample
    settings : Settings
        Its `seed` decides folds and trees.

    Returns
    -------
    Scores

    Raises
    ------
    UsageError
        scikit-learn is not installed.
    EstimationError
        An arm has too few schools.
    """
    ensemble = _ensemble(sample, "forest")
    chances = np.empty((len(sample.arm), len(sample.arms)))
    for train, test in _folds(sample, settings, "forest"):
        learner = ensemble.RandomForestClassifier(
            n_estimators=_FOREST_TREES, min_samples_leaf=_leaf(train), random_state=settings.seed
        )
        learner.fit(sample.columns[train], sample.arm[train], sample.base[train])
        chances[test] = learner.predict_proba(sample.columns[test])
    return _bounded(sample, chances, "forest")


def tree_scores(sample: DesignSample, settings: Settings) -> Scores:
    """Boost trees, as many as make the weighted arms most alike.

    McCaffrey, Ridgeway and Morral (2004, doi:10.1037/1082-989X.9.4.403): the number of trees has
    the least mean of absolute standardised differences under the weights of the estimand.

    Parameters
    ----------
    sample : DesignSample
    settings : Settings
        Its `estimand` and `focal` say which weights are judged; its `seed` decides folds.

    Returns
    -------
    Scores

    Raises
    ------
    UsageError
        scikit-learn is not installed.
    EstimationError
        An arm has too few schools.
    """
    ensemble = _ensemble(sample, "trees")
    with threadpool_limits(1):
        return _boost(sample, settings, ensemble)


def _boost(sample: DesignSample, settings: Settings, ensemble: ModuleType) -> Scores:
    fitted = []
    for train, test in _folds(sample, settings, "trees"):
        learner = ensemble.HistGradientBoostingClassifier(
            learning_rate=0.05,
            max_iter=_MOST_TREES,
            max_leaf_nodes=8,
            min_samples_leaf=_leaf(train),
            early_stopping=False,
            random_state=settings.seed,
        )
        learner.fit(sample.columns[train], sample.arm[train], sample.base[train])
        fitted.append((learner, test))
    sums = np.zeros((_MOST_TREES // _TREES_APART, len(sample.arms), sample.columns.shape[1] + 1))
    for learner, test in fitted:
        inner = sample.select(_flags(test, sample))
        for stage, chances in _stages(learner, inner.columns):
            sums[stage] += _weighted_sums(inner, settings, chances)
    best = int(np.argmin([_unlike(totals, sample.columns) for totals in sums]))
    chances = np.empty((len(sample.arm), len(sample.arms)))
    for learner, test in fitted:
        chances[test] = next(c for s, c in _stages(learner, sample.columns[test]) if s == best)
    note = f"Boosted trees: {(best + 1) * _TREES_APART}, which make the arms most alike."
    return _bounded(sample, chances, "trees", (note,))


def _ensemble(sample: DesignSample, model: str) -> ModuleType:
    try:
        from sklearn import ensemble
    except ImportError:
        raise UsageError(
            Problem(
                f'propensity = "{model}", {sample.where}',
                "it needs scikit-learn, which is not installed",
                "Install it with `pip install baseeval[ml]`, or take another model.",
            )
        ) from None
    module: ModuleType = ensemble
    return module


def _folds(sample: DesignSample, settings: Settings, model: str) -> Iterator[tuple[Ints, Ints]]:
    """Deal schools out to folds, those with the same arms in turn; without schools, pupils."""
    named = bool((sample.school != "").any())
    units = sample.school if named else np.arange(len(sample.arm))
    _, unit = np.unique(units, return_inverse=True)
    held = [np.bincount(unit, sample.arm == position) > 0 for position in range(len(sample.arms))]
    few = [
        f"{int(have.sum())} of {arm}"
        for arm, have in zip(sample.arms, held, strict=True)
        if have.sum() < FOLDS
    ]
    if few:
        raise EstimationError(
            Problem(
                f'propensity = "{model}", {sample.where}',
                f"a learner is fitted to schools other than the pupil's, in {FOLDS} folds, and "
                f"there are too few {'schools' if named else 'pupils'}: {' and '.join(few)}",
                'Take the propensity "logit", "firth" or "ridge".',
            )
        )
    pattern = np.array(held).T @ 2 ** np.arange(len(held))
    shuffled = np.random.default_rng(settings.seed).permutation(len(pattern))
    dealt = shuffled[np.argsort(pattern[shuffled], kind="stable")]
    fold = np.empty(len(pattern), dtype=np.intp)
    fold[dealt] = np.arange(len(dealt)) % FOLDS
    for number in range(FOLDS):
        out = fold[unit] == number
        yield np.flatnonzero(~out), np.flatnonzero(out)


def _leaf(train: Ints) -> int:
    """Return the fewest pupils of a leaf."""
    return max(2, min(20, len(train) // 20))


def _flags(rows: Ints, sample: DesignSample) -> NDArray[np.bool_]:
    flags = np.zeros(len(sample.arm), dtype=bool)
    flags[rows] = True
    return flags


def _stages(learner: Any, columns: Floats) -> Iterator[tuple[int, Floats]]:
    """Walk over the chances after every so many trees."""
    for number, chances in enumerate(learner.staged_predict_proba(columns), start=1):
        if number % _TREES_APART == 0:
            yield number // _TREES_APART - 1, chances


def _weighted_sums(sample: DesignSample, settings: Settings, chances: Floats) -> Floats:
    """Return, for each arm, the sums of weighted columns, and of weights: (k, p + 1)."""
    bounded = _bound(chances)
    weights = sample.base * tilt_weights(bounded, sample.arm, settings.estimand, settings.focal)
    sums = np.empty((len(sample.arms), sample.columns.shape[1] + 1))
    for position in range(len(sample.arms)):
        mine = np.where(sample.arm == position, weights, 0.0)
        sums[position] = np.append(mine @ sample.columns, mine.sum())
    return sums


def _unlike(totals: Floats, columns: Floats) -> float:
    """Return the mean over columns and pairs of arms of absolute standardised differences."""
    means = totals[:, :-1] / totals[:, -1:]
    sd = columns.std(axis=0)
    apart = [np.abs(means[a] - means[b]) for a, b in combinations(range(len(means)), 2)]
    return float(np.mean(np.array(apart)[:, sd > 0] / sd[sd > 0]))


def _bound(chances: Floats) -> Floats:
    raised = np.maximum(chances, LEAST_CHANCE)
    bounded: Floats = raised / raised.sum(axis=1, keepdims=True)
    return bounded


def _bounded(
    sample: DesignSample, chances: Floats, model: str, notes: tuple[str, ...] = ()
) -> Scores:
    raised = int(np.sum(chances.min(axis=1) < LEAST_CHANCE))
    if raised:
        notes = (
            *notes,
            f"Chances of {raised} of {len(sample.arm)} pupils under {LEAST_CHANCE:g} were raised "
            "to it.",
        )
    return Scores(chances=_bound(chances), model=model, notes=notes)
