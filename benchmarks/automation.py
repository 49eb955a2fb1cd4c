"""Time one look at the whole graph: what a run and the daemon do before each level of steps.

    .venv/bin/python benchmarks/automation.py

Nothing is made: each asset that is asked for is reported as made. Prints seconds a look.
"""

import sys
import tempfile
import time
import warnings
from pathlib import Path

import dagster as dg

from adapters.settings import Settings
from adapters.spec import source_ids
from dagster_project.definitions import build
from dagster_project.versions import upstream_key


def main() -> None:
    """Look until nothing is asked for any more, then once more."""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder, dg.DagsterInstance.ephemeral() as instance:
        root = Path(folder)
        definitions = build(Settings(data_root=root / "data", truth_root=root / "truth"))
        graph = definitions.resolve_asset_graph()
        sys.stdout.write(f"{len(graph.get_all_asset_keys())} assets\n")
        for source in source_ids():
            tags = {"dagster/data_version": "1"}
            instance.report_runless_asset_event(
                dg.AssetObservation(upstream_key(source), tags=tags)
            )
        cursor, asked = None, [dg.AssetKey("first")]
        while asked:
            begun = time.perf_counter()
            result = dg.evaluate_automation_conditions(definitions, instance, cursor=cursor)
            took = time.perf_counter() - begun
            cursor = result.cursor
            asked = [r.key for r in result.results if not r.true_subset.is_empty]
            sys.stdout.write(f"{took:6.2f} s, {len(asked)} asked for\n")
            for key in asked:
                instance.report_runless_asset_event(_made(graph, key))


def _made(graph: object, key: dg.AssetKey) -> dg.AssetMaterialization:
    """A materialization that says what it was made from, as one by a step does."""
    node = graph.get(key)
    tags = {f"dagster/input_data_version/{dep.to_user_string()}": "1" for dep in node.parent_keys}
    code = {"dagster/code_version": node.code_version} if node.code_version else {}
    return dg.AssetMaterialization(key, tags={"dagster/data_version": "1", **code, **tags})


if __name__ == "__main__":
    main()
