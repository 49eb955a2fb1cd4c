"""The published copy: what readers open.

Belongs here: the asset that swaps it in.
Never here: what it consists of (`adapters.store`).
"""

import hashlib

import dagster as dg

from adapters.settings import Settings
from adapters.spec import SourceSpec
from dagster_project import automation, rendering
from dagster_project.fusion import matrix_key
from dagster_project.groups import Group
from dagster_project.sources import OWNERS, refusal, report_url, std_key

PUBLISHED = dg.AssetKey(["published"])


def publish_asset(specs: list[SourceSpec], groups: list[Group]) -> dg.AssetsDefinition:
    """The read-only store and its `datapackage.json`, made anew when a table or matrix changed."""

    @dg.asset(
        key=PUBLISHED,
        deps=[*(std_key(spec.id) for spec in specs), *(matrix_key(group.name) for group in groups)],
        group_name="published",
        description="Read-only copy of the store for readers, swapped in by rename, and the data "
        "package that describes it. Holds every source, also those that "
        "may not be passed on: it is for this machine.",
        kinds={"duckdb"},
        owners=OWNERS,
        automation_condition=automation.on_new_data(),
    )
    def published(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
        from adapters.store import Store, datapackage, read_only
        from expectations.site import write_index

        with refusal():
            path = Store(settings).publish()
            package = datapackage(settings, redistributable=False)
            with read_only(settings) as connection:
                sources = connection.execute(
                    """select source, version, group_name as "group", origin, rows, flags, licence,
                              redistribute, share_alike
                       from meta.source order by source"""
                ).fetchall()
                names = [column[0] for column in connection.description]
            reports = write_index(settings)
        rows = [dict(zip(names, row, strict=True)) for row in sources]
        matrices = {
            group.name: current.read_text(encoding="utf-8").strip()
            for group in groups
            if (current := settings.fused / group.name / "CURRENT").is_file()
        }
        content = repr(
            ([(row["source"], row["version"]) for row in rows], sorted(matrices.items()))
        )
        return dg.MaterializeResult(
            data_version=dg.DataVersion(hashlib.sha256(content.encode()).hexdigest()[:16]),
            metadata={
                "path": dg.MetadataValue.path(path),
                "datapackage": dg.MetadataValue.path(package),
                "validation_reports": dg.MetadataValue.url(report_url(reports, settings)),
                "size_mb": round(path.stat().st_size / 1e6, 3),
                "sources": rendering.table(rows),
                "matrices": matrices,
                "peak_memory_mb": rendering.peak_memory_mb(),
            },
        )

    return published
