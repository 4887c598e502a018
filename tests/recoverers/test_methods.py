"""Every recoverer of the package is found by its name, and others by where they are."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from structprobe import LinearChain, RandomTree, Recoverer, StructuralProbe
from structprobe.errors import MethodError
from structprobe.probe.orthogonal_probe import OrthogonalProbe
from structprobe.recoverers import linear
from structprobe.recoverers.base import MethodContext, bracketed
from structprobe.recoverers.best_layer import BestLayer
from structprobe.recoverers.methods import Method, choose_methods, find_methods
from structprobe.recoverers.orthogonal import Orthogonal

BASELINES = [
    "probe-layer-0", "probe-types", "probe-decay0", "probe-proj0", "probe-untrained", "linear",
    "right-branching", "left-branching", "random",
]  # fmt: skip

VARIED = '''
from structprobe.recoverers.base import Recoverer

class Varied(Recoverer):
    """Does nothing, in two ways."""
    variants = {"varied-a": {"way": "a"}, "varied-b": {"way": "b"}}
    def __init__(self, way): self.way = way
    def predict(self, sentences): return []

class Numbered(Recoverer):
    """Does nothing, so many times."""
    name = "numbered"
    options = {"times": int}
    def __init__(self, times=1): self.times = times
    def predict(self, sentences): return []

class Nameless(Recoverer):
    def predict(self, sentences): return []

class Unready(Recoverer):
    name = "unready"
'''


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "outside.py").write_text(VARIED)
    (tmp_path / "broken.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(str(tmp_path))


def names(wanted: object) -> list[str]:
    return [method.name for method in choose_methods(wanted)]


def test_all_are_found_the_baselines_last() -> None:
    found = find_methods()
    assert [*found][-len(BASELINES) :] == BASELINES
    assert "probe" in found
    assert all(name == method.name for name, method in found.items())
    assert all(method.summary.endswith((".", "]")) for method in found.values())
    orders = [method.cls.order for method in found.values()]
    assert orders == sorted(orders)


def test_a_class_without_a_name_of_its_own_is_none() -> None:
    assert "ProbeRecoverer" not in {method.cls.__name__ for method in find_methods().values()}


def test_two_of_one_name_are_a_slip(monkeypatch: pytest.MonkeyPatch) -> None:
    other = type("Other", (LinearChain,), {"__module__": linear.__name__})
    monkeypatch.setattr(linear, "Other", other, raising=False)
    with pytest.raises(TypeError, match="are both 'linear'"):
        find_methods()


def test_names_are_chosen() -> None:
    assert names("all") == [*find_methods()]
    assert names("random, linear,random") == ["random", "linear"]
    assert names(["random", "linear,probe"]) == ["random", "linear", "probe"]
    assert names("linear,all")[:2] == ["linear", next(iter(find_methods()))]


def test_recoverers_and_methods_are_taken_as_they_are() -> None:
    mine = RandomTree(7)
    (method,) = choose_methods(mine)
    assert method == Method("random", RandomTree, given=mine)
    context = MethodContext(None)
    assert method.make(context) is mine
    assert choose_methods([method]) == [method]
    made = find_methods()["random"].make(MethodContext(None, seed=5))
    assert (type(made), made.random_state) == (RandomTree, 5)


@pytest.mark.usefixtures("outside")
def test_a_class_outside_the_package() -> None:
    both = choose_methods("outside:Varied, linear")
    assert [(one.name, dict(one.told)) for one in both[:2]] == [
        ("varied-a", {"way": "a"}), ("varied-b", {"way": "b"}),
    ]  # fmt: skip
    assert both[1].summary == "Does nothing, in two ways. [way=b]"
    assert both[1].make(MethodContext(None)).way == "b"
    assert both[2].cls is LinearChain


@pytest.mark.usefixtures("outside")
def test_options_are_told_to_the_class_and_are_in_the_name() -> None:
    both = choose_methods("attention-max[layer=3, head=9],outside:Numbered[times=4], linear")
    assert [method.name for method in both] == [
        "attention-max[layer=3,head=9]", "numbered[times=4]", "linear",
    ]  # fmt: skip
    assert (dict(both[0].told), both[1].make(MethodContext(None)).times) == (
        {"layer": 3, "head": 9},
        4,
    )
    assert names("probe,probe[rank=2],probe[rank=3]") == ["probe", "probe[rank=2]", "probe[rank=3]"]
    (told,) = choose_methods("attention-max-from[special=renormalise,symmetrised=True]")
    assert told.told == {"direction": "from", "special": "renormalise", "symmetrised": True}
    assert "direction" not in told.takes
    assert told.summary.endswith("Options: layer, head, gold_root.")


def test_every_option_is_one_of_its_class() -> None:
    for method in find_methods().values():
        known: set[str] = set()
        for cls in method.cls.__mro__:
            known |= set(inspect.signature(cls.__init__).parameters)
        if issubclass(method.cls, BestLayer):
            estimator = OrthogonalProbe if method.cls is Orthogonal else StructuralProbe
            known |= set(inspect.signature(estimator).parameters)
        assert set(method.cls.options) <= known


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (
            "linaer",
            "unknown method 'linaer' .did you mean 'linear'.*; choose from .*'probe', .*'all'",
        ),
        ("", "no method was given; choose from .*probe, .*, or all"),
        ([], "no method was given"),
        ("nowhere:Class", "the module of 'nowhere:Class' cannot be imported: ModuleNotFoundError"),
        ("broken:Class", "'broken:Class' cannot be imported: ZeroDivisionError: division by zero"),
        (":", "cannot be imported: ValueError"),
        ("outside:Missing", "'outside:Missing' is not a method; give a subclass of Recoverer"),
        ("outside:Nameless", "is not a method"),
        ("outside:Unready", "is not a method"),
        ("os:path", "is not a method"),
        (
            ["linear", LinearChain()],
            "two methods have the name 'linear'; give each a different name",
        ),
        ([RandomTree(1), RandomTree(2)], "two methods have the name 'random'"),
        ("linear[rank=3]", "the method 'linear' has no options, but 'rank' was given"),
        ("probe[rnk=3]", "probe: unknown option 'rnk' .did you mean 'rank'.*choose from 'rank', "),
        ("attention-max[layer=x]", "attention-max: layer='x' is not valid; use an integer"),
        ("attention-max[layer=True]", "attention-max: layer=True is not valid; use an integer"),
        ("attention-max[symmetrised=1]", "symmetrised=1 is not valid; use True or False"),
        ("attention-max[special=1]", "special=1 is not valid; use a name"),
        ("attention-max-from[direction=to]", "attention-max-from: unknown option 'direction'"),
        (
            "attention-max[layer]",
            "'layer' in 'attention-max.layer.' is not an option; use the form",
        ),
        ("attention-max[layer=3", "unbalanced brackets in 'attention-max.layer=3'"),
        ("attention-max]layer=3[", "unbalanced brackets"),
        ("[layer=3]", "'.layer=3.' is not a method"),
        ("all[rnk=3]", "all: unknown option 'rnk' .did you mean 'rank'.*choose from 'absolute', "),
    ],
)
@pytest.mark.usefixtures("outside")
def test_what_is_no_method_is_refused(wanted: str | list[str | Recoverer], words: str) -> None:
    with pytest.raises(MethodError, match=words):
        choose_methods(wanted)


def test_options_of_all_go_to_the_methods_that_take_them() -> None:
    plain = {method.name: method for method in choose_methods("all")}
    chosen = choose_methods("all[rank=3,limit=9]")
    assert len(chosen) == len(plain)
    for method, old in zip(chosen, plain.values(), strict=True):
        own = {name: n for name, n in {"rank": 3, "limit": 9}.items() if name in old.takes}
        assert method.told == {**old.told, **own}
        assert method.name == bracketed(old.name, own)
    assert {"probe[rank=3]", "perturbed[limit=9]", "linear"} <= {one.name for one in chosen}
