"""The assets of one group's tiles: `upstream/scenes`, `tiles`, `captions`.

Belongs here: these assets, their checks, and what they show of themselves.
Never here: building, storing or captioning tiles (`fusion`), training on them (`training.py`).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from adapters.settings import Settings
from dagster_project import automation, rendering
from dagster_project.checks import finding_results, finding_specs
from dagster_project.fusion import matrix_key
from dagster_project.groups import Group
from dagster_project.sources import OWNERS, observable, refusal
from dagster_project.versions import ABSENT, code_version, scenes_key

if TYPE_CHECKING:
    from fusion.tiles.store import TileSet

SHOWN = 3
"""Tiles that are shown as pictures."""
_TILE_CODE = ("fusion", "fusion/tiles", "adapters", "adapters/scenes")
_CLAIMS = "claims_supported"
_CHECKS = {
    "presence": "Does each tile have a present Sentinel-2 pixel, are the shares of the index those "
    "of the masks, and is every present number finite?",
    "classes": "Is every present code of a land-cover map a class of it?",
    "splits": "Are tiles of different splits the guard distance apart, and is every block on one "
    "side?",
    "checksums": "Are the shards the bytes that were written?",
}
"""What `fusion.tiles.examine` asks of a written set."""


def tiles_key(group: str) -> dg.AssetKey:
    """Key of a group's set of tiles."""
    return dg.AssetKey([group, "tiles"])


def captions_key(group: str) -> dg.AssetKey:
    """Key of a group's set of tiles with captions."""
    return dg.AssetKey([group, "captions"])


def tile_assets(group: Group) -> list[dg.AssetsDefinition]:
    """Scenes, tiles and captions of a group."""
    return [_scenes(group), _tiles(group), _captions(group)]


def captioned_tiles(settings: Settings, group: str) -> Path:
    """Folder of the group's captioned set in use."""
    place = settings.captions / group
    return place / (place / "CURRENT").read_text(encoding="utf-8").strip()


def _scenes(group: Group) -> dg.AssetsDefinition:
    def observe(settings: dg.ResourceParam[Settings]) -> dg.DataVersion:
        from adapters.scenes.catalogues import version

        return dg.DataVersion(version(settings, group.name) or ABSENT)

    return observable(
        observe,
        key=scenes_key(group.name),
        group_name="upstream",
        description="Scenes of satellites, maps and relief: the static STAC catalogues below "
        f"data/scenes that stand in group {group.name}.\n\n{group.description}",
        tags={"dagster/kind/stac": "", "dagster/kind/geotiff": ""},
    )


def _tiles(group: Group) -> dg.AssetsDefinition:
    key, scenes = tiles_key(group.name), scenes_key(group.name)

    @dg.asset(
        key=key,
        deps=[scenes, matrix_key(group.name)],
        group_name=group.name,
        description=f"{group.description}\n\nSquares of 1,280 m around samples and between them, "
        "each modality on one grid with a mask of what is present; with the sample's features.",
        kinds={"geotiff", "parquet"},
        owners=OWNERS,
        automation_condition=automation.on_new_data([scenes]),
        code_version=code_version(*_TILE_CODE),
        output_required=False,
        check_specs=finding_specs(key, _CHECKS),
    )
    def tiles(
        context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]
    ) -> Iterator[dg.MaterializeResult]:
        from fusion.tiles.examine import examine
        from fusion.tiles.sets import report
        from fusion.tiles.sets import tiles as make
        from fusion.tiles.store import TileSet

        with refusal():
            made = make(settings, group.name)
        if made is None:
            context.log.info(f"no catalogue of scenes stands in group {group.name}")
            return
        held = TileSet(made.folder)
        said = report(settings, group.name)
        yield dg.MaterializeResult(
            data_version=dg.DataVersion(made.folder.name),
            metadata={
                **_about(held, made.folder),
                "built": made.built,
                "taken_over": made.taken_over,
                "places": said["places"],
                "scenes": said["scenes"],
                "refused_places": len(said["refused"]),
                "refused_by_reason": rendering.table(
                    [{"reason": r, "places": n} for r, n in said["refused_by_reason"].items()]
                ),
                "refused": rendering.table(
                    [{"place": place, "reason": why} for place, why in said["refused"].items()]
                ),
                "pictures": rendering.tiles([held.read(row) for row in _shown(held)]),
                "peak_memory_mb": rendering.peak_memory_mb(),
            },
            check_results=finding_results(examine(held)),
        )

    return tiles


def _captions(group: Group) -> dg.AssetsDefinition:
    key, tiles = captions_key(group.name), tiles_key(group.name)

    @dg.asset(
        key=key,
        deps=[tiles],
        group_name=group.name,
        description="The tiles with captions: facts are measured, several captions written from "
        "them, each claim read back and checked on the arrays; what is not supported is removed, "
        "or the caption refused.",
        kinds={"parquet"},
        owners=OWNERS,
        automation_condition=automation.on_new_data([tiles]),
        code_version=code_version("fusion/captions", "fusion/tiles"),
        check_specs=[
            dg.AssetCheckSpec(
                _CLAIMS,
                asset=key,
                description="Is every claim of every caption supported, when each caption is read "
                "and checked again on the tiles as they were written?",
            )
        ],
    )
    def captions(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
        from fusion.captions.chat import writer_of
        from fusion.captions.of_set import captions as make
        from fusion.captions.of_set import counted, records, unsupported
        from fusion.tiles.store import TileSet

        with refusal():
            folder = make(settings, group.name, writer_of(settings))
        held, told = TileSet(folder), records(folder)
        numbers, shown = counted(told), _shown(held)
        wrong = unsupported(held)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(folder.name),
            metadata={
                "tiles": len(held),
                "captioned": numbers["captioned"],
                "writers": ", ".join(numbers["writers"]),
                "sentences": numbers["sentences"],
                "claims": numbers["claims"],
                "claims_by_kind": rendering.table(
                    [{"kind": kind, "claims": n} for kind, n in numbers["kinds"].items()]
                ),
                "refused_by_reason": rendering.table(
                    [{"reason": r, "tiles": n} for r, n in numbers["refused"].items()]
                ),
                "captions": rendering.table(told.select("tile_id", "caption").to_dicts()),
                "pictures": rendering.tiles(
                    [held.read(row) for row in shown], [told.row(row, named=True) for row in shown]
                ),
                "path": dg.MetadataValue.path(folder),
                "peak_memory_mb": rendering.peak_memory_mb(),
            },
            check_results=[
                dg.AssetCheckResult(
                    passed=not wrong,
                    check_name=_CLAIMS,
                    description="; ".join(wrong[:5]) or f"{sum(numbers['claims'].values())} claims",
                    metadata={"not_supported": len(wrong)},
                )
            ],
        )

    return captions


def _shown(held: "TileSet") -> list[int]:
    """Rows of the tiles that are shown: evenly spread over the set."""
    count = min(SHOWN, len(held))
    return [round(i * (len(held) - 1) / max(count - 1, 1)) for i in range(count)]


def _about(held: "TileSet", folder: Path) -> dict[str, Any]:
    described, index = held.described, held.index
    return {
        "tiles": len(held),
        "origin": described["origin"],
        "splits": described["splits"]["tiles"],
        "redistribute": described["redistribute"],
        "share_alike": described["share_alike"],
        "terms": rendering.table(
            [
                {
                    "modality": name,
                    "licences": ", ".join(terms["licences"]),
                    "may be passed on": terms["redistribute"],
                    "share alike": terms["share_alike"],
                    "attribution": "; ".join(terms["attributions"]),
                }
                for name, terms in described["terms"].items()
                if name in held.modalities
            ]
        ),
        "presence": rendering.table(
            [
                {
                    "modality": name,
                    "tiles": index[f"{name}.share"].count(),
                    "mean share present": index[f"{name}.share"].list.mean().fill_null(0.0).mean(),
                }
                for name in held.modalities
            ]
        ),
        "elements": {name: len(found) for name, found in described["dictionary"].items()},
        "map": rendering.point_map(index["longitude"].to_list(), index["latitude"].to_list()),
        "size_mb": round(sum(s["bytes"] for s in described["shards"].values()) / 1e6, 3),
        "path": dg.MetadataValue.path(folder),
    }
