"""Which scenes catalogues have of a region and a time, and bringing their files here.

Belongs here: from catalogue to scenes, and downloads that go on where they broke off.
Never here: how a catalogue is asked (`adapters/stac.py`), which scene suits a place (`fusion`).
"""

import datetime
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from adapters.errors import ArchiveError
from adapters.scenes.scene import FILE, Layer, Product, Scene, products, scene
from adapters.stac import Box, Catalogue, collections, items, opened

LEADING = "sentinel2"
"""The scene of this modality is chosen first, and says when the others should be."""


def find(
    catalogue: str | Catalogue,
    origin: str,
    bbox: Box | None = None,
    start: datetime.date | None = None,
    end: datetime.date | None = None,
    only: Sequence[str] | None = None,
    table: Path = FILE,
) -> list[Scene]:
    """Scenes of a catalogue.

    Args:
        catalogue: Address of an API's root, or address or path of a static catalogue; or one that
            is open.
        origin: Of its scenes: `synthetic`, `open` or `user`.
        bbox: West, south, east, north in degrees.
        start: First day; maps and relief are found whatever their time.
        end: Last day.
        only: Collections to ask; by default all that the catalogue has and the table describes.
        table: Layouts of collections.

    Raises:
        ArchiveError: The catalogue does not answer, an item is malformed or lacks what its layout
            needs, or a collection of `only` is not described.
        SpecError: The table is faulty.
    """
    known = opened(catalogue) if isinstance(catalogue, str) else catalogue
    found: list[Scene] = []
    for collection, product in _asked(known, only, table).items():
        period = (start, end) if product.days is not None else (None, None)
        found += [scene(item, product, origin) for item in items(known, collection, bbox, *period)]
    return found


def find_around(
    catalogue: str | Catalogue,
    origin: str,
    squares: Iterable[tuple[Box, datetime.date]],
    only: Sequence[str] | None = None,
    table: Path = FILE,
) -> list[Scene]:
    """Scenes that tiles may be made of: those near squares and near in time.

    An API is asked for each square; a static catalogue is walked once, and gives all it has.

    Args:
        catalogue: Address of an API's root, or address or path of a static catalogue; or one that
            is open.
        origin: Of its scenes: `synthetic`, `open` or `user`.
        squares: Box in degrees of each square, and the day that is wanted.
        only: Collections to ask; by default all that the catalogue has and the table describes.
        table: Layouts of collections.

    Returns:
        Each scene once.

    Raises:
        ArchiveError: As `find`.
        SpecError: The table is faulty.
    """
    known = opened(catalogue) if isinstance(catalogue, str) else catalogue
    if not known.searches:
        return find(known, origin, only=only, table=table)
    asked = _asked(known, only, table)
    lead = max((p.days or 0 for p in asked.values() if p.modality == LEADING), default=0)
    found: dict[tuple[str, str], Scene] = {}
    for bbox, day in squares:
        for collection, product in asked.items():
            period: tuple[datetime.date | None, datetime.date | None] = (None, None)
            if product.days is not None:
                # Others are chosen by the leading scene, which may lie as far off itself.
                away = product.days + (0 if product.modality == LEADING else lead)
                reach = datetime.timedelta(days=away)
                period = (day - reach, day + reach)
            for item in items(known, collection, bbox, *period):
                if (collection, item.id) not in found:
                    found[collection, item.id] = scene(item, product, origin)
    return list(found.values())


def _asked(known: Catalogue, only: Sequence[str] | None, table: Path) -> dict[str, Product]:
    """Collections to ask, and their layouts."""
    listed = products(table)
    asked = only if only is not None else [c for c in collections(known) if c in listed]
    if unknown := sorted(set(asked) - set(listed)):
        raise ArchiveError(
            "no layout is known of these collections",
            where=known.address,
            samples=unknown,
            remedy=f"describe them in a table such as {FILE.name}",
        )
    return {collection: listed[collection] for collection in asked}


def fetch(scenes: Iterable[Scene], folder: Path) -> list[Scene]:
    """Bring the files of scenes here; what is here already is not asked for again.

    A download that breaks off goes on where it stopped, in this call or the next. Reading windows
    of remote files needs no download: tiles may be built from scenes whose files are addresses.

    Args:
        scenes: Scenes whose files are addresses.
        folder: Files go to `<folder>/<collection>/<scene>/`.

    Returns:
        The scenes, their files being paths.

    Raises:
        ArchiveError: A server does not hand out a file.
    """
    from adapters.download import download, session

    here: list[Scene] = []
    with session() as http:
        for one in scenes:
            place = folder / _safe(one.collection) / _safe(one.id)

            def local(layer: Layer, place: Path = place, one: Scene = one) -> Layer:
                if not layer.href.startswith(("http://", "https://")):
                    return layer
                path = PurePosixPath(urlsplit(layer.href).path)
                # Two assets may have one name in different folders.
                digest = hashlib.sha256(str(path).encode()).hexdigest()[:8]
                target = place / f"{digest}-{_safe(path.name)}"
                if not target.is_file():
                    download(one.id, layer.href, target, {}, http)
                return replace(layer, href=str(target))

            layers = {name: local(layer) for name, layer in one.layers.items()}
            mask = (local(one.mask[0]), one.mask[1]) if one.mask else None
            here.append(replace(one, layers=layers, mask=mask))
    return here


def _safe(name: str) -> str:
    """A name of a file or folder; a catalogue cannot lead out of the folder by `..`."""
    return re.sub(r"^\.+|[^A-Za-z0-9._-]", "_", name)
