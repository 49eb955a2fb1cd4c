"""Catalogues of scenes on this machine: whose they are, and which version of them lies here.

    <scenes>/<name>/catalog.json    a static STAC catalogue; files of its items lie here, or are
                                    addresses of which windows are read
    <scenes>/<name>/.origin.json    {"origin": "synthetic" or "open"}, by whoever made it other than
                                    a user
    <scenes>/evaluation.csv         places that models will be evaluated on, which training tiles
                                    keep their distance from: `longitude`, `latitude` in degrees

Belongs here: which catalogues stand in an origin group, noticing that one changed, and which places
are kept for evaluation.
Never here: what a catalogue lists (`find.py`).
"""

import csv
import hashlib
import json
from pathlib import Path

import numpy as np

from adapters.errors import ArchiveError
from adapters.scenes.find import find
from adapters.scenes.scene import Scene
from adapters.settings import Settings

CATALOGUE = "catalog.json"
ORIGIN_FILE = ".origin.json"
EVALUATION = "evaluation.csv"


def catalogues(settings: Settings, group: str) -> list[Path]:
    """Folders of the static catalogues whose scenes stand in a group.

    One whose record of origin is broken stands among the user's, where `scenes` refuses it.
    """
    found = settings.scenes.glob(f"*/{CATALOGUE}")
    # A hidden folder is one that is being written.
    folders = sorted(path.parent for path in found if not path.parent.name.startswith("."))
    return [folder for folder in folders if _group(folder) == group]


def _group(folder: Path) -> str:
    try:
        return origin(folder)
    except ArchiveError:
        return "user"


def origin(folder: Path) -> str:
    """Whose scenes a catalogue lists: `synthetic`, `open` or `user`.

    Raises:
        ArchiveError: The record of its origin is broken.
    """
    record = folder / ORIGIN_FILE
    if not record.is_file():
        return "user"
    try:
        said = json.loads(record.read_text(encoding="utf-8"))["origin"]
    except (ValueError, KeyError, TypeError) as error:
        raise ArchiveError(
            "it does not say whose scenes these are",
            file=str(record),
            remedy='write {"origin": "open"}, or remove the file if the scenes are yours',
        ) from error
    if said not in ("synthetic", "open"):
        raise ArchiveError(
            "no such origin",
            file=str(record),
            samples=[said],
            remedy="say synthetic or open, or remove the file if the scenes are yours",
        )
    return said


def scenes(settings: Settings, group: str) -> list[Scene]:
    """Scenes of all catalogues of a group.

    Raises:
        ArchiveError: A catalogue is broken, or lists what its layout does not allow.
    """
    folders = catalogues(settings, group)
    return [scene for folder in folders for scene in find(str(folder / CATALOGUE), origin(folder))]


def evaluation(settings: Settings) -> np.ndarray | None:
    """Places that models will be evaluated on: (m, 2) longitude and latitude; None without a list.

    Raises:
        ArchiveError: The list has other columns, or places that are not on the Earth.
    """
    path = settings.scenes / EVALUATION
    if not path.is_file():
        return None
    remedy = "name the columns longitude and latitude, and give degrees, a place a line"
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [(float(r["longitude"]), float(r["latitude"])) for r in csv.DictReader(file)]
    except (ValueError, KeyError, TypeError) as error:
        raise ArchiveError(
            "it is no list of places", file=str(path), samples=[str(error)], remedy=remedy
        ) from error
    places = np.array(rows, float).reshape(-1, 2)
    there = (np.abs(places) <= (180.0, 90.0)).all(axis=1)
    if not there.all():
        raise ArchiveError(
            "places that are not on the Earth",
            file=str(path),
            samples=places[~there].tolist(),
            remedy=remedy,
        )
    return places


def version(settings: Settings, group: str) -> str | None:
    """Digest of names, sizes and modification times of all files of a group's catalogues.

    The list of places that models will be evaluated on belongs to each group's.

    Returns:
        None where the group has no catalogue. No server is asked.
    """
    folders = catalogues(settings, group)
    if not folders:
        return None
    digest = hashlib.sha256()
    files = sorted(path for folder in folders for path in folder.rglob("*"))
    for path in [*files, settings.scenes / EVALUATION]:
        if path.is_file():
            stat = path.stat()
            place = path.relative_to(settings.scenes).as_posix()
            digest.update(f"{place} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]
