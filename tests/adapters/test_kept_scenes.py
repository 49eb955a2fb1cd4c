"""What an API lists is kept as a static catalogue, from which tiles are made."""

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest
from stac_server import Api, item, serving_stac

from adapters import download as downloading
from adapters.errors import ArchiveError
from adapters.scenes.catalogues import scenes, version
from adapters.scenes.find import find_around, keep_around
from adapters.settings import Settings

DAY = datetime.date(2021, 6, 1)
BOX = (10.0, 50.0, 11.0, 51.0)
SQUARES = [((10.4, 50.4, 10.42, 50.42), DAY), ((10.6, 50.6, 10.62, 50.62), DAY)]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    monkeypatch.setattr(downloading, "BACKOFF_S", 0.001)
    with serving_stac() as running:
        running.items = [optical("near", "2021-06-03"), optical("far", "2021-08-30"), cover()]
        yield running


def optical(id_: str, day: str, **more: object) -> dict:
    assets = {name: {"href": f"https://x.org/{id_}/{name}.tif"} for name in ("B04", "SCL")}
    said = {"eo:cloud_cover": 3.0, "s2:processing_baseline": "02.12"} | more
    return item(id_, "sentinel-2-l2a", BOX, f"{day}T10:30:00Z", assets, **said)


def cover() -> dict:
    assets = {"map": {"href": "https://x.org/cover.tif"}}
    return item("cover", "esa-worldcover", BOX, "2020-01-01T00:00:00Z", assets)


def test_the_kept_catalogue_lists_what_the_api_did(api: Api, tmp_path: Path) -> None:
    settings = Settings(data_root=tmp_path)
    assert keep_around(api.address, settings.scenes / "mine", SQUARES) == 2
    kept = scenes(settings, "user")
    assert sorted(kept, key=lambda s: s.id) == sorted(
        find_around(api.address, "user", SQUARES), key=lambda s: s.id
    )
    assert {scene.id for scene in kept} == {"near", "cover"}
    # Its files stay where they are.
    assert {layer.href for layer in kept[0].layers.values()} == {"https://x.org/cover.tif"}

    first = version(settings, "user")
    api.items.append(optical("later", "2021-06-09"))
    assert keep_around(api.address, settings.scenes / "mine", SQUARES) == 3
    assert version(settings, "user") != first
    assert [path.name for path in settings.scenes.iterdir()] == ["mine"]


def test_what_cannot_be_kept_is_refused_and_leaves_the_last(api: Api, tmp_path: Path) -> None:
    settings = Settings(data_root=tmp_path)
    folder = settings.scenes / "mine"
    keep_around(api.address, folder, SQUARES)
    before = version(settings, "user")
    with pytest.raises(ArchiveError, match="no API"):
        keep_around(str(folder / "catalog.json"), folder, SQUARES)
    with pytest.raises(ArchiveError, match="no scene there and then"):
        keep_around(api.address, folder, [((1.0, 1.0, 1.1, 1.1), DAY)])
    api.items.append(optical("bad", "2021-06-02", **{"s2:processing_baseline": None}))
    with pytest.raises(ArchiveError, match="item bad lacks its processing baseline"):
        keep_around(api.address, folder, SQUARES)
    assert version(settings, "user") == before
    (folder / ".origin.json").write_text('{"origin": "open"}')
    with pytest.raises(ArchiveError, match="not yours"):
        keep_around(api.address, folder, SQUARES)
