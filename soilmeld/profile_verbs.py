"""The verbs `soilmeld profiles ...` of the command line.

Belongs here: arguments and printing. Never here: work; a verb calls one function of a room.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from adapters.settings import load_settings

app = typer.Typer(
    no_args_is_help=True,
    help="Photographs of soil profiles with their known horizons: list, describe, export.",
)
console = Console()
_COLUMNS = ("photograph", "longitude", "latitude", "year", "split", "horizons")

Group = Annotated[
    str | None,
    typer.Option(help="Origin group [default: the only one that has profiles]"),
]
SettingsFile = Annotated[
    Path | None, typer.Option("--settings", help="Settings file [default: soilmeld.toml here]")
]


def _open(settings_file: Path | None, group: str | None):
    from soilmeld.profile_sets import open_profiles

    return open_profiles(load_settings(settings_file), group)


@app.command("list")
def list_profiles(
    group: Group = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows to show.")] = 20,
    settings_file: SettingsFile = None,
) -> None:
    """List the photographs in use: place, year, split, and the symbols of their horizons."""
    held = _open(settings_file, group)
    described = held.described
    console.print(
        f"[bold]{len(held):,} photographs of {described['profiles']:,} profiles[/bold] "
        f"({described['origin']}): "
        + ", ".join(f"{n['photographs']} {split}" for split, n in described["splits"].items())
    )
    table = Table(header_style="bold")
    for place, name in enumerate(_COLUMNS):
        table.add_column(name, overflow="fold", no_wrap=place == 0)
    for row in held.index.head(limit).iter_rows(named=True):
        symbols = " / ".join(horizon["symbol"] or "?" for horizon in row["horizons"])
        numbers = (f"{row['longitude']:.4f}", f"{row['latitude']:.4f}", str(row["year"] or ""))
        table.add_row(row["photograph"], *numbers, row["split"], symbols)
    console.print(table)
    if limit < len(held):
        console.print(f"{limit} of {len(held):,}; --limit shows more")
    kept = "" if described["redistribute"] else ", may not be passed on"
    licences = ", ".join(described["licences"])
    console.print(f"  ({licences}{kept}): {described['attribution']}", markup=False, soft_wrap=True)


@app.command()
def describe(photograph: str, group: Group = None, settings_file: SettingsFile = None) -> None:
    """Show what is known of one photograph: place, site, horizons, terms."""
    from soilmeld.profile_sets import describe as describe_profile

    console.print_json(data=describe_profile(_open(settings_file, group), photograph))


@app.command()
def export(
    photograph: str,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder.")] = Path("profile"),
    redistributable: Annotated[
        bool, typer.Option(help="Refuse what may not be passed on to others.")
    ] = False,
    group: Group = None,
    settings_file: SettingsFile = None,
) -> None:
    """Write a photograph with its known horizons drawn over it, and a JSON file with all else."""
    from soilmeld.profile_sets import export_profile

    held = _open(settings_file, group)
    for path in export_profile(held, photograph, out, redistributable=redistributable):
        console.print(str(path), markup=False, highlight=False, soft_wrap=True)
