"""An evaluation of an encoder of tiles in words.

Belongs here: laying out its content for people; light to import. Never here: measuring anything.
"""

from training.report import bracket, counted


def readable(report: dict) -> str:
    """The whole report as Markdown."""
    protocol = report["protocol"]
    lines = [
        f"# Frozen features: {report['recipe']} on {report['origin']} tiles",
        "",
        f"Tile set {report['data']['version']}. Probes learn from {protocol['training_tiles']} of "
        f"{protocol['training_tiles_of']} training tiles and are asked about "
        f"{protocol['held_tiles']} of {protocol['held_tiles_of']} tiles of the splits "
        f"{' and '.join(protocol['held_splits'])}, in "
        f"{counted(protocol['held_blocks']).replace('cluster', 'block')} that training never saw, "
        f"at least {protocol['guard_m'] / 1000:g} km away. Brackets: {protocol['interval']}.",
        "",
        f"The encoder reads {_inputs(protocol['inputs'])} and was trained to restore "
        f"{', '.join(protocol['pretraining_targets'])} of the training tiles.",
    ]
    if report["origin"] == "synthetic":
        lines += ["", "Synthetic tiles: these numbers say nothing of real places."]
    lines += ["", "## What the model should be above", "", *goals(report["goals"])]
    for target, by_probe in report["tiles"].items():
        lines += ["", f"## {target[0].upper()}{target[1:]}", ""]
        lines.append(f"Classes: {', '.join(next(iter(by_probe.values()))['classes'])}.")
        for probe, found in by_probe.items():
            for score in ("accuracy", "mean recall"):
                lines += ["", f"### {probe}: {score}", "", *comparison(found[score])]
    if "segmentation" in report:
        lines += ["", "## Land cover of pixels, by a linear map of positions", ""]
        lines.append(f"Classes: {', '.join(report['segmentation']['classes'])}.")
        for score in ("accuracy", "mean IoU"):
            lines += ["", f"### {score}", "", *comparison(report["segmentation"][score])]
    lines += ["", "## Captions", "", *retrieval(report["retrieval"])]
    if "sensors" in report:
        lines += ["", "## Other sensors", "", *sensors(report["sensors"])]
    return "\n".join(lines) + "\n"


def _inputs(inputs: dict[str, list[str]]) -> str:
    return "; ".join(f"{name} ({', '.join(bands)})" for name, bands in inputs.items())


def goals(listed: list[dict]) -> list[str]:
    """Lines of the table of goals."""
    reached = sum(goal["outcome"] == "reached" for goal in listed)
    lines = [f"{reached} of {len(listed)} reached.", "", "| score | above | |", "|---|---|---|"]
    return lines + [f"| {g['score']} | {g['above']} | {g['outcome']} |" for g in listed]


def comparison(found: dict) -> list[str]:
    """Lines of a table of methods."""
    lines = ["| method | value | model minus it | |", "|---|---|---|---|"]
    for method, value in found["methods"].items():
        other = found["model_minus"].get(method)
        difference = f"{bracket(other)} | {other['verdict'] or ''}" if other else " | "
        lines.append(f"| {method} | {bracket(value)} | {difference} |")
    return lines


def retrieval(found: dict | None) -> list[str]:
    """Lines of the tables of retrieval."""
    if found is None:
        return ["Too few tiles have captions."]
    lines = [
        f"{found['candidates']} candidates, {found['different_captions']} different captions; "
        "tiles with the same caption share what one of them is found by. Features without a side "
        "for text are mapped linearly to the sentence encoder's space, by training tiles.",
    ]
    for way in ("tile to caption", "caption to tile"):
        names = list(next(iter(found[way].values())))
        lines += ["", f"| {way} | {' | '.join(names)} | chance |", "|---" * (len(names) + 2) + "|"]
        for (score, by_name), blind in zip(found[way].items(), found["chance"], strict=True):
            cells = [bracket(by_name[name]) for name in names]
            lines.append(f"| {score} | {' | '.join(cells)} | {blind:.3f} |")
    return lines


def sensors(listed: list[dict]) -> list[str]:
    """Lines of the table of changed sensors."""
    lines = [
        "| sensor | change | tiles right | kept | pixels right | kept |",
        "|---|---|---|---|---|---|",
    ]
    for row in listed:
        cells = [
            bracket(row[name][part]) if name in row else ""
            for name in ("tiles", "pixels")
            for part in ("accuracy", "kept")
        ]
        lines.append(f"| {row['sensor']} | {row['change']} | {' | '.join(cells)} |")
    return lines


def published(report: dict) -> str:
    """The scores of a published benchmark."""
    lines = [
        f"# {report['benchmark']}: {report['measure']}",
        "",
        f"{report['about']}. Probes learn from {report['training_chips']} chips and are asked "
        f"about {report['test_chips']}.",
    ]
    for name, found in report["probes"].items():
        lines += ["", f"## {name}", "", *comparison(found)]
    return "\n".join(lines) + "\n"
