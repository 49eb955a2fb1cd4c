"""Published benchmarks that a user has on disk, as chips that an encoder of tiles reads.

Belongs here: the layout of EuroSAT and of GEO-Bench version 1, which band is which, in what unit,
and what of it is refused. Never here: downloading; probes.

A band is taken by its name in `adapters/modalities.yaml`; what a benchmark lacks is absent, and
never zero. A chip smaller than a tile lies in its middle, on whole patches; around it nothing is
present. Some benchmarks have reflectance at the top of the atmosphere, other than the surface
reflectance of tiles; `Benchmark.about` says so.
"""

import ast
import datetime
import io
import json
import pickle
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from adapters.errors import TrainingError
from adapters.modalities import modality
from fusion.tiles.splits import tile_splits
from training import probes
from training.bootstrap import Bootstrap, some
from training.geomeld_evaluate import MODEL, PROBES, ask, compared, floors
from training.tile_features import TileEncoder

SENTINEL2 = "sentinel2"
STEP = 16
"""Chips begin at a multiple of so many pixels."""
MOST_TRAINING, MOST_TEST = 2000, 1000
_SEED = 17
_REFLECTANCE = (0.0005, 2.0)
"""Between which the median of a chip lies, if it is reflectance at all."""

EUROSAT_BANDS = (
    "B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B9", "B10", "B11", "B12", "B8A",
)  # fmt: skip
"""In the order of the files (Helber et al. 2019, doi 10.1109/JSTARS.2019.2918242): B8A is last."""
EUROSAT_SCALE = 1e-4
_EUROSAT_WITHIN = (".", "EuroSAT_MS", "ds/images/remote_sensing/otherDatasets/sentinel_2/tif")
"""Where the folders of the classes are, in the archives as they were published."""

GEO_BENCH_BANDS = {
    "01 - Coastal aerosol": "B1",
    "02 - Blue": "B2",
    "03 - Green": "B3",
    "04 - Red": "B4",
    "05 - Vegetation Red Edge": "B5",
    "06 - Vegetation Red Edge": "B6",
    "07 - Vegetation Red Edge": "B7",
    "08 - NIR": "B8",
    "08A - Vegetation Red Edge": "B8A",
    "09 - Water vapour": "B9",
    "11 - SWIR": "B11",
    "12 - SWIR": "B12",
}
"""geobench.dataset.sentinel2_13_bands (Lacoste et al. 2023, arXiv 2306.03831); without cirrus."""


@dataclass(frozen=True)
class _Part:
    """What must be known of one benchmark of GEO-Bench, for its files do not say it."""

    scale: float
    about: str
    bands: tuple[str, ...] = tuple(GEO_BENCH_BANDS.values())


_TOP, _SURFACE = "reflectance at the top of the atmosphere", "surface reflectance"
GEO_BENCH: dict[str, _Part] = {
    "m-eurosat": _Part(1e-4, _TOP),
    "m-bigearthnet": _Part(1e-4, _SURFACE),
    "m-so2sat": _Part(
        1.0,
        f"{_TOP}; its radar is not in dB and its pass is not known: not read",
    ),
    # Its bands 8A to 12 have other numbers than reflectance has (the largest of the last three is
    # 255 in its own band_stats.json): what they are is not known.
    "m-brick-kiln": _Part(
        1e-4,
        f"{_TOP}; bands 8A, 9, 11 and 12 have numbers that are no reflectance: not read",
        ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8"),
    ),
}
_SPLITS = {"train": "train", "valid": "validation", "test": "test"}


@dataclass(frozen=True, eq=False)
class Chip:
    """What an encoder reads of a tile, without a place on the Earth."""

    id: str
    arrays: dict[str, np.ndarray]
    present: dict[str, np.ndarray]
    vector_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Benchmark:
    """Labelled chips in splits.

    Attributes:
        name: Of the benchmark.
        about: What its pixels are, and how it is split.
        ids: (n,) names of the chips.
        split: (n,) train, validation, test or guard.
        block: (n,) what is resampled for intervals.
        labels: (n,) one label each; or (n, L) bool, the labels that each has.
        chip: Number -> the chip, read from disk.
    """

    name: str
    about: str
    ids: np.ndarray
    split: np.ndarray
    block: np.ndarray
    labels: np.ndarray
    chip: Callable[[int], Chip]


# EuroSAT.


def eurosat(folder: Path) -> Benchmark:
    """The 13 bands of EuroSAT, split by regions: H3 blocks with a guard, as tiles are.

    Args:
        folder: With the folders of the classes, or the unpacked archive around them.

    Raises:
        TrainingError: There are no such folders, or a file has no place or other bands.
    """
    import rasterio
    from pyproj import Transformer

    base = next(
        (folder / inside for inside in _EUROSAT_WITHIN if any((folder / inside).glob("*/*_*.tif"))),
        None,
    )
    if base is None:
        raise TrainingError(
            "this is no folder of EuroSAT with 13 bands",
            file=str(folder),
            samples=sorted(path.name for path in folder.iterdir()) if folder.is_dir() else [],
            remedy="unpack EuroSATallBands.zip or EuroSAT_MS.zip, and give the folder that holds "
            "AnnualCrop/AnnualCrop_1.tif and so on; the RGB edition has too few bands",
        )
    files = sorted(base.glob("*/*_*.tif"))
    places = np.empty((len(files), 2))
    for number, file in enumerate(files):
        with rasterio.open(file) as source:
            if source.crs is None or source.count != len(EUROSAT_BANDS):
                raise TrainingError(
                    f"a chip has {source.count} bands, and the CRS {source.crs}",
                    file=str(file),
                    remedy=f"it should have {len(EUROSAT_BANDS)} bands and a CRS: unpack it again",
                )
            to_degrees = Transformer.from_crs(source.crs, "EPSG:4326", always_xy=True)
            places[number] = to_degrees.transform(*source.xy(source.height / 2, source.width / 2))
    sides = tile_splits(places[:, 0], places[:, 1])

    def chip(number: int) -> Chip:
        with rasterio.open(files[number]) as source:
            numbers = source.read()
        return _chip(
            str(files[number]),
            dict(zip(EUROSAT_BANDS, numbers, strict=True)),
            (numbers > 0).any(0),
            EUROSAT_SCALE,
        )

    return Benchmark(
        name="EuroSAT",
        about=f"{_TOP}; split by H3 blocks with a guard of 10 km",
        ids=np.array([file.stem for file in files]),
        split=sides["split"].to_numpy(),
        block=sides["block"].to_numpy(),
        labels=np.array([file.parent.name for file in files]),
        chip=chip,
    )


# GEO-Bench.


def geo_bench(folder: Path, partition: str = "default") -> Benchmark:
    """One classification benchmark of GEO-Bench version 1, in its published partition.

    Args:
        folder: Such as `classification_v1.0/m-eurosat`.
        partition: `default`, `0.10x_train` and so on.

    Raises:
        TrainingError: The benchmark is none of Sentinel-2 that can be read, or files are missing.
    """
    if folder.name not in GEO_BENCH:
        raise TrainingError(
            f"{folder.name} is not read",
            file=str(folder),
            samples=sorted(GEO_BENCH),
            remedy="give the folder of one of these; the others have no Sentinel-2 in a unit that "
            "is known, or ask for maps",
        )
    about = GEO_BENCH[folder.name]
    path = folder / f"{partition}_partition.json"
    if not path.is_file():
        raise TrainingError(
            "no such partition",
            file=str(path),
            samples=sorted(file.name for file in folder.glob("*_partition.json")),
            remedy="unpack the benchmark again, or name one of these partitions",
        )
    listed = json.loads(path.read_text(encoding="utf-8"))
    if unknown := sorted(set(listed) - set(_SPLITS)):
        raise TrainingError(
            "the partition has other parts than train, valid and test",
            file=str(path),
            samples=unknown,
            remedy="unpack the benchmark again",
        )
    names = [(name, _SPLITS[part]) for part, members in listed.items() for name in members]
    if twice := [name for name, count in Counter(n for n, _ in names).items() if count > 1]:
        raise TrainingError(
            "samples stand in the partition twice: what is tested would be learnt",
            file=str(path),
            samples=twice,
            remedy="unpack the benchmark again",
        )
    if absent := [name for name, _ in names if not (folder / f"{name}.hdf5").is_file()]:
        raise TrainingError(
            f"{len(absent)} of {len(names)} samples are missing",
            file=str(folder),
            samples=[f"{name}.hdf5" for name in absent],
            remedy="unpack the benchmark again",
        )
    files = [folder / f"{name}.hdf5" for name, _ in names]
    labels = [np.asarray(_attributes(file)["label"]) for file in files]
    if len({label.shape for label in labels}) > 1 or labels[0].ndim > 1:
        raise TrainingError(
            "labels are neither one class nor one list of classes a sample",
            file=str(folder),
            samples=sorted({str(label.shape) for label in labels}),
            remedy="maps of classes are not read here",
        )
    together = np.stack(labels)
    return Benchmark(
        name=folder.name,
        about=f"{about.about}; the published partition {partition!r}, which does not part regions",
        ids=np.array([name for name, _ in names]),
        split=np.array([side for _, side in names]),
        block=np.array([name for name, _ in names]),
        labels=together.astype(bool) if together.ndim == 2 else together.astype(str),
        chip=lambda number: _geo_bench_chip(files[number], about),
    )


def _geo_bench_chip(file: Path, about: _Part) -> Chip:
    import h5py

    with h5py.File(file, "r") as source:
        bands = {
            band: np.asarray(source[name], np.float64)
            for name, band in GEO_BENCH_BANDS.items()
            if name in source and band in about.bands
        }
        if not bands:
            raise TrainingError(
                "the sample has no band of Sentinel-2",
                file=str(file),
                samples=sorted(source),
                remedy="unpack the benchmark again",
            )
    there = np.any([numbers > 0 for numbers in bands.values()], axis=0)
    return _chip(str(file), bands, there, about.scale)


def _attributes(file: Path) -> dict:
    """What a sample's file says of it: in a pickle, of which plain values and arrays are taken."""
    import h5py

    with h5py.File(file, "r") as source:
        content = source.attrs.get("pickle")
    try:
        found = _Plain(io.BytesIO(ast.literal_eval(str(content)))).load()
    except (ValueError, SyntaxError, TypeError, EOFError, pickle.UnpicklingError) as error:
        raise TrainingError(
            "the sample does not say what it is",
            file=str(file),
            samples=[str(content)[:60]],
            remedy="unpack the benchmark again",
        ) from error
    if not isinstance(found, dict) or "label" not in found:
        raise TrainingError(
            "the sample has no label",
            file=str(file),
            samples=sorted(found) if isinstance(found, dict) else [],
            remedy="give a classification benchmark; maps of classes are not read here",
        )
    return found


class _Nothing:
    """Stands for what a pickle names and what is not needed; it does nothing."""

    def __new__(cls, *_: object, **__: object) -> "_Nothing":
        return super().__new__(cls)

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


class _Plain(pickle.Unpickler):
    """Unpickles numbers, arrays and dates; a pickle from elsewhere can run nothing."""

    _TAKEN = {
        ("numpy", "dtype"): np.dtype,
        ("numpy", "ndarray"): np.ndarray,
        ("datetime", "date"): datetime.date,
        ("datetime", "datetime"): datetime.datetime,
    }
    _ARRAYS = ("numpy.core.multiarray", "numpy._core.multiarray")

    def find_class(self, module: str, name: str) -> object:
        if module in self._ARRAYS and name in ("_reconstruct", "scalar"):
            return super().find_class("numpy._core.multiarray", name)
        return self._TAKEN.get((module, name), _Nothing)


# Pixels.


def _chip(id_: str, bands: Mapping[str, np.ndarray], there: np.ndarray, scale: float) -> Chip:
    """Bands by name, (h, w) each, in the middle of a tile's square."""
    spec = modality(SENTINEL2)
    shapes = {numbers.shape for numbers in bands.values()}
    height, width = there.shape
    if len(shapes) > 1 or max(height, width) > spec.size:
        raise TrainingError(
            "the bands are not one chip that fits into a tile",
            file=id_,
            samples=sorted(shapes),
            remedy=f"all bands should have one shape of at most {spec.size} x {spec.size} pixels",
        )
    top, left = ((spec.size - edge) // 2 // STEP * STEP for edge in (height, width))
    array = np.full(spec.shape, np.nan, np.float32)
    mask = np.zeros(spec.shape, bool)
    for name, numbers in bands.items():
        if name not in spec.names:
            continue
        place = np.s_[spec.band(name), top : top + height, left : left + width]
        array[place] = numbers * scale
        mask[place] = there
    if mask.any():
        median = float(np.median(array[mask]))
        if not _REFLECTANCE[0] <= median <= _REFLECTANCE[1]:
            raise TrainingError(
                f"the median of the chip is {median:g}, which is no reflectance",
                file=id_,
                remedy=f"its numbers times {scale:g} should be reflectance: is it another edition?",
            )
    return Chip(id_, {SENTINEL2: array}, {SENTINEL2: mask})


# Probing.


def probe(
    encoder: TileEncoder,
    benchmark: Benchmark,
    training: int = MOST_TRAINING,
    test: int = MOST_TEST,
) -> dict:
    """Probes of frozen features on the test split of a benchmark, beside floors.

    Args:
        encoder: Reads Sentinel-2; what else it reads is absent.
        benchmark: See `eurosat` and `geo_bench`.
        training: Chips to learn from, at most.
        test: Chips to be asked about, at most.

    Returns:
        By probe, what `training.geomeld_evaluate.compared` returns: of accuracy, or where a chip
        has several labels of F1 over all chips and labels.

    Raises:
        TrainingError: The encoder does not read Sentinel-2, a split is empty, or a chip is broken.
    """
    if SENTINEL2 not in [m.id for m in encoder.model.config.inputs]:
        raise TrainingError("the encoder does not read Sentinel-2", remedy="give another run")
    train = some(np.flatnonzero(benchmark.split == "train"), training, _SEED)
    asked = some(np.flatnonzero(benchmark.split == "test"), test, _SEED)
    if not len(train) or not len(asked):
        raise TrainingError(
            f"{benchmark.name} has no chip to learn from, or none to be asked about",
            samples=[f"{name}: {count}" for name, count in Counter(benchmark.split).items()],
            remedy="give the whole benchmark",
        )
    bootstrap = Bootstrap(benchmark.block[asked], _SEED, "test chips")
    found: dict[str, dict[str, np.ndarray]] = {name: {} for name in PROBES}
    for method, one in {MODEL: encoder, **floors(encoder)}.items():
        features = [
            ask(one, map(benchmark.chip, rows.tolist()), None)[0] for rows in (train, asked)
        ]
        for name, fit in PROBES.items():
            found[name][method] = _confusion(fit, benchmark, train, asked, features)
    several = benchmark.labels.ndim == 2
    score, measure = (f1, "F1") if several else (probes.accuracy, "accuracy")
    return {
        "benchmark": benchmark.name,
        "about": benchmark.about,
        "measure": measure,
        "training_chips": len(train),
        "test_chips": len(asked),
        "probes": {name: compared(bootstrap, parts, score) for name, parts in found.items()},
    }


def _confusion(
    fit: Callable[[np.ndarray, np.ndarray, np.ndarray], probes.Guess],
    benchmark: Benchmark,
    train: np.ndarray,
    asked: np.ndarray,
    features: Sequence[np.ndarray],
) -> np.ndarray:
    blocks = benchmark.block[train]
    if benchmark.labels.ndim == 1:
        labels, truth = benchmark.labels[train], benchmark.labels[asked]
        guess = fit(features[0], labels, blocks)(features[1])
        return probes.confusion(truth, guess, np.unique(labels))
    total = np.zeros((len(asked), 2, 2))
    for label in benchmark.labels.T:
        guess = fit(features[0], label[train], blocks)(features[1])
        total += probes.confusion(label[asked], guess, np.array([False, True]))
    return total


def f1(sums: np.ndarray) -> np.ndarray:
    """(n, 2, 2) true by guessed, no before yes -> (n,) F1 of yes; NaN where there is none."""
    both = 2 * sums[:, 1, 1]
    whole = both + sums[:, 0, 1] + sums[:, 1, 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(whole > 0, both / whole, np.nan)
