"""Finding methods by name. A new method only needs one class in one file."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeGuard

from structprobe import recoverers
from structprobe.errors import MethodError, refuse_kind, unknown_name
from structprobe.recoverers.base import MethodContext, Recoverer, bracketed

ALL = "all"

# Options stand in brackets after a method's name: attention-max[layer=3,head=9].
_HINT = "use the form attention-max[layer=3,head=9]"
_KINDS = {
    int: "use an integer",
    float: "use a number with a decimal point",
    bool: "use True or False",
    str: "use a name",
}
_ONE = re.compile(r"(?:[^,\[\]]|\[[^\[\]]*\])+")
_WRITTEN = re.compile(r"(?P<name>[^\[\]]+)(?:\[(?P<options>[^\[\]]*)\])?")


@dataclass(frozen=True)
class Method:
    """A named method of recovering trees."""

    name: str  # Its name in tables and on the command line
    cls: type[Recoverer]  # The class of its recoverer
    told: Mapping[str, Any] = field(default_factory=dict)
    given: Recoverer | None = None  # The recoverer itself, if it already exists

    @property
    def summary(self) -> str:
        """A one-line summary: from the docstring of the class, with settings and options."""
        parts = [(inspect.getdoc(self.cls) or "").partition("\n")[0]]
        if self.told:
            parts.append(f"[{', '.join(f'{name}={value}' for name, value in self.told.items())}]")
        if self.takes:
            parts.append(f"Options: {', '.join(self.takes)}.")
        return " ".join(parts)

    @property
    def takes(self) -> dict[str, type]:
        """The options, other than those set by the name, and their types."""
        return {name: kind for name, kind in self.cls.options.items() if name not in self.told}

    def make(self, context: MethodContext) -> Recoverer:
        """Create its recoverer for a model."""
        return self.given or self.cls.for_model(context, **self.told)


def find_methods() -> dict[str, Method]:
    """Find all concrete subclasses of `Recoverer` in this package that have a name, by variant."""
    found: dict[str, Method] = {}
    classes = []
    for info in pkgutil.iter_modules(recoverers.__path__, f"{recoverers.__name__}."):
        values = vars(importlib.import_module(info.name)).values()
        classes += [one for one in values if _is_method(one) and one.__module__ == info.name]
    for cls in sorted(classes, key=lambda cls: (cls.order, cls.__name__)):
        for method in _methods_of(cls):
            if method.name in found:
                raise TypeError(f"{cls} and {found[method.name].cls} are both {method.name!r}")
            found[method.name] = method
    return found


def choose_methods(
    wanted: str | Recoverer | Method | Iterable[str | Recoverer | Method] = ALL,
) -> list[Method]:
    """Choose methods by name, class or recoverer."""
    known = find_methods()
    chosen: dict[str, Method] = {}
    if not isinstance(wanted, Iterable | Recoverer | Method) or isinstance(wanted, type):
        hint = "pass names such as 'probe', or recoverers such as LinearChain()"
        refuse_kind("methods", wanted, "a method or a list of methods", MethodError, hint)
    for one in [wanted] if isinstance(wanted, str | Recoverer | Method) else wanted:
        for method in _meant(one, known):
            other = chosen.setdefault(method.name, method)
            if (other.cls, other.given) != (method.cls, method.given):
                what = f"two methods have the name {method.name!r}"
                raise MethodError(what, hint="give each a different name")
    if not chosen:
        raise MethodError("no method was given", hint=f"choose from {', '.join(known)}, or {ALL}")
    return list(chosen.values())


def _is_method(value: object) -> TypeGuard[type[Recoverer]]:
    """Check for a concrete subclass of `Recoverer` with a name."""
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
    """Return the methods for one item of a list."""
    if isinstance(wanted, Method):
        return [wanted]
    if isinstance(wanted, Recoverer):
        return [Method(wanted.name, type(wanted), given=wanted)]
    found: list[Method] = []
    for name, options in _split_names(str(wanted)):
        if name == ALL:
            found += _all_with_options(known.values(), options)
        elif ":" in name:
            found += [_with_options(method, options) for method in _methods_of(_load(name))]
        elif name in known:
            found.append(_with_options(known[name], options))
        else:
            told = unknown_name("method", name, [*known, ALL])
            hint = f"separate methods by commas; {_HINT}" if re.search(r"[ ;()]", name) else None
            raise MethodError(told, hint=hint)
    return found


def _load(path: str) -> type[Recoverer]:
    """Import the class ``module:Class``."""
    module_name, _, class_name = path.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # the code of others may raise anything
        told = f"{type(error).__name__}: {error}"
        told = f"the module of {path!r} cannot be imported: {told}"
        hint = "give the name of a module that Python finds, without .py"
        is_file = module_name.endswith(".py")
        raise MethodError(told, hint=hint if is_file else None) from error
    value = getattr(module, class_name, None)
    if not _is_method(value):
        hint = "give a subclass of Recoverer with a name (or variants) and a predict method"
        raise MethodError(f"{path!r} is not a method", hint=hint)
    return value


def _split_names(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read comma-separated names, with or without options in brackets."""
    if re.sub(r"[^\[\]]", "", text).replace("[]", ""):
        raise MethodError(f"unbalanced brackets in {text!r}", hint=_HINT)
    for written in filter(None, map(str.strip, _ONE.findall(text))):
        found = _WRITTEN.fullmatch(written)
        if found is None:
            raise MethodError(f"{written!r} is not a method", hint=_HINT)
        options = {}
        for part in found["options"].split(",") if found["options"] else ():
            option, is_there, value = (piece.strip() for piece in part.partition("="))
            if not (option and is_there and value):
                raise MethodError(f"{part.strip()!r} in {written!r} is not an option", hint=_HINT)
            if option in options:
                raise MethodError(f"{option!r} is given twice in {written!r}", hint="give it once")
            options[option] = _value(value)
        yield found["name"].strip(), options


def _all_with_options(methods: Collection[Method], options: Mapping[str, Any]) -> list[Method]:
    """Give each method those of the options that it takes; at least one must take each."""
    known = sorted({name for method in methods for name in method.takes})
    for option in options:
        if option not in known:
            raise MethodError(f"{ALL}: {unknown_name('option', option, known)}")
    return [
        _with_options(one, {name: value for name, value in options.items() if name in one.takes})
        for one in methods
    ]


def _with_options(method: Method, options: Mapping[str, Any]) -> Method:
    """Return a method with options, which are checked and part of its name."""
    name, known = method.name, method.takes
    for option, value in options.items():
        if not known:
            raise MethodError(f"the method {name!r} has no options, but {option!r} was given")
        if option not in known:
            raise MethodError(f"{name}: {unknown_name('option', option, known)}")
        if type(value) is not known[option]:
            raise MethodError(
                f"{name}: {option}={value!r} is not valid", hint=_KINDS[known[option]]
            )
    return replace(method, name=bracketed(name, options), told={**method.told, **options})


def _value(text: str) -> Any:
    """Read a number, True or False; everything else is text."""
    with suppress(ValueError, SyntaxError):
        if isinstance(value := ast.literal_eval(text), bool | int | float):
            return value
    return text
