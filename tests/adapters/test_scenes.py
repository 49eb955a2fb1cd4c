"""Scenes are found in an API or a static catalogue, read by their layout, and fetched whole."""

import copy
import datetime
import json
from collections.abc import Iterator
from pathlib import Path

import pystac
import pytest
import requests
from stac_server import Api, item, serving_stac

from adapters import download as downloading
from adapters.errors import ArchiveError, SpecError
from adapters.scenes.find import fetch, find, find_around
from adapters.scenes.scene import Layer, Scene, products, scene
from adapters.stac import collections, items, opened

DAY = datetime.date(2021, 6, 1)
HERE = (10.0, 50.0, 11.0, 51.0)
"""Box of all scenes; squares lie within it."""
SQUARE = (10.4, 50.4, 10.42, 50.42)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    monkeypatch.setattr(downloading, "BACKOFF_S", 0.001)
    with serving_stac() as running:
        yield running


def optical(
    id_: str, day: str = "2021-06-01", address: str = "https://x.org", **more: object
) -> dict:
    assets = {
        name: {"href": f"{address}/files/{id_}/{name}.tif"} for name in ("B04", "B08", "SCL", "aux")
    }
    said = {"eo:cloud_cover": 3.0, "s2:processing_baseline": "02.12"} | more
    return item(id_, "sentinel-2-l2a", HERE, f"{day}T10:30:00Z", assets, **said)


def radar(id_: str, day: str, way: str = "ascending", **asset: object) -> dict:
    assets = {name: {"href": f"https://x.org/{id_}/{name}.tif", **asset} for name in ("vv", "vh")}
    properties = {"sat:orbit_state": way}
    return item(id_, "sentinel-1-rtc", HERE, f"{day}T05:10:00Z", assets, **properties)


def cover(id_: str = "cover") -> dict:
    assets = {"map": {"href": f"https://x.org/{id_}.tif"}}
    return item(id_, "esa-worldcover", HERE, "2020-01-01T00:00:00Z", assets)


def ids(scenes: list[Scene]) -> list[str]:
    return [one.id for one in scenes]


# Searching an API.


@pytest.mark.parametrize(
    ("methods", "used"), [(("GET", "POST"), "POST"), (("GET",), "GET"), (("POST",), "POST")]
)
def test_an_api_is_searched_page_by_page_as_it_offers(
    api: Api, methods: tuple[str, ...], used: str
) -> None:
    api.methods = methods
    api.items = [optical(f"s{n}", f"2021-06-{n:02d}") for n in range(1, 8)]
    api.items += [optical("far", "2021-07-01"), {**optical("away"), "bbox": [20, 50, 21, 51]}]
    found = items(api.address, "sentinel-2-l2a", SQUARE, DAY, datetime.date(2021, 6, 7))
    assert [one.id for one in found] == [f"s{n}" for n in range(1, 8)]
    assert [method for method, _ in api.searches()] == [used] * 4
    first, second = (said for _, said in api.searches()[:2])
    assert first["datetime"] == "2021-06-01T00:00:00Z/2021-06-07T23:59:59Z"
    assert {**first, "token": "1"} == second


def test_the_collections_that_have_a_layout_are_asked_and_no_others(api: Api) -> None:
    api.items = [optical("a"), cover(), {**cover("other"), "collection": "weather"}]
    assert collections(api.address) == ["esa-worldcover", "sentinel-2-l2a", "weather"]
    assert ids(find(api.address, "open")) == ["cover", "a"]
    assert ids(find(api.address, "open", only=["sentinel-2-l2a"])) == ["a"]
    with pytest.raises(ArchiveError, match=r"no layout.*\n.*weather"):
        find(api.address, "open", only=["weather"])


def test_scenes_are_sought_around_a_day_and_others_around_what_that_may_bring(api: Api) -> None:
    api.items = [
        *(optical(f"s{d}", f"2021-{d}") for d in ("05-16", "05-17", "06-16", "06-17")),
        *(radar(f"r{d}", f"2021-{d}") for d in ("05-01", "05-02", "07-01", "07-02")),
        cover(),
        {**optical("elsewhere"), "bbox": [20, 50, 21, 51]},
    ]
    found = find_around(api.address, "open", [(SQUARE, DAY), (SQUARE, DAY)])
    # 15 days before and after, and as many again for what is chosen by the scene that is found.
    assert ids(found) == ["cover", "r05-02", "r07-01", "s05-17", "s06-16"]
    assert {one.origin for one in found} == {"open"}
    maps = [s for _, s in api.searches() if s["collections"] == ["esa-worldcover"]]
    assert all("datetime" not in said for said in maps)


def test_the_root_is_asked_once_for_many_searches(api: Api) -> None:
    api.items = [optical("a")]
    known = opened(api.address)
    api.failures["/"] = [500] * 9
    assert ids(find(known, "open", only=["sentinel-2-l2a"])) == ["a"]
    assert [one.id for one in items(known, "sentinel-2-l2a")] == ["a"]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_busy_api_is_asked_again(api: Api, status: int, method: str) -> None:
    api.items = [optical("a")]
    api.methods = (method,)
    api.failures["/search"] = [status] * 3
    assert len(items(api.address, "sentinel-2-l2a")) == 1


@pytest.mark.parametrize(("status", "answers"), [(500, 9), (429, 9), (400, 1), (403, 1), (404, 1)])
def test_an_api_that_stays_out_of_order_is_told(api: Api, status: int, answers: int) -> None:
    api.items = [optical("a")]
    api.failures["/search"] = [status] * answers
    with pytest.raises(
        ArchiveError, match=f"{status} out of order" if answers == 1 else "retries|order"
    ):
        items(api.address, "sentinel-2-l2a")


@pytest.mark.parametrize(
    ("page", "says"),
    [
        (404, "404"),
        (b'{"message": "gone"}', "lists no items.*gone"),
        (b"[]", "lists no items"),
        (b"<html>maintenance</html>", "does not answer as a STAC catalogue does"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_page_that_vanishes_is_told_and_not_taken_for_the_end(
    api: Api, page: bytes | int, says: str, method: str
) -> None:
    api.items = [optical(f"s{n}") for n in range(5)]
    api.methods, api.pages = (method,), {1: page}
    with pytest.raises(ArchiveError, match=says):
        items(api.address, "sentinel-2-l2a")


def test_an_empty_page_is_not_the_end(api: Api) -> None:
    api.items = [optical(f"s{n}") for n in range(5)]
    link = {"rel": "next", "href": f"{api.address}/search", "method": "POST"}
    body = {"collections": ["sentinel-2-l2a"], "token": "2"}
    empty = {"type": "FeatureCollection", "features": [], "links": [{**link, "body": body}]}
    api.pages = {1: json.dumps(empty).encode()}
    assert [one.id for one in items(api.address, "sentinel-2-l2a")] == ["s0", "s1", "s4"]


def test_an_item_on_two_pages_is_one_scene(api: Api) -> None:
    """While pages are turned, a new item pushes the last of a page onto the next."""
    api.items = [optical(name) for name in ("a", "b", "b", "c")]
    assert ids(find(api.address, "open")) == ["a", "b", "c"]
    assert ids(find_around(api.address, "open", [(SQUARE, DAY)])) == ["a", "b", "c"]


def test_pages_in_a_circle_are_told(api: Api) -> None:
    api.items = [optical(f"s{n}") for n in range(5)]
    api.circle = True
    with pytest.raises(ArchiveError, match="in a circle"):
        items(api.address, "sentinel-2-l2a")


def without(key: str) -> dict:
    made = optical("broken")
    del made[key]
    return made


@pytest.mark.parametrize(
    "broken",
    [
        without("properties"),
        without("id"),
        {**optical("broken"), "properties": {"datetime": "last summer"}},
        {**optical("broken"), "assets": ["B04"]},
        {**optical("broken"), "type": "Catalog"},
    ],
)
def test_a_malformed_item_is_named(api: Api, broken: dict) -> None:
    page = {"type": "FeatureCollection", "features": [optical("good"), broken], "links": []}
    api.items, api.pages = [optical("good")], {0: json.dumps(page).encode()}
    with pytest.raises(ArchiveError, match=r"(broken|None|number 2).*an item is malformed"):
        items(api.address, "sentinel-2-l2a")


def test_no_catalogue_and_no_api_are_told(api: Api, tmp_path: Path) -> None:
    api.failures["/"] = [404] * 2
    for address in (api.address, str(tmp_path / "catalog.json")):
        with pytest.raises(ArchiveError, match="does not answer as a STAC catalogue does"):
            find(address, "open")


# Walking a static catalogue.


@pytest.fixture
def static(tmp_path: Path) -> Path:
    """Four items in two collections, one of them in a catalogue below its collection."""
    root = pystac.Catalog("root", "For tests.")
    everywhere = pystac.Extent(
        pystac.SpatialExtent([[-180, -90, 180, 90]]), pystac.TemporalExtent([[None, None]])
    )
    scenes = pystac.Collection("sentinel-2-l2a", "Scenes.", everywhere)
    below = pystac.Catalog("2021", "A year.")
    maps = pystac.Collection("esa-worldcover", "Maps.", everywhere)
    root.add_children([scenes, maps])
    scenes.add_child(below)
    scenes.add_item(pystac.Item.from_dict(optical("a")))
    below.add_item(pystac.Item.from_dict(optical("b", "2021-08-01")))
    two = [[[[x, 50], [x + 0.5, 50], [x + 0.5, 51], [x, 51], [x, 50]]] for x in (179.5, -180.0)]
    far = optical("c") | {
        "bbox": [179.5, 50.0, -179.5, 51.0],
        "geometry": {"type": "MultiPolygon", "coordinates": two},
    }
    scenes.add_item(pystac.Item.from_dict(far))
    maps.add_item(pystac.Item.from_dict(cover()))
    root.normalize_hrefs(str(tmp_path))
    root.save(pystac.CatalogType.SELF_CONTAINED)
    return tmp_path / "catalog.json"


def test_a_static_catalogue_is_walked(static: Path) -> None:
    assert ids(find(str(static), "open")) == ["cover", "a", "b", "c"]
    assert ids(find_around(str(static), "open", [(SQUARE, DAY)])) == ["cover", "a", "b", "c"]
    june = (DAY, DAY + datetime.timedelta(days=29))
    assert ids(find(str(static), "open", SQUARE, *june)) == ["cover", "a"]


@pytest.mark.parametrize(
    "box", [(179.8, 50, 179.9, 51), (-179.9, 50, -179.8, 51), (179.9, 50, -179.9, 51)]
)
def test_a_box_over_the_antimeridian_is_met_on_both_sides(
    static: Path, box: tuple[float, float, float, float]
) -> None:
    assert ids(find(str(static), "open", box, only=["sentinel-2-l2a"])) == ["c"]


def test_a_file_of_a_static_catalogue_that_is_missing_or_malformed_is_named(static: Path) -> None:
    path = next(static.parent.rglob("a.json"))
    whole = path.read_text()
    for content in (whole.replace("properties", "property"), whole[:50], None):
        path.write_text(content) if content is not None else path.unlink()
        with pytest.raises(ArchiveError, match=r"a\.json.*an item is malformed"):
            find(str(static), "open")


# What an item says.


def read(raw: dict) -> Scene:
    made = pystac.Item.from_dict(copy.deepcopy(raw))
    return scene(made, products()[raw["collection"]], "open")


@pytest.mark.parametrize(
    ("said", "offset"),
    [
        ({"s2:processing_baseline": "02.12"}, 0.0),
        ({"s2:processing_baseline": "03.01"}, 0.0),
        ({"s2:processing_baseline": "04.00"}, -0.1),
        ({"s2:processing_baseline": "05.09"}, -0.1),
        ({"s2:processing_baseline": "05.11", "earthsearch:boa_offset_applied": True}, 0.0),
        ({"s2:processing_baseline": "05.11", "earthsearch:boa_offset_applied": False}, -0.1),
        ({"s2:processing_baseline": None, "processing:version": "05.00"}, -0.1),
    ],
)
@pytest.mark.parametrize("day", ["2018-06-01", "2023-06-01"])
def test_the_offset_of_sentinel_2_goes_by_the_baseline_and_not_by_the_day(
    said: dict, offset: float, day: str
) -> None:
    found = read(optical("a", day, **said))
    assert {(layer.scale, layer.offset) for layer in found.layers.values()} == {(1e-4, offset)}
    # Classes are numbers as they are.
    assert found.mask is not None
    assert (found.mask[0].scale, found.mask[0].offset, found.mask[0].nodata) == (1.0, 0.0, None)


def test_a_scene_holds_what_its_item_says() -> None:
    found = read(optical("a"))
    assert (found.modality, found.collection, found.id) == ("sentinel2", "sentinel-2-l2a", "a")
    assert found.moment == datetime.datetime(2021, 6, 1, 10, 30, tzinfo=datetime.UTC)
    assert (found.bbox, found.cloud_percent, found.days) == (HERE, 3.0, 15)
    assert set(found.layers) == {"B4", "B8"}
    assert found.layers["B4"].href == "https://x.org/files/a/B04.tif"
    assert found.layers["B4"].nodata == 0
    assert found.footprint is not None
    assert found.footprint.bounds == HERE


@pytest.mark.parametrize(
    ("about", "power", "nodata"),
    [
        ({}, True, -32768),
        ({"raster:bands": [{"unit": "dB", "nodata": "nan"}]}, False, None),
        ({"bands": [{"unit": "dB", "nodata": -9999}]}, False, -9999),
        ({"unit": "dB", "nodata": 0}, False, 0),
        ({"raster:bands": [{"unit": "1"}]}, True, -32768),
    ],
)
def test_what_an_asset_says_of_its_numbers_wins_over_the_layout(
    about: dict, power: bool, nodata: float | None
) -> None:
    found = read(radar("a", "2021-06-01", "descending", **about))
    assert set(found.layers) == {"desc_VV", "desc_VH"}
    layer = found.layers["desc_VV"]
    assert layer.power == power
    assert layer.nodata == nodata if nodata is not None else layer.nodata != layer.nodata


@pytest.mark.parametrize("way", ["ascending", "descending"])
def test_each_polarisation_of_each_pass_is_a_band_of_its_own(way: str) -> None:
    """Over polar areas HH and HV alone are acquired; VV and VH are absent then, and not zero."""
    raw = radar("a", "2021-06-01", way)
    raw["assets"] = {key: {"href": f"https://x.org/{key}.tif"} for key in ("hh", "hv")}
    found = read(raw)
    short = {"ascending": "asc", "descending": "desc"}[way]
    told = {name: layer.href for name, layer in found.layers.items()}
    assert told == {f"{short}_{k.upper()}": f"https://x.org/{k}.tif" for k in ("hh", "hv")}


@pytest.mark.parametrize(
    ("raw", "lacks"),
    [
        (optical("a", **{"eo:cloud_cover": None}), "share of clouds"),
        (optical("a", **{"s2:processing_baseline": None}), "processing baseline"),
        (optical("a", **{"s2:processing_baseline": "new"}), "processing baseline"),
        (radar("a", "2021-06-01", "sideways"), r"its pass.*\n.*sideways"),
        (radar("a", "2021-06-01", nodata="none"), "nodata of vv that is a number"),
        ({**cover(), "assets": {"thumbnail": {"href": "a.png"}}}, "all assets"),
        ({**cover(), "bbox": [1.0, 2.0]}, "bounding box"),
        ({**cover(), "geometry": {"type": "Blob", "coordinates": []}}, "a geometry"),
        ({**cover(), "geometry": {"type": "Polygon", "coordinates": [[[0, 0]]]}}, "a geometry"),
        (
            {**optical("a"), "assets": {"B04": {"href": "https://x.org/B04.tif"}}},
            "its mask",
        ),
    ],
)
def test_an_item_that_lacks_what_its_layout_needs_is_refused(raw: dict, lacks: str) -> None:
    with pytest.raises(ArchiveError, match=f"lacks .*{lacks}"):
        read(raw)


def test_a_footprint_that_crosses_itself_is_mended() -> None:
    bow = [[[10, 50], [11, 51], [11, 50], [10, 51], [10, 50]]]
    found = read({**cover(), "geometry": {"type": "Polygon", "coordinates": bow}})
    assert found.footprint is not None
    assert found.footprint.is_valid
    assert found.footprint.area == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- {id: a}", "Field required"),
        ("- {id: a, modality: relief, collections: [c], values: codes, layers: {elevation: [x]},"
         " licence: l, attribution: b}", "classes are codes"),
        ("- {id: a, modality: relief, collections: [c], values: unit, layers: {depth: [x]},"
         " licence: l, attribution: b}", "no band 'depth'"),
        (2 * "- {id: a, modality: relief, collections: [c], values: unit,"
         " layers: {elevation: [x]}, licence: l, attribution: b}\n", "stands in a too"),
    ],
)  # fmt: skip
def test_a_faulty_table_of_layouts_does_not_load(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "products.yaml"
    path.write_text(text)
    with pytest.raises(SpecError, match=says):
        products(path)


# Bringing files here.

BYTES = bytes(range(256)) * 40


@pytest.fixture
def remote(api: Api) -> list[Scene]:
    """Two scenes of three files each, on the server."""
    api.items = [optical(name, address=api.address) for name in ("a", "b")]
    for one in api.items:
        for asset in one["assets"].values():
            api.files[asset["href"].removeprefix(f"{api.address}/files/")] = (
                BYTES + asset["href"].encode()
            )
    return find(api.address, "open")


def hrefs(scenes: list[Scene]) -> list[str]:
    layers: list[Layer] = [layer for one in scenes for layer in one.layers.values()]
    return [layer.href for layer in layers] + [one.mask[0].href for one in scenes if one.mask]


def contents(scenes: list[Scene]) -> list[bytes]:
    return [Path(href).read_bytes() for href in hrefs(scenes)]


def test_files_are_fetched_once_and_whole(api: Api, remote: list[Scene], tmp_path: Path) -> None:
    here = fetch(remote, tmp_path)
    assert contents(here) == [BYTES + href.encode() for href in hrefs(remote)]
    assert ids(here) == ids(remote)
    asked = len(api.asked)
    assert fetch(remote, tmp_path) == here
    assert len(api.asked) == asked
    # What no layer needs stays there.
    assert not api.requests("a/aux.tif")


def test_a_download_that_breaks_off_goes_on_where_it_stopped(
    api: Api, remote: list[Scene], tmp_path: Path
) -> None:
    api.cuts["a/B04.tif"] = [4000]
    here = fetch(remote, tmp_path)
    assert contents(here) == [BYTES + href.encode() for href in hrefs(remote)]
    assert [r.get("Range") for r in api.requests("a/B04.tif")] == [None, "bytes=4000-"]


def killed(api: Api, remote: list[Scene], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first call that stops in the middle of the second scene."""

    class Killed(BaseException):
        pass

    asked = requests.Session.get

    def get(self: requests.Session, url: str, **more: object) -> requests.Response:
        if url.endswith("b/B04.tif") and api.requests("b/B04.tif"):
            raise Killed
        return asked(self, url, **more)

    with monkeypatch.context() as patch:
        patch.setattr(requests.Session, "get", get)
        api.cuts["b/B04.tif"] = [4000]
        with pytest.raises(Killed):
            fetch(remote, folder)


def test_a_killed_fetch_is_resumed_by_the_next(
    api: Api, remote: list[Scene], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(api, remote, tmp_path, monkeypatch)
    here = fetch(remote, tmp_path)
    assert contents(here) == [BYTES + href.encode() for href in hrefs(remote)]
    assert len(api.requests("a/B04.tif")) == 1
    assert [r.get("Range") for r in api.requests("b/B04.tif")] == [None, "bytes=4000-"]
    assert not list(tmp_path.rglob("*.part*"))


def test_a_file_that_changed_meanwhile_is_fetched_anew(
    api: Api, remote: list[Scene], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(api, remote, tmp_path, monkeypatch)
    api.files["b/B04.tif"], api.etags["b/B04.tif"] = BYTES[::-1], '"second"'
    got = Path(fetch(remote, tmp_path)[1].layers["B4"].href).read_bytes()
    # Not the first 4,000 bytes of the one and the rest of the other.
    assert got == BYTES[::-1]


@pytest.mark.parametrize("status", [404, 403])
def test_a_file_that_a_server_does_not_hand_out_is_told(
    api: Api, remote: list[Scene], tmp_path: Path, status: int
) -> None:
    api.failures["/files/b/B08.tif"] = [status]
    with pytest.raises(ArchiveError, match=rf"(?s)source b.*B08\.tif.*{status}"):
        fetch(remote, tmp_path)
    assert contents(fetch(remote, tmp_path)) == [BYTES + h.encode() for h in hrefs(remote)]


def test_a_catalogue_cannot_write_outside_the_folder(api: Api, tmp_path: Path) -> None:
    api.files["x/B04.tif"] = BYTES
    evil = Scene(
        "../../..", "..", "sentinel2", datetime.datetime(2021, 6, 1, tzinfo=datetime.UTC), HERE,
        {"B4": Layer(f"{api.address}/files/x/B04.tif")}, "open", "other",
    )  # fmt: skip
    (here,) = fetch([evil], tmp_path / "in")
    assert (tmp_path / "in") in Path(here.layers["B4"].href).resolve().parents


def test_paths_are_left_as_they_are(tmp_path: Path) -> None:
    local = read(cover())
    local = Scene(**{**vars(local), "layers": {"class": Layer(str(tmp_path / "map.tif"))}})
    assert fetch([local], tmp_path) == [local]
