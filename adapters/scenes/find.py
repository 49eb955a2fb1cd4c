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
from adapters.scenes.scene import FILE, Layer, Scene, products, scene
from adapters.stac import Box, collections, items


def find(
    catalogue: str,
    origin: str,
    bbox: Box | None = None,
    start: datetime.date | None = None,
    end: datetime.date | None = None,
    only: Sequence[str] | None = None,
    table: Path = FILE,
) -> list[Scene]:
    """Scenes of a catalogue.

    Args:
        catalogue: Address of an API's root, or address or path of a static catalogue.
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
    known = products(table)
    asked = only if only is not None else [c for c in collections(catalogue) if c in known]
    if unknown := sorted(set(asked) - set(known)):
        raise ArchiveError(
            "no layout is known of these collections",
            where=catalogue,
            samples=unknown,
            remedy=f"describe them in a table such as {FILE.name}",
        )
    found: list[Scene] = []
    for collection in asked:
        product = known[collection]
        period = (start, end) if product.days is not None else (None, None)
        found += [
            scene(item, product, origin) for item in items(catalogue, collection, bbox, *period)
        ]
    return found


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
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)
