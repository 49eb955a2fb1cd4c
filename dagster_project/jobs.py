"""Jobs and sensors that a person or the daemon starts.

Belongs here: named selections of assets, and the sensors that notice new files.
Never here: conditions (`automation.py`) or assets.
"""

from datetime import UTC, datetime

import dagster as dg

from adapters.acquire import due, is_fetched
from adapters.settings import Settings
from adapters.spec import SourceSpec
from dagster_project.automation import SENSOR_INTERVAL_S
from dagster_project.groups import Group
from dagster_project.versions import news, news_of_scenes, upstream_key

POLL_BATCH = 8
"""Sources whose servers are asked in one run."""
_UNDERWAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


def jobs(groups: list[Group]) -> list[object]:
    """One job to take in and standardise every source, and one a group for matrix and model."""
    everything = dg.AssetSelection.groups("raw", "standard")
    return [
        dg.define_asset_job(
            "standardise_all",
            selection=everything,
            description="Take in every inbox and standardise it again, changed or not.",
        ),
        *(
            dg.define_asset_job(
                f"rebuild_{group.name}",
                selection=dg.AssetSelection.groups(group.name),
                description="Samples, matrix, tiles, captions, profiles, models and evaluations "
                f"of group {group.name}, changed or not.",
            )
            for group in groups
        ),
    ]


def inbox_sensor(specs: list[SourceSpec]) -> dg.SensorDefinition:
    """Sensor that reports sources whose upstream files changed; the conditions do the rest."""

    @dg.sensor(
        name="inbox",
        minimum_interval_seconds=SENSOR_INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Looks into the inbox of every source and the catalogues of scenes, and "
        "reports files that are new.",
    )
    def inbox(
        context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]
    ) -> dg.SensorResult | dg.SkipReason:
        found = news(specs, settings, context.instance)
        found += news_of_scenes(settings, context.instance)
        if not found:
            return dg.SkipReason("no new files")
        return dg.SensorResult(asset_events=found)

    return inbox


def poll_sensors(specs: list[SourceSpec]) -> list[dg.SensorDefinition]:
    """Sensor that has the servers of sources asked that are due; none where no source has one.

    It asks no server itself: it starts one observation run at a time, of the next few sources that
    are due, in which each source is a step with a log and, where its server fails, a failure.
    """
    fetched = [spec for spec in specs if is_fetched(spec)]
    if not fetched:
        return []
    job = dg.define_asset_job(
        "poll",
        selection=dg.AssetSelection.assets(*(upstream_key(spec.id) for spec in fetched)),
        description="Ask the servers of sources for news now, and fetch what changed.",
    )

    @dg.sensor(
        job=job,
        name="servers",
        minimum_interval_seconds=SENSOR_INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Has the servers asked of the sources whose time has come (`poll.every_days`).",
    )
    def servers(
        context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]
    ) -> dg.SensorResult | dg.SkipReason:
        underway = dg.RunsFilter(job_name=job.name, statuses=_UNDERWAY)
        if context.instance.get_runs(underway, limit=1):
            return dg.SkipReason("the last batch is still being asked")
        batch = next_batch(fetched, settings, datetime.now(UTC), context.cursor)
        if not batch:
            return dg.SkipReason("no source is due")
        keys = [upstream_key(spec.id) for spec in batch]
        return dg.SensorResult([dg.RunRequest(asset_selection=keys)], cursor=batch[-1].id)

    return [servers]


def next_batch(
    specs: list[SourceSpec], settings: Settings, now: datetime, last: str | None
) -> list[SourceSpec]:
    """Sources to ask next: those that are due, in turn from the one behind the last asked."""
    ordered = sorted(specs, key=lambda spec: (last is not None and spec.id <= last, spec.id))
    return [spec for spec in ordered if due(spec, settings, now)][:POLL_BATCH]
