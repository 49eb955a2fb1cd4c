"""Writing the twin into the inbox, once.

Belongs here: finding the sources that have a writer (`twin.py` in the source's folder), when to
write and when to leave things alone, and where the truth goes.
Never here: what a source says.
"""

import functools
import hashlib
import importlib.util
import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal

from adapters.errors import SettingsError, SpecError
from adapters.settings import Settings
from adapters.spec import SOURCES_DIR

if TYPE_CHECKING:
    import polars as pl

    from adapters.twin.planting import Draft, Fault
    from adapters.twin.world import World

ORIGIN_FILE = ".origin.json"
SOURCES = tuple(sorted(path.parent.name for path in SOURCES_DIR.glob("*/twin.py")))
"""Sources that the twin writes: those whose folder says how."""
SIZES = ("tiny", "demo", "full")
PHOTOGRAPHED = "soilnet_profiles"
"""Source of photographs, whose size is a setting of its own: drawing them takes longest."""


@functools.cache
def writer(source: str) -> ModuleType:
    """The `twin.py` of a source.

    Raises:
        SpecError: It has no function `write(world, folder)`.
    """
    path = SOURCES_DIR / source / "twin.py"
    found = importlib.util.spec_from_file_location(f"soilmeld_twin_{source}", path)
    if found is None or found.loader is None:
        raise SpecError("cannot be imported", source=source, file="twin.py", remedy="correct it")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    if not callable(getattr(module, "write", None)):
        raise SpecError(
            "no function `write`",
            source=source,
            file="twin.py",
            remedy="add `def write(world: World, folder: Path) -> Draft | None`; several drafts "
            "come as a tuple",
        )
    return module


def backbone() -> list[str]:
    """Sources whose `twin.py` says which rows it writes, and where (`rows(world)`).

    The text tells: a source must not depend on every other one's code being in order.
    """
    return [s for s in SOURCES if "\ndef rows(" in (SOURCES_DIR / s / "twin.py").read_text("utf-8")]


def _code_digest(source: str) -> str:
    """SHA-256 of the code and the specification behind a source's files."""
    digest = hashlib.sha256(_shared_digest())
    folder = SOURCES_DIR / source
    # Corrections are of what was published; nothing is written by them.
    said = ("source.yaml", "columns.csv", "codebooks/*.csv", "hooks.py", "twin.py")
    for path in sorted(path for pattern in said for path in folder.glob(pattern)):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def code_of_the_twin() -> str:
    """SHA-256 of the code that all of the twin shares, and of its tables."""
    return _shared_digest().hex()


@functools.cache
def _shared_digest() -> bytes:
    digest = hashlib.sha256()
    for path in sorted(p for kind in ("*.py", "*.csv") for p in Path(__file__).parent.glob(kind)):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.digest()


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _present(folder: Path) -> dict[str, str]:
    """Name below the inbox -> SHA-256 of every file in it, hidden ones aside."""
    if not folder.is_dir():
        return {}
    names = {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*")) if p.is_file()}
    return {
        name: _sha256(path)
        for name, path in names.items()
        if not any(part.startswith(".") for part in name.split("/"))
    }


def write(
    settings: Settings,
    sources: Sequence[str] | None = None,
    size: str | None = None,
    seed: int | None = None,
    faults: Mapping[str, Mapping[str, str]] | None = None,
) -> list[Path]:
    """Write the raw files of the synthetic Europe, and its truth outside the data root.

    A source is left alone if its files are already those of this size, seed and code, and if its
    inbox holds a file that the twin did not write. The bytes depend on size, seed and code alone;
    the code is that of the twin and of the source's own folder.

    Args:
        settings: Where the inbox and the truth are.
        sources: Ids; all by default.
        size: `tiny`, `demo` or `full`; by default as the settings say.
        seed: By default as the settings say.
        faults: Source -> faults of whole tables that are asked for; see `adapters.twin.asked`.

    Returns:
        The twin's files that are in the inbox, sorted.

    Raises:
        SettingsError: An unknown source or size, or more than LIMIT or the disk has room for; then
            nothing is written.
        SpecError: A source's `twin.py` has no writer, or its specification does not allow what that
            writes.
    """
    sources = SOURCES if sources is None else tuple(sources)
    sizes = {source: size or _size(settings, source) for source in sources}
    seed = settings.twin_seed if seed is None else seed
    if unknown := sorted(set(sources) - set(SOURCES)):
        raise SettingsError(
            "the twin does not write these sources",
            samples=unknown,
            remedy=f"it writes: {', '.join(SOURCES)}",
        )
    if wrong := sorted({*sizes.values()} - set(SIZES)):
        raise SettingsError(
            "no such size of the twin", samples=wrong, remedy=f"choose one of {', '.join(SIZES)}"
        )
    written: list[Path] = []
    to_do: dict[str, tuple[dict[str, object], dict[str, str]]] = {}
    for source in sources:
        recipe = {"size": sizes[source], "seed": seed, "code": _code_digest(source)}
        if faults and source in faults:
            recipe["faults"] = dict(faults[source])
        state, own = _state(settings, source, recipe)
        if state == "current":
            written += [settings.raw / source / name for name in own]
        elif state == "stale":
            to_do[source] = recipe, own
    if to_do:
        from adapters.twin.sizes import require_room

        require_room({source: sizes[source] for source in to_do}, settings)
        worlds = _worlds({sizes[source] for source in to_do}, seed)
        for source, (recipe, own) in to_do.items():
            world = worlds[sizes[source]]
            written += _write_source(settings, source, recipe, world, old=set(own))
    return sorted(written)


def stale(settings: Settings) -> list[str]:
    """Sources that `write` would write, or write again, by these settings."""

    def recipe(source: str) -> dict[str, object]:
        size, code = _size(settings, source), _code_digest(source)
        return {"size": size, "seed": settings.twin_seed, "code": code}

    return [s for s in SOURCES if _state(settings, s, recipe(s))[0] == "stale"]


def _size(settings: Settings, source: str) -> str:
    return settings.twin_photographs if source == PHOTOGRAPHED else settings.twin_size


def _state(
    settings: Settings, source: str, recipe: dict[str, object]
) -> tuple[Literal["stale", "current", "taken"], dict[str, str]]:
    """How the inbox of a source stands to the twin, and the twin's files that it should hold.

    It is `taken` once it holds a file that the twin did not write.
    """
    folder = settings.raw / source
    record = folder / ORIGIN_FILE
    origin = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    own, present = origin.get("files", {}), _present(folder)
    if any(own.get(name) != digest for name, digest in present.items()):
        return "taken", own
    known = (settings.truth_root / source).is_dir()
    current = present == own and origin.get("twin") == recipe and known
    return "current" if current else "stale", own


def _worlds(sizes: Iterable[str], seed: int) -> dict[str, "World"]:
    """The one synthetic Europe at each of these sizes."""
    from adapters.twin.europe import Europe
    from adapters.twin.world import World

    europe = Europe(seed)
    return {size: World(europe, size) for size in sizes}


def _write_source(
    settings: Settings,
    source: str,
    recipe: dict[str, object],
    world: "World",
    old: set[str],
) -> list[Path]:
    """Make the files aside, then rename each into the inbox; the record comes last."""
    from adapters.twin.asked import spoil

    folder = settings.raw / source
    folder.mkdir(parents=True, exist_ok=True)
    settings.scratch.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f"twin-{source}-", dir=settings.scratch))
    try:
        draft = writer(source).write(world, aside)
        asked = spoil(source, aside, recipe.get("faults", {}))
        files = _present(aside)
        # The truth first: files without their truth could not be audited.
        (settings.truth_root / source).mkdir(parents=True, exist_ok=True)
        _write_truth(settings, world, draft, asked)
        # Old files go before new ones come: at no moment does a file stand here that the record
        # does not list, so an interrupted run is not taken for a user's doing.
        for name in old:
            (folder / name).unlink(missing_ok=True)
        for inner in sorted((p for p in folder.rglob("*") if p.is_dir()), reverse=True):
            if not any(inner.iterdir()):
                inner.rmdir()
        record = aside / ORIGIN_FILE
        _record(record, files, {})
        record.replace(folder / ORIGIN_FILE)
        for name in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (aside / name).replace(folder / name)
        _record(record, files, recipe)
        record.replace(folder / ORIGIN_FILE)
    finally:
        shutil.rmtree(aside)
    return [folder / name for name in files]


def _record(path: Path, files: dict[str, str], recipe: dict[str, object]) -> None:
    content = {"origin": "synthetic", "files": files, "twin": recipe}
    if recipe:
        content["edition"] = ", ".join(f"{name} {said}" for name, said in recipe.items())
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _write_truth(
    settings: Settings,
    world: "World",
    said: "Draft | tuple[Draft, ...] | None",
    asked: "list[Fault]",
) -> None:
    """What is known of the files that were just written, each piece of the source in its folder.

    `samples.parquet` (key and truth of each row), `pixels.parquet` (what a raster says at the rows
    of the backbone) and `faults.parquet`.
    """
    import polars as pl

    from adapters.twin.planting import Draft, Fault

    tables = []
    for draft in (said,) if isinstance(said, Draft) else said or ():
        samples = pl.DataFrame({"key": draft.keys, **draft.truth})
        planted = draft.faults + [fault for fault in asked if fault.source == draft.source]
        names = dict.fromkeys(Fault.__dataclass_fields__, pl.String)
        faults = pl.DataFrame([asdict(fault) for fault in planted], schema=names)
        tables += [(draft.source, "samples", samples), (draft.source, "faults", faults)]
    for piece, layers in world.pixels.items():
        rows = world.rows
        columns = {
            "source": [source for source, own in rows.items() for _ in own.keys],
            "key": [key for own in rows.values() for key in own.keys],
        }
        tables.append((piece, "pixels", pl.DataFrame(columns | layers)))
    world.pixels.clear()
    for piece, name, table in tables:
        folder = settings.truth_root / piece
        folder.mkdir(parents=True, exist_ok=True)
        _write_table(folder / f"{name}.parquet", table)


def _write_table(path: Path, table: "pl.DataFrame") -> None:
    temporary = path.with_name(f".{path.name}")
    table.write_parquet(temporary)
    temporary.replace(path)
