"""Writing the twin into the inbox, once.

Belongs here: which sources there are, when to write and when to leave things alone, and where the
truth goes.
Never here: what a source says.
"""

import functools
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.errors import SettingsError
from adapters.settings import Settings

if TYPE_CHECKING:
    from adapters.twin.planting import Draft

ORIGIN_FILE = ".origin.json"
SOURCES = (
    "lucas_2009_topsoil",
    "lucas_2015_topsoil",
    "lucas_2015_topsoil_switzerland",
    "lucas_2018_topsoil",
    "eu_hydi",
    "spade_m",
    "arsenic_topsoils",
    "efsa_spatial_data",
    "esdb_v2_vector",
    "pesticides_residues_nuts2",
)
SIZES = ("tiny", "demo", "full")


@functools.cache
def _code_digest() -> str:
    """SHA-256 of the twin's own code: other code writes another twin."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _present(folder: Path) -> dict[str, str]:
    """Name -> SHA-256 of every file of an inbox, hidden ones aside."""
    if not folder.is_dir():
        return {}
    return {
        p.name: _sha256(p)
        for p in sorted(folder.iterdir())
        if p.is_file() and not p.name.startswith(".")
    }


def _makers(size: str, seed: int) -> dict[str, Callable[[Path], "Draft | None"]]:
    """Source -> what writes its files into a folder and gives its draft, if it has rows."""
    from adapters.twin import layers, lucas_2018, points, profiles, surveys
    from adapters.twin.europe import Europe

    europe = Europe(seed)
    places = points.Surveys(europe, points.COUNTS[size])
    return {
        "lucas_2009_topsoil": lambda folder: surveys.lucas_2009(places, folder),
        "lucas_2015_topsoil": lambda folder: surveys.lucas_2015(places, folder),
        "lucas_2015_topsoil_switzerland": lambda folder: surveys.switzerland(places, folder),
        "lucas_2018_topsoil": lambda folder: lucas_2018.lucas_2018(places, folder),
        "eu_hydi": lambda folder: profiles.eu_hydi(europe, size, folder),
        "spade_m": lambda folder: profiles.spade_m(europe, size, folder),
        "arsenic_topsoils": lambda folder: layers.arsenic(europe, size, folder),
        "efsa_spatial_data": lambda folder: layers.efsa(europe, size, folder),
        "esdb_v2_vector": lambda folder: layers.esdb(europe, size, folder),
        "pesticides_residues_nuts2": lambda folder: layers.pesticides(europe, size, folder),
    }


def write(
    settings: Settings,
    sources: Sequence[str] | None = None,
    size: str | None = None,
    seed: int | None = None,
) -> list[Path]:
    """Write the raw files of the synthetic Europe, and its truth outside the data root.

    A source is left alone if its files are already those of this size, seed and code, and if its
    inbox holds a file that the twin did not write. The bytes depend on size, seed and code alone.

    Args:
        settings: Where the inbox and the truth are.
        sources: Ids; all by default.
        size: `tiny`, `demo` or `full`; by default as the settings say.
        seed: By default as the settings say.

    Returns:
        The twin's files that are in the inbox, sorted.

    Raises:
        SettingsError: An unknown source or size.
    """
    sources = SOURCES if sources is None else tuple(sources)
    size = settings.twin_size if size is None else size
    seed = settings.twin_seed if seed is None else seed
    if unknown := sorted(set(sources) - set(SOURCES)):
        raise SettingsError(
            "the twin does not write these sources",
            samples=unknown,
            remedy=f"it writes: {', '.join(SOURCES)}",
        )
    if size not in SIZES:
        raise SettingsError(
            "no such size of the twin", samples=[size], remedy=f"choose one of {', '.join(SIZES)}"
        )
    recipe = {"size": size, "seed": seed, "code": _code_digest()}
    written: list[Path] = []
    makers: dict[str, Callable[[Path], Draft | None]] = {}
    for source in sources:
        folder = settings.raw / source
        record = folder / ORIGIN_FILE
        origin = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
        own, present = origin.get("files", {}), _present(folder)
        if any(own.get(name) != digest for name, digest in present.items()):
            continue  # A user's file is here: the source is no longer the twin's to write.
        if present == own and origin.get("twin") == recipe and settings.truth_root.is_dir():
            written += [folder / name for name in present]
            continue
        makers = makers or _makers(size, seed)
        written += _write_source(settings, source, recipe, makers[source], old=set(own))
    return sorted(written)


def _write_source(
    settings: Settings,
    source: str,
    recipe: dict[str, object],
    make: Callable[[Path], "Draft | None"],
    old: set[str],
) -> list[Path]:
    """Make the files aside, then rename each into the inbox; the record comes last."""
    folder = settings.raw / source
    folder.mkdir(parents=True, exist_ok=True)
    settings.scratch.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f"twin-{source}-", dir=settings.scratch))
    try:
        draft = make(aside)
        files = _present(aside)
        # The truth first: files without their truth could not be audited.
        if draft is not None:
            _write_truth(settings.truth_root / source, draft)
        else:
            settings.truth_root.mkdir(parents=True, exist_ok=True)
        # Old files go before new ones come: at no moment does a file stand here that the record
        # does not list, so an interrupted run is not taken for a user's doing.
        for name in old:
            (folder / name).unlink(missing_ok=True)
        record = aside / ORIGIN_FILE
        _record(record, files, {})
        record.replace(folder / ORIGIN_FILE)
        for name in files:
            (aside / name).replace(folder / name)
        _record(record, files, recipe)
        record.replace(folder / ORIGIN_FILE)
    finally:
        shutil.rmtree(aside)
    return [folder / name for name in files]


def _record(path: Path, files: dict[str, str], recipe: dict[str, object]) -> None:
    content = {"origin": "synthetic", "files": files, "twin": recipe}
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _write_truth(folder: Path, draft: "Draft") -> None:
    """`samples.parquet` (key and truth of each row) and `faults.parquet` of one source."""
    import polars as pl

    from adapters.twin.planting import Fault

    folder.mkdir(parents=True, exist_ok=True)
    samples = pl.DataFrame({"key": draft.keys, **draft.truth})
    names = list(Fault.__dataclass_fields__)
    faults = pl.DataFrame([asdict(f) for f in draft.faults], schema=dict.fromkeys(names, pl.String))
    for name, table in (("samples", samples), ("faults", faults)):
        temporary = folder / f".{name}.parquet"
        table.write_parquet(temporary)
        temporary.replace(folder / f"{name}.parquet")
