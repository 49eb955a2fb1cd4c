"""How well a model describes profiles that it never saw, beside answers that need no network.

Belongs here: the protocol: which photographs, which methods, which goals. Never here: tables and
their scores (`training.profile_tables`), baselines, words.

All photographs of the test split are asked about: profiles in other places than those that moved a
weight. A method is asked twice: of the true segments, and of those that it finds itself. Chances of
all methods are calibrated in the same way on the calibration split.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from adapters.errors import TrainingError
from training.bootstrap import LEAST_CLUSTERS, MODEL, RESAMPLES, Bootstrap
from training.profile_baselines import TOLD, baselines
from training.profile_calibrate import calibrate_chances, uncalibrated
from training.profile_colours import colours
from training.profile_constants import Codes, Photographs
from training.profile_forms import Segments, Truth
from training.profile_predict import ProfilePredictor, answers, batches, has_depths, truth_of
from training.profile_report import readable
from training.profile_scores import matched_iou
from training.profile_tables import FOUND, TRUE, Asked, Said
from training.profiles import ProfileDataset, load
from training.recipe import Recipe
from training.runs import fingerprint, write_atomically, write_json

RARE_SHARE = 0.2
"""The rarest symbols that together name at most this share of the training horizons are rare."""
GOALS: dict[str, tuple[str, ...]] = {
    "boundaries": ("matched IoU", "boundary F1 within 5 cm"),
    f"properties of {TRUE}": (
        "texture: accuracy",
        "colour: accuracy",
        "carbonate: error in steps",
        "humus: error in steps",
        "roots: error in steps",
        "stones: error in % of volume",
    ),
    f"symbols of {TRUE}": (
        "accuracy",
        "accuracy of main symbols",
        "matched F1 of labels",
        "hierarchical distance",
    ),
    f"symbols of {FOUND}": ("panoptic quality of labels", "similarity by depth"),
}
"""Tables and scores in which the model should be above every baseline."""
_SEED = 5
_PARTS = 64


def evaluate(run: Path, data: Path) -> dict:
    """Measure a run; writes `evaluation.json` and `evaluation.md` into it.

    Args:
        run: Folder of a finished run.
        data: The version of the profile set that it was trained on.

    Returns:
        Content of `evaluation.json`.

    Raises:
        TrainingError: The run is not finished or was trained on other photographs, a profile is on
            both sides, or no photograph is held back.
    """
    predictor = ProfilePredictor(run)
    described = json.loads((run / "meta.json").read_text(encoding="utf-8"))
    if fingerprint(data, "profiles") != described["data"]["fingerprint"]:
        raise TrainingError(
            "the run was trained on other photographs: those held back here may be among them",
            file=str(data),
            remedy=f"use version {described['data']['version']}, or train again",
        )
    dataset = load(data, Recipe.model_validate(described["recipe"]).dataset)
    if dataset.schema != predictor.schema:
        raise TrainingError(
            "the run standardised its photographs otherwise than this code does",
            file=str(run),
            remedy="train again",
        )
    report = {
        "origin": described["origin"],
        "data": described["data"],
        "recipe": described["recipe"]["name"],
        "code_version": described["code_version"],
        **measure(predictor, dataset),
    }
    write_json(run / "evaluation.json", report)
    write_atomically(run / "evaluation.md", readable(report))
    return report


def measure(predictor: ProfilePredictor, dataset: ProfileDataset) -> dict:
    """All scores of a model on the test split, beside the baselines.

    Raises:
        TrainingError: A profile is on both sides, or no photograph is held back.
    """
    test = prepared(dataset)
    model = model_says(predictor, dataset, test.rows["test"])
    said = {MODEL: [model], **baselines_say(dataset, test)}
    tables = test.asked.tables(said, finds=has_depths(predictor.model))
    report = {
        "protocol": _protocol(dataset, test) | {"tasks": predictor.model.config.tasks},
        "tables": tables,
        "goals": reached(tables),
    }
    names = _profiles(dataset, test.rows["test"])
    if len(np.unique(names)) < len(names):
        report["several_photographs"] = test.asked.several(model, names)
    return report


def reached(tables: dict[str, dict]) -> list[dict]:
    """Each baseline against the model, in each headline score.

    A goal is reached where the model is better and the two intervals are apart.
    """
    goals = []
    for table, score in ((table, score) for table, names in GOALS.items() for score in names):
        found = tables.get(table, {}).get(score)
        if found is None:
            continue
        model = found["methods"][MODEL]
        for name, difference in found["model_minus"].items():
            if name not in TOLD:
                outcome = _outcome(model, found["methods"][name], difference["verdict"])
                goals.append({"score": f"{table}: {score}", "above": name, "outcome": outcome})
    return goals


@dataclass(frozen=True)
class Prepared:
    """A data set ready to be asked about.

    Attributes:
        rows: By split.
        sides: What is known of each split that has photographs.
        asked: The test split.
    """

    rows: dict[str, np.ndarray]
    sides: dict[str, Photographs]
    asked: Asked


def prepared(dataset: ProfileDataset) -> Prepared:
    """Make a data set ready.

    Raises:
        TrainingError: A profile is on both sides, or no photograph is held back.
    """
    rows = {name: dataset.rows(name) for name in ("train", "calibration", "test")}
    _require_apart(dataset, rows)
    sides = {name: photographs(dataset, part) for name, part in rows.items() if len(part)}
    cluster = dataset.profiles.index["cluster"].to_numpy()[rows["test"]]
    asked = Asked(
        truth=sides["test"].truth,
        weight=sides["test"].weight,
        bootstrap=Bootstrap(cluster, _SEED, "profiles that were held back"),
        schema=dataset.schema,
        rare=rare(sides["train"], len(dataset.schema.labels)),
    )
    return Prepared(rows, sides, asked)


def photographs(dataset: ProfileDataset, rows: np.ndarray) -> Photographs:
    """What baselines may know of rows of a data set, at least one."""
    truth, site, colour = [], [], []
    for batch in batches(dataset, rows):
        truth.append(truth_of(batch))
        numbers = np.where(batch["site_known"], batch["site_numbers"], np.nan)
        codes = [
            batch["site_codes"][:, [place]].numpy() == np.arange(len(told.codes))
            for place, told in enumerate(dataset.schema.codes)
        ]
        site.append(np.concatenate([numbers, *codes], 1))
    for start in range(0, len(rows), _PARTS):
        part = rows[start : start + _PARTS]
        colour.append(colours(dataset.profiles.pictures[part], dataset.profiles.soils[part]))
    _, place, many = np.unique(_profiles(dataset, rows), return_inverse=True, return_counts=True)
    return Photographs(
        Truth.joined(truth), np.concatenate(site), np.concatenate(colour), 1 / many[place]
    )


def rare(train: Photographs, labels: int) -> np.ndarray:
    """(labels,) bool: the rarest ones, which together name few of the training horizons."""
    known = train.truth.symbol >= 0
    each = np.broadcast_to(train.weight[:, None], known.shape)
    counts = np.bincount(train.truth.symbol[known], each[known], labels)
    order = np.argsort(counts, kind="stable")
    found = np.zeros(labels, bool)
    found[order[counts[order].cumsum() <= RARE_SHARE * counts.sum()]] = True
    return found


def _profiles(dataset: ProfileDataset, rows: np.ndarray) -> np.ndarray:
    return dataset.profiles.index["profile"].to_numpy()[rows]


def model_says(predictor: ProfilePredictor, dataset: ProfileDataset, rows: np.ndarray) -> Said:
    """What a model says of rows of a data set."""
    chances = predictor.calibration.chances
    true, found = (
        chances.apply(answers(predictor.model, dataset, rows, true_segments=given))
        for given in (True, False)
    )
    return Said(true, found, chances)


def baselines_say(dataset: ProfileDataset, test: Prepared) -> dict[str, list[Said]]:
    """What each baseline says of the test split, calibrated as a model is."""
    schema, sides = dataset.schema, test.sides
    codes = Codes(len(schema.labels), {c.name: len(c.codes) for c in schema.classes})
    said = {}
    for name, baseline in baselines(sides["train"], codes, _agreement, _SEED).items():
        chances = uncalibrated()
        if (held := sides.get("calibration")) is not None:
            names = _profiles(dataset, test.rows["calibration"])
            chances = calibrate_chances(baseline(held), held.truth, names)
        asked = sides["test"]
        true, found = baseline(asked, asked.truth.segments), baseline(asked)
        said[name] = [Said(chances.apply(true), chances.apply(found), chances)]
    return said


def _agreement(truth: Segments, guess: Segments) -> np.ndarray:
    nothing = np.zeros(truth.bounds.shape, int)
    return matched_iou(truth.named(nothing), guess.named(nothing))


def _require_apart(dataset: ProfileDataset, rows: dict[str, np.ndarray]) -> None:
    place = f"{len(dataset.split)} photographs"
    if not len(rows["test"]):
        raise TrainingError(
            "no photograph is held back", where=place, remedy="profiles in more places are needed"
        )
    index = dataset.profiles.index
    for column in ("profile", "block"):
        names = index[column].to_numpy()
        if both := set(names[rows["train"]]) & set(names[rows["test"]]):
            raise TrainingError(
                f"a {column} is on both sides of the split",
                where=place,
                samples=sorted(both),
                remedy="write the set again, so that its splits are made anew",
            )


def _protocol(dataset: ProfileDataset, test: Prepared) -> dict:
    labels, rows, asked = dataset.schema.labels, test.rows, test.asked
    horizons = dataset.profiles.index["horizons"].gather(rows["test"]).explode()
    symbols = horizons.struct.field("symbol").drop_nulls()
    known = symbols.is_in([*labels, *dataset.schema.stands_for])
    return {
        "photographs": {name: len(part) for name, part in rows.items()},
        "profiles": {name: len(np.unique(_profiles(dataset, part))) for name, part in rows.items()},
        "clusters": asked.bootstrap.clusters,
        "labels": len(labels),
        "horizons": len(symbols),
        "unseen_symbols": sorted(symbols.filter(~known).unique()),
        "horizons_of_unseen_symbols": int((~known).sum()),
        "rare_labels": [label for label, few in zip(labels, asked.rare, strict=True) if few],
        "rare_share": RARE_SHARE,
        "told": list(TOLD),
        "interval": f"95 %, {RESAMPLES} resamples of clusters of profiles; none of fewer than "
        f"{LEAST_CLUSTERS} clusters",
    }


def _outcome(model: dict, other: dict, said: str | None) -> str:
    if said is None:
        return "not measured: no interval"
    if said != "the model is better":
        return "missed: the model is worse" if "worse" in said else f"missed: {said}"
    apart = model["low"] > other["high"] or model["high"] < other["low"]
    return "reached" if apart else "missed: better, but the intervals overlap"
