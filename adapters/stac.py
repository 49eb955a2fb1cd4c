"""What a STAC catalogue lists: an API searched page by page, a static catalogue walked.

Belongs here: asking for items by collection, box and period, and naming the item that is malformed.
Never here: which assets are wanted and what their pixels mean (`acquire.py`, `scenes/`).

Pages are followed here and not by pystac-client, for which a page without items, or one that is no
page at all, is the last one: what follows would be missing, and nobody told.
"""

import contextlib
import datetime
import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.errors import ArchiveError

if TYPE_CHECKING:
    import pystac
    import pystac_client

Box = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Catalogue:
    """A catalogue that answered.

    Attributes:
        address: Of its root.
        client: Asks it.
        io: Sends the client's requests.
    """

    address: str
    client: "pystac_client.Client"
    io: "pystac_client.stac_api_io.StacApiIO"

    @property
    def searches(self) -> bool:
        """Is it an API that searches, and no static catalogue?"""
        from pystac_client import ConformanceClasses

        return self.client.conforms_to(ConformanceClasses.ITEM_SEARCH)


def opened(catalogue: str, source: str | None = None) -> Catalogue:
    """Ask a catalogue for its root, once for many searches.

    Args:
        catalogue: Address of an API's root, or address or path of a static catalogue.
        source: Id to name in an error.

    Raises:
        ArchiveError: It does not answer as a STAC catalogue does.
    """
    from pystac_client import Client
    from pystac_client.stac_api_io import StacApiIO

    from adapters.download import TIMEOUT_S, retries

    # A search changes nothing, so that one by POST may be repeated too.
    io = StacApiIO(timeout=TIMEOUT_S, max_retries=retries().new(allowed_methods=None))
    with _answering(catalogue, source), _static_allowed():
        client = Client.open(catalogue, stac_io=io)
    # Or it is asked for once more where its link to itself is spelled otherwise.
    client.set_root(client)
    return Catalogue(catalogue, client, io)


def items(
    catalogue: str | Catalogue,
    collection: str,
    bbox: Box | None = None,
    start: datetime.date | None = None,
    end: datetime.date | None = None,
    source: str | None = None,
) -> list["pystac.Item"]:
    """Items of a collection that meet a box and a period, by id.

    Args:
        catalogue: Address of an API's root, or address or path of a static catalogue; or one that
            is open.
        collection: Its id.
        bbox: West, south, east, north in degrees; west is above east across the antimeridian.
        start: First day.
        end: Last day.
        source: Id to name in an error.

    Raises:
        ArchiveError: The catalogue does not answer as one does, also after several attempts where
            it is busy; it has no such collection; a page of its answer is missing; or an item is
            malformed, which is named.
    """
    known = opened(catalogue, source) if isinstance(catalogue, str) else catalogue
    with _answering(known.address, source), _static_allowed():
        asked = _searched if known.searches else _walked
        found = list(asked(known, collection, bbox, start, end, source))
    return sorted(found, key=lambda item: item.id)


def collections(catalogue: str | Catalogue) -> list[str]:
    """Ids of all collections of a catalogue.

    Raises:
        ArchiveError: The catalogue does not answer as one does.
    """
    known = opened(catalogue) if isinstance(catalogue, str) else catalogue
    with _answering(known.address, None), _static_allowed():
        return sorted(collection.id for collection in known.client.get_collections())


@contextlib.contextmanager
def _answering(address: str, source: str | None) -> Iterator[None]:
    import requests
    from pystac import STACError
    from pystac_client.exceptions import APIError

    try:
        yield
    except (
        APIError,
        STACError,
        requests.RequestException,
        json.JSONDecodeError,
        KeyError,
        OSError,
    ) as error:
        status = getattr(error, "status_code", None)
        raise ArchiveError(
            "the catalogue does not answer as a STAC catalogue does: "
            f"{f'{status} ' if status else ''}{error}",
            source=source,
            where=address,
            remedy="open the address in a browser; correct it where it is written down "
            "(`access: {stac: ...}` in source.yaml)",
        ) from error


@contextlib.contextmanager
def _static_allowed() -> Iterator[None]:
    """A static catalogue conforms to no class of the API; here that is no fault."""
    from pystac_client.warnings import PystacClientWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PystacClientWarning)
        yield


def _searched(
    known: Catalogue,
    collection: str,
    bbox: Box | None,
    start: datetime.date | None,
    end: datetime.date | None,
    source: str | None,
) -> Iterator["pystac.Item"]:
    """Items that an API finds."""
    import pystac

    search = known.client.search(
        method=_method(known.client),
        collections=[collection],
        bbox=bbox,
        datetime=f"{_day(start, '..')}/{_day(end, '..')}" if start or end else None,
    )
    page = known.io.read_json(search.url, method=search.method, parameters=search.get_parameters())
    asked: set[str] = set()
    number = 0
    while True:
        features = page.get("features") if isinstance(page, dict) else None
        if not isinstance(features, list):
            raise pystac.STACError(f"a page of its answer lists no items: {str(page)[:100]}")
        for said in features:
            number += 1
            name = str(said.get("id") if isinstance(said, dict) else f"number {number}")
            try:
                item = pystac.Item.from_dict(said, root=known.client, preserve_dict=False)
            except (*_MALFORMED, pystac.STACError, pystac.STACTypeError) as error:
                raise _malformed(known.address, name, error, source) from error
            yield item
        link = next((one for one in page.get("links", []) if one.get("rel") == "next"), None)
        if link is None:
            return
        if (said := json.dumps(link, sort_keys=True)) in asked:
            raise pystac.STACError("the pages of its answer go in a circle")
        asked.add(said)
        page = known.io.read_json(pystac.Link.from_dict(link), parameters=search.get_parameters())


def _method(client: "pystac_client.Client") -> str:
    """POST where the catalogue offers it, as a long address may be cut; GET must be there."""
    offered = [link.extra_fields.get("method") for link in client.get_links("search")]
    return "POST" if "POST" in offered else "GET"


def _walked(
    known: Catalogue,
    collection: str,
    bbox: Box | None,
    start: datetime.date | None,
    end: datetime.date | None,
    source: str | None,
) -> Iterator["pystac.Item"]:
    """Items of a static catalogue, each of which is read."""
    import pystac

    top = known.client.get_collection(collection)
    if top is None:
        raise pystac.STACError(f"it has no collection {collection!r}")
    for folder, _, _ in top.walk():
        for link in folder.get_item_links():
            try:
                item = link.resolve_stac_object(root=known.client).target
                if not isinstance(item, pystac.Item):
                    raise pystac.STACTypeError({"href": link.href}, pystac.Item)
                meets = _meets(item, bbox, start, end)
            except (*_MALFORMED, pystac.STACError, pystac.STACTypeError) as error:
                why = error.__cause__ or error
                raise _malformed(known.address, str(link.href), why, source) from error
            if meets:
                yield item


# What pystac raises of an item that lacks, or misspells, what the specification demands.
_MALFORMED = (KeyError, TypeError, ValueError, AttributeError)


def _malformed(catalogue: str, name: str, error: BaseException, source: str | None) -> ArchiveError:
    return ArchiveError(
        f"an item is malformed: {type(error).__name__} {error}",
        source=source,
        file=name,
        where=catalogue,
        remedy="tell the publisher; leave the item out by another box or period",
    )


def _day(day: datetime.date | None, otherwise: str) -> str:
    return day.isoformat() if day else otherwise


def _meets(
    item: "pystac.Item",
    bbox: Box | None,
    start: datetime.date | None,
    end: datetime.date | None,
) -> bool:
    """Does an item of a static catalogue lie in the wanted box and period?"""
    times = item.common_metadata
    first, last = times.start_datetime or item.datetime, times.end_datetime or item.datetime
    if start and last and last.date() < start:
        return False
    if end and first and first.date() > end:
        return False
    if bbox is None or item.bbox is None:
        return True
    half = len(item.bbox) // 2
    west, south, east, north = *item.bbox[:2], *item.bbox[half : half + 2]
    # Where west is above east, a box reaches across the antimeridian.
    east += 360.0 if east < west else 0.0
    right = bbox[2] + (360.0 if bbox[2] < bbox[0] else 0.0)
    across = any(west <= right + turn and east >= bbox[0] + turn for turn in (-360.0, 0.0, 360.0))
    return across and south <= bbox[3] and north >= bbox[1]
