"""Getting files from servers: only what changed, resumed where it broke off, never a login page."""

import datetime
import hashlib
import io
import json
import urllib.parse
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from good_standard import good_spec
from local_server import Served, Site, serving
from pydantic import ValidationError

from adapters import acquire, archive
from adapters import download as downloading
from adapters.acquire import due, instructions, poll, polled
from adapters.errors import ArchiveError
from adapters.settings import Settings
from adapters.spec import Access, Poll, SourceSpec, Stac, load_spec

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
V1 = b"A,B\n1,2\n" * 50_000


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(downloading, "BACKOFF_S", 0.001)
    with serving() as running:
        running.pages["/pits.csv"] = Served(V1, etag='"1"', last_modified=_on(1))
        yield running


@pytest.fixture
def spec(tmp_path: Path, site: Site) -> SourceSpec:
    return fetched(good_spec(tmp_path / "pits"), {"pits.csv": site.url("/pits.csv")})


def fetched(spec: SourceSpec, urls: dict[str, str], by: str = "etag", **more: object) -> SourceSpec:
    access = Access(kind="http", instructions="wait", urls=urls, **more)
    return spec.model_copy(update={"access": access, "poll": Poll(by=by, every_days=7)})


def _on(day: int) -> str:
    return f"Thu, 0{day} Jan 2026 00:00:00 GMT"


def lies(spec: SourceSpec, settings: Settings) -> dict[str, bytes]:
    folder = acquire.downloaded(spec, settings)
    assert folder is not None
    files = (p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in files}


def test_what_is_published_is_fetched_and_becomes_an_open_version(
    spec: SourceSpec, settings: Settings
) -> None:
    assert archive.ingest(spec, settings) is None
    poll(spec, settings, NOW)
    assert lies(spec, settings) == {"pits.csv": V1}
    raw = archive.ingest(spec, settings)
    assert raw is not None
    assert (raw.origin, raw.group, [f.name for f in raw.files]) == ("open", "open", ["pits.csv"])


def test_a_published_zip_is_taken_as_the_files_in_it(
    spec: SourceSpec, settings: Settings, site: Site
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archived:
        archived.writestr("soil/pits.csv", "A,B\n1,2\n")
    site.pages["/all.zip"] = Served(packed.getvalue(), etag='"z"')
    spec = fetched(spec, {"all.zip": site.url("/all.zip")})
    poll(spec, settings, NOW)
    raw = archive.ingest(spec, settings)
    assert raw is not None
    assert [f.name for f in raw.files] == ["soil/pits.csv"]


@pytest.mark.parametrize(
    ("by", "header"), [("etag", "If-None-Match"), ("last_modified", "If-Modified-Since")]
)
def test_what_did_not_change_is_not_sent_again(
    spec: SourceSpec, settings: Settings, site: Site, by: str, header: str
) -> None:
    spec = fetched(spec, spec.access.urls, by)
    first = poll(spec, settings, NOW)
    again = poll(spec, settings, NOW + datetime.timedelta(days=7))
    assert site.answers("/pits.csv") == [200, 304]
    assert {"If-None-Match", "If-Modified-Since"} & set(site.asked[-1][1]) == {header}
    assert (again.folder, again.files) == (first.folder, first.files)
    assert again.asked_at > first.asked_at


def test_the_same_bytes_under_another_tag_are_no_news(
    spec: SourceSpec, settings: Settings, site: Site
) -> None:
    first = poll(spec, settings, NOW)
    site.pages["/pits.csv"].etag = '"2"'
    again = poll(spec, settings, NOW)
    assert site.answers("/pits.csv") == [200, 200]
    assert again.folder == first.folder
    assert poll(spec, settings, NOW).folder == first.folder
    assert site.answers("/pits.csv") == [200, 200, 304]
    assert [p.name for p in (settings.downloads / "pits").iterdir() if p.is_dir()] == [first.folder]


def test_other_bytes_are_news_and_an_unchanged_file_is_kept(
    spec: SourceSpec, settings: Settings, site: Site
) -> None:
    site.pages["/more.csv"] = Served(b"more", etag='"m"')
    spec = fetched(spec, {**spec.access.urls, "deep/more.csv": site.url("/more.csv")})
    first = poll(spec, settings, NOW)
    site.pages["/pits.csv"] = Served(b"A,B\n3,4\n", etag='"2"')
    second = poll(spec, settings, NOW)
    assert second.folder != first.folder
    assert site.answers("/more.csv") == [200, 304]
    assert lies(spec, settings) == {"pits.csv": b"A,B\n3,4\n", "deep/more.csv": b"more"}


@pytest.mark.parametrize("etag", ['"1"', None])
def test_a_broken_download_goes_on_where_it_broke_off(
    spec: SourceSpec, settings: Settings, site: Site, etag: str | None
) -> None:
    site.pages["/pits.csv"] = Served(V1, etag=etag, last_modified=_on(1), cut=[100_000, 50_000])
    poll(spec, settings, NOW)
    assert lies(spec, settings) == {"pits.csv": V1}
    assert site.answers("/pits.csv") == [200, 206, 206]
    ranges = [head["Range"] for _, head, _ in site.asked[1:]]
    assert ranges == ["bytes=100000-", "bytes=150000-"]


def test_a_broken_download_is_kept_for_the_next_run(
    spec: SourceSpec, settings: Settings, site: Site
) -> None:
    site.pages["/pits.csv"].cut = [1000] * downloading.ATTEMPTS
    with pytest.raises(ArchiveError, match=f"in {downloading.ATTEMPTS} attempts"):
        poll(spec, settings, NOW)
    assert acquire.downloaded(spec, settings) is None
    (part,) = (settings.downloads / "pits").rglob("*.part")
    assert part.stat().st_size == 1000 * downloading.ATTEMPTS
    poll(spec, settings, NOW)
    assert lies(spec, settings) == {"pits.csv": V1}
    assert site.asked[-1][1]["Range"] == f"bytes={1000 * downloading.ATTEMPTS}-"


def test_a_file_that_changed_meanwhile_is_fetched_from_its_beginning(
    spec: SourceSpec, settings: Settings, site: Site
) -> None:
    site.pages["/pits.csv"].cut = [1000] * downloading.ATTEMPTS
    with pytest.raises(ArchiveError):
        poll(spec, settings, NOW)
    site.pages["/pits.csv"] = Served(V1[::-1], etag='"2"')
    poll(spec, settings, NOW)
    assert site.answers("/pits.csv")[-1] == 200
    assert lies(spec, settings) == {"pits.csv": V1[::-1]}


def test_without_a_strong_validator_nothing_is_resumed(
    spec: SourceSpec, settings: Settings, site: Site
) -> None:
    site.pages["/pits.csv"] = Served(V1, etag='W/"1"', cut=[1000])
    poll(spec, settings, NOW)
    assert site.answers("/pits.csv") == [200, 200]
    assert lies(spec, settings) == {"pits.csv": V1}


def test_a_busy_server_is_asked_again(spec: SourceSpec, settings: Settings, site: Site) -> None:
    site.pages["/pits.csv"].busy = 2
    poll(spec, settings, NOW)
    assert site.answers("/pits.csv") == [503, 503, 200]


@pytest.mark.parametrize(
    ("served", "says"),
    [
        (Served(b"<html>log in</html>", content_type="text/html"), "web page"),
        (Served(b"<!DOCTYPE html><html>log in</html>"), "web page"),
        (Served(b"", redirect="/login"), "web page"),
        (Served(b"", status=403), "asks for a login"),
        (Served(b"", status=404), "answers 404"),
        (Served(b"", busy=99), "answers 503"),
    ],
)
def test_what_is_no_data_is_refused_and_the_set_in_use_stays(
    spec: SourceSpec, settings: Settings, site: Site, served: Served, says: str
) -> None:
    first = poll(spec, settings, NOW)
    site.pages["/login"] = Served(b"<html>log in</html>", content_type="text/html")
    site.pages["/pits.csv"] = served
    with pytest.raises(ArchiveError, match=says) as refused:
        poll(spec, settings, NOW + datetime.timedelta(days=1))
    assert site.url("/pits.csv") in str(refused.value)
    assert refused.value.remedy
    last = polled(spec, settings)
    assert last is not None
    assert says in str(last.problem)
    assert (last.folder, last.files) == (first.folder, first.files)
    assert lies(spec, settings) == {"pits.csv": V1}


def test_a_server_that_is_not_there_is_told(spec: SourceSpec, settings: Settings) -> None:
    gone = fetched(spec, {"pits.csv": "http://127.0.0.1:9/pits.csv"})
    with pytest.raises(ArchiveError, match="not downloaded in"):
        poll(gone, settings, NOW)


def test_a_pinned_file_is_verified(spec: SourceSpec, settings: Settings, site: Site) -> None:
    good = hashlib.sha256(V1).hexdigest()
    pinned = fetched(spec, spec.access.urls, sha256={"pits.csv": good})
    poll(pinned, settings, NOW)
    site.pages["/pits.csv"] = Served(V1 + b"5,6\n", etag='"2"')
    with pytest.raises(ArchiveError, match="is not the file"):
        poll(pinned, settings, NOW)
    assert lies(pinned, settings) == {"pits.csv": V1}


def test_a_killed_poll_leaves_the_old_set(
    spec: SourceSpec, settings: Settings, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    poll(spec, settings, NOW)
    site.pages["/pits.csv"] = Served(b"A,B\n3,4\n", etag='"2"')

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(acquire, "write_text", die)
        with pytest.raises(KeyboardInterrupt):
            poll(spec, settings, NOW)
    assert lies(spec, settings) == {"pits.csv": V1}
    poll(spec, settings, NOW)
    assert lies(spec, settings) == {"pits.csv": b"A,B\n3,4\n"}


def test_a_server_is_asked_by_its_cadence_and_sooner_after_a_failure(
    spec: SourceSpec, settings: Settings, site: Site, tmp_path: Path
) -> None:
    def later(**time: float) -> datetime.datetime:
        return NOW + datetime.timedelta(**time)

    assert due(spec, settings, NOW)
    poll(spec, settings, NOW)
    assert not due(spec, settings, later(days=6.9))
    assert due(spec, settings, later(days=7))
    site.pages.clear()
    with pytest.raises(ArchiveError):
        poll(spec, settings, later(days=7))
    assert not due(spec, settings, later(days=7, minutes=59))
    assert due(spec, settings, later(days=7, hours=1))
    assert due(spec, settings, later(days=7), retry=datetime.timedelta(0))
    assert not due(good_spec(tmp_path / "by_hand"), settings, NOW)


def test_instructions_say_what_a_person_does(tmp_path: Path) -> None:
    spec = good_spec(tmp_path / "pits")
    access = spec.access.model_copy(update={"registration": True})
    said = instructions(spec.model_copy(update={"access": access}))
    assert said.splitlines() == [
        "Soil pits",
        "https://example.org",
        "ask",
        "The download needs a registration there.",
        "Expected files: *.csv",
    ]
    maps = instructions(load_spec("eu_soilhydrogrids"))
    assert "Expected files: THS_sl{1..7}.tif, FC_sl{1..7}.tif, " in maps


@pytest.mark.parametrize(
    "said",
    [
        {"kind": "http"},
        {"kind": "manual", "urls": {"a.csv": "http://x"}},
        {"kind": "stac"},
        {"kind": "package"},
        {"kind": "http", "urls": {"../a.csv": "http://x"}},
    ],
)
def test_an_incomplete_access_does_not_load(said: dict) -> None:
    with pytest.raises(ValidationError):
        Access.model_validate({"instructions": "x", **said})


def test_a_way_of_polling_that_does_not_fit_does_not_load(spec: SourceSpec) -> None:
    with pytest.raises(ValidationError, match="polled by etag or last_modified"):
        SourceSpec.model_validate(
            {**spec.model_dump(), "folder": spec.folder, "poll": {"by": "listing"}}
        )


def item(site: Site, name: str, day: str, west: float, **asset: object) -> dict[str, object]:
    box = [west, 50.0, west + 1, 51.0]
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "collection": "soil",
        "bbox": box,
        "geometry": {
            "type": "Polygon",
            "coordinates": [[[box[0], 50], [box[2], 50], [box[2], 51], [box[0], 51], [box[0], 50]]],
        },
        "properties": {"datetime": f"{day}T00:00:00Z"},
        "links": [{"rel": "self", "href": site.url(f"/stac/{name}.json")}],
        "assets": {"table": {"href": site.url(f"/{name}/pits.csv") + "?signed=1", **asset}},
    }


def page(content: object) -> Served:
    return Served(json.dumps(content).encode(), content_type="application/json")


def publish(site: Site, items: list[dict], *, static: bool) -> None:
    root = {"rel": "root", "href": site.url("/stac/catalog.json")}
    children = [{"rel": "item", "href": site.url(f"/stac/{i['id']}.json")} for i in items]
    site.pages["/stac/soil.json"] = page(
        {
            "type": "Collection",
            "stac_version": "1.0.0",
            "id": "soil",
            "description": "Soil.",
            "license": "CC0-1.0",
            "extent": {
                "spatial": {"bbox": [[-180, -90, 180, 90]]},
                "temporal": {"interval": [["2020-01-01T00:00:00Z", None]]},
            },
            "links": [root, *children],
        }
    )
    search = {"rel": "search", "href": site.url("/stac/search"), "type": "application/geo+json"}
    api = {
        "conformsTo": [
            "https://api.stacspec.org/v1.0.0/core",
            "https://api.stacspec.org/v1.0.0/item-search",
        ]
    }
    site.pages["/stac/catalog.json"] = page(
        {
            "type": "Catalog",
            "stac_version": "1.0.0",
            "id": "root",
            "description": "Root.",
            "links": [root, {"rel": "child", "href": site.url("/stac/soil.json")}]
            + ([] if static else [{**search, "method": "GET"}]),
            **({} if static else api),
        }
    )
    site.pages["/stac/search"] = page({"type": "FeatureCollection", "features": items, "links": []})
    for one in items:
        site.pages[f"/stac/{one['id']}.json"] = page(one)
        site.pages[f"/{one['id']}/pits.csv"] = Served(one["id"].encode(), etag=f'"{one["id"]}"')


def listed(spec: SourceSpec, site: Site) -> SourceSpec:
    stac = Stac(
        catalogue=site.url("/stac/catalog.json"),
        collection="soil",
        assets=("table",),
        bbox=(0, 45, 10, 55),
        start=datetime.date(2020, 1, 1),
        end=datetime.date(2020, 12, 31),
    )
    access = Access(kind="stac", instructions="wait", stac=stac)
    return spec.model_copy(update={"access": access, "poll": Poll(by="listing")})


def test_a_static_catalogue_is_searched_by_box_and_period(
    spec: SourceSpec, settings: Settings, site: Site
) -> None:
    items = [
        item(site, "here", "2020-06-01", 5),
        item(site, "far", "2020-06-01", 50),
        item(site, "late", "2021-06-01", 5),
    ]
    publish(site, items, static=True)
    poll(listed(spec, site), settings, NOW)
    assert lies(listed(spec, site), settings) == {"here/pits.csv": b"here"}


def test_an_api_is_asked_for_box_and_period_and_only_a_new_listing_is_fetched(
    spec: SourceSpec, settings: Settings, site: Site
) -> None:
    spec = listed(spec, site)
    publish(site, [item(site, "a", "2020-06-01", 5)], static=False)
    first = poll(spec, settings, NOW)
    assert lies(spec, settings) == {"a/pits.csv": b"a"}
    asked = urllib.parse.parse_qs(site.queries[0])
    assert (asked["bbox"], asked["collections"]) == (["0.0,45.0,10.0,55.0"], ["soil"])
    assert asked["datetime"][0].startswith("2020-01-01T00:00:00")
    assert asked["datetime"][0].endswith("/2020-12-31T23:59:59Z")
    assert poll(spec, settings, NOW).folder == first.folder
    assert site.answers("/a/pits.csv") == [200]
    publish(site, [item(site, i, "2020-06-01", 5) for i in "ab"], static=False)
    poll(spec, settings, NOW)
    assert lies(spec, settings) == {"a/pits.csv": b"a", "b/pits.csv": b"b"}
    assert site.answers("/a/pits.csv") == [200, 304]


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (lambda site: site.pages.pop("/stac/catalog.json"), "STAC catalogue"),
        (lambda site: publish(site, [], static=True), "lists no item"),
        (lambda site: _without_collection(site), "no collection 'soil'"),
        (lambda site: publish(site, [_other_asset(site)], static=True), "has no asset 'table'"),
        (
            lambda site: site.pages.update({"/stac/catalog.json": Served(b"<html>hi</html>")}),
            "STAC catalogue",
        ),
    ],
)
def test_a_catalogue_that_lacks_what_is_wanted_is_told(
    spec: SourceSpec, settings: Settings, site: Site, break_it: object, says: str
) -> None:
    publish(site, [item(site, "a", "2020-06-01", 5)], static=True)
    break_it(site)
    with pytest.raises(ArchiveError, match=says):
        poll(listed(spec, site), settings, NOW)


def _other_asset(site: Site) -> dict:
    made = item(site, "a", "2020-06-01", 5)
    return {**made, "assets": {"map": made["assets"]["table"]}}


def _without_collection(site: Site) -> None:
    publish(site, [], static=True)
    root = json.loads(site.pages["/stac/catalog.json"].content)
    site.pages["/stac/catalog.json"] = page({**root, "links": root["links"][:1]})
