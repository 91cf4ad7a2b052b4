import doctest
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.tsa.seasonal import seasonal_decompose
from statsmodels.tsa.stattools import acf

from benchmarks import context, forecast, scores, series

REPO = Path(__file__).parent.parent
BENCH = REPO.parent / "shared" / "bench"
SEASON = np.array([60, 70, 80, 90, 100, 110, 120, 130, 140, 100, 100, 100.0])
KEYS = ["series", "horizon", "owa", "smape", "mase", "rmsse", "bias", "coverage80", "coverage95", "msis95"]
KEYS += ["cpu_s_per_1000", "peak_mb"]


def train(**named) -> pd.DataFrame:
    """Return the months of named series, each ending in December 2025."""
    months = pd.date_range("2015-01-01", "2025-12-01", freq="MS")
    parts = [
        pd.DataFrame({"unique_id": name, "ds": months[-len(y) :], "y": np.asarray(y, dtype=float)})
        for name, y in named.items()
    ]
    return pd.concat(parts, ignore_index=True)


def ahead(name: str, y: list, **methods) -> pd.DataFrame:
    """Return actuals and what methods said of a series, step by step."""
    return pd.DataFrame({"unique_id": name, "step": range(1, len(y) + 1), "y": y} | methods)


# `up` rises by one a month: its seasonal naive is 12 off, its one-step naive 1.
RISING = train(up=range(24), down=range(240, 0, -10))


def test_scores_by_hand():
    rows = pd.concat([ahead("up", [100.0, 100.0], m=[110.0, 90.0]), ahead("down", [100.0, 300.0], m=[100.0, 340.0])])
    found = scores.scores(rows, RISING, ["m"]).loc["m"]
    up, down = 200 * (10 / 210 + 10 / 190) / 2, 200 * (40 / 640) / 2
    assert found.smape == pytest.approx((up + down) / 2)
    assert found.mase == pytest.approx((10 / 12 + 20 / 120) / 2)
    assert found.rmsse == pytest.approx((10 / 1 + np.sqrt(800) / 10) / 2)
    assert found.bias == pytest.approx(40 / 600)
    assert (found.coverage80, found.coverage95, found.msis95) == (None, None, None)
    assert np.isnan(found.owa)


def test_the_examples_in_the_scores_hold():
    done = doctest.testmod(scores)
    assert (done.failed, done.attempted > 0) == (0, True)


def test_owa_is_the_mean_of_smape_and_mase_beside_naive2():
    rows = ahead("up", [100.0, 100.0], naive2=[120.0, 120.0], m=[110.0, 110.0])
    found = scores.scores(rows, RISING[RISING.unique_id == "up"], ["naive2", "m"])
    assert found.owa["naive2"] == 1
    assert found.owa["m"] == pytest.approx(((10 / 210) / (20 / 220) + 0.5) / 2)


def test_coverage_is_by_step_and_misses_cost_forty_times():
    wide = {"m-lo-80": [90.0, 90.0], "m-hi-80": [110.0, 110.0], "m-lo-95": [80.0, 80.0], "m-hi-95": [120.0, 120.0]}
    rows = pd.concat([ahead("up", [110.0, 121.0], m=100.0, **wide), ahead("down", [85.0, 100.0], m=100.0, **wide)])
    found = scores.scores(rows, RISING, ["m"]).loc["m"]
    assert found.coverage80 == [0.5, 0.5]
    assert found.coverage95 == [1.0, 0.5]
    assert found.msis95 == pytest.approx(((40 + 40 * 1 / 2) / 12 + 40 / 120) / 2)


def test_a_series_without_a_scale_takes_the_median_of_the_others():
    found = scores.scales(train(a=range(24), b=range(0, 48, 2), c=range(0, 72, 3), still=[5] * 24, young=[1, 2]))
    assert found.absolute.to_dict() == {"a": 12, "b": 24, "c": 36, "still": 24, "young": 24}
    assert found.squared.to_dict() == {"a": 1, "b": 4, "c": 9, "still": 2.5, "young": 1}
    assert found.unscaled[found.unscaled].index.tolist() == ["still", "young"]
    rounded = scores.scales(train(a=range(24), same=100 + 50 * np.sin(np.arange(36) * np.pi / 6)))
    assert rounded.absolute["same"] == 12


# Naive2


def naive2(horizon: int = 12, **named) -> dict[str, list[float]]:
    table = scores.naive2(train(**named), horizon)
    return {name: part.round(9).tolist() for name, part in table.groupby("unique_id")["naive2"]}


def test_naive2_repeats_a_season_and_carries_the_last_level():
    assert naive2(season=np.tile(SEASON, 4))["season"] == SEASON.tolist()
    assert naive2(14, season=np.tile(SEASON, 4))["season"][12:] == [60, 70]
    raised = np.r_[np.tile(SEASON, 4)[:-1], 110.0]
    assert naive2(2, raised=raised)["raised"] == pytest.approx([66, 77], rel=0.02)


def test_naive2_is_the_last_month_without_a_proven_season():
    steps = np.random.default_rng(5).normal(100, 10, 60)
    found = naive2(3, noise=steps, short=np.tile(SEASON, 3)[1:], flat=[7.0] * 40, one=[3.0], none=[0.0] * 60)
    assert found["noise"] == pytest.approx([steps[-1]] * 3)
    assert (found["short"], found["flat"], found["one"], found["none"]) == ([100] * 3, [7] * 3, [3] * 3, [0] * 3)


def test_naive2_of_a_season_that_ends_in_zero_is_the_last_month():
    assert naive2(3, shut=np.tile([9.0, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0], 5))["shut"] == [0, 0, 0]


def test_naive2_of_a_series_does_not_depend_on_the_others():
    both = {"long": np.tile(SEASON, 6), "brief": np.tile(SEASON[::-1], 3)}
    assert naive2(**both) == naive2(long=both["long"]) | naive2(brief=both["brief"])


@pytest.mark.parametrize("seed", range(4))
def test_test_and_index_of_the_season_are_those_of_statsmodels(seed):
    rng = np.random.default_rng(seed)
    y = np.tile(SEASON, 5)[seed:] * rng.uniform(0.5, 1.5, 60 - seed)
    known = acf(y, nlags=12)[1:]
    limit = 1.645 * np.sqrt((1 + 2 * (known[:-1] ** 2).sum()) / len(y))
    wide = np.r_[[np.nan] * 7, y][None, :]
    assert scores._seasonal(wide)[0] == (abs(known[-1]) > limit)
    parts = seasonal_decompose(y, model="multiplicative", period=12)
    np.testing.assert_allclose(scores._index(wide)[0], parts.seasonal[-12:])


# Published figures of the real files


def of_the_real_file(name: str, peer: str) -> pd.Series:
    path = BENCH / f"{name}.parquet"
    if not path.exists():
        pytest.skip("needs the benchmark series in ../shared/bench")
    known, rows = series.read(path)
    horizon = int(rows["step"].max())
    for table in (scores.naive2(known, horizon), forecast.peer(peer, known, horizon)):
        rows = rows.merge(table, on=["unique_id", "step"], how="left", validate="one_to_one")
    return scores.scores(rows, known, ["naive2", peer]).loc[peer]


def test_the_seasonal_naive_of_the_m3_months_scores_as_published():
    found = of_the_real_file("m3_monthly", "seasonal_naive")
    assert [round(found[name], 3) for name in ("smape", "mase", "owa")] == [17.234, 1.146, 1.066]


def test_theta_of_the_hospital_series_scores_as_published():
    assert round(of_the_real_file("hospital", "theta").owa, 3) == 0.825


# The series


def table(**changes) -> pd.DataFrame:
    """Return twenty series of 48 months, each starting a month later, and six months after it to be compared with."""
    rng, parts = np.random.default_rng(7), []
    for at in range(20):
        y = np.tile(SEASON, 5)[:54] * rng.uniform(0.8, 1.2, 54) * (1 + at)
        ds = pd.date_range("2015-01-01", periods=54, freq="MS") + pd.DateOffset(months=at)
        split = ["train"] * 48 + ["test"] * 6
        parts.append(pd.DataFrame({"unique_id": f"s{at:02d}", "ds": ds, "y": y, "split": split}))
    return pd.concat(parts, ignore_index=True).assign(**changes)


def written(folder: Path, rows: pd.DataFrame) -> Path:
    path = folder / "series.parquet"
    rows.to_parquet(path)
    return path


def test_training_parts_are_moved_to_end_together(tmp_path):
    rows = table()
    known, unknown = series.read(written(tmp_path, rows))
    assert set(known.groupby("unique_id")["ds"].max()) == {pd.Timestamp("2020-07-01")}
    assert set(unknown.groupby("unique_id")["ds"].min()) == {pd.Timestamp("2020-08-01")}
    assert unknown.groupby("unique_id")["step"].agg(list).tolist() == [[1, 2, 3, 4, 5, 6]] * 20
    assert known.y.tolist() == rows[rows.split == "train"].y.tolist()
    assert list(known) == ["unique_id", "ds", "y"]


def test_a_limit_takes_the_same_series_whatever_their_order(tmp_path):
    rows = table()
    five, _ = series.read(written(tmp_path, rows), limit=5)
    again, _ = series.read(written(tmp_path, rows.sample(frac=1, random_state=1)), limit=5)
    ten, _ = series.read(written(tmp_path, rows), limit=10)
    pd.testing.assert_frame_equal(five, again)
    assert five.unique_id.nunique() == 5
    assert set(five.unique_id) < set(ten.unique_id)
    assert set(five.unique_id) != {"s00", "s01", "s02", "s03", "s04"}


def broken(**changes) -> pd.DataFrame:
    """Return the rows with one value changed in the second month of s03."""
    rows = table()
    at = rows.index[rows.unique_id == "s03"][1]
    for column, value in changes.items():
        rows.loc[at, column] = value
    return rows


WRONG = {
    "no column split; needed are unique_id, ds, y, split": table().drop(columns="split"),
    "no rows with split test: there is nothing to compare with": table().query("split == 'train'"),
    "s03 (1 series): no rows with split train": table().query("unique_id != 's03' or split == 'test'"),
    "s03 (1 series): no rows with split test": table().query("unique_id != 's03' or split == 'train'"),
    "s03, 2015-05 (1 rows): y is not a number or not finite": broken(y=np.nan),
    "s03, 2015-05 (1 rows): y is not": broken(y=np.inf),
    "s03, 2015-06 (1 rows): months are missing before this one": broken(ds=pd.Timestamp("2015-04-09")),
    "s03, 2015-04 (1 rows): the month occurs twice": broken(ds=pd.Timestamp("2015-04-09")),
    "s03, 2015-06 (1 rows): a training month after a test month": broken(split="test"),
    "s03, 2015-05 (1 rows): split is neither train nor test": broken(split="valid"),
    "s03, NaT (1 rows): ds is blank": broken(ds=pd.NaT),
    "ds holds int64, not dates": table(ds=1),
    "no rows; give at least one series": table().head(0),
}


@pytest.mark.parametrize(("message", "rows"), WRONG.items(), ids=list(WRONG))
def test_a_bad_file_is_refused_with_where_and_what(message, rows, tmp_path):
    with pytest.raises(ValueError, match="series") as caught:
        series.read(written(tmp_path, rows))
    assert message in str(caught.value)


def test_a_file_that_is_no_table_is_refused(tmp_path):
    (tmp_path / "text.parquet").write_text("unique_id,ds\n")
    for name in ("text.parquet", "absent.parquet"):
        with pytest.raises(ValueError, match=f"{name}: cannot be read"):
            series.read(tmp_path / name)


# The whole run


@pytest.fixture(scope="module")
def record(tmp_path_factory) -> dict:
    """Return what a run on the twenty series prints."""
    given = [str(written(tmp_path_factory.mktemp("bench"), table())), "--json"]
    whole = [sys.executable, "-m", "benchmarks.forecast", *given]
    done = subprocess.run(whole, cwd=REPO, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_record_has_every_key_for_the_engine_and_its_peers(record):
    assert set(KEYS) < set(record)
    assert list(record["peers"]) == ["naive2", "seasonal_naive", "theta", "dotm", "ets"]
    assert not [name for name, each in record["peers"].items() if set(KEYS) - set(each)]
    assert (record["series"], record["horizon"]) == (20, 6)


def test_the_engine_forecasts_series_that_end_at_different_dates(record):
    assert abs(record["bias"]) < 0.2
    assert record["smape"] < 30
    assert [len(record[name]) for name in ("coverage80", "coverage95")] == [6, 6]
    assert record["msis95"] > 0
    assert record["cpu_s_per_1000"] > record["peers"]["theta"]["cpu_s_per_1000"] > 0
    assert record["peak_mb"] > 50


def test_a_test_part_may_be_shorter_and_a_blank_forecast_ends_the_run(monkeypatch, tmp_path):
    rows = table()
    known, unknown = series.read(written(tmp_path, rows.drop(rows.index[rows.unique_id == "s03"][-2:])), limit=None)
    monkeypatch.setattr(forecast, "PEERS", {})
    monkeypatch.setattr(forecast, "engine", lambda *given: scores.naive2(*given).rename(columns={"naive2": "engine"}))
    found, beside = forecast.benchmark(known, unknown)
    assert (found["horizon"], len(beside), found["owa"]) == (6, 118, 1)
    blank = known.assign(y=known.y.where(known.unique_id != "s03"))
    monkeypatch.setattr(forecast, "engine", lambda _, ahead: scores.naive2(blank, ahead).set_axis(
        ["unique_id", "step", "engine"], axis=1))  # fmt: skip
    with pytest.raises(RuntimeError, match="1 series have no forecast or range, first s03"):
        forecast.benchmark(known, unknown)


def test_the_record_is_shown_as_a_table(record):
    text = forecast.shown(record)
    assert text.startswith("20 series, 6 months ahead")
    for name in ("engine", *record["peers"]):
        assert f"\n{name} " in text
    assert f"{record['owa']:.3f}" in text


def test_a_bad_file_ends_the_run_with_its_problem_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["benchmarks.forecast", str(written(tmp_path, broken(y=np.nan)))])
    with pytest.raises(SystemExit, match=r"s03, 2015-05 \(1 rows\): y is not"):
        forecast.main()


def test_a_peer_that_cannot_forecast_a_series_says_so():
    found = forecast.peer("ets", train(long=np.tile(SEASON, 4), brief=[1, 2, 3]), 4)
    assert found.attrs["failed"]
    assert found[found.unique_id == "brief"].ets.tolist() == [3, 3, 3, 3]
    assert found.notna().all(axis=None)
    assert not forecast.peer("ets", train(long=np.tile(SEASON, 4)), 4).attrs["failed"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("damped", [True, None])
def test_the_search_through_statsmodels_finds_a_season_also_with_zeros(damped):
    y = np.tile(SEASON, 4) - 60 + np.random.default_rng(3).normal(0, 1, 48).clip(0)
    assert forecast.ets_search(y, 12, damped) == pytest.approx(SEASON - 60, abs=6)


@pytest.mark.filterwarnings("ignore")
def test_beside_statsmodels_the_same_series_are_searched(monkeypatch):
    monkeypatch.setattr(forecast, "SEARCHES", {"damped_ets": {"damped": True}})
    known = train(a=np.tile(SEASON, 3), b=[*range(40)], brief=np.tile(SEASON, 2))
    chosen = forecast._compared(known)
    assert sorted(chosen) == ["a", "b"]
    rows = pd.concat([ahead(name, [60.0, 70.0], engine=60.0, naive2=80.0) for name in ("a", "b", "brief")])
    found = forecast.beside_statsmodels(known, rows, chosen, engine_cpu=10.0)
    search = found["damped_ets"]
    assert (found["series"], found["engine"]["cpu_s_per_1000"]) == (2, 10)
    assert search["times_engine"] == pytest.approx(search["statsmodels"]["cpu_s_per_1000"] / 10)
    assert search["times"] == pytest.approx(
        search["statsmodels"]["cpu_s_per_1000"] / search["statsforecast"]["cpu_s_per_1000"]
    )
    assert search["statsmodels"]["smape"] == pytest.approx(search["statsforecast"]["smape"], abs=3)
    with pytest.raises(ValueError, match="36 training months"):
        forecast._compared(known[known.unique_id == "brief"])


def test_intervals_of_events_that_were_none_hold_zero_where_nothing_moves():
    when = pd.date_range("2020-01-01", periods=60, freq="MS")
    rng = np.random.default_rng(5)
    rows = [(m, p, "ALL", "F", SEASON[m.month - 1] * np.exp(0.05 * rng.normal())) for p in "AB" for m in when]
    panel = pd.DataFrame(rows, columns=["month", "product", "region", "family", "cleansed"])
    found = context.event_coverage(panel, 5)
    assert list(found.index.get_level_values("span")) == [1, 2, 3] * 3
    assert found.events.eq(5).all()
    assert found.holds.mean() > 0.8
