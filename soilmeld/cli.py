"""The command line.

Belongs here: arguments, progress, printing. Never here: work; a verb calls one function of a room.
Heavy rooms are imported inside the verb that needs them, so that `soilmeld --help` stays quick.
"""

import getpass
import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from adapters.errors import SoilmeldError
from adapters.settings import Settings, load_settings
from soilmeld.describe_verb import describe_profile
from soilmeld.profile_verbs import app as profiles
from soilmeld.tile_verbs import app as tiles

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="""Many soil and Earth-observation sources as one machine-learning-ready dataset.

    [bold]Start here[/bold]: `soilmeld run` builds everything from the files at hand,
    `soilmeld sources` shows what there is, `soilmeld features synthetic` lists the features,
    `soilmeld query` gets rows of them.""",
)
app.add_typer(tiles, name="tiles")
app.add_typer(profiles, name="profiles")
app.command("describe-profile")(describe_profile)
_LEAST = 12
"""Letters that a column of a table shows in a line, at least, of the longest that it holds."""
console = Console()
errors = Console(stderr=True)

Group = Annotated[str, typer.Argument(help="Origin group: synthetic, open or user.")]
SettingsFile = Annotated[
    Path | None, typer.Option("--settings", help="Settings file [default: soilmeld.toml here]")
]


def main() -> None:
    """Run the command line; an error of ours is printed as its message and ends with code 1."""
    try:
        app()
    except SoilmeldError as error:
        errors.print(f"[bold red]{type(error).__name__}[/bold red] ", end="")
        errors.print(str(error), markup=False, highlight=False, soft_wrap=True)
        raise SystemExit(1) from None


def _open(settings_file: Path | None):
    import soilmeld

    return soilmeld.open(settings_file)


def _print(frame, title: str, limit: int | None = None) -> None:
    """Print a polars frame as a table, at most `limit` rows of it.

    Columns for which the screen is too narrow are left out, from the right, and told.
    """
    shown = frame if limit is None else frame.head(limit)
    names = list(frame.columns)
    while len(names) > 1 and _least_width(shown.select(names)) > console.width:
        names.pop()
    table = Table(title=title, title_justify="left", header_style="bold")
    for place, name in enumerate(names):
        # What one copies into the next command is never cut.
        table.add_column(name, overflow="fold", no_wrap=place == 0)
    for row in shown.select(names).iter_rows():
        table.add_row(*map(_cell, row))
    console.print(table)
    if left_out := frame.columns[len(names) :]:
        console.print(f"too narrow a screen for: {', '.join(left_out)}")
    if shown.height < frame.height:
        console.print(f"{shown.height} of {frame.height:,} rows; --out writes all of them")


def _cell(value: object) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _least_width(frame) -> int:
    """Width of a table whose first column is whole and whose others are no narrower than this."""
    first, *others = frame.columns
    whole = max([len(first), *(len(_cell(v)) for v in frame[first])])
    folded = [
        min(_LEAST, max([len(name), *(len(_cell(v)) for v in frame[name])])) for name in others
    ]
    return whole + sum(folded) + 3 * len(frame.columns) + 1


def _told(rows: str, frame, dictionary: dict[str, dict], path: Path) -> None:
    """Say what was written, what origin its values have, and whose they are."""
    records = [dictionary[name] for name in frame.columns if name in dictionary]
    origins = ", ".join(sorted({record["origin"] for record in records}))
    console.print(f"{frame.height:,} {rows} x {len(records)} features ({origins}) -> {path}")
    for attribution in sorted({a for record in records for a in record["attributions"]}):
        console.print(f"  {attribution}", markup=False)


@app.command()
def run(settings_file: SettingsFile = None) -> None:
    """Build everything from the files at hand; a second run does only what changed.

    Writes the synthetic twin where no real file is (settings: twin), standardises and validates
    every source, fuses each origin's samples, trains and evaluates the models, publishes, and says
    what it made.
    """
    from dagster_project.run import main as run_all

    raise typer.Exit(run_all(load_settings(settings_file)))


@app.command()
def twin(
    size: Annotated[
        str | None, typer.Option(help="tiny, demo or full [default: twin_size of the settings]")
    ] = None,
    source: Annotated[
        list[str] | None, typer.Option(help="Source id; repeat for several [default: all]")
    ] = None,
    settings_file: SettingsFile = None,
) -> None:
    """Write the raw files of the synthetic twin, for every source without files of yours."""
    from adapters.twin import SOURCES, write

    settings = load_settings(settings_file)
    paths = write(settings, source or None, size)
    mega = sum(path.stat().st_size for path in paths) / 1e6
    told = {path.relative_to(settings.raw).parts[0] for path in paths}
    console.print(f"{len(told)} sources, {len(paths)} files, {mega:,.1f} MB in {settings.raw}")
    if kept := sorted(set(source or SOURCES) - told):
        console.print(f"left to your files: {', '.join(kept)}")
    if size not in (None, settings.twin_size):
        console.print(
            f"`soilmeld run` writes {settings.twin_size} again unless soilmeld.toml says "
            f'twin_size = "{size}"',
            markup=False,
        )


@app.command()
def sources(settings_file: SettingsFile = None) -> None:
    """List the published sources with origin, rows and licence."""
    found = _open(settings_file).sources().drop("attribution")
    order = ["source", "origin", "rows", "licence", "redistribute"]
    _print(found.select(*order, *(c for c in found.columns if c not in order)), "Published sources")


@app.command()
def source(source_id: str, settings_file: SettingsFile = None) -> None:
    """Show one source: licence, columns with units before and after, checks."""
    data = _open(settings_file)
    columns = data.columns(source_id)
    about = data.sources().filter(source=source_id).row(0, named=True)
    console.print(f"[bold]{about['title']}[/bold]  ({about['origin']}, {about['rows']:,} rows)")
    console.print(f"licence {about['licence']}: {about['attribution']}")
    _print(
        columns.select("name", "native", "native_unit", "unit", "evidence", "method", "kind"),
        "Columns",
    )
    checks = data.checks(source_id)
    failed = checks.filter(~checks["success"])
    console.print(f"{checks.height - failed.height} checks passed, {failed.height} did not")
    if failed.height:
        _print(
            failed.select("expectation", "column", "blocking", "observed", "detail"), "Did not pass"
        )


@app.command()
def features(
    group: Group,
    search: Annotated[str, typer.Argument(help="Part of an id, title or description.")] = "",
    settings_file: SettingsFile = None,
) -> None:
    """List the features of a group's matrix."""
    found = _open(settings_file).features(group, search)
    shown = found.select("id", "unit", "origin", "licences", "available", "title")
    _print(shown, f"Features of group {group}")


@app.command()
def describe(group: Group, feature: str, settings_file: SettingsFile = None) -> None:
    """Show the dictionary record of one feature."""
    console.print_json(data=_open(settings_file).describe(group, feature))


@app.command()
def query(
    group: Group,
    feature: Annotated[list[str] | None, typer.Argument(help="Feature ids; all when none.")] = None,
    bbox: Annotated[
        tuple[float, float, float, float] | None,
        typer.Option(help="west south east north, in degrees", metavar="W S E N"),
    ] = None,
    start: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])] = None,
    end: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])] = None,
    survey: Annotated[str | None, typer.Option(help="One survey.")] = None,
    land_cover: Annotated[
        str | None, typer.Option(help="LUCAS code or its beginning, such as B1.")
    ] = None,
    complete: Annotated[bool, typer.Option(help="Only rows that have every feature.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Write to .parquet (GeoParquet), .gpkg or .csv."),
    ] = None,
    redistributable: Annotated[
        bool, typer.Option(help="Refuse values that may not be passed on to others.")
    ] = False,
    settings_file: SettingsFile = None,
) -> None:
    """Get samples by place, time, land cover and feature; print them or write them to a file."""
    from soilmeld.export import export

    data = _open(settings_file)
    frame = data.query(
        group,
        feature or (),
        bbox=bbox,
        start=start.date() if start else None,
        end=end.date() if end else None,
        survey=survey,
        land_cover=land_cover,
        complete=complete,
    )
    if out is None:
        place = ["longitude", "latitude", "depth_top", "depth_bottom"]
        shown = frame.select("sample_id", *(feature or []), *place)
        _print(shown, f"Samples of group {group}", limit=20)
        return
    dictionary = data.dictionary(group)
    _told(
        "samples",
        frame,
        dictionary,
        export(frame, dictionary, out, redistributable=redistributable),
    )


@app.command()
def sample(
    points: Annotated[Path, typer.Argument(help="CSV file with one point a row.")],
    crs: Annotated[str, typer.Option(help="CRS of x and y, such as EPSG:4326.")],
    x: Annotated[str, typer.Option(help="Column of longitude or easting.")] = "longitude",
    y: Annotated[str, typer.Option(help="Column of latitude or northing.")] = "latitude",
    depth: Annotated[
        tuple[float, float] | None,
        typer.Option(help="Depth in cm that horizons are chosen for.", metavar="TOP BOTTOM"),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help=".parquet, .gpkg or .csv")] = Path(
        "sampled.csv"
    ),
    settings_file: SettingsFile = None,
) -> None:
    """Take your own points through every source at hand."""
    from fusion.points import read_points, sample_points
    from soilmeld.export import export

    data = _open(settings_file)
    with console.status("sampling every source"):
        frame, dictionary = sample_points(
            data.settings, read_points(points), x=x, y=y, crs=crs, depth=depth
        )
    _told("points", frame, dictionary, export(frame, dictionary, out))
    numbered = frame.with_row_index("point", 1)
    unusable = numbered.filter(numbered["point_status"] != "usable")
    if unusable.height:
        _print(unusable.select("point", "point_status"), "Points that are not ordinary", limit=20)


@app.command()
def predict(
    group: Group,
    sample_id: str,
    feature: Annotated[
        list[str] | None, typer.Argument(help="Features; all missing ones when none.")
    ] = None,
    level: Annotated[float, typer.Option(min=0.5, max=0.99, help="Level of the interval.")] = 0.9,
    settings_file: SettingsFile = None,
) -> None:
    """Predict missing features of a sample, with intervals, by the group's trained model."""
    _print(
        _open(settings_file).predict(group, [sample_id], feature or (), level=level),
        f"Predicted by the model of group {group}",
    )


@app.command()
def train(
    recipe: Annotated[str, typer.Option(help="Name or file of a recipe.")],
    data: Annotated[
        Path,
        typer.Option(
            help="Folder of one version of a feature matrix, a set of tiles or of profiles."
        ),
    ],
    ranks: Annotated[
        int | None, typer.Option(help="Processes [default: training_ranks of the settings]")
    ] = None,
    settings_file: SettingsFile = None,
) -> None:
    """Train a recipe on this machine; what was interrupted continues, what is finished is found."""
    from training.launch import launch

    settings = load_settings(settings_file)
    run = launch(recipe, data, settings.runs, ranks or settings.training_ranks)
    described = json.loads((run / "meta.json").read_text(encoding="utf-8"))
    loss = described["metrics"]["validation"]["loss"]
    console.print(f"{described['samples']:,} samples seen, validation loss {loss:.4f}")
    console.print(f"origin of the data: {described['origin']}")
    console.print(str(run), soft_wrap=True)


@app.command()
def explain(group: Group, sample_id: str, feature: str, settings_file: SettingsFile = None) -> None:
    """Follow one value back to file, sheet, row, raw text, unit conversion and checks."""
    from soilmeld.explain import explain as explain_value

    console.print(
        explain_value(_open(settings_file), group, sample_id, feature).readable(),
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


@app.command()
def check(
    source_id: Annotated[str, typer.Argument(help="Source id; `?` to have it guessed.")],
    path: Annotated[Path, typer.Argument(help="Downloaded file, folder or zip.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    settings_file: SettingsFile = None,
) -> None:
    """Say whether a downloaded file meets its source's specification; nothing is taken in.

    Lists all that differs, each with the line of the specification to change. Ends with code 1
    where a run would refuse the file.
    """
    from adapters.spec import load_spec
    from expectations.checking import check as check_file
    from expectations.checking import guess

    if source_id == "?":
        found = guess(path)
        for name, share in found:
            console.print(f"{name}: has {share:.0%} of its headers")
        if not found:
            console.print(
                "no source has most of its headers, or a layer of its name; unpack a zip first"
            )
            raise typer.Exit(1)
        return
    with errors.status("reading and checking"):
        result = check_file(load_spec(source_id), path, load_settings(settings_file))
    if as_json:
        console.print_json(data=result.as_dict())
    else:
        console.print(result.readable(), markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(0 if result.meets else 1)


@app.command()
def diff(
    source_id: str,
    a: Annotated[str, typer.Argument(help="active, next, quarantined, or a version id.")],
    b: Annotated[str, typer.Argument(help="The same.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    settings_file: SettingsFile = None,
) -> None:
    """Show what differs between two versions of a source: rows by key, columns, layers, spec."""
    from adapters.differences import difference
    from adapters.spec import load_spec

    with errors.status("comparing"):
        found = difference(load_spec(source_id), a, b, load_settings(settings_file))
    if as_json:
        console.print_json(data=[part.as_dict() for part in found], default=str)
        return
    for part in found:
        console.print(part.readable(), markup=False, highlight=False, soft_wrap=True)


@app.command()
def accept(
    source_id: str,
    version: Annotated[
        str | None,
        typer.Argument(help="The refused version, to be sure; the last refused when none."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; it is kept beside the version.")] = "",
    by: Annotated[str | None, typer.Option(help="Who accepts [default: your login]")] = None,
    replace_twin: Annotated[
        bool,
        typer.Option(
            "--replace-twin", help="Use your files instead of the twin's for this source."
        ),
    ] = False,
    settings_file: SettingsFile = None,
) -> None:
    """Take a quarantined version into use, or your own waiting files in the twin's place.

    A version that is only much unlike the one in use may be right: look at it, then accept it with
    a reason. A faulty one cannot be accepted. Columns that your files touch in the twin's place say
    `mixed`.
    """
    from adapters.archive import accept_user
    from adapters.quarantine import accept as accept_refused
    from adapters.spec import load_spec

    spec, settings = load_spec(source_id), load_settings(settings_file)
    if replace_twin:
        taken = accept_user(spec, settings).version
    elif reason:
        entry = accept_refused(
            spec, settings, by=by or getpass.getuser(), reason=reason, version=version
        )
        for refusal in entry.reasons:
            console.print(f"in spite of: {refusal}", markup=False, highlight=False)
        taken = entry.version
    else:
        raise typer.BadParameter(
            "say --reason TEXT to take a quarantined version into use, or --replace-twin: your "
            "files will stand among synthetic ones"
        )
    console.print(f"{source_id}: version {taken[:12]} is next; `soilmeld run` standardises it")


@app.command()
def fetch(source_id: str, settings_file: SettingsFile = None) -> None:
    """Get a source's files from its server now, or say what a person has to do to get them."""
    from datetime import UTC

    from adapters.acquire import instructions, is_fetched, poll
    from adapters.spec import load_spec

    spec, settings = load_spec(source_id), load_settings(settings_file)
    if not is_fetched(spec):
        console.print(instructions(spec), markup=False, highlight=False)
        if spec.access.kind == "manual":
            console.print(f"Put them into {settings.raw / spec.id}", markup=False, highlight=False)
        return
    with errors.status("asking the server"):
        answer = poll(spec, settings, datetime.now(UTC))
    console.print(f"{source_id}: {len(answer.files)} files; `soilmeld run` takes in what is new")


@app.command()
def plan(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ask: Annotated[
        bool, typer.Option("--ask", help="Ask the servers that are due first, as a run does.")
    ] = False,
    settings_file: SettingsFile = None,
) -> None:
    """Show what a run would do and why, what waits in quarantine; nothing is made."""
    from dagster_project.definitions import all_specs
    from dagster_project.plan import plan as make_plan
    from dagster_project.run import alone, ask_servers

    settings = load_settings(settings_file)
    if ask:
        with alone(settings), errors.status("asking servers"):
            ask_servers(all_specs(), settings)
    made = make_plan(settings)
    if as_json:
        console.print_json(data=made.as_dict())
    else:
        console.print(made.readable(), markup=False, highlight=False, soft_wrap=True)


@app.command()
def gc(
    dry_run: Annotated[bool, typer.Option(help="Only say what would go.")] = False,
    settings_file: SettingsFile = None,
) -> None:
    """Remove old raw versions, matrices, tiles, checkpoints and run history (settings: keep_*)."""
    from dagster_project.retention import collect

    freed = collect(load_settings(settings_file), dry_run=dry_run)
    for place, count, size in freed:
        console.print(
            f"{place}: {count} {'to remove' if dry_run else 'removed'}, {size / 1e6:.1f} MB"
        )


@app.command()
def serve(
    mcp: Annotated[bool, typer.Option("--mcp", help="Speak MCP on stdin and stdout.")] = False,
    settings_file: SettingsFile = None,
) -> None:
    """Serve the published data read-only: HTTP (OpenAPI at /docs, MCP at /mcp), or MCP on stdio.

    Address and port stand in the settings (serve_host, serve_port).
    """
    from soilmeld.server import http_app, mcp_server, serve_http

    data = _open(settings_file)
    if mcp:
        mcp_server(data).run("stdio")
    else:
        serve_http(http_app(data), data.settings.serve_host, data.settings.serve_port)


@app.command()
def settings(settings_file: SettingsFile = None) -> None:
    """Show the settings that apply."""
    values = load_settings(settings_file)
    for name, field in Settings.model_fields.items():
        console.print(
            f"{name} = {getattr(values, name)!s}   [dim]{field.description}[/dim]", highlight=False
        )


@app.command()
def schema() -> None:
    """Print the JSON schema of source.yaml, for editors."""
    from adapters.spec import json_schema

    console.print_json(json.dumps(json.loads(json_schema())))
