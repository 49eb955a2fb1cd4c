"""Folders in the published layouts of EuroSAT and GEO-Bench, made small."""

import json
import pickle
import sys
import types
from pathlib import Path

import h5py
import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from adapters.errors import TrainingError
from adapters.modalities import modality
from training import published
from training.floors import BandStatistics
from training.geomeld_report import published as readable
from training.tile_schema import TileModality, TileSchema

S2 = modality("sentinel2")
NAMES = list(published.GEO_BENCH_BANDS)


# EuroSAT.


def write_eurosat(folder: Path, places: int = 12, bands: int = 13) -> Path:
    """Two classes, told by the red band; places far apart; band b holds 1000 + b."""
    for i in range(places):
        name, step = ("AnnualCrop", "SeaLake")[i % 2], i // 4
        (folder / name).mkdir(parents=True, exist_ok=True)
        numbers = np.tile((1000 + np.arange(bands))[:, None, None], (1, 64, 64)).astype(np.uint16)
        numbers[min(3, bands - 1)] = (3000, 400)[i % 2]
        with rasterio.open(
            folder / name / f"{name}_{i + 1}.tif",
            "w",
            driver="GTiff",
            width=64,
            height=64,
            count=bands,
            dtype="uint16",
            crs=f"EPSG:{32630 + i % 4}",
            transform=from_origin(300_000 + 100_000 * step, 4_500_000 + 200_000 * step, 10, 10),
        ) as target:
            target.write(numbers)
    return folder


def test_eurosat_is_read_by_band_names_into_the_middle_of_a_tile(tmp_path: Path) -> None:
    inside = tmp_path / "ds/images/remote_sensing/otherDatasets/sentinel_2/tif"
    write_eurosat(inside)
    found = published.eurosat(tmp_path)
    assert sorted(set(found.labels)) == ["AnnualCrop", "SeaLake"]
    assert set(found.split) >= {"train", "test"}
    sides = {block: set(found.split[found.block == block]) - {"guard"} for block in found.block}
    assert max(map(len, sides.values())) == 1  # no region is on both sides
    number = found.ids.tolist().index("AnnualCrop_1")
    chip = found.chip(number)
    mask, array = chip.present["sentinel2"], chip.arrays["sentinel2"]
    assert mask.all(0)[32:96, 32:96].all()
    assert mask.sum() == 12 * 64 * 64
    # In the file, 8A comes last and 10 is one that tiles have not.
    assert array[S2.band("B8A"), 40, 40] == pytest.approx(0.1012)
    assert array[S2.band("B11"), 40, 40] == pytest.approx(0.1010)
    assert array[S2.band("B4"), 40, 40] == pytest.approx(0.3)
    # What lies around the chip is absent, and no zero.
    schema = TileSchema(
        modalities=(
            TileModality(
                id="sentinel2", kind="map", bands=("B4",), size=128, mean=(0.0,), std=(1.0,)
            ),
        ),
        patch=16,
        caption_width=0,
    )
    [(_, whole)] = BandStatistics(schema).features([chip])
    assert whole[0].tolist() == pytest.approx([0.3, 0.0, 0.25], abs=1e-6)


def test_a_folder_that_is_no_eurosat_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no folder of EuroSAT"):
        published.eurosat(tmp_path / "nowhere")
    (tmp_path / "AnnualCrop").mkdir()
    (tmp_path / "AnnualCrop" / "AnnualCrop_1.jpg").touch()
    with pytest.raises(TrainingError, match="RGB edition"):
        published.eurosat(tmp_path)
    write_eurosat(tmp_path / "few", bands=3)
    with pytest.raises(TrainingError, match="3 bands"):
        published.eurosat(tmp_path / "few")


def test_numbers_that_are_no_reflectance_are_refused(tmp_path: Path) -> None:
    write_eurosat(tmp_path, places=4)
    file = next(tmp_path.glob("*/AnnualCrop_1.tif"))
    with rasterio.open(file, "r+") as target:
        target.write(np.full((13, 64, 64), 60_000, np.uint16))
    found = published.eurosat(tmp_path)
    with pytest.raises(TrainingError, match="no reflectance"):
        found.chip(found.ids.tolist().index("AnnualCrop_1"))


# GEO-Bench.


@pytest.fixture
def band_info(monkeypatch: pytest.MonkeyPatch) -> type:
    """A class that pickles name as one of geobench, which is not installed here."""
    module = types.ModuleType("geobench.dataset")
    made = type("Sentinel2", (), {"__module__": "geobench.dataset"})
    made.__qualname__ = "Sentinel2"
    module.Sentinel2 = made
    monkeypatch.setitem(sys.modules, "geobench", types.ModuleType("geobench"))
    monkeypatch.setitem(sys.modules, "geobench.dataset", module)
    return made


def write_geo_bench(
    folder: Path, band_info: type, samples: int = 18, scale: float = 1.0, labels: int = 0
) -> Path:
    """Samples as `geobench.dataset.write_sample_hdf5` writes them."""
    folder.mkdir(parents=True)
    draw = np.random.default_rng(0)
    names = [f"id_{i:04d}" for i in range(samples)]
    for i, name in enumerate(names):
        kind = i % 2
        label = np.array([kind] + [i // 2 % 2] * (labels - 1)) if labels else np.int64(kind)
        described: dict = {"label": label, "bands_order": NAMES}
        with h5py.File(folder / f"{name}.hdf5", "w") as file:
            for b, band in enumerate(NAMES):
                level = (1000 + b) * (1 + kind * (band == "04 - Red"))
                numbers = np.full((64, 64), level) + draw.integers(0, 9, (64, 64))
                file.create_dataset(band, data=numbers * scale)
                described[band] = {"band_info": band_info(), "date": None, "transform": None}
            file.attrs["pickle"] = str(pickle.dumps(described))
    cut = samples * 2 // 3
    parts = {"train": names[:cut], "valid": [], "test": names[cut:]}
    (folder / "default_partition.json").write_text(json.dumps(parts))
    return folder


def test_geo_bench_is_read_without_its_package(tmp_path: Path, band_info: type) -> None:
    folder = write_geo_bench(tmp_path / "m-eurosat", band_info)
    for name in ("geobench", "geobench.dataset"):
        del sys.modules[name]
    found = published.geo_bench(folder)
    assert found.labels.tolist()[:4] == ["0", "1", "0", "1"]
    assert (found.split == "train").sum() == 12
    assert "does not part regions" in found.about
    chip = found.chip(1)
    array = chip.arrays["sentinel2"]
    assert array[S2.band("B4"), 40, 40] == pytest.approx(0.2006, abs=2e-3)
    assert array[S2.band("B8A"), 40, 40] == pytest.approx(0.1008, abs=2e-3)
    assert chip.present["sentinel2"].all(0)[32:96, 32:96].all()


def test_pixels_that_no_band_of_a_benchmark_has_are_absent(tmp_path: Path, band_info: type) -> None:
    folder = write_geo_bench(tmp_path / "m-eurosat", band_info, samples=3)
    with h5py.File(folder / "id_0000.hdf5", "r+") as file:
        for band in NAMES:
            file[band][:5] = 0
    mask = published.geo_bench(folder).chip(0).present["sentinel2"]
    assert not mask[:, 32:37].any()
    assert mask[:, 37:96, 32:96].all()


def test_bands_in_unknown_units_are_absent(tmp_path: Path, band_info: type) -> None:
    folder = write_geo_bench(tmp_path / "m-brick-kiln", band_info, samples=3)
    mask = published.geo_bench(folder).chip(0).present["sentinel2"].any((1, 2))
    there = [name for name, is_there in zip(S2.names, mask, strict=True) if is_there]
    assert there == ["B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8"]


def test_reflectance_of_another_scale_is_refused(tmp_path: Path, band_info: type) -> None:
    right = write_geo_bench(tmp_path / "m-so2sat", band_info, samples=3, scale=1e-4)
    assert np.nanmedian(published.geo_bench(right).chip(0).arrays["sentinel2"]) < 0.2
    wrong = write_geo_bench(tmp_path / "wrong/m-so2sat", band_info, samples=3)
    with pytest.raises(TrainingError, match="no reflectance"):
        published.geo_bench(wrong).chip(0)


class _Harm:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple:
        return (open, (str(self.file), "w"))


def test_a_pickle_from_elsewhere_runs_nothing(tmp_path: Path, band_info: type) -> None:
    folder = write_geo_bench(tmp_path / "m-eurosat", band_info, samples=3)
    harmed = tmp_path / "harmed"
    content = pickle.dumps({"label": 1, "more": _Harm(harmed)})
    with h5py.File(folder / "id_0000.hdf5", "r+") as file:
        file.attrs["pickle"] = str(content)
    assert published.geo_bench(folder).labels[0] == "1"
    assert not harmed.exists()
    pickle.loads(content)["more"].close()
    assert harmed.exists()  # the test's pickle does harm where it is let


def test_broken_geo_bench_folders_are_refused(tmp_path: Path, band_info: type) -> None:
    with pytest.raises(TrainingError, match="m-pv4ger is not read"):
        published.geo_bench(tmp_path / "m-pv4ger")
    with pytest.raises(TrainingError, match="no such partition"):
        published.geo_bench(tmp_path / "m-eurosat")
    folder = write_geo_bench(tmp_path / "m-eurosat", band_info, samples=3)
    with h5py.File(folder / "id_0001.hdf5", "r+") as file:
        file.attrs["pickle"] = str(pickle.dumps({"bands_order": NAMES}))
    with pytest.raises(TrainingError, match="no label"):
        published.geo_bench(folder)
    with h5py.File(folder / "id_0001.hdf5", "r+") as file:
        file.attrs["pickle"] = "not a pickle"
    with pytest.raises(TrainingError, match="does not say what it is"):
        published.geo_bench(folder)
    (folder / "id_0001.hdf5").unlink()
    with pytest.raises(TrainingError, match="1 of 3 samples are missing"):
        published.geo_bench(folder)
    partition = {"train": ["id_0000", "id_0002"], "valid": [], "test": ["id_0002"]}
    (folder / "default_partition.json").write_text(json.dumps(partition))
    with pytest.raises(TrainingError, match="twice"):
        published.geo_bench(folder)


# Probing.


class _Statistics:
    """Stands for a trained encoder where its features do not matter."""

    def __init__(self, schema: TileSchema) -> None:
        self._floor = BandStatistics(schema)
        inputs = [types.SimpleNamespace(id=m.id) for m in schema.modalities]
        self.model = types.SimpleNamespace(config=types.SimpleNamespace(inputs=inputs))
        self.features = self._floor.features


@pytest.mark.parametrize("labels", [0, 2])
def test_probes_of_a_benchmark_find_what_tells_its_labels(
    tmp_path: Path, band_info: type, monkeypatch: pytest.MonkeyPatch, labels: int
) -> None:
    folder = write_geo_bench(tmp_path / "m-eurosat", band_info, labels=labels)
    schema = TileSchema(
        modalities=(
            TileModality(
                id="sentinel2",
                kind="map",
                bands=("B2", "B4"),
                size=128,
                mean=(0.1,) * 2,
                std=(1,) * 2,
            ),
        ),
        patch=16,
        caption_width=0,
    )
    monkeypatch.setattr(published, "floors", lambda _: {"again": BandStatistics(schema)})
    report = published.probe(_Statistics(schema), published.geo_bench(folder))
    found = report["probes"]["logistic"]
    if labels:
        assert report["measure"] == "F1"
        # One label is told by the red band, the other by nothing.
        assert 0.5 < found["methods"]["model"]["value"] < 1.0
    else:
        assert report["measure"] == "accuracy"
        assert found["methods"]["model"]["value"] == 1.0
    assert found["model_minus"]["again"]["value"] == 0.0
    assert found["model_minus"]["again"]["verdict"] == "not distinguishable"
    assert f"| model | {found['methods']['model']['value']:.3f} [" in readable(report)


def test_f1_by_hand() -> None:
    assert published.f1(np.array([[[5, 1], [2, 4]]])) == pytest.approx([8 / 11])
    assert np.isnan(published.f1(np.array([[[5, 0], [0, 0]]])))
