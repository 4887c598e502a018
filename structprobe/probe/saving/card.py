"""The model card of a saved probe."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from structprobe.errors import escaped
from structprobe.scores.protocol import Protocol

PICTURE = "training.svg"

_SCORES = {
    "uuas": "UUAS",
    "uas": "UAS",
    "las": "LAS",
    "clas": "CLAS",
    "root_acc": "root accuracy",
    "dspr": "DSpr.",
    "nspr": "NSpr.",
}
_BASELINES = {"linear": "linear chain"}  # names in rows, and as shown

_LOADING = """\
```python
from structprobe import ProbeRecoverer
recoverer = ProbeRecoverer.from_pretrained("PROBE")  # this folder, or its hub id
print(recoverer.parse("the dog that chased the cat ran"))
```"""


def model_card(config: Mapping[str, Any], *, pictured: bool = False) -> str:
    """Write the model card of a saved probe."""
    from huggingface_hub import ModelCard, ModelCardData

    origin = config["origin"] or {}
    base_model = _hub_id(origin.get("model"))
    facts: dict[str, Any] = {**origin} or {"vectors": "plain arrays of unknown origin"}
    if origin and not base_model:  # a local path, shortened to its end
        facts["model"] = "/".join(Path(str(origin.get("model"))).parts[-2:])
    treebank = (config["history"] or {}).get("treebank")
    facts["treebank"] = treebank or "unknown: its trees were not read from a file"
    facts |= {**(config["fitted_on"] or {}), "treebank fingerprint": config["treebank_fingerprint"]}
    facts["command"] = None  # it contains local folders
    facts["recipe"] = ", ".join(
        f"{name}={value}"
        for name, value in config["hyperparameters"].items()
        if value is not None and name not in ("device", "memory_gb", "verbose")
    )
    facts["chosen on dev"] = (config["history"] or {}).get("chosen")
    data = ModelCardData(
        base_model=base_model,
        library_name="structprobe",
        tags=["structural-probe", "syntax", "dependency-parsing", "interpretability"],
    )
    sections = [
        "# Structural probe",
        f"Two matrices of rank {config['rank']} that turn the {config['hidden_size']}-dimensional "
        "word vectors of one layer of a language model into tree distances and tree depths "
        "(Hewitt & Manning 2019). Heads are read off the minimum spanning tree of the distances, "
        "rooted at the shallowest word." + _geometry(config["hyperparameters"]),
        *_relations(config),
        "## Loading",
        _LOADING,
        "## Fitted on",
        _list(facts),
        "## Scores on the dev set",
        _scores(config["dev_scores"], config.get("dev_baselines") or {}),
        *([f"![L1 loss on the dev set by training step, for both matrices]({PICTURE})"] * pictured),
        "## Versions",
        _list(config["versions"]),
    ]
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n" + "\n\n".join(sections) + "\n"))


def _geometry(hyperparameters: Mapping[str, Any]) -> str:
    """Say in which geometry distances are measured, if it is another than that of the paper."""
    name = hyperparameters.get("geometry", "euclidean")
    if name == "euclidean":
        return ""
    where = "`structprobe.probe.losses.geometries`"
    return f" Distances are those of the geometry {_code(name)}, see {where}."


def _relations(config: Mapping[str, Any]) -> list[str]:
    """Say how relations are read, if they are, and whether they help to decode the trees."""
    if config.get("relations") is None:
        return []
    told, decoding = config["relations"], config["hyperparameters"].get("decoding")
    read = {"pair": "the vectors of dependent and head", "dependent": "the vector of the dependent",
            "difference": "the difference between the vectors of dependent and head"}  # fmt: skip
    found = f"Each arc has one of {len(told['classes'])} relations, which a linear map of "
    found += f"{read[told['reads']]} gives."
    if decoding == "root":
        found += " By default, the root is the word that the relations make most probable."
    elif decoding == "joint":
        found += " By default, the tree is the directed tree with the best sum of distances and of "
        found += f"log-probabilities of relations, the latter with the weight {told['weight']:g}."
    return [found]


def _hub_id(model: object) -> str | None:
    """Give the model's name if it is a hub id and not a local folder."""
    name = str(model or "")
    local = os.path.exists(name) or os.path.isabs(name) or name.startswith(".")
    return name if re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name, re.ASCII) and not local else None


def _scores(scores: Mapping[str, Any] | None, baselines: Mapping[str, Mapping[str, Any]]) -> str:
    """Write a table of the scores and those of baselines in per cent, and their protocol."""
    if not scores:
        return "No scores were saved."
    rows = []
    for key, label in _SCORES.items():
        if scores.get(key) is not None:
            others = [_per_cent(one.get(key)) for one in baselines.values()]
            cells = [label, _per_cent(scores[key]), _interval(scores, key), *others]
            rows.append(f"| {' | '.join(cells)} |")
    protocol = {key: scores[key] for key in ("punct", "min_length", "max_length") if key in scores}
    names = [
        "score",
        "%",
        "95% interval",
        *(f"{_named(_BASELINES.get(b, b))}, %" for b in baselines),
    ]
    head = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    return "\n".join([*head, *rows, "", f"Protocol: {Protocol(**protocol)}."])


def _named(name: str) -> str:
    """Write a name that may stand in a list or a table; one of another kind is code."""
    return name if re.fullmatch(r"[\w .-]+", name) else _code(name).replace("|", "\\|")


def _per_cent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def _interval(scores: Mapping[str, Any], key: str) -> str:
    """Give the bootstrap interval over sentences in per cent, if saved."""
    ends = [scores.get(f"{key}{end}") for end in ("_low", "_high")]
    return "–" if None in ends else " to ".join(map(_per_cent, ends))


def _list(values: Mapping[str, object]) -> str:
    """Write one bullet per known value."""
    return "\n".join(
        f"- {_named(str(name).replace('_', ' '))}: {_code(value)}"
        for name, value in values.items()
        if value is not None
    )


def _code(value: object) -> str:
    """Write a value as code, in a fence that nothing in it can close."""
    text = escaped(str(value))
    longest = max(map(len, re.findall("`+", text)), default=0)
    edge = " " * (text[:1] == "`" or text[-1:] == "`")
    return f"{'`' * (longest + 1)}{edge}{text}{edge}{'`' * (longest + 1)}"
