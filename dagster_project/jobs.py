"""Jobs and sensors that a person or the daemon starts.

Belongs here: named selections of assets, and the sensor that notices new files.
Never here: conditions (`automation.py`) or assets.
"""

import dagster as dg

from adapters.settings import Settings
from adapters.spec import SourceSpec
from dagster_project.automation import SENSOR_INTERVAL_S
from dagster_project.groups import Group
from dagster_project.versions import news


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
                description=f"Samples, matrix, model and evaluation of group {group.name}, "
                "changed or not.",
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
        description="Looks into the inbox of every source and reports files that are new.",
    )
    def inbox(
        context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]
    ) -> dg.SensorResult | dg.SkipReason:
        found = news(specs, settings, context.instance)
        if not found:
            return dg.SkipReason("no new files")
        return dg.SensorResult(asset_events=found)

    return inbox
