"""The dials of a world that are on: what each does, and which truths it leaves as they are."""

from __future__ import annotations

from dataclasses import dataclass

from baseeval.reporting.amounts import plain
from baseeval.worlds.recipe import WorldRecipe

_ALL = "every effect; only the spread that standardises them moves"
_BUT_RECORDED = "every effect by true arm; the effects by recorded arm are of other pupils"
_FEW = "none: who is in which school and arm changes"


@dataclass(frozen=True)
class Dial:
    """A dial that is on.

    Attributes
    ----------
    name : str
        Its table or key of the world file.
    does, leaves : str
        What it does here, and the truths that are the same without it.
    """

    name: str
    does: str
    leaves: str


def dials(recipe: WorldRecipe) -> list[Dial]:
    """List the dials that are on, in the order of the methods' page.

    Parameters
    ----------
    recipe : WorldRecipe
    """
    found = [*_of_place(recipe), *_of_effects(recipe), *_of_measures(recipe), *_of_records(recipe)]
    return [Dial(*each[1:]) for each in found if each[0]]


def _of_place(recipe: WorldRecipe) -> list[tuple[object, str, str, str]]:
    areas, choice, place = recipe.areas, recipe.choice, recipe.placement
    seeks = f"{_share(choice.push)} of families look for a school with a base"
    moves = f"; of those who know one, {_share(choice.moves)} go there" if choice.moves else ""
    return [
        (
            areas.count > 1,
            "areas",
            f"{areas.count:,} areas, which placement never crosses; their log odds of hosting vary "
            f"with an SD of {_number(areas.hosting_sd)}.",
            "every effect over all areas like these",
        ),
        (choice.push, "choice", f"{seeks}{moves}.", _FEW if place.push or choice.moves else _ALL),
        (
            place.hidden,
            "placement.hidden",
            f"One SD of severity, which no table shows, adds {_number(place.hidden)} to the log "
            "odds of a place in the base.",
            "the effects on all pupils together; who is in each arm changes",
        ),
        (
            recipe.hosting.quality,
            "hosting.quality",
            f"One SD of a school’s quality, which no table shows, adds "
            f"{_number(recipe.hosting.quality)} to its log odds of hosting.",
            _FEW,
        ),
    ]


def _of_effects(recipe: WorldRecipe) -> list[tuple[object, str, str, str]]:
    dose, moves, parts = recipe.dose, recipe.movers, recipe.quality
    acts = [n for n in recipe.outcomes() if recipe.outcome(n).effect.dose]
    crowded = [n for n in recipe.outcomes() if recipe.outcome(n).effect.crowding]
    means = ", ".join(_share(each) for each in dose.mean)
    return [
        (
            dose.spread or len(set(dose.mean)) > 1,
            "dose",
            f"Pupils of a base spend {means} of the week in its own classes, wave by wave; "
            + (f"how much changes {', '.join(acts)}." if acts else "how much changes no outcome."),
            "the effects of a mainstream place that is kept" if acts else "every effect",
        ),
        (
            parts.therapy or parts.integration,
            "quality",
            f"A base is as good as its staff, therapy and integration, weighed "
            f"{_number(parts.staff)}, {_number(parts.therapy)} and {_number(parts.integration)}.",
            "the effects of a mainstream place that is kept",
        ),
        (
            moves.leave or moves.enter,
            "movers",
            f"Before the last wave {_share(moves.leave)} leave the base and keep "
            f"{_share(moves.kept)} of what it gave; {_share(moves.enter)} enter it late and reach "
            f"{_share(moves.late)}.",
            "the effects before the last wave, and those of a place that is kept",
        ),
        (
            crowded,
            "effect.crowding",
            f"A base fuller than expected changes {', '.join(crowded)} of the pupils beside it.",
            "the effect of a place in the base that is kept, against a school without one",
        ),
    ]


def _of_measures(recipe: WorldRecipe) -> list[tuple[object, str, str, str]]:
    reports, items, sessions = recipe.attainment, recipe.belonging, recipe.attendance
    ends = reports.floor is not None or reports.ceiling is not None
    return [
        (
            ends or reports.report_noise or reports.report_bias,
            "attainment reports",
            f"Teachers report with noise of {_number(reports.report_noise)} SD and a bias of "
            f"{_number(reports.report_bias)} SD for pupils in a base"
            + (", within the ends of the scale." if ends else "."),
            "every effect but those on attainment; the bias is no part of any" if ends else _ALL,
        ),
        (
            items.acquiescence or items.method,
            "belonging answers",
            f"Pupils lean to agree (SD {_number(items.acquiescence)}) and answer reversed items "
            f"alike (SD {_number(items.method)}).",
            "every effect but those on belonging",
        ),
        (
            sessions.part_time,
            "attendance.part_time",
            f"{_share(sessions.part_time)} have a part-time timetable and miss "
            f"{_share(sessions.part_time_missed)} of sessions by it.",
            "every effect but those on attendance",
        ),
    ]


def _of_records(recipe: WorldRecipe) -> list[tuple[object, str, str, str]]:
    lost, wrong, rows = recipe.missing, recipe.recording, recipe.disorder
    follows = [
        words
        for size, words in (
            (lost.attrition_severity, "leaving follows severity"),
            (lost.survey_base, "unanswered surveys follow a place in the base"),
            (lost.own_value, "values go missing the lower they are"),
        )
        if size
    ]
    disorder = [
        words
        for size, words in (
            (rows.late_entry, f"{_share(rows.late_entry)} come after wave 1"),
            (rows.twice, f"{_share(rows.twice)} of rows stand there twice"),
            (rows.dual, f"{_share(rows.dual)} are in two schools at once"),
            (rows.prior_lost, "years whose tests were called off have no entry score"),
        )
        if size
    ]
    return [
        (follows, "missing", f"{_sentence(follows)}: not at random given the tables.", _ALL),
        (
            wrong.flag_missed or wrong.flag_false or wrong.unrecognised,
            "recording",
            f"{_share(wrong.flag_missed)} of places in a base are missed, "
            f"{_share(wrong.flag_false)} of pupils beside one are flagged as in it, and "
            f"{_share(wrong.unrecognised)} of hosts are on no register.",
            _BUT_RECORDED,
        ),
        (disorder, "disorder", f"{_sentence(disorder)}.", _ALL),
    ]


def _sentence(parts: list[str]) -> str:
    words = "; ".join(parts)
    return words[:1].upper() + words[1:]


def _number(value: float) -> str:
    return f"{value:g}".replace("-", "−")


def _share(value: float) -> str:
    decimals = 0 if 100 * value == round(100 * value) else 1
    return f"{plain(100 * value, decimals)}%"
