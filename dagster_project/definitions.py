"""The code location: everything Dagster knows of soilmeld, put together.

Belongs here: assembly, and nothing else. Nothing heavy is imported when this module is.
"""

import dagster as dg

from adapters.settings import Settings, load_settings
from adapters.spec import SourceSpec, load_spec, source_ids
from dagster_project import automation, jobs
from dagster_project.fusion import fusion_assets, layers_asset
from dagster_project.groups import groups
from dagster_project.profiles import profile_assets
from dagster_project.publish import publish_asset
from dagster_project.resources import resources
from dagster_project.sources import source_assets
from dagster_project.tiles import tile_assets
from dagster_project.training import training_assets


def all_specs() -> list[SourceSpec]:
    """Every source."""
    return [load_spec(source) for source in source_ids()]


def build(settings: Settings) -> dg.Definitions:
    """All definitions for one settings file."""
    specs = all_specs()
    origin_groups = groups(specs)
    assets = [asset for spec in specs for asset in source_assets(spec)]
    assets += [layers_asset(spec) for spec in specs if spec.has_profiles]
    for group in origin_groups:
        assets += fusion_assets(group) + tile_assets(group) + profile_assets(group)
        assets += training_assets(group, settings)
    return dg.Definitions(
        assets=[*assets, publish_asset(specs, origin_groups)],
        jobs=jobs.jobs(origin_groups),
        sensors=[automation.sensor(), jobs.inbox_sensor(specs), *jobs.poll_sensors(specs)],
        resources=resources(settings),
        # A spawned process costs 1.2 s a step; heavy steps use both cores by threads as it is.
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Definitions for the settings that apply in this folder."""
    return build(load_settings())
