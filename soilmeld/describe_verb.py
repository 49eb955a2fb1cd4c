"""The verb `soilmeld describe-profile` of the command line.

Belongs here: arguments and printing. Never here: work (`soilmeld.profile_descriptions`).
"""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from adapters.settings import load_settings

if TYPE_CHECKING:
    from training.profile_description import Candidate, Description

console = Console()
errors = Console(stderr=True)


def describe_profile(
    photograph: Annotated[
        Path, typer.Argument(help="Picture of the wall, from the surface (upper edge) down.")
    ],
    lon: Annotated[
        float | None, typer.Option(help="Longitude in degrees; without a place: site unknown.")
    ] = None,
    lat: Annotated[float | None, typer.Option(help="Latitude in degrees.")] = None,
    date: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day of the photograph.")
    ] = None,
    site: Annotated[
        list[str] | None,
        typer.Option(help="A known fact of the site; repeat for several.", metavar="NAME=VALUE"),
    ] = None,
    depth: Annotated[
        float, typer.Option(help="Depth in cm at the lower edge of the photograph.")
    ] = 100.0,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for picture, table and JSON.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    group: Annotated[
        str | None,
        typer.Option(help="Group whose model is asked [default: the only one that has one]"),
    ] = None,
    settings_file: Annotated[
        Path | None, typer.Option("--settings", help="Settings file [default: soilmeld.toml here]")
    ] = None,
) -> None:
    """Describe a photograph of a soil profile: boundaries, properties, horizon symbols.

    Each symbol and property comes with the model's confidence. Warnings say what speaks against the
    description: a picture unlike those that the model knows, exchanged channels, a far place.
    """
    from soilmeld import describe_profile as describe

    facts = dict(_fact(text) for text in site or ())
    with errors.status("describing"):
        described = describe(
            photograph,
            lon,
            lat,
            date.date() if date else None,
            site=facts,
            shown_cm=depth,
            group=group,
            out=out,
            settings=load_settings(settings_file),
        )
    if as_json:
        console.print_json(data=described.as_dict())
    else:
        _print(described)
    if out is not None and not as_json:
        console.print(f"written to {out}", markup=False, highlight=False, soft_wrap=True)


def _fact(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (equals and name and value):
        raise typer.BadParameter(f"{text!r} is no NAME=VALUE", param_hint="--site")
    return name, value


def _print(described: "Description") -> None:
    for warning in described.warnings:
        console.print(f"[bold red]warning[/bold red] {warning}", highlight=False, soft_wrap=True)
    console.print(f"[bold]{described.photograph}[/bold], predicted:", highlight=False)
    for horizon in described.horizons:
        depths = f"{horizon.top_cm:.0f}-{horizon.bottom_cm:.0f} cm"
        best, others = horizon.symbols[:1], ", ".join(_said(one) for one in horizon.symbols[1:])
        console.print(
            f"{depths:>11}  [bold]{', '.join(_said(one) for one in best)}[/bold]"
            + (f" (main symbol {_said(horizon.main[0])}), or {others}" if best else ""),
            highlight=False,
            soft_wrap=True,
        )
        facts = [f"{name} {_said(one)}" for name, one in horizon.properties.items()]
        if horizon.stones_percent is not None:
            facts.insert(0, f"stones {horizon.stones_percent:.0f} % of volume")
        if facts:
            console.print(f"{'':>11}  {', '.join(facts)}", highlight=False, soft_wrap=True)
    if described.boundary_within_cm is not None:
        console.print(
            f"{described.level:.0%} of such boundaries have a true one within "
            f"{described.boundary_within_cm:g} cm",
            highlight=False,
        )
    for note in described.notes:
        console.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)
    console.print(
        f"predicted by a model that learnt from {described.origin} photographs", highlight=False
    )


def _said(one: "Candidate") -> str:
    return f"{one.code} {one.confidence:.0%}"
