"""The verbs `soilmeld tiles ...` of the command line.

Belongs here: arguments and printing. Never here: work; a verb calls one function of a room.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from adapters.settings import load_settings

app = typer.Typer(
    no_args_is_help=True, help="Tiles around samples: list, describe, export as GeoTIFF."
)
console = Console()
errors = Console(stderr=True)
_COLUMNS = ("id", "longitude", "latitude", "date", "split", "modalities")

Group = Annotated[
    str | None,
    typer.Option(help="Origin group [default: the only one that has tiles]"),
]
SettingsFile = Annotated[
    Path | None, typer.Option("--settings", help="Settings file [default: soilmeld.toml here]")
]


def _open(settings_file: Path | None, group: str | None):
    from soilmeld.tile_sets import open_tiles

    return open_tiles(load_settings(settings_file), group)


@app.command("list")
def list_tiles(
    group: Group = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows to show.")] = 20,
    settings_file: SettingsFile = None,
) -> None:
    """List the tiles in use: place, date, split, how many modalities; and their captions."""
    held = _open(settings_file, group)
    described = held.described
    console.print(
        f"[bold]{len(held):,} tiles[/bold] ({described['origin']}): "
        + ", ".join(f"{count} {name}" for name, count in described["splits"]["tiles"].items())
    )
    table = Table(header_style="bold")
    for place, name in enumerate(_COLUMNS):
        table.add_column(name, overflow="fold", no_wrap=place == 0)
    shown = held.index.head(limit)
    for row in shown.iter_rows(named=True):
        there = sum(row[f"{name}.share"] is not None for name in held.modalities)
        numbers = (f"{row['longitude']:.4f}", f"{row['latitude']:.4f}", f"{row['date']}")
        table.add_row(row["id"], *numbers, row["split"], str(there))
    console.print(table)
    if held.captions_checked is False:
        console.print(
            "Nobody checked these captions on the tiles: they are as they were published."
        )
    for name, caption in shown.select("id", "caption").drop_nulls().iter_rows():
        console.print(f"  {name}: {caption}", markup=False, highlight=False, soft_wrap=True)
    if limit < len(held):
        console.print(f"{limit} of {len(held):,}; --limit shows more")
    for modality, terms in described.get("terms", {}).items():
        kept = "" if terms["redistribute"] else ", may not be passed on"
        licences = ", ".join(terms["licences"])
        said = "; ".join(terms["attributions"])
        console.print(f"  {modality} ({licences}{kept}): {said}", markup=False, soft_wrap=True)


@app.command()
def scenes(
    address: Annotated[str, typer.Argument(help="Root of a STAC API.")],
    name: Annotated[str, typer.Option(help="Folder below data/scenes to write.")] = "api",
    group: Annotated[str, typer.Option(help="Group whose samples are asked around.")] = "user",
    bbox: Annotated[
        tuple[float, float, float, float] | None,
        typer.Option(help="Only samples in: west south east north", metavar="W S E N"),
    ] = None,
    settings_file: SettingsFile = None,
) -> None:
    """Ask a STAC API for scenes around samples, near their season; the next run makes tiles.

    What it lists is kept as a catalogue of yours; windows of its files are read when tiles are
    made.
    """
    import polars as pl

    from adapters.scenes.find import keep_around
    from fusion.tiles.sites import squares
    from soilmeld.reader import Dataset

    data = Dataset(load_settings(settings_file))
    samples = pl.read_parquet(data.folder(group) / "samples.parquet")
    asked = squares(samples, bbox)
    with errors.status(f"asking around {len(asked)} sites"):
        count = keep_around(address, data.settings.scenes / name, asked)
    console.print(f"{count} scenes in {data.settings.scenes / name}; `soilmeld run` makes tiles")


@app.command()
def describe(tile_id: str, group: Group = None, settings_file: SettingsFile = None) -> None:
    """Show what is known of one tile: scenes, presence, features of the sample, caption."""
    from soilmeld.tile_sets import describe as describe_tile

    console.print_json(data=describe_tile(_open(settings_file, group), tile_id))


@app.command()
def export(
    tile_id: str,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder.")] = Path("tile"),
    modality: Annotated[
        list[str] | None, typer.Option(help="Repeat for several [default: all of the tile]")
    ] = None,
    redistributable: Annotated[
        bool, typer.Option(help="Refuse what may not be passed on to others.")
    ] = False,
    group: Group = None,
    settings_file: SettingsFile = None,
) -> None:
    """Write a tile: a GeoTIFF a modality, and a JSON file with features, caption and terms."""
    from soilmeld.tile_sets import export_tile

    held = _open(settings_file, group)
    for path in export_tile(held, tile_id, out, modality or (), redistributable=redistributable):
        console.print(str(path), markup=False, highlight=False, soft_wrap=True)
