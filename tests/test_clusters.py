"""A cluster named by its URL: the same numbers as here, and a clear end when it dies. Ray and Spark are untested."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest
from conftest import write_notebook
from test_engines import panel, same, seasonal
from typer.testing import CliRunner

from sop_lib import cli, clusters, engines, run, settings, steps


@pytest.mark.parametrize("url", ["dask://planning:8786", "ray://10:1", "spark://[::1]:7077"])
def test_an_address_is_host_and_port(url):
    assert "://".join(clusters.place(url)) == url


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("dask", "known: dask://HOST:PORT, ray://HOST:PORT, spark://HOST:PORT"),
        ("celery://a:1", "known: dask://HOST:PORT"),
        ("tcp://a:1", "no engine of this kind"),
        ("dask://", "host and port are needed"),
        ("dask://:8786", "host and port are needed"),
        ("dask://planning", "host and port are needed"),
        ("dask://planning:8786/x", "and nothing else"),
        ("dask://planning:87x6", "not an address"),
        ("dask://planning:99999", "not an address"),
        ("dask://[planning:1", "not an address"),
        ("dask://user:s3cret@planning:8786", "a URL with a user or password is not taken"),
        ("dask://s3cret@:99999", "not an address"),
        ("amqp://user:s3cret@planning:1", "no engine of this kind"),
    ],
)
def test_what_is_no_address_of_an_engine_ends_the_command_with_a_plain_sentence(url, says, small_workbook):
    handler = signal.getsignal(signal.SIGTERM)
    done = CliRunner().invoke(cli.app, ["run", str(small_workbook), "--engine", url])
    signal.signal(signal.SIGTERM, handler)
    assert done.exit_code == 2
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "s3cret" not in done.output
    assert not (small_workbook / "plans").exists()


def test_a_setting_for_the_engine_is_refused_where_the_command_gives_it(small_workbook):
    (small_workbook / "sop.toml").write_text('engine = "dask://a:1"\n', encoding="utf-8")
    with pytest.raises(settings.SettingsError, match="use sop run --engine"):
        settings.load(small_workbook, {})


def test_a_package_that_is_not_installed_is_named_with_what_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "fugue_ray", None)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(clusters.EngineError, match=r"not here \(ray\): pip install"):
        clusters.check("ray://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(clusters.EngineError, match=r"not here \(distributed\): pip install .*\[dask\]"):
        clusters.check("dask://127.0.0.1:1")


# What becomes of an answer, on an engine of Fugue's own that needs no cluster


@pytest.fixture
def native(monkeypatch):
    """Return what gives the URL of an engine that runs here, with so many workers that answer."""

    def url(name: str, workers: int = 1) -> str:
        monkeypatch.setitem(clusters.SCHEMES, name, lambda where: clusters.Cluster("native", lambda: workers))
        return f"{name}://planning:1"

    return url


def test_every_engine_of_fugue_gives_the_same_numbers(native):
    rows = panel(b=seasonal(41), a=seasonal(60), odd=[1.0])
    ask = lambda engine: engines.replayed(rows, ("theta", "last"), 4, 3, engine=engine)  # noqa: E731
    same(ask(engines.Engine(native("here"))), ask(engines.LOCAL))


@pytest.mark.parametrize(
    ("error", "workers", "kind", "says"),
    [
        (ModuleNotFoundError("no", name="sop_lib"), 1, clusters.EngineError, "a worker of .* lacks sop_lib"),
        (ValueError("no such thing"), 1, clusters.EngineError, "could not run the models"),
        (ConnectionResetError(), 1, clusters.EngineLost, "lost in mid-run"),
        (ValueError("gone"), 0, clusters.EngineLost, "lost in mid-run"),
        (clusters.EngineError("a worker has other versions"), 1, clusters.EngineError, "other versions"),
    ],
)
def test_an_error_is_told_apart_from_a_loss(error, workers, kind, says):
    told = clusters._told(error, clusters.Cluster(None, lambda: workers), "dask://planning:1")
    assert type(told) is kind
    with pytest.raises(kind, match=says):
        raise told


def test_a_cluster_that_falls_silent_is_lost_and_not_waited_for_again(native, monkeypatch):
    monkeypatch.setattr(clusters, "SILENT_SECONDS", 0.1)
    begun, end = [], threading.Event()
    monkeypatch.setattr(engines, "_block", lambda *given: begun.append(given) or end.wait())
    there = engines.Engine(native("silent", workers=0))
    for _ in range(2):
        with pytest.raises(clusters.EngineLost, match="no worker answers"):
            engines.predicted(panel(a=[1, 2]), ("last",), 2, engine=there)
    end.set()
    assert len(begun) == 1


def test_a_worker_with_other_versions_is_refused():
    rows = panel(a=[1, 2]).set_axis(["unique_id", "ds", "y"], axis=1).assign(part=0, model="last")
    with pytest.raises(clusters.EngineError, match="other versions"):
        engines._on_a_worker(rows, [2, 0], "statsforecast 0.1")


def test_a_scheduler_that_nobody_runs_ends_the_command_at_once(small_workbook):
    pytest.importorskip("distributed", reason="needs the packages of the extra 'dask'")
    with socket.socket() as bound:  # bound and not listening: whoever knocks is refused
        bound.bind(("127.0.0.1", 0))
        url = f"dask://127.0.0.1:{bound.getsockname()[1]}"
        handler = signal.getsignal(signal.SIGTERM)
        done = CliRunner().invoke(cli.app, ["run", str(small_workbook), "--engine", url])
        signal.signal(signal.SIGTERM, handler)
    assert done.exit_code == 2
    assert "no Dask scheduler answers at 127.0.0.1:" in done.stderr
    assert "start one with: dask scheduler" in done.stderr


# A real scheduler and two worker processes


class Dask:
    """A Dask scheduler and workers on this machine, each a process of its own."""

    def __init__(self, folder: Path, workers: int):
        self.folder, self.file = folder, folder / "scheduler.json"
        self.scheduler = self.start("scheduler", "--port", "0", "--scheduler-file", str(self.file))
        until = time.monotonic() + 60
        while not self.file.exists() or not self.file.read_text().rstrip().endswith("}"):  # begun and not yet whole
            assert time.monotonic() < until, "no scheduler began"
            time.sleep(0.1)
        self.url = "dask://" + pd.read_json(self.file, typ="series")["address"].removeprefix("tcp://")
        asked = ["--scheduler-file", str(self.file), "--nthreads", "1", "--no-nanny", "--local-directory", str(folder)]
        self.workers = [self.start("worker", *asked) for _ in range(workers)]

    def start(self, kind: str, *asked: str) -> subprocess.Popen:
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", "--host", "127.0.0.1", "--no-dashboard"]
        return subprocess.Popen([*command, *asked], env=os.environ | steps.SAME_EVERYWHERE, stderr=subprocess.DEVNULL)

    def end(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture
def dask(tmp_path):
    pytest.importorskip("distributed", reason="needs the packages of the extra 'dask'")
    running = Dask(tmp_path, workers=2)
    yield running
    running.end()


def dies_in_mid_run(worker: subprocess.Popen) -> None:
    """Let a worker take up work and do none of it, then die."""
    worker.send_signal(signal.SIGSTOP)
    threading.Timer(2.0, worker.kill).start()


LENGTHS = {f"Süd · {n}": seasonal(40 + n % 13) * (1 + n) for n in range(13)}


def test_a_cluster_gives_the_same_numbers_and_lives_on_when_a_worker_dies_and_its_end_is_told(dask, monkeypatch):
    monkeypatch.setattr(clusters, "SILENT_SECONDS", 3.0)
    monkeypatch.setattr(engines, "BLOCK", 4)
    rows = panel(**LENGTHS, odd=[1.0, 2.0])
    there = engines.Engine(dask.url)
    asks = [
        lambda engine: engines.predicted(rows, ("theta", "tsb"), 7, engine=engine),
        lambda engine: engines.replayed(rows, ("theta", "ets"), 6, 6, engine=engine),
    ]
    here = [ask(engines.LOCAL) for ask in asks]
    for ask, found in zip(asks, here, strict=True):
        same(ask(there), found)
    assert "odd" in set(here[0].remarks.series)

    dies_in_mid_run(dask.workers[0])
    same(asks[1](there), here[1])
    assert dask.workers[0].wait() == -signal.SIGKILL

    dies_in_mid_run(dask.workers[1])
    with pytest.raises(clusters.EngineLost, match=r"was lost in mid-run \(.*engine_lost = 'local'") as ended:
        asks[1](there)
    assert "\n" not in str(ended.value)
    went_on = asks[1](engines.Engine(dask.url, go_on=True))
    pd.testing.assert_frame_equal(went_on.table, here[1].table, check_exact=True)
    told = went_on.remarks[went_on.remarks.remark == engines.WENT_ON]
    assert len(told) == 2 * rows.series.nunique()
    assert told.error.str.contains("was lost in mid-run").all()


COMPUTE = """import pandas as pd
from sop_lib import engines, settings
months = pd.date_range("2020-01-01", periods=40, freq="MS")
panel = pd.DataFrame({"series": "a", "month": months, "quantity": range(40)})
engines.predicted(panel, ("last",), 2, engine=engines.chosen(settings.load())).remarks["remark"].tolist()"""


def test_a_run_whose_scheduler_dies_ends_clearly_or_goes_on_here_as_set(
    tiny_notebooks, tmp_path, small_workbook, monkeypatch, dask
):
    notebooks = Path(shutil.copytree(tiny_notebooks, tmp_path / "notebooks"))
    write_notebook(notebooks / "02_forecast.ipynb", f"import os; os.kill({dask.scheduler.pid}, 9)", COMPUTE)
    monkeypatch.setattr(steps, "notebooks_folder", lambda: notebooks)
    handler = signal.getsignal(signal.SIGTERM)
    done = CliRunner().invoke(cli.app, ["run", str(small_workbook), "--engine", dask.url])
    signal.signal(signal.SIGTERM, handler)
    assert done.exit_code == 1, done.output
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        "02_forecast failed in cell [4] `import pandas as pd`: EngineLost: no Dask scheduler answers"
    )
    assert not list((small_workbook / "reports").glob("2026-11/index.html"))

    write_notebook(notebooks / "02_forecast.ipynb", COMPUTE)
    with (small_workbook / "sop.toml").open("a", encoding="utf-8") as more:
        more.write('\n[planning]\nengine_lost = "local"\n')
    company = settings.load(small_workbook, {"SOP_ENGINE": dask.url})
    published = run.run_cycle(company, first="02_forecast", notebooks=notebooks)
    (notebook,) = published.index.parent.glob("v1-*/02_forecast.ipynb")
    assert engines.WENT_ON in notebook.read_text(encoding="utf-8")
