"""Photographs of profiles described by the model in use.

Belongs here: finding that model, asking it, writing what it says to files.
Never here: the model (`training.profile_describe`), printing.
"""

import base64
import binascii
import datetime
import json
import tempfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.errors import DescriptionError
from adapters.settings import Settings, load_settings
from soilmeld.reader import NotFoundError

if TYPE_CHECKING:
    from training.profile_describe import Describer
    from training.profile_description import Description

MODEL = "soilnet_end2end"
LARGEST_MB = 50
"""Largest photograph that is taken from another program."""


def describe_profile(
    photograph: Path | str,
    longitude: float | None = None,
    latitude: float | None = None,
    date: datetime.date | None = None,
    *,
    site: Mapping[str, str | float] | None = None,
    shown_cm: float = 100.0,
    group: str | None = None,
    out: Path | str | None = None,
    settings: Settings | None = None,
) -> "Description":
    """Describe a photograph of a soil profile: boundaries, properties, symbols with confidence.

    Args:
        photograph: JPEG, PNG, TIFF, WebP or BMP: the wall from the surface (upper edge) down.
        longitude: In degrees (EPSG:4326); left out with the latitude where unknown.
        latitude: In degrees.
        date: Of the photograph.
        site: Further facts of the site, by the names that the model asks for.
        shown_cm: Depth at the lower edge of the photograph.
        group: Of the photographs that the model learnt from; may be left out where only one group
            has a model.
        out: Folder for a picture, a table and a JSON file, named after the photograph.
        settings: Whose runs are looked at; by default the settings that apply in this folder.

    Raises:
        NotFoundError: There is no model.
        ReadError: The file is no picture that can be opened.
        DescriptionError: The place, date, depth or a fact of the site cannot be right.
    """
    run = model_in_use(settings or load_settings(), group)
    described, seen = _describer(run).look(
        Path(photograph), longitude, latitude, date, site=site, shown_cm=shown_cm
    )
    if out is not None:
        from training.profile_drawing import draw

        _write(Path(out), Path(photograph).stem, described, draw(described, seen))
    return described


def describe_bytes(
    photograph: str,
    longitude: float | None,
    latitude: float | None,
    date: datetime.date | None,
    *,
    group: str | None,
    drawing: bool,
    settings: Settings,
) -> dict[str, Any]:
    """As `describe_profile`, of a photograph in base64; `drawing` is a PNG in base64.

    Raises:
        DescriptionError: It is no base64, or too large.
    """
    if len(photograph) > LARGEST_MB * 4e6 / 3:
        raise DescriptionError(
            f"the photograph is larger than {LARGEST_MB} MB",
            remedy="scale it down; 4,000 pixels a side are more than enough",
        )
    try:
        content = base64.b64decode(photograph, validate=True)
    except binascii.Error as error:
        raise DescriptionError(
            f"the photograph is not base64: {error}", remedy="send the bytes of the file in base64"
        ) from error
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photograph"
        path.write_bytes(content)
        describer = _describer(model_in_use(settings, group))
        described, seen = describer.look(path, longitude, latitude, date)
    answer = described.as_dict()
    if drawing:
        from training.profile_drawing import draw

        answer["drawing"] = base64.b64encode(draw(described, seen)).decode()
    return answer


def model_in_use(settings: Settings, group: str | None = None) -> Path:
    """Folder of the run whose model describes photographs.

    Raises:
        NotFoundError: The group has no model, or several have one and none is named.
    """
    found = {
        path.parent.name.removeprefix(f"{MODEL}-"): path.parent
        for path in settings.runs.glob(f"{MODEL}-*/CURRENT")
    }
    if group is None and len(found) == 1:
        group = next(iter(found))
    if group not in found:
        raise NotFoundError(
            f"no model of profiles of group {group!r}" if group else "no group is named",
            samples=sorted(found),
            remedy="name one of the groups found; `soilmeld run` trains a model where there are "
            "photographs of profiles",
        )
    return found[group] / found[group].joinpath("CURRENT").read_text(encoding="utf-8").strip()


@lru_cache(maxsize=2)
def _describer(run: Path) -> "Describer":
    from training.profile_describe import Describer

    return Describer(run)


def _write(folder: Path, name: str, described: "Description", drawing: bytes) -> None:
    """The three files; each appears whole."""
    text = json.dumps(described.as_dict(), indent=1, ensure_ascii=False) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    for ending, content in (
        (".png", drawing),
        (".csv", described.table().write_csv().encode()),
        (".json", text.encode()),
    ):
        path = folder / f"{name}_described{ending}"
        part = path.with_name(f".{path.name}")
        part.write_bytes(content)
        part.replace(path)
