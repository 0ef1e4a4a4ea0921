"""Chances of the three arms as placement is: a school hosts a base or not, then a pupil is placed.

P(base) = pi rho, P(host_mainstream) = pi (1 - rho), P(non_host) = 1 - pi, with pi the chance that a
pupil's school hosts a base and rho that of a place in it, given that it does.
`docs/methods/propensity.md` derives what makes the weights of each contrast right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from baseeval.design.placement_factors import fit_hosting, fit_placing
from baseeval.design.sample import DesignSample
from baseeval.design.scores import Hosting, Moves, Scores
from baseeval.design.settings import Settings
from baseeval.errors import Problem, UsageError
from baseeval.results import ARMS

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_BASE, _HOST, _NON_HOST = ARMS


def nested_scores(sample: DesignSample, settings: Settings) -> Scores:
    """Fit the chance of a host school, and of a place in its base.

    Parameters
    ----------
    sample : DesignSample
        Of the three arms; of two of a cohort, where the third is fetched; or of
        base and host_mainstream, where only the second factor is left.
    settings : Settings

    Returns
    -------
    Scores
        Where schools have pulls of their own, the scores of its moves mean
        something only when added up by school.

    Raises
    ------
    UsageError
        The arms are others.
    """
    if {_BASE, _HOST} <= set(sample.arms) <= set(ARMS):
        return _fit(sample, settings)
    if sample.whole is None:
        raise UsageError(
            Problem(
                f'propensity = "nested", {sample.where}',
                f"the chance of a place in a base is fitted to the pupils of {_BASE} and {_HOST}, "
                "who are not both here",
                'Take the propensity "logit", or a cohort that has all three arms.',
            )
        )
    return _of_two(sample, sample.whole(), settings)


def _fit(sample: DesignSample, settings: Settings) -> Scores:
    at = {arm: position for position, arm in enumerate(sample.arms)}
    hosted = np.isin(sample.arm, (at[_BASE], at[_HOST]))
    wanted = settings.estimating_functions
    factors = [fit_placing(sample, hosted, sample.arm == at[_BASE], wanted)]
    rho, pi = factors[0].chance, np.ones(len(hosted))
    if _NON_HOST in at:
        factors.append(fit_hosting(sample, hosted, wanted))
        pi = factors[1].chance
    moves = [factor.moves for factor in factors]
    of_arm = {_BASE: pi * rho, _HOST: pi * (1 - rho), _NON_HOST: 1 - pi}
    apart = [factor.separation for factor in factors]
    return Scores(
        chances=np.column_stack([of_arm[arm] for arm in sample.arms]),
        model="nested",
        separated=any(factor.separated for factor in factors),
        separating=tuple(dict.fromkeys(name for f in factors for name in f.separating)),
        certain=max(part.rows if part is not None else 0 for part in apart),
        rare=tuple(dict.fromkeys(arm for factor in factors for arm in factor.rare)),
        moves=_moves(moves, at, pi, rho),
        hosting=_hosting(moves, pi) if _NON_HOST in at else None,
        notes=tuple(note for factor in factors for note in factor.notes),
    )


def _moves(
    parts: Sequence[Moves | None], at: Mapping[str, int], pi: Floats, rho: Floats
) -> Moves | None:
    """Put the factors' moves together: they share no number."""
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None

    def carry(by_chances: Floats) -> Floats:
        base, host = by_chances[:, at[_BASE]], by_chances[:, at[_HOST]]
        moved = [known[0].carry(pi * (base - host))]
        if len(known) > 1:
            by_pi = rho * base + (1 - rho) * host - by_chances[:, at[_NON_HOST]]
            moved.append(known[1].carry(by_pi))
        return np.hstack(moved)

    return Moves(
        scores=np.hstack([part.scores for part in known]),
        bread=block_diag(*(part.bread for part in known)),
        carry=carry,
    )


def _hosting(parts: Sequence[Moves | None], pi: Floats) -> Hosting:
    """Give the first factor by itself, as weights of schools are made of it."""
    placing, hosting = parts
    if placing is None or hosting is None:
        return Hosting(chance=pi)
    before, own = placing.bread.shape[0], hosting.carry

    def carry(by_pi: Floats) -> Floats:
        return np.hstack([np.zeros((len(by_pi), before)), own(by_pi)])

    return Hosting(chance=pi, carry=carry)


def _of_two(sample: DesignSample, whole: DesignSample, settings: Settings) -> Scores:
    """Fit all three arms, and give two of them their chances of one against the other."""
    at = [whole.arms.index(arm) for arm in sample.arms]
    compared = np.isin(whole.arm, at)
    # Pupils whom the sample has left out, by stratum or by trimming, are left out of the fit.
    if len(sample.pupil) < np.sum(compared):
        whole = whole.select(~compared | np.isin(whole.pupil, sample.pupil))
        compared = np.isin(whole.arm, at)
    found = _fit(whole, settings)
    both = found.chances[compared][:, at]
    total = both.sum(axis=1, keepdims=True)
    chances = both / total
    moves = found.moves
    if moves is not None:
        moves = _of_pair(moves, whole, compared, at, chances, total)
    hosting = _hosting_of_pair(found.hosting, compared, moves)
    return replace(found, chances=chances, moves=moves, hosting=hosting)


def _hosting_of_pair(
    hosting: Hosting | None, compared: Flags, moves: Moves | None
) -> Hosting | None:
    if hosting is None:
        return None
    own = hosting.carry
    if own is None or moves is None:
        return Hosting(chance=hosting.chance[compared])

    def carry(by_pi: Floats) -> Floats:
        laid = np.zeros(len(compared))
        laid[compared] = by_pi
        return own(laid)[compared]

    return Hosting(chance=hosting.chance[compared], carry=carry)


def _of_pair(
    moves: Moves,
    whole: DesignSample,
    compared: Flags,
    at: Sequence[int],
    chances: Floats,
    total: Floats,
) -> Moves | None:
    """Give the scores of the third arm to the pupils compared of the same school.

    None where a school has nobody else: with schools' own pulls only the sums by school count.
    """
    schools, school = np.unique(whole.school, return_inverse=True)
    here = np.bincount(school[compared], minlength=len(schools))
    if np.any(here[school[~compared]] == 0):
        return None
    scores = moves.scores[compared].copy()
    for column in range(scores.shape[1]):
        third = np.bincount(school[~compared], moves.scores[~compared, column], len(schools))
        scores[:, column] += (third / np.maximum(here, 1))[school[compared]]

    def carry(by_pair: Floats) -> Floats:
        by_chances = np.zeros((len(compared), len(whole.arms)))
        mean = np.sum(by_pair * chances, axis=1, keepdims=True)
        by_chances[np.ix_(np.flatnonzero(compared), np.array(at))] = (by_pair - mean) / total
        return moves.carry(by_chances)[compared]

    return Moves(scores=scores, bread=moves.bread, carry=carry)
