"""What a STAC catalogue lists: an API searched page by page, a static catalogue walked.

Belongs here: asking for items by collection, box and period, and naming the item that is malformed.
Never here: which assets are wanted and what their pixels mean (`acquire.py`, `scenes/`).
"""

import contextlib
import datetime
import json
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

from adapters.errors import ArchiveError

if TYPE_CHECKING:
    import pystac
    import pystac_client

Box = tuple[float, float, float, float]


def items(
    catalogue: str,
    collection: str,
    bbox: Box | None = None,
    start: datetime.date | None = None,
    end: datetime.date | None = None,
    source: str | None = None,
) -> list["pystac.Item"]:
    """Items of a collection that meet a box and a period, by id.

    Args:
        catalogue: Address of an API's root, or address or path of a static catalogue.
        collection: Its id.
        bbox: West, south, east, north in degrees.
        start: First day.
        end: Last day.
        source: Id to name in an error.

    Raises:
        ArchiveError: The catalogue does not answer as one does, also after several attempts where
            it is busy; it has no such collection; or an item is malformed, which is named.
    """
    import requests
    from pystac import STACError
    from pystac_client.exceptions import APIError

    try:
        found = list(_asked(catalogue, collection, bbox, start, end, source))
    except (
        APIError,
        STACError,
        requests.RequestException,
        json.JSONDecodeError,
        KeyError,
        OSError,
    ) as error:
        raise ArchiveError(
            f"the catalogue does not answer as a STAC catalogue does: {error}",
            source=source,
            where=catalogue,
            remedy="open the address in a browser; correct it where it is written down "
            "(`access: {stac: ...}` in source.yaml)",
        ) from error
    return sorted(found, key=lambda item: item.id)


def collections(catalogue: str) -> list[str]:
    """Ids of all collections of a catalogue.

    Raises:
        ArchiveError: The catalogue does not answer as one does.
    """
    import requests
    from pystac import STACError
    from pystac_client.exceptions import APIError

    try:
        with _static_allowed():
            return sorted(collection.id for collection in _client(catalogue).get_collections())
    except (APIError, STACError, requests.RequestException, KeyError, OSError) as error:
        raise ArchiveError(
            f"the catalogue does not answer as a STAC catalogue does: {error}",
            where=catalogue,
            remedy="open the address in a browser; correct it where it is written down",
        ) from error


@contextlib.contextmanager
def _static_allowed() -> Iterator[None]:
    """A static catalogue conforms to no class of the API; here that is no fault."""
    from pystac_client.warnings import PystacClientWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PystacClientWarning)
        yield


def _client(catalogue: str) -> "pystac_client.Client":
    from pystac_client import Client
    from pystac_client.stac_api_io import StacApiIO

    from adapters.download import TIMEOUT_S, retries

    return Client.open(catalogue, stac_io=StacApiIO(timeout=TIMEOUT_S, max_retries=retries()))


def _asked(
    catalogue: str,
    collection: str,
    bbox: Box | None,
    start: datetime.date | None,
    end: datetime.date | None,
    source: str | None,
) -> Iterator["pystac.Item"]:
    import pystac
    from pystac_client import ConformanceClasses

    with _static_allowed():
        client = _client(catalogue)
        if client.conforms_to(ConformanceClasses.ITEM_SEARCH):
            found = client.search(
                method="GET",
                collections=[collection],
                bbox=bbox,
                datetime=f"{_day(start, '..')}/{_day(end, '..')}" if start or end else None,
            )
            for number, said in enumerate(found.items_as_dicts(), start=1):
                name = str(said.get("id", f"number {number}"))
                try:
                    item = pystac.Item.from_dict(said, root=client, preserve_dict=False)
                except _MALFORMED as error:
                    raise _malformed(catalogue, name, error, source) from error
                yield item
            return
        top = client.get_collection(collection)
        if top is None:
            raise pystac.STACError(f"it has no collection {collection!r}")
        for folder, _, _ in top.walk():
            for link in folder.get_item_links():
                try:
                    item = link.resolve_stac_object(root=client).target
                    if not isinstance(item, pystac.Item):
                        raise pystac.STACTypeError({"href": link.href}, pystac.Item)
                    meets = _meets(item, bbox, start, end)
                except _MALFORMED as error:
                    raise _malformed(catalogue, str(link.href), error, source) from error
                if meets:
                    yield item


# What pystac raises of an item that lacks, or misspells, what the specification demands.
_MALFORMED = (KeyError, TypeError, ValueError, AttributeError)


def _malformed(catalogue: str, name: str, error: Exception, source: str | None) -> ArchiveError:
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
    return west <= bbox[2] and east >= bbox[0] and south <= bbox[3] and north >= bbox[1]
