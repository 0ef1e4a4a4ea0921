"""A register of bases: every one that any source names, and where the sources disagree."""

import runpy
from pathlib import Path

import pandas as pd
import pytest

from baseeval.disclosure.profiles import get_profile
from baseeval.disclosure.registers import release_register
from baseeval.engine.duckdb_engine import Engine
from baseeval.placement.registering import make_register
from baseeval.placement.timing import compare_time

HELP = runpy.run_path(str(Path(__file__).with_name("placement_tables.py")))
tables_in, read = HELP["tables_in"], HELP["read"]

# Thirty schools of two authorities: 01 to 15 of 301, 16 to 30 of 302. At the spring census of
# 2024 each has these pupils with the flags, all with the need ASD, and two with SLCN and no
# flag; at that of 2023 school 14 alone has any.
FLAGGED = {  # school: SEN unit, resourced provision, both
    "01": (0, 10, 0),
    "02": (6, 0, 0),
    "05": (0, 4, 0),
    "06": (0, 7, 0),
    "07": (9, 0, 0),
    "08": (0, 12, 0),
    "16": (0, 11, 0),
    "20": (1, 2, 5),
    "21": (0, 0, 3),
}

# School, base, word, pupils on the census day
SPELLS = [
    ("01", "b01", "Resourced Provision", 10),
    ("04", "b04", "support base", 5),
    ("08", "b08a", "RP", 6),
    ("08", "b08b", "RP", 6),
    ("13", None, "ARP", 3),
    ("15", None, "The Den", 2),
    ("16", "b16", None, 11),
    ("17", "b17", "SEN unit", 4),
]

GIAS = """
    urn | base_type                        | sen_unit_pupils | sen_unit_places | rp_pupils | rp_places | base_needs                       | local_offer
    01  | Resourced provision              | -               | -               | 10        | 12        | ASD - Autistic Spectrum Disorder | 1
    02  | -                                | -               | -               | -         | -         | -                                | -
    03  | Resourced provision              | -               | -               | 8         | 10        | HI;VI                            | -
    04  | -                                | -               | -               | -         | -         | -                                | -
    05  | Resourced provision              | -               | -               | 4         | 6         | ASD                              | -
    06  | Resourced provision and SEN unit | 5               | 8               | 7         | 10        | ASD                              | -
    07  | Resourced provision              | -               | -               | 9         | 10        | SEMH                             | -
    08  | Resourced provision              | -               | -               | 12        | 12        | -                                | -
    09  | SEN unit                         | 8               | 10              | -         | -         | -                                | -
    10  | SEN unit                         | -               | -               | -         | -         | SLCN                             | -
    11  | SEN unit                         | -               | -               | -         | -         | -                                | 1
    12  | -                                | -               | -               | -         | -         | -                                | -
    16  | -                                | -               | -               | -         | -         | -                                | -
    18  | SEN unit                         | -               | -               | -         | -         | -                                | -
    20  | -                                | 6               | 6               | 7         | 8         | ASD                              | -
"""  # noqa: E501

LIST = """
    base_id | urn | name       | base_type                        | commissioner | needs | places | pupils | local_offer
    b01     | 01  | Harbour    | RP                              | la           | ASD   | 12     | 10     | 1
    b04     | 04  | -          | Support base                     | school       | SEMH  | 6      | -      | 0
    b05     | 05  | -          | Hub                              | -            | ASD   | 6      | 4      | -
    b08a    | 08  | -          | Resourced provision              | la           | ASD   | 5      | -      | 1
    b08b    | 08  | -          | Resourced provision              | la           | SLCN  | 7      | -      | 1
    b09     | 09  | -          | SEN unit                         | la           | MLD   | 8      | 7      | 1
    b10     | 10  | -          | SEN unit                         | la           | ASD   | 8      | -      | 1
    b11     | 11  | -          | SEN unit                         | la           | -     | 8      | -      | 0
    b12     | 12  | -          | Support base                     | la           | SEMH  | -      | -      | -
    b16     | 16  | -          | SRC                              | la           | ASD   | 14     | 11     | 1
    b17     | 18  | -          | SEN unit                         | la           | PD    | 4      | 4      | 1
    b20     | 20  | -          | SEN unit and resourced provision | la           | ASD   | 14     | -      | 1
"""  # noqa: E501

# urn, base, type, White Paper, commissioner, needs, places, pupils by the list, the file, GIAS
# and the census, sources, local offer
BASES = """
    01 | b01                    | resourced_provision              | Specialist base | la      | ASD   | 12 | 10 | 10 | 10 | 10 | bases;spells;schools;census | yes
    02 | 02-sen_unit            | sen_unit                         | Specialist base | unknown |       | -  | -  | -  | -  | 6  | census                      | not known
    03 | 03-resourced_provision | resourced_provision              | Specialist base | unknown | HI;VI | 10 | -  | -  | 8  | -  | schools                     | not known
    04 | b04                    | support_base                     | Support base    | school  | SEMH  | 6  | -  | 5  | -  | -  | bases;spells                | no
    05 | b05                    | hub                              | Specialist base | unknown | ASD   | 6  | 4  | -  | 4  | 4  | bases;schools;census        | not known
    06 | 06-resourced_provision | resourced_provision              | Specialist base | unknown | ASD   | 10 | -  | -  | 7  | 7  | schools;census              | not known
    06 | 06-sen_unit            | sen_unit                         | Specialist base | unknown | ASD   | 8  | -  | -  | 5  | -  | schools                     | not known
    07 | 07-resourced_provision | resourced_provision              | Specialist base | unknown | SEMH  | 10 | -  | -  | 9  | 9  | schools;census              | not known
    08 | b08a                   | resourced_provision              | Specialist base | la      | ASD   | 5  | -  | 6  | -  | -  | bases;spells;schools;census | yes
    08 | b08b                   | resourced_provision              | Specialist base | la      | SLCN  | 7  | -  | 6  | -  | -  | bases;spells;schools;census | yes
    09 | b09                    | sen_unit                         | Specialist base | la      | MLD   | 8  | 7  | -  | 8  | -  | bases;schools               | yes
    10 | b10                    | sen_unit                         | Specialist base | la      | ASD   | 8  | -  | -  | -  | -  | bases;schools               | yes
    11 | b11                    | sen_unit                         | Specialist base | la      |       | 8  | -  | -  | -  | -  | bases;schools               | no
    12 | b12                    | support_base                     | Specialist base | la      | SEMH  | -  | -  | -  | -  | -  | bases                       | not known
    13 | 13-enhanced_resource_provision | enhanced_resource_provision | Not known    | unknown |       | -  | -  | 3  | -  | -  | spells                      | not known
    14 | 14-sen_unit            | sen_unit                         | Specialist base | unknown |       | -  | -  | -  | -  | 0  | census                      | not known
    15 | 15-unknown             | unknown                          | Not known       | unknown |       | -  | -  | 2  | -  | -  | spells                      | not known
    16 | b16                    | specialist_resource_centre       | Specialist base | la      | ASD   | 14 | 11 | 11 | -  | 11 | bases;spells;census         | yes
    18 | b17                    | sen_unit                         | Specialist base | la      | PD    | 4  | 4  | 4  | -  | -  | bases;spells;schools        | yes
    19 | b19                    | unknown                          | Not known       | unknown |       | -  | -  | 0  | -  | -  | spells                      | not known
    20 | b20                    | sen_unit_and_resourced_provision | Specialist base | la      | ASD   | 14 | -  | -  | 13 | 8  | bases;schools;census        | yes
    21 | 21-resourced_provision | resourced_provision              | Specialist base | unknown |       | -  | -  | -  | -  | 3  | census                      | not known
    21 | 21-sen_unit            | sen_unit                         | Specialist base | unknown |       | -  | -  | -  | -  | 3  | census                      | not known
"""  # noqa: E501

ALL_BUT_CENSUS = "named by the census, not by the list and the file of placements"
DISAGREEMENTS = [
    (
        "02",
        "02-sen_unit",
        "not named",
        "named by the census, not by the list, the file of placements and GIAS",
    ),
    (
        "03",
        "03-resourced_provision",
        "not named",
        "named by GIAS, not by the list, the file of placements and the census",
    ),
    (
        "05",
        "b05",
        "not named",
        "named by the list, GIAS and the census, not by the file of placements",
    ),
    (
        "06",
        "06-resourced_provision",
        "not named",
        "named by GIAS and the census, not by the list and the file of placements",
    ),
    (
        "06",
        "06-sen_unit",
        "not named",
        "named by GIAS, not by the list, the file of placements and the census",
    ),
    ("07", "07-resourced_provision", "type", "GIAS: Resourced provision; the census: SEN unit"),
    (
        "07",
        "07-resourced_provision",
        "not named",
        "named by GIAS and the census, not by the list and the file of placements",
    ),
    ("08", "b08a", "shared count", "the census counts several bases of the school as one"),
    ("08", "b08a", "shared count", "GIAS counts several bases of the school as one"),
    ("08", "b08b", "shared count", "the census counts several bases of the school as one"),
    ("08", "b08b", "shared count", "GIAS counts several bases of the school as one"),
    (
        "09",
        "b09",
        "not named",
        "named by the list and GIAS, not by the file of placements and the census",
    ),
    ("09", "b09", "pupils", "the list and GIAS count different numbers of pupils"),
    ("09", "b09", "places", "the list gives 8, GIAS gives 10"),
    (
        "10",
        "b10",
        "not named",
        "named by the list and GIAS, not by the file of placements and the census",
    ),
    ("10", "b10", "needs", "the list names ASD; GIAS names SLCN"),
    (
        "11",
        "b11",
        "not named",
        "named by the list and GIAS, not by the file of placements and the census",
    ),
    ("11", "b11", "local offer", "by the list not listed, by GIAS listed"),
    (
        "12",
        "b12",
        "commissioner",
        "by its type a support base, by its commissioner a specialist base",
    ),
    (
        "12",
        "b12",
        "not named",
        "named by the list, not by the file of placements, GIAS and the census",
    ),
    (
        "13",
        "13-enhanced_resource_provision",
        "not named",
        "named by the file of placements, not by the list and the census",
    ),
    ("14", "14-sen_unit", "not named", ALL_BUT_CENSUS),
    (
        "15",
        "15-unknown",
        "not named",
        "named by the file of placements, not by the list and the census",
    ),
    (
        "16",
        "b16",
        "not named",
        "named by the list, the file of placements and the census, not by GIAS",
    ),
    ("18", "b17", "school", "the sources place it in different schools"),
    (
        "18",
        "b17",
        "not named",
        "named by the list, the file of placements and GIAS, not by the census",
    ),
    ("19", "b19", "not named", "named by the file of placements, not by the list and the census"),
    (
        "20",
        "b20",
        "not named",
        "named by the list, GIAS and the census, not by the file of placements",
    ),
    ("20", "b20", "pupils", "GIAS and the census count different numbers of pupils"),
    ("21", "21-resourced_provision", "not named", ALL_BUT_CENSUS),
    ("21", "21-sen_unit", "not named", ALL_BUT_CENSUS),
]

# Flagged pupils of 301: 10 + 6 + 4 + 7 + 9 + 12 = 48; of 302: 11 + 8 + 3 = 22; in each of 15
# schools two more with SLCN.
AUTHORITIES = [
    ("301", "ASD", 6, 12 + 6 + 10 + 8 + 5 + 8, 48, 100 * 49 / 48),
    ("301", "HI", 1, 10, 0, None),
    ("301", "MLD", 1, 8, 0, None),
    ("301", "SEMH", 3, 6 + 10, 0, None),
    ("301", "SLCN", 1, 7, 30, 100 * 7 / 30),
    ("301", "VI", 1, 10, 0, None),
    ("301", "not recorded", 5, 8, None, None),
    ("302", "ASD", 2, 14 + 14, 22, 100 * 28 / 22),
    ("302", "PD", 1, 4, 0, None),
    # No base is known for the need; but bases whose needs nobody records may serve it.
    ("302", "SLCN", 0, None, 30, None),
    ("302", "not recorded", 3, None, None, None),
]


def local_authority():
    """Write the authority's tables."""
    names = "pupil_id | year | urn | la | primary_need | sen_unit | resourced_provision"
    pupils = [names, "old | 2023 | 14 | 301 | ASD | 1 | 0"]
    spells = ["pupil_id | urn | base_id | base_type | start | end | decision"]
    for number in range(1, 31):
        urn = f"{number:02}"
        la = "301" if number <= 15 else "302"
        kinds = zip(FLAGGED.get(urn, (0, 0, 0)), ("1 | 0", "0 | 1", "1 | 1"), strict=True)
        flags = [flag for count, flag in kinds for _ in range(count)]
        pupils += [f"{urn}f{i} | 2024 | {urn} | {la} | ASD | {f}" for i, f in enumerate(flags)]
        pupils += [f"{urn}s{i} | 2024 | {urn} | {la} | SLCN | 0 | 0" for i in range(2)]
    for urn, base, word, count in SPELLS:
        row = f"{urn} | {base or '-'} | {word or '-'} | 2022-09-01"
        spells += [f"{urn}f{i} | {row} | - | placed" for i in range(count)]
    spells += [
        "gone | 04 | b04 | support base | 2022-09-01 | 2023-07-20 | placed",
        "asked | 19 | b19 | - | - | - | refused",
    ]
    return {
        "pupils": "\n".join(pupils),
        "placements": "\n".join(spells),
        "schools": GIAS,
        "bases": LIST,
    }


@pytest.fixture(scope="module")
def register():
    with Engine() as engine:
        return make_register(tables_in(engine, **local_authority()), engine)


def plain(table, columns):
    rows = table[columns].astype(object).where(table[columns].notna(), None)
    return [tuple(row) for row in rows.to_numpy()]


def expected_bases():
    rows = []
    for line in BASES.strip().splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        numbers = [None if cell == "-" else int(cell) for cell in cells[6:11]]
        rows.append((*cells[:6], *numbers, *cells[11:]))
    return rows


def test_every_base_that_any_source_names_is_there(register):
    columns = "urn base_id base_type white_paper commissioner needs places"
    counts = "pupils_bases pupils_spells pupils_schools pupils_census sources local_offer"

    assert plain(register.bases, f"{columns} {counts}".split()) == expected_bases()
    assert set(register.bases["la"]) == {"301", "302"}
    assert register.bases["name"].tolist()[0] == "Harbour"
    assert register.bases["type_name"].tolist()[1] == "SEN unit"


def test_disagreements_are_named(register):
    assert plain(register.disagreements, ["urn", "base_id", "kind", "detail"]) == DISAGREEMENTS
    said = dict(zip(register.bases["base_id"], register.bases["disagreements"], strict=True))
    assert said["b01"] == said["b04"] == ""
    assert said["b11"].endswith("census; by the list not listed, by GIAS listed")


def test_places_for_a_hundred_pupils_with_the_need(register):
    columns = ["la", "need", "bases", "places", "pupils", "places_per_100"]

    assert plain(register.authorities, columns) == AUTHORITIES


def test_a_released_register_withholds_small_counts_and_rounds_others(register):
    released = release_register(register, get_profile("srs"))
    bases = released.bases.set_index("base_id")
    counts = [f"pupils_{name}" for name in ("bases", "spells", "schools", "census")]

    assert bases.loc["b01", counts].tolist() == [10] * 4
    assert bases.loc["b16", counts].fillna(-1).tolist() == [10, 10, -1, 10]
    assert bases.loc["b16", "flags"] == ""
    # Eight by the census and 13 by GIAS: the one would tell of the other.
    assert bases.loc["b20", counts].isna().all()
    assert bases.loc["b20", "flags"] == "suppressed"
    assert bases.loc["14-sen_unit", "flags"] == "suppressed"
    assert bases.loc["b10", "flags"] == ""
    assert bases["places"].equals(register.bases.set_index("base_id")["places"])
    kinds = released.disagreements.groupby("kind").size().to_dict()
    assert "pupils" not in kinds
    assert kinds["places"] == 1
    assert "different numbers" not in bases.loc["b20", "disagreements"]

    authorities = released.authorities.set_index(["la", "need"])
    assert authorities.loc[("301", "ASD"), "pupils"] == 50
    assert authorities.loc[("301", "ASD"), "places_per_100"] == 98.0
    assert pd.isna(authorities.loc[("301", "HI"), "pupils"])
    assert pd.isna(authorities.loc[("301", "HI"), "places_per_100"])
    assert authorities.loc[("301", "HI"), "flags"] == "needs_incomplete;suppressed"


def test_a_register_of_the_census_alone():
    pupils = "pupil_id | year | urn | sen_unit\na | 2024 | 1 | 1\nb | 2024 | 2 | 0"
    with Engine() as engine:
        register = make_register(tables_in(engine, pupils=pupils), engine)
        bare = make_register(
            tables_in(engine, pupils="pupil_id | year | urn\na | 2024 | 1"), engine
        )

    assert plain(register.bases, ["urn", "base_type", "pupils_census"]) == [("1", "sen_unit", 1)]
    assert register.disagreements.empty
    assert len(bare.bases) == len(bare.authorities) == 0
    assert len(release_register(bare, get_profile("srs")).bases) == 0


def test_declared_type_against_observed_time():
    placements = """
        pupil_id | urn | base_id | base_type | start      | share_of_time_in_base
        p1       | A   | unit    | SEN unit  | 2022-09-01 | 0.5
        p2       | A   | unit    | SEN unit  | 2022-09-01 | 0.4
        p3       | A   | rp      | RP        | 2022-09-01 | 0.7
        p4       | A   | rp      | RP        | 2022-09-01 | 0.4
        p5       | B   | half    | SEN unit  | 2022-09-01 | 0.5
        p6       | B   | other   | Hub       | 2022-09-01 | 0.9
        p7       | B   | called  | -         | 2022-09-01 | 0.9
        p8       | B   | silent  | RP        | 2022-09-01 | -
    """
    listed = "base_id | urn | base_type\ncalled | B | Resourced provision"
    with Engine() as engine:
        tables = tables_in(engine, placements=placements, bases=listed)
        found = compare_time(tables, engine)
        nothing = compare_time({}, engine)

    assert [tuple(row) for row in found.to_numpy()] == [
        ("called", "B", "resourced_provision", 1, 0.9, "sen_unit"),
        ("rp", "A", "resourced_provision", 2, 0.55, "sen_unit"),
        ("unit", "A", "sen_unit", 2, 0.45, "resourced_provision"),
    ]
    assert nothing.empty


def test_bases_at_odds_with_their_type_leave_with_enough_pupils():
    rows = [f"u{i} | A | unit | SEN unit | 2022-09-01 | 0.3333" for i in range(12)]
    rows += [f"s{i} | A | small | SEN unit | 2022-09-01 | 0.25" for i in range(9)]
    head = "pupil_id | urn | base_id | base_type | start | share_of_time_in_base"
    texts = {
        "pupils": "pupil_id | year | urn\nx | 2024 | A",
        "placements": "\n".join([head, *rows]),
    }
    with Engine() as engine:
        register = make_register(tables_in(engine, **texts), engine)
    released = release_register(register, get_profile("srs"))

    assert register.times["pupils"].tolist() == [9, 12]
    assert plain(released.times, ["base_id", "pupils", "mean_share", "looks_like"]) == [
        ("unit", 10, 0.333, "resourced_provision")
    ]


def test_a_silent_cell_of_gias_is_no_denial():
    texts = {
        "pupils": "pupil_id | year | urn | sen_unit\na | 2024 | 1 | 1\nb | 2024 | 2 | 1",
        "schools": "urn | base_type | why:base_type\n1 | - | no base\n2 | - | blank\n3 | None | -",
    }
    with Engine() as engine:
        register = make_register(tables_in(engine, **texts), engine)

    assert plain(register.disagreements, ["urn", "kind", "detail"]) == [
        ("1", "not named", "named by the census, not by GIAS")
    ]
