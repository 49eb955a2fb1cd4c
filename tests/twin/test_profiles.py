"""Known profiles and their photographs: relations, labels, what a picture shows, files."""

import csv
import dataclasses
import io
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from adapters import twin
from adapters.archive import ingest
from adapters.codebooks import codebook
from adapters.readers.photograph import channels_swapped
from adapters.settings import Settings
from adapters.spec import SOURCES_DIR, load_spec
from adapters.standardise import standardise
from adapters.twin import munsell
from adapters.twin.europe import Europe
from adapters.twin.horizon_marks import MIXTURE, leaves, marks
from adapters.twin.horizons import MOST_HORIZONS
from adapters.twin.morphology import Horizon, horizon, texture_class
from adapters.twin.photographs import Shot, photograph, shot
from adapters.twin.pits import PITS, Pit, pits
from adapters.twin.sizes import estimate
from adapters.twin.surfaces import TILES, Surfaces, surfaces
from adapters.twin.world import World
from fusion.profiles.symbols import components, normalise

SEED = 20090401
SOURCE = "soilnet_profiles"
PICTURES = "Profilbilder_no_ruler_no_sky"
_STILL = Shot(
    height=400, width=260, reach=100.0, tilt=0.0, keystone=0.0, gain=(1.0, 1.0, 1.0), sky=0,
    ruler="none", ruler_width=20, ruler_side=0, shadow=0.0, blur=0.0, noise=0.0, quality=90,
    litter=False,
)  # fmt: skip


@pytest.fixture(scope="module")
def world() -> World:
    return World(Europe(SEED), "demo")


@pytest.fixture(scope="module")
def found(world: World) -> list[Pit]:
    return pits(world)


@pytest.fixture(scope="module")
def every(found: list[Pit]) -> list[tuple[Pit, Horizon]]:
    return [(pit, h) for pit in found for h in pit.horizons]


@pytest.fixture(scope="module")
def tiles(world: World) -> Surfaces:
    return surfaces(world.stream("surfaces"), TILES["tiny"])


# Profiles


def test_horizons_reach_from_the_surface_to_a_metre_without_a_gap(found: list[Pit]) -> None:
    assert len(found) == PITS["demo"]
    for pit in found:
        tops, bottoms = [h.top for h in pit.horizons], [h.bottom for h in pit.horizons]
        assert tops == [0, *bottoms[:-1]]
        assert bottoms[-1] >= 100
        assert all(top < bottom for top, bottom in zip(tops, bottoms, strict=True))
        assert 2 <= len(tops) <= MOST_HORIZONS
    seen = [sum(h.top < 100 for h in pit.horizons) for pit in found]
    assert 4.2 < np.mean(seen) < 5.2
    assert min(seen) <= 3
    assert max(seen) >= 6


def test_symbols_are_those_of_the_published_tree_unbalanced_and_mixed(
    every: list[tuple[Pit, Horizon]],
) -> None:
    published = set(codebook("horizon_symbols").codes)
    assert {normalise(leaf) for leaf in leaves()} <= published
    assert {part for leaf in leaves() for part in components(leaf)} - published == {"T", "F"}
    counts = Counter(h.symbol for _, h in every)
    total = sum(counts.values())
    assert counts.most_common(1)[0][1] > 0.08 * total
    assert sum(count <= 3 for count in counts.values()) >= 10
    assert len(counts) >= 55
    assert 0.1 < sum(count for symbol, count in counts.items() if "-" in symbol) / total < 0.4
    assert {symbol[0] for symbol in counts if "-" not in symbol} >= set("ABGHMPRS")


@given(st.sampled_from(leaves()), st.sampled_from(leaves()))
def test_a_mixture_stands_between_its_parts_nearer_to_the_last(first: str, last: str) -> None:
    mixed = marks(f"{first}-{last}")
    for field in dataclasses.fields(mixed):
        one, other = getattr(marks(first), field.name), getattr(marks(last), field.name)
        assert getattr(mixed, field.name) == pytest.approx(MIXTURE[0] * one + MIXTURE[1] * other)


@given(st.floats(0, 100), st.floats(0, 1))
def test_every_fine_earth_has_a_texture(clay: float, sandy: float) -> None:
    known = set(codebook("bodenart", SOURCES_DIR / SOURCE).aliases)
    assert texture_class((100.0 - clay) * sandy, clay) in known


@pytest.mark.parametrize(
    ("sand", "clay", "code"),
    [(92, 3, "Ss"), (8, 18, "Ut4"), (35, 20, "Ls2"), (10, 70, "Tt"), (60, 15, "Sl4"), (5, 5, "Uu")],
)
def test_texture_classes_are_those_of_the_manual(sand: float, clay: float, code: str) -> None:
    assert texture_class(sand, clay) == code


def test_relations_between_symbol_depth_and_properties_hold(
    every: list[tuple[Pit, Horizon]],
) -> None:
    for _, h in every:
        last = components(h.symbol)[-1]
        if last.startswith("i"):
            assert h.carbonate == "C0"
        if last.startswith(("e", "c")):
            assert int(h.carbonate[1]) >= 2
        if "mC" in last:
            assert h.stones >= 60
        assert (h.texture[0] == "H") == (h.humus == "h7")
    mineral = [(np.log1p(h.organic), h.value) for _, h in every if h.humus != "h7"]
    assert np.corrcoef(np.transpose(mineral))[0, 1] < -0.4
    shallow = [h.density for _, h in every if h.bottom <= 30]
    deep = [h.density for _, h in every if h.top >= 60]
    assert np.median(shallow) > 6 * np.median(deep)


def test_clay_iron_and_water_leave_their_marks_within_a_profile(found: list[Pit]) -> None:
    clay, grey = [], []
    for pit in found:
        by_symbol = {h.symbol: h for h in pit.horizons}
        if "Bt" in by_symbol and (above := by_symbol.get("Al", by_symbol.get("Ael"))):
            clay.append(by_symbol["Bt"].clay - above.clay)
        if "Gr" in by_symbol and "Go" in by_symbol:
            low, high = by_symbol["Gr"], by_symbol["Go"]
            grey.append((low.chroma < high.chroma, low.hue > high.hue))
    assert min(clay) > 4
    assert len(clay) > 5
    assert len(grey) > 2
    assert np.mean(grey) > 0.9
    wet = [p.setting.water for p in found if p.soil_type == "GG"]
    dry = [p.setting.water for p in found if p.soil_type == "BB"]
    assert max(wet) < np.median(dry)


def test_site_colour_and_properties_each_tell_a_part_of_the_symbol(
    every: list[tuple[Pit, Horizon]],
) -> None:
    """How often the usual symbol is right, by what is known: no single part gives it away."""

    def right(*known: str) -> float:
        groups: dict[tuple[object, ...], Counter[str]] = {}
        for pit, h in every:
            about = {
                "colour": h.colour, "texture": h.texture[:2], "carbonate": h.carbonate,
                "humus": h.humus, "soil_type": pit.site["soil_type"],
                "depth": h.top // 20,
            }  # fmt: skip
            groups.setdefault(tuple(about[k] for k in known), Counter())[h.symbol] += 1
        return sum(group.most_common(1)[0][1] for group in groups.values()) / len(every)

    nothing = right()
    for part in (("colour",), ("texture", "carbonate", "humus"), ("soil_type", "depth")):
        assert nothing + 0.12 < right(*part) < 0.72


def test_what_is_recorded_of_a_site_agrees_with_its_soil_but_not_always(found: list[Pit]) -> None:
    same = np.mean([str(pit.site["soil_type"])[:2] == pit.soil_type[:2] for pit in found
                    if pit.soil_type != "BC"])  # fmt: skip
    assert 0.75 < same < 0.95
    for pit in found:
        assert (pit.site["peatland"] == "ja") == (pit.soil_type in ("HN", "HH"))
        assert float(pit.site["carbon_stock_0_30"]) > 0
    peat = [p.site["carbon_stock_0_30"] for p in found if p.soil_type == "HN"]
    fields = [p.site["carbon_stock_0_30"] for p in found if p.soil_type == "LL"]
    assert min(peat) > 2 * np.median(fields)


# Pictures


def test_the_table_of_colours_is_that_of_colour_science() -> None:
    with munsell.TABLE.open(encoding="utf-8") as handle:
        rows = [r for r in csv.DictReader(handle) if 0 < float(r["chroma"]) <= 4][7::40]
    for row in rows:
        light = munsell.convert(f"{row['hue']} {row['value']}/{row['chroma']}")
        assert light == pytest.approx([float(row[c]) for c in ("red", "green", "blue")], abs=1e-5)
    assert len(rows) > 5


def test_between_chips_colours_change_evenly() -> None:
    middle = munsell.light(4.0, 4.5, 3.5)
    around = [munsell.light(4.0, v, c) for v in (4.0, 5.0) for c in (3.0, 4.0)]
    assert middle == pytest.approx(np.mean(around, axis=0))
    assert munsell.chip("10YR 4/3") == pytest.approx(munsell.light(4.0, 4.0, 3.0))


def _made(pit: Pit, *symbols: str) -> Pit:
    """The pit with horizons of these symbols, of one thickness."""
    bounds = np.linspace(0, 100, len(symbols) + 1).round().astype(int).tolist()
    draw = np.random.default_rng(3)
    setting = dataclasses.replace(pit.setting, parent="loess", stones=0.0, lime=0.0, use="A")
    own = tuple(
        dataclasses.replace(horizon(s, s, top, bottom, setting, draw), density=0.0)
        for s, top, bottom in zip(symbols, bounds, bounds[1:], strict=False)
    )
    return dataclasses.replace(pit, setting=setting, horizons=own)


def test_a_horizon_has_its_munsell_colour_in_the_picture(found: list[Pit], tiles: Surfaces) -> None:
    pit = _made(found[0], "Ap", "Bv", "ilC")
    pixels = photograph(pit, _STILL, tiles, np.random.default_rng(0)).astype(float) / 255.0
    light = np.where(pixels <= 0.04045, pixels / 12.92, ((pixels + 0.055) / 1.055) ** 2.4)
    for h in pit.horizons:
        rows = light[(h.top + 8) * 4 : (h.bottom - 8) * 4].reshape(-1, 3)
        seen, true = np.median(rows, axis=0), munsell.light(h.hue, h.value, h.chroma)
        # The pit is darker below; the colour stays what it is.
        assert seen / seen.sum() == pytest.approx(true / true.sum(), abs=0.02)
        assert 0.5 < seen.sum() / true.sum() < 1.15


def _changes_at(pixels: np.ndarray, reach: float, low: float, high: float) -> float:
    """Depth in cm between two limits that parts the rows best into two colours."""
    rows = np.median(pixels.astype(float), axis=1)
    scale = len(rows) / reach
    part = rows[round(low * scale) : round(high * scale)]
    cost = [
        part[:k].var(axis=0).sum() * k + part[k:].var(axis=0).sum() * (len(part) - k)
        for k in range(3, len(part) - 3)
    ]
    return low + (3 + int(np.argmin(cost))) / scale


def test_colour_changes_at_the_depth_that_is_recorded(found: list[Pit], tiles: Surfaces) -> None:
    away = []
    for number, pit in enumerate(found):
        taken = dataclasses.replace(_STILL, height=300, noise=2.0, tilt=0.5)
        pixels = None
        for upper, lower in zip(pit.horizons, pit.horizons[1:], strict=False):
            plain = max(upper.stones, lower.stones) < 12 and lower.top < 85
            step = abs(upper.value - lower.value) + 0.5 * abs(upper.chroma - lower.chroma)
            thick = min(upper.bottom - upper.top, min(lower.bottom, 100) - lower.top)
            if plain and step > 1.2 and thick >= 14:
                if pixels is None:
                    pixels = photograph(pit, taken, tiles, np.random.default_rng(number))
                near = _changes_at(pixels, 100.0, lower.top - 11, lower.top + 11)
                away.append(abs(near - lower.top))
        if len(away) > 40:
            break
    assert len(away) > 25
    assert np.median(away) < 1.0
    assert np.quantile(away, 0.9) < 3.5


def test_stones_cover_what_is_recorded(found: list[Pit], tiles: Surfaces) -> None:
    """Pale stones in peat-black soil are told apart by their light."""
    base = _made(found[0], "Ap")
    for share in (5, 20, 40):
        dark = dataclasses.replace(base.horizons[0], stones=share, value=2.2, chroma=0.7)
        pit = dataclasses.replace(base, horizons=(dark,))
        covered = [
            (photograph(pit, _STILL, tiles, np.random.default_rng(k)).max(axis=2) > 88).mean()
            for k in range(4)
        ]
        assert 0.5 * share < 100 * np.mean(covered) < 1.4 * share + 2


def test_what_was_removed_is_black_and_nothing_else_is(
    world: World, found: list[Pit], tiles: Surfaces
) -> None:
    """As the reader of photographs sees it, after JPEG."""
    peat = next(pit for pit in found if pit.soil_type == "HN")
    dim = dataclasses.replace(_STILL, gain=(0.5, 0.5, 0.5), noise=3.0)
    strips = dataclasses.replace(dim, height=430, sky=30, ruler="removed", ruler_side=1)
    for taken, sky, ruler in ((dim, 0, 0), (strips, 30, 20)):
        pixels = photograph(peat, taken, tiles, np.random.default_rng(1))
        packed = io.BytesIO()
        Image.fromarray(pixels).save(packed, "JPEG", quality=80)
        seen = np.asarray(Image.open(packed))
        black = (seen < 16).all(axis=2)
        expected = 1 - (1 - ruler / taken.width) * (1 - sky / taken.height)
        assert black.mean() == pytest.approx(expected, abs=0.012)
    usual = [shot("demo", world.stream(f"shot {k}")) for k in range(300)]
    assert 0.75 < np.mean([s.ruler == "none" for s in usual]) < 0.9
    assert 0 < sum(s.ruler == "left" for s in usual) < 30
    assert 0.05 < np.mean([s.sky > 0 for s in usual]) < 0.2
    assert {s.height > s.width for s in usual} == {True, False}


def test_honest_pictures_are_not_taken_for_swapped_ones(
    world: World, found: list[Pit], tiles: Surfaces
) -> None:
    for pit in found[::5]:
        draw = world.stream(f"seen {pit.number}")
        taken = dataclasses.replace(shot("tiny", draw), sky=0, ruler="none")
        assert not channels_swapped(photograph(pit, taken, tiles, draw)).swapped


# Files


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    root = tmp_path_factory.mktemp("profiles")
    settings = Settings(data_root=root / "data", truth_root=root / "truth")
    twin.write(settings, sources=[SOURCE], size="tiny", seed=SEED)
    return settings


def _table(settings: Settings, name: str) -> pl.DataFrame:
    return pl.read_csv(settings.raw / SOURCE / name, infer_schema=False)


def test_tiny_has_its_size_and_every_fault(written: Settings) -> None:
    rows = _table(written, "data_horizons.csv").drop_nulls("file")
    assert rows["file"].n_unique() == 60
    assert rows["Point"].n_unique() == PITS["tiny"]
    there = {p.name: p.stat().st_size for p in (written.raw / SOURCE / PICTURES).iterdir()}
    assert set(there) < set(rows["file"])
    assert 0.2 < sum(there.values()) / estimate([SOURCE], "tiny").raw < 1
    faults = pl.concat(
        pl.read_parquet(written.truth_root / piece.id / "faults.parquet")
        for piece in load_spec(SOURCE).pieces
    )
    assert set(faults["fault"]) == {
        "overlap", "gap", "inverted", "unknown_code", "missing_photograph", "swapped_channels",
        "truncated", "swapped_coordinates",
    }  # fmt: skip
    assert faults["flag"].null_count() == 0


def test_pictures_of_one_profile_share_their_labels(written: Settings) -> None:
    rows = _table(written, "data_horizons.csv").drop_nulls("file")
    several = 0
    for _, profile in rows.group_by("Point"):
        pictures = profile.partition_by("file", include_key=False)
        several += len(pictures) > 1
        assert all(one.equals(pictures[0]) for one in pictures)
        assert len(pictures) <= 4
    assert several >= 12


def test_the_source_flags_what_was_planted_and_nothing_else(written: Settings) -> None:
    spec = load_spec(SOURCE)
    raw = ingest(spec, written)
    for piece in spec.pieces:
        made = standardise(piece, raw, written)
        keys = [pl.col(key).cast(pl.String) for key in piece.keys]
        rows = made.table.select("row_ref", key=pl.concat_str(keys, separator="|"))
        flags = made.flags.join(rows, on="row_ref").filter(pl.col("flag") != "above_limit")
        faults = pl.read_parquet(written.truth_root / piece.id / "faults.parquet")
        told = set(flags.select("key", "flag").iter_rows())
        assert told == set(faults.select("key", "flag").iter_rows())
        truth = pl.read_parquet(written.truth_root / piece.id / "samples.parquet")
        assert set(rows["key"]) <= set(truth["key"])


def test_the_same_seed_draws_the_same_pictures_and_another_one_others(
    written: Settings, tmp_path: Path
) -> None:
    again = Settings(data_root=tmp_path / "data", truth_root=tmp_path / "truth")
    folder = written.raw / SOURCE
    twin.write(again, sources=[SOURCE], size="tiny", seed=SEED)
    for path in folder.rglob("*.*"):
        assert (again.raw / SOURCE / path.relative_to(folder)).read_bytes() == path.read_bytes()
    name = min(path.name for path in (folder / PICTURES).iterdir())
    other = Settings(data_root=tmp_path / "other", truth_root=tmp_path / "truth of it")
    twin.write(other, sources=[SOURCE], size="tiny", seed=SEED + 1)
    assert name not in {path.name for path in (other.raw / SOURCE / PICTURES).iterdir()}
