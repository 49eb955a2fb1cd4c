"""Which version of a kind of set is in use: of a group that is named, or of the only one.

Belongs here: finding its folder, and saying what there is where it cannot be found.
Never here: opening it.
"""

from collections.abc import Sequence
from pathlib import Path

from soilmeld.reader import NotFoundError


def groups_in_use(places: Sequence[Path]) -> list[str]:
    """Groups that have a version in use in any of these places (`<place>/<group>/CURRENT`)."""
    return sorted({path.parent.name for place in places for path in place.glob("*/CURRENT")})


def folder_in_use(places: Sequence[Path], group: str | None, what: str) -> Path:
    """Folder of the version in use, in the first of the places that has one.

    Args:
        places: Folders of all groups, best first.
        group: Its name; None where only one group has any.
        what: That is looked for, such as tiles.

    Raises:
        NotFoundError: The group has none, or several have some and none is named.
    """
    known = groups_in_use(places)
    if group is None and len(known) == 1:
        group = known[0]
    if group not in known:
        raise NotFoundError(
            f"no {what} of group {group!r}" if group else f"no group of {what} is named",
            samples=known,
            remedy=f"name one of the groups found; `soilmeld run` makes {what} where their sources "
            "are",
        )
    pointer = next(path for place in places if (path := place / group / "CURRENT").is_file())
    return pointer.parent / pointer.read_text(encoding="utf-8").strip()
