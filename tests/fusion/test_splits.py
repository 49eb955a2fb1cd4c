"""No sample learns from its neighbour: the laws of the split."""

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion.sphere import EARTH_RADIUS_M, near_pairs, nearest
from fusion.splits import LINK_M, SHARES, sides_of_blocks, splits


def samples(lon: np.ndarray, lat: np.ndarray, site: list[str] | None = None) -> pl.DataFrame:
    count = len(lon)
    return pl.DataFrame(
        {
            "sample_id": [f"s{i:05d}" for i in range(count)],
            "site": site or [f"p{i}" for i in range(count)],
            "longitude": lon,
            "latitude": lat,
        }
    )


@st.composite
def worlds(draw: st.DrawFn) -> pl.DataFrame:
    """Fields of near points scattered over part of Europe, with revisits far from their site."""
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    fields = draw(st.integers(1, 40))
    spread = draw(st.sampled_from([0.001, 0.003, 0.5]))
    centre = random.uniform([5, 45], [5 + draw(st.sampled_from([0.2, 3, 20])), 55], (fields, 2))
    which = random.integers(0, fields, draw(st.integers(1, 150)))
    points = centre[which] + random.normal(0, spread, (len(which), 2))
    sites = [f"p{random.integers(0, 3 * len(which))}" for _ in which]
    return samples(points[:, 0], points[:, 1], sites)


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_no_site_cluster_or_neighbour_stands_on_both_sides(world: pl.DataFrame) -> None:
    sides = splits(world)
    assert sides["sample_id"].equals(world["sample_id"])
    joined = world.join(sides, on="sample_id")
    for group in ("site", "cluster", "block"):
        assert joined.group_by(group).agg(pl.col("split").n_unique())["split"].max() == 1, group
    split = joined["split"].to_numpy()
    cluster = joined["cluster"].to_numpy()
    near = near_pairs(joined["longitude"].to_numpy(), joined["latitude"].to_numpy(), LINK_M)
    assert (split[near[:, 0]] == split[near[:, 1]]).all()
    assert (cluster[near[:, 0]] == cluster[near[:, 1]]).all()
    blocks, sides_found = joined["block"].n_unique(), set(split)
    assert "train" in sides_found
    assert blocks < 2 or "test" in sides_found
    assert blocks < 3 or "validation" in sides_found


@settings(max_examples=30, deadline=None)
@given(worlds(), st.integers(0, 1000))
def test_the_split_does_not_depend_on_the_order_of_rows(world: pl.DataFrame, seed: int) -> None:
    shuffled = splits(world.sample(fraction=1.0, shuffle=True, seed=seed)).sort("sample_id")
    assert shuffled.equals(splits(world).sort("sample_id"))


def test_shares_are_near_what_is_asked() -> None:
    random = np.random.default_rng(1)
    world = samples(random.uniform(-8, 28, 20_000), random.uniform(38, 65, 20_000))
    counts = dict(splits(world)["split"].value_counts(normalize=True).iter_rows())
    for side, share in SHARES.items():
        assert abs(counts[side] - share) < 0.02


def test_a_chain_of_neighbours_is_one_cluster_and_joins_the_cells_it_crosses() -> None:
    # 400 m apart over 120 km along a parallel: every link is short, the ends are far apart.
    step = np.degrees(400 / EARTH_RADIUS_M) / np.cos(np.radians(50))
    world = samples(10 + step * np.arange(300), np.full(300, 50.0))
    sides = splits(world)
    assert sides["cluster"].n_unique() == 1
    assert sides["block"].n_unique() == 1
    apart = splits(world, link_m=399.0)
    assert apart["cluster"].n_unique() == 300


def test_five_fields_have_a_test_field() -> None:
    random = np.random.default_rng(2)
    fields = np.array([[13.0, 52.5], [14.5, 51.5], [12.0, 53.9], [16.5, 49.0], [8.0, 48.0]])
    for size in ([250, 72, 36, 40, 30], [30, 30, 30, 30, 500]):
        which = np.repeat(np.arange(5), size)
        points = fields[which] + random.normal(0, 0.0005, (len(which), 2))
        assert set(splits(samples(points[:, 0], points[:, 1]))["split"]) == set(SHARES)


def test_of_two_blocks_the_second_tests_however_large_it_is() -> None:
    for many in range(1, 40):
        for few in range(1, 20):
            blocks = pl.DataFrame({"block": ["a", "b"], "count": [many, few]})
            assert sorted(sides_of_blocks(blocks).values()) == ["test", "train"]


def test_one_field_is_all_training() -> None:
    assert set(splits(samples(np.full(5, 10.0), np.full(5, 50.0)))["split"]) == {"train"}


def test_nearest_is_the_least_of_all_distances() -> None:
    random = np.random.default_rng(3)
    lon, lat = random.uniform(-180, 180, 200), random.uniform(-90, 90, 200)
    to_lon, to_lat = random.uniform(-180, 180, 60), random.uniform(-90, 90, 60)
    index, distance = nearest(lon, lat, to_lon, to_lat, 1e9)
    phi, to_phi = np.radians(lat)[:, None], np.radians(to_lat)[None, :]
    cosine = np.sin(phi) * np.sin(to_phi) + np.cos(phi) * np.cos(to_phi) * np.cos(
        np.radians(lon[:, None] - to_lon[None, :])
    )
    every = EARTH_RADIUS_M * np.arccos(np.clip(cosine, -1, 1))
    np.testing.assert_allclose(distance, every.min(axis=1), rtol=1e-6)
    np.testing.assert_array_equal(index, every.argmin(axis=1))
    far, length = nearest(lon, lat, to_lon, to_lat, 1e5)
    assert ((far == -1) == (every.min(axis=1) > 1e5)).all()
    assert np.isnan(length[far == -1]).all()
