"""A written tile set as the training loop reads it."""

import dataclasses
import functools
import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from good_tile import good_tile

from adapters.errors import TrainingError
from adapters.modalities import modality
from fusion.tiles.store import TileSet
from fusion.tiles.tile import Tile
from fusion.tiles.writing import write
from models.geomeld_fm import TileBatch
from training import text
from training.masks import order
from training.parts import LOSSES, MODELS
from training.recipe import GeoMeldLoss, GeoMeldModel, TilesDataset
from training.tiles import TileDataset, encode, load

COUNT = 14
CAPTIONED = [i for i in range(COUNT) if i % 7 != 3]


@functools.cache
def tile(number: int) -> Tile:
    """Far from each other; they lack this and that, and the fifth has a photograph."""
    made = good_tile(
        number,
        bands=9 if number % 3 == 0 else 12,
        rgb=number == 4,
        without=("canopy_height", "soil") if number % 4 == 1 else (),
    )
    return dataclasses.replace(made, longitude=2.0 + number, latitude=40.0 + number)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    captions = {f"good-{i}": f"Lake {i}." for i in CAPTIONED}
    made = (tile(i) for i in range(COUNT))
    return write(made, tmp_path_factory.mktemp("tiles"), captions, shard_tiles=5)


@pytest.fixture(autouse=True)
def encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quick one in place of the sentence encoder, whose loading takes seconds."""

    def made(sentences: list[str]) -> np.ndarray:
        seeds = [int(hashlib.sha256(s.encode()).hexdigest()[:8], 16) for s in sentences]
        rows = [np.random.default_rng(seed).normal(size=text.WIDTH) for seed in seeds]
        return np.array(rows, np.float32)

    monkeypatch.setattr(text, "_encode", made)
    monkeypatch.setattr(text, "encoder_fingerprint", lambda: "quick")


@pytest.fixture(scope="module")
def dataset(folder: Path) -> TileDataset:
    return load(folder, TilesDataset(captions="none", band_drop=0.2))


def same(one: TileBatch, other: TileBatch) -> None:
    """All that is present, and all masks."""
    assert one["values"].keys() == other["values"].keys()
    for name, mask in one["present"].items():
        assert torch.equal(mask, other["present"][name])
        assert torch.equal(one["values"][name][mask], other["values"][name][mask])
    for name, hidden in one["hidden_bands"].items():
        assert torch.equal(hidden, other["hidden_bands"][name])
    for key in ("visible", "caption", "sentence"):
        assert torch.equal(one[key], other[key])


def part(batch: TileBatch, rows: slice | list[int]) -> TileBatch:
    return {
        key: {name: t[rows] for name, t in value.items()}
        if isinstance(value, dict)
        else value[rows]
        for key, value in batch.items()
    }


def test_numbers_are_z_scores_and_codes_are_places(dataset: TileDataset, folder: Path) -> None:
    rows = np.arange(COUNT)
    batch, tiles = dataset.whole(rows), TileSet(folder)
    for m in dataset.schema.modalities:
        spec = modality(m.id)
        for row in range(COUNT):
            values, mask = batch["values"][m.id][row].numpy(), batch["present"][m.id][row].numpy()
            read = tiles.read(row)
            if m.id not in read.arrays:
                assert not mask.any()
                continue
            truth, there = read.arrays[m.id], read.present[m.id]
            if m.kind == "classes":
                np.testing.assert_array_equal(mask, there[0])
                codes = np.array(m.codes)[values[mask]]
                np.testing.assert_array_equal(codes, truth[0][mask])
                continue
            named = read.vector_names[m.id] if m.kind == "vector" else spec.names
            for band, name in enumerate(m.bands):
                np.testing.assert_array_equal(mask[band], there[named.index(name)])
                z = (truth[named.index(name)].astype(float) - m.mean[band]) / m.std[band]
                np.testing.assert_allclose(values[band][mask[band]], z[mask[band]], atol=2e-4)


def test_over_the_training_split_a_band_has_mean_0_and_deviation_1(dataset: TileDataset) -> None:
    training = dataset.whole(dataset.rows("train"))
    others = dataset.whole(dataset.rows("test"))
    for m in dataset.schema.modalities:
        if m.kind == "classes":
            continue
        for band in range(len(m.bands)):
            mask = training["present"][m.id][:, band]
            pixels = training["values"][m.id][:, band][mask].double()
            assert pixels.mean().item() == pytest.approx(0, abs=1e-4), (m.id, band)
            assert pixels.std(correction=0).item() == pytest.approx(1, abs=1e-4)
    relief = others["values"]["relief"][others["present"]["relief"]]
    assert abs(relief.mean().item()) > 0.01


def test_bands_without_statistics_are_left_out_and_named(dataset: TileDataset) -> None:
    assert dataset.schema.modality("sentinel1").bands == ("asc_VV", "asc_VH")
    assert dataset.left_out["sentinel1.desc_HV"] == "no value in the training split"
    assert dataset.left_out["climate.temperature"] == "constant in the training split"
    assert dataset.left_out["rgb"] == "not asked for by the recipe"
    assert dataset.schema.modality("worldcover").labels[0] == "tree cover"
    described = dataset.described
    assert described["origin"] == described["group"] == "synthetic"
    assert described["samples"]["train"] == len(dataset.rows("train")) > 4
    assert described["features"] == sum(len(m.bands) for m in dataset.schema.modalities)
    assert described["licences"] == ["CC-BY-4.0"]
    assert described["redistribute"] is False, "no terms are told"
    assert described["captions_checked"] is None, "the recipe takes no captions"


def test_the_photograph_is_read_where_the_recipe_names_it(folder: Path) -> None:
    found = load(folder, TilesDataset(modalities=("rgb", "relief"), captions="none"))
    assert [m.id for m in found.schema.modalities] == ["relief", "rgb"]
    batch = found.whole(np.array([3, 4]))
    assert batch["values"]["rgb"].shape == (2, 3, 1280, 1280)
    assert not batch["present"]["rgb"][0].any()
    assert batch["present"]["rgb"][1].all()
    assert torch.isnan(batch["values"]["rgb"][0]).all(), "who reads what is absent is found out"


def test_tiles_in_memory_are_encoded_as_the_stored_ones(dataset: TileDataset, folder: Path) -> None:
    rows = [0, 1, 4, 5]
    tiles = TileSet(folder)
    batch, truth = (
        encode(dataset.schema, [tiles.read(i) for i in rows]),
        dataset.whole(np.array(rows)),
    )
    for name, mask in truth["present"].items():
        assert torch.equal(batch["present"][name], mask)
        apart = batch["values"][name][mask] - truth["values"][name][mask]
        assert apart.abs().max() < 2e-4
    assert batch["visible"].all()
    assert (batch["sentence"] < 0).all()


@pytest.fixture(scope="module")
def varied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiles whose vectors differ from tile to tile."""

    def other(i: int) -> Tile:
        made = tile(i)
        arrays = {
            name: array + np.float32(i) if modality(name).is_vector else array
            for name, array in made.arrays.items()
        }
        return dataclasses.replace(made, arrays=arrays)

    return write(map(other, range(COUNT)), tmp_path_factory.mktemp("varied"))


def test_elements_of_vectors_go_by_name(varied: Path) -> None:
    schema = load(varied, TilesDataset()).schema
    made = tile(2)
    turned = dataclasses.replace(
        made,
        arrays=made.arrays | {"soil": np.append(made.arrays["soil"][::-1], np.float32(9))},
        present=made.present | {"soil": np.append(made.present["soil"][::-1], True)},
        vector_names=made.vector_names | {"soil": (*made.vector_names["soil"][::-1], "zinc")},
    )
    batch = encode(schema, [made, turned])
    same(part(batch, [0]), part(batch, [1]))
    assert batch["present"]["soil"][0].any()


def test_terms_are_those_of_the_modalities_that_are_read(tmp_path: Path) -> None:
    terms = {
        name: {"redistribute": name != "worldcover", "share_alike": name == "sentinel1"}
        for name in ("relief", "sentinel1", "worldcover")
    }
    made = write(map(tile, range(COUNT)), tmp_path, about={"group": "synthetic", "terms": terms})

    def told(*names: str) -> tuple[bool, list[str]]:
        described = load(made, TilesDataset(modalities=names)).described
        return described["redistribute"], described["share_alike"]

    assert told("relief") == (True, [])
    assert told("relief", "sentinel1") == (True, ["sentinel1"])
    assert told("relief", "worldcover") == (False, [])
    assert told("relief", "dynamic_world") == (False, []), "its terms are not told"


def test_vectors_that_vary_are_read(varied: Path) -> None:
    found = load(varied, TilesDataset())
    assert found.schema.modality("soil").bands == ("organic_carbon", "ph_h2o", "sand")
    assert found.left_out["soil.clay"] == "no value in the training split"
    assert found.schema.caption_width == 0, "there are no captions"


def test_a_code_that_is_no_class_is_an_error_where_it_is_present(dataset: TileDataset) -> None:
    made = tile(2)
    assert (made.arrays["dynamic_world"] == 254).any(), "rubbish where it is absent"
    encode(dataset.schema, [made])
    made = dataclasses.replace(made, arrays=made.arrays | {})
    made.arrays["dynamic_world"] = made.arrays["dynamic_world"].copy()
    made.arrays["dynamic_world"][0, 3, 3] = 77
    with pytest.raises(TrainingError, match=r"tile good-2: dynamic_world holds codes.*\n.*77"):
        encode(dataset.schema, [made])


def test_a_draw_is_the_same_whoever_asks_and_when(dataset: TileDataset) -> None:
    """So that a run that is continued in the middle of a pass sees what it would have seen."""
    training = dataset.rows("train")
    draws = np.arange(40)
    rows = training[order(len(training), 3, draws)]
    whole = dataset.draw(rows[:20], draws[:20], 7)
    again = load(dataset.folder, dataset.part)
    same(again.draw(rows[11:17], draws[11:17], 7), part(whole, slice(11, 17)))
    assert (whole["visible"].sum(1) == 26).all()
    assert not torch.equal(dataset.draw(rows[:20], draws[:20], 8)["visible"], whole["visible"])
    assert not torch.equal(whole["visible"][0], whole["visible"][1])


def test_bands_are_dropped_at_the_rate_of_the_recipe(folder: Path) -> None:
    recipe = TilesDataset(modalities=("worldcover", "relief", "sentinel1"), band_drop=0.2)
    found = load(folder, recipe)
    hidden = found.draw(np.zeros(300, int), np.arange(300), 1)["hidden_bands"]
    assert set(hidden) == {"relief", "sentinel1"}
    both = torch.cat([*hidden.values()], 1).double()
    assert both.mean().item() == pytest.approx(0.2, abs=0.04)
    assert torch.corrcoef(both.T).triu(1).abs().max() < 0.2
    none = load(folder, recipe.model_copy(update={"band_drop": 0.0}))
    assert not any(h.any() for h in none.whole(np.arange(3))["hidden_bands"].values())


def test_captions_are_ones_own_or_anothers_or_none(folder: Path) -> None:
    own, shuffled, none = (
        load(folder, TilesDataset(modalities=("relief",), captions=kind))
        for kind in ("own", "shuffled", "none")
    )
    captioned = own.sentence >= 0
    assert (np.flatnonzero(captioned) == CAPTIONED).all()
    assert len(np.unique(own.sentence[captioned])) == len(CAPTIONED)
    vectors = text._encode([f"Lake {i}." for i in CAPTIONED])
    np.testing.assert_array_equal(own.caption[CAPTIONED], vectors)
    assert not own.caption[~captioned].any()
    for side in np.unique(own.split):
        held = np.flatnonzero((shuffled.sentence >= 0) & (own.split == side))
        assert len(held) != 1
        given = {v.tobytes() for v in shuffled.caption[held]}
        assert given == {v.tobytes() for v in own.caption[held]}, "of the same split"
        assert all(not np.array_equal(shuffled.caption[i], own.caption[i]) for i in held)
        assert sorted(shuffled.sentence[held]) == sorted(own.sentence[held])
    training = own.rows("train")
    assert (shuffled.sentence[training] >= 0).sum() == captioned[training].sum()
    assert own.described["captions_checked"] is False, "nobody checked them"
    for found in (own, shuffled):
        found.tiles.captions_checked = True
    assert own.described["captions_checked"] is True
    assert shuffled.described["captions_checked"] is False, "they are of other tiles"
    assert none.schema.caption_width == 0
    assert none.draw(np.arange(2), np.arange(2), 1)["caption"].shape == (2, 1, 0)
    drawn = own.draw(np.arange(4), np.arange(4), 1)
    assert (drawn["sentence"][:, 0] >= 0).tolist() == [True] * 3 + [False]


def test_a_draw_brings_captions_of_other_training_tiles(folder: Path) -> None:
    found = load(folder, TilesDataset(modalities=("relief",), other_captions=200))
    rows, draws = np.arange(6), np.arange(6)
    batch = found.draw(rows, draws, 1)
    assert batch["caption"].shape == (6, 201, found.schema.caption_width)
    assert batch["sentence"].shape == (6, 201)
    known = {number: row for row, number in enumerate(found.sentence.tolist()) if number >= 0}
    others = [known[number] for number in batch["sentence"][:, 1:].flatten().tolist()]
    training = np.flatnonzero((found.sentence >= 0) & (found.split == "train"))
    assert set(others) == set(training), "all of them, and none of another split"
    np.testing.assert_array_equal(batch["caption"][:, 1:].flatten(0, 1), found.caption[others])
    same(found.draw(rows[2:4], draws[2:4], 1), part(batch, slice(2, 4)))
    assert not torch.equal(found.draw(rows, draws + 6, 1)["sentence"], batch["sentence"])
    alone = load(folder, TilesDataset(modalities=("relief",), other_captions=0))
    assert torch.equal(alone.draw(rows, draws, 1)["sentence"], batch["sentence"][:, :1])


def test_captions_are_embedded_once_and_the_version_stays_as_it_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    first = load(folder, TilesDataset()).caption
    monkeypatch.setattr(text, "_encode", lambda _: pytest.fail("embedded again"))
    np.testing.assert_array_equal(load(folder, TilesDataset()).caption, first)
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def test_a_step_on_tiles_is_finite_though_what_is_absent_is_not(folder: Path) -> None:
    """NaN and rubbish stand at absent places of the batch."""
    found = load(folder, TilesDataset(band_drop=0.1))
    batch = found.draw(np.arange(2), np.arange(2), 1)
    assert any(torch.isnan(v).any() for v in batch["values"].values() if v.is_floating_point())
    model = MODELS["geomeld_fm"](
        GeoMeldModel(
            size="atto",
            inputs=("sentinel2", "sentinel1"),
            targets=("sentinel2", "canopy_height", "dynamic_world"),
            decoder_width=8,
            predictor_width=8,
            contrast_width=8,
        ),
        found.schema,
    )
    terms = LOSSES["geomeld"](GeoMeldLoss(), found.schema)(model(batch), batch)
    loss = sum(total / count.clamp(min=1) for total, count in terms.values())
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(w.grad).all() for w in model.parameters() if w.grad is not None)
    assert terms["canopy_height"][1] > 0


def test_what_cannot_be_trained_on_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="lack modalities"):
        load(folder, TilesDataset(modalities=("elevation",)))
    with pytest.raises(TrainingError, match="do not cut 128 pixels evenly"):
        load(folder, TilesDataset(patch=24))
    with pytest.raises(TrainingError, match="no data version of the kind 'tiles'"):
        load(tmp_path, TilesDataset())
    alone = write([tile(1)], tmp_path)
    with pytest.raises(TrainingError, match="a split has no tile"):
        load(alone, TilesDataset())


@pytest.mark.long
def test_the_sentence_encoder_tells_sentences_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    sentences = ["A lake among fields.", None, "Fields around a lake.", "A steep wooded valley."]
    vectors = text.caption_embeddings(sentences, tmp_path)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 0, 1, 1], atol=1e-5)
    assert vectors[0] @ vectors[2] > vectors[0] @ vectors[3]
