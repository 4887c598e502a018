"""The experiments' functions with all settings as keywords, each of which goes where it belongs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from inspect import signature
from typing import Any

from structprobe.experiments import compare as comparing
from structprobe.experiments import config as configs
from structprobe.experiments import fit as fitting
from structprobe.experiments import heads
from structprobe.experiments import sweep as sweeping
from structprobe.experiments.instruments import axes
from structprobe.experiments.instruments import codelength as coding
from structprobe.experiments.instruments import decompose as decomposing
from structprobe.experiments.instruments import localise as localising
from structprobe.experiments.instruments import transfer as transferring
from structprobe.experiments.runs import planning


def make_config(cls: Any, **settings: Any) -> Any:
    """Make a config of flat settings, those of training among them."""
    if "training" in {field.name for field in fields(cls)}:
        names = {field.name for field in fields(configs.Training)} & set(settings)
        training = {name: settings.pop(name) for name in names}
        settings.setdefault("training", configs.Training(**training))
    return cls(**settings)


def _flat(function: Callable[..., Any], cls: Any) -> Callable[..., Any]:
    def call(*args: Any, **settings: Any) -> Any:
        own = set(signature(function).parameters) & set(settings)
        given = {name: settings.pop(name) for name in own}
        return function(*args, **given, config=make_config(cls, **settings))

    return call


sweep = _flat(sweeping.sweep, configs.SweepConfig)
plan_sweep = _flat(planning.plan_sweep, configs.SweepConfig)
compare = _flat(comparing.compare, configs.CompareConfig)
fit_probe = _flat(fitting.fit_probe, configs.FitConfig)
localise = _flat(localising.localise, configs.LocaliseConfig)
codelength = _flat(coding.codelength, configs.CodelengthConfig)
codelength_rows = _flat(coding.codelength_rows, configs.CodelengthConfig)
decompose = _flat(decomposing.decompose, configs.DecomposeConfig)
compare_axes = _flat(axes.compare_axes, configs.AxesConfig)
transfer = _flat(transferring.transfer, configs.TransferConfig)
analyse_heads = _flat(heads.analyse_heads, configs.HeadsConfig)
