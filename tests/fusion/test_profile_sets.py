"""Profile sets: the form on disk, the split by profile, and how photographs become pictures."""

import json
import shutil

import numpy as np
import polars as pl
import pytest
from good_profile import a_set
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.errors import FusionError
from adapters.readers.photograph import removed
from fusion.profiles.examine import examine
from fusion.profiles.pictures import frame
from fusion.profiles.pictures import picture as scaled
from fusion.profiles.splits import GUARD_M, SHARES, profile_splits
from fusion.profiles.store import HEIGHT, SPLITS, WIDTH, ProfileSet, write
from fusion.sphere import near_pairs


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return a_set(tmp_path_factory.mktemp("profiles"))


# On disk.


def test_a_set_reads_back_as_it_was_written(folder):
    held = ProfileSet(folder)
    assert len(held) == held.index.height == len(held.pictures)
    assert held.described["origin"] == "synthetic"
    assert held.picture(3).shape == (HEIGHT, WIDTH, 3)
    assert held.soil(3).dtype == bool
    assert np.array_equal(held.pictures[[3, 5]][1], held.picture(5))
    assert not held.soils[:, :, 0].all()
    horizons = held.index["horizons"][0].to_list()
    assert [h["symbol"] for h in horizons] == ["Ap", "Bv", "C"]
    assert horizons[1]["stones"] is None
    held.verify()


def test_the_same_content_is_the_same_version_to_the_byte(folder, tmp_path):
    again = a_set(tmp_path)
    assert again.name == folder.name
    assert a_set(tmp_path) == again
    for file in folder.iterdir():
        assert file.read_bytes() == (again / file.name).read_bytes()
    assert a_set(tmp_path, seed=1).name != folder.name


def test_a_changed_file_is_found(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    pictures = np.load(copy / "photographs.npy", mmap_mode="r+")
    pictures[0, 0, 0, 0] ^= 1
    pictures.flush()
    with pytest.raises(FusionError, match="not what was written"):
        ProfileSet(copy).verify()
    assert next(f for f in examine(ProfileSet(copy)) if f.name == "checksums").problems


def test_a_folder_without_a_set_is_refused(tmp_path):
    with pytest.raises(FusionError, match="no profile set lies here"):
        ProfileSet(tmp_path)


def test_another_format_is_refused(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    said = json.loads((copy / "dictionary.json").read_text())
    (copy / "dictionary.json").write_text(json.dumps({**said, "format": 99}))
    with pytest.raises(FusionError, match="format 99"):
        ProfileSet(copy)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda index: index.drop("block"), "block: missing"),
        (lambda index: index.with_columns(pl.col("year").cast(pl.String)), "year: String"),
        (lambda index: index.with_columns(other=pl.lit(1)), "other: no such column"),
        (lambda index: index.with_columns(photograph=pl.lit("one")), "stands in the set twice"),
        (lambda index: index.with_columns(split=pl.lit("test")), "left to train on"),
    ],
)
def test_an_index_of_another_form_is_refused(folder, tmp_path, change, says):
    held = ProfileSet(folder)
    with pytest.raises(FusionError, match=says):
        write(change(held.index), [], tmp_path, {})


def test_a_picture_of_another_size_is_refused(folder, tmp_path):
    held = ProfileSet(folder)
    small = (np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), bool))
    with pytest.raises(FusionError, match="has not the form"):
        write(held.index, [small] * len(held), tmp_path, {})


def test_statistics_are_those_of_the_training_split_alone(folder, tmp_path):
    held = ProfileSet(folder)
    train = held.index["split"].to_numpy() == "train"
    soil = held.pictures[train][held.soils[train]].astype(float)
    said = held.described["statistics"]
    assert np.allclose(said["channels"]["mean"], soil.mean(axis=0))
    assert np.allclose(said["channels"]["std"], soil.std(axis=0))
    known = held.index.filter(train).unique("profile")["site.slope"].drop_nulls()
    assert said["site"]["slope"]["mean"] == pytest.approx(known.mean())
    assert said["site"]["slope"]["count"] == len(known)

    def elsewhere(index, row):
        made = 255 - held.picture(row) if index["split"][row] != "train" else held.picture(row)
        return made, held.soil(row)

    changed = held.index.with_columns(
        pl.when(pl.col("split") == "train").then("site.slope").otherwise(1e6).alias("site.slope")
    )
    pairs = [elsewhere(changed, row) for row in range(len(held))]
    other = ProfileSet(write(changed, pairs, tmp_path, {}))
    assert other.described["statistics"] == said


# The split.


@st.composite
def fields(draw):
    """Profiles in clusters over part of Germany, so that some lie near an edge of a block."""
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    centres = random.uniform([7, 48], [14, 54], (draw(st.integers(1, 60)), 2))
    which = random.integers(0, len(centres), draw(st.integers(1, 200)))
    spread = draw(st.sampled_from([0.001, 0.05, 0.5]))
    places = centres[which] + random.normal(0, spread, (len(which), 2))
    return pl.DataFrame(
        {
            "profile": [f"p{i:04d}" for i in range(len(which))],
            "longitude": places[:, 0],
            "latitude": places[:, 1],
        }
    )


@settings(max_examples=40)
@given(fields())
def test_no_profile_cluster_or_block_is_on_two_sides_and_sides_are_apart(profiles):
    sides = profiles.join(profile_splits(profiles), on="profile", how="left")
    assert sides["split"].null_count() == 0
    kept = sides.filter(pl.col("split") != "guard")
    for group in ("profile", "cluster", "block"):
        if kept.height:
            assert kept.group_by(group).agg(pl.col("split").n_unique())["split"].max() == 1, group
    split = kept["split"].to_numpy()
    pairs = near_pairs(kept["longitude"].to_numpy(), kept["latitude"].to_numpy(), GUARD_M)
    assert (split[pairs[:, 0]] == split[pairs[:, 1]]).all()


def test_shares_are_near_what_is_asked():
    random = np.random.default_rng(3)
    profiles = pl.DataFrame(
        {
            "profile": [f"{i}" for i in range(20_000)],
            "longitude": random.uniform(-8, 28, 20_000),
            "latitude": random.uniform(38, 65, 20_000),
        }
    )
    found = profile_splits(profiles).filter(pl.col("split") != "guard")
    shares = dict(found["split"].value_counts(normalize=True).iter_rows())
    for split, share in SHARES.items():
        assert abs(shares[split] - share) < 0.03, split


def test_four_blocks_fill_four_sides_and_fewer_fill_the_needed_ones():
    for blocks, expected in ((1, {"train"}), (2, {"train", "test"}), (4, set(SPLITS))):
        profiles = pl.DataFrame(
            {
                "profile": [f"{i}" for i in range(blocks)],
                "longitude": 6.0 + 2.0 * np.arange(blocks),
                "latitude": np.full(blocks, 50.0),
            }
        )
        assert set(profile_splits(profiles)["split"]) == expected


# Pictures.


def picture(pixels, **shown):
    return scaled(pixels, ~removed(pixels), **shown)


def banded(height=500, width=400):
    """A wall of five bands of 20 cm, lighter with depth."""
    level = 60 + 40 * (np.arange(height) * 5 // height)
    return np.repeat(level.astype(np.uint8)[:, None, None], width, 1).repeat(3, 2)


def test_a_row_is_a_depth():
    made, soil = picture(banded())
    assert made.shape == (HEIGHT, WIDTH, 3)
    assert soil.all()
    at = [int((depth + 10) / 100 * HEIGHT) for depth in (0, 20, 40, 60, 80)]
    assert made[at, WIDTH // 2, 0].tolist() == [60, 100, 140, 180, 220]
    edges = np.flatnonzero(np.diff(made[:, WIDTH // 2, 0].astype(int)) > 8)
    assert np.abs(edges[:, None] / HEIGHT * 100 - [20, 40, 60, 80]).min(axis=0).max() < 0.8


def test_sky_and_ruler_that_were_taken_out_are_no_soil_and_carry_no_depth():
    wall = banded()
    photograph = np.zeros((600, 460, 3), np.uint8)
    photograph[100:, 60:] = wall
    photograph[:100] = 9  # what JPEG leaves of black
    photograph[40:42, 200] = 200
    kept = ~removed(photograph)
    assert not kept[:100, :150].any()
    assert not kept[:, :60].any()
    assert frame(kept) == (slice(100, 600), slice(60, 460))
    made, soil = picture(photograph)
    plain, _ = picture(wall)
    assert soil.all()
    assert np.abs(made.astype(int) - plain).max() <= 2


def test_a_narrow_photograph_is_padded_and_says_so():
    made, soil = picture(banded(500, 100))
    assert soil.any(axis=0).sum() == round(100 * HEIGHT / 500)
    assert not soil[:, 0].any()
    assert not made[~soil].any()


def test_a_deeper_photograph_is_cut_and_a_shallower_one_padded_at_100_cm():
    deep, soil = picture(banded(), shown_cm=200.0)
    assert soil[:, WIDTH // 2].all()
    assert deep[:, WIDTH // 2, 0].max() < 180
    shallow, soil = picture(banded(), shown_cm=50.0)
    assert soil[: HEIGHT // 2, WIDTH // 2].all()
    assert not soil[HEIGHT // 2 :].any()
    assert not shallow[HEIGHT // 2 :].any()


def test_what_is_cut_away_does_not_darken_its_neighbours():
    wall = np.full((500, 400, 3), 150, np.uint8)
    wall[:, 150:210] = 0
    wall[:5] = 0  # so that it touches the edge
    made, soil = picture(wall)
    assert not soil.all()
    assert np.abs(made[soil].astype(int) - 150).max() <= 3


def test_a_photograph_of_nothing_is_refused():
    with pytest.raises(FusionError, match="nothing of the photograph is soil"):
        picture(np.zeros((50, 40, 3), np.uint8))


# What is asked of a written set.


def test_a_good_set_has_no_problem(folder):
    assert {finding.name: finding.problems for finding in examine(ProfileSet(folder))} == {
        "splits": (),
        "horizons": (),
        "pictures": (),
        "checksums": (),
    }


@pytest.mark.parametrize(
    ("question", "change"),
    [
        ("splits", lambda i: i.with_columns(block=pl.lit("one"))),
        ("splits", lambda i: i.with_columns(profile=pl.lit("one"))),
        ("splits", lambda i: i.with_columns(longitude=pl.lit(8.0), latitude=pl.lit(50.0))),
        ("horizons", lambda i: i.with_columns(horizons=pl.col("horizons").list.reverse())),
        ("horizons", lambda i: i.with_columns(horizons=pl.col("horizons").list.head(0))),
    ],
)
def test_what_is_wrong_with_a_set_is_found(folder, tmp_path, question, change):
    held = ProfileSet(folder)
    pairs = [(held.picture(row), held.soil(row)) for row in range(len(held))]
    wrong = ProfileSet(write(change(held.index), pairs, tmp_path, {}))
    problems = {finding.name: finding.problems for finding in examine(wrong)}
    assert problems.pop(question)
    assert not any(problems.values())


def test_a_picture_without_soil_is_found(folder, tmp_path):
    held = ProfileSet(folder)
    pairs = [(held.picture(row), held.soil(row) & (row != 4)) for row in range(len(held))]
    wrong = ProfileSet(write(held.index, pairs, tmp_path, {}))
    found = next(f for f in examine(wrong) if f.name == "pictures")
    assert held.index["photograph"][4] in found.problems[0]
