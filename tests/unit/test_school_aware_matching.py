"""Matching that knows schools, triplets, peers and strata: small tables and known answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import baseeval
from baseeval.design.peers import match_peers
from baseeval.errors import DataError, EstimationError, UsageError
from baseeval.numerics.school_distance import nearest_schools, place_schools, summarise_schools

COVARIATES = ["prior", "fsm"]


def two_sides(
    seed: int = 0, schools: int = 6, decoys: int = 6, size: int | None = None
) -> pd.DataFrame:
    """Schools that host, a double of each that does not, and decoys unlike all of them."""
    rng = np.random.default_rng(seed)
    blocks = []
    for place in range(schools):
        pupils = size or int(rng.integers(3, 9))
        prior = rng.normal(place, 0.4, pupils)
        fsm = rng.integers(0, 2, pupils)
        for hosts, name, nudge in ((1, f"h{place}", 0.0), (0, f"n{place}", 0.01)):
            blocks.append(
                pd.DataFrame({"school": name, "hosts": hosts, "prior": prior + nudge, "fsm": fsm})
            )
    for place in range(decoys):
        prior = rng.normal(2.5, 3.0, int(rng.integers(3, 9)))
        blocks.append(
            pd.DataFrame(
                {
                    "school": f"d{place}",
                    "hosts": 0,
                    "prior": prior,
                    "fsm": rng.integers(0, 2, len(prior)),
                }
            )
        )
    table = pd.concat(blocks).sample(frac=1, random_state=seed)
    return table.set_axis([f"p{i}" for i in range(len(table))])


def paired(found: baseeval.results.Weights, table: pd.DataFrame) -> set[tuple[str, str]]:
    assert found.pairs is not None
    school = table["school"].to_numpy()
    return set(zip(school[found.pairs.first_row], school[found.pairs.second_row], strict=True))


def match_schools(table: pd.DataFrame, **settings: Any) -> baseeval.results.Weights:
    return baseeval.match(
        table, treated="hosts", covariates=COVARIATES, school="school", method="schools", **settings
    )


@pytest.mark.parametrize("cost", ["both", "pupils", "mahalanobis", "rank_mahalanobis"])
@pytest.mark.parametrize("distance", ["linear_logit", "mahalanobis"])
def test_every_school_finds_its_double(cost: str, distance: str) -> None:
    table = two_sides()
    found = match_schools(table, school_cost=cost, distance=distance)
    assert paired(found, table) == {(f"h{place}", f"n{place}") for place in range(6)}
    assert (found.weights[found.treated] == 1).all()
    assert found.pairs is not None
    prior = table["prior"].to_numpy()
    gaps = prior[found.pairs.second_row] - prior[found.pairs.first_row]
    assert_allclose(gaps, 0.01, atol=1e-9)
    # A row's set is that of its host school, and both schools of a pair are in it.
    assert found.subclass is not None
    sets = pd.DataFrame({"set": found.subclass, "school": table["school"].to_numpy()})
    in_sets = sets[sets["set"] >= 0].groupby("set")["school"].unique()
    assert {frozenset(s) for s in in_sets} == {frozenset({f"h{i}", f"n{i}"}) for i in range(6)}


def test_the_second_arm_can_be_the_target() -> None:
    table = two_sides(decoys=0)
    found = match_schools(table, estimand="ATC", distance="linear_logit")
    assert paired(found, table) == {(f"h{place}", f"n{place}") for place in range(6)}
    assert (found.weights[~found.treated] == 1).all()


def test_the_most_alike_schools_are_kept() -> None:
    table = two_sides(decoys=0, size=6)
    table.loc[table["school"].isin(["n0", "n1", "n2"]), "prior"] += 0.3
    for keep in (3, 0.5):
        found = match_schools(table, distance="mahalanobis", keep_schools=keep)
        assert paired(found, table) == {(f"h{place}", f"n{place}") for place in (3, 4, 5)}


def test_of_two_schools_equally_alike_the_one_with_more_pupils_is_kept() -> None:
    table = pd.concat([two_sides(schools=1, decoys=0, size=4), two_sides(1, 1, 0, size=9)])
    table["school"] = table["school"] + np.where(np.arange(len(table)) < 8, "s", "l")
    table.loc[table["school"].str[-1] == "l", "prior"] += 5
    found = match_schools(table, distance="mahalanobis", keep_schools=1)
    assert paired(found, table) == {("h0l", "n0l")}


def test_a_school_may_have_several_partners() -> None:
    table = two_sides(decoys=8)
    found = match_schools(table, schools_each=2, distance="mahalanobis")
    pairs = paired(found, table)
    assert {(f"h{place}", f"n{place}") for place in range(6)} <= pairs
    hosts = [host for host, _ in pairs]
    assert all(hosts.count(f"h{place}") == 2 for place in range(6))
    assert len({other for _, other in pairs}) == len(pairs)


def test_pupils_agree_exactly_and_within_the_caliper() -> None:
    table = two_sides(seed=3)
    found = baseeval.match(
        table,
        treated="hosts",
        covariates=["prior"],
        exact=["fsm"],
        school="school",
        method="schools",
        caliper={"prior": 0.5},
        caliper_unit="raw",
    )
    assert found.pairs is not None
    first, second = (table.iloc[found.pairs[name]] for name in ("first_row", "second_row"))
    assert (first["fsm"].to_numpy() == second["fsm"].to_numpy()).all()
    assert (np.abs(first["prior"].to_numpy() - second["prior"].to_numpy()) <= 0.5).all()


def test_schools_of_one_pupil_and_more_target_schools_than_others() -> None:
    table = pd.DataFrame(
        {"school": list("abcxy"), "hosts": [1, 1, 1, 0, 0], "prior": [1.0, 5.0, 9.0, 1.2, 8.5]}
    )
    found = baseeval.match(
        table,
        treated="hosts",
        covariates=["prior"],
        distance=table["prior"].to_numpy(),
        school="school",
        method="schools",
    )
    assert paired(found, table) == {("a", "x"), ("c", "y")}
    assert found.weights.tolist() == [1, 0, 1, 1, 1]
    assert found.notes == (
        "2 of 3 schools of first are paired with 2 of 2 schools of the other arm.",
        "1 of 3 of first found no partner.",
    )


def test_what_schools_cannot_be_paired_is_said() -> None:
    table = two_sides()
    shared = table.assign(school=table["school"].str[1:])
    with pytest.raises(EstimationError, match="6 of 6 schools have pupils of both arms"):
        match_schools(shared[~table["school"].str.startswith("d")])
    with pytest.raises(UsageError, match="no column that says who is in which school"):
        baseeval.match(table, treated="hosts", covariates=COVARIATES, method="schools")
    with pytest.raises(UsageError) as caught:
        match_schools(table, keep_schools=1.5, schools_each=0)
    assert {problem.where for problem in caught.value.problems} == {"keep_schools", "schools_each"}
    with pytest.raises(EstimationError, match="no pupil of the 6 schools has a match"):
        match_schools(table, caliper=1e-12)


def test_summaries_of_schools() -> None:
    columns = np.array([[1.0], [3.0], [4.0]])
    summaries = summarise_schools(columns, np.array([0, 0, 1]))
    assert_allclose(summaries, [[2, np.log(2)], [4, 0]])
    assert_allclose(summarise_schools(columns, np.array([0, 0, 1]), numbers=False), [[2], [4]])


def test_few_schools_are_placed_by_each_summary_alone() -> None:
    """Four schools and two summaries: no covariance, so distances are in standard deviations."""
    summaries = np.array([[0.0, 1.0], [2.0, 1.0], [0.0, 5.0], [2.0, 5.0]])
    places = place_schools(summaries, np.array([True, True, False, False]))
    assert_allclose(places[1] - places[0], [2, 0])
    constant = place_schools(np.ones((4, 2)), np.array([True, True, False, False]))
    assert (constant == 0).all()


def test_rank_distance_is_that_of_the_textbook() -> None:
    """Rosenbaum's recipe in full: ranks, their covariance, variances raised to those untied."""
    rng = np.random.default_rng(2)
    x = np.column_stack([rng.exponential(size=20), rng.integers(0, 2, 20), rng.normal(size=20)])
    first = np.arange(20) < 8
    ranks = pd.DataFrame(x).rank().to_numpy()
    covariance = np.cov(ranks.T)
    raised = np.sqrt(np.var(np.arange(1, 21), ddof=1) / np.diag(covariance))
    inverse = np.linalg.inv(np.diag(raised) @ covariance @ np.diag(raised))
    places = place_schools(x, first, ranked=True)
    one, other, apart = nearest_schools(places, np.arange(8), np.arange(8, 20), 12)
    gaps = ranks[one] - ranks[other]
    expected = np.sqrt(np.einsum("ij,jk,ik->i", gaps, inverse, gaps))
    assert_allclose(apart / apart[0], expected / expected[0])


def one_school_each(seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    n = 600
    school = rng.integers(0, 15, n)
    level = rng.normal(0, 0.7, 15)[school]
    prior = level + rng.normal(size=n)
    base = rng.random(n) < 1 / (1 + np.exp(1.5 - prior))
    return pd.DataFrame(
        {"school": school.astype(str), "base": base.astype(int), "prior": prior, "level": level}
    )


def test_partners_of_the_same_school_come_first() -> None:
    table = one_school_each()
    request = {"treated": "base", "covariates": ["prior"], "school": "school", "caliper": 0.2}
    plain = baseeval.match(table, **request)
    own = baseeval.match(table, **request, prefer="school")
    assert plain.pairs is not None
    assert own.pairs is not None

    def inside(pairs: pd.DataFrame) -> float:
        school = table["school"].to_numpy()
        return float(np.mean(school[pairs.first_row] == school[pairs.second_row]))

    assert inside(own.pairs) > 0.6 > 0.2 > inside(plain.pairs)
    assert len(own.pairs) > 0.9 * len(plain.pairs)
    # What schools share is balanced far better, though nobody measured it.
    level = table["level"].to_numpy()
    gaps = [
        abs(np.mean(level[made.pairs.first_row]) - np.mean(level[made.pairs.second_row]))
        for made in (plain, own)
        if made.pairs is not None
    ]
    assert gaps[1] < gaps[0] / 2
    assert any("pairs are of one school" in note for note in own.notes)


def test_a_preference_that_cannot_be_followed_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        baseeval.match(one_school_each(), treated="base", covariates=["prior"], prefer="school")
    assert {problem.where for problem in caught.value.problems} == {"school", 'prefer = "school"'}


def three_arms(seed: int = 5, n: int = 1500) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    pull = np.column_stack([0.6 * x[:, 0] - 1.5, 0.5 * x[:, 1] - 0.3 * x[:, 0], 0 * x[:, 0]])
    arm = (pull + rng.gumbel(size=pull.shape)).argmax(axis=1)
    names = np.array(["base", "host", "non"])
    return pd.DataFrame({"arm": names[arm], "prior": x[:, 0], "age": x[:, 1]})


def test_triplets_make_three_arms_alike() -> None:
    table = three_arms()
    found = baseeval.match(
        table, treated="arm", covariates=["prior", "age"], method="triplets", focal="base"
    )
    assert found.pairs is not None
    assert found.target == "base"
    rows = found.pairs[["first_row", "second_row", "third_row"]].to_numpy()
    assert (table["arm"].to_numpy()[rows] == ["base", "host", "non"]).all()
    assert len(set(rows[:, 0])) == len(rows) > 0.9 * (table["arm"] == "base").sum()
    for place in range(3):
        used = found.weights[(found.arm == place) & (found.weights > 0)]
        assert_allclose(used.mean(), 1)
        served = np.bincount(rows[:, place], minlength=len(table))
        assert_allclose(found.weights[found.arm == place] > 0, served[found.arm == place] > 0)
    for other in ("host", "non"):
        balance = baseeval.check_balance(found.between("base", other)).table
        assert balance["smd_before"].abs().max() > 0.3
        assert balance["smd_after"].abs().max() < 0.1


def test_triplets_may_be_about_any_arm_and_agree_exactly() -> None:
    table = three_arms().assign(sex=lambda t: np.where(np.arange(len(t)) % 3 == 0, "f", "m"))
    found = baseeval.match(
        table,
        treated="arm",
        covariates=["prior", "age"],
        exact=["sex"],
        method="triplets",
        focal="host",
        caliper=0.1,
    )
    assert found.pairs is not None
    assert found.target == "host"
    sex = table["sex"].to_numpy()
    assert (sex[found.pairs.first_row] == sex[found.pairs.second_row]).all()
    assert (sex[found.pairs.third_row] == sex[found.pairs.second_row]).all()
    assert not found.pairs["second_row"].duplicated().any()


def test_triplets_say_who_has_nobody_like_them() -> None:
    table = three_arms(n=300)
    with pytest.raises(EstimationError, match="has a partner in every other arm"):
        baseeval.match(
            table,
            treated="arm",
            covariates=["prior", "age"],
            method="triplets",
            focal="base",
            caliper=1e-9,
        )


def pupils(n: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(8)
    return pd.DataFrame(
        {
            "pupil_id": [f"p{i:03d}" for i in range(n)],
            "autistic": (rng.random(n) < 0.1).astype(float),
            "school": rng.integers(0, 4, n),
            "year": rng.integers(7, 10, n),
            "sex": rng.choice(["F", "M"], n),
            "prior": rng.normal(size=n),
        }
    )


@pytest.mark.parametrize("settings", [{}, {"nearest": ["prior"]}, {"ratio": 3}])
def test_peers_are_of_the_same_school_year_and_sex(settings: dict[str, Any]) -> None:
    table = pupils()
    found = match_peers(table, of="autistic", **settings).table
    again = match_peers(table.sample(frac=1, random_state=1), of="autistic", **settings).table
    pd.testing.assert_frame_equal(found, again)
    assert found["pupil_id"].is_unique
    by_id = table.set_index("pupil_id")
    peer, own = by_id.loc[found["pupil_id"]], by_id.loc[found["peer_of"]]
    for column in ("school", "year", "sex"):
        assert (peer[column].to_numpy() == own[column].to_numpy()).all()
    assert (peer["autistic"] == 0).all()
    assert (own["autistic"] == 1).all()
    assert found["peer_of"].value_counts().max() == settings.get("ratio", 1)


def test_nearest_peers_are_nearer_than_drawn_ones() -> None:
    table = pupils().set_index("pupil_id", drop=False)

    def gap(found: pd.DataFrame) -> float:
        peers, own = table.loc[found["pupil_id"]], table.loc[found["peer_of"]]
        return float(np.abs(peers["prior"].to_numpy() - own["prior"].to_numpy()).mean())

    drawn, near = (match_peers(table, of="autistic", nearest=n).table for n in ([], ["prior"]))
    assert gap(near) < gap(drawn) / 3
    constant = match_peers(table.assign(prior=1.0), of="autistic", nearest=["prior"]).table
    pd.testing.assert_frame_equal(constant, drawn)


def test_peers_that_cannot_be_had_are_counted() -> None:
    table = pupils()
    table.loc[0:4, "sex"] = None
    table.loc[5, "autistic"] = None  # neither a peer nor in want of one
    assert any("5 pupils lack a value" in note for note in match_peers(table, of="autistic").notes)
    with pytest.raises(DataError, match="1 of 401 rows"):
        match_peers(pd.concat([table, table.head(1)]), of="autistic")
    with pytest.raises(UsageError, match="something other than 1"):
        match_peers(table.assign(autistic=2), of="autistic")
    with pytest.raises(EstimationError, match="is the same as one who is to have one"):
        match_peers(table.assign(school=np.arange(len(table))), of="autistic")


def test_subclasses_stay_inside_exact_strata() -> None:
    table = one_school_each()
    table["sex"] = np.where(np.arange(len(table)) % 5 == 0, "f", "m")
    found = baseeval.match(
        table, treated="base", covariates=["prior"], exact=["sex"], method="subclass", subclasses=40
    )
    assert found.subclass is not None
    assert pd.Series(table["sex"].to_numpy()).groupby(found.subclass).nunique().eq(1).all()
    assert any("fewer subclasses than asked for" in note for note in found.notes)
    by_arm = pd.crosstab(found.subclass, table["base"].to_numpy())
    assert (by_arm >= 1).all().all()


def test_subclassification_refuses_what_arms_cannot_fill() -> None:
    table = one_school_each()
    with pytest.raises(EstimationError, match="cannot fill 50 subclasses with at least 9 of each"):
        baseeval.match(
            table,
            treated="base",
            covariates=["prior"],
            method="subclass",
            subclasses=50,
            min_per_arm=9,
        )


def test_coarsened_matching_by_hand() -> None:
    """Two bins of age and white with other: strata {0, 2, 4}, {1, 5}; 3 has no like."""
    table = pd.DataFrame(
        {
            "base": [1, 1, 0, 0, 0, 0],
            "age": [10.0, 15.0, 11.0, 10.5, 10.2, 14.0],
            "group": ["white", "black", "other", "black", "white", "black"],
        }
    )
    found = baseeval.match(
        table,
        treated="base",
        covariates=["age", "group"],
        method="cem",
        cutpoints={"age": [12]},
        grouping={"group": [["white", "other", "mixed"]]},
    )
    assert_allclose(found.weights, [1, 1, 0.75, 0, 0.75, 1.5])
    assert found.notes == (
        "2 of 3 strata hold both arms.",
        "Left out, because their stratum lacks the other arm: 0 of first, 1 of second.",
        "`grouping` of `group`: no pupil compared has `mixed`.",
    )
    with pytest.raises(UsageError) as caught:
        baseeval.match(
            table,
            treated="base",
            covariates=["age", "group"],
            method="cem",
            cutpoints={"group": 2, "years": 3},
            grouping={"age": [["a"]], "group": [["white", "black"], ["black", "other"]]},
        )
    assert len(caught.value.problems) == 4
    assert "`black` stands in more than one group" in str(caught.value)
    with pytest.raises(UsageError, match="neither how many bins nor where they end"):
        baseeval.match(
            table, treated="base", covariates=["age"], method="cem", cutpoints={"age": "some"}
        )
    with pytest.raises(EstimationError, match="none of its 6 strata holds pupils of both arms"):
        baseeval.match(table, treated="base", covariates=["age"], method="exact")


def test_one_bin_takes_a_column_out() -> None:
    table = one_school_each()
    alone = baseeval.match(
        table, treated="base", covariates=["prior"], method="cem", cutpoints={"": 4}
    )
    both = baseeval.match(
        table,
        treated="base",
        covariates=["prior", "level"],
        method="cem",
        cutpoints={"": 4, "level": 1},
    )
    assert_allclose(alone.weights, both.weights)


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("subclass", {"subclasses": 8}),
        ("cem", {}),
        ("schools", {"distance": "linear_logit"}),
        ("schools", {"school_cost": "mahalanobis"}),
        ("nearest", {"prefer": "school", "caliper": 0.2}),
    ],
)
def test_the_order_of_rows_changes_nothing(method: str, settings: dict[str, Any]) -> None:
    table = two_sides(seed=4)
    if method == "nearest":
        table = one_school_each().rename(columns={"base": "hosts", "level": "fsm"})
    school = {"school": "school"} if method in ("schools", "nearest") else {}
    weights = [
        pd.Series(
            baseeval.match(
                each, treated="hosts", covariates=COVARIATES, method=method, **school, **settings
            ).weights,
            index=each.index,
        )
        for each in (table, table.sample(frac=1, random_state=9))
    ]
    assert_allclose(weights[1].loc[table.index], weights[0], atol=1e-9)


def test_triplets_do_not_hang_on_the_order_of_rows() -> None:
    table = three_arms(n=600)
    request = {"treated": "arm", "covariates": ["prior", "age"], "method": "triplets"}
    shuffled = table.sample(frac=1, random_state=2)
    one, other = (baseeval.match(each, **request) for each in (table, shuffled))
    weights = pd.Series(other.weights, index=shuffled.index).loc[table.index]
    assert_allclose(weights, one.weights, atol=1e-9)
