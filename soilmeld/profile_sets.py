"""Photographed profiles for people: opening the set in use, and what is known of a photograph.

Belongs here: `open_profiles`, describing and exporting one photograph with its known horizons, and
the licence gate of exports for others.
Never here: what a model says of a photograph (`training.profile_describe`).
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.errors import LicenceError
from adapters.settings import Settings
from soilmeld.in_use import folder_in_use
from soilmeld.reader import NotFoundError

if TYPE_CHECKING:
    from fusion.profiles.store import ProfileSet


def open_profiles(settings: Settings, group: str | None = None) -> "ProfileSet":
    """Open the set of photographed profiles of a group that is in use.

    Args:
        settings: Whose data root is read.
        group: `synthetic` or `user`; may be left out where only one group has profiles.

    Raises:
        NotFoundError: The group has none, or several have some and none is named.
        FusionError: The set is broken.
    """
    from fusion.profiles.store import ProfileSet

    return ProfileSet(folder_in_use([settings.profiles], group, "profiles"))


def row_of(held: "ProfileSet", photograph: str) -> int:
    """Row of a photograph.

    Raises:
        NotFoundError: The set has no such photograph; names that contain the text are shown.
    """
    names = held.index["photograph"].to_list()
    if photograph not in names:
        raise NotFoundError(
            f"no photograph {photograph!r}",
            samples=[name for name in names if photograph in name] or names,
            remedy="`soilmeld profiles list` shows all",
        )
    return names.index(photograph)


def describe(held: "ProfileSet", photograph: str) -> dict[str, Any]:
    """What is known of one photograph: place, date, split, site, horizons, terms.

    Raises:
        NotFoundError: The set has no such photograph.
    """
    known = held.index.row(row_of(held, photograph), named=True)
    site = {name: value for name, value in known.items() if name.startswith("site.")}
    terms = ("origin", "licences", "redistribute", "share_alike", "attribution")
    return {
        **{name: value for name, value in known.items() if name not in site},
        "site": {
            name.removeprefix("site."): {
                "value": value,
                "unit": held.described["site"][name.removeprefix("site.")]["unit"],
            }
            for name, value in site.items()
            if value is not None
        },
        **{name: held.described[name] for name in terms},
    }


def export_profile(
    held: "ProfileSet", photograph: str, folder: Path, *, redistributable: bool = False
) -> list[Path]:
    """Write a photograph with its known horizons drawn over it, and a JSON file with all else.

    Args:
        held: The set.
        photograph: Its name.
        folder: Written to; each file appears whole.
        redistributable: Refuse what its licence forbids to pass on.

    Raises:
        NotFoundError: The set has no such photograph.
        LicenceError: It may not be passed on, and `redistributable` is asked for.
    """
    from adapters.pictures import profile

    row, about = row_of(held, photograph), describe(held, photograph)
    if redistributable and not about["redistribute"]:
        raise LicenceError(
            "these photographs may not be passed on",
            samples=about["licences"],
            remedy="export it for your own use without --redistributable",
        )
    drawn = profile(held.picture(row), held.soil(row), about["horizons"])
    text = json.dumps(about, indent=1, ensure_ascii=False) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    name = Path(photograph).stem
    written = []
    for ending, content in ((".png", drawn), (".json", text.encode())):
        path = folder / f"{name}{ending}"
        part = path.with_name(f".{path.name}")
        part.write_bytes(content)
        written.append(part.replace(path))
    return written
