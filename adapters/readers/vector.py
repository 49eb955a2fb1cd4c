"""Vector layers and dbf tables by GDAL (pyogrio), attributes as text, geometry as WKB.

Belongs here: opening the layer, its encoding and its CRS.
Never here: transforming geometry, or joining attribute tables.
"""

import codecs
from pathlib import Path

import polars as pl

from adapters.crs import refuse_unread_projection, without_place
from adapters.errors import ReadError
from adapters.readers import NativeTable, as_text, require_sides
from adapters.spec import SourceSpec

# GDAL knows encodings by their IANA names.
_GDAL_ENCODING = {"iso8859-1": "ISO-8859-1", "utf-8": "UTF-8", "ascii": "UTF-8"}


def read_vector(spec: SourceSpec, name: str, path: Path, file: str) -> NativeTable:
    """Read one layer, or a dbf table on its own.

    Raises:
        ReadError: GDAL cannot read it, no such layer, wrong encoding.
    """
    import pyarrow
    import pyogrio.raw
    from pyogrio.errors import DataLayerError, DataSourceError, FeatureError

    require_sides(spec, path, file)
    read = spec.tables[name].read
    codec = codecs.lookup(read.encoding).name
    # Formats other than dbf know their own encoding; a .cpg beside a dbf would overrule ours.
    by_spec = path.suffix.lower() in (".shp", ".dbf")
    try:
        meta, arrow = pyogrio.raw.read_arrow(
            path,
            layer=read.layer,
            encoding=_GDAL_ENCODING.get(codec, codec.upper()) if by_spec else None,
            read_geometry=read.reader == "vector",
            datetime_as_string=True,
        )
        arrow.validate(full=True)
    except pyarrow.ArrowInvalid as error:
        raise ReadError(
            f"not {read.encoding} text: {str(error).splitlines()[0]}",
            source=spec.id,
            file=file,
            remedy=f"set `encoding` of table {name} in source.yaml, for instance to latin-1",
        ) from error
    except (DataSourceError, DataLayerError, FeatureError, RuntimeError) as error:
        raise ReadError(
            f"GDAL cannot read it: {str(error).replace(f'{path.parent}/', '')}",
            source=spec.id,
            file=file,
            remedy="fetch all files of the layer again (.shp, .shx, .dbf, .prj), or correct "
            f"`layer` of table {name} in source.yaml",
        ) from error
    frame = pl.DataFrame(pl.from_arrow(arrow))
    geometry = None
    crs = None if meta["crs"] and without_place(meta["crs"]) else meta["crs"]
    if read.reader == "vector":
        shape = meta["geometry_name"] or "wkb_geometry"
        geometry = frame[shape].ext.storage().alias("geometry")
        frame = frame.drop(shape)
        if crs is None:
            refuse_unread_projection(spec, path, file)
    headers = tuple(frame.columns)
    cells = as_text(frame).rename({h: str(i) for i, h in enumerate(headers)})
    cells = cells.with_columns(
        pl.when(pl.col(c).str.strip_chars() != "").then(pl.col(c)) for c in cells.columns
    )
    rows = pl.Series("row", range(1, frame.height + 1), dtype=pl.Int64)
    return NativeTable(file, headers, cells, rows, geometry, crs)
