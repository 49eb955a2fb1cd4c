"""The shape of the graph, compared with the one that is checked in.

Write it anew after a wanted change:  .venv/bin/python tests/dagster/test_graph.py
"""

import json
from pathlib import Path

import dagster as dg
import pytest

from adapters.settings import Settings
from dagster_project.definitions import build
from dagster_project.training import FAMILIES

GRAPH = Path(__file__).with_name("graph.json")


def graph(definitions: dg.Definitions) -> dict[str, object]:
    """Asset keys with group, dependencies and checks; jobs; sensors."""
    assets = definitions.resolve_asset_graph()
    return {
        "assets": {
            node.key.to_user_string(): {
                "group": node.group_name,
                "deps": sorted(key.to_user_string() for key in node.parent_keys),
                "checks": sorted(key.name for key in node.check_keys),
            }
            for node in sorted(assets.asset_nodes, key=lambda n: n.key.to_user_string())
        },
        "jobs": sorted(job.name for job in definitions.jobs or []),
        "sensors": sorted(sensor.name for sensor in definitions.sensors or []),
    }


@pytest.fixture(scope="module")
def definitions(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    root = tmp_path_factory.mktemp("graph")
    return build(Settings(data_root=root / "data", truth_root=root / "truth"))


def test_graph_is_the_one_that_is_checked_in(definitions: dg.Definitions) -> None:
    told = f"wanted? then: .venv/bin/python {Path(__file__).name}"
    assert graph(definitions) == json.loads(GRAPH.read_text(encoding="utf-8")), told


def test_every_asset_is_readable_in_the_ui(definitions: dg.Definitions) -> None:
    assets = definitions.resolve_asset_graph()
    # Models of single tasks wait for a person, unless the settings ask for them.
    asked = {f"{family.name}{part}" for family in FAMILIES for part in ("", "_evaluation")}
    poor = {
        node.key.to_user_string(): lacking
        for node in assets.asset_nodes
        if (
            lacking := [
                name
                for name, value in {
                    "group": node.group_name != "default",
                    "description": node.description,
                    "kinds": node.kinds or any("kind" in tag for tag in node.tags),
                    "owners": node.owners or not node.is_materializable,
                    "condition": node.automation_condition
                    or not node.is_materializable
                    or node.key.path[-1] in asked,
                }.items()
                if not value
            ]
        )
    }
    assert poor == {}


def test_definitions_hold_together(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)
    assert definitions.resolve_asset_graph().get_all_asset_keys()


if __name__ == "__main__":
    made = graph(build(Settings()))
    GRAPH.write_text(json.dumps(made, indent=1, sort_keys=True) + "\n", encoding="utf-8")
