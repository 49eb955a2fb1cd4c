"""Probes, retrieval, floors and changed sensors: what they must find, and what they must not."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from few_tiles import export_untrained, planted_tile, write_planted
from good_tile import good_tile

from adapters.errors import TrainingError
from adapters.modalities import modality
from fusion.tiles.store import TileSet
from training import geomeld_evaluate, probes, retrieval, sensors
from training.bootstrap import LEAST_CLUSTERS, Bootstrap, ratio, verdict
from training.floors import BandStatistics, Pixels, RandomKernels
from training.tile_features import TileEncoder
from training.tile_schema import TileModality, TileSchema

S2 = modality("sentinel2").names
SCHEMA = TileSchema(
    modalities=(
        TileModality(
            id="sentinel2", kind="map", bands=S2, size=128, mean=(0.1,) * 12, std=(0.2,) * 12
        ),
    ),
    patch=16,
    caption_width=0,
)
BLOCKS = np.repeat(np.arange(20), 10)
SEEDS = range(3)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_planted(tmp_path_factory.mktemp("tiles"), 16)


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_untrained(tmp_path_factory.mktemp("runs") / "run", data)


# Scores, by hand.


def test_scores_of_a_confusion_by_hand() -> None:
    truth = np.array([[10, 10, 40, 40], [40, 40, 80, -1]])
    guess = np.array([[10, 40, 40, 40], [40, 10, 40, 10]])
    parts = probes.confusion(truth, guess, np.array([10, 40, 80]))
    assert parts.shape == (2, 3, 3)
    assert parts.sum((1, 2)).tolist() == [4, 3]  # what has no class is left out
    both = parts.sum(0, keepdims=True)
    assert both[0].tolist() == [[1, 1, 0], [1, 3, 0], [0, 1, 0]]
    assert probes.accuracy(both)[0] == pytest.approx(4 / 7)
    assert probes.mean_recall(both)[0] == pytest.approx((1 / 2 + 3 / 4 + 0) / 3)
    assert probes.mean_iou(both)[0] == pytest.approx((1 / 3 + 3 / 6 + 0) / 3)
    # A class that never occurs is no part of the mean, though it was guessed.
    assert probes.mean_iou(parts)[0] == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert np.isnan(probes.accuracy(np.zeros((1, 3, 3))))[0]


def test_an_interval_needs_clusters_with_entries_and_holds_the_value() -> None:
    cluster = np.arange(LEAST_CLUSTERS + 2)
    parts = np.stack([np.arange(len(cluster)) % 2, np.ones(len(cluster))], axis=1)
    enough = Bootstrap(cluster, 1).measure(parts, parts[:, 1], ratio)
    assert enough["low"] < enough["value"] < enough["high"]
    parts[LEAST_CLUSTERS - 1 :, :] = 0
    few = Bootstrap(cluster, 1).measure(parts, parts[:, 1], ratio)
    assert few["low"] is None
    assert few["clusters"] == LEAST_CLUSTERS - 1
    assert few["value"] == pytest.approx(0.5)
    unknown = {"value": 0.5, "low": np.nan, "high": np.nan}
    assert verdict(unknown, better_low=False) is None


def test_recall_by_hand_and_ties_are_shared() -> None:
    similarity = np.array(
        [
            [0.9, 0.1, 0.2, 0.3],  # first
            [0.5, 0.4, 0.6, 0.1],  # third
            [0.7, 0.2, 0.7, 0.7],  # one of three equals
            [0.3, 0.3, 0.3, 0.3],  # one of four equals
        ]
    )
    found = retrieval.found(similarity, (1, 2, 3))
    expected = [[1, 1, 1], [0, 0, 1], [1 / 3, 2 / 3, 1], [1 / 4, 2 / 4, 3 / 4]]
    assert found == pytest.approx(np.array(expected))
    assert retrieval.chance(4, (1, 2, 10)) == [0.25, 0.5, 1.0]
    blind = retrieval.found(np.zeros((8, 8)), (1, 5))
    assert blind.mean(0) == pytest.approx(retrieval.chance(8, (1, 5)))
    with pytest.raises(ValueError, match="not a number"):
        retrieval.found(np.full((2, 2), np.nan))
    with pytest.raises(ValueError, match="the same"):
        retrieval.found(np.zeros((2, 3)))


# Probes find what is planted, and nothing in noise.


def _accuracy(fit, features: np.ndarray, labels: np.ndarray) -> float:  # noqa: ANN001
    train = BLOCKS < 14
    guess = fit(features[train], labels[train], BLOCKS[train])(features[~train])
    return float((guess == labels[~train]).mean())


PROBES = {
    "neighbours": lambda x, y, _: probes.neighbours(x, y),
    "logistic": probes.logistic,
}


@pytest.mark.parametrize("probe", PROBES)
def test_a_probe_finds_a_planted_signal_and_none_in_noise(probe: str) -> None:
    found, nothing = [], []
    for seed in SEEDS:
        draw = np.random.default_rng(seed)
        labels = draw.choice(["crops", "grass", "trees"], len(BLOCKS))
        noise = draw.normal(size=(len(BLOCKS), 12))
        planted = noise.copy()
        planted[:, :3] += 4.0 * (labels[:, None] == np.unique(labels))
        # A shift and a gain of one feature must not drown the others.
        planted[:, 11] = 1e4 + 1e3 * planted[:, 11]
        found.append(_accuracy(PROBES[probe], planted, labels))
        nothing.append(_accuracy(PROBES[probe], noise, labels))
    assert min(found) > 0.9
    # 180 guesses at a chance of 1/3 deviate by 0.035.
    assert abs(np.mean(nothing) - 1 / 3) < 0.1


def test_features_that_say_the_block_help_where_blocks_are_shared_and_not_where_they_are_new() -> (
    None
):
    leaked, new = [], []
    for seed in range(8):
        draw = np.random.default_rng(seed)
        labels = draw.permutation(["a", "b"] * 10)[BLOCKS]
        position = draw.normal(size=(20, 8))[BLOCKS] + 0.01 * draw.normal(size=(len(BLOCKS), 8))
        half = draw.permutation(len(BLOCKS)) < 100
        guess = probes.neighbours(position[half], labels[half])(position[~half])
        leaked.append((guess == labels[~half]).mean())
        new.append(_accuracy(PROBES["neighbours"], position, labels))
    assert min(leaked) > 0.9
    # 48 blocks at a chance of 1/2 deviate by 0.07.
    assert np.mean(new) < 0.7


def test_what_is_said_of_a_row_does_not_depend_on_who_else_is_asked() -> None:
    """Scales, directions and penalties are of the training rows alone."""
    draw = np.random.default_rng(3)
    x, labels = draw.normal(size=(len(BLOCKS), 12)), draw.choice(["a", "b", "c"], len(BLOCKS))
    captions = draw.normal(size=(len(BLOCKS), 6))
    asked = np.concatenate([x[:9], 2 + 3 * draw.normal(size=(40, 12))])
    tokens = x.reshape(-1, 2, 2, 12)[:40]
    cover = draw.integers(0, 2, (40, 8, 8))
    segment = probes.Segmenter([tokens], cover, np.arange(40))
    among = asked[:48].reshape(-1, 2, 2, 12)
    answers = [
        (probes.neighbours(x, labels), asked),
        (probes.logistic(x, labels, BLOCKS), asked),
        (lambda rows: retrieval.linear_map(x, captions, BLOCKS, rows), asked),
        (segment, among),
    ]
    for answer, rows in answers:
        together = answer(rows)
        for place in range(2 if answer is segment else 9):
            alone = answer(rows[place : place + 1])
            if alone.dtype.kind == "f":
                np.testing.assert_allclose(alone[0], together[place], atol=1e-9)
            else:
                np.testing.assert_array_equal(alone[0], together[place])


def test_folds_hold_whole_blocks() -> None:
    fold = probes.folds(BLOCKS)
    assert {len(np.unique(fold[block == BLOCKS])) for block in range(20)} == {1}
    assert sorted(np.bincount(fold).tolist()) == [60, 70, 70]
    assert probes.folds(np.array(["one", "one"])).tolist() == [0, 0]


def test_a_single_class_is_guessed_and_equal_votes_go_to_the_nearer() -> None:
    features = np.random.default_rng(0).normal(size=(6, 3))
    one = probes.logistic(features, np.array(["a"] * 6), np.arange(6))
    assert one(features).tolist() == ["a"] * 6
    near = np.array([[1.0, 0.0], [0.9, 0.4], [-1.0, 0.1], [-0.8, -0.6]])
    guess = probes.neighbours(near, np.array(["b", "b", "a", "a"]))
    assert guess(near[:1]).tolist() == ["b"]
    assert guess(near[2:3]).tolist() == ["a"]


def test_segmentation_finds_classes_within_positions_and_nothing_in_noise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    draw = np.random.default_rng(0)
    side = draw.integers(0, 2, (24, 4, 4))  # which half of each position is water
    labels = np.zeros((24, 16, 16), int)
    cut = labels.reshape(24, 4, 4, 4, 4)
    cut[:, :, :2] = side[:, :, None, :, None]
    cut[:, :, 2:] = 1 - side[:, :, None, :, None]
    labels = np.where(labels == 1, 80, 40)
    tokens = draw.normal(size=(24, 4, 4, 5))
    tokens[..., 2] += 6.0 * side
    blocks = np.arange(24)
    train = blocks < 16
    labels[0, 0, 0] = -1  # one position that is not labelled whole
    parts = [tokens[train][:7], tokens[train][7:]]
    segment = probes.Segmenter(parts, labels[train], blocks[train])
    assert (segment(tokens[~train]) == labels[~train]).mean() > 0.97
    monkeypatch.setattr(probes, "POSITIONS", 100)
    few = probes.Segmenter(parts, labels[train], blocks[train])
    assert (few(tokens[~train]) == labels[~train]).mean() > 0.9
    assert 0 < few.learnt_from < 150 < segment.learnt_from == 255
    blind = probes.Segmenter([draw.normal(size=tokens[train].shape)], labels[train], blocks[train])
    assert (blind(draw.normal(size=tokens.shape)[~train]) == labels[~train]).mean() < 0.6
    labels[:, ::4, ::4] = -1
    with pytest.raises(ValueError, match="labelled whole"):
        probes.Segmenter([tokens], labels, blocks)


def test_a_linear_map_finds_captions_that_features_tell_and_chance_in_noise() -> None:
    draw = np.random.default_rng(0)
    captions = draw.normal(size=(60, 12))
    captions /= np.linalg.norm(captions, axis=1, keepdims=True)
    blocks, train = np.arange(60) // 4, np.arange(60) < 40
    told = captions @ draw.normal(size=(12, 30)) + 0.01 * draw.normal(size=(60, 30))
    for features, low, high in ((told, 0.9, 1.0), (draw.normal(size=(60, 30)), 0.0, 0.4)):
        mapped = retrieval.linear_map(
            features[train], captions[train], blocks[train], features[~train]
        )
        hits = retrieval.found(mapped @ captions[~train].T, (1, 5)).mean(0)
        assert low <= hits[0] <= high


# Floors.


def test_band_statistics_by_hand_and_absence_is_not_zero() -> None:
    tile = planted_tile(0, 10.0, 50.0)
    bands, mask = tile.arrays["sentinel2"].copy(), tile.present["sentinel2"].copy()
    mask[3, :16, :8] = False
    bands[3, :16, :8] = np.nan
    mask[5] = False
    bands[5] = np.nan
    holed = dataclasses.replace(
        tile,
        arrays=tile.arrays | {"sentinel2": bands},
        present=tile.present | {"sentinel2": mask},
    )
    [(maps, whole)] = BandStatistics(SCHEMA).features([holed])
    # Of positions of two pixels, then of patches of 16.
    assert maps.shape == (1, 64, 64, 72)
    z = (bands[3, :16, 8:16].astype(float) - 0.1) / 0.2
    first = maps[0, 0, 0]
    assert first[[39, 51, 63]] == pytest.approx([z.mean(), z.std(), 0.5], rel=1e-4)
    assert first[[3, 15, 27]].tolist() == [0, 0, 0]
    assert first[[5, 17, 29, 41, 53, 65]].tolist() == [0] * 6
    four = (bands[3, 2:4, 12:14].astype(float) - 0.1) / 0.2
    near = maps[0, 1, 6]
    assert near[[3, 15, 27]] == pytest.approx([four.mean(), four.std(), 1], rel=1e-3)
    assert near[36:].tolist() == first[36:].tolist()
    there = (bands[3][mask[3]].astype(float) - 0.1) / 0.2
    assert whole[0, [3, 15]] == pytest.approx([there.mean(), there.std()], rel=1e-3)
    assert maps[0, 63, 63, 36] == pytest.approx((bands[0, 112:, 112:].mean() - 0.1) / 0.2, rel=1e-3)


@pytest.mark.parametrize(
    "floor", [BandStatistics(SCHEMA), RandomKernels(SCHEMA, 1), Pixels(SCHEMA)]
)
def test_floors_do_not_read_what_is_absent(floor) -> None:  # noqa: ANN001
    tile = good_tile(1)
    other = tile.arrays["sentinel2"].copy()
    other[~tile.present["sentinel2"]] = 1e9
    changed = dataclasses.replace(tile, arrays=tile.arrays | {"sentinel2": other})
    [found], [same] = floor.features([tile]), floor.features([changed])
    for one, two in zip(found, same, strict=True):
        assert np.isfinite(one).all()
        assert np.array_equal(one, two)


def test_random_kernels_are_those_of_their_seed() -> None:
    tile = [planted_tile(1, 10.0, 50.0)]
    one, same, other = (next(RandomKernels(SCHEMA, n).features(tile))[1] for n in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.allclose(one, other)


# Changed sensors.


def test_changes_of_sensors_by_hand() -> None:
    tile, other = good_tile(0), good_tile(3)
    gone = sensors.without(tile, "sentinel1")
    assert not gone.present["sentinel1"].any()
    assert tile.present["sentinel1"].any()  # the tile itself is left alone
    camera = sensors.without(tile, "sentinel2", [b for b in S2 if b not in sensors.CAMERA])
    assert [b for b, there in zip(S2, camera.band_present("sentinel2"), strict=True) if there] == [
        "B2",
        "B3",
        "B4",
    ]
    taken = sensors.taken(tile, other, "relief")
    assert np.array_equal(taken.arrays["relief"], other.arrays["relief"])
    turned = sensors.exchanged(tile, "sentinel1")
    assert turned.band_present("sentinel1").tolist() == [False] * 4 + [True] * 2 + [False] * 2
    assert np.array_equal(turned.arrays["sentinel1"][5], tile.arrays["sentinel1"][1])
    values, mask = sensors.calibrated(tile, "sentinel2", 1.1, 0.02)
    there = tile.present["sentinel2"]
    assert np.array_equal(mask, there)
    assert np.allclose(values[there], tile.arrays["sentinel2"][there] * 1.1 + 0.02)


def test_coarser_pixels_are_means_of_what_is_present() -> None:
    tile = good_tile(0)
    array, mask = tile.arrays["sentinel2"].copy(), tile.present["sentinel2"].copy()
    mask[0, :4, :4] = False
    mask[0, 4:8, :4] = np.eye(4, dtype=bool)
    array[~mask] = np.nan
    holed = dataclasses.replace(
        tile,
        arrays=tile.arrays | {"sentinel2": array},
        present=tile.present | {"sentinel2": mask},
    )
    values, there = sensors.coarser(holed, "sentinel2", 4)
    assert not there[0, :4, :4].any()
    assert there[0, 4:8, :4].all()
    assert values[0, 4:8, :4] == pytest.approx(np.diag(array[0, 4:8, :4]).mean(), rel=1e-5)
    assert values[1, :4, :4] == pytest.approx(array[1, :4, :4].mean(), rel=1e-5)


@pytest.mark.parametrize("inputs", [("sentinel2",), ("sentinel2", "sentinel1", "relief")])
def test_every_change_gives_a_sound_tile_and_no_two_are_alike(inputs: tuple[str, ...]) -> None:
    listed = sensors.changes(inputs)
    assert len({(change.sensor, change.what) for change in listed}) == len(listed)
    tiles = [good_tile(0), good_tile(1)]
    for change in listed:
        first = geomeld_evaluate.applied(change, tiles)[0]
        different = [
            name
            for name in tiles[0].arrays
            if not np.array_equal(first.present[name], tiles[0].present[name])
            or not np.array_equal(
                np.where(first.present[name], first.arrays[name], 0),
                np.where(tiles[0].present[name], tiles[0].arrays[name], 0),
            )
        ]
        assert different, change.what
        if change.sensor != sensors.ALL:
            assert different == [change.sensor]
    few = sensors.few_changes(inputs)
    assert [change.what for change in few[:-1]] == [sensors.ABSENT] * len(inputs)
    assert few[-1].sensor == sensors.ALL


def test_a_stretched_tile_takes_its_land_cover_along() -> None:
    tile = good_tile(0)
    nearer = sensors.changes(("sentinel2",))[-1].apply(tile, tile)
    cover = geomeld_evaluate.codes(nearer)
    assert np.array_equal(cover[::2, ::2], geomeld_evaluate.codes(tile)[32:96, 32:96])


# Truth.


def test_a_tile_of_too_few_labelled_pixels_has_no_dominant_class() -> None:
    cover = np.full((4, 4), -1)
    cover[:2] = 40
    assert geomeld_evaluate.dominant(cover) == "cropland"
    cover[0, 0] = -1
    assert geomeld_evaluate.dominant(cover) == ""


# The whole of it.


def test_a_run_is_measured_beside_floors(
    run: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def embedded(captions: list[str | None], _: Path) -> np.ndarray:
        kinds = {None: 0, "Trees beside water.": 1, "Crops beside water.": 2}
        return np.eye(384, dtype=np.float32)[[kinds[caption] for caption in captions]]

    monkeypatch.setattr(geomeld_evaluate, "caption_embeddings", embedded)
    report = geomeld_evaluate.evaluate(run, data)
    assert json.loads((run / "evaluation.json").read_text()) == report
    assert report["protocol"]["held_tiles"] == report["protocol"]["held_blocks"] > 1
    assert set(report["tiles"]) == {
        "dominant land cover",
        "soil: ph_h2o above the median",
    }
    methods = report["tiles"]["dominant land cover"]["logistic"]["accuracy"]["methods"]
    assert set(methods) == {"model", *geomeld_evaluate.FLOORS}
    assert methods["band statistics"]["value"] == 1.0
    pixels = report["segmentation"]["mean IoU"]["methods"]
    assert set(pixels) == {"model", *geomeld_evaluate.FLOORS, "single pixels"}
    asked = {goal["above"] for goal in report["goals"] if goal["score"].endswith("mean IoU")}
    assert asked == set(pixels) - {"model"}
    assert pixels["single pixels"]["value"] > pixels["commonest class"]["value"]
    # Two captions for all tiles: chance shares what equals are found by.
    held = report["retrieval"]["candidates"]
    way = report["retrieval"]["tile to caption"]["R@1"]["band statistics"]["value"]
    assert 1 / held <= way <= 0.75
    assert report["sensors"][0]["pixels"]["kept"]["value"] == 1.0
    assert [row["sensor"] for row in report["sensors"]] == [
        "-",
        "sentinel2",
        sensors.ALL,
    ]
    text = (run / "evaluation.md").read_text()
    assert "these numbers say nothing of real places" in text
    assert f"of {len(report['goals'])} reached" in text
    assert {goal["outcome"].split(":")[0] for goal in report["goals"]} <= {
        "reached",
        "missed",
        "not measured",
    }


def test_blocks_are_resampled_and_not_tiles(
    run: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tiles of one block know each other: of two blocks there is no interval."""
    some_vectors = np.random.default_rng(0).normal(size=(16, 384)).astype(np.float32)
    monkeypatch.setattr(geomeld_evaluate, "caption_embeddings", lambda *_: some_vectors)
    tiles = TileSet(data)
    tiles.index = tiles.index.with_columns(
        split=pl.Series(["train"] * 10 + ["test"] * 6),
        block=pl.Series([f"of training {i}" for i in range(10)] + ["one", "other"] * 3),
    )
    assert LEAST_CLUSTERS <= 6
    report = geomeld_evaluate.measure(
        TileEncoder(run), tiles, tmp_path, lambda inputs: sensors.few_changes(inputs)[:1]
    )
    tiles.close()
    scores = [
        report["tiles"]["dominant land cover"]["logistic"]["accuracy"]["methods"]["model"],
        report["segmentation"]["mean IoU"]["methods"]["model"],
        report["retrieval"]["tile to caption"]["R@1"]["model"],
        report["sensors"][1]["pixels"]["kept"],
    ]
    assert [score["clusters"] for score in scores] == [2] * len(scores)
    assert all(score["low"] is None for score in scores)
    assert {goal["outcome"] for goal in report["goals"]} == {"not measured: no interval"}


def test_other_tiles_than_those_of_the_training_are_refused(
    run: Path, data: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(data, other)
    described = json.loads((other / "set.json").read_text())
    (other / "set.json").write_text(json.dumps(described | {"tiles": 1}))
    with pytest.raises(TrainingError, match="other tiles"):
        geomeld_evaluate.evaluate(run, other)


@pytest.mark.parametrize("leak", ["same block", "beside"])
def test_a_region_on_both_sides_is_refused(data: Path, leak: str) -> None:
    tiles = TileSet(data)
    split = tiles.index["split"].to_numpy().copy()
    train, held = (np.flatnonzero(np.isin(split, s)) for s in (("train",), ("test",)))
    names = ("block",) if leak == "same block" else ("longitude", "latitude")
    for name in names:
        column = tiles.index[name].to_numpy().copy()
        column[held[0]] = column[train[0]] if leak == "same block" else column[train[0]] + 0.05
        tiles.index = tiles.index.with_columns(pl.Series(name, column))
    with pytest.raises(TrainingError, match="beside training tiles") as caught:
        geomeld_evaluate.sides(tiles)
    assert tiles.index["id"][int(held[0])] in str(caught.value)
    tiles.close()


def test_sides_that_know_each_other_not_are_taken(data: Path) -> None:
    tiles = TileSet(data)
    train, held = geomeld_evaluate.sides(tiles)
    assert not set(train.blocks) & set(held.blocks)
    assert train.cover.shape == (len(train.rows), 128, 128)
    assert train.vectors["soil"]["sand"] == pytest.approx(30.0)
    tiles.close()


def test_a_texture_class_is_of_the_fractions_of_one_method() -> None:
    fractions = {"sand": (92, 20), "silt": (5, 20), "clay": (3, 60)}
    soil = {f"{name}__iso_11277": np.repeat(values, 6) for name, values in fractions.items()}
    soil = {"sand__laser": np.full(12, 40.0), **{k: v.astype(float) for k, v in soil.items()}}
    side = geomeld_evaluate.Side(np.arange(12), np.array(["a"] * 12), None, {"soil": soil})
    labels, truth = geomeld_evaluate.targets(side, side)["texture class"]
    assert labels.tolist() == ["sand"] * 6 + ["clay"] * 6 == truth.tolist()


def test_medians_are_those_of_the_training_tiles() -> None:
    def side(ph: np.ndarray) -> geomeld_evaluate.Side:
        blocks = np.array(["a"] * len(ph))
        return geomeld_evaluate.Side(np.arange(len(ph)), blocks, None, {"soil": {"ph_h2o": ph}})

    train, held = side(np.arange(20.0)), side(np.array([5.0, 12.0, 90.0, np.nan]))
    labels, truth = geomeld_evaluate.targets(train, held)["soil: ph_h2o above the median"]
    assert labels.tolist() == ["no"] * 10 + ["yes"] * 10
    assert truth.tolist() == ["no", "yes", "yes", ""]
