"""Small specifications and raw versions for the tests of this room."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from adapters.archive import RawFile, RawVersion
from adapters.settings import Settings
from adapters.spec import SourceSpec


def column(name: str, **more: object) -> dict[str, object]:
    said = {
        "name": name,
        "table": "main",
        "native": name,
        "kind": "numeric",
        "evidence": "verified",
        "description": name,
    } | more
    if said["kind"] == "numeric":
        said.setdefault("unit", "1")
    return said


def text(name: str, **more: object) -> dict[str, object]:
    return column(name, kind="text", **more)


def make_spec(folder: Path, columns: list[dict[str, object]], **more: object) -> SourceSpec:
    """A source of one csv table `main`, unless said otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    said = {
        "id": "pits",
        "title": "Soil pits",
        "description": "Soil pits.",
        "modality": "table",
        "origin": {
            "producer": "P",
            "page": "https://example.org",
            "citation": "P (2020)",
            "licence": {"id": "CC0-1.0", "redistribute": True, "attribution": "P"},
        },
        "access": {"kind": "manual", "instructions": "ask"},
        "tables": {"main": {"files": ["*.csv"], "read": {"reader": "csv"}}},
        "space": {"support": "none"},
        "fuse": {"join": "none", "reason": "test"},
        "columns": columns,
        "folder": folder,
    }
    return SourceSpec.model_validate(said | more)


def make_raw(settings: Settings, files: Mapping[str, bytes | Path]) -> RawVersion:
    """Archive objects of the given bytes, without the checks at the door."""
    listed = []
    for name, content in files.items():
        data = content if isinstance(content, bytes) else content.read_bytes()
        sha256 = hashlib.sha256(data).hexdigest()
        path = settings.archive / "objects" / sha256[:2] / sha256
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        listed.append(RawFile(name, path, sha256, len(data)))
    version = hashlib.sha256("".join(f.name + f.sha256 for f in listed).encode()).hexdigest()[:16]
    return RawVersion("pits", version, "user", "user", tuple(listed), "2020-01-01T00:00:00+00:00")
