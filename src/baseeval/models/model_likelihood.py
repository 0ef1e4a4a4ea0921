"""From the rows of a formula to the likelihood that suits their groups."""

from __future__ import annotations

from baseeval.errors import DataError, Problem, UsageError
from baseeval.models.model_rows import ModelRows
from baseeval.numerics.mixed_models.crossed import crossed_likelihood
from baseeval.numerics.mixed_models.likelihood import Effects, Likelihood
from baseeval.numerics.mixed_models.nested import NestedLikelihood, nested_likelihood
from baseeval.numerics.mixed_models.templates import Floats

#: Groups are kept apart, for influence, where that takes no more numbers than these.
_KEPT = 4_000_000
#: Groups that the penalty of a variance needs.
_FEWEST = 4
#: Standard deviations from zero beyond which a slope's column must be centred.
_FAR = 50


def model_likelihood(rows: ModelRows, keep_groups: bool | None = None) -> Likelihood:
    """Form what the likelihood of a mixed model needs, in one pass over the rows.

    Parameters
    ----------
    rows : ModelRows
    keep_groups : bool, optional
        As for :func:`nested_likelihood`; by default where it takes little memory.

    Returns
    -------
    Likelihood
    """
    if rows.route == "crossed":
        return crossed_likelihood(rows.whole(), rows.layout, rows.intercept)
    if keep_groups is None:
        width = len(rows.terms) + 1 + sum(len(part.columns) for part in rows.random)
        outer, *inner = sorted(factor.count for factor in rows.factors)
        keep_groups = outer * width**2 + sum(inner) * width < _KEPT
    return nested_likelihood(rows.blocks(), rows.layout, rows.owners, rows.intercept, keep_groups)


def check_random_terms(rows: ModelRows) -> None:
    """Refuse formulas and groups that a linear mixed model cannot take.

    Parameters
    ----------
    rows : ModelRows

    Raises
    ------
    UsageError
        There is no random term.
    DataError
        A factor has a level for each row, whose effects no residual could be told from.
    """
    if not rows.random:
        raise UsageError(
            Problem(
                f"formula `{rows.formula.text}`",
                "it has no random term",
                "Add one, such as (1 | school), or use fit_linear.",
            )
        )
    problems = [
        Problem(
            f"data, grouping factor `{factor.label}`",
            f"{factor.count:,} groups for {rows.n:,} rows cannot tell a group's effect from a "
            "row's own",
            "A grouping factor needs two groups or more, and some of them several rows.",
        )
        for factor in rows.factors
        if factor.count >= rows.n
    ]
    if problems:
        raise DataError(problems)


def check_far_slopes(rows: ModelRows) -> None:
    """Refuse correlated effects of a column that lies far from zero, such as a year.

    Its intercepts are those of the year nought: they and the slopes are so nearly tied that no
    search finds the maximum. The first block of rows is looked at.

    Parameters
    ----------
    rows : ModelRows

    Raises
    ------
    DataError
    """
    first = next(rows.blocks())
    far = {
        name
        for part, z in zip(rows.random, first.z, strict=True)
        for name, mean, sd in zip(part.columns, z.mean(axis=0), z.std(axis=0), strict=True)
        if len(part.columns) > 1 and 0 < _FAR * sd < abs(mean)
    }
    if far:
        raise DataError(
            [
                Problem(
                    f"random slope of `{name}`",
                    f"its values lie more than {_FAR} standard deviations from zero, where "
                    "intercepts and slopes cannot be told apart by any search",
                    f"Centre it: use center({name}), or take a number from it first.",
                )
                for name in sorted(far)
            ]
        )


def check_penalty(rows: ModelRows) -> None:
    """Refuse the penalty for factors so small that it, and not the data, would set the variance.

    Parameters
    ----------
    rows : ModelRows

    Raises
    ------
    DataError
    """
    problems = [
        Problem(
            f"data, grouping factor `{factor.label}`",
            f"with {factor.count} groups the penalty has no finite answer to hold the variance to",
            "It needs four groups or more.",
        )
        for factor in rows.factors
        if factor.count < _FEWEST
    ]
    if problems:
        raise DataError(problems)


def all_effects(rows: ModelRows, likelihood: Likelihood, theta: Floats) -> tuple[Effects, ...]:
    """Return the random effects of every term, inner ones by another look at the rows.

    Parameters
    ----------
    rows : ModelRows
    likelihood : Likelihood
    theta : ndarray, shape (m,)

    Returns
    -------
    tuple of Effects
        One a term, in the order of `rows.random`.
    """
    found = likelihood.effects(theta)
    if not isinstance(likelihood, NestedLikelihood):
        return found
    kept = likelihood.statistics is not None
    inner = iter(likelihood.inner_effects(theta, None if kept else rows.blocks()))
    outer = iter(found)
    return tuple(next(inner if owner else outer) for owner in rows.owners)
