"""The set of photographed profiles of a group: from its standardised tables to a version on disk.

Belongs here: what is read and written where, what is taken over from the last version, and what is
said of the photographs that are left out.
Never here: which photographs (`rows.py`), their pictures (`pictures.py`), the files (`store.py`).

    <profiles>/<group>/<version>/       a set (`store.py`)
    <profiles>/<group>/CURRENT          version in use
    <profiles>/<group>/report.json      of the version in use: photographs left out, with the reason
    <profiles>/<group>/made_from.json   of the version in use: digests of what it was made from
    <profiles>/<group>/.pictures/       made by an interrupted call, which the next one goes on from

A picture whose photograph and code are those of the last version is taken over from it.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from filelock import FileLock

from adapters.archive import object_path
from adapters.atomic import write_text
from adapters.errors import SoilmeldError
from adapters.settings import Settings
from adapters.store import Store
from fusion.inputs import Source, sources
from fusion.profiles.rows import PHOTOGRAPHS, SITES, SOURCE, Rows, about, rows
from fusion.profiles.store import ProfileSet, write

_ROOT = Path(__file__).parent.parent.parent
_OF_PICTURES = ("fusion/profiles/pictures.py", "adapters/readers/photograph.py")
"""Code that decides what a picture is."""
_OF_SETS = ("fusion/profiles/*.py", "fusion/splits.py")


@dataclass(frozen=True)
class Made:
    """A version of a set, and what was done for it.

    Attributes:
        folder: Of the version.
        built: Photographs that were opened.
        taken_over: Pictures that were taken over from the version before.
    """

    folder: Path
    built: int
    taken_over: int


def current(settings: Settings, group: str) -> Path | None:
    """Folder of the set in use; None where the group has none."""
    pointer = settings.profiles / group / "CURRENT"
    return pointer.parent / pointer.read_text("utf-8").strip() if pointer.is_file() else None


def report(settings: Settings, group: str) -> dict[str, Any]:
    """What is said of the set in use: photographs listed and left out, and why."""
    return json.loads((settings.profiles / group / "report.json").read_text(encoding="utf-8"))


def original(settings: Settings, group: str, row: int) -> Path:
    """File of the photograph that a row of the set in use was made from."""
    known = json.loads((settings.profiles / group / "made_from.json").read_text(encoding="utf-8"))
    return object_path(known["pictures"][row], settings)


def profiles(settings: Settings, group: str) -> Made | None:
    """Make the set of photographed profiles of a group, which `CURRENT` names then.

    Returns:
        None where no photographs of profiles stand in the group.

    Raises:
        FusionError: No photograph can be used.
    """
    with Store(settings).reading(f"profiles of {group}") as tables:
        present = sources(tables, group)
        if SOURCE not in present:
            return None
        parts = [present[name] for name in (SOURCE, SITES, PHOTOGRAPHS)]
        for part in parts:
            part.load()
    base = settings.profiles / group
    base.mkdir(parents=True, exist_ok=True)
    with FileLock(base / ".made.lock"):
        last = _Last.of(base)
        inputs = _inputs(parts)
        if last is not None and last.inputs == inputs:
            return Made(last.folder, 0, len(ProfileSet(last.folder)))
        found = rows(*parts)
        work = _Pictures(settings, base / ".pictures", last)
        found.drop(work.make(found.index))
        index = found.split()
        folder = write(
            index.drop("sha256"), work.read(index["sha256"]), base, about(parts[0], parts[1])
        )
        _finish(base, folder, found, inputs, index)
    return Made(folder, work.built, index.height - work.built)


def _inputs(parts: Sequence[Source]) -> str:
    """Digest of all that a set is made from."""
    made_from = [[p.id, p.version, p.spec.digest(), p.origin, p.group] for p in parts]
    return hashlib.sha256(
        json.dumps([made_from, _code(*_OF_PICTURES, *_OF_SETS)]).encode()
    ).hexdigest()


def _code(*patterns: str) -> str:
    digest = hashlib.sha256()
    for path in sorted({path for pattern in patterns for path in _ROOT.glob(pattern)}):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _finish(base: Path, folder: Path, found: Rows, inputs: str, index: pl.DataFrame) -> None:
    """Say what was left out and what the version was made from, and put it into use."""
    said = {
        "version": folder.name,
        "photographs": {"listed": index.height + len(found.left_out), "in the set": index.height},
        "horizons": found.horizons,
        "left_out_by_reason": found.reasons(),
        "left_out": dict(sorted(found.left_out.items())),
    }
    write_text(base / "report.json", json.dumps(said, indent=1, ensure_ascii=False) + "\n")
    made_from = {
        "version": folder.name,
        "inputs": inputs,
        "code": _code(*_OF_PICTURES),
        "pictures": index["sha256"].to_list(),
    }
    write_text(base / "made_from.json", json.dumps(made_from) + "\n")
    write_text(base / "CURRENT", folder.name + "\n")
    shutil.rmtree(base / ".pictures", ignore_errors=True)


@dataclass(frozen=True)
class _Last:
    """The version in use, and what it was made from.

    Attributes:
        folder: Of the version.
        inputs: Digest of all that it was made from.
        rows: sha256 of a photograph -> its row, where the code of pictures is still the same.
    """

    folder: Path
    inputs: str
    rows: dict[str, int]

    @classmethod
    def of(cls, base: Path) -> "_Last | None":
        pointer, noted = base / "CURRENT", base / "made_from.json"
        if not pointer.is_file() or not noted.is_file():
            return None
        known = json.loads(noted.read_text(encoding="utf-8"))
        folder = base / pointer.read_text(encoding="utf-8").strip()
        # An interrupted call may have noted a version that is not in use yet.
        if known["version"] != folder.name or not folder.is_dir():
            return None
        same = known["code"] == _code(*_OF_PICTURES)
        found = {sha256: row for row, sha256 in enumerate(known["pictures"])} if same else {}
        return cls(folder, known["inputs"], found)


class _Pictures:
    """Pictures of photographs, by the sha256 of the file.

    Attributes:
        built: Photographs that were opened, by this call or one that was interrupted.
    """

    def __init__(self, settings: Settings, folder: Path, last: _Last | None) -> None:
        self.settings = settings
        self.folder = folder / _code(*_OF_PICTURES)[:16]
        self.last = ProfileSet(last.folder) if last else None
        self.rows = last.rows if last else {}
        self.built = 0

    def make(self, index: pl.DataFrame) -> dict[str, str]:
        """Make those that the last version lacks.

        Returns:
            Photograph -> why it has none.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        wanted = index.filter(~pl.col("sha256").is_in([*self.rows]))
        names, digests = wanted["photograph"].to_list(), wanted["sha256"].to_list()
        with ThreadPoolExecutor(self.settings.threads) as pool:
            refused = dict(zip(names, pool.map(self._make, digests), strict=True))
        refused = {name: why for name, why in refused.items() if why}
        self.built = len(names) - len(refused)
        return refused

    def _make(self, sha256: str) -> str:
        """Make one; returns why there is none."""
        from adapters.readers.photograph import read_photograph
        from fusion.profiles.pictures import LONGEST, picture

        path = self.folder / f"{sha256}.npy"
        if path.is_file():
            return ""
        try:
            seen = read_photograph(object_path(sha256, self.settings), longest=LONGEST)
            made, soil = picture(seen.pixels, seen.kept)
        except SoilmeldError as error:
            return error.problem
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            np.save(file, np.dstack([made, soil]))
        part.replace(path)
        return ""

    def read(self, digests: pl.Series) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Picture and soil of each, in this order."""
        for sha256 in digests:
            if sha256 in self.rows:
                yield self.last.picture(self.rows[sha256]), self.last.soil(self.rows[sha256])
            else:
                held = np.load(self.folder / f"{sha256}.npy")
                yield held[..., :3], held[..., 3].astype(bool)
