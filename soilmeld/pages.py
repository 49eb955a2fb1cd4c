"""One page a source and an index, as plain HTML that needs nothing from outside.

Belongs here: what a page says of a source: its specification, and its last version if there is one.
Never here: drawing (`adapters.pictures`), or anything that the specification or the published store
does not say.
"""

import base64
import functools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from adapters import pictures
from adapters.archive import load
from adapters.codebooks import OPEN, codebook
from adapters.columns import convert, record
from adapters.quarantine import quarantined
from adapters.settings import Settings
from adapters.spec import Column, SourceSpec, load_spec, source_ids
from soilmeld.reader import Dataset

PICTURES = 4
"""Pictures of main values on one page."""
_FEW_CODES = 60
_FEW_CLASSES = 12


def write_pages(settings: Settings) -> Path:
    """Write the page of every source and the index, and put them in place of the old ones.

    The page of a source that was never standardised says how to get its files.

    Returns:
        The index.

    Raises:
        SpecError: A source folder is not valid.
    """
    data = _published(settings)
    target = settings.docs / "sources"
    settings.docs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".sources-", dir=settings.docs) as scratch:
        folder = Path(scratch) / "sources"
        folder.mkdir()
        specs = [load_spec(source) for source in source_ids()]
        states = {spec.id: _state(spec, data, settings) for spec in specs}
        for spec in specs:
            page = _render("source.html.j2", **_page(spec, data), state=states[spec.id])
            (folder / f"{spec.id}.html").write_text(page, encoding="utf-8")
        index = _render("index.html.j2", specs=specs, states=states)
        (folder / "index.html").write_text(index, encoding="utf-8")
        if target.exists():
            shutil.rmtree(target)
        folder.replace(target)
    return target / "index.html"


def _published(settings: Settings) -> Dataset | None:
    """The published store, if there is one."""
    there = settings.published.joinpath("soilmeld.duckdb").is_file()
    return Dataset(settings) if there else None


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _render(template: str, **said: object) -> str:
    return _environment().get_template(template).render(**said)


def _page(spec: SourceSpec, data: Dataset | None) -> dict[str, object]:
    return {
        "spec": spec,
        "pieces": [
            {
                "spec": piece,
                "columns": [_column(piece, column) for column in piece.columns],
                "values": _values(piece, data) if data else None,
            }
            for piece in spec.pieces
        ],
        "codebooks": _codebooks(spec),
    }


def _state(spec: SourceSpec, data: Dataset | None, settings: Settings) -> dict | None:
    """The version in use, what was refused since, or None where nothing came in yet."""
    refused = quarantined(spec, settings)
    committed = (
        data.sql("select * from meta.source where source = ?", [spec.id])
        if data
        else pl.DataFrame()
    )
    if committed.is_empty():
        return {"version": None, "refused": refused} if refused else None
    row = committed.row(0, named=True)
    raw = load(spec.id, row["raw_version"], settings)
    return {
        "version": row["raw_version"],
        "origin": row["origin"],
        "group": row["group_name"],
        "retrieved_at": raw.retrieved_at,
        "committed_at": row["committed_at"].isoformat(timespec="seconds"),
        "files": [{"name": f.name, "size": f.size, "sha256": f.sha256} for f in raw.files],
        "rows": row["rows"],
        "refused": refused,
    }


def _column(spec: SourceSpec, column: Column) -> dict[str, object]:
    """What a page says of one column: before and after standardisation."""
    made = record(spec, column, convert(spec, column) if column.kind == "numeric" else None)
    before = " ".join(part for part in (column.unit, column.basis and f"({column.basis})") if part)
    return {
        "said": column,
        "before": before,
        "after": made.unit,
        "conversion": _conversion(made.scale, made.offset, made.transform),
        "elements": None if not column.is_array else column.length,
    }


def _conversion(scale: float, offset: float, transform: str | None) -> str:
    parts = [transform] if transform else []
    if scale != 1.0:
        parts.append(f"× {scale:.6g}")
    if offset != 0.0:
        parts.append(f"{'+' if offset > 0 else '−'} {abs(offset):.6g}")
    return " ".join(parts) or "as it is"


def _codebooks(spec: SourceSpec) -> list[dict[str, object]]:
    names = dict.fromkeys(c.codebook for c in spec.columns if c.codebook and c.codebook != OPEN)
    books = [codebook(name, spec.folder) for name in names]
    return [
        {
            "name": book.name,
            "codes": list(book.codes.items())[:_FEW_CODES],
            "more": max(0, len(book.codes) - _FEW_CODES),
        }
        for book in books
    ]


def _values(spec: SourceSpec, data: Dataset) -> dict[str, object] | None:
    """Rows, flags, checks and pictures of the committed table; None where there is none."""
    committed = data.sql("select rows from meta.source where source = ?", [spec.id])
    if committed.is_empty():
        return None
    table = data.table(spec.id)
    flags = data.flags(spec.id).group_by("flag").len().sort("flag")
    checks = data.checks(spec.id).sort("success", "blocking", "expectation", "column")
    return {
        "rows": table.height,
        "flags": flags.to_dicts(),
        "checks": checks.to_dicts(),
        "held": int(checks["success"].sum()),
        "pictures": [
            {"title": title, "data": base64.b64encode(picture).decode()}
            for title, picture in _pictures(spec, table, data)
        ],
    }


def _pictures(spec: SourceSpec, table: pl.DataFrame, data: Dataset) -> Iterator[tuple[str, bytes]]:
    """Where the rows are, and the distribution of the best-known values; rasters as they look."""
    columns = {column.name: column for column in spec.columns}
    if spec.is_raster:
        first_layers = table.unique("column", keep="first", maintain_order=True).head(PICTURES)
        for layer in first_layers.iter_rows(named=True):
            label = f"{layer['column']}, {layer['unit']}" if layer["unit"] else layer["column"]
            classes = columns[layer["column"]].kind == "categorical"
            path = data.settings.data_root / layer["path"]
            title = _when(spec, columns[layer["column"]])
            told = f"{label} ({title})" if title else label
            yield told, pictures.raster(path, label, title=title, classes=classes)
        return
    placed = table.drop_nulls(["longitude", "latitude"])
    if placed.height:
        places = (placed["longitude"].to_list(), placed["latitude"].to_list())
        yield "where the rows are", pictures.point_map(*places)
    if "geometry" in table.columns and table["geometry"].null_count() < table.height:
        yield "where the rows are", _outlines(spec, table)
    units = dict(data.columns(spec.id).select("name", "unit").iter_rows())
    shown = [table[name] for name, column in columns.items() if _is_shown(column, table)]
    for values in sorted(shown, key=pl.Series.null_count)[:PICTURES]:
        if columns[values.name].kind == "numeric":
            label = f"{values.name}, {units[values.name]}"
            yield label, pictures.histogram(values.drop_nulls().to_list(), label)
        else:
            counts = values.drop_nulls().value_counts(sort=True).head(_FEW_CLASSES)
            yield values.name, pictures.bars(dict(counts.iter_rows()), values.name)


def _when(spec: SourceSpec, column: Column) -> str:
    """Period of a layer, and which of several it is."""
    time = spec.tables[column.table].time or spec.time
    years = [day[:4] for day in (time.start, time.end) if day]
    told = [column.period or " to ".join(dict.fromkeys(years))]
    if column.statistic != "value":
        told.append(column.statistic)
    if column.is_array:
        told.append(f"first of {len(column.natives)}" if len(column.natives) > 1 else "first layer")
        told[-1] += f" by {column.axis}" if column.axis else ""
    return ", ".join(part for part in told if part)


def _outlines(spec: SourceSpec, table: pl.DataFrame) -> bytes:
    """Map of the polygons of a table."""
    from pyproj import CRS

    degrees = bool(spec.space.crs and CRS.from_user_input(spec.space.crs).is_geographic)
    return pictures.polygon_map(table["geometry"].drop_nulls().to_list(), degrees=degrees)


def _is_shown(column: Column, table: pl.DataFrame) -> bool:
    """Is it a feature with a distribution to look at?"""
    types = {"numeric": pl.Float64, "categorical": pl.String}
    return (
        column.feature
        and table.schema.get(column.name) == types.get(column.kind)
        and table[column.name].drop_nulls().n_unique() > 1
    )
