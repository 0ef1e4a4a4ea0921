"""What a secure room, a publisher or a trust lets out: every number with its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from baseeval.errors import Problem, UsageError

OURS = "our choice"
ACRO = "AI-SDC/ACRO, acro/default.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The numbers of one set of release rules.

    Parameters
    ----------
    name : str
    threshold : int
        Smallest count of pupils that may leave.
    residual_df : int
        Smallest number of rows less parameters behind a model's numbers; never a small-sample df.
    zeros_disclosive : bool
        Whether a count of nobody is withheld as a small count is.
    base : int
        Counts that leave are rounded to a multiple of it.
    feasible : int
        A withheld count must leave its reader at least this many possible values.
    nk_largest, nk_share : int, float
        NK dominance: the largest so many contributors hold less than this share of a total.
    p_ratio : float
        p% rule: the total less its two largest contributors, over the largest.
    sources : mapping of str to str
        Where each number comes from, or the words "our choice".
    """

    name: str
    threshold: int
    residual_df: int
    zeros_disclosive: bool
    base: int
    feasible: int
    nk_largest: int
    nk_share: float
    p_ratio: float
    sources: Mapping[str, str]

    def is_small(self, count: int) -> bool:
        """Tell whether a count of pupils must be withheld."""
        return 0 < count < self.threshold or (count == 0 and self.zeros_disclosive)


_SRS = Profile(
    name="srs",
    threshold=10,
    residual_df=10,
    zeros_disclosive=True,
    base=5,
    feasible=5,
    nk_largest=2,
    nk_share=0.90,
    p_ratio=0.10,
    sources=MappingProxyType(
        {
            "threshold": f"{ACRO}; ONS '10-5 rule'",
            "residual_df": ACRO,
            "zeros_disclosive": f"{ACRO}; UK LLC user guide",
            "base": f"{ACRO}; ONS '10-5 rule'",
            "feasible": f"{OURS}: as many values as rounding to 5 leaves",
            "nk_largest": ACRO,
            "nk_share": ACRO,
            "p_ratio": ACRO,
        }
    ),
)

_EES = Profile(
    name="ees",
    threshold=10,
    residual_df=10,
    zeros_disclosive=False,
    base=5,
    feasible=5,
    nk_largest=2,
    nk_share=0.90,
    p_ratio=0.10,
    sources=MappingProxyType(
        {
            "threshold": f"{OURS}: as srs; DfE's own SEN statistics suppress nothing",
            "residual_df": f"{OURS}: as srs",
            "zeros_disclosive": f"{OURS}: published tables show zeros",
            "base": f"{OURS}: as srs",
            "feasible": f"{OURS}: as many values as rounding to 5 leaves",
            "nk_largest": f"{OURS}: as srs",
            "nk_share": f"{OURS}: as srs",
            "p_ratio": f"{OURS}: as srs",
        }
    ),
)

_TRUST = Profile(
    name="trust",
    threshold=10,
    residual_df=10,
    zeros_disclosive=True,
    base=5,
    feasible=5,
    nk_largest=2,
    nk_share=0.90,
    p_ratio=0.10,
    sources=MappingProxyType(
        {
            "threshold": f"{OURS}: as srs, where nobody else checks",
            "residual_df": f"{OURS}: as srs",
            "zeros_disclosive": f"{OURS}: staff who know the pupils read these tables",
            "base": f"{OURS}: as srs",
            "feasible": f"{OURS}: as many values as rounding to 5 leaves",
            "nk_largest": f"{OURS}: as srs",
            "nk_share": f"{OURS}: as srs",
            "p_ratio": f"{OURS}: as srs",
        }
    ),
)

PROFILES: Mapping[str, Profile] = MappingProxyType({p.name: p for p in (_SRS, _EES, _TRUST)})


def get_profile(name: str) -> Profile:
    """Give a profile by its name.

    Raises
    ------
    UsageError
        If there is none of that name; the message lists those that are.
    """
    if name in PROFILES:
        return PROFILES[name]
    raise UsageError(
        Problem(
            "release profile",
            f"there is no profile called {name!r}",
            f"Use one of {', '.join(PROFILES)}.",
        )
    )
