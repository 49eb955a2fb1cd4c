"""One scene: which bands it has, where their pixels are, and what these mean.

Belongs here: the table of published layouts (`products.yaml`), and reading a STAC item by it.
Never here: searching catalogues (`find.py`), pixels.
"""

import datetime
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from adapters.errors import ArchiveError, SpecError
from adapters.modalities import modality

if TYPE_CHECKING:
    import pystac
    import shapely

FILE = Path(__file__).parent / "products.yaml"
QUANTIFICATION = 10_000
"""Digital numbers of Sentinel-2 L2A for a reflectance of 1, and those that baseline 04.00 adds:
Sentinel-2 Products Specification Document, S2-PDGS-TAS-DI-PSD, issue 14.9, ESA 2021."""
RADIOMETRIC_OFFSET = 1_000
OFFSET_BASELINE = 4.0


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Mask(_Model):
    """A layer of classes some of which hide the ground."""

    assets: tuple[str, ...]
    refused: tuple[int, ...]


class Pass(_Model):
    """The property of an item that says on which pass it was acquired."""

    property: str
    ascending: str
    descending: str


class Product(_Model):
    """One published layout of scenes."""

    id: str
    modality: str
    collections: tuple[str, ...] = Field(min_length=1)
    values: Literal["sentinel2_l2a", "power", "dB", "unit", "codes"]
    nodata: float | None = None
    days: int | None = Field(None, gt=0, description="How far a scene may be from Sentinel-2's.")
    clouds: bool = Field(False, description="Must an item say its share of clouds?")
    pass_: Pass | None = Field(None, alias="pass")
    layers: Mapping[str, tuple[str, ...]]
    mask: Mask | None = None
    licence: str
    attribution: str
    redistribute: bool = Field(True, description="May values be passed on to others?")
    share_alike: bool = Field(False, description="Must what is made of it have the same licence?")

    @model_validator(mode="after")
    def _consistent(self) -> "Product":
        spec = modality(self.modality)
        ways = (self.pass_.ascending, self.pass_.descending) if self.pass_ else ("",)
        for name in self.layers:
            for way in ways:
                spec.band(name.replace("{pass}", way))
        if spec.is_classes != (self.values == "codes"):
            raise ValueError("classes are codes, and nothing else is")
        return self


@dataclass(frozen=True)
class Layer:
    """One band of a modality in a file.

    Attributes:
        href: Path or address of the file.
        band: Number in the file, from 1.
        scale: Value = number * scale + offset.
        offset: Added last.
        nodata: Number that stands for absence, beside what the file itself declares.
        power: Are values linear power, to become dB?
    """

    href: str
    band: int = 1
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    power: bool = False


@dataclass(frozen=True)
class Scene:
    """One item of a catalogue, as far as tiles need it.

    Attributes:
        id: Of the item.
        collection: Of the item.
        modality: What it shows.
        moment: Of acquisition; the first of a period.
        bbox: West, south, east, north in degrees; west is above east across the antimeridian.
        footprint: Where it has pixels, in degrees; a swath leaves corners of the box empty. None
            where the catalogue says no more than the box.
        layers: Band of the modality -> where it is.
        origin: `synthetic`, `open` or `user`.
        licence: Of its pixels.
        days: How far from the Sentinel-2 scene it may lie; None for maps.
        cloud_percent: Of the whole scene; None where that means nothing.
        mask: Layer of classes, and those that hide the ground.
    """

    id: str
    collection: str
    modality: str
    moment: datetime.datetime
    bbox: tuple[float, float, float, float]
    layers: Mapping[str, Layer]
    origin: str
    licence: str
    days: int | None = None
    cloud_percent: float | None = None
    mask: tuple[Layer, tuple[int, ...]] | None = None
    footprint: "shapely.Geometry | None" = None


@functools.cache
def products(path: Path = FILE) -> Mapping[str, Product]:
    """Collection id -> its layout.

    Raises:
        SpecError: An entry is faulty, or a collection stands in two.
    """
    listed: dict[str, Product] = {}
    raws = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    for number, raw in enumerate(raws, start=1):
        where = f"entry {number} ({raw.get('id') if isinstance(raw, dict) else raw})"
        try:
            product = Product.model_validate(raw)
        except ValidationError as error:
            first = error.errors()[0]
            raise SpecError(
                first["msg"],
                file=path.name,
                where=".".join([where, *map(str, first["loc"])]),
                remedy="correct the entry",
            ) from error
        for collection in product.collections:
            if collection in listed:
                raise SpecError(
                    f"collection {collection!r} stands in {listed[collection].id} too",
                    file=path.name,
                    where=where,
                    remedy="keep it in one of the two",
                )
            listed[collection] = product
    return listed


def scene(item: "pystac.Item", product: Product, origin: str) -> Scene:
    """Read an item by the layout of its collection.

    A band whose asset the item lacks is left out: it is absent in the tile.

    Args:
        item: The item.
        product: Layout of its collection.
        origin: `synthetic`, `open` or `user`.

    Raises:
        ArchiveError: The item lacks its time, box, clouds, pass, processing baseline, or all of the
            layout's assets.
    """
    moment = item.datetime or item.common_metadata.start_datetime
    if moment is None:
        raise _lacking(item, "a time", sorted(item.properties))
    if item.bbox is None or len(item.bbox) not in (4, 6):
        raise _lacking(item, "a bounding box", [item.bbox])
    half = len(item.bbox) // 2
    clouds = item.properties.get("eo:cloud_cover")
    if product.clouds and not isinstance(clouds, int | float):
        raise _lacking(item, "its share of clouds (eo:cloud_cover)", sorted(item.properties))
    way = ""
    if product.pass_ is not None:
        said = item.properties.get(product.pass_.property)
        if said not in ("ascending", "descending"):
            raise _lacking(item, f"its pass ({product.pass_.property})", [said])
        way = getattr(product.pass_, said)
    scale, offset = _scaling(item, product)
    layers = {
        name.replace("{pass}", way): layer
        for name, keys in product.layers.items()
        if (layer := _layer(item, product, keys, scale, offset))
    }
    if not layers:
        raise _lacking(item, "all assets of its layout", sorted(item.assets))
    mask = None
    if product.mask is not None:
        found = _layer(item, product, product.mask.assets, 1.0, 0.0, nodata=None)
        if found is None:
            raise _lacking(item, f"its mask ({', '.join(product.mask.assets)})", item.assets)
        mask = (found, product.mask.refused)
    return Scene(
        id=item.id,
        collection=item.collection_id or "",
        modality=product.modality,
        moment=moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC),
        bbox=(item.bbox[0], item.bbox[1], item.bbox[half], item.bbox[half + 1]),
        layers=layers,
        origin=origin,
        licence=product.licence,
        days=product.days,
        cloud_percent=float(clouds) if isinstance(clouds, int | float) else None,
        mask=mask,
        footprint=_footprint(item),
    )


def _footprint(item: "pystac.Item") -> "shapely.Geometry | None":
    import shapely
    from shapely.geometry import shape

    if item.geometry is None:
        return None
    try:
        found = shape(item.geometry)
        # Publishers' footprints cross themselves now and then.
        return found if found.is_valid else shapely.make_valid(found)
    except (shapely.errors.ShapelyError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise _lacking(item, "a geometry that can be read", [item.geometry]) from error


def _scaling(item: "pystac.Item", product: Product) -> tuple[float, float]:
    """How numbers become values.

    The offset of Sentinel-2 goes by the processing baseline, and not by the day: old days are
    processed anew. `raster:bands` is not asked, because a catalogue that took the offset off itself
    (`earthsearch:boa_offset_applied`) may still state it there.
    """
    if product.values != "sentinel2_l2a":
        return 1.0, 0.0
    said = item.properties.get("s2:processing_baseline") or item.properties.get(
        "processing:version"
    )
    try:
        baseline = float(str(said))
    except ValueError as error:
        raise _lacking(item, "its processing baseline (s2:processing_baseline)", [said]) from error
    applied = item.properties.get("earthsearch:boa_offset_applied") is True
    carries = baseline >= OFFSET_BASELINE and not applied
    return 1.0 / QUANTIFICATION, -RADIOMETRIC_OFFSET / QUANTIFICATION if carries else 0.0


_OF_PRODUCT = object()


def _layer(
    item: "pystac.Item",
    product: Product,
    keys: tuple[str, ...],
    scale: float,
    offset: float,
    nodata: object = _OF_PRODUCT,
) -> Layer | None:
    """The first of some assets that an item has."""
    for key in keys:
        name, _, number = key.partition("#")
        asset = item.assets.get(name)
        href = asset and asset.get_absolute_href()
        if asset is None or href is None:
            continue
        band = int(number or 1)
        # STAC 1.1 says of an asset, or under `bands`, what 1.0 said under `raster:bands`.
        bands = asset.extra_fields.get("raster:bands") or asset.extra_fields.get("bands") or []
        about = {**asset.extra_fields, **(bands[band - 1] if band <= len(bands) else {})}
        default = product.nodata if nodata is _OF_PRODUCT else None
        absent = about.get("nodata", default)
        unit = about.get("unit", product.values)
        try:
            number_of_absence = None if absent is None else float(absent)
        except (TypeError, ValueError) as error:
            raise _lacking(item, f"a nodata of {key} that is a number", [absent]) from error
        return Layer(
            href=href,
            band=band,
            scale=scale,
            offset=offset,
            nodata=number_of_absence,
            power=product.values == "power" and unit != "dB",
        )
    return None


def _lacking(item: "pystac.Item", what: str, samples: object) -> ArchiveError:
    return ArchiveError(
        f"item {item.id} lacks {what}",
        file=item.id,
        where=item.get_self_href(),
        samples=samples if isinstance(samples, list) else list(samples),  # type: ignore[call-overload]
        remedy="correct the item, or describe its layout in a table of products",
    )
