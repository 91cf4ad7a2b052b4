"""One source as text cells with its row numbers: files, SQL over files, a database."""

import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as law
from hypothesis import strategies as st

from sop_lib import sources
from sop_lib.settings import Source


def put(folder, file, text):
    (folder / file).write_bytes(text.encode("utf-8") if isinstance(text, str) else text)


def read(folder, environment=None, **source):
    return sources.read("sales", Source(**source), folder, environment or {})


def problem(folder, environment=None, **source):
    with pytest.raises(sources.SourceError) as error:
        read(folder, environment, **source)
    assert "None" not in str(error.value)
    return error.value.problems[0]


def test_cells_are_text_and_rows_are_numbered_as_a_spreadsheet_shows_them(tmp_path):
    put(tmp_path, "a.csv", 'code, name ,n\n007,"two\nlines",1.50\n\n,,\nNA,"a ""b""",\n')
    raw = read(tmp_path, file="a.csv")
    assert raw.cells.values.tolist() == [["007", "two\nlines", "1.50"], ["NA", 'a "b"', None]]
    assert list(raw.cells) == ["code", "name", "n"]
    assert raw.rows.tolist() == [2, 5]
    assert raw.sources["a.csv"]["rows"] == 2


def test_a_short_row_is_blank_and_a_long_one_is_named(tmp_path):
    put(tmp_path, "a.csv", "a,b\n1\n2,3\n")
    assert read(tmp_path, file="a.csv").cells.values.tolist() == [["1", None], ["2", "3"]]
    put(tmp_path, "a.csv", "a,b\n1,2\n1,234,5\n")
    found = problem(tmp_path, file="a.csv")
    assert (found["row"], found["value"], found["rule"]) == (3, "234,5", "more cells than the header has columns")


def test_a_quote_that_is_never_closed(tmp_path):
    put(tmp_path, "a.csv", 'a,b\n"1,2\n3,4\n' + "5,6\n" * 50_000)
    assert problem(tmp_path, file="a.csv")["rule"].startswith("cannot be read")


def test_a_column_named_twice(tmp_path):
    put(tmp_path, "a.csv", "a,b,a\n1,2,3\n")
    assert problem(tmp_path, file="a.csv")["column"] == "a"


def test_broken_packing_and_an_unknown_encoding(tmp_path):
    put(tmp_path, "a.csv.gz", b"no gzip")
    assert problem(tmp_path, file="a.csv.gz")["rule"].startswith("cannot be unpacked")
    put(tmp_path, "a.csv", "a\n1\n")
    assert problem(tmp_path, file="a.csv", encoding="utf-9")["rule"] == "unknown encoding 'utf-9'"


def test_excel_gives_numbers_dates_and_codes_as_text(tmp_path):
    day = pd.Timestamp("2026-10-31")
    df = pd.DataFrame({"when": [day, day], "code": ["007", 12], "n": [1.5, 2.0], "text": ["1,5", None]})
    with pd.ExcelWriter(tmp_path / "a.xlsx") as book:
        pd.DataFrame({"x": [1]}).to_excel(book, sheet_name="Cover", index=False)
        df.to_excel(book, sheet_name="Data", index=False)
    raw = read(tmp_path, file="a.xlsx", sheet="Data", decimal=",")
    assert raw.cells.values.tolist() == [["2026-10-31", "007", "1.5", "1,5"], ["2026-10-31", "12", "2", None]]
    assert (raw.rows.tolist(), raw.decimal) == ([2, 3], ".")
    assert list(read(tmp_path, file="a.xlsx").cells) == ["x"]
    found = problem(tmp_path, file="a.xlsx", sheet="data")
    assert (found["rule"], found["value"]) == ("sheet missing", "data")
    assert "Cover, Data" in found["remedy"]
    put(tmp_path, "b.xlsx", "no workbook")
    assert problem(tmp_path, file="b.xlsx")["rule"].startswith("cannot be read")


def test_parquet(tmp_path):
    df = pd.DataFrame({"month": pd.to_datetime(["2026-10-01"]), "n": [0.1], "code": ["007"], "none": [None]})
    df.to_parquet(tmp_path / "a.parquet")
    assert read(tmp_path, file="a.parquet").cells.values.tolist() == [["2026-10-01", "0.1", "007", None]]
    put(tmp_path, "b.parquet", "no parquet")
    assert problem(tmp_path, file="b.parquet")["rule"].startswith("cannot be read")


def test_where_keeps_row_numbers_and_counts_what_it_leaves_out(tmp_path):
    put(tmp_path, "a.csv", "kind;n;code\nx;1,5;007\ny;2,5;008\nx;10;009\n")
    raw = read(tmp_path, file="a.csv", separator=";", decimal=",", where="kind = 'x' and n > 2")
    assert raw.cells.values.tolist() == [["x", "10", "009"]]
    assert (raw.rows.tolist(), raw.left_out) == ([4], 2)
    found = problem(tmp_path, file="a.csv", separator=";", where="kinds = 'x'")
    assert (found["column"], found["value"]) == ("where", "kinds = 'x'")
    assert "kind, n, code" in found["remedy"]


def test_codes_and_dashes_are_no_numbers_in_sql(tmp_path):
    put(tmp_path, "a.csv", "code,dash,n\nE10,-,-.5\nE5,-,2e1\n")
    raw = read(tmp_path, sql="SELECT code, dash, n + 1 AS n FROM a ORDER BY n", files=("a.csv",))
    assert raw.cells.values.tolist() == [["E10", "-", "0.5"], ["E5", "-", "21.0"]]
    assert read(tmp_path, file="a.csv", where="code = 'E10'").cells.values.tolist() == [["E10", "-", "-.5"]]


def test_sql_joins_files_and_keeps_codes(tmp_path):
    put(tmp_path, "sales.csv", "code,n\n007,1\n008,2\n007,0.5\n")
    put(tmp_path, "names.csv", "code,name\n007,Bond\n008,Bill\n")
    sql = "SELECT code, name, sum(n) AS n FROM sales JOIN names USING (code) GROUP BY ALL ORDER BY code;"
    raw = read(tmp_path, sql=sql, files=("sales.csv", "names.csv"))
    assert raw.cells.values.tolist() == [["007", "Bond", "1.5"], ["008", "Bill", "2.0"]]
    assert raw.rows is None
    assert set(raw.sources) == {"sales.csv", "names.csv"}


@pytest.mark.parametrize(
    "files", [("sales.2024.csv", "sales.2025.csv"), ("2024/sales.csv", "2025/sales.csv"), ("sales.csv", "SALES.csv")]
)
def test_two_files_that_sql_would_call_the_same_are_both_named(tmp_path, files):
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        put(tmp_path, file, "n\n1\n")
    found = problem(tmp_path, sql="SELECT * FROM sales", files=files)
    assert found["file"] == files[1]
    assert files[0] in found["rule"]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('{folder}/secret.csv')",
        "SELECT * FROM '{folder}/secret.csv'",
        "COPY sales TO '{folder}/out.csv'",
        "SELECT 1) ; COPY sales TO '{folder}/out.csv' ; SELECT (1",
        "SET enable_external_access = true",
        "SELECT 1; SELECT 2",
        "SELECT * FROM table_of_python",
        "SELECT nothing FROM sales",
    ],
)
def test_sql_reaches_only_its_files(tmp_path, sql):
    table_of_python = pd.DataFrame({"n": [1]})
    assert len(table_of_python) == 1
    put(tmp_path, "sales.csv", "n\n1\n")
    put(tmp_path, "secret.csv", "n\n1\n")
    found = problem(tmp_path, sql=sql.format(folder=tmp_path), files=("sales.csv",))
    assert (found["file"], found["column"]) == ("sql of [inputs.sales]", "sql")
    assert "tables there: sales" in found["remedy"]
    assert not (tmp_path / "out.csv").exists()


def test_sql_names_each_missing_file(tmp_path):
    with pytest.raises(sources.SourceError) as error:
        read(tmp_path, sql="SELECT 1", files=("a.csv", "b.csv"))
    assert [p["file"] for p in error.value.problems] == ["a.csv", "b.csv"]


def test_a_database_is_read_and_never_written(tmp_path):
    import sqlalchemy as sa

    url = f"sqlite:///{tmp_path}/erp.db"
    with sa.create_engine(url).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (code TEXT, n REAL, d DATE)")
        connection.exec_driver_sql("INSERT INTO t VALUES ('007', 2.0, '2026-10-01'), ('50%:x', NULL, '2026-11-01')")
    env = {"ERP": url}
    raw = read(tmp_path, env, sql="SELECT * FROM t WHERE code LIKE '%'", database_env="ERP")
    assert raw.cells.values.tolist() == [["007", "2", "2026-10-01"], ["50%:x", None, "2026-11-01"]]
    assert raw.sources["sql of [inputs.sales]"]["rows"] == 2
    problem(tmp_path, env, sql="DELETE FROM t", database_env="ERP")
    assert len(read(tmp_path, env, sql="SELECT * FROM t", database_env="ERP").cells) == 2


@pytest.mark.parametrize("url", ["nodriver://bob:s3c%40ret@host/db", "s3c%40ret", "sqlite:////no/such/s3c@ret.db"])
def test_the_url_of_a_database_is_never_shown(tmp_path, url):
    found = problem(tmp_path, {"ERP": url}, sql="SELECT 1", database_env="ERP")
    assert "ERP" in found["remedy"]
    assert "s3c" not in str(found)


def test_a_database_without_its_variable(tmp_path):
    assert problem(tmp_path, sql="SELECT 1", database_env="ERP")["rule"] == "environment variable ERP is not set"


def test_a_password_is_masked_however_it_is_written():
    url = "postgresql://bob:s3c%40ret@host/db"
    assert sources._masked(f"no login with s3c@ret or s3c%40ret at {url}", url) == "no login with *** or *** at ***"


TEXTS = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=8)


@law(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=6))
def test_any_text_written_is_read_back(tmp_path, rows):
    df = pd.DataFrame([("k", *r) for r in rows], columns=["k", "a", "b"])
    df.to_csv(tmp_path / "a.csv", index=False)
    expected = df.map(lambda t: t if t.strip() else None)
    pd.testing.assert_frame_equal(read(tmp_path, file="a.csv").cells, expected)
