"""The words and codes of England's schools, as DfE writes them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType


def _fixed(codes: dict[str, str]) -> Mapping[str, str]:
    return MappingProxyType(codes)


#: School census, spring: `PrimarySENtype` and `SecondarySENtype`. BESD stood, until 2014, for
#: most of what is SEMH since; NSA began in 2014/15, DS in January 2025.
NEEDS = _fixed(
    {
        "SPLD": "Specific learning difficulty",
        "MLD": "Moderate learning difficulty",
        "SLD": "Severe learning difficulty",
        "PMLD": "Profound and multiple learning difficulty",
        "SEMH": "Social, emotional and mental health",
        "SLCN": "Speech, language and communication needs",
        "HI": "Hearing impairment",
        "VI": "Vision impairment",
        "MSI": "Multi-sensory impairment",
        "PD": "Physical disability",
        "ASD": "Autistic spectrum disorder",
        "DS": "Down syndrome",
        "OTH": "Other difficulty or disability",
        "NSA": "SEN support but no specialist assessment of type of need",
    }
)

SEN_PROVISIONS = _fixed(
    {
        "N": "No special educational need",
        "K": "SEN support",
        "E": "Education, health and care plan",
    }
)

TERMS = _fixed({"AUT": "Autumn", "SPR": "Spring", "SUM": "Summer"})

ENROLMENTS = _fixed(
    {
        "C": "Current (single registration at this school)",
        "M": "Current main (dual registration)",
        "S": "Current subsidiary (dual registration)",
        "G": "Guest (not registered here, attends some lessons)",
        "F": "Further education college",
        "O": "Other provider",
        "P": "Previous (no longer registered here)",
    }
)

PHASES = _fixed(
    {
        "NS": "Nursery",
        "PS": "Primary",
        "MP": "Middle deemed primary",
        "MS": "Middle deemed secondary",
        "SS": "Secondary",
        "SP": "Special",
        "PR": "Pupil referral unit or alternative provision",
        "AT": "All-through",
    }
)

#: National curriculum year actually followed; X where the curriculum is not followed by year.
YEAR_GROUPS = _fixed(
    {
        "E1": "Early first year",
        "E2": "Early second year",
        "N1": "Nursery first year",
        "N2": "Nursery second year",
        "R": "Reception",
        **{str(year): f"Year {year}" for year in range(1, 15)},
        "X": "Not followed by year",
    }
)

#: Census flag of sex, under its newer name.
SEXES = _fixed({"F": "Female", "M": "Male"})

#: What a base is called, in the words used until 2026 and those of the 2026 White Paper.
BASE_TYPES = _fixed(
    {
        "sen_unit": "SEN unit",
        "resourced_provision": "Resourced provision",
        "sen_unit_and_resourced_provision": "SEN unit and resourced provision",
        "specialist_base": "Specialist base (commissioned by the local authority)",
        "support_base": "Support base (commissioned by the school or trust)",
        "pupil_support_unit": "Pupil support unit",
        "internal_alternative_provision": "Internal alternative provision",
        "behaviour_unit": "Behaviour unit",
        "hub": "Hub",
        "enhanced_resource_provision": "Enhanced or additionally resourced provision (ERP, ARP)",
        "specialist_resource_centre": "Specialist resource centre",
        "own_unit": "A school's own unit, on no register",
        "unknown": "A base of a type that is not recorded",
    }
)

#: Every word for a base that is read, without regard to case, spaces or punctuation -> its type.
#: Any other word is of the type `unknown`: it is counted, never guessed.
BASE_WORDS = _fixed(
    {
        "sen unit": "sen_unit",
        "sen units": "sen_unit",
        "send unit": "sen_unit",
        "senu": "sen_unit",
        "special unit": "sen_unit",
        "special class": "sen_unit",
        "special classes": "sen_unit",
        "sen unit or special class": "sen_unit",
        "designated unit": "sen_unit",
        "resourced provision": "resourced_provision",
        "resource provision": "resourced_provision",
        "resourced provisions": "resourced_provision",
        "resource base": "resourced_provision",
        "resourced base": "resourced_provision",
        "resource bases": "resourced_provision",
        "rp": "resourced_provision",
        "sen unit and resourced provision": "sen_unit_and_resourced_provision",
        "resourced provision and sen unit": "sen_unit_and_resourced_provision",
        "sen unit resourced provision": "sen_unit_and_resourced_provision",
        "specialist base": "specialist_base",
        "specialist bases": "specialist_base",
        "specialist inclusion base": "specialist_base",
        "support base": "support_base",
        "support bases": "support_base",
        "inclusion support base": "support_base",
        "pupil support unit": "pupil_support_unit",
        "pupil support units": "pupil_support_unit",
        "psu": "pupil_support_unit",
        "internal alternative provision": "internal_alternative_provision",
        "internal ap": "internal_alternative_provision",
        "in school alternative provision": "internal_alternative_provision",
        "in house alternative provision": "internal_alternative_provision",
        "iap": "internal_alternative_provision",
        "behaviour unit": "behaviour_unit",
        "behavior unit": "behaviour_unit",
        "behaviour support unit": "behaviour_unit",
        "bsu": "behaviour_unit",
        "hub": "hub",
        "inclusion hub": "hub",
        "sen hub": "hub",
        "send hub": "hub",
        "enhanced resource provision": "enhanced_resource_provision",
        "enhanced resourced provision": "enhanced_resource_provision",
        "enhanced provision": "enhanced_resource_provision",
        "additionally resourced provision": "enhanced_resource_provision",
        "additional resource provision": "enhanced_resource_provision",
        "additional resourced provision": "enhanced_resource_provision",
        "erp": "enhanced_resource_provision",
        "arp": "enhanced_resource_provision",
        "specialist resource centre": "specialist_resource_centre",
        "specialist resourced centre": "specialist_resource_centre",
        "specialist resource center": "specialist_resource_centre",
        "specialist resource base": "specialist_resource_centre",
        "src": "specialist_resource_centre",
        "own unit": "own_unit",
        "schools own unit": "own_unit",
        "school s own unit": "own_unit",
        "a schools own unit": "own_unit",
        "a school s own unit": "own_unit",
        "school led unit": "own_unit",
        "school run unit": "own_unit",
        "unknown": "unknown",
        "not known": "unknown",
        "not recorded": "unknown",
    }
)

#: The inclusion bases of the 2026 White Paper: code -> word.
WHITE_PAPER_BASES = _fixed(
    {
        "specialist_base": "Specialist base",
        "support_base": "Support base",
        "unknown": "Not known",
    }
)

#: Who commissions a base decides what the White Paper calls it.
WHITE_PAPER_BY_COMMISSIONER = _fixed(
    {"la": "specialist_base", "school": "support_base", "trust": "support_base"}
)

#: Where the commissioner is not recorded, the type may tell. A hub, a behaviour unit and an
#: enhanced provision may be the authority's or the school's: the name alone does not say.
WHITE_PAPER_BY_TYPE = _fixed(
    {
        "sen_unit": "specialist_base",
        "resourced_provision": "specialist_base",
        "sen_unit_and_resourced_provision": "specialist_base",
        "specialist_base": "specialist_base",
        "specialist_resource_centre": "specialist_base",
        "support_base": "support_base",
        "pupil_support_unit": "support_base",
        "internal_alternative_provision": "support_base",
        "own_unit": "support_base",
        "behaviour_unit": "unknown",
        "hub": "unknown",
        "enhanced_resource_provision": "unknown",
        "unknown": "unknown",
    }
)

#: Key stage tests: why there is no score. Never missing without a word, and never zero.
NO_RESULT = _fixed(
    {
        "not_entered": "Not entered: left, just arrived, or tested in another year",
        "disapplied": "Disapplied, or unable to take the test",
        "absent": "Absent",
        "below_standard": "Working below the standard of the test, or too few marks for a score",
        "annulled": "Annulled: maladministration or cheating",
        "other": "No result for another recorded reason, such as a lost script",
    }
)

#: How a result came about. Grades of 2020 and 2021 were not made by examination.
BASES_OF_RESULT = _fixed(
    {
        "exam": "Test or examination, marked outside the school",
        "centre_assessed": "Centre assessment grade (2020)",
        "teacher_assessed": "Teacher assessed grade (2021), or teacher assessment",
    }
)

#: Why a figure of a pandemic year is not like another year's; by the summer in which the year ends.
PANDEMIC_RESULTS = _fixed({"2020": "centre_assessed", "2021": "teacher_assessed"})
PANDEMIC_ABSENCE: tuple[int, ...] = (2020, 2021, 2022)
