"""How many photographs a second SoilNet learns from and describes, beside its authors' way.

`PYTHONPATH=. python benchmarks/soilnet.py [photographs] [rounds]`: three tasks end to end, profiles
of five horizons, true depths. Their way (arXiv 2508.03785 and its code) is re-enacted with plain
modules of the sizes that they use: photographs at their own size, padded to the largest of the
batch (here 420 to 640 pixels high and half as wide, as the largest twin's are), a masked mean over
a ResNet-18 of them, 8 or 48 random crops of 224 x 224 pixels a segment through another ResNet-18, a
BiLSTM of 1,024 for each of six properties. What is measured beside it is the model that recipes
make: with the same encoder, in the authors' sizes, and as it is demonstrated. It reads pictures of
256 x 128 pixels, each once.

Each way runs in a process of its own, in turns: CPU seconds of one thread, which other work on the
machine disturbs less, and the most memory that it took on top of what was there before the first
step. Decoding of photographs is counted for neither. Scores are not compared here: the re-enacted
way is not trained.
"""

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from models.profile_losses import profile
from models.soilnet import ProfileBatch
from training.parts import MODELS
from training.profile_schema import ProfileSchema, PropertyClass, SiteCode, SiteNumber
from training.recipe import ResNetEncoder, SoilNetModel, load_recipe

HORIZONS, SEGMENTS = 8, 5
CROP = 224
HEIGHTS = (420, 640)
CLASSES = {"texture": 17, "colour": 77, "carbonate": 8, "humus": 8, "roots": 7}
LABELS, DIMENSIONS = 99, 61
NUMBERS, CODES = 7, (12,) * 12
SITE = NUMBERS + sum(CODES)
Step = Callable[[], None]


# Their way.


def resnet18() -> nn.Module:
    """As torchvision has it, without its last layers."""
    from transformers import ResNetConfig, ResNetModel

    return ResNetModel(
        ResNetConfig(hidden_sizes=[64, 128, 256, 512], depths=[2, 2, 2, 2], layer_type="basic")
    )


class TheirHead(nn.Module):
    """Linear, BatchNorm, ReLU, a two-layer BiLSTM over the segments, Linear."""

    def __init__(self, n_in: int, width: int, out: int) -> None:
        super().__init__()
        self.enter, self.norm = nn.Linear(n_in, width), nn.BatchNorm1d(width)
        self.lstm = nn.LSTM(width, width, num_layers=2, bidirectional=True, batch_first=True)
        self.leave = nn.Linear(2 * width, out)

    def forward(self, x: Tensor) -> Tensor:
        """(B, S, n_in) -> (B, S, out)."""
        x = torch.relu(self.norm(self.enter(x).flatten(0, 1))).view(*x.shape[:2], -1)
        return self.leave(self.lstm(x)[0])


class TheirWay(nn.Module):
    """SoilNet as its authors compute it."""

    def __init__(self, crops: int) -> None:
        super().__init__()
        self.crops = crops
        self.picture, self.segment = resnet18(), resnet18()
        self.project = nn.Linear(512, 512)
        self.site = nn.Sequential(
            nn.Linear(SITE, 512), nn.BatchNorm1d(512), nn.ReLU(),
            nn.Linear(512, 256), nn.BatchNorm1d(256), nn.ReLU(),
        )  # fmt: skip
        self.depths = TheirHead(768, 256, 1)
        outs = {"stones": 1, **CLASSES}
        self.properties = nn.ModuleDict({k: TheirHead(768, 1024, n) for k, n in outs.items()})
        self.told = nn.Linear(sum(outs.values()), 64)
        self.symbol = TheirHead(512 + 256 + 64, 256, DIMENSIONS)

    def forward(self, pictures: list[Tensor], site: Tensor) -> list[Tensor]:
        """All outputs, of (3, h, w) pictures of different sizes and (B, SITE) columns."""
        height, width = (max(p.shape[i] for p in pictures) for i in (1, 2))
        padded = torch.zeros(len(pictures), 3, height, width)
        mask = torch.zeros(len(pictures), 1, height, width)
        for row, one in enumerate(pictures):
            padded[row, :, : one.shape[1], : one.shape[2]] = one
            mask[row, :, : one.shape[1], : one.shape[2]] = 1
        features = self.picture(padded).last_hidden_state
        seen = nn.functional.interpolate(mask, features.shape[2:], mode="nearest")
        whole = self.project((features * seen).sum((2, 3)) / seen.sum((2, 3)))
        place = self.site(site)
        steps = torch.cat([whole, place], 1).unsqueeze(1).expand(-1, HORIZONS, -1)
        out = [self.depths(steps).relu().cumsum(1).clamp(0, 1)]
        rows = []
        for one in pictures:
            cuts = torch.linspace(0, one.shape[1], SEGMENTS + 1).int().tolist()
            segments = []
            for top, bottom in zip(cuts[:-1], cuts[1:], strict=True):
                strip = one[None, :, top:bottom]
                if strip.shape[2] < CROP or strip.shape[3] < CROP:
                    size = [max(CROP, edge) for edge in strip.shape[2:]]
                    strip = nn.functional.interpolate(strip, size, mode="bilinear")
                ys = torch.randint(strip.shape[2] - CROP + 1, (self.crops,)).tolist()
                xs = torch.randint(strip.shape[3] - CROP + 1, (self.crops,)).tolist()
                crops = [
                    strip[0, :, y : y + CROP, x : x + CROP] for y, x in zip(ys, xs, strict=True)
                ]
                segments.append(self.segment(torch.stack(crops)).pooler_output.flatten(1).mean(0))
            rows.append(torch.stack(segments))
        x = torch.cat([torch.stack(rows), place.unsqueeze(1).expand(-1, SEGMENTS, -1)], -1)
        found = [head(x) for head in self.properties.values()]
        told = torch.relu(self.told(torch.cat(found, -1)))
        return [*out, *found, self.symbol(torch.cat([x, told], -1))]


def their_way(crops: int, photographs: int) -> tuple[nn.Module, Step, Step]:
    """The module, a step of training and one of use."""
    net = TheirWay(crops)
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-4)
    heights = torch.linspace(*HEIGHTS, photographs).int().tolist()
    pictures = [torch.randn(3, height, height // 2) for height in heights]
    site = torch.randn(photographs, SITE)

    def learn() -> None:
        sum(out.square().mean() for out in net(pictures, site)).backward()
        optimiser.step()
        optimiser.zero_grad()

    return net, learn, lambda: net(pictures, site)


# This project's.


def schema() -> ProfileSchema:
    """Of the sizes of the published data."""
    vectors = torch.nn.functional.normalize(torch.rand(LABELS, DIMENSIONS), dim=1).tolist()
    names = [str(place) for place in range(LABELS)]
    return ProfileSchema(
        height=256,
        width=128,
        depth_cm=100,
        channel_mean=(0, 0, 0),
        channel_std=(1, 1, 1),
        numbers=tuple(SiteNumber(name=str(i), mean=0, std=1) for i in range(NUMBERS)),
        codes=tuple(SiteCode(name=str(i), codes=tuple(names[:n])) for i, n in enumerate(CODES)),
        classes=tuple(
            PropertyClass(
                name=k, codes=tuple(names[:n]), ordinal=k in ("carbonate", "humus", "roots")
            )
            for k, n in CLASSES.items()
        ),
        labels=tuple(names),
        embedding=tuple(map(tuple, vectors)),
        stands_for={},
        horizons=HORIZONS,
    )


def batch(photographs: int) -> ProfileBatch:
    """Random photographs: time does not depend on what they hold."""
    exists = (torch.arange(HORIZONS) < SEGMENTS).expand(photographs, -1)
    bounds = torch.where(exists, torch.arange(1, HORIZONS + 1) / SEGMENTS, 1.0)
    shape = (photographs, HORIZONS)
    return {
        "picture": torch.randn(photographs, 3, 256, 128),
        "soil": torch.ones(photographs, 256, 128, dtype=torch.bool),
        "site_numbers": torch.randn(photographs, NUMBERS),
        "site_known": torch.ones(photographs, NUMBERS, dtype=torch.bool),
        "site_codes": torch.randint(12, (photographs, len(CODES))),
        "bounds": bounds,
        "horizons": exists,
        "stones": torch.rand(shape),
        "stones_known": exists,
        "classes": {name: torch.randint(n, shape) for name, n in CLASSES.items()},
        "symbol": torch.randint(LABELS, shape),
        "force_depths": torch.ones(photographs, dtype=torch.bool),
        "force_properties": torch.zeros(photographs, dtype=torch.bool),
    }


def this_way(part: SoilNetModel, photographs: int) -> tuple[nn.Module, Step, Step]:
    """The model of a recipe, a step of training and one of use."""
    net = MODELS["soilnet"](part, schema())
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-4)
    given = batch(photographs)
    labels = "embedding" if part.symbol_head == "embedding" else "cross_entropy"
    terms = ("depth", "pointing", "stop", "stones", "classes", "symbol")

    def learn() -> None:
        found = profile(
            net(given),
            given,
            label_loss=labels,
            ordinal=["carbonate", "humus", "roots"],
            levels=(),
            weights=dict.fromkeys(terms, 1.0),
        )
        sum(total / count for total, count in found.values()).backward()
        optimiser.step()
        optimiser.zero_grad()

    return net, learn, lambda: net(given)


def same_encoder() -> SoilNetModel:
    """The large model with a ResNet-18 in place of its encoder."""
    return load_recipe("soilnet_end2end_large").model.model_copy(
        update={"encoder": ResNetEncoder()}
    )


WAYS = {
    "theirs, 8 crops a segment": lambda n: their_way(8, n),
    "theirs, 48 crops a segment": lambda n: their_way(48, n),
    "same encoder, soft masks": lambda n: this_way(same_encoder(), n),
    "same encoder, crops": lambda n: this_way(
        same_encoder().model_copy(update={"segments": "crop"}), n
    ),
    "soilnet_end2end_large": lambda n: this_way(load_recipe("soilnet_end2end_large").model, n),
    "soilnet_end2end": lambda n: this_way(load_recipe("soilnet_end2end").model, n),
}
SLOW = "theirs, 48 crops a segment"
"""Six times the work of the first: measured in one round, and in use alone."""


def measure(way: str, photographs: int) -> dict[str, float]:
    """CPU seconds a photograph and most memory of one way, in this process."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net, learn, use = WAYS[way](photographs)
    found = {"weights": sum(p.numel() for p in net.parameters()) / 1e6}

    def taken(step: Step) -> dict[str, float]:
        before = _memory()
        step()  # The first allocates.
        started = time.process_time()
        step()
        seconds = (time.process_time() - started) / photographs
        return {"seconds": seconds, "mb": _memory() - before}

    net.eval()
    with torch.no_grad():
        found |= {f"use {k}": v for k, v in taken(use).items()}
    if way != SLOW:
        net.train()
        found |= {f"learn {k}": v for k, v in taken(learn).items()}
    return found


def _memory() -> float:
    """Most memory that this process has had, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Let the ways take turns, and print."""
    if sys.argv[1:2] == ["--way"]:
        print(json.dumps(measure(sys.argv[2], int(sys.argv[3]))))
        return
    photographs = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for turn in range(rounds):
        for way in WAYS:
            if way == SLOW and turn:
                continue
            command = [sys.executable, str(Path(__file__)), "--way", way, str(photographs)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found[way].append(json.loads(done.stdout))
    print(f"batches of {photographs}, {rounds} rounds, torch {torch.__version__}")
    theirs = found["theirs, 8 crops a segment"]
    for way, measured in found.items():
        parts = [f"{measured[0]['weights']:.1f} M weights"]
        for kind in ("learn", "use"):
            if f"{kind} seconds" not in measured[0]:
                continue
            rates = [1 / one[f"{kind} seconds"] for one in measured]
            gains = [
                a[f"{kind} seconds"] / b[f"{kind} seconds"]
                for a, b in zip(theirs, measured, strict=False)
            ]
            memory = statistics.median(one[f"{kind} mb"] for one in measured)
            parts.append(
                f"{kind} {statistics.median(rates):.2f} a CPU second ({min(rates):.2f} to "
                f"{max(rates):.2f}), {statistics.median(gains):.1f} x theirs ({min(gains):.1f} to "
                f"{max(gains):.1f}), {memory:.0f} MB"
            )
        print(f"{way}: " + "; ".join(parts))


if __name__ == "__main__":
    main()
