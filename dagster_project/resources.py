"""What assets are given: the settings, and the client that starts training processes.

Belongs here: the resources of the code location, and opening the Dagster instance they live in.
Never here: processing of data.
"""

import shutil
from pathlib import Path

import dagster as dg

from adapters.settings import Settings

INSTANCE_CONFIG = Path(__file__).parent.parent / "deploy" / "dagster.yaml"


def resources(settings: Settings) -> dict[str, object]:
    """Resources by name."""
    return {"settings": settings, "pipes": dg.PipesSubprocessClient()}


def prepare_home(settings: Settings) -> Path:
    """Make the folder of the Dagster instance, with the project's `dagster.yaml` in it.

    Returns:
        The folder, `<data_root>/dagster`.
    """
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(INSTANCE_CONFIG, settings.dagster_home / "dagster.yaml")
    return settings.dagster_home


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """Open the persistent Dagster instance, the same one that the UI and the daemon use."""
    return dg.DagsterInstance.from_config(str(prepare_home(settings)))
