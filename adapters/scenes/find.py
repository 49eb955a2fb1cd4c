"""Which scenes catalogues have of a region and a time, and bringing their files here.

Belongs here: from catalogue to scenes, and downloads that go on where they broke off.
Never here: how a catalogue is asked (`adapters/stac.py`), which scene suits a place (`fusion`).
"""

import datetime
import hashlib
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from adapters.errors import ArchiveError
from adapters.scenes.scene import FILE, Layer, Product, Scene, products, scene
from adapters.stac import Box, Catalogue, collections, items, opened

if TYPE_CHECKING:
    import pystac

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
    """Scenes of a catalogue, each once.

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
        # An API whose listing shifts between two pages gives an item on both.
        once = {item.id: item for item in items(known, collection, bbox, *period)}
        found += [scene(item, product, origin) for item in once.values()]
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
    found = _items_around(known, asked, squares)
    return [scene(item, asked[collection], origin) for (collection, _), item in found.items()]


def keep_around(
    catalogue: str | Catalogue,
    folder: Path,
    squares: Iterable[tuple[Box, datetime.date]],
    only: Sequence[str] | None = None,
    table: Path = FILE,
) -> int:
    """Write down what an API has around squares, as a static catalogue of `Settings.scenes`.

    Its items' files stay where they are. The catalogue appears whole, in place of one that was
    there.

    Args:
        catalogue: Address of an API's root, or one that is open.
        folder: Of the catalogue, such as `<scenes>/<name>`.
        squares: As for `find_around`.
        only: As for `find_around`.
        table: As for `find_around`.

    Returns:
        How many scenes it lists.

    Raises:
        ArchiveError: As `find_around`; nothing was found; the catalogue is static already; or the
            folder holds scenes that are not a user's.
        SpecError: The table is faulty.
    """
    import pystac

    known = opened(catalogue) if isinstance(catalogue, str) else catalogue
    if not known.searches:
        raise ArchiveError(
            "this is a static catalogue and no API",
            where=known.address,
            remedy="copy its folder to data/scenes",
        )
    if (folder / ".origin.json").exists():
        raise ArchiveError(
            "the folder holds scenes that are not yours", file=str(folder), remedy="name another"
        )
    asked = _asked(known, only, table)
    found = _items_around(known, asked, squares)
    if not found:
        raise ArchiveError(
            "the API has no scene there and then",
            where=known.address,
            samples=asked,
            remedy="ask for another region, or see which collections it has",
        )
    root = pystac.Catalog(folder.name, f"Scenes that {known.address} listed.")
    for name in sorted({collection for collection, _ in found}):
        mine = [item for (collection, _), item in sorted(found.items()) if collection == name]
        for item in mine:
            # Its scaling and terms are checked now, and not in the middle of a run.
            scene(item, asked[name], "user")
            item.make_asset_hrefs_absolute()
            item.clear_links()
        extent = pystac.Extent.from_items(mine)
        part = pystac.Collection(name, f"{name} of {known.address}", extent)
        part.add_items(mine)
        root.add_child(part)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as scratch:
        made = Path(scratch) / "made"
        root.normalize_hrefs(str(made))
        root.save(catalog_type=pystac.CatalogType.SELF_CONTAINED)
        if folder.exists():
            folder.rename(Path(scratch) / "old")
        made.rename(folder)
    return len(found)


def _items_around(
    known: Catalogue, asked: Mapping[str, Product], squares: Iterable[tuple[Box, datetime.date]]
) -> "dict[tuple[str, str], pystac.Item]":
    """Collection and id -> item, each once."""
    lead = max((p.days or 0 for p in asked.values() if p.modality == LEADING), default=0)
    found: dict[tuple[str, str], pystac.Item] = {}
    for bbox, day in squares:
        for collection, product in asked.items():
            period: tuple[datetime.date | None, datetime.date | None] = (None, None)
            if product.days is not None:
                # Others are chosen by the leading scene, which may lie as far off itself.
                away = product.days + (0 if product.modality == LEADING else lead)
                reach = datetime.timedelta(days=away)
                period = (day - reach, day + reach)
            for item in items(known, collection, bbox, *period):
                found.setdefault((collection, item.id), item)
    return found


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
