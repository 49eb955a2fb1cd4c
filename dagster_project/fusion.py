"""The assets of one group's feature matrix: `samples`, `aligned/<source>`, `feature_matrix`.

Belongs here: these assets, the audit of the twin's matrix, and what they show of themselves.
Never here: joining or sampling data (`fusion`).
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from adapters.settings import Settings
from adapters.spec import SourceSpec
from dagster_project import automation, rendering
from dagster_project.groups import Group
from dagster_project.sources import OWNERS, refusal, std_key
from dagster_project.versions import code_version

_CODE = ("fusion", "adapters")


def samples_key(group: str) -> dg.AssetKey:
    """Key of a group's samples."""
    return dg.AssetKey([group, "samples"])


def aligned_key(group: str, source: str) -> dg.AssetKey:
    """Key of one source brought to the samples of a group."""
    return dg.AssetKey([group, "aligned", source])


def matrix_key(group: str) -> dg.AssetKey:
    """Key of a group's feature matrix."""
    return dg.AssetKey([group, "feature_matrix"])


def current_matrix(settings: Settings, group: str) -> Path:
    """Folder of the group's matrix in use."""
    place = settings.fused / group
    return place / (place / "CURRENT").read_text(encoding="utf-8").strip()


def fusion_assets(group: Group) -> list[dg.AssetsDefinition]:
    """All assets of a group up to its matrix, and the audit where the truth is known."""
    assets = [_samples(group), *(_aligned(group, source) for source in group.aligned)]
    assets.append(_matrix(group))
    if group.name == "synthetic":
        assets.append(_audit(group))
    return assets


def _samples(group: Group) -> dg.AssetsDefinition:
    @dg.asset(
        key=samples_key(group.name),
        deps=[std_key(source) for source in [*group.backbone, *group.regions]],
        group_name=group.name,
        description=f"{group.description}\n\nOne row is one sample: survey, place, depth.",
        kinds={"parquet", "polars"},
        owners=OWNERS,
        automation_condition=automation.on_new_data(),
        code_version=code_version(*_CODE),
        output_required=False,
    )
    def samples(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]
    ) -> Iterator[dg.MaterializeResult]:
        from fusion.build import samples as build_samples

        with refusal():
            path = build_samples(settings, group.name)
        if path is None:
            context.log.info(f"no source of group {group.name} has samples")
            return
        yield _parquet(path)

    return samples


def _aligned(group: Group, source: str) -> dg.AssetsDefinition:
    needed = [samples_key(group.name), std_key(source)]

    @dg.asset(
        key=aligned_key(group.name, source),
        deps=needed,
        group_name=group.name,
        description=f"{source} brought to the samples of group {group.name} by its declared way.",
        kinds={"parquet", "polars"},
        owners=OWNERS,
        automation_condition=automation.on_new_data(needed),
        code_version=code_version(*_CODE),
        output_required=False,
    )
    def aligned(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]
    ) -> Iterator[dg.MaterializeResult]:
        from fusion.build import align

        with refusal():
            paths = align(settings, group.name, source)
        if paths:
            yield _parquet(*paths)
        elif context.instance.get_latest_materialization_event(context.asset_key):
            # It was in the group before: what follows must know that it left.
            yield dg.MaterializeResult(
                data_version=dg.DataVersion("absent"),
                metadata={"state": f"not in group {group.name} any more"},
            )

    return aligned


def _matrix(group: Group) -> dg.AssetsDefinition:
    samples = samples_key(group.name)

    @dg.asset(
        key=matrix_key(group.name),
        deps=[samples, *(aligned_key(group.name, source) for source in group.aligned)],
        group_name=group.name,
        description=f"{group.description}\n\nOne row a sample, one column a feature; with "
        "dictionary, flags, splits and report.",
        kinds={"parquet", "polars"},
        owners=OWNERS,
        automation_condition=automation.on_new_data([samples]),
        code_version=code_version(*_CODE),
    )
    def feature_matrix(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
        from fusion.build import matrix

        with refusal():
            folder = matrix(settings, group.name)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(folder.name), metadata=_about_matrix(folder)
        )

    return feature_matrix


def _audit(group: Group) -> dg.AssetsDefinition:
    matrix = matrix_key(group.name)

    @dg.asset(
        key=[group.name, "audit"],
        deps=[matrix],
        group_name=group.name,
        description="Does the matrix recover the truth that the twin was written from, and are the "
        "planted faults flagged, and nothing else? The one asset that may read the truth.",
        kinds={"polars"},
        owners=OWNERS,
        automation_condition=automation.on_new_data([matrix]),
        code_version=code_version(*_CODE),
    )
    def audit(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
        from fusion.audit import audit as audit_against_truth

        folder = current_matrix(settings, group.name)
        with refusal():
            report = audit_against_truth(folder, settings.truth_root)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(folder.name),
            metadata={
                "summary": dg.MetadataValue.json(report["summary"]),
                "features": rendering.table(report["features"]),
                "faults": rendering.table(report["faults"]),
                "positions": dg.MetadataValue.json(report["positions"]),
                "regions": dg.MetadataValue.json(report["regions"]),
                "peak_memory_mb": rendering.peak_memory_mb(),
            },
        )

    return audit


def layers_asset(spec: SourceSpec) -> dg.AssetsDefinition:
    """The profiles of one source in standard layers."""
    needed = std_key(spec.id)

    @dg.asset(
        key=["layers", spec.id],
        deps=[needed],
        group_name="standard_layers",
        description=f"{spec.title}: horizons brought to 0-5-15-30-60-100-200 cm by the "
        "mass-preserving spline, profile by profile.",
        kinds={"parquet", "polars"},
        owners=OWNERS,
        automation_condition=automation.on_new_data([needed]),
        code_version=code_version(*_CODE),
    )
    def layers(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
        from fusion.standard_layers import write_standard_layers

        with refusal():
            path = write_standard_layers(settings, spec.id)
        result = _parquet(path)
        return result._replace(
            metadata={**result.metadata, "profiles": rendering.layer_profiles(path)}
        )

    return layers


def _parquet(path: Path, *others: Path) -> dg.MaterializeResult:
    """Result of a step that wrote Parquet files, one row a sample: their content is its version."""
    import polars as pl

    paths, table = [path, *others], pl.read_parquet(path)
    metadata: dict[str, object] = {
        "dagster/row_count": table.height,
        "columns": rendering.table(
            [
                {
                    "file": file.name,
                    "column": column.name,
                    "type": str(column.dtype),
                    "present": column.count(),
                }
                for file in paths
                for column in pl.read_parquet(file)
            ]
        ),
        "path": dg.MetadataValue.path(path),
        "peak_memory_mb": rendering.peak_memory_mb(),
    }
    if {"longitude", "latitude"} <= set(table.columns):
        placed = table.drop_nulls(["longitude", "latitude"])
        metadata["map"] = rendering.point_map(
            placed["longitude"].to_list(), placed["latitude"].to_list()
        )
    return dg.MaterializeResult(
        data_version=dg.DataVersion(
            hashlib.sha256(b"".join(file.read_bytes() for file in paths)).hexdigest()[:16]
        ),
        metadata=metadata,
    )


def _about_matrix(folder: Path) -> dict[str, object]:
    dictionary = json.loads((folder / "dictionary.json").read_text(encoding="utf-8"))
    features = dictionary["features"]
    return {
        "dagster/row_count": _rows(folder / "matrix.parquet"),
        "features": len(features),
        "feature_elements": sum(feature["array_length"] or 1 for feature in features),
        "origin": dictionary["origin"],
        "dictionary": rendering.table(
            [
                {
                    "feature": feature["id"],
                    "class": feature["class"],
                    "unit": feature["unit"],
                    "sources": ", ".join(feature["sources"]),
                    "licences": ", ".join(feature["licences"]),
                    "share alike": feature["share_alike"],
                    "available": max(feature["availability"].values(), default=0.0),
                }
                for feature in features
            ]
        ),
        "report": dg.MetadataValue.json(
            json.loads((folder / "report.json").read_text(encoding="utf-8"))
        ),
        "path": dg.MetadataValue.path(folder),
        "peak_memory_mb": rendering.peak_memory_mb(),
    }


def _rows(path: Path) -> int:
    import polars as pl

    return pl.scan_parquet(path).select(pl.len()).collect().item()
