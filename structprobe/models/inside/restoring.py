"""Put a model back into the state in which it was found, with several users at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from torch.nn import Module


@dataclass
class _Found:
    """The state of a module before it was used."""

    attributes: dict[str, Any]
    tables: dict[str, dict[Any, Any]]  # Of its submodules, weights, buffers and hooks
    config: dict[str, Any]
    n_users: int = 0


_guard = threading.Lock()
_found: WeakKeyDictionary[Module, _Found] = WeakKeyDictionary()


@contextmanager
def restored(model: Module) -> Iterator[list[Module]]:
    """Restore each module after the block, or once the last of several blocks is left.

    Gives the modules, whose attributes, parts and hooks may be changed within the block.
    """
    modules = list(model.modules())
    with _guard:
        for module in modules:
            if module not in _found:
                _found[module] = _Found(dict(vars(module)), _tables(module), dict(_config(module)))
            _found[module].n_users += 1
    try:
        yield modules
    finally:
        with _guard:
            for module in modules:
                _found[module].n_users -= 1
                if not _found[module].n_users:
                    _restore(module, _found.pop(module))


def _tables(module: Module) -> dict[str, dict[Any, Any]]:
    """Copy the tables of a module: its submodules, weights, buffers and hooks."""
    return {name: dict(value) for name, value in vars(module).items() if isinstance(value, dict)}


def _config(module: Module) -> dict[str, Any]:
    """Give the settings of a module's configuration; some models write into it."""
    return getattr(vars(module).get("config"), "__dict__", {})


def _restore(module: Module, found: _Found) -> None:
    """Restore the state of a module."""
    for name in set(vars(module)) - set(found.attributes):
        delattr(module, name)
    module.__dict__.update(found.attributes)
    _config(module).update(found.config)
    for name, table in found.tables.items():
        now = vars(module)[name]
        if now.keys() != table.keys() or any(now[key] is not table[key] for key in table):
            now.clear()
            now.update(table)
