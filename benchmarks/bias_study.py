"""Each design on draws of each world: its answer beside the truth, in SD of the outcome."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from baseeval.design.making import make_design
from baseeval.design.registry import DESIGNS
from baseeval.design.sample import DesignSample
from baseeval.design.settings import Settings
from baseeval.design.table_samples import table_sample
from baseeval.errors import BaseevalError
from baseeval.numerics.balance import effective_size
from baseeval.results import ARMS, CONTRASTS
from baseeval.worlds.knowing import pupil_truth
from baseeval.worlds.reading import read_recipe
from baseeval.worlds.recipe import WorldRecipe
from baseeval.worlds.simulation import plots
from baseeval.worlds.telling import Ledger

COVARIATES = ("prior", "ehcp", "cooccurring_need", "fsm", "sex")
#: Largest bias, in SD, of a design whose assumptions hold, beyond two Monte Carlo errors.
LIMIT = 0.02
#: Labels of the tidy table, in the order of ARMS.
LABELS = {"SRC": 0, "M-SRC": 1, "N-SRC": 2}


@dataclass(frozen=True)
class Ground:
    """A world as the table has it: of how many schools, pupils and areas."""

    name: str
    schools: int | None = None
    pupils: int | None = None
    areas: int | None = None
    #: Contrasts for which the covariates hold all that places pupils and schools, with overlap.
    holds: tuple[str, ...] = ()
    why: str = ""

    @property
    def title(self) -> str:
        return self.name if self.schools is None else f"{self.name}, {self.schools} schools"

    def recipe(self) -> WorldRecipe:
        recipe = read_recipe(self.name)
        if self.schools is None:
            return recipe
        counts = {"host": self.schools // 2, "non_host": self.schools - self.schools // 2}
        return recipe.model_copy(
            update={
                "schools": recipe.schools.model_copy(update=counts),
                "eligible": recipe.eligible.model_copy(update={"count": self.pupils}),
            }
        )


@dataclass(frozen=True)
class Way:
    """A design as the table has it."""

    title: str
    method: str
    settings: Settings
    #: Every arm at once, rather than two.
    all_arms: bool = False
    #: Why its weights need not recover the truth even where the world's assumptions hold.
    coarse: str = ""


_ALL, _WITHIN = tuple(CONTRASTS), ("base_vs_host",)
_QUALITY = "a school's quality, which no table shows, moves who hosts"
GROUNDS = (
    Ground("clean", schools=200, pupils=4000, holds=_ALL),
    Ground("many_schools", schools=200, pupils=5000, holds=_ALL),
    Ground("null", schools=200, pupils=4000, holds=_ALL),
    Ground("heterogeneous_bases", schools=200, pupils=4000, holds=_WITHIN, why=_QUALITY),
    Ground("spillover_only", schools=200, pupils=4000, holds=_WITHIN, why=_QUALITY),
    Ground("weak_overlap", why="few in one arm are like those in the other"),
    Ground("hidden_severity", why="a severity that no table shows places pupils"),
    Ground("misclassified", why="arms are recorded wrongly"),
    Ground("mnar", why="who answers depends on the answer"),
    Ground("local_authority", areas=1, why=f"a dozen hosts, and {_QUALITY}"),
    Ground("national", areas=2, why=_QUALITY),
    Ground("trust", why=f"a dozen schools, and {_QUALITY}"),
    Ground("src_replication", why=f"seven schools, and {_QUALITY}"),
)

_ONE_TO_ONE = "leaves out pupils who find no partner, so it is about fewer"
WAYS = (
    Way("none", "none", Settings()),
    Way("propensity (logit)", "propensity", Settings(propensity="logit")),
    Way("propensity (auto)", "propensity", Settings()),
    Way("propensity (firth)", "propensity", Settings(propensity="firth")),
    Way("propensity, all arms", "propensity", Settings(), all_arms=True),
    Way("propensity, overlap, all arms", "propensity", Settings(estimand="ATO"), all_arms=True),
    Way("entropy", "entropy", Settings()),
    Way("entropy, two moments", "entropy", Settings(moments=2)),
    Way("entropy, all arms", "entropy", Settings(), all_arms=True),
    Way("tilting", "tilting", Settings()),
    Way("cbps", "cbps", Settings()),
    Way("energy", "energy", Settings()),
    Way("stable", "stable", Settings(tolerance=0.01)),
    Way("nearest 1:1", "nearest", Settings(), coarse=_ONE_TO_ONE),
    Way(
        "nearest, replacement, caliper 0.2",
        "nearest",
        Settings(replace=True, ratio=3, caliper=0.2),
    ),
    Way("optimal 1:1", "optimal", Settings(), coarse=_ONE_TO_ONE),
    Way("full", "full", Settings()),
    Way("subclass, 6", "subclass", Settings(), coarse="six classes leave differences inside"),
    Way("subclass, 20", "subclass", Settings(subclasses=20)),
    Way("cem", "cem", Settings(), coarse="leaves out pupils whom no cell of both arms holds"),
    Way("cardinality", "cardinality", Settings(tolerance=0.02), coarse=_ONE_TO_ONE),
    Way("schools", "schools", Settings(), coarse=_ONE_TO_ONE),
    Way("triplets", "triplets", Settings(), all_arms=True, coarse=_ONE_TO_ONE),
)


def drawn(ground: Ground, seed: int) -> tuple[DesignSample, pd.DataFrame, float]:
    """Draw a world: who is in which arm, what is seen of them and what is true of them."""
    recipe = ground.recipe()
    ledger, known, seen = Ledger(recipe, seed), [], []
    for number, plot in enumerate(plots(recipe, None, ground.areas, seed)):
        area, recorded = ledger.draw(plot)
        for kept, rows in (
            (known, pupil_truth(recipe, area, plot.streams).to_pandas()),
            (seen, recorded.table.to_pandas().assign(area=number)),
        ):
            rows["pupil_id"] = f"{number}/" + rows["pupil_id"].astype(str)
            kept.append(rows)
    truth = pd.concat(known).set_index("pupil_id")
    rows = pd.concat(seen)
    rows = rows[rows["autistic"] == "yes"].drop_duplicates(["pupil_id", "wave"])
    first, last = rows[rows["wave"] == 1].copy(), rows[rows["wave"] == 3].set_index("pupil_id")
    first["school_id"] = first["area"].astype(str) + "/" + first["school_id"].astype(str)
    frame = first.set_index("pupil_id")[["school_id", "placement", *COVARIATES]].dropna()
    frame = frame.sort_values(["school_id"], kind="stable")
    arm = frame["placement"].astype(str).map(LABELS).to_numpy()
    for name in COVARIATES[1:]:
        frame[name] = frame[name].astype(str).astype("category")
    sample = table_sample(frame.assign(arm=arm), "arm", COVARIATES, school="school_id")
    sample = replace(sample, arms=ARMS, hosts=arm < 2)
    truth = truth.loc[frame.index]
    truth["seen"] = last["attainment"].reindex(frame.index)
    return sample, truth, float(ledger.truth(population=False)["standardisers"]["attainment"]["3"])


def answers(
    sample: DesignSample, truth: pd.DataFrame, sd: float, way: Way
) -> Iterator[dict[str, Any]]:
    """Give each contrast's answer by a design beside its truth, in SD."""
    spec = DESIGNS[way.method]
    if way.all_arms:
        whole = make_design(sample, way.method, spec.kind, way.settings)
    for contrast, (first, second) in CONTRASTS.items():
        places = ARMS.index(first), ARMS.index(second)
        rows = np.isin(sample.arm, places)
        if way.all_arms:
            if way.settings.estimand == "ATT" and contrast == "host_vs_non_host":
                continue
            made = whole.between(first, second, contrast)
        else:
            two = replace(
                sample.select(rows),
                arm=np.where(sample.arm[rows] == places[0], 0, 1).astype(np.intp),
                arms=(first, second),
                contrast=contrast,
                whole=lambda: sample,
            )
            try:
                made = make_design(two, way.method, spec.kind, way.settings)
            except BaseevalError:
                yield {"contrast": contrast, "failed": 1.0}
                continue
        known = truth[rows]
        y, used = known["seen"].to_numpy(), np.isfinite(known["seen"].to_numpy())
        means, sizes = [], []
        for arm in (0, 1):
            mine = used & (made.arm == arm) & (made.weights > 0)
            if not mine.any():
                break
            means.append(np.average(y[mine], weights=made.weights[mine]))
            sizes.append(effective_size(made.weights[mine]))
        if len(means) < 2:
            yield {"contrast": contrast, "failed": 1.0}
            continue
        gain = truth[f"attainment_3_{first}"] - truth[f"attainment_3_{second}"]
        right = np.average(gain, weights=_whom(way, sample, truth, contrast))
        yield {
            "contrast": contrast,
            "failed": 0.0,
            "error": (means[0] - means[1] - right) / sd,
            "first": sizes[0],
            "second": sizes[1],
            "share": float(np.mean(made.weights[made.arm == 0] > 0)),
        }


def _whom(way: Way, sample: DesignSample, truth: pd.DataFrame, contrast: str) -> np.ndarray:
    """Return how much each pupil counts in the truth that a design is after."""
    if way.settings.estimand == "ATT":
        focal = "base" if way.all_arms else CONTRASTS[contrast][0]
        return (sample.arm == ARMS.index(focal)).astype(float)
    arms = ARMS if way.all_arms else CONTRASTS[contrast]
    chance = truth[[f"probability_{arm}" for arm in arms]].to_numpy()
    return {"ATE": chance.sum(axis=1), "ATO": 1 / (1 / chance).sum(axis=1)}[way.settings.estimand]


def one_draw(ground: Ground, seed: int, titles: tuple[str, ...]) -> list[dict[str, Any]]:
    """Give every design's answers on one draw."""
    sample, truth, sd = drawn(ground, seed)
    rows = []
    for way in WAYS:
        if way.title not in titles or way.method not in DESIGNS:
            continue
        told = {"world": ground.title, "design": way.title, "seed": seed}
        try:
            rows += [told | row for row in answers(sample, truth, sd, way)]
        except BaseevalError:
            rows += [told | {"contrast": contrast, "failed": 1.0} for contrast in CONTRASTS]
    return rows


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """Give bias, its Monte Carlo error and effective sizes by world, contrast and design."""
    by = rows.groupby(["world", "contrast", "design"], sort=False)
    out = by.agg(
        bias=("error", "mean"),
        error=("error", lambda e: e.std(ddof=1) / np.sqrt(max(e.count(), 1))),
        rmse=("error", lambda e: float(np.sqrt(np.mean(e**2)))),
        n_effective_first=("first", "mean"),
        n_effective_second=("second", "mean"),
        target_kept=("share", "mean"),
        failed=("failed", "mean"),
    ).reset_index()
    plain = out[out["design"] == "none"].set_index(["world", "contrast"])["bias"]
    out["unadjusted"] = plain.reindex(pd.MultiIndex.from_frame(out[["world", "contrast"]])).array
    holds = {g.title: g.holds for g in GROUNDS}
    coarse = {w.title: bool(w.coarse) or w.method == "none" for w in WAYS}
    out["assumed"] = [
        c in holds[w] and not coarse[d]
        for w, c, d in zip(out["world"], out["contrast"], out["design"], strict=True)
    ]
    out["missed"] = out["assumed"] & (
        (out["bias"].abs() > LIMIT + 2 * out["error"]) | out["bias"].isna()
    )
    return out


def collected(
    grounds: tuple[Ground, ...], titles: tuple[str, ...], draws: int, workers: int
) -> pd.DataFrame:
    """Give every answer of every draw."""
    tasks = [(ground, seed, titles) for ground in grounds for seed in range(1, draws + 1)]
    with ProcessPoolExecutor(workers) as pool:
        found = list(pool.map(one_draw, *zip(*tasks, strict=True)))
    return pd.DataFrame([row for rows in found for row in rows])
