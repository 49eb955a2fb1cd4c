"""Photographs of the twin have a size of their own, since drawing them takes longest."""

from pathlib import Path

import pytest

from adapters.settings import Settings
from adapters.twin import making

SOURCES = ["arsenic_topsoils", making.PHOTOGRAPHED]


@pytest.mark.parametrize(("asked", "sizes"), [(None, ("demo", "full")), ("tiny", ("tiny", "tiny"))])
def test_each_source_is_written_at_its_size(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked: str | None,
    sizes: tuple[str, str],
) -> None:
    settings = Settings(
        data_root=tmp_path / "data",
        truth_root=tmp_path / "truth",
        twin_size="demo",
        twin_photographs="full",
    )
    written: dict[str, tuple[object, str]] = {}

    def note(_: Settings, source: str, recipe: dict, world: object, old: set) -> list:  # noqa: ARG001
        written[source] = recipe["size"], world.size
        return []

    monkeypatch.setattr(making, "_write_source", note)
    making.write(settings, sources=SOURCES, size=asked)
    assert written == {s: (size, size) for s, size in zip(SOURCES, sizes, strict=True)}


def test_what_is_written_at_its_size_is_not_stale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data_root=tmp_path / "data", truth_root=tmp_path / "truth")
    seen: dict[str, object] = {}

    def note(_: Settings, source: str, recipe: dict) -> tuple[str, dict]:
        seen[source] = recipe["size"]
        return "current", {}

    monkeypatch.setattr(making, "_state", note)
    assert making.stale(settings) == []
    assert seen[making.PHOTOGRAPHED] == "tiny"
    assert {size for source, size in seen.items() if source != making.PHOTOGRAPHED} == {"demo"}
