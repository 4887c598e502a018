"""The page of one saved probe: its scores on dev beside baselines, its training, how it came."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from structprobe.errors import counted
from structprobe.results.rows import ENCODING, METRICS, Row, make_row
from structprobe.show.report.elements import Markup, element, figure, note, section
from structprobe.show.report.foot import INTERVALS, foot, tell_protocol
from structprobe.show.report.page import REPORT_SCRIPTS, make_page, page_body
from structprobe.show.report.tables import headline
from structprobe.show.row_labels import protocols_of, short_model

_WIDTH, _HEIGHT = 420, 220
_LEFT, _TOP, _BOTTOM = 44, 10, 34
_LETTERS = 12  # height of a line of text
_NOT_KEPT = (
    "A saved probe holds no trees, so this page has no sentence explorer. ",
    element("code", "structprobe evaluate PROBE/ test.conllu"),
    " prints its scores with intervals on any treebank; ",
    element("code", "structprobe sweep --layers N … -o DIR/"),
    " followed by ",
    element("code", "structprobe report DIR/"),
    " makes a page with sentences.",
)


def fitted_page(config: Mapping[str, Any], title: str | None) -> str:
    """Make the page of a saved probe."""
    origin = config["origin"] or {}
    model = short_model(str(origin.get("model", "vectors")))
    name = title or f"{model}, layer {origin.get('layer', 'unknown')}"
    size = config["hidden_size"]
    told = f"A structural probe of rank {config['rank']} on vectors of size {size}."
    main = [
        _scores(config["dev_scores"], config.get("dev_baselines") or {}),
        _training(config["history"] or {}),
        note(_NOT_KEPT),
    ]
    body = page_body("structprobe report", name, [told], main, foot=_foot(config, origin))
    return make_page(name, body, scripts=REPORT_SCRIPTS)


def _scores(scores: Mapping[str, Any] | None, baselines: Mapping[str, Mapping[str, Any]]) -> Markup:
    content = note("No scores were saved: there was no dev set.")
    if scores:
        told = {"probe": scores, **baselines}
        content = headline([_row(method, one) for method, one in told.items()])
    return section("scores", "Scores on dev", content)


def _row(method: str, scores: Mapping[str, Any]) -> Row:
    """Give saved scores as a result row; older versions saved no intervals."""
    keys = (f"{metric}{end}" for metric in METRICS for end in ("", "_low", "_high"))
    return make_row(method=method, **{key: scores.get(key) for key in keys})


def _training(history: Mapping[str, Any]) -> Markup | None:
    kept = {k: own for k in ("distance", "depth") if isinstance(own := history.get(k), Mapping)}
    figures = [_losses(k, one) for k, own in kept.items() if (one := own.get("evaluations"))]
    if not figures:
        return None
    return section("training", "Training", element("div", figures, class_="panels"))


def _losses(kind: str, evaluations: Sequence[Mapping[str, Any]]) -> Markup:
    steps = [one["step"] for one in evaluations]
    lines = {part: [one.get(f"{part}_loss") for one in evaluations] for part in ("dev", "train")}
    known = [value for line in lines.values() for value in line if value is not None]
    low, high = min(known), max(known)
    span, last = max(high - low, 1e-9), max(max(steps), 1)
    floor = _HEIGHT - _BOTTOM
    marks, ends = [], []
    for at, (name, line) in enumerate(lines.items()):
        there = [(step, one) for step, one in zip(steps, line, strict=True) if one is not None]
        xs = [_LEFT + (_WIDTH - _LEFT - 60) * step / last for step, _ in there]
        ys = [_TOP + (floor - _TOP) * (high - value) / span for _, value in there]
        if there:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
            marks.append(element("g", element("polyline", points=path), class_=f"line c{at}"))
            ends.append((ys[-1], xs[-1], name))
    lowest = 0.0
    for y, x, name in sorted(ends):  # names that do not overlap where lines meet
        lowest = max(y, lowest + _LETTERS)
        beside = {"x": f"{x + 6:.1f}", "y": f"{lowest:.1f}"}
        marks.append(element("text", name, **beside, class_="tick right"))
    marks += [
        element("text", f"{high:.2f}", x=_LEFT - 6, y=_TOP + 4, class_="tick left"),
        element("text", f"{low:.2f}", x=_LEFT - 6, y=floor, class_="tick left"),
        element("path", d=f"M{_LEFT} {floor}H{_WIDTH - 60}", class_="grid"),
        element("text", counted(last, "step"), x=_WIDTH - 60, y=floor + 18, class_="tick left"),
    ]
    best = min((value for value in lines["dev"] if value is not None), default=None)
    told = f"L1 loss of the {kind} probe over {counted(last, 'step')}"
    label = told if best is None else f"{told}; the best on dev is {best:.4f}"
    return figure(label, marks, f"0 0 {_WIDTH} {_HEIGHT}", label)


def _foot(config: Mapping[str, Any], origin: Mapping[str, Any]) -> Markup:
    fitted_on = config["fitted_on"] or {}
    scores = config["dev_scores"] or {}
    settings = config["hyperparameters"] or {}
    left_out = ("verbose", "random_state", "device")
    told = {k: v for k, v in settings.items() if v is not None and k not in left_out}
    vectors = ", ".join(f"{key} {origin[key]}" for key in ENCODING if key in origin)
    terms: dict[str, Iterable[str]] = {
        "protocol": [tell_protocol(protocol) for protocol in protocols_of([scores])],
        "intervals": [INTERVALS] if scores.get("uuas_low") is not None else [],
        "model": [str(origin[key]) for key in ("model", "revision") if origin.get(key)],
        "model fingerprint": [str(origin.get("fingerprint") or "")],
        "word vectors": [vectors],
        "train": [str(fitted_on.get("train") or "")],
        "dev": [str(fitted_on.get("dev") or "")],
        "train fingerprint": [str(config["treebank_fingerprint"] or "")],
        "settings": [", ".join(f"{key} {value}" for key, value in told.items())],
        "seed": [str(settings["random_state"])] if settings.get("random_state") is not None else [],
        "versions": [", ".join(f"{k} {v}" for k, v in (config.get("versions") or {}).items())],
    }
    return foot(terms, [fitted_on.get("command")])
