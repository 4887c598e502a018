"""Write known vectors into a store, here or in a process that comes to grief."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from structprobe.encoder.cache import store
from structprobe.encoder.cache.shards import Shard
from structprobe.errors import StoreError

ROOT = Path(__file__).resolve().parents[2]

KEY = {"fingerprint": "f", "words": "w", "pooling": "mean", "spacing": "words", "bos": False}
OFFSETS = [0, 3, 4, 4, 8, 14]


def expected(layer, sentence=None, hidden_size=4, offsets=OFFSETS):
    """All vectors of a layer, or those of a sentence: counted up, the layer in the hundreds."""
    values = np.arange(offsets[-1] * hidden_size, dtype=np.float32).reshape(-1, hidden_size)
    values = values / 4 + 100 * layer
    return values if sentence is None else values[offsets[sentence] : offsets[sentence + 1]]


def fill(opened):
    """Write what is missing, a sentence at a time, and finish."""
    for number in opened.missing:
        rows = {
            layer: expected(layer, number, opened.shape[1], opened.offsets.tolist())
            for layer in opened.missing_layers
        }
        opened.write([number], rows)
    opened.finish()


def open_at(folder, **changes):
    """Open a store of the known vectors, or of others."""
    defaults = {
        "key": KEY, "layers": (0, 2), "offsets": OFFSETS, "hidden_size": 4, "dtype": "float32",
    }  # fmt: skip
    return store.open_store(folder, **(defaults | changes))


def filled(folder, **changes):
    """Open a store and fill it."""
    with open_at(folder, **changes) as opened:
        fill(opened)
    return opened


def write_and_die(folder, n_sentences):
    """Write some sentences, begin another, and be killed."""
    store.SYNC_SECONDS = 0
    opened = open_at(folder)
    for number in range(int(n_sentences)):
        opened.write([number], {layer: expected(layer, number) for layer in (0, 2)})
    opened._write_layer(0, np.array([int(n_sentences)]), np.full((4, 4), -1, np.float32))
    os.kill(os.getpid(), signal.SIGKILL)


def write_slowly(folder):
    """Write what is missing with pauses, and tell how much it was."""
    with open_at(folder) as opened:
        count = opened.missing.size
        for number in opened.missing:
            time.sleep(0.1)
            opened.write([number], {layer: expected(layer, number) for layer in (0, 2)})
        opened.finish()
    print("wrote", count)


def write_shard(folder, shard):
    """Write a shard with pauses, and tell which were missing when it was done."""
    with open_at(folder, shard=Shard.parse(shard)) as opened:
        for number in opened.missing:
            time.sleep(0.05)
            opened.write([number], {layer: expected(layer, number) for layer in (0, 2)})
        opened.finish()
        print(opened.missing_shards)


def write_shard_and_die(folder, shard):
    """Write a shard's first sentence, then another's rows half, and be killed."""
    store.SYNC_SECONDS = 0
    opened = open_at(folder, shard=Shard.parse(shard))
    first, second = opened.missing[:2]
    opened.write([first], {layer: expected(layer, first) for layer in (0, 2)})
    junk = np.full(expected(0, second).shape, -1, np.float32)
    opened._write_layer(0, np.array([second]), junk)
    os.kill(os.getpid(), signal.SIGKILL)


def in_subprocess(script, folder, *args, wait=True):
    """Run a line of this module in another process."""
    command = [sys.executable, "-c", f"import sys; from support.vector_writer import *; {script}"]
    command += [str(folder), *map(str, args)]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    return (process, *process.communicate(timeout=60)) if wait else process


def write_with_little_room(folder):
    """Write more than the system lets this process write."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
    try:
        with open_at(folder, offsets=[0, 1000], hidden_size=64) as opened:
            opened.write([0], {layer: np.ones((1000, 64)) for layer in (0, 2)})
    except StoreError as error:
        print(error)
