"""One thread a process: small networks gain nothing from more, and lose where cores are shared."""

import torch

torch.set_num_threads(1)
