"""A world's tables in every form: the same pupils, whichever way they are read back."""

import datetime as dt
import hashlib
import importlib.util
import itertools
import json
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from openpyxl import load_workbook
from typer.testing import CliRunner

import baseeval as be
from baseeval.cli import app
from baseeval.contracts.registry import TABLES
from baseeval.errors import UsageError
from baseeval.plan import plan_from_keys
from baseeval.sources.crosswalk import load_crosswalk
from baseeval.sources.npd import NPD_FILES
from baseeval.worlds import simulate, write_simulation, write_world
from baseeval.worlds.areas import draw_area, record_area
from baseeval.worlds.circumstances import arms_over_time
from baseeval.worlds.contract_tables import contract_tables
from baseeval.worlds.contract_types import TYPES
from baseeval.worlds.mis_files import HEADINGS as MIS_HEADINGS
from baseeval.worlds.npd_files import HEADINGS, HIGHEST, LOWEST, npd_files
from baseeval.worlds.reading import read_recipe
from baseeval.worlds.roll import check_numbers
from baseeval.worlds.streams import Streams

ITEMS = [f"b{item:02d}" for item in range(1, 11)]
NEED = {"none": "none", "adhd": "SEMH", "language": "SLCN", "learning": "MLD"}
ARM = {"SRC": "base", "M-SRC": "host_mainstream", "N-SRC": "non_host"}

#: A world in which everything that a form must show happens to somebody.
MESSY = {
    "recording": {"flag_missed": 0.2, "flag_false": 0.1, "unrecognised": 0.4},
    "disorder": {"late_entry": 0.15, "twice": 0.1, "dual": 0.2, "prior_lost": True},
    "movers": {"leave": 0.3, "enter": 0.3},
    "missing": {"attrition": 0.2},
    "choice": {"push": 0.4},
    "placement": {"naming": 0.5},
    "dose": {"mean": [0.6, 0.5, 0.3], "spread": 0.5},
}


def change(recipe, **parts):
    return recipe.model_copy(
        update={part: getattr(recipe, part).model_copy(update=new) for part, new in parts.items()}
    )


def hashes(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def tidy():
    """The pupils of the sample's world, with the numbers that other forms give schools."""
    pupils = simulate("src_replication", seed=1).tables["pupils"]
    return pupils.assign(urn="9000" + pupils["school_id"].str[1:])


@pytest.fixture(scope="module")
def messy():
    """An area of a messy world, and its tables under the contracts."""
    recipe = change(read_recipe("src_replication"), **MESSY)
    streams = Streams(2)
    area = draw_area(recipe, 250, streams)
    recorded = record_area(recipe, area, streams)
    tables = contract_tables(recipe, area, recorded, streams)
    return recipe, area, recorded, {name: table.to_pandas() for name, table in tables.items()}


# Bytes -------------------------------------------------------------------------------------


def test_one_area_is_the_file_that_memory_makes(tmp_path):
    write_simulation("src_replication", tmp_path / "one", seed=4, population=False)
    write_world(simulate("src_replication", seed=4), tmp_path / "two")

    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")


def test_processes_change_no_byte(tmp_path):
    for processes in (1, 2):
        write_simulation(
            "src_replication",
            tmp_path / str(processes),
            form="contracts",
            pupils=60,
            areas=3,
            processes=processes,
            population=False,
        )

    assert hashes(tmp_path / "1") == hashes(tmp_path / "2")


@pytest.mark.parametrize("form", ["tidy", "contracts", "npd"])
def test_the_first_areas_of_a_larger_draw_are_those_of_a_smaller(tmp_path, form):
    told = []
    for areas in (2, 3):
        write_simulation(
            "src_replication",
            tmp_path / str(areas),
            form=form,
            areas=areas,
            population=False,
            told=lambda done, total: told.append((done, total)),
        )
    small, large = (hashes(tmp_path / name) for name in ("2", "3"))
    small.pop("truth.json")

    assert small.items() < large.items()
    assert {Path(name).stem for name in set(large) - set(small)} == {"area-003", "truth"}
    assert told == [*((n, 2) for n in range(3)), *((n, 3) for n in range(4))]


def test_areas_share_no_pupil_and_no_school(tmp_path):
    write_simulation("src_replication", tmp_path, areas=3, population=False)
    tables = [pq.read_table(p).to_pandas() for p in sorted((tmp_path / "pupils").iterdir())]

    for one, other in itertools.combinations(tables, 2):
        for key in ("pupil_id", "school_id"):
            assert not set(one[key]) & set(other[key])
    whole = simulate("src_replication", areas=3).tables["pupils"]
    assert sum(map(len, tables)) == len(whole)
    assert list(whole["attainment"].dropna()) == list(pd.concat(tables)["attainment"].dropna())


# Contracts ---------------------------------------------------------------------------------


def test_columns_are_typed_as_the_contracts_say(tmp_path):
    recipe = read_recipe("local_authority")
    write_simulation(recipe, tmp_path, form="contracts", pupils=300, areas=1, population=False)
    made = {path.stem: pq.read_schema(path) for path in tmp_path.glob("*.parquet")}

    assert set(made) == {
        *("pupils", "schools", "placements", "bases", "attendance", "attainment", "surveys"),
        *("exclusions", "peers"),
    } - (set() if recipe.peers.include else {"peers"})
    for name, schema in made.items():
        contract = TABLES[name]
        assert [c for c in contract.names() if c in schema.names] == schema.names
        assert all(schema.field(c).type == TYPES[contract.column(c).kind] for c in schema.names)
        table = pq.read_table(tmp_path / f"{name}.parquet").to_pandas()
        for column in contract.columns:
            if column.required:
                assert column.name in schema.names
            if column.needed:
                assert table[column.name].notna().all()
            if column.codes and column.name in table:
                assert set(table[column.name].dropna()) <= set(column.codes)
        if name != "pupils":  # there a row may stand twice
            assert not table.duplicated([k for k in contract.key if k in table]).any()


def test_the_census_shows_what_the_records_say(messy):
    _, area, recorded, tables = messy
    census = tables["pupils"]
    ids = np.array(recorded.names.pupil_names.to_pylist())
    eligible = len(area.placed.arm)
    autumn = census.query("year == 2023 and term == 'AUT' and enrolment != 'S'")
    flagged = autumn.groupby("pupil_id")["resourced_provision"].any()
    stays = recorded.stays

    assert set(autumn["pupil_id"]) == set(ids[stays[:, 0]])
    expected = {i for i in range(eligible) if area.placed.recorded[i] == 0 and stays[i, 0]}
    assert set(flagged[flagged].index) == set(ids[sorted(expected)])
    before = census.query("year == 2022")
    assert set(before["term"]) == {"SPR"}
    assert before["urn"].nunique() == 1
    assert not before["resourced_provision"].any()
    last = census.query("year == 2024 and term == 'SPR'")
    assert set(last["pupil_id"]) == set(ids[stays[:, 2]])
    arms = arms_over_time(area.placed, area.around)
    recognised = area.schools.recognised[area.eligible.school]
    came = [
        i
        for i in range(eligible)
        if arms[i, 1] == 1 and arms[i, 2] == 0 and stays[i, 2] and recognised[i]
    ]
    assert came
    now = last.query("enrolment != 'S'").groupby("pupil_id")["resourced_provision"].any()
    assert now[ids[came]].all()


def test_dual_enrolments_second_rows_and_late_entries(messy):
    _, _, recorded, tables = messy
    census = tables["pupils"]
    guests = census.query("enrolment == 'S'")
    main = census.query("enrolment == 'M'").drop_duplicates(["pupil_id", "year", "term"])
    both = guests.merge(main, on=["pupil_id", "year", "term"])

    assert len(both) == len(guests) == len(main) > 20
    assert (both["urn_x"] != both["urn_y"]).all()
    assert not guests["resourced_provision"].any()
    again = census[census.duplicated(["pupil_id", "year", "term", "urn"])]
    again = set(again[["pupil_id", "year", "term"]].itertuples(index=False, name=None))
    ids = recorded.names.pupil_names.to_pylist()
    assert again == {
        (ids[pupil], 2022 + wave, "SPR")
        for pupil, wave in np.argwhere(recorded.twice & recorded.stays)
    }
    late = {ids[i] for i in np.flatnonzero(~recorded.stays[:, 0] & recorded.stays[:, 1])}
    theirs = census[census["pupil_id"].isin(late)]
    assert late
    assert set(theirs["entry_date"]) == {dt.date(2022, 11, 4)}
    assert theirs.groupby("pupil_id")[["year", "term"]].first().eq([2023, "SPR"]).all(axis=None)


def test_the_bases_own_lists_are_true_and_the_register_is_not(messy):
    _, area, recorded, tables = messy
    ids = np.array(recorded.names.pupil_names.to_pylist())
    urns = 900_001 + recorded.names.schools - 1
    hosts, known = area.schools.hosts, area.schools.recognised
    assert 0 < known.sum() < hosts.sum()
    assert set(tables["bases"]["urn"]) == set(urns[hosts].astype(str))
    listed = tables["schools"].dropna(subset="base_type")
    assert set(listed["urn"]) == set(urns[known].astype(str))

    spells = tables["placements"].query("decision == 'placed'").set_index("pupil_id")
    arms = arms_over_time(area.placed, area.around)
    stays = recorded.stays[: len(arms)]
    came = stays.any(axis=1)
    inside = ((arms[:, 1] == 0) & came) | ((arms[:, 2] == 0) & stays[:, 2])
    assert set(spells.index) == set(ids[: len(arms)][inside])
    over = set(spells[spells["end"].notna()].index)
    left = (arms[:, 1] == 0) & came & ~((arms[:, 2] == 0) & stays[:, 2])
    assert over == set(ids[: len(arms)][left])
    assert (spells["end"] > spells["start"])[spells["end"].notna()].all()
    stayed = np.flatnonzero((arms[:, 1:] == 0).all(axis=1) & stays[:, 1:].all(axis=1))
    dose = area.around.dose[stayed, 1:].mean(axis=1)
    np.testing.assert_allclose(
        spells.loc[ids[stayed], "share_of_time_in_base"], dose, atol=0.005 + 1e-9
    )
    asked = tables["placements"].query("decision == 'refused'")
    assert len(asked)
    assert asked[["start", "share_of_time_in_base"]].isna().all(axis=None)
    assert set(asked["urn"]) <= set(urns[hosts].astype(str))
    named = ids[: len(arms)][area.eligible.named]
    placed = spells[spells.index.isin(named)]
    assert set(placed["ehcp_section"]) == {"I"}
    assert "I" not in set(spells[~spells.index.isin(named)]["ehcp_section"])


def test_scores_of_years_without_tests_have_no_row(messy):
    _, _, recorded, tables = messy
    scores = tables["attainment"].query("measure == 'ks2_reading_scaled'")
    year = dict(zip(recorded.names.pupil_names.to_pylist(), recorded.everyone.year, strict=True))

    assert {year[pupil] for pupil in scores["pupil_id"]} == {7}
    assert set(scores["year"]) == {2022}
    lost = scores["value"].isna()
    assert set(scores[lost]["status"]) == {"not_entered"}
    assert scores[~lost]["status"].isna().all()


# Journeys ----------------------------------------------------------------------------------


def plan(folder, source, files, outcomes, covariates):
    text = f"""
    [study]
    name = "forms"
    title = "A world read back"
    [data]
    source = "{source}"
    [data.files]
    {files}
    [eligibility]
    needs = ["ASD"]
    phases = ["SS"]
    time_zero = "school_entry"
    {outcomes}
    [covariates]
    adjust = {covariates}
    [design]
    methods = ["entropy"]
    [analysis]
    models = ["unadjusted"]
    """
    return plan_from_keys(tomllib.loads(text), folder / "study.toml")


SESSIONS = """
    [[outcomes]]
    name = "attendance"
    kind = "sessions"
    attended = "sessions_attended"
    possible = "sessions_possible"
    better = "higher"
"""
OTHERS = f"""
    [[outcomes]]
    name = "attainment"
    kind = "continuous"
    column = "attainment"
    better = "higher"
    [[outcomes]]
    name = "belonging"
    kind = "scale"
    items = {ITEMS}
    reverse = ["b03", "b06", "b09"]
    range = [1, 5]
    better = "higher"
"""
COVARIATES = ["sex", "fsm", "sen_provision", "secondary_need", "ks2_reading_scaled"]


def values(cohort):
    rows = cohort.outcomes.collect().to_pandas().dropna(subset="value")
    rows = rows[rows["form"] == "level"]
    keys = zip(rows["outcome"], rows["pupil"], rows["wave"].astype(int), strict=True)
    return dict(zip(keys, rows["value"], strict=True))


def expected_values(pupils, outcomes):
    """World's wave w is the study's wave w - 1."""
    answers = pupils[ITEMS].astype("float64")
    answers[["b03", "b06", "b09"]] = 6 - answers[["b03", "b06", "b09"]]
    enough = answers.notna().sum(axis=1) >= 7.5
    made = {
        "attainment": pupils["attainment"],
        "attendance": (pupils["present"] / pupils["possible"]).astype("float64"),
        "belonging": answers.mean(axis=1).where(enough),
    }
    return {
        (name, pupil, wave - 1): value
        for name in outcomes
        for pupil, wave, value in zip(pupils["pupil_id"], pupils["wave"], made[name], strict=True)
        if not pd.isna(value)
    }


def compare(cohort, pupils, outcomes):
    """The same arms, schools, covariates and outcomes, value by value."""
    own = pupils[pupils["autistic"] == "yes"]
    found = cohort.covariates.collect().to_pandas().set_index("pupil")
    first = own[own["wave"] == 1].set_index("pupil_id").loc[found.index]
    assert len(found) == own["pupil_id"].nunique()
    assert list(found["arm"]) == list(first["placement"].map(ARM))
    assert list(found["school"]) == list(first["urn"])
    assert list(found["sex"]) == list(first["sex"].map({"male": "M", "female": "F"}))
    assert list(found["fsm"]) == list((first["fsm"] == "yes").astype(int))
    assert list(found["sen_provision"]) == list(first["ehcp"].map({"yes": "E", "no": "K"}))
    need = found["secondary_need"].fillna("none")
    assert list(need) == [NEED[name] for name in first["cooccurring_need"]]
    made, expected = values(cohort), expected_values(own, outcomes)
    assert made.keys() == expected.keys()
    for key, value in expected.items():
        assert made[key] == pytest.approx(value, abs=1e-12)
    return found, first


def test_the_contracts_are_read_back_as_the_tidy_table(tidy, tmp_path):
    write_simulation("src_replication", tmp_path, form="contracts", population=False)
    names = [path.stem for path in tmp_path.glob("*.parquet")]
    files = "\n".join(f'{name} = "{name}.parquet"' for name in names)
    study = plan(tmp_path, "contracts", files, SESSIONS + OTHERS, COVARIATES)

    found, first = compare(be.build_cohort(study), tidy, ("attainment", "attendance", "belonging"))

    pd.testing.assert_series_equal(
        found["ks2_reading_scaled"], first["prior"].astype("float64"), check_names=False
    )


def test_the_extracts_are_read_back_as_the_tidy_table(tidy, tmp_path):
    write_simulation("src_replication", tmp_path, form="npd", population=False)
    keys = ("census", "absence", "ks2")
    files = "\n".join(f'{key} = "{key}_*.csv"' for key in keys)
    study = plan(tmp_path, "npd", files, SESSIONS, COVARIATES)

    found, first = compare(be.build_cohort(study), tidy, ("attendance",))

    score = first["prior"].astype("float64").clip(upper=HIGHEST)
    pd.testing.assert_series_equal(
        found["ks2_reading_scaled"], score.where(score >= LOWEST), check_names=False
    )
    assert (score < LOWEST).any()
    assert (first["prior"] > HIGHEST).any()


# Extracts and exports ----------------------------------------------------------------------


def test_headings_are_the_first_that_the_reader_knows(messy):
    for extract, headings in HEADINGS.items():
        known = load_crosswalk(NPD_FILES[extract]).columns
        for column, heading in headings.items():
            at = {
                ("absence", "sessions_possible"): "sessions_possible_annual",
                ("absence", "overall"): "overall_annual",
                ("ks2", "outcome"): "reading_outcome",
                ("ks2", "value"): "ks2_reading_scaled",
            }.get((extract, column), column)
            assert heading.upper() in [name.upper() for name in known[at]]
            options = [name for name in known[at] if not name.upper().startswith("KS2_")]
            assert heading.upper() == options[0].upper()


def test_suspensions_are_in_an_extract_of_their_own():
    recipe = read_recipe("local_authority")
    streams = Streams(1)
    area = draw_area(recipe, 200, streams)
    recorded = record_area(recipe, area, streams)
    files = npd_files(contract_tables(recipe, area, recorded, streams))
    counts = recorded.columns["suspensions"][recorded.stays]
    made = [t for name, t in files.items() if name.startswith("exclusions_")]

    assert len(made) == 3
    total = sum(sum(table[table.column_names[-1]].to_pylist()) for table in made)
    assert total == np.nansum(counts)


def sheet(rows):
    """The cells under the title and the headings; the last of a row may be blank."""
    wide = [[*row, *[None] * (len(rows[2]) - len(row))] for row in rows[3:]]
    return pd.DataFrame(wide, columns=rows[2])


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mis")
    write_simulation("src_replication", folder, form="mis", pupils=40, population=False)
    return folder


def test_marks_add_up_to_the_sessions(export):
    pupils = simulate("src_replication", pupils=40).tables["pupils"]
    marks = pd.read_csv(export / "register.csv")
    marks["year"] = marks["Mark date"].str[:4].astype(int)
    marks["year"] += marks["Mark date"].str[5:7].astype(int) >= 9
    there = marks["Attendance mark"].isin(["/", "\\"])
    made = there.groupby([marks["UPN"], marks["year"]]).agg(["sum", "size"])
    known = pupils[(pupils["wave"] > 1) & pupils["present"].notna()]

    assert len(made) == len(known)
    for pupil, wave, present, possible in known[
        ["pupil_id", "wave", "present", "possible"]
    ].itertuples(index=False):
        assert tuple(made.loc[(pupil, 2023 + wave)]) == (present, possible)
    assert not marks.duplicated(["UPN", "Mark date", "AM/PM"]).any()
    assert (pd.to_datetime(marks["Mark date"]).dt.day_of_week < 5).all()


def test_the_workbook_holds_the_pupils_under_a_title(export):
    pupils = simulate("src_replication", pupils=40).tables["pupils"].query("wave == 1")
    book = load_workbook(export / "export.xlsx", read_only=True)
    rows = list(book["Pupils"].values)
    assert rows[0][0].startswith("Pupils on roll")
    assert list(rows[2]) == list(MIS_HEADINGS["pupils"].values())
    table = sheet(rows).set_index("UPN")
    first = pupils.set_index("pupil_id").loc[table.index]
    assert len(first) == len(pupils)
    assert list(table["Gender"]) == list(first["sex"].map({"male": "Boy", "female": "Girl"}))
    assert list(table["Year Group"]) == [f"Year {year}" for year in first["year_group"]]
    held = {row[0] for row in list(book["Placements"].values)[3:]}
    assert held == set(first[first["placement"] == "SRC"].index)


def test_a_workbook_tells_no_time(export, tmp_path):
    with zipfile.ZipFile(export / "export.xlsx") as parts:
        assert {part.date_time for part in parts.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert parts.read("docProps/core.xml").count(b"2026-09-01T00:00:00Z") == 2
    write_simulation("src_replication", tmp_path, form="mis", pupils=40, population=False)
    assert hashes(tmp_path) == hashes(export)


@pytest.mark.skipif(
    importlib.util.find_spec("baseeval.sources.mis") is None, reason="no reader of exports here"
)
def test_the_words_of_an_export_are_known_to_its_reader(export):
    crosswalk = importlib.import_module("baseeval.sources.mis").mis_crosswalk
    for name, headings in MIS_HEADINGS.items():
        for column, heading in headings.items():
            assert crosswalk(name).place(heading)[0] == column
    rows = list(load_workbook(export / "export.xlsx", read_only=True)["Pupils"].values)
    table = sheet(rows)
    for column in ("sex", "year_group", "sen_provision", "primary_need", "secondary_need"):
        known = {word.upper() for word in crosswalk("pupils").values[column]}
        said = set(table[MIS_HEADINGS["pupils"][column]].dropna().str.upper())
        assert said <= known


# The command -------------------------------------------------------------------------------


def test_the_command_tells_its_progress_in_plain_lines(tmp_path):
    place = tmp_path / "world"
    options = ["--form", "npd", "--areas", "12", "--pupils", "84", "--no-population"]

    done = CliRunner().invoke(app, ["simulate", "src_replication", "--out", str(place), *options])

    assert done.exit_code == 0
    lines = done.stderr.splitlines()
    assert lines[-1] == "Areas written: 12 of 12"
    assert len(lines) == 10
    assert "population" not in json.loads((place / "truth.json").read_text("utf-8"))["effects"]
    assert len(list((place / "census_spr2024").iterdir())) == 12


# Refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"form": "sql"}, "there is no form 'sql'"),
        ({"form": "mis", "areas": 2}, "this world has 2"),
        ({"form": "mis", "pupils": 1001}, "2002 pupils"),
        ({"processes": 0}, "0 are none"),
        ({"areas": 0}, "0 are none"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is(tmp_path, asked, said):
    with pytest.raises(UsageError, match=said):
        write_simulation("src_replication", tmp_path / "out", **asked)
    assert not (tmp_path / "out").exists()


def test_more_schools_than_numbers_are_refused():
    recipe = read_recipe("src_replication")
    check_numbers(recipe, 799)
    with pytest.raises(UsageError, match="three digits"):
        check_numbers(recipe, 800)
    with pytest.raises(UsageError, match="six digits"):
        check_numbers(change(recipe, schools={"non_host": 1000}), 100)
