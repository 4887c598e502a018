"""Try every architecture of transformers' AutoModel that reads text, and write the table of them.

``python docs/architectures/build_table.py`` builds a tiny model of each with random weights, lets
structprobe read it, checks the vectors with plain passes of the model, and writes
``../architectures.md`` and ``results.json``; it takes some minutes.
``--only bert,gpt2`` tries some.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path

from table import TRACEBACK, WRONG, Result, make_page, summarise

HERE = Path(__file__).resolve().parent
PAGE, RESULTS = HERE.parent / "architectures.md", HERE / "results.json"
_MOST_MEMORY = 10 << 30  # bytes of address space
_ENVIRONMENT = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
# What is imported once for all; only what is installed is found by the process that does it.
_PRELOADED = [
    *("torch", "structprobe.encoder.encoder", "transformers.conversion_mapping"),
    *("transformers.modeling_layers", "transformers.models.auto.modeling_auto"),
]


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the architectures; 1 if one is read wrongly or with a traceback."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", help="architectures, separated by commas; nothing is written")
    parser.add_argument("--update", action="store_true", help="with --only: write their rows")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default 2)")
    parser.add_argument("--timeout", type=float, default=300, help="seconds for one (default 300)")
    parser.add_argument("--json", type=Path, help="another file for the results, and no page")
    parser.add_argument("--no-folders", action="store_true", help="model objects only")
    options = parser.parse_args(arguments)
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)

    import torch
    import transformers
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    import structprobe

    known = list(MODEL_MAPPING_NAMES)
    names = options.only.split(",") if options.only else known
    if unknown := sorted(set(names) - set(known)):
        parser.error(f"not in AutoModel's mapping: {', '.join(unknown)}")
    old = json.loads(RESULTS.read_text(encoding="utf-8"))["rows"] if options.update else []
    rows = {row["architecture"]: row for row in old}
    path = options.json or (RESULTS if options.update or not options.only else None)
    versions = {
        "structprobe": structprobe.__version__,
        "transformers": transformers.__version__,
        "torch": torch.__version__.split("+")[0],
    }
    tried, started = [], time.monotonic()
    for row in try_all(names, options.jobs, options.timeout, not options.no_folders):
        tried.append(row)
        rows[row["architecture"]] = row
        print(f"{row['architecture']}: {row['status']} {row['reason']}".rstrip()[:300], flush=True)
        if path:  # after each, since a run is long
            ordered = [rows[name] for name in known if name in rows]
            lines = ",\n".join(json.dumps(row) for row in ordered)
            results = f'{{"versions": {json.dumps(versions)}, "rows": [\n{lines}\n]}}\n'
            path.write_text(results, encoding="utf-8")
    print(f"\n{summarise(tried)}\n{time.monotonic() - started:.0f} s")
    if path == RESULTS:
        PAGE.write_text(make_page(ordered, versions), encoding="utf-8")
    return int(any(row["status"] in (WRONG, TRACEBACK) for row in tried))


def try_all(
    names: Sequence[str], jobs: int, timeout: float, folders: bool = True
) -> Iterator[Result]:
    """Try each architecture in a process of its own, since some hang, crash or change others."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    waiting, running = list(reversed(names)), {}
    while waiting or running:
        while waiting and len(running) < jobs:
            here, there = context.Pipe(duplex=False)
            name = waiting.pop()
            process = context.Process(target=_try_one, args=(name, folders, there), daemon=True)
            process.start()
            there.close()
            running[here] = (name, process, time.monotonic())
        ready = wait(list(running), timeout=0.5)
        for here, (name, process, started) in list(running.items()):
            seconds = time.monotonic() - started
            if here in ready:
                yield _receive(here, name, process) | {"seconds": round(seconds, 1)}
            elif seconds > timeout:
                process.kill()
                yield _failed(name, f"no answer in {timeout:.0f} s") | {
                    "seconds": round(seconds, 1)
                }
            else:
                continue
            process.join()
            del running[here]


def _receive(here: Connection, name: str, process: multiprocessing.process.BaseProcess) -> Result:
    """Give the result of a process, which may have died."""
    try:
        return here.recv()
    except EOFError:
        process.join()
        return _failed(name, f"the process ended with {process.exitcode}")


def _failed(name: str, reason: str) -> Result:
    """Give the result of a process that gave none."""
    from dataclasses import asdict

    from trial import Row

    return asdict(Row(name, status=TRACEBACK, reason=reason))


def _try_one(name: str, folders: bool, there: Connection) -> None:
    """Try one architecture, in its own process."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    except (ImportError, ValueError):  # not on this system
        pass
    import torch
    from trial import try_architecture

    torch.set_num_threads(1)
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - libraries' progress bars
    there.send(try_architecture(name, folders))
    there.close()


if __name__ == "__main__":
    sys.exit(main())
