"""The asset of one group's photographed soil profiles: `profiles`.

Belongs here: this asset, its checks, and what it shows of itself.
Never here: making the set (`fusion.profiles`), training on it (`training.py`).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from adapters.settings import Settings
from dagster_project import automation, rendering
from dagster_project.checks import finding_results, finding_specs
from dagster_project.groups import Group
from dagster_project.sources import OWNERS, refusal, std_key
from dagster_project.versions import code_version

if TYPE_CHECKING:
    from fusion.profiles.store import ProfileSet

SHOWN = 3
"""Photographs that are shown with their described horizons."""
_CODE = ("fusion", "fusion/profiles", "adapters/readers")
_CHECKS = {
    "splits": "Is no profile, cluster or block on two sides, and are profiles of different sides "
    "the guard distance apart?",
    "horizons": "Has each photograph horizons, from the surface down, none deeper than 100 cm?",
    "pictures": "Does each picture show soil?",
    "checksums": "Are the files the bytes that were written?",
}
"""What `fusion.profiles.examine` asks of a written set."""


def profiles_key(group: str) -> dg.AssetKey:
    """Key of a group's set of photographed profiles."""
    return dg.AssetKey([group, "profiles"])


def profile_assets(group: Group) -> list[dg.AssetsDefinition]:
    """The set of photographed profiles, where a source of the group has photographs."""
    return [_profiles(group, source) for source in group.photographs]


def profile_set(settings: Settings, group: str) -> Path:
    """Folder of the group's set in use."""
    place = settings.profiles / group
    return place / (place / "CURRENT").read_text(encoding="utf-8").strip()


def _profiles(group: Group, source: str) -> dg.AssetsDefinition:
    key, standard = profiles_key(group.name), std_key(source)

    @dg.asset(
        key=key,
        deps=[standard],
        group_name=group.name,
        description=f"{group.description}\n\nPhotographs of soil profiles with their described "
        "horizons, scaled so that a row is a depth; split by profile and spatial block.",
        kinds={"parquet", "numpy"},
        owners=OWNERS,
        automation_condition=automation.on_new_data([standard]),
        code_version=code_version(*_CODE),
        output_required=False,
        check_specs=finding_specs(key, _CHECKS),
    )
    def profiles(
        settings: dg.ResourceParam[Settings],
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        from fusion.profiles.examine import examine
        from fusion.profiles.sets import profiles as make
        from fusion.profiles.sets import report
        from fusion.profiles.store import ProfileSet

        with refusal():
            made = make(settings, group.name)
        if made is None:
            # A step must answer its checks, also where it has nothing to make.
            nothing = f"no photographs of profiles stand in group {group.name}"
            yield from (
                dg.AssetCheckResult(passed=True, check_name=name, description=nothing)
                for name in _CHECKS
            )
            return
        held, said = ProfileSet(made.folder), report(settings, group.name)
        yield dg.MaterializeResult(
            data_version=dg.DataVersion(made.folder.name),
            metadata={
                **_about(held),
                "built": made.built,
                "taken_over": made.taken_over,
                "horizons": said["horizons"],
                "left_out_photographs": len(said["left_out"]),
                "left_out_by_reason": rendering.table(
                    [{"reason": r, "photographs": n} for r, n in said["left_out_by_reason"].items()]
                ),
                "left_out": rendering.table(
                    [{"photograph": name, "reason": why} for name, why in said["left_out"].items()]
                ),
                "pictures": _pictures(held),
                "path": dg.MetadataValue.path(made.folder),
                "peak_memory_mb": rendering.peak_memory_mb(),
            },
            check_results=finding_results(examine(held)),
        )

    return profiles


def _about(held: "ProfileSet") -> dict[str, Any]:
    described, index = held.described, held.index
    labels = described["statistics"]["labels"]
    return {
        "origin": described["origin"],
        "photographs": len(held),
        "profiles": described["profiles"],
        "splits": rendering.table(
            [{"split": split, **counts} for split, counts in described["splits"].items()]
        ),
        "licences": ", ".join(described["licences"]),
        "attribution": described["attribution"],
        "redistribute": described["redistribute"],
        "share_alike": described["share_alike"],
        "labels": rendering.table(
            [
                {"symbol": symbol, "horizons": count, "share": count / sum(labels.values())}
                for symbol, count in labels.items()
            ]
        ),
        "known": rendering.table(
            [
                {"column": name.removeprefix("site."), "photographs": index[name].count()}
                for name in index.columns
                if name.startswith("site.")
            ]
        ),
        "map": rendering.point_map(index["longitude"].to_list(), index["latitude"].to_list()),
    }


def _pictures(held: "ProfileSet") -> dg.MetadataValue:
    """The first photographs of profiles that are evenly spread over the set."""
    first = held.index.with_row_index("row").unique("profile", keep="first", maintain_order=True)
    count = min(SHOWN, first.height)
    places = [round(i * (first.height - 1) / max(count - 1, 1)) for i in range(count)]
    rows = first["row"].gather(places).to_list()
    return rendering.profiles(
        [
            (
                held.index["photograph"][row],
                held.picture(row),
                held.soil(row),
                held.index["horizons"][row].to_list(),
            )
            for row in rows
        ]
    )
