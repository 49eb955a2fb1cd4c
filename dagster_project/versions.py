"""Which version of the inputs and of the code an asset stands for.

Belongs here: digests of source code for Dagster's `code_version`, and noticing new upstream files.
Never here: reading what the files hold.
"""

import functools
import hashlib
from importlib.metadata import version as package_version
from pathlib import Path

import dagster as dg

from adapters.acquire import downloaded
from adapters.archive import replaces_twin
from adapters.quarantine import last_accepted
from adapters.scenes.catalogues import version
from adapters.settings import Settings
from adapters.spec import SourceSpec

_ROOT = Path(__file__).parent.parent
ABSENT = "absent"
GROUPS = ("synthetic", "open", "user")
"""Origin groups, in the order of `dagster_project.groups`."""


@functools.cache
def code_version(*rooms: str) -> str:
    """Digest of the Python files that stand directly in these rooms (folders of the project).

    Sub-folders are left out: source folders have a digest of their own (`SourceSpec.digest`).
    """
    digest = hashlib.sha256()
    for room in rooms:
        for path in sorted((_ROOT / room).glob("*.py")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def upstream_key(source: str) -> dg.AssetKey:
    """Key of the asset that stands for a source's files before soilmeld has taken them in."""
    return dg.AssetKey(["upstream", source])


def scenes_key(group: str) -> dg.AssetKey:
    """Key of the asset that stands for the catalogues of scenes of a group."""
    return dg.AssetKey(["upstream", "scenes", group])


def upstream_version(spec: SourceSpec, settings: Settings) -> str:
    """Version of what lies upstream, cheap to look at often.

    Returns:
        Digest of the version of the package that ships the source, of names, sizes and modification
        times of the files in its inbox, of the contents of its downloaded files, and of what a
        person decided: own files in the twin's place, a version out of quarantine; `absent` where
        there is neither package nor file. No server is asked.
    """
    parts = []
    if spec.access.package:
        parts.append(f"{spec.access.package} {package_version(spec.access.package)}")
    if replaces_twin(spec, settings):
        parts.append("replace twin")
    if version := last_accepted(spec, settings):
        parts.append(f"accepted {version}")
    if folder := downloaded(spec, settings):
        parts.append(f"downloaded {folder.name}")
    inbox = settings.raw / spec.id
    for path in sorted(inbox.rglob("*")):
        if path.is_file():
            stat = path.stat()
            parts.append(f"{path.relative_to(inbox)} {stat.st_size} {stat.st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16] if parts else ABSENT


def news(
    specs: list[SourceSpec], settings: Settings, instance: dg.DagsterInstance
) -> list[dg.AssetObservation]:
    """One observation for each source whose upstream differs from what was last observed."""
    return _unseen(
        {upstream_key(spec.id): upstream_version(spec, settings) for spec in specs}, instance
    )


def news_of_scenes(settings: Settings, instance: dg.DagsterInstance) -> list[dg.AssetObservation]:
    """One observation for each group whose catalogues of scenes differ from what was observed."""
    return _unseen(
        {scenes_key(group): version(settings, group) or ABSENT for group in GROUPS}, instance
    )


def _unseen(
    versions: dict[dg.AssetKey, str], instance: dg.DagsterInstance
) -> list[dg.AssetObservation]:
    found = []
    for key, now in versions.items():
        last = instance.get_latest_data_version_record(key)
        seen = last.asset_observation.data_version if last and last.asset_observation else None
        if now not in (seen, ABSENT):
            found.append(dg.AssetObservation(key, tags={"dagster/data_version": now}))
    return found
