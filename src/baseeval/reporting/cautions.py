"""Each flag in words: part of the phrasebook."""

from __future__ import annotations

from baseeval.reporting.phrasebook import spelled
from baseeval.results import FLAGS

#: Flag -> (its short name, the caution that a reader needs).
CAUTIONS = {
    "few_schools": (
        "few schools",
        "The comparison rests on few schools, so other schools could look different.",
    ),
    "low_df": (
        "very rough range",
        "So few schools carry the comparison that its range is a rough guide.",
    ),
    "one_school": (
        "one school",
        "A group lies in one school: pupils and school cannot be told apart.",
    ),
    "poor_overlap": (
        "little overlap",
        "Many of these pupils have nobody like them in the other group.",
    ),
    "imbalance": (
        "groups still differ",
        "Of those with this outcome, the groups still differ in what was recorded before.",
    ),
    "high_missing": ("much missing", "Many pupils have no value here, or many more in one group."),
    "heavy_weight": (
        "rests on one pupil",
        "One pupil counts for more than a quarter of a group.",
    ),
    "no_common_support": (
        "nobody alike",
        "No pupil of the group in question has somebody alike in every other group.",
    ),
    "separation": (
        "nobody alike",
        "What is recorded tells the groups apart, for all pupils or for some.",
    ),
    "design_failed": (
        "no fair comparison",
        "No fair comparison of these two groups could be made.",
    ),
    "gate_failed": (
        "failed a check set beforehand",
        "The comparison did not meet what the study asked of it before any result was read.",
    ),
    "model_failed": ("no estimate", "The difference could not be worked out from these data."),
    "singular_fit": (
        "a variance between schools is nought",
        "The model saw no difference between schools of one kind: in their level, or in how far "
        "apart the groups are in them.",
    ),
    "conservative": ("cautious test", "So few schools allow no more than a cautious test."),
    "detectable_but_small": (
        "small",
        "There is a difference, but smaller than was set as mattering.",
    ),
    "no_pre_placement_baseline": (
        "no starting point",
        "Nothing known to be from before placement could be allowed for, or some pupils had their "
        "place already when first seen.",
    ),
    "post_placement_covariate": (
        "measured after placement",
        "Something that was allowed for was measured after placement, which may have changed it.",
    ),
    "pandemic": (
        "pandemic year",
        "This is from a pandemic year, when results and absence were not recorded as usual.",
    ),
    "school_confounding_unadjustable": (
        "schools may differ",
        "Schools that open a base may differ from others, and that cannot be allowed for here.",
    ),
    "scale_within_school": (
        "each school’s own scale",
        "The scale is each school’s own: only pupils of one school can be compared on it, and "
        "schools where only one of the groups was measured are left out.",
    ),
    "nothing_adjusted": ("as they are", "Nothing was allowed for: these are pupils as they are."),
    "school_average": (
        "differs by size of base",
        "This averages over schools. Over pupils the difference is not the same, because it varies "
        "with the size of the base.",
    ),
    "scale_not_invariant": (
        "may not mean the same",
        "The questionnaire may not mean the same in the two groups, so a difference between their "
        "averages can come from the questions.",
    ),
    "invariance_not_assessable": (
        "meaning not checked",
        "Too few answers, or answers too much alike, to check it: the questionnaire may not mean "
        "the same in the two groups.",
    ),
    "low_reliability": (
        "answers agree little",
        "The answers to its questions agree little with one another, which blurs any difference.",
    ),
    "low_completion": (
        "many did not answer",
        "Many in a group did not answer the questionnaire, or many more than in the other: those "
        "who did may differ from those who did not.",
    ),
    "suppressed": ("withheld", "Some numbers are withheld so that nobody can be recognised."),
}


def caution(flag: str) -> str:
    """Return what a flag tells a reader, in a sentence."""
    return CAUTIONS[flag][1] if flag in CAUTIONS else FLAGS.get(flag, spelled(flag))


def flag_name(flag: str) -> str:
    """Return a flag's short name."""
    return CAUTIONS[flag][0] if flag in CAUTIONS else spelled(flag)
