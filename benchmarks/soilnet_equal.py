"""The SoilNet authors' way of working beside this project's, both trained: speed and scores.

    PYTHONPATH=. python benchmarks/soilnet_equal.py SET DATA_ROOT OUT [--passes N] [--seeds N]

SET is a version of a profile set, DATA_ROOT the data root that it was made in: their way reads the
photographs that the set's pictures were made from, at their own size. Both ways have the encoder
and the widths of recipe `soilnet_end2end`, learn from the same photographs as often, with the same
optimiser and rates, and are scored by `training.profile_evaluate`'s tables. Apart from that each
works as it does: theirs (`soilnet_theirs.py`, arXiv 2508.03785 and its code) pads photographs to
the largest of a batch, reads depths from one vector, cuts 8 random crops of 224 x 224 pixels of
each segment, and has the authors' loss; this project's reads pictures of 256 x 128 pixels once, as
the recipe says. Neither is calibrated, so that nothing but the training differs.

CPU seconds are those of one thread, in turns of one pass; photographs are decoded before, for both.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import yaml
from soilnet_theirs import STOP, Sizes, TheirWay
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (torch's own convention)

from adapters.readers.photograph import read_photograph
from adapters.settings import load_settings
from fusion.profiles.pictures import frame
from fusion.profiles.sets import original
from models.soilnet_parts import PatchCNN, PatchCNNConfig
from training.bootstrap import MODEL
from training.masks import order
from training.parts import LOSSES, MODELS
from training.profile_calibrate import uncalibrated
from training.profile_evaluate import prepared
from training.profile_forms import Guess, Segments
from training.profile_predict import answers
from training.profile_tables import FOUND, TRUE, Said
from training.profiles import ProfileDataset, load
from training.recipe import RECIPES, Recipe
from training.report import bracket
from training.runs import write_json
from training.train import learning_rate

THEIRS = "the authors' way"
CROPS = 8
FORCED_PASSES = 5
"""Over so many passes the authors meant true depths and properties to stand in less, 1 to 0.2."""
SCORES = (
    ("boundaries", "matched IoU"),
    ("boundaries", "boundary F1 within 2 cm"),
    ("boundaries", "boundary F1 within 5 cm"),
    ("boundaries", "right number of horizons"),
    (f"properties of {TRUE}", "texture: accuracy"),
    (f"properties of {TRUE}", "colour: accuracy"),
    (f"symbols of {TRUE}", "accuracy"),
    (f"symbols of {TRUE}", "accuracy@5"),
    (f"symbols of {TRUE}", "accuracy of main symbols"),
    (f"symbols of {TRUE}", "hierarchical distance"),
    (f"symbols of {FOUND}", "panoptic quality of labels"),
)


@dataclass
class Way:
    """One way of working.

    Attributes:
        net: The network.
        loss: Of some rows, in such a pass, drawn with such numbers.
        says: Of rows, of true segments or of found ones.
    """

    net: nn.Module
    loss: Callable[[np.ndarray, np.ndarray], Tensor]
    says: Callable[[np.ndarray, bool], Guess]


def ours(dataset: ProfileDataset, recipe: Recipe) -> Way:
    """The recipe's model."""
    net = MODELS["soilnet"](recipe.model, dataset.schema)
    loss_of = LOSSES["profile"](recipe.loss, dataset.schema)

    def loss(rows: np.ndarray, draws: np.ndarray) -> Tensor:
        batch = dataset.draw(rows, draws, recipe.mask_seed)
        terms = loss_of(net(batch), batch).values()
        return sum(total / count.clamp(min=1) for total, count in terms)

    def says(rows: np.ndarray, true: bool) -> Guess:
        return answers(net, dataset, rows, true_segments=true)

    return Way(net, loss, says)


class Encoder(nn.Module):
    """The recipe's encoder, of photographs in which all is soil."""

    def __init__(self, config: PatchCNNConfig) -> None:
        super().__init__()
        self.network = PatchCNN(config)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, h, w) -> (B, width, rows, columns)."""
        return self.network(pictures, torch.ones_like(pictures[:, 0], dtype=torch.bool))


def theirs(dataset: ProfileDataset, recipe: Recipe, photographs: list[np.ndarray]) -> Way:
    """Their way in the sizes of the recipe."""
    schema, model = dataset.schema, recipe.model
    encoder = PatchCNNConfig(**model.encoder.model_dump(exclude={"name"}))
    outs = {"stones": 1, **{c.name: len(c.codes) for c in schema.classes}}
    net = TheirWay(
        partial(Encoder, encoder),
        Sizes(
            features=encoder.widths[-1], picture=model.segment_width, site=model.site_width,
            depths=model.depth_width, properties=model.property_width, told=model.told_width,
            symbols=model.symbol_width,
        ),
        len(schema.numbers) + sum(len(c.codes) for c in schema.codes),
        outs, len(schema.labels), schema.horizons, CROPS,
    )  # fmt: skip
    mean, std = (torch.tensor(x).view(3, 1, 1) for x in (schema.channel_mean, schema.channel_std))
    many = len(dataset.rows("train"))

    def read_in(rows: np.ndarray) -> tuple[list[Tensor], Tensor, dict]:
        batch = dataset.whole(rows)
        codes = [
            F.one_hot(batch["site_codes"][:, i] + 1, len(c.codes) + 1)[:, 1:]
            for i, c in enumerate(schema.codes)
        ]
        pictures = [
            (torch.from_numpy(photographs[row]).permute(2, 0, 1) - mean) / std for row in rows
        ]
        return pictures, torch.cat([batch["site_numbers"], *codes], 1).float(), batch

    def loss(rows: np.ndarray, draws: np.ndarray) -> Tensor:
        pictures, site, batch = read_in(rows)
        done = draws[0] / many / FORCED_PASSES
        forced = np.random.default_rng(int(draws[0])).random() < max(1 - 0.8 * done, 0.2)
        depths = net.find_depths(pictures, site)
        told = None
        if forced:
            certain = [
                F.one_hot(batch["classes"][c.name] + 1, len(c.codes) + 1)[..., 1:].float()
                for c in schema.classes
            ]
            told = torch.cat([batch["stones"].unsqueeze(-1), *certain], -1)
        used = batch["bounds"] if forced else depths.detach()
        found, symbol = net.name_segments(pictures, site, used, told)
        known = batch["stones_known"]
        stones = (found["stones"].squeeze(-1) - batch["stones"]).square() * known
        total = 10 * F.mse_loss(depths, batch["bounds"]) + stones.sum() / known.sum() / 10
        for scores, codes in (
            *((found[c.name], batch["classes"][c.name]) for c in schema.classes),
            (symbol, batch["symbol"]),
        ):
            total = total + F.cross_entropy(scores.flatten(0, 1), codes.flatten(), ignore_index=-1)
        return total

    def says(rows: np.ndarray, true: bool) -> Guess:
        parts = []
        for part in np.array_split(rows, max(len(rows) // recipe.batch, 1)):
            pictures, site, batch = read_in(part)
            bounds = batch["bounds"] if true else net.find_depths(pictures, site)
            found, symbol = net.name_segments(pictures, site, bounds)
            parts.append(
                Guess(
                    Segments.of(torch.where(bounds >= STOP, 1.0, bounds).double().numpy()),
                    symbol.double().softmax(-1).numpy(),
                    found["stones"].squeeze(-1).double().numpy(),
                    {c.name: found[c.name].double().softmax(-1).numpy() for c in schema.classes},
                )
            )
        return Guess.joined(parts)

    return Way(net, loss, says)


def trained(way: Way, dataset: ProfileDataset, recipe: Recipe) -> Iterator[float]:
    """Train; after each pass, the CPU seconds that it took."""
    rows, optimiser = dataset.rows("train"), recipe.optimiser
    adam = torch.optim.AdamW(way.net.parameters(), weight_decay=optimiser.weight_decay)
    seen = 0
    for number in range(round(recipe.epochs)):
        began = time.process_time()
        while seen < (number + 1) * len(rows):
            draws = seen + np.arange(recipe.batch)
            for group in adam.param_groups:
                group["lr"] = learning_rate(optimiser, seen / len(rows), recipe.epochs)
            torch.manual_seed(recipe.seed + 1_000_003 * seen)
            way.net.train()
            adam.zero_grad()
            way.loss(rows[order(len(rows), recipe.seed, draws)], draws).backward()
            nn.utils.clip_grad_norm_(way.net.parameters(), optimiser.gradient_clip)
            adam.step()
            seen += recipe.batch
        yield time.process_time() - began


@torch.no_grad()
def asked(way: Way, rows: np.ndarray) -> tuple[Said, float]:
    """What a way says of the test split, and CPU seconds of describing it from photograph alone."""
    way.net.eval()
    torch.manual_seed(0)
    true = way.says(rows, True)
    began = time.process_time()
    found = way.says(rows, False)
    return Said(true, found, uncalibrated()), time.process_time() - began


def main() -> None:
    """Train both ways, score them, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("set", type=Path)
    parser.add_argument("data_root", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--passes", type=float, help="[default: the recipe's]")
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(1)
    said_of = yaml.safe_load((RECIPES / "soilnet_end2end.yaml").read_text(encoding="utf-8"))
    said_of["epochs"] = given.passes or said_of["epochs"]
    dataset = load(given.set, Recipe.model_validate(said_of).dataset)
    settings = load_settings().model_copy(update={"data_root": given.data_root})
    photographs = []
    for row in range(len(dataset.profiles)):
        photograph = read_photograph(original(settings, dataset.group, row))
        photographs.append(photograph.pixels[frame(photograph.kept)])
    test = prepared(dataset)
    said: dict[str, list[Said]] = {MODEL: [], THEIRS: []}
    seconds: dict[str, dict[str, list[float]]] = {
        name: {"learn": [], "describe": []} for name in said
    }
    for seed in range(given.seeds):
        recipe = Recipe.model_validate(said_of | {"seed": seed, "mask_seed": 1000 + seed})
        torch.manual_seed(seed)
        ways = {MODEL: ours(dataset, recipe), THEIRS: theirs(dataset, recipe, photographs)}
        running = {name: trained(way, dataset, recipe) for name, way in ways.items()}
        for _ in range(round(recipe.epochs)):
            for name, passes in running.items():
                seconds[name]["learn"].append(next(passes) / len(dataset.rows("train")))
        for name, way in ways.items():
            answer, took = asked(way, test.rows["test"])
            said[name].append(answer)
            seconds[name]["describe"].append(took / len(test.rows["test"]))
    tables = test.asked.tables(said, finds=True)
    report = {
        "photographs": {name: len(rows) for name, rows in test.rows.items()},
        "clusters": test.asked.bootstrap.clusters,
        "passes": round(said_of["epochs"]),
        "seeds": given.seeds,
        "seconds": seconds,
        "tables": {f"{table}: {score}": tables[table][score] for table, score in SCORES},
    }
    given.out.mkdir(parents=True, exist_ok=True)
    write_json(given.out / "equal.json", report)
    text = readable(report)
    (given.out / "equal.md").write_text(text)
    print(text)


def readable(report: dict) -> str:
    """The tables as Markdown."""
    many = report["photographs"]
    lines = [
        f"{many['train']} training photographs, {many['test']} of the test split in "
        f"{report['clusters']} clusters, {report['passes']} passes, {report['seeds']} seeds. "
        "Median CPU seconds of one thread, quartiles in brackets:",
        "",
        f"| | this project's | {THEIRS} | times |",
        "|---|---|---|---|",
    ]
    for kind in ("learn", "describe"):
        own, other = (np.array(report["seconds"][name][kind]) for name in (MODEL, THEIRS))
        cells = [
            f"{np.median(x):.4f} [{np.quantile(x, 0.25):.4f}, {np.quantile(x, 0.75):.4f}]"
            for x in (own, other)
        ]
        ratio = np.median(other / own)
        lines.append(f"| {kind}, a photograph | {cells[0]} | {cells[1]} | {ratio:.1f} |")
    lines += ["", f"| score | this project's | {THEIRS} | difference | |", "|---|---|---|---|---|"]
    for name, row in report["tables"].items():
        own, other = (bracket(row["methods"][way]) for way in (MODEL, THEIRS))
        minus = row["model_minus"][THEIRS]
        verdict = (minus["verdict"] or "").replace("the model", "this project's")
        lines.append(f"| {name} | {own} | {other} | {bracket(minus)} | {verdict} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
