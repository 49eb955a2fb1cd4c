"""The set of tiles of a group: from its scenes and its matrix to a version on disk.

Belongs here: what is read and written where, what is taken over from the last version, and what is
said of the places without a tile.
Never here: how a tile is made (`build.py`), the bytes of a set (`store.py`).

    <tiles>/<group>/<version>/       a set (`store.py`)
    <tiles>/<group>/CURRENT          version in use
    <tiles>/<group>/report.json      of the version in use: places without a tile, with the reason
    <tiles>/<group>/made_from.json   of the version in use: digest of what each tile was made from

A tile whose scenes, files, vectors and code are those of the last version is taken over from it.
"""

import contextlib
import functools
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from adapters.atomic import write_text
from adapters.errors import FusionError, SpecError
from adapters.modalities import modality
from adapters.scenes.catalogues import catalogues, evaluation
from adapters.scenes.catalogues import scenes as scenes_of
from adapters.scenes.scene import Scene, products
from adapters.settings import Settings
from fusion.tiles.build import Vector, build_tile
from fusion.tiles.choose import Nearby, choose
from fusion.tiles.climates import of_samples
from fusion.tiles.places import Place
from fusion.tiles.read import Files
from fusion.tiles.sites import sites
from fusion.tiles.store import TileSet
from fusion.tiles.tile import Tile
from fusion.tiles.vectors import Features, of_matrix
from fusion.tiles.writing import write

_ROOT = Path(__file__).parent.parent.parent
_CODE = ("fusion/tiles", "adapters/scenes")
_FILES = ("adapters/modalities.py", "adapters/modalities.yaml", "adapters/scenes/products.yaml")


@dataclass(frozen=True)
class Made:
    """A version of a set, and what was done for it.

    Attributes:
        folder: Of the version.
        built: Tiles that were read from scenes.
        taken_over: Tiles that were taken over from the version before; built and taken over are
            fewer than there are where an interrupted call had made some.
    """

    folder: Path
    built: int
    taken_over: int


def current(settings: Settings, group: str) -> Path | None:
    """Folder of the set in use; None where the group has none."""
    return _pointed(settings.tiles / group / "CURRENT")


def report(settings: Settings, group: str) -> dict[str, Any]:
    """What is said of the set in use: its version, places, tiles, and places without a tile."""
    return json.loads((settings.tiles / group / "report.json").read_text(encoding="utf-8"))


def tiles(settings: Settings, group: str) -> Made | None:
    """Make the set of tiles of a group, which `CURRENT` names then.

    Returns:
        None where the group has no catalogue of scenes.

    Raises:
        ArchiveError: A catalogue, or the list of places for evaluation, is broken.
        FusionError: No place has a tile; the message says why.
    """
    if not catalogues(settings, group):
        return None
    scenes = scenes_of(settings, group)
    matrix = _pointed(settings.fused / group / "CURRENT")
    samples = pl.read_parquet(matrix / "samples.parquet") if matrix else None
    climates = of_samples(matrix, samples) if matrix and samples is not None else None
    places = sites(samples, scenes, settings.tiles_per_kind, climates)
    wanted = [place.sample_id for place in places if place.sample_id]
    features = of_matrix(matrix, wanted) if matrix and wanted else Features(group, {}, {})
    base = settings.tiles / group
    base.mkdir(parents=True, exist_ok=True)
    work = _Work(base, group, scenes, features, places)
    if not work.digests:
        raise work.nothing()
    try:
        with Files() as files:
            folder = write(
                work.makers(files),
                base,
                evaluation=evaluation(settings),
                inputs=work.inputs,
                about=work.about(),
            )
    except FusionError as error:
        if len(work.refused) == len(places):
            raise work.nothing() from error
        raise
    said = work.report(folder)
    write_text(base / "report.json", json.dumps(said, indent=1, ensure_ascii=False) + "\n")
    made_from = {"version": folder.name, "code": work.code, "tiles": work.digests}
    write_text(base / "made_from.json", json.dumps(made_from) + "\n")
    write_text(base / "CURRENT", folder.name + "\n")
    work.noted.unlink(missing_ok=True)
    return Made(folder, work.built, work.taken_over)


def _pointed(pointer: Path) -> Path | None:
    return pointer.parent / pointer.read_text("utf-8").strip() if pointer.is_file() else None


def _code() -> str:
    """Hash of the code and the tables that decide what a tile is."""
    files = [path for room in _CODE for path in sorted((_ROOT / room).glob("*.py"))]
    digest = hashlib.sha256()
    for path in [*files, *(_ROOT / name for name in _FILES)]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


class _Work:
    """Making one version.

    Attributes:
        digests: Place id -> digest of all that its tile is made from.
        refused: Place id -> why it has no tile.
        code: Hash of the code that makes tiles.
        inputs: Digest of all digests.
        noted: Keeps what was refused while files were read, should this call be interrupted.
        built: Tiles that were read from scenes so far.
        taken_over: Tiles that were taken over so far.
    """

    def __init__(
        self,
        base: Path,
        group: str,
        scenes: Sequence[Scene],
        features: Features,
        places: Sequence[Place],
    ) -> None:
        self.group, self.scenes, self.features, self.places = group, scenes, features, places
        self.near = Nearby(scenes)
        self.origin = features.origin if features.vectors else group
        self.digests: dict[str, str] = {}
        self.refused: dict[str, str] = {}
        self.code = _code()
        for place in places:
            try:
                self.digests[place.id] = self._digest(place)
            except FusionError as error:
                self.refused[place.id] = str(error)
        self.inputs = hashlib.sha256(json.dumps([self.digests, self.origin]).encode()).hexdigest()
        self.last, self.before = _last(base, self.code)
        self.rows = {name: i for i, name in enumerate(self.last.index["id"])} if self.last else {}
        self.built = self.taken_over = 0
        self.noted = base / ".refused.jsonl"
        self._begin()

    def _begin(self) -> None:
        """Go on with what an interrupted call of the same inputs has noted, or begin anew."""
        lines = self.noted.read_text("utf-8").splitlines() if self.noted.is_file() else []
        if lines and lines[0] == self.inputs:
            self.refused |= dict(json.loads(line) for line in lines[1:])
        else:
            write_text(self.noted, self.inputs + "\n")

    def _digest(self, place: Place) -> str:
        """Of code, place, scenes with their files, and vectors.

        Raises:
            FusionError: No scene suits.
        """
        digest = hashlib.sha256(f"{self.code} {self.origin} {place!r}".encode())
        for name, listed in choose(place, self.near(place)).items():
            for scene in listed:
                digest.update(f"{name} {scene!r} {_stamps(scene)}".encode())
        for name, vector in self._vectors(place).items():
            digest.update(f"{name} {vector.names} {vector.licences} {vector.origin}".encode())
            digest.update(np.asarray(vector.values, np.float32).tobytes())
        return digest.hexdigest()

    def _vectors(self, place: Place) -> Mapping[str, Vector]:
        return self.features.vectors.get(place.sample_id or "", {})

    def makers(self, files: Files) -> dict[str, functools.partial]:
        """Place id -> what makes its tile, or notes why there is none."""
        made = [place for place in self.places if place.id in self.digests]
        return {place.id: functools.partial(self._make, place, files) for place in made}

    def _make(self, place: Place, files: Files) -> Tile | None:
        same = self.before.get(place.id) == self.digests[place.id]
        if self.last and same and place.id in self.rows:
            # A tile that is broken there is built anew.
            with contextlib.suppress(FusionError):
                tile = self.last.read(self.rows[place.id])
                self.taken_over += 1
                return tile
        try:
            tile = build_tile(place, self.near(place), self._vectors(place), files=files)
            _require_storable(tile)
        except (FusionError, SpecError) as error:
            self.refused[place.id] = str(error)
            with self.noted.open("a", encoding="utf-8") as file:
                file.write(json.dumps([place.id, str(error)]) + "\n")
            return None
        self.built += 1
        # A matrix with a value of another origin makes all tiles of the set mixed.
        return replace(tile, origin=self.origin)

    def about(self) -> dict[str, Any]:
        """What the set says of itself beside what its tiles say: group, terms, elements."""
        terms = self._terms()
        return {
            "group": self.group,
            "redistribute": all(said["redistribute"] for said in terms.values()),
            "share_alike": any(said["share_alike"] for said in terms.values()),
            "terms": terms,
            "dictionary": dict(self.features.dictionary),
        }

    def _terms(self) -> dict[str, dict[str, Any]]:
        """Modality -> under which terms its values stand."""
        held = products()
        terms: dict[str, dict[str, Any]] = {}
        for scene in self.scenes:
            product = held[scene.collection]
            said = terms.setdefault(scene.modality, _no_terms())
            said["licences"].add(product.licence)
            said["attributions"].add(product.attribution)
            said["redistribute"] &= product.redistribute
            said["share_alike"] |= product.share_alike
        for name, records in self.features.dictionary.items():
            said = terms.setdefault(name, _no_terms())
            for record in records:
                said["licences"] |= set(record["licences"])
                said["attributions"] |= set(record["attributions"])
                said["redistribute"] &= record["redistribute"]
                said["share_alike"] |= record["share_alike"]
        return {
            name: {key: sorted(v) if isinstance(v, set) else v for key, v in said.items()}
            for name, said in sorted(terms.items())
        }

    def nothing(self) -> FusionError:
        """The error of a group none of whose places has a tile."""
        return FusionError(
            "no place has a tile",
            where=f"{len(self.places)} places, {len(self.scenes)} scenes of group {self.group}",
            samples=[f"{count} times: {why}" for why, count in self._reasons().items()],
            remedy="add clear Sentinel-2 scenes over samples, or set tiles_per_kind above 0",
        )

    def _reasons(self) -> dict[str, int]:
        said = Counter(why.splitlines()[0].split(": ", 1)[-1] for why in self.refused.values())
        return dict(said.most_common())

    def report(self, folder: Path) -> dict[str, Any]:
        """Places without a tile, with the reason, and how often each reason is given."""
        return {
            "version": folder.name,
            "places": {
                "samples": sum(place.sample_id is not None for place in self.places),
                "between": sum(place.sample_id is None for place in self.places),
            },
            "climates_between": dict(
                Counter(
                    str(place.extra["climate_class"])
                    for place in self.places
                    if "climate_class" in place.extra
                ).most_common()
            ),
            "scenes": dict(sorted(Counter(scene.modality for scene in self.scenes).items())),
            "refused_by_reason": self._reasons(),
            "refused": dict(sorted(self.refused.items())),
        }


def _require_storable(tile: Tile) -> None:
    """Now, while one place can be refused: in the middle of a shard it would be the whole set.

    Raises:
        SpecError: A value does not fit the storage of its modality.
    """
    for name, values in tile.arrays.items():
        modality(name).stored(values, tile.present[name])


def _no_terms() -> dict[str, Any]:
    return {"licences": set(), "redistribute": True, "share_alike": False, "attributions": set()}


def _last(base: Path, code: str) -> tuple[TileSet | None, Mapping[str, str]]:
    """The version in use, and what each of its tiles was made from; nothing of other code's."""
    folder, digests = _pointed(base / "CURRENT"), base / "made_from.json"
    if folder is None or not folder.is_dir() or not digests.is_file():
        return None, {}
    known = json.loads(digests.read_text(encoding="utf-8"))
    same = (known["version"], known["code"]) == (folder.name, code)
    return (TileSet(folder), known["tiles"]) if same else (None, {})


def _stamps(scene: Scene) -> list[str]:
    """Size and time of change of the files of a scene that lie on this machine."""
    layers = [*scene.layers.values(), *([scene.mask[0]] if scene.mask else [])]
    paths = sorted({layer.href for layer in layers if "://" not in layer.href})
    found = [(path, Path(path)) for path in paths]
    return [
        f"{path} {file.stat().st_size} {file.stat().st_mtime_ns}"
        for path, file in found
        if file.is_file()
    ]
