"""What the summary of a run says of an evaluation."""

from pathlib import Path

import pytest
from good_tile import good_tile
from rich.console import Console

from adapters import twin
from adapters.archive import accept_user, ingest
from adapters.settings import Settings
from adapters.spec import load_spec
from dagster_project.run import Outcome
from dagster_project.summary import _evaluation, _tiles, show
from dagster_project.versions import upstream_version
from fusion.captions.of_others import add_captions
from fusion.tiles.writing import write


@pytest.mark.parametrize(
    ("clusters", "low", "high", "said"),
    [
        (1, None, None, "model 1.079 (no interval: 1 cluster)"),
        (4, None, None, "model 1.079 (no interval: 4 clusters)"),
        (22, 0.9, 1.2, "model 1.079 [0.900, 1.200]"),
    ],
)
def test_a_mean_without_interval_says_why(
    clusters: int, low: float | None, high: float | None, said: str
) -> None:
    value = {"value": 1.079, "low": low, "high": high, "clusters": clusters}
    report = {
        "recipe": "soilformer",
        "origin": "open",
        "protocol": {
            "test_rows": 102,
            "test_clusters": clusters,
            "interval": "95 %",
            "measure": {"numeric": "error"},
        },
        "all_features": {"numeric": {"methods": {"model": value}}},
        "lightgbm_features": {},
    }
    console = Console(width=160, record=True, highlight=False)
    _evaluation(console, report)
    text = console.export_text()
    assert said in text
    assert f"in {clusters} cluster{'s' if clusters > 1 else ''} of sites (OPEN data" in text


def test_files_that_are_not_in_use_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(data_root=tmp_path / "data", truth_root=tmp_path / "truth")
    twin.write(settings, sources=["arsenic_topsoils"], size="tiny")
    spec = load_spec("arsenic_topsoils")
    before = upstream_version(spec, settings)
    assert ingest(spec, settings).origin == "synthetic"
    inbox = settings.raw / spec.id
    (inbox / "readme.txt").write_text("mine")
    mine = (inbox / "arsenic.tif").read_bytes() + b"\0"
    (inbox / "arsenic.tif").write_bytes(mine)
    (settings.raw / "arsenic_topsoil").mkdir()
    assert ingest(spec, settings).origin == "synthetic"

    show(settings, Outcome(), 1.0)
    said = capsys.readouterr().out
    assert "expects such names: readme.txt" in said
    assert "your files wait, and the twin's stay in use: arsenic.tif" in said
    assert "no source has that name (arsenic_topsoils" in said

    waiting = upstream_version(spec, settings)
    accepted = accept_user(spec, settings)
    assert (accepted.origin, accepted.group) == ("user", "synthetic")
    assert len({before, waiting, upstream_version(spec, settings)}) == 3
    show(settings, Outcome(), 1.0)
    assert "your files wait" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("checked", "1 captions by GeoMeld: claims 2 supported; 1 sentences removed"),
        ("as published", "1 captions by GeoMeld: as they were published, not checked"),
        ("written", "1 captions by unknown writers: as they were published, not checked"),
    ],
)
def test_captions_that_nobody_checked_are_called_so(how: str, said: str, tmp_path: Path) -> None:
    settings = Settings(data_root=tmp_path / "data")
    captions = {"good-0": "Cropland dominates. The terrain rises towards the north. A dragon."}
    folder = write([good_tile(0)], settings.tiles / "user")
    (folder.parent / "report.json").write_text('{"refused_by_reason": {}}')
    base = settings.captions / "user"
    if how == "written":
        made = write([good_tile(0)], base, captions)
    else:
        as_published = how == "as published"
        made = add_captions(folder, base, captions, writer="GeoMeld", as_published=as_published)
    (base / "CURRENT").write_text(made.name)
    console = Console(width=160, record=True, highlight=False)
    _tiles(console, settings, "user", folder)
    assert said in console.export_text()
