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
step. Decoding of photographs is counted for neither. Scores are compared by `soilnet_equal.py`.
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
from soilnet_theirs import Sizes, TheirWay
from torch import Tensor, nn

from models.profile_losses import profile
from models.soilnet import ProfileBatch
from training.parts import MODELS
from training.profile_schema import ProfileSchema, PropertyClass, SiteCode, SiteNumber
from training.recipe import ResNetEncoder, SoilNetModel, load_recipe

HORIZONS, SEGMENTS = 8, 5
HEIGHTS = (420, 640)
CLASSES = {"texture": 17, "colour": 77, "carbonate": 8, "humus": 8, "roots": 7}
LABELS, DIMENSIONS = 99, 61
NUMBERS, CODES = 7, (12,) * 12
SITE = NUMBERS + sum(CODES)
Step = Callable[[], None]


# Their way.


class ResNet18(nn.Module):
    """As torchvision has it, without its last layers."""

    def __init__(self) -> None:
        super().__init__()
        from transformers import ResNetConfig, ResNetModel

        sizes = ResNetConfig(
            hidden_sizes=[64, 128, 256, 512], depths=[2, 2, 2, 2], layer_type="basic"
        )
        self.network = ResNetModel(sizes)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, h, w) -> (B, 512, h / 32, w / 32)."""
        return self.network(x).last_hidden_state


def their_way(crops: int, photographs: int) -> tuple[nn.Module, Step, Step]:
    """The module, a step of training and one of use."""
    net = TheirWay(ResNet18, Sizes(), SITE, {"stones": 1, **CLASSES}, DIMENSIONS, HORIZONS, crops)
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-4)
    heights = torch.linspace(*HEIGHTS, photographs).int().tolist()
    pictures = [torch.randn(3, height, height // 2) for height in heights]
    site = torch.randn(photographs, SITE)
    bounds = (torch.arange(1, SEGMENTS + 1) / SEGMENTS).expand(photographs, -1)

    def use() -> list[Tensor]:
        depths = net.find_depths(pictures, site)
        properties, symbol = net.name_segments(pictures, site, bounds)
        return [depths, *properties.values(), symbol]

    def learn() -> None:
        sum(out.square().mean() for out in use()).backward()
        optimiser.step()
        optimiser.zero_grad()

    return net, learn, use


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
