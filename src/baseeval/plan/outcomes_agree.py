"""What must hold between the outcomes of a plan and its data and arms."""

from __future__ import annotations

from collections.abc import Sequence

from baseeval.plan.outcome_section import OutcomeSection


def outcome_faults(
    outcomes: Sequence[OutcomeSection], *, is_tidy: bool, has_non_host: bool
) -> list[str]:
    """Name what outcomes ask that these data and arms cannot give.

    Parameters
    ----------
    outcomes : sequence of OutcomeSection
    is_tidy : bool
        Whether the data are one tidy table.
    has_non_host : bool
        Whether the arms include schools without a base.

    Returns
    -------
    list of str
    """
    faults = []
    for outcome in outcomes:
        name = f"outcomes: `{outcome.name}`"
        if is_tidy and outcome.counts:
            faults.append(
                f"{name} has `counts`, and a tidy table does not say why there is no result; "
                "give a `column` of 1 and 0"
            )
        if is_tidy and outcome.floor:
            faults.append(
                f"{name} has `floor`, and a tidy table does not say why there is no result; "
                "write the lowest category in the column, and first in `order`"
            )
        if not is_tidy and outcome.order:
            faults.append(
                f"{name} has `order`, and results of a source are numbers; leave it out, and write "
                'grades as numbers in [data.values.attainment.value] ("A" = "4", ...)'
            )
        if not is_tidy and outcome.labels and outcome.kind == "binary":
            faults.append(f"{name} has `labels`, and figures of a source are 1 and 0; leave it out")
        between = sorted(set(outcome.contrasts) - {"base_vs_host"})
        asks_between = bool(between) or (has_non_host and not outcome.contrasts)
        if outcome.comparable == "within_school" and asks_between:
            faults.append(
                f"{name} is on a scale of each school's own, which cannot be compared with "
                'schools without a base; say `contrasts = ["base_vs_host"]`'
            )
    return faults
