"""When an asset is made again: every automation condition of the project.

Belongs here: the conditions and the sensor that evaluates them in the daemon. `run.py` evaluates
the same conditions in process.
Never here: assets, or any other reason for running something.

The law: an asset is made when it is missing, when its code changed, or when the *content* of
something it is made from changed. A dependency that was made again with the same data version
triggers nothing (`AutomationCondition.eager()` would fire).
"""

from collections.abc import Iterable

import dagster as dg

SENSOR_INTERVAL_S = 30

_Condition = dg.AutomationCondition


def on_new_data(required: Iterable[dg.AssetKey] | None = None) -> dg.AutomationCondition:
    """Condition of an asset that follows the data versions of what it is made from.

    Args:
        required: Dependencies without which it cannot be made. By default one dependency,
            whichever, is enough: a matrix is built from the sources that are there.
    """
    arrived = (
        _Condition.newly_missing()
        | _Condition.any_deps_match(_Condition.data_version_changed())
        | _Condition.code_version_changed()
    ).since_last_handled()
    # `since_last_handled` forgets what was so when the asset was first looked at: an asset that is
    # new in the graph, or a graph that is new to the daemon, would otherwise wait for a change.
    first_sight = _Condition.initial_evaluation() & _Condition.missing()
    if required is None:
        ready = _Condition.any_deps_match(~_Condition.missing())
    else:
        selection = dg.AssetSelection.assets(*required)
        ready = ~_Condition.any_deps_match(_Condition.missing()).allow(selection)
    return (
        (arrived | first_sight)
        & ready
        & ~_Condition.any_deps_in_progress()
        & ~_Condition.in_progress()
    ).with_label("on_new_data")


def sensor() -> dg.AutomationConditionSensorDefinition:
    """Sensor that evaluates the conditions while the daemon runs."""
    return dg.AutomationConditionSensorDefinition(
        "automation",
        target=dg.AssetSelection.all(),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=SENSOR_INTERVAL_S,
    )
