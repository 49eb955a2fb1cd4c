"""What an evaluation of profiles finds, and what it must not."""

import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from good_profile import a_set
from profile_runs import export, recipe

from adapters.errors import TrainingError
from fusion.profiles.store import ProfileSet, write
from training import bootstrap, profile_forests
from training.bootstrap import Bootstrap
from training.profile_baselines import TOLD
from training.profile_calibrate import LEVELS, Chances, calibrate_chances, uncalibrated
from training.profile_describe import Describer
from training.profile_evaluate import GOALS, evaluate, photographs, rare
from training.profile_forms import Guess, Segments, Truth
from training.profile_predict import ProfilePredictor
from training.profile_report import comparison, goals
from training.profile_schema import ProfileSchema, PropertyClass
from training.profile_tables import FOUND, SYMBOLS, TRUE, Asked, Said
from training.profiles import load

pytestmark = pytest.mark.usefixtures("one_thread")
LABELS = ("Ah", "Bv", "Bt", "C", "Sw-Bv")
SCHEMA = ProfileSchema(
    height=8,
    width=8,
    depth_cm=100,
    channel_mean=(0, 0, 0),
    channel_std=(1, 1, 1),
    numbers=(),
    codes=(),
    classes=(PropertyClass(name="humus", codes=("h0", "h1", "h2"), ordinal=True),),
    labels=LABELS,
    embedding=(),
    stands_for={},
    horizons=4,
)
PROFILES = 24


def truth(profiles: int = PROFILES) -> Truth:
    draw = np.random.default_rng(0)
    bounds = np.ones((profiles, 4))
    bounds[:, 0] = draw.uniform(0.1, 0.3, profiles)
    bounds[:, 1] = draw.uniform(0.5, 0.7, profiles)
    symbol = np.full((profiles, 4), -1)
    symbol[:, 0] = 0
    symbol[:, 1] = np.where(np.arange(profiles) % 6 == 0, 4, 1)
    symbol[:, 2] = 3
    humus = np.where(symbol >= 0, symbol % 3, -1)
    return Truth(Segments.of(bounds), symbol, np.where(symbol >= 0, 0.2, np.nan), {"humus": humus})


def said_of(known: Truth, sure: float = 0.9, **wrong: np.ndarray) -> Said:
    """Who says the truth, but for what is named."""
    symbol = wrong.get("symbol", known.symbol.clip(0))
    bounds = wrong.get("bounds", known.segments.bounds)
    chances = np.full((*symbol.shape, len(LABELS)), (1 - sure) / (len(LABELS) - 1))
    np.put_along_axis(chances, symbol[..., None], sure, -1)
    humus = np.eye(3)[known.classes["humus"].clip(0)]
    own = Guess(Segments.of(bounds), chances, np.full(symbol.shape, 0.2), {"humus": humus})
    return Said(dataclasses.replace(own, segments=known.segments), own, uncalibrated())


def asked(
    known: Truth, weight: np.ndarray | None = None, cluster: np.ndarray | None = None
) -> Asked:
    every = np.arange(len(known))
    return Asked(
        truth=known,
        weight=np.ones(len(known)) if weight is None else weight,
        bootstrap=Bootstrap(every if cluster is None else cluster, 0),
        schema=SCHEMA,
        rare=np.array([False, False, True, False, True]),
    )


def test_who_says_the_truth_is_above_who_does_not_and_below_in_turn() -> None:
    known = truth()
    wrong = said_of(
        known,
        symbol=np.where(known.symbol == 1, 2, known.symbol.clip(0)),
        bounds=np.where(known.segments.bounds < 1, known.segments.bounds + 0.1, 1.0),
    )
    right = said_of(known)
    tables = asked(known).tables({"model": [right], "other": [wrong]}, finds=True)
    turned = asked(known).tables({"model": [wrong], "other": [right]}, finds=True)
    for table, score, value in (
        ("boundaries", "matched IoU", 1.0),
        ("boundaries", "boundary F1 within 2 cm", 1.0),
        ("boundaries", "error of the number of horizons", 0.0),
        (f"symbols of {TRUE}", "accuracy", 1.0),
        (f"symbols of {TRUE}", "accuracy@5", 1.0),
        (f"symbols of {TRUE}", "accuracy of main symbols", 1.0),
        (f"symbols of {TRUE}", "hierarchical distance", 0.0),
        (f"symbols of {FOUND}", "panoptic quality of labels", 1.0),
        (f"symbols of {FOUND}", "similarity by depth", 1.0),
        (f"properties of {FOUND}", "humus: accuracy", 1.0),
        (f"properties of {FOUND}", "humus: error in steps", 0.0),
        (f"properties of {TRUE}", "stones: error in % of volume", 0.0),
    ):
        assert tables[table][score]["methods"]["model"]["value"] == pytest.approx(value, abs=1e-9)
    for table, score in (
        ("boundaries", "matched IoU"),
        (f"symbols of {TRUE}", "accuracy"),
        (f"symbols of {TRUE}", "hierarchical distance"),
        (f"symbols of {FOUND}", "panoptic quality of labels"),
    ):
        verdicts = [
            made[table][score]["model_minus"]["other"]["verdict"] for made in (tables, turned)
        ]
        assert verdicts == ["the model is better", "the model is worse"]
    # Bt for Bv is another symbol and the same main symbol.
    of_wrong = tables[f"symbols of {TRUE}"]
    assert of_wrong["accuracy"]["methods"]["other"]["value"] < 0.8
    assert of_wrong["accuracy of main symbols"]["methods"]["other"]["value"] == 1
    # Rare symbols alone: Sw-Bv was named rightly.
    assert tables[f"rare symbols of {TRUE}"]["accuracy"]["methods"]["other"]["value"] == 1
    assert tables[f"rare symbols of {TRUE}"]["accuracy"]["methods"]["other"]["entries"] == 4


def test_photographs_of_a_profile_are_no_new_evidence() -> None:
    known = truth()
    symbol = np.where(np.arange(PROFILES)[:, None] < 12, known.symbol.clip(0), 2)
    model, other = said_of(known, symbol=symbol), said_of(known)
    once = asked(known).tables({"model": [model], "other": [other]}, finds=True)
    # The wrongly named profiles have five photographs each.
    rows = np.r_[np.arange(12), np.repeat(np.arange(12, PROFILES), 5)]
    weight = np.where(rows < 12, 1.0, 0.2)

    def repeated(one: Said) -> Said:
        def take(guess: Guess) -> Guess:
            classes = {"humus": guess.classes["humus"][rows]}
            segments = guess.segments.take(rows)
            return Guess(segments, guess.symbol[rows], guess.stones[rows], classes)

        return Said(take(one.true), take(one.found), one.chances)

    often = asked(known.take(rows), weight, rows).tables(
        {"model": [repeated(model)], "other": [repeated(other)]}, finds=True
    )
    for table, scores in once.items():
        for score in scores:
            a, b = (x[table][score]["methods"]["model"] for x in (once, often))
            for part in ("value", "low", "high"):
                assert a[part] == pytest.approx(b[part]), (table, score)
            assert a["clusters"] == b["clusters"]


def test_heads_that_a_model_lacks_are_in_no_table() -> None:
    known = truth()
    whole = said_of(known)

    def without(**fields: object) -> Said:
        true, found = (dataclasses.replace(g, **fields) for g in (whole.true, whole.found))
        return Said(true, found, uncalibrated())

    depths = without(symbol=None, stones=None, classes={})
    made = asked(known).tables({"model": [depths], "other": [whole]}, finds=True)
    assert list(made) == ["boundaries"]
    symbols = without(stones=None, classes={})
    made = asked(known).tables({"model": [symbols], "other": [whole]}, finds=False)
    assert set(made) == {t for t in SYMBOLS if t.endswith(TRUE)} | {"confidence"}


def test_few_clusters_give_values_without_verdicts_and_it_is_said_once() -> None:
    known = truth(3)
    made = asked(known).tables({"model": [said_of(known)], "other": [said_of(known)]}, finds=True)
    lines = comparison(made["boundaries"])
    assert lines[-1] == "No intervals and no verdicts: too few clusters."
    row = next(line for line in lines if line.startswith("| matched IoU"))
    assert row == "| matched IoU | 1.000 | 1.000 |"
    goal = {"score": "boundaries: matched IoU", "above": "other"}
    blind = goals([goal | {"outcome": "not measured: no interval"}])
    assert blind == ["None of 1 was measured: too few clusters for an interval."]
    assert goals([goal | {"outcome": "reached"}])[0].startswith("1 of 1 reached")


def test_chances_are_calibrated_and_sets_hold_what_they_say() -> None:
    draw = np.random.default_rng(1)
    known = truth(240)
    names = np.arange(240)
    # Who is right in 70 of 100 cases and says 0.99.
    wrong = draw.random(known.symbol.shape) > 0.7
    other = (known.symbol.clip(0) + draw.integers(1, 5, known.symbol.shape)) % 5
    guess = said_of(known, 0.99, symbol=np.where(wrong, other, known.symbol.clip(0))).found
    half = np.arange(120)

    def part(rows: np.ndarray) -> Guess:
        return Guess(
            guess.segments.take(rows),
            guess.symbol[rows],
            guess.stones[rows],
            {"humus": guess.classes["humus"][rows]},
        )

    chances = calibrate_chances(part(half), known.take(half), names[half])
    assert Chances.model_validate_json(chances.model_dump_json()) == chances
    rest = np.arange(120, 240)
    said = Said(chances.apply(part(rest)), chances.apply(part(rest)), chances)
    raw = Said(part(rest), part(rest), uncalibrated())
    made = asked(known.take(rest)).tables({"model": [said], "other": [raw]}, finds=True)[
        "confidence"
    ]
    errors = made["calibration error"]["methods"]
    assert errors["model"]["value"] < 0.08 < 0.2 < errors["other"]["value"]
    for level in LEVELS:
        held = made[f"share of {level:.0%} sets with the true symbol"]["methods"]["model"]
        assert held["value"] >= level - 0.05
    # One profile cannot say what nine of ten profiles do, and is never sure.
    one = calibrate_chances(part(half[:1]), known.take(half[:1]), names[:1])
    assert [at.least_chance for at in one.levels] == [None] * len(LEVELS)
    assert one.apply(part(rest)).symbol.max() < 0.95


# The whole protocol on a small set.


@pytest.fixture(scope="module", autouse=True)
def _few_trees_and_resamples() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(profile_forests, "TREES", 3)
        patch.setattr(bootstrap, "RESAMPLES", 200)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_set(tmp_path_factory.mktemp("profiles"))


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(tmp_path_factory.mktemp("runs") / "run", data)


def test_an_evaluation_is_written_with_all_baselines_and_goals(run: Path, data: Path) -> None:
    report = evaluate(run, data)
    assert json.loads((run / "evaluation.json").read_text()) == json.loads(json.dumps(report))
    text = (run / "evaluation.md").read_text()
    assert "Synthetic photographs: these numbers say nothing of real profiles." in text
    protocol, index = report["protocol"], ProfileSet(data).index
    test = index.filter(pl.col("split") == "test")
    assert protocol["photographs"]["test"] == test.height
    assert protocol["profiles"]["test"] == test["profile"].n_unique()
    for table in report["tables"].values():
        for score, found in table.items():
            names = set(found["methods"])
            assert names == {"model", *found["model_minus"]} or score.startswith("share of")
            # Sets and intervals are there only where a method has profiles enough for them.
            assert len(names) == 8 or "%" in score
    above = {(goal["score"], goal["above"]) for goal in report["goals"]}
    assert len(above) == sum(map(len, GOALS.values())) * (7 - len(TOLD))
    assert not {name for _, name in above} & set(TOLD)
    several = report["several_photographs"]
    many = test.group_by("profile").len().filter(pl.col("len") > 1)
    assert (several["profiles"], several["photographs"]) == (many.height, many["len"].sum())


def test_a_model_of_one_task_is_asked_that_alone(data: Path, tmp_path: Path) -> None:
    depths = export(tmp_path / "depths", data, tasks=("depths",))
    report = evaluate(depths, data)
    assert list(report["tables"]) == ["boundaries"]
    assert {goal["score"].split(":")[0] for goal in report["goals"]} == {"boundaries"}
    only = Describer(depths).predictor.calibration.chances
    assert only.temperature == {}
    symbols = export(tmp_path / "symbols", data, tasks=("symbols",))
    report = evaluate(symbols, data)
    assert "boundaries" not in report["tables"]
    assert not [table for table in report["tables"] if table.endswith(FOUND)]
    assert f"symbols of {TRUE}" in report["tables"]
    with pytest.raises(TrainingError, match="does not find horizons"):
        Describer(symbols)
    report = evaluate(export(tmp_path / "properties", data, tasks=("properties",)), data)
    asked = {tuple(goal["score"].split(": ", 1)) for goal in report["goals"]}
    title = f"properties of {TRUE}"
    assert asked == {(title, score) for score in GOALS[title]}


def test_another_set_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="other photographs"):
        evaluate(run, a_set(tmp_path, seed=1))


def test_a_profile_on_both_sides_is_refused(data: Path, tmp_path: Path) -> None:
    held = ProfileSet(data)
    index = held.index
    row = int(np.flatnonzero(index["split"].to_numpy() == "test")[0])
    shared = index.filter(pl.col("split") == "train")["profile"][0]
    index = index.with_columns(
        pl.when(pl.int_range(pl.len()) == row)
        .then(pl.lit(shared))
        .otherwise("profile")
        .alias("profile")
    )
    about = {k: v for k, v in held.described.items() if k not in ("checksums", "splits")}
    pairs = [(held.picture(i), held.soil(i)) for i in range(len(held))]
    leaking = write(index, pairs, tmp_path / "set", about)
    with pytest.raises(TrainingError, match="profile is on both sides"):
        evaluate(export(tmp_path / "run", leaking), leaking)


def test_rare_symbols_are_few_horizons_together(data: Path) -> None:
    dataset = load(data, recipe().dataset)
    train = photographs(dataset, dataset.rows("train"))
    found = rare(train, len(dataset.schema.labels))
    known = train.truth.symbol >= 0
    each = np.broadcast_to(train.weight[:, None], known.shape)
    counts = np.bincount(train.truth.symbol[known], each[known], len(found))
    assert 0 < counts[found].sum() <= 0.2 * counts.sum()
    assert counts[found].max() <= counts[~found].min()


def test_what_is_no_model_of_profiles_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no finished model"):
        ProfilePredictor(tmp_path)
    described = json.loads((run / "model.json").read_text())
    other = tmp_path / "other"
    shutil.copytree(run, other)
    wider = described | {"model": described["model"] | {"symbol_width": 48}}
    (other / "model.json").write_text(json.dumps(wider))
    with pytest.raises(TrainingError, match="another architecture"):
        ProfilePredictor(other)
    described["model"]["name"] = "soilformer"
    (tmp_path / "model.json").write_text(json.dumps(described))
    (tmp_path / "meta.json").write_text("{}")
    with pytest.raises(TrainingError, match="does not read photographs"):
        ProfilePredictor(tmp_path)
