"""Finds every way of recovering trees by its name: one class in one file is all that it takes.

Names may carry options in brackets: ``attention-max[layer=3,head=9]``.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from structprobe import recoverers
from structprobe.errors import MethodError, unknown_name
from structprobe.recoverers.base import MethodContext, Recoverer

ALL = "all"
_HINT = "write it such as attention-max[layer=3,head=9]"
_KINDS = {
    int: "give a whole number",
    float: "give a number with a point",
    bool: "give True or False",
    str: "give a name",
}
_ONE = re.compile(r"(?:[^,\[\]]|\[[^\[\]]*\])+")
_WRITTEN = re.compile(r"(?P<name>[^\[\]]+)(?:\[(?P<options>[^\[\]]*)\])?")


@dataclass(frozen=True)
class Method:
    """A way of recovering trees, by name."""

    name: str  # Its name in tables and on the command line
    cls: type[Recoverer]  # The class of its recoverer
    told: Mapping[str, Any] = field(default_factory=dict)
    given: Recoverer | None = None  # The recoverer itself, where it was made beforehand

    @property
    def summary(self) -> str:
        """What it is, in one line: of its class's docstring, what it is told, what it takes."""
        first = (inspect.getdoc(self.cls) or "").partition("\n")[0]
        told = ", ".join(f"{name}={value}" for name, value in self.told.items())
        takes = ", ".join(self.takes)
        parts = [first, f"[{told}]" if told else "", f"Options: {takes}." if takes else ""]
        return " ".join(filter(None, parts))

    @property
    def takes(self) -> dict[str, type]:
        """The options that it takes beyond what its name says, and their types."""
        return {name: kind for name, kind in self.cls.options.items() if name not in self.told}

    def make(self, context: MethodContext) -> Recoverer:
        """Make its recoverer for a model."""
        return self.given or self.cls.for_model(context, **self.told)


def find_methods() -> dict[str, Method]:
    """Find all methods of the package `structprobe.recoverers`.

    Every concrete subclass of `Recoverer` in any of its modules is one, or several by its
    `variants`; a class that has no name before it is made (`ProbeRecoverer`) is none.
    """
    found: dict[str, Method] = {}
    for cls in sorted(_classes(), key=lambda cls: (cls.order, cls.__name__)):
        for method in _methods_of(cls):
            if method.name in found:
                raise TypeError(f"{cls} and {found[method.name].cls} are both {method.name!r}")
            found[method.name] = method
    return found


def choose_methods(
    wanted: str | Recoverer | Method | Iterable[str | Recoverer | Method] = ALL,
) -> list[Method]:
    """Tell which methods are meant."""
    known = find_methods()
    chosen: dict[str, Method] = {}
    for one in [wanted] if isinstance(wanted, str | Recoverer | Method) else wanted:
        for method in _meant(one, known):
            other = chosen.setdefault(method.name, method)
            if (other.cls, other.given) != (method.cls, method.given):
                raise MethodError(
                    f"two methods are called {method.name!r}", hint="give each a name of its own"
                )
    if not chosen:
        raise MethodError("no method was named", hint=f"choose from {', '.join(known)}, or {ALL}")
    return list(chosen.values())


def _classes() -> Iterator[type[Recoverer]]:
    """Import the modules of the package, and give the classes that can be named."""
    for info in pkgutil.iter_modules(recoverers.__path__, f"{recoverers.__name__}."):
        module = importlib.import_module(info.name)
        for value in vars(module).values():
            if _is_method(value) and value.__module__ == info.name:
                yield value


def _is_method(value: object) -> bool:
    """Tell whether something is a class that makes recoverers and has a name for them."""
    return (
        isinstance(value, type)
        and issubclass(value, Recoverer)
        and not inspect.isabstract(value)
        and bool(value.variants or getattr(value, "name", None))
    )


def _methods_of(cls: type[Recoverer]) -> list[Method]:
    variants = cls.variants or {cls.name: {}}
    return [Method(name, cls, told) for name, told in variants.items()]


def _meant(wanted: str | Recoverer | Method, known: Mapping[str, Method]) -> list[Method]:
    """Give the methods that one item of a list means."""
    if isinstance(wanted, Method):
        return [wanted]
    if isinstance(wanted, Recoverer):
        return [Method(wanted.name, type(wanted), given=wanted)]
    found: list[Method] = []
    for name, options in split_names(str(wanted)):
        if name == ALL and not options:
            found += known.values()
        elif ":" in name:
            found += [_told(method, options) for method in _methods_of(_load(name))]
        elif name in known:
            found.append(_told(known[name], options))
        else:
            raise MethodError(unknown_name("method", name, [*known, ALL]))
    return found


def _told(method: Method, options: Mapping[str, Any]) -> Method:
    """Give a method with options of its own, and a name that says them."""
    name = with_options(method.name, options, method.takes)
    return replace(method, name=name, told={**method.told, **options})


def _load(path: str) -> type[Recoverer]:
    """Import the class that ``module:Class`` names."""
    module_name, _, class_name = path.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever the code of others raises is one line here
        told = f"{type(error).__name__}: {error}"
        raise MethodError(f"the module of {path!r} cannot be imported: {told}") from error
    value = getattr(module, class_name, None)
    if not _is_method(value):
        raise MethodError(
            f"{path!r} names no method",
            hint="name a subclass of Recoverer that has a name, or variants, and predict",
        )
    assert isinstance(value, type)
    return value


def split_names(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read names parted by commas, each with or without options in brackets."""
    if re.sub(r"[^\[\]]", "", text).replace("[]", ""):
        raise MethodError(f"brackets do not match in {text!r}", hint=_HINT)
    for written in filter(None, map(str.strip, _ONE.findall(text))):
        found = _WRITTEN.fullmatch(written)
        if found is None:
            raise MethodError(f"{written!r} names no method", hint=_HINT)
        parts = (found["options"] or "").split(",") if found["options"] else []
        options = {}
        for part in parts:
            option, is_there, value = (piece.strip() for piece in part.partition("="))
            if not (option and is_there and value):
                raise MethodError(f"{part.strip()!r} in {written!r} is no option", hint=_HINT)
            options[option] = _value(value)
        yield found["name"].strip(), options


def with_options(name: str, options: Mapping[str, Any], known: Mapping[str, type]) -> str:
    """Write a method's name with its options, which must be among those that it takes."""
    for option, value in options.items():
        if not known:
            raise MethodError(f"the method {name!r} takes no options, but {option!r} was given")
        if option not in known:
            raise MethodError(f"{name}: {unknown_name('option', option, known)}")
        if type(value) is not known[option]:
            raise MethodError(f"{name}: {option}={value!r}", hint=_KINDS[known[option]])
    told = ",".join(f"{option}={value}" for option, value in options.items())
    return f"{name}[{told}]" if told else name


def _value(text: str) -> Any:
    """Read a number, True or False; all else is text."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return value if isinstance(value, bool | int | float) else text
