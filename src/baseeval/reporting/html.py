"""The page: one self-contained file that asks nothing of any network."""

from __future__ import annotations

from markupsafe import Markup

from baseeval.disclosure.released import Released
from baseeval.reporting.alike import likenesses, no_likeness, overlap
from baseeval.reporting.context import context
from baseeval.reporting.described import descriptions, flow, missingness, withheld_counts
from baseeval.reporting.filling import filled
from baseeval.reporting.found import findings, glance, tally
from baseeval.reporting.gate import gate_found
from baseeval.reporting.included import included
from baseeval.reporting.leaving import ways_out
from baseeval.reporting.limits import all_not_made, flag_glossary, limits
from baseeval.reporting.lost import losses
from baseeval.reporting.method import all_results, methods
from baseeval.reporting.moved import movements, moving_words, need_rules
from baseeval.reporting.phrasebook import GROUPS
from baseeval.reporting.scales import trust
from baseeval.reporting.table_one import table_one
from baseeval.reporting.whom import whom
from baseeval.results import ARMS


def render(released: Released) -> str:
    """Return the report's page.

    Parameters
    ----------
    released : Released
        The only thing that the page can show.
    """
    about = released.about
    at_a_glance = glance(released)
    return filled(
        "report.html.j2",
        about=about,
        drawn=Markup,
        glance=at_a_glance,
        tally=tally(at_a_glance),
        findings=findings(released),
        not_made=all_not_made(about),
        groups=[(GROUPS[arm], about.arms[arm]) for arm in ARMS if arm in about.arms],
        descriptions=descriptions(released),
        flow=flow(released),
        included=included(about),
        losses=losses(released),
        need_rules=need_rules(released),
        movements=movements(released),
        moving_words=moving_words(released),
        ways_out=ways_out(released),
        context=context(released),
        missing=missingness(released),
        withheld_counts=withheld_counts(released),
        likenesses=likenesses(released),
        no_likeness=no_likeness(about),
        overlap=overlap(released),
        table_one=table_one(released),
        whom=whom(released),
        gate=gate_found(released),
        scales=trust(released),
        limits=limits(released),
        methods=methods(released),
        flags=flag_glossary(released),
        results=all_results(released),
    )
