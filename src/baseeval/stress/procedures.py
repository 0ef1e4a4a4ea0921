"""Procedures that the recovery harness scores: the ladder, and each of its steps by itself."""

from __future__ import annotations

from dataclasses import dataclass

from baseeval.numerics.few_schools.arm_cells import ArmSample
from baseeval.numerics.few_schools.rungs import ladder
from baseeval.stress.recovery import Told


@dataclass(frozen=True, slots=True)
class Ladder:
    """The ladder as one procedure.

    Parameters
    ----------
    step : str, optional
        One step, wherever it can be taken, in place of the design's own.
    """

    step: str | None = None

    def __call__(self, sample: ArmSample) -> Told:
        """Return the ladder's answer; its notes are the step and the flags."""
        answer = ladder(sample, self.step)
        interval = answer.interval
        return Told(
            answer.estimate,
            interval.low,
            interval.high,
            interval.p_value,
            (answer.step, *answer.flags),
        )
