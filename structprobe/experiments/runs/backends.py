"""Where the independent parts of a grid run: in this process, in others or on a cluster, by joblib.

Results are returned as they are finished and written by the caller. Workers only read: the store of
vectors, which they map into memory, and the trees.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass
from multiprocessing import resource_tracker
from numbers import Integral
from typing import Any, Generic, TypeVar

from structprobe._version import __version__
from structprobe.errors import ClusterError, unknown_name

_log = logging.getLogger(__name__)
_Given = TypeVar("_Given")

# Functions of other packages that register a backend with joblib.
REGISTRARS = {"ray": "ray.util.joblib:register_ray", "spark": "joblibspark:register_spark"}
TRIES = 3  # times that a part may take its worker down with it
CONNECT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Backend:
    """Where the runs of a sweep are executed: in this process, in others, or on a cluster.

    Attributes
    ----------
    jobs : int
        Number of parallel runs, unless the backend decides.
    name : str, optional
        A joblib backend: "loky" (processes, the default), "threading", "dask", or another
        registered one.
    scheduler : str, optional
        The address of a Dask scheduler.
    """

    jobs: int = 1
    name: str | None = None
    scheduler: str | None = None

    @property
    def is_here(self) -> bool:
        """Whether runs are executed one after another in this process."""
        return self.jobs == 1 and self.name is None and self.scheduler is None

    def check(self) -> None:
        """Raise errors now that would otherwise appear only when there is something to run.

        Raises
        ------
        ClusterError
            If `jobs` is not a positive integer, or the backend is unknown or cannot be reached.
        """
        if not isinstance(self.jobs, Integral) or isinstance(self.jobs, bool) or self.jobs < 1:
            what = f"jobs must be a whole number, at least 1, got {self.jobs!r}"
            raise ClusterError(what, hint="Backend(jobs=2) runs two at a time")
        if not self.is_here:
            with contextlib.ExitStack() as stack:
                self._options(self._known_name(), stack)

    def run(self, parts: Sequence[Callable[[], _Given]]) -> Iterator[_Given]:
        """Run all parts; repeat those whose worker died.

        Parameters
        ----------
        parts : sequence of callable
            The parts, called without arguments.

        Yields
        ------
        object
            The result of each part, as they are finished.

        Raises
        ------
        ClusterError
            If the backend is unknown or cannot be reached, or workers die repeatedly.
        """
        if self.is_here:
            yield from (part() for part in parts)
            return
        name = self._known_name()
        left = dict(enumerate(parts))
        with contextlib.ExitStack() as stack:
            options = self._options(name, stack)
            lost = 0
            while left:
                before = len(left)
                tasks = [_Part(number, part) for number, part in left.items()]
                try:
                    for number, given in _parallel(name, self.jobs, options, tasks):
                        del left[number]
                        yield given
                except BrokenExecutor as error:
                    # A pool does not outlive its workers: what is left goes to a new one.
                    lost = lost + 1 if len(left) == before else 1
                    if lost == TRIES:
                        what = f"a worker died {TRIES} times without finishing a run"
                        hint = "it may be out of memory: try fewer jobs"
                        raise ClusterError(what, hint=hint) from error
                    _log.warning("a worker died; its run is repeated")

    def _known_name(self) -> str:
        """Return the name of the backend, registered with joblib."""
        from joblib.parallel import BACKENDS, EXTERNAL_BACKENDS

        name = self.name or ("dask" if self.scheduler else "loky")
        if self.scheduler is not None and name != "dask":
            raise ClusterError(f"the backend {name!r} does not use a scheduler; only 'dask' does")
        if name in REGISTRARS and name not in BACKENDS:
            module, _, function = REGISTRARS[name].partition(":")
            try:
                getattr(importlib.import_module(module), function)()
            except ImportError as error:
                raise ClusterError(f"the backend {name!r} is not installed: {error}") from error
        elif name == "dask" and name not in BACKENDS:
            with _dask_installed():
                EXTERNAL_BACKENDS[name]()
        elif name not in BACKENDS:
            known = sorted({*BACKENDS, *EXTERNAL_BACKENDS, *REGISTRARS})
            raise ClusterError(unknown_name("backend", name, known))
        return name

    def _options(self, name: str, stack: contextlib.ExitStack) -> dict[str, Any]:
        """Return the options of a backend for joblib, connecting to its cluster if there is one."""
        if name == "loky":
            return {"inner_max_num_threads": max(1, cores() // self.jobs)}
        if name == "dask":
            return {"backend": _on_dask(stack.enter_context(_client(self.scheduler)))}
        return {}


HERE = Backend()


@dataclass(frozen=True, slots=True, eq=False)  # Dask's backend wants it to be hashable
class _Part(Generic[_Given]):
    """A part with its number."""

    # Without arguments: Dask's joblib backend would scatter them, and scattered data is lost with
    # its worker.
    number: int
    part: Callable[[], _Given]

    def __call__(self) -> tuple[int, _Given]:
        return self.number, self.part()

    def __repr__(self) -> str:
        return f"structprobe_{self.number}"  # what a cluster calls it


def cores() -> int:
    """Count the CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _parallel(
    name: str, jobs: int, options: dict[str, Any], tasks: Sequence[_Part[_Given]]
) -> Iterator[tuple[int, _Given]]:
    """Run tasks through joblib, and report errors of workers in one line."""
    from joblib import Parallel, delayed, parallel_config
    from joblib.parallel import get_active_backend

    try:
        with parallel_config(**{"backend": name, "n_jobs": jobs, **options}):
            streams = get_active_backend()[0].supports_return_generator
            # One task at a time to a worker: they are long, and few.
            pool = Parallel(return_as="generator_unordered" if streams else "list", batch_size=1)
        with _heeding_no_interrupts() if streams else contextlib.nullcontext():
            found = pool(delayed(task)() for task in tasks)  # which starts the workers
        yield from found
    except ImportError as error:
        what = f"a worker cannot import a package: {error}"
        hint = f"install structprobe {__version__} where the workers run"
        raise ClusterError(what, hint=hint) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "distributed":
            raise
        reason = str(error).partition("\n")[0]
        raise ClusterError(f"the Dask cluster failed: {type(error).__name__}: {reason}") from error


@contextlib.contextmanager
def _heeding_no_interrupts() -> Iterator[None]:
    """Start processes that leave Ctrl-C to this one, which ends them: they would print tracebacks.

    Whatever is started inherits the signals that this thread has blocked meanwhile.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # whose start, in some versions of Python, unblocks them
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _dask_installed() -> Iterator[None]:
    """Say how Dask is installed, if it is not."""
    try:
        yield
    except ImportError as error:
        hint = "install it with: pip install 'structprobe[cluster]'"
        raise ClusterError("the backend 'dask' is not installed", hint=hint) from error


def _on_dask(client: Any) -> Any:
    """Create the joblib backend for a Dask cluster, used even if it is small."""
    from joblib.parallel import BACKENDS

    made = BACKENDS["dask"](client=client)
    counted = made.effective_n_jobs
    # With a single job, joblib would do the work in this process.
    made.effective_n_jobs = lambda n_jobs: max(2, counted(n_jobs))
    return made


@contextlib.contextmanager
def _client(scheduler: str | None) -> Iterator[Any]:
    """Connect to a Dask scheduler, and check its workers."""
    if scheduler is None:
        hint = "give its address, such as tcp://host:8786"
        raise ClusterError("the backend 'dask' needs a scheduler", hint=hint)
    with _dask_installed():
        from distributed import Client
        from distributed.comm.addressing import resolve_address
    try:
        resolve_address(scheduler)  # a client of what is no address cannot even be closed
        connect: Any = Client  # which has no types
        client = connect(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:  # nobody answers, or it is no address
        reason = " ".join(str(error).split())
        raise ClusterError(f"no Dask scheduler at {scheduler}: {reason}") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except TimeoutError as error:
            what = f"the Dask scheduler at {scheduler} has no workers"
            raise ClusterError(what, hint="start them with: dask worker") from error
        _check_workers(client)
        yield client


def _check_workers(client: Any) -> None:
    """Refuse workers without structprobe, or with another version of it."""
    # A builtin, since our own functions cannot be sent to a worker without the package.
    found = client.run(eval, "__import__('structprobe').__version__", {}, on_error="return")
    for worker, version in found.items():
        if version != __version__:
            told = f"has structprobe {version}" if isinstance(version, str) else "lacks structprobe"
            hint = f"install structprobe {__version__} there"
            raise ClusterError(f"the worker {worker} {told}", hint=hint)
