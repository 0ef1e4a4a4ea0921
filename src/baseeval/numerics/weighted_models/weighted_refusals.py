"""What a weighted multilevel model cannot give, refused with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from baseeval.errors import Problem, UsageError

#: What is asked -> why it does not exist with weights of a design.
_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "kenward_roger": (
            "Kenward-Roger corrects the standard errors of a restricted likelihood; with sampling "
            "or inverse-probability weights there is none, and model-based errors are wrong"
        ),
        "satterthwaite": (
            "Satterthwaite's df belong to model-based standard errors, which are wrong with "
            "sampling or inverse-probability weights"
        ),
        "likelihood_ratio": (
            "a pseudo-likelihood is no likelihood: twice the difference of two has no chi-squared "
            "distribution, and doubling every weight would double it"
        ),
        "profile": (
            "profile intervals compare likelihoods, and a pseudo-likelihood is none: doubling "
            "every weight would narrow them"
        ),
        "reml": "pupils who stand for others have no restricted likelihood",
    }
)
_REMEDIES: Mapping[str, str] = MappingProxyType(
    {
        "kenward_roger": 'Take df = "cr2_satterthwaite", or the jackknife over schools.',
        "satterthwaite": 'Take df = "cr2_satterthwaite", or the jackknife over schools.',
        "likelihood_ratio": "Test coefficients by a Wald test on the sandwich by school.",
        "profile": "Take intervals from the sandwich by school, or the jackknife.",
        "reml": "Take reml = False.",
    }
)


def refuse_with_weights(asked: str) -> None:
    """Refuse inference that needs a likelihood, where pupils or schools have design weights.

    Parameters
    ----------
    asked : str
        kenward_roger, satterthwaite, likelihood_ratio, profile or reml; anything else passes.

    Raises
    ------
    UsageError

    Examples
    --------
    >>> refuse_with_weights("cr2_satterthwaite")
    """
    if asked in _REASONS:
        what = f"{_REASONS[asked]}"
        remedy = (
            f"{_REMEDIES[asked]} Weights that say how precise a row is (a mean of ten pupils) are "
            "another argument, `weights`, and keep the likelihood."
        )
        raise UsageError(Problem(f"sampling_weights with `{asked}`", what, remedy))
