"""What a run would do, and why, without doing it: what `soilmeld plan` shows.

Belongs here: following the law of the automation condition through the graph, with the versions
that there would be.
Never here: the law itself (`automation.py`), or doing any of it (`run.py`).

Of raw and standardised data the coming version is known without making them. Of what is built from
these it is not: a matrix may come out the same. Such a step says what it depends on, and a run
leaves it out where nothing came of that. Whether a source passes its checks shows only in the run.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph
from dagster._core.storage.event_log.base import AssetRecord

from adapters.acquire import due, polled
from adapters.archive import RawVersion, active, candidate, incoming
from adapters.errors import ArchiveError
from adapters.quarantine import Entry, quarantined
from adapters.scenes.catalogues import version as scenes_version
from adapters.settings import Settings
from adapters.spec import SourceSpec
from dagster_project import definitions
from dagster_project.automation import MadeFrom, data_version, made_from
from dagster_project.fusion import aligned_key, samples_key
from dagster_project.groups import groups
from dagster_project.profiles import profiles_key
from dagster_project.resources import open_instance
from dagster_project.run import failed_before
from dagster_project.sources import raw_key, std_key
from dagster_project.versions import (
    ABSENT,
    GROUPS,
    scenes_key,
    upstream_key,
    upstream_version,
)

_ANEW = "made anew"


@dataclass(frozen=True)
class Step:
    """One step of a run.

    Attributes:
        name: Its asset.
        reasons: Why it runs.
        certain: False where it runs only if a step before it comes out other than it was.
    """

    name: str
    reasons: tuple[str, ...]
    certain: bool


@dataclass(frozen=True)
class Plan:
    """What a run would do.

    Attributes:
        twin: Sources whose synthetic files would be written.
        scenes: Would the synthetic scenes of tiles be written?
        servers: Sources whose server would be asked first; what it answers is not in the plan.
        steps: Assets that would be made, in order.
        refused: Source -> why its new files would not be taken in.
        quarantine: Versions that wait for a person's word, or for better files.
        unreached: Source -> what its server said when it was last asked and failed.
    """

    twin: tuple[str, ...]
    scenes: bool
    servers: tuple[str, ...]
    steps: tuple[Step, ...]
    refused: dict[str, list[str]]
    quarantine: tuple[Entry, ...]
    unreached: dict[str, str]

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "twin": list(self.twin),
            "scenes": self.scenes,
            "servers": list(self.servers),
            "steps": [
                {"step": s.name, "reasons": list(s.reasons), "certain": s.certain}
                for s in self.steps
            ],
            "refused": self.refused,
            "quarantine": [entry.model_dump(mode="json") for entry in self.quarantine],
            "unreached": self.unreached,
        }

    def readable(self) -> str:
        """In words."""
        lines = [f"write the synthetic twin of {len(self.twin)} sources"] if self.twin else []
        if self.scenes:
            lines.append("write the synthetic scenes of tiles")
        lines += [f"ask the server of {source}" for source in self.servers]
        for step in self.steps:
            mark = "run " if step.certain else "run?"
            lines.append(f"{mark} {step.name}: {', '.join(step.reasons)}")
        if not lines:
            lines = ["nothing to do"]
        if any(not step.certain for step in self.steps):
            lines.append("run? : only if what it is made from comes out other than it was")
        for source, why in self.refused.items():
            lines += [f"refuse the new files of {source}:", *(f"  {line}" for line in why)]
        for source, why in self.unreached.items():
            lines.append(f"not fetched when last asked, {source}: {why}")
        for entry in self.quarantine:
            state = (
                "accepted, comes into use by the next run"
                if entry.accepted
                else f"soilmeld accept {entry.source} {entry.version[:8]} --reason ..."
                if entry.acceptable
                else "faulty: get the files again"
            )
            first = entry.reasons[0].splitlines()[0]
            lines.append(f"in quarantine, {entry.source} {entry.version[:8]}: {first}\n  {state}")
        return "\n".join(lines)


def plan(settings: Settings) -> Plan:
    """Follow what changed through the graph; nothing is made, and no server is asked.

    Raises:
        SettingsError: The twin has no such size.
    """
    specs, now = definitions.all_specs(), datetime.now(UTC)
    twin, scenes = _twin(settings)
    with open_instance(settings) as instance:
        walk = _Walk(settings, specs, twin, scenes, instance)
        for key in walk.graph.toposorted_asset_keys:
            walk.look(key)
    said = {spec.id: polled(spec, settings) for spec in specs}
    return Plan(
        twin=tuple(twin),
        scenes=scenes,
        servers=tuple(s.id for s in specs if due(s, settings, now, retry=timedelta(0))),
        steps=tuple(walk.steps),
        refused=walk.refused,
        quarantine=tuple(entry for spec in specs for entry in quarantined(spec, settings)),
        unreached={id_: last.problem for id_, last in said.items() if last and last.problem},
    )


def _twin(settings: Settings) -> tuple[list[str], bool]:
    """Sources whose files the twin would write, and would it write its scenes?"""
    from adapters.twin import scenes, stale

    return (stale(settings), scenes.stale(settings)) if settings.twin else ([], False)


@dataclass
class _Coming:
    """The version of a source that a run would take in."""

    version: str | None
    group: str | None
    standard: str | None
    refused: list[str] = field(default_factory=list)


class _Walk:
    """One way through the graph, from upstream down, with the versions that there would be."""

    def __init__(
        self,
        settings: Settings,
        specs: list[SourceSpec],
        twin: list[str],
        scenes: bool,
        instance: dg.DagsterInstance,
    ) -> None:
        self.settings, self.twin, self.instance = settings, set(twin), instance
        self.graph: BaseAssetGraph = definitions.build(settings).resolve_asset_graph()
        records = instance.get_asset_records(list(self.graph.get_all_asset_keys()))
        self.records: dict[dg.AssetKey, AssetRecord] = {
            record.asset_entry.asset_key: record for record in records
        }
        self.again = set(failed_before(instance))
        self.versions: dict[dg.AssetKey, str | None] = {}
        self.unsure: set[dg.AssetKey] = set()
        self.coming: dict[str, _Coming] = {}
        self.steps: list[Step] = []
        self.refused: dict[str, list[str]] = {}
        self.upstream = {upstream_key(spec.id): spec for spec in specs}
        self.scenes = {
            scenes_key(group): _ANEW
            if scenes and group == "synthetic"
            else scenes_version(settings, group)
            for group in GROUPS
        }
        self.raw = {raw_key(spec.id): spec for spec in specs}
        self.std = {std_key(spec.id): spec for spec in specs}
        self.groups = groups(specs)
        self.profiles = {
            profiles_key(group.name): (group, spec)
            for group in self.groups
            for spec in group.specs
            if spec.id in group.photographs
        }
        self.samples = {samples_key(group.name): group for group in self.groups}
        self.aligned = {
            aligned_key(group.name, source): (group, source)
            for group in self.groups
            for source in group.aligned
        }

    def look(self, key: dg.AssetKey) -> None:
        """Would this asset be made, and what would its version be then?"""
        node, record = self.graph.get(key), self.records.get(key)
        current = data_version(self.instance, self.graph, record, key)
        self.versions[key] = current
        if spec := self.upstream.get(key):
            lies = upstream_version(spec, self.settings)
            self.versions[key] = (
                _ANEW if spec.id in self.twin else lies if lies != ABSENT else current
            )
            return
        if key in self.scenes:
            self.versions[key] = self.scenes[key] or current
            if self.scenes[key] == _ANEW:
                # The twin may well write the same scenes again.
                self.unsure.add(key)
            return
        versions = {dep: self.versions.get(dep) for dep in node.parent_keys}
        now = MadeFrom(node.code_version, {dep: v for dep, v in versions.items() if v is not None})
        made = made_from(record, node.code_version, node.parent_keys)
        tried = key.to_user_string() in self.again
        condition = node.automation_condition
        if condition is None or not condition.ready(now.versions):
            return
        if not tried and made is not None and str(made) == str(now):
            return
        version, unsure = self._version(key, current)
        if version is None:
            return
        changed = now.differences(made) if made else []
        unsure_of = {dep.to_user_string() for dep in self.unsure}
        self.versions[key] = version
        if unsure:
            self.unsure.add(key)
        self.steps.append(
            Step(
                key.to_user_string(),
                tuple(_reasons(changed, tried, never=made is None)),
                certain=tried or made is None or not set(changed) <= unsure_of,
            )
        )

    def _version(self, key: dg.AssetKey, current: str | None) -> tuple[str | None, bool]:
        """Version of an asset once it is made, None where nothing is; and is it only a guess?"""
        if spec := self.raw.get(key):
            coming = self.coming[spec.id] = self._coming(spec)
            if coming.refused:
                self.refused[spec.id] = coming.refused
                return None, False
            # The twin may well write the same bytes again.
            return coming.version, spec.id in self.twin
        if spec := self.std.get(key):
            coming = self.coming.get(spec.id)
            if coming is None or coming.refused:
                coming = self._kept(spec)
            return coming.standard, spec.id in self.twin
        if group := self.samples.get(key):
            mine = [s for s in group.specs if s.sample and self._group(s) == group.name]
            return (_ANEW if mine else None), True
        if found := self.profiles.get(key):
            group, spec = found
            return (_ANEW if self._group(spec) == group.name else None), True
        if found := self.aligned.get(key):
            group, source = found
            spec = next(s for s in group.specs if s.id == source)
            return (_ANEW if current or self._group(spec) == group.name else None), True
        return _ANEW, True

    def _coming(self, spec: SourceSpec) -> _Coming:
        """What the step `raw` of a source would take in."""
        if spec.id in self.twin:
            return _Coming(_ANEW, "synthetic", _ANEW)
        try:
            new = incoming(spec, self.settings)
        except ArchiveError as error:
            return _Coming(None, None, None, str(error).splitlines())
        if new is None:
            return self._kept(spec)
        if why := new.faults() or new.doubts(spec, self.settings):
            return _Coming(None, None, None, why)
        accepted = new.accepted(spec, self.settings)
        return _of(spec, RawVersion(spec.id, new.version, new.origin, new.group, (), "", accepted))

    def _kept(self, spec: SourceSpec) -> _Coming:
        """What a source has in the archive already."""
        raw = candidate(spec, self.settings)
        return _of(spec, raw) if raw else _Coming(None, None, None)

    def _group(self, spec: SourceSpec) -> str | None:
        """Group that a source stands in once it is standardised."""
        if (coming := self.coming.get(spec.id)) and coming.group:
            return coming.group
        raw = active(spec, self.settings)
        return raw.group if raw else None


def _of(spec: SourceSpec, raw: RawVersion) -> _Coming:
    from adapters.standardise import whole_version

    version = raw.version + "-accepted" * raw.accepted
    return _Coming(version, raw.group, whole_version(spec, raw))


def _reasons(changed: list[str], tried: bool, *, never: bool) -> list[str]:
    if never:
        return ["failed before" if tried else "never made"]
    said = ["its code or specification changed" if c == "code" else f"{c} changed" for c in changed]
    return said or ["failed before"]
