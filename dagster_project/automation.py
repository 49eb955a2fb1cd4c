"""When an asset is made again: the automation condition of the project.

Belongs here: the condition and the sensor that evaluates it in the daemon. `run.py` evaluates the
same condition in process, and `plan.py` asks the same questions without running anything.
Never here: assets, or any other reason for running something.

The law: an asset is made when it is missing, when its code changed, or when the *content* of
something it is made from changed. A dependency that was made again with the same data version
triggers nothing (`AutomationCondition.eager()` would fire).

It is one condition in Python, and not a tree of Dagster's own: each materialization says which
code and which versions of its dependencies it was made from, so one comparison decides. The tree
that says the same takes 8 ms an asset, and seconds a tick on the whole graph.
"""

import functools
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import dagster as dg
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph
from dagster._core.definitions.data_version import (
    CODE_VERSION_TAG,
    DEFAULT_DATA_VERSION,
    INPUT_DATA_VERSION_TAG_PREFIX,
    extract_data_version_from_entry,
)
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES
from dagster._core.storage.event_log.base import AssetRecord

SENSOR_INTERVAL_S = 30
_UNDER_WAY = [*IN_PROGRESS_RUN_STATUSES, dg.DagsterRunStatus.QUEUED]


@dataclass(frozen=True)
class MadeFrom:
    """What an asset is made from: its code, and the data version of each dependency there is."""

    code: str | None
    versions: Mapping[dg.AssetKey, str]

    def __str__(self) -> str:
        """One text that is the same for the same code and versions."""
        said = sorted((key.to_user_string(), version) for key, version in self.versions.items())
        return f"{self.code} " + " ".join(f"{key}={version}" for key, version in said)

    def differences(self, other: "MadeFrom") -> list[str]:
        """Names of what changed from `other` to this: `code`, or keys of dependencies."""
        keys = sorted({*self.versions, *other.versions}, key=lambda key: key.to_user_string())
        changed = [
            k.to_user_string() for k in keys if self.versions.get(k) != other.versions.get(k)
        ]
        return (["code"] if self.code != other.code else []) + changed


def data_version(
    instance: dg.DagsterInstance,
    graph: BaseAssetGraph,
    record: AssetRecord | None,
    key: dg.AssetKey,
) -> str | None:
    """Data version of an asset as it is; None where it was never made or observed."""
    if graph.get(key).is_observable:
        # Its record does not hold observations.
        observed = instance.fetch_observations(key, limit=1).records
        entry = observed[0].event_log_entry if observed else None
    else:
        entry = record.asset_entry.last_materialization if record else None
    version = extract_data_version_from_entry(entry) if entry else None
    return version.value if version else None


def made_from(
    record: AssetRecord | None, code: str | None, deps: Iterable[dg.AssetKey]
) -> MadeFrom | None:
    """What an asset was last made from; None where it was never made."""
    last = record and record.asset_entry.last_materialization
    if last is None:
        return None
    tags = last.tags or {}
    found = {
        key: tags.get(f"{INPUT_DATA_VERSION_TAG_PREFIX}/{key.to_user_string()}") for key in deps
    }
    # An asset without a code version has its run's id there.
    return MadeFrom(
        code and tags.get(CODE_VERSION_TAG),
        {k: v for k, v in found.items() if v not in (None, DEFAULT_DATA_VERSION.value)},
    )


@dataclass(frozen=True)
class OnNewData(dg.AutomationCondition):
    """Condition of an asset that follows the data versions of what it is made from.

    Its memory is what it last asked for: what failed is not asked for again without news.

    Args:
        required: Dependencies without which it cannot be made. None: one dependency, whichever,
            is enough: a matrix is built from the sources that are there.
    """

    required: frozenset[dg.AssetKey] | None

    @property
    def name(self) -> str:
        """Name in the UI."""
        return "on_new_data"

    @property
    def description(self) -> str:
        """The law in words, for the UI."""
        return "missing, or made from other code or other data than there are now"

    def ready(self, present: Iterable[dg.AssetKey]) -> bool:
        """Are there enough dependencies?"""
        return bool(set(present)) if self.required is None else self.required <= set(present)

    def evaluate(self, context: dg.AutomationContext) -> dg.AutomationResult:
        """Compare what there is now with what the asset was made from and last asked for."""
        key, graph = context.key, context.asset_graph
        queryer = context.asset_graph_view.get_inner_queryer_for_back_compat()
        code, deps = graph.get(key).code_version, graph.get(key).parent_keys
        versions = {
            dep: data_version(queryer.instance, graph, queryer.get_asset_record(dep), dep)
            for dep in deps
        }
        now = MadeFrom(code, {dep: v for dep, v in versions.items() if v is not None})
        made = made_from(queryer.get_asset_record(key), code, deps)
        # The mark tells an asset that was wiped from one that was never made.
        asked = (context.cursor or "").removeprefix("made ")
        wiped = made is None and asked != (context.cursor or "")
        wanted = (str(now) != asked or wiped) and (made is None or str(made) != str(now))
        if wanted and not (self.ready(now.versions) and self._at_rest(context, deps)):
            return dg.AutomationResult(context, context.get_empty_subset(), context.cursor)
        return dg.AutomationResult(
            context,
            context.candidate_subset if wanted else context.get_empty_subset(),
            ("made " if made else "") + str(now),
        )

    @staticmethod
    def _at_rest(context: dg.AutomationContext, deps: Iterable[dg.AssetKey]) -> bool:
        """Is neither the asset nor anything that it is made from about to change?

        A dependency that is asked for in the same look is made before it, in the same run. One
        further up that is asked for, or under way, may still change a dependency: what is made
        now would be made twice.
        """
        queryer = context.asset_graph_view.get_inner_queryer_for_back_compat()
        # Asked once, since asking for each asset takes seconds on the whole graph.
        idle = not queryer.instance.get_runs_count(dg.RunsFilter(statuses=_UNDER_WAY))
        asked = {k for k, found in context.request_subsets_by_key.items() if not found.is_empty}

        @functools.cache
        def changing(key: dg.AssetKey) -> bool:
            parents = context.asset_graph.get(key).parent_keys
            return any(parent in asked or under_way(parent) for parent in parents) or any(
                changing(parent) for parent in parents
            )

        def under_way(key: dg.AssetKey) -> bool:
            return not idle and not queryer.get_in_progress_asset_subset(asset_key=key).is_empty

        return not under_way(context.key) and not any(
            under_way(dep) or (dep not in asked and changing(dep)) for dep in deps
        )


def on_new_data(required: Iterable[dg.AssetKey] | None = None) -> OnNewData:
    """Condition of an asset; see `OnNewData`."""
    return OnNewData(None if required is None else frozenset(required))


def sensor() -> dg.AutomationConditionSensorDefinition:
    """Sensor that evaluates the conditions while the daemon runs."""
    with warnings.catch_warnings():
        # Dagster says on each use that this parameter may still change; the version is pinned.
        warnings.simplefilter("ignore", category=dg.BetaWarning)
        return dg.AutomationConditionSensorDefinition(
            "automation",
            target=dg.AssetSelection.all(),
            default_status=dg.DefaultSensorStatus.RUNNING,
            minimum_interval_seconds=SENSOR_INTERVAL_S,
            # A condition in Python is evaluated where the code is.
            use_user_code_server=True,
        )
