"""What the parts of SoilNet are worth: its label losses, depth heads and segments, and its inputs.

Trains, by the one training loop, recipes made from one, each with several seeds, of the weights as
of the draws, on one profile set; and scores them as `training.profile_evaluate` does, beside the
same baselines, seeds pooled, clusters of profiles resampled. Where the hierarchy helps is read from
rare symbols, main symbols and distances in the tree.

    PYTHONPATH=. python benchmarks/soilnet_families.py SET OUT [--seeds 3] [--epochs N] [--only ...]

SET is a version of a profile set (data/profiles/<group>/<version>). Runs that are finished in OUT
are found and not trained again.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from shares import train_shares

from training.bootstrap import MODEL
from training.profile_evaluate import baselines_say, model_says, prepared, reached
from training.profile_predict import ProfilePredictor
from training.profile_report import goals
from training.profile_tables import FOUND, TRUE, Said
from training.profiles import load
from training.recipe import RECIPES, load_recipe
from training.report import bracket
from training.runs import write_json

BASE = "soilnet_end2end"
VARIANTS: dict[str, dict[str, dict[str, object]]] = {
    "hierarchical": {"loss": {"labels": "hierarchical"}},
    "cross-entropy": {"loss": {"labels": "cross_entropy"}},
    "embedding": {"loss": {"labels": "embedding"}, "model": {"symbol_head": "embedding"}},
    "LSTM": {"model": {"depth_head": "lstm"}},
    "crop": {"model": {"segments": "crop"}},
    "photograph alone": {"model": {"inputs": ["picture"]}},
    "site alone (network)": {"model": {"inputs": ["site"]}},
}
"""The base, which is the first, reads photograph and site, finds depths by cross-attention, sees
segments through soft masks, and learns labels by the hierarchical loss."""
PAIRS = (
    ("embedding", "cross-entropy"),
    ("hierarchical", "cross-entropy"),
    ("hierarchical", "embedding"),
    ("hierarchical", "LSTM"),
    ("hierarchical", "crop"),
    ("hierarchical", "photograph alone"),
    ("hierarchical", "site alone (network)"),
)
"""Each pair differs in one thing."""
SCORES = (
    ("boundaries", "matched IoU"),
    ("boundaries", "boundary F1 within 2 cm"),
    ("boundaries", "boundary F1 within 5 cm"),
    ("boundaries", "error of the number of horizons"),
    (f"symbols of {TRUE}", "accuracy"),
    (f"symbols of {TRUE}", "matched F1 of labels"),
    (f"symbols of {TRUE}", "accuracy@5"),
    (f"symbols of {TRUE}", "accuracy of main symbols"),
    (f"symbols of {TRUE}", "hierarchical distance"),
    (f"symbols of {TRUE}", "hierarchical distance of wrong labels"),
    (f"rare symbols of {TRUE}", "accuracy"),
    (f"rare symbols of {TRUE}", "accuracy of main symbols"),
    (f"rare symbols of {TRUE}", "hierarchical distance"),
    (f"symbols of {FOUND}", "matched accuracy of labels"),
    (f"symbols of {FOUND}", "panoptic quality of labels"),
    (f"symbols of {FOUND}", "similarity by depth"),
)


def main() -> None:
    """Train, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("set", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=float, help="passes [default: the recipe's]")
    parser.add_argument("--only", nargs="*", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--train", type=Path, help="used by the script itself")
    given = parser.parse_args()
    if given.train:
        train_share(given.train)
        return
    out, data = given.out.resolve(), given.set.resolve()
    out.mkdir(parents=True, exist_ok=True)
    jobs = recipes(out, given.only, given.seeds, given.epochs)
    jobs = train_shares(__file__, [str(data), str(out)], jobs, out)
    began = time.monotonic()
    report = measured(jobs, data)
    report["minutes"] = {
        "training": sum(job["seconds"] for job in jobs) / 60,
        "measuring": (time.monotonic() - began) / 60,
    }
    write_json(out / "families.json", report)
    text = readable(report, jobs)
    (out / "families.md").write_text(text)
    sys.stdout.write(text)


def recipes(out: Path, variants: Sequence[str], seeds: int, epochs: float | None) -> list[dict]:
    """Write a recipe for each variant and seed."""
    base = yaml.safe_load((RECIPES / f"{BASE}.yaml").read_text(encoding="utf-8"))
    epochs = epochs or base["epochs"]
    base |= {"epochs": epochs, "checkpoint_epochs": epochs, "keep": 1}
    folder = out / "recipes"
    folder.mkdir(exist_ok=True)
    jobs = []
    for seed in range(seeds):
        for name in variants:
            number = list(VARIANTS).index(name)
            made = {**base, "name": f"families_{number}", "seed": seed, "mask_seed": 1000 + seed}
            for part, changed in VARIANTS[name].items():
                made[part] = made[part] | changed
            path = folder / f"families_{number}_{seed}.yaml"
            path.write_text(yaml.safe_dump(made))
            jobs.append({"name": name, "seed": seed, "recipe": str(path)})
    return jobs


def train_share(share: Path) -> None:
    """Of a process that torchrun starts: train its jobs in turn; what is finished is left alone.

    Puts down beside each job where its run lies and how long it took when it was trained.
    """
    from training.train import end_process, start_process, train

    data, listed = Path(sys.argv[1]), json.loads(share.read_text())
    start_process()
    for job in listed:
        began = time.monotonic()
        run = train(load_recipe(job["recipe"]), data, share.parent / "runs")
        took = run / "seconds"
        if not took.is_file():
            took.write_text(f"{time.monotonic() - began:.1f}")
        job |= {"run": str(run), "seconds": float(took.read_text())}
    share.write_text(json.dumps(listed))
    end_process()


def measured(jobs: list[dict], data: Path) -> dict:
    """Scores of all variants, seeds pooled, beside the baselines."""
    dataset = load(data, load_recipe(jobs[0]["recipe"]).dataset)
    test = prepared(dataset)
    said: dict[str, list[Said]] = {}
    for job in jobs:
        predictor = ProfilePredictor(Path(job["run"]))
        said.setdefault(job["name"], []).append(model_says(predictor, dataset, test.rows["test"]))
    others = baselines_say(dataset, test)
    base = jobs[0]["name"]
    tables = test.asked.tables({**_first(said, base), **others}, finds=True)
    return {
        "photographs": {name: len(rows) for name, rows in test.rows.items()},
        "clusters": test.asked.bootstrap.clusters,
        "labels": len(dataset.schema.labels),
        "base": base,
        "goals": [goal for goal in reached(tables) if goal["above"] in others],
        "tables": _chosen(tables),
        "seeds": {
            name: [_values(_chosen(test.asked.tables({MODEL: [one]}, finds=True))) for one in seeds]
            for name, seeds in said.items()
        },
        "pairs": [
            {
                "of": one,
                "and": other,
                "tables": _chosen(
                    test.asked.tables({MODEL: said[one], other: said[other]}, finds=True)
                ),
            }
            for one, other in PAIRS
            if one in said and other in said
        ],
    }


def _first(said: Mapping[str, list[Said]], base: str) -> dict[str, list[Said]]:
    return {MODEL: said[base], **{name: one for name, one in said.items() if name != base}}


def _chosen(tables: dict[str, dict]) -> list[dict]:
    return [
        {"table": table, "score": score, **tables[table][score]}
        for table, score in SCORES
        if score in tables.get(table, {})
    ]


def _values(chosen: list[dict]) -> dict[str, float]:
    return {f"{row['table']}: {row['score']}": row["methods"][MODEL]["value"] for row in chosen}


def readable(report: dict, jobs: list[dict]) -> str:
    """The tables as Markdown."""
    many = report["photographs"]
    trained = len(jobs)
    recipe = load_recipe(jobs[0]["recipe"])
    lines = [
        f"{many['train']} training photographs, {many['calibration']} for calibration, "
        f"{many['test']} of the test split in {report['clusters']} clusters, {report['labels']} "
        f"labels; {recipe.epochs:g} passes, {trained} runs, "
        f"{report['minutes']['training']:.1f} core-minutes of training and "
        f"{report['minutes']['measuring']:.1f} of measuring. Seeds are pooled; brackets: 95 %, "
        "clusters of profiles resampled; below, the range over seeds.",
        "",
    ]
    names = list(dict.fromkeys(n for row in report["tables"] for n in row["methods"]))
    titles = [report["base"] if name == MODEL else name for name in names]
    lines += [f"| score | {' | '.join(titles)} |", "|---" * (len(names) + 1) + "|"]
    for row in report["tables"]:
        key = f"{row['table']}: {row['score']}"
        cells = []
        for name, title in zip(names, titles, strict=True):
            cell = bracket(row["methods"][name]) if name in row["methods"] else ""
            if seeds := [x[key] for x in report["seeds"].get(title, ()) if key in x]:
                cell += f"; {min(seeds):.3f} to {max(seeds):.3f}"
            cells.append(cell)
        lines.append(f"| {key} | {' | '.join(cells)} |")
    lines += ["", f"What `{report['base']}` should be above:", "", *goals(report["goals"])]
    for pair in report["pairs"]:
        lines += ["", f"{pair['of']} minus {pair['and']}:", "", "| score | difference | |"]
        lines.append("|---|---|---|")
        for row in pair["tables"]:
            difference = row["model_minus"].get(pair["and"])
            if difference is not None:
                said = (difference["verdict"] or "").replace("the model", pair["of"])
                lines.append(f"| {row['table']}: {row['score']} | {bracket(difference)} | {said} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
