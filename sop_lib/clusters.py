"""Machines beyond this one: a Dask, Ray or Spark cluster named by its URL and reached through Fugue."""

import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

__all__ = ["SCHEMES", "EngineError", "EngineLost", "check", "place", "transformed"]

CONNECT_SECONDS, SILENT_SECONDS, CHECK_SECONDS = 10.0, 30.0, 0.5
INSTALL = 'pip install -e ".[dask]" -c constraints.txt'


class EngineError(ValueError):
    """The engine asked for cannot be used; the message says why and what to do."""


class EngineLost(EngineError):
    """The cluster does not answer, or died in mid-run."""


@dataclass(frozen=True)
class Cluster:
    """A cluster in use: Fugue's engine for it, how many workers answer, and what computing is done within."""

    engine: Any
    workers: Callable[[], int] = lambda: 1
    within: Callable[[], AbstractContextManager] = nullcontext
    close: Callable[[], None] = lambda: None


def place(url: str) -> tuple[str, str]:
    """Return scheme and HOST:PORT of the URL of an engine. Raises EngineError when it is none.

    >>> place("dask://planning.example:8786")
    ('dask', 'planning.example:8786')
    """
    known = ", ".join(f"{name}://HOST:PORT" for name in SCHEMES)
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError:
        raise EngineError(f"--engine: not an address of an engine; known: {known}") from None
    if scheme not in SCHEMES:
        raise EngineError(f"--engine: no engine of this kind; known: {known}; without it models run on this machine")
    if "@" in parts.netloc:
        raise EngineError(f"--engine: a URL with a user or password is not taken; write {scheme}://HOST:PORT")
    if not host or not port or parts.path.strip("/") or parts.query or parts.fragment:
        raise EngineError(f"--engine: host and port are needed, and nothing else: {scheme}://HOST:PORT")
    return scheme, parts.netloc


def check(url: str) -> None:
    """Raise EngineError unless the engine answers and has workers; an empty URL is this machine.

    >>> check("")
    """
    if url:
        _open(url).close()


def transformed(url: str, frame: pd.DataFrame, using: Callable, schema: str, given: dict) -> pd.DataFrame:
    """Return what `using` makes of the rows of each `part` of the frame, computed on the cluster.

    Raises EngineLost when the cluster does not answer, dies or falls silent, then and ever after in this process;
    EngineError when it lives and cannot do the work.
    """
    if url in _LOST:
        raise EngineLost(_LOST[url])
    try:
        return _transformed(url, _opened(url), frame, using, schema, given)
    except EngineLost as error:
        _LOST[url] = str(error)
        raise


def _transformed(url: str, cluster: Cluster, frame: pd.DataFrame, using: Callable, schema: str, given: dict):
    import fugue.api as fa

    done, answer = threading.Event(), {}
    parts = {"by": "part", "num": frame["part"].nunique()}

    def work() -> None:
        try:
            with cluster.within():
                found = fa.transform(frame, using, schema=schema, params=given, partition=parts, engine=cluster.engine)
                answer["rows"] = fa.as_pandas(found)
        except BaseException as error:
            answer["error"] = error
        done.set()

    threading.Thread(target=work, daemon=True).start()
    silent = not _watched(done, cluster)
    error = EngineLost(_lost(url, "no worker answers")) if silent else _told(answer.get("error"), cluster, url)
    if isinstance(error, EngineLost):
        cluster.close()
    if error:
        raise error from None
    return answer["rows"]


def _watched(done: threading.Event, cluster: Cluster) -> bool:
    """Wait until the work is done, and return whether it was: not when no worker has answered for too long."""
    heard = time.monotonic()
    while not done.wait(CHECK_SECONDS):
        if cluster.workers():
            heard = time.monotonic()
        elif time.monotonic() - heard > SILENT_SECONDS:
            return False
    return True


def _told(error: BaseException | None, cluster: Cluster, url: str) -> EngineError | None:
    """Return the error as ours: the cluster died, or it lives and could not do the work."""
    if error is None or isinstance(error, EngineError):
        return error
    if isinstance(error, ModuleNotFoundError):
        return EngineError(f"a worker of {url} lacks {error.name}: install this package there, in the same versions")
    if type(error).__module__.startswith("distributed") or isinstance(error, OSError) or not cluster.workers():
        return EngineLost(_lost(url, type(error).__name__))
    return EngineError(f"{url} could not run the models ({type(error).__name__}: {str(error)[:200]})")


def _lost(url: str, why: str) -> str:
    return f"{url} was lost in mid-run ({why})"


def _open(url: str) -> Cluster:
    scheme, where = place(url)
    try:
        return SCHEMES[scheme](where)
    except ImportError as error:
        need = INSTALL if scheme == "dask" else f'pip install "fugue[{scheme}]"'
        raise EngineError(f"{scheme}:// needs packages that are not here ({error.name}): {need}") from None


_opened = cache(_open)


def _dask(where: str) -> Cluster:
    from distributed import Client
    from fugue_dask import DaskExecutionEngine

    for name in ("distributed", "distributed.client"):  # its errors are ours to tell, in one line
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        parts = urlsplit(f"//{where}")
        socket.create_connection((parts.hostname, parts.port), CONNECT_SECONDS).close()  # refused at once, if it is
        client = Client(where, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError):
        remedy = "start one with: dask scheduler"
        raise EngineLost(f"no Dask scheduler answers at {where}; {remedy}") from None
    try:
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
    except TimeoutError:
        client.close(timeout=1)
        remedy = f"start some with: dask worker {where}"
        raise EngineLost(f"the Dask scheduler at {where} has no workers; {remedy}") from None

    def workers() -> int:
        try:
            return len(client.sync(client.scheduler.ncores, callback_timeout=CONNECT_SECONDS))
        except Exception:  # whatever it says, nobody answered
            return 0

    return Cluster(DaskExecutionEngine(client), workers, client.as_current, lambda: client.close(timeout=1))


def _ray(where: str) -> Cluster:
    """Untested: no Ray cluster was at hand."""
    import ray
    from fugue_ray import RayExecutionEngine

    ray.init(address=f"ray://{where}", ignore_reinit_error=True)
    return Cluster(RayExecutionEngine())


def _spark(where: str) -> Cluster:
    """Untested: no Spark cluster was at hand."""
    from fugue_spark import SparkExecutionEngine
    from pyspark.sql import SparkSession

    return Cluster(SparkExecutionEngine(SparkSession.builder.master(f"spark://{where}").getOrCreate()))


_LOST: dict[str, str] = {}  # clusters that this process does not wait for again
SCHEMES = {"dask": _dask, "ray": _ray, "spark": _spark}
