"""Profile sets as batches: truth, statistics, what a draw changes, and what it never changes."""

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from good_profile import a_set

from adapters.errors import TrainingError
from fusion.profiles.store import ProfileSet
from training.masks import order
from training.profile_schema import ProfileSchema
from training.profiles import ProfileDataset, encode, forced_share, load
from training.recipe import Forcing, ProfilesDataset

CHANGED = ProfilesDataset(light=0.3, white=0.1, site_drop=0.4, place_drop=0.2, least_seen=1)
PLAIN = ProfilesDataset(flip=0, least_seen=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_set(tmp_path_factory.mktemp("profiles"))


@pytest.fixture(scope="module")
def dataset(folder: Path) -> ProfileDataset:
    return load(folder, CHANGED)


def flat(batch: dict) -> dict[str, torch.Tensor]:
    return {k: v for k, v in batch.items() if k != "classes"} | batch["classes"]


def same(a: dict, b: dict, *but: str) -> None:
    a, b = flat(a), flat(b)
    assert a.keys() == b.keys()
    for name in a.keys() - set(but):
        assert torch.equal(a[name], b[name]), name


def test_truth_is_that_of_the_index(dataset: ProfileDataset) -> None:
    index, schema = dataset.profiles.index, dataset.schema
    rows = np.arange(len(index))
    batch = dataset.whole(rows)
    for row in rows:
        horizons = index["horizons"][int(row)].to_list()
        n = len(horizons)
        assert batch["horizons"][row].tolist() == [True] * n + [False] * (8 - n)
        bottoms = [h["bottom"] / 100 for h in horizons]
        expected = [*bottoms[:-1], *[1.0] * (9 - n)]
        assert batch["bounds"][row].tolist() == pytest.approx(expected)
        for k, horizon in enumerate(horizons):
            stones = horizon["stones"]
            assert batch["stones_known"][row, k] == (stones is not None)
            if stones is not None:
                assert batch["stones"][row, k].item() == pytest.approx(stones / 100)
            pairs = [(batch["symbol"], schema.labels, horizon["symbol"])]
            pairs += [(batch["classes"][c.name], c.codes, horizon[c.name]) for c in schema.classes]
            for codes, names, truth in pairs:
                place = codes[row, k].item()
                assert place == (names.index(truth) if truth in names else -1)
        assert (batch["symbol"][row, n:] == -1).all()
    assert not batch["force_depths"].any()
    assert not batch["force_properties"].any()


def test_pictures_and_numbers_of_the_training_split_have_mean_0_and_deviation_1(
    dataset: ProfileDataset,
) -> None:
    batch = dataset.whole(dataset.rows("train"))
    for channel in range(3):
        pixels = batch["picture"][:, channel][batch["soil"]].double()
        assert pixels.mean().item() == pytest.approx(0, abs=1e-4)
        assert pixels.std(correction=0).item() == pytest.approx(1, abs=1e-4)
    one = dataset.profiles.index.with_row_index().filter(pl.col("split") == "train")
    once = dataset.whole(one.unique("profile", keep="first")["index"].to_numpy())
    for place in range(len(dataset.schema.numbers)):
        known = once["site_known"][:, place]
        z = once["site_numbers"][:, place][known].double()
        assert z.mean().item() == pytest.approx(0, abs=1e-5)
        assert z.std(correction=0).item() == pytest.approx(1, abs=1e-5)
    assert not once["site_known"].all(), "a slope is missing"
    assert (once["site_codes"] == -1).any(), "a land use is missing"
    assert "month" in [column.name for column in dataset.schema.codes]


def test_pictures_are_the_stored_ones(dataset: ProfileDataset) -> None:
    batch = dataset.whole(np.array([3, 0]))
    mean, std = (np.array(v) for v in (dataset.schema.channel_mean, dataset.schema.channel_std))
    for place, row in enumerate((3, 0)):
        z = (dataset.profiles.picture(row).astype(float) - mean) / std
        np.testing.assert_allclose(batch["picture"][place].permute(1, 2, 0), z, atol=1e-4)
        np.testing.assert_array_equal(batch["soil"][place], dataset.profiles.soil(row))


def test_vocabularies_are_of_the_training_split_alone(folder: Path, tmp_path: Path) -> None:
    """What only other splits have changes nothing of the schema.

    A code is unknown; a symbol stands for the nearest label, so that its horizon is asked.
    """
    before = load(folder, PLAIN)
    other = Path(shutil.copytree(folder, tmp_path / "v2"))
    index = pl.read_parquet(folder / "index.parquet")
    tests = pl.col("split") == "test"
    changed = pl.col("horizons").list.eval(
        pl.struct(
            *(
                pl.lit("Btx").alias(name) if name == "symbol" else pl.element().struct[name]
                for name in ("top", "bottom", "symbol", "symbol_raw", "stones", "texture")
            ),
            *(pl.element().struct[name] for name in ("colour", "carbonate", "humus", "roots")),
        )
    )
    index.with_columns(
        pl.when(tests).then(changed).otherwise(pl.col("horizons")).alias("horizons"),
        pl.when(tests).then(999.0).otherwise(pl.col("site.slope")).alias("site.slope"),
        pl.when(tests).then(pl.lit("?")).otherwise("site.land_use").alias("site.land_use"),
    ).write_parquet(other / "index.parquet")
    after = load(other, PLAIN)
    assert after.schema == before.schema
    assert after.fingerprint != before.fingerprint
    batch = after.whole(after.rows("test"))
    assert "Btx" not in after.schema.labels
    nearest = after.schema.labels.index("Bt")
    assert (batch["symbol"] == torch.where(batch["horizons"], nearest, -1)).all()
    names = [column.name for column in after.schema.codes]
    assert (batch["site_codes"][:, names.index("land_use")] == -1).all()
    assert batch["site_numbers"].max() == 4.0, "what lies far out is told as lying there"


def test_rare_symbols_stand_for_common_ones(folder: Path) -> None:
    found = load(folder, ProfilesDataset(least_seen=4))
    assert found.schema.stands_for
    assert not set(found.schema.stands_for) & set(found.schema.labels)
    assert set(found.schema.stands_for.values()) <= set(found.schema.labels)
    index = found.profiles.index
    batch = found.whole(np.arange(len(index)))
    for row, horizons in enumerate(index["horizons"].to_list()):
        for k, horizon in enumerate(horizons):
            label = found.schema.stands_for.get(horizon["symbol"], horizon["symbol"])
            assert found.schema.labels[batch["symbol"][row, k]] == label
    vectors = np.array(found.schema.embedding)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1)
    assert ProfileSchema.model_validate_json(found.schema.model_dump_json()) == found.schema


def test_a_draw_is_the_same_whoever_asks_and_when(dataset: ProfileDataset) -> None:
    """So that a run that is continued sees, and is forced, as it would have been."""
    training = dataset.rows("train")
    draws = np.arange(60, 100)
    rows = training[order(len(training), 3, draws)]
    whole = dataset.draw(rows, draws, 7)
    again = load(dataset.folder, dataset.part).draw(rows[11:17], draws[11:17], 7)
    cut = {k: v[11:17] for k, v in whole.items() if k != "classes"}
    same(again, cut | {"classes": {k: v[11:17] for k, v in whole["classes"].items()}})
    assert whole["force_depths"].any()
    assert not whole["force_depths"].all()
    assert not torch.equal(whole["force_depths"], whole["force_properties"])
    assert not torch.equal(dataset.draw(rows, draws, 8)["picture"], whole["picture"])


def test_what_a_draw_changes(dataset: ProfileDataset) -> None:
    lopsided = dataset.profiles.soils[dataset.rows("train")][:, 0, :1].any(1)
    row = int(dataset.rows("train")[~lopsided][0])
    draws = np.arange(400)
    batch = dataset.draw(np.full(400, row), draws, 1)
    plain = dataset.whole(np.array([row]))
    soil = plain["soil"][0]
    turned = (batch["soil"] == soil.flip(1)).all((1, 2))
    assert turned.double().mean().item() == pytest.approx(0.5, abs=0.08)
    assert ((batch["soil"] == soil).all((1, 2)) | turned).all()
    upright = batch["picture"][~turned][0]
    raw = torch.from_numpy(dataset.profiles.picture(row).astype(np.float32)).permute(2, 0, 1)
    mean, std = (
        torch.tensor(v)[:, None, None]
        for v in (dataset.schema.channel_mean, dataset.schema.channel_std)
    )
    gains = ((upright * std + mean) / raw.clamp(min=1))[:, soil]
    assert (gains.std(1) < 1e-3).all(), "one factor a channel: brightness and white balance"
    assert ((gains.mean(1) - 1).abs() < 1.3 * 1.1 - 1).all()
    place = [name in ("longitude", "latitude", "year") for name in names(dataset)]
    known = batch["site_known"].double().mean(0)[plain["site_known"][0]]
    expected = [0.8 if p else 0.6 for p, k in zip(place, plain["site_known"][0], strict=True) if k]
    assert known.tolist() == pytest.approx(expected, abs=0.08)
    same(
        {
            k: v[:1] if k != "classes" else {n: x[:1] for n, x in v.items()}
            for k, v in batch.items()
        },
        plain,
        *("picture", "soil", "site_numbers", "site_known", "site_codes"),
        *("force_depths", "force_properties"),
    )


def names(dataset: ProfileDataset) -> list[str]:
    return [column.name for column in dataset.schema.numbers]


def test_other_splits_are_drawn_as_they_are(dataset: ProfileDataset) -> None:
    for split in ("validation", "calibration", "test"):
        rows = dataset.rows(split)
        assert len(rows)
        same(dataset.draw(rows, np.arange(len(rows)), 9), dataset.whole(rows))


def test_forcing_goes_from_first_to_last() -> None:
    passes = np.array([0.0, 2.5, 5.0, 50.0])
    np.testing.assert_allclose(forced_share(Forcing(), passes), [1.0, 0.6, 0.2, 0.2])
    np.testing.assert_allclose(forced_share(Forcing(first=0.5, last=0, passes=0), passes), 0)


def test_forcing_follows_the_number_of_the_draw(dataset: ProfileDataset) -> None:
    training = dataset.rows("train")
    draws = np.arange(12 * len(training))
    rows = training[order(len(training), 3, draws)]
    flags = [dataset.draw(rows[i : i + 48], draws[i : i + 48], 5) for i in range(0, len(draws), 48)]
    forced = torch.cat([f["force_depths"] for f in flags]).double()
    once = len(training)
    assert forced[: once // 4].mean() > 0.8
    assert forced[6 * once :].mean().item() == pytest.approx(0.2, abs=0.08)


def test_photographs_in_memory_are_encoded_as_the_stored_ones(dataset: ProfileDataset) -> None:
    index, rows = dataset.profiles.index, [0, 5, 9]
    sites = [
        {name.removeprefix("site."): value for name, value in index.row(row, named=True).items()}
        for row in rows
    ]
    pictures, soils = dataset.profiles.pictures[rows], dataset.profiles.soils[rows]
    made, truth = encode(dataset.schema, pictures, soils, sites), dataset.whole(np.array(rows))
    for name in ("picture", "soil", "site_numbers", "site_known", "site_codes"):
        assert torch.equal(made[name], truth[name]), name
    assert not made["horizons"].any()
    assert (made["symbol"] == -1).all()
    nowhere = encode(dataset.schema, pictures[:1], soils[:1], [{"month": None}])
    assert not nowhere["site_known"].any()
    assert (nowhere["site_codes"] == -1).all()
    with pytest.raises(TrainingError, match="not of the model's size"):
        encode(dataset.schema, pictures[:, :128], soils[:, :128], sites)
    with pytest.raises(TrainingError, match="longitude of a site is no"):
        encode(dataset.schema, pictures[:1], soils[:1], [{"longitude": "east"}])


def test_what_is_said_of_the_data(dataset: ProfileDataset) -> None:
    said = dataset.described
    assert said["group"] == said["origin"] == "synthetic"
    assert said["samples"] == {s: len(dataset.rows(s)) for s in said["samples"]}
    assert said["licences"] == ["CC0-1.0"]
    assert said["redistribute"] is True
    assert json.dumps(said)


def test_what_cannot_be_trained_on_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="recipe allows 3"):
        load(folder, ProfilesDataset(horizons=3))
    with pytest.raises(TrainingError, match="only 1 symbol"):
        load(folder, ProfilesDataset(least_seen=10))
    with pytest.raises(TrainingError, match="no data version of the kind 'profiles'"):
        load(tmp_path, PLAIN)
    alone = Path(shutil.copytree(folder, tmp_path / "v3"))
    index = pl.read_parquet(folder / "index.parquet")
    index.with_columns(pl.col("split").replace("validation", "train")).write_parquet(
        alone / "index.parquet"
    )
    with pytest.raises(TrainingError, match="a split has no photograph"):
        load(alone, PLAIN)


def test_a_set_is_opened_by_its_files(folder: Path) -> None:
    assert len(ProfileSet(folder)) == len(load(folder, PLAIN).split)
