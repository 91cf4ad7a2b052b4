"""One source's text cells as one typed input table, with every problem of its columns, cells, keys and names."""

from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from sop_lib import sources, tables
from sop_lib.settings import Source
from sop_lib.sources import PROBLEM, Raw, SourceError, nearest, problem
from sop_lib.tables import ALL

__all__ = ["Found", "changes_ahead", "in_circles", "in_planning_units", "listed", "read_table", "unknown_members"]

FORMATS = {r"\d{1,2}\.\d{1,2}\.\d{4}": "%d.%m.%Y", r"\d{1,2}/\d{1,2}/\d{4}": "%d/%m/%Y", r"\d{8}": "%Y%m%d"}
FORMATS |= {r"\d{6}": "%Y%m", r"\d{1,2}[/.]\d{4}": "%m/%Y"}


@dataclass(frozen=True)
class Found:
    """One input table at the grain of its source: `month` may be any day; `columns` are ours → theirs."""

    name: str
    raw: Raw
    columns: dict[str, str]
    frame: pd.DataFrame

    def problems(self, at: pd.Series, column: str, rule: str, remedy: str | pd.Series) -> list[dict]:
        """Return a problem for each row that `at` marks, as the source names file, row and column."""
        hit = pd.DataFrame({"row": at.index[at], "column": column, "value": self.frame.loc[at, column].to_numpy()})
        remedies = remedy[at].to_numpy() if isinstance(remedy, pd.Series) else remedy
        return _located(self.name, self.raw, self.columns, hit.assign(rule=rule, remedy=remedies))


def listed(names, most: int = 5) -> str:
    """Return names as a phrase, the first few of them.

    >>> listed(["c", "a", "b"], most=2)
    'a, b and 1 more'
    """
    words = sorted(str(n) for n in names)
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


def read_table(
    name: str, source: Source, folder: Path, products: pd.DataFrame | None
) -> tuple[Found | None, list[dict]]:
    """Return an input table typed as far as it can be read, and its problems; none when columns are missing.

    A family left blank is the product's. Raises SourceError when the source itself cannot be read.
    """
    raw = sources.read(name, source, folder)
    columns, problems = _columns(name, source, raw)
    if not problems and raw.cells.empty and tables.table(name).required:
        rule = "where leaves no row" if raw.left_out else "no row below the header"
        problems = [problem(raw.file, rule, "give at least one row", row=1)]
    if problems:
        return None, problems
    plain = pd.DataFrame({ours: raw.cells[theirs] for ours, theirs in columns.items()}, index=raw.cells.index)
    plain = tables.complete(name, _readable(name, plain, source, raw.decimal))
    typed, unread = tables.convert(name, plain)
    if "month" in tables.table(name).key:
        typed["month"] = tables.as_kind(plain["month"], "date")
    table = Found(name, raw, columns, _with_family(name, typed, products))
    broken = tables.without_read_again(unread, tables.failures(name, table.frame))
    return table, _located(name, raw, columns, _advised(name, broken, source)) + _row_problems(table, products)


def _columns(name: str, source: Source, raw: Raw) -> tuple[dict[str, str], list[dict]]:
    """Return our columns that the source holds, ours → theirs, and a problem for each that it should hold."""
    there, columns, problems = list(raw.cells.columns), {}, []
    for c in tables.table(name).columns:
        theirs = source.columns.get(c.name, "" if c.name in source.columns.values() else c.name)
        if theirs in there:
            columns[c.name] = theirs
        elif (c.name in source.columns and theirs) or not c.optional:
            hint = nearest(theirs or c.name, there) or f"columns there: {listed(there, most=20)}"
            remedy = f"name the column for {c.name} under columns in [inputs.{name}]; {hint}"
            problems.append(problem(raw.file, "column missing", remedy, row=1, column=theirs or c.name))
    if name == "sales" and not {"ordered", "shipped"} & set(columns):
        remedy = f"name one of them under columns in [inputs.sales]; columns there: {listed(there, most=20)}"
        problems.append(problem(raw.file, "neither ordered nor shipped", remedy, row=1, column="ordered"))
    return columns, problems


def _readable(name: str, plain: pd.DataFrame, source: Source, decimal: str) -> pd.DataFrame:
    """Return the cells with dates as YYYY-MM-DD and numbers with a point, as far as the source's format tells."""
    out = plain.copy()
    for ours in map(str, plain):
        kind = tables.table(name)[ours].kind
        if kind in ("number", "whole") and (decimal != "." or source.thousands):
            out[ours] = _dotted(plain[ours], decimal, source.thousands)
        if kind in ("month", "date") and source.date_format:
            out[ours] = _dated(name, plain[ours], source.date_format)
    return out


def _dotted(cells: pd.Series, decimal: str, thousands: str) -> pd.Series:
    """Return numbers with a point; a thousands mark counts only where it parts groups of three."""
    text = cells.astype("object").str.strip()
    if thousands:
        grouped = rf"-?\d{{1,3}}(?:\{thousands}\d{{3}})+(?:\{decimal}\d+)?"
        plain = text.str.replace(thousands, "", regex=False)
        text = text.mask(text.str.fullmatch(grouped, na=False), plain)
    if decimal == ".":
        return text
    return text.str.replace(".", "·", regex=False).str.replace(decimal, ".", regex=False)


def _dated(name: str, cells: pd.Series, date_format: str) -> pd.Series:
    try:
        read = pd.to_datetime(cells.str.strip(), format=date_format, errors="coerce")
    except ValueError as error:
        rule, remedy = f"date_format {date_format!r}: {error}", f"correct date_format in [inputs.{name}]"
        raise SourceError([problem("sop.toml", rule, remedy)]) from None
    return read.dt.strftime("%Y-%m-%d").where(read.notna(), cells)


def _by_product_or_family(name: str) -> bool:
    columns = tables.table(name)
    return all(c in columns.names and columns[c].optional for c in ("product", "family"))


def _own_family(df: pd.DataFrame, products: pd.DataFrame) -> pd.Series:
    return df["product"].map(products.drop_duplicates("product").set_index("product")["family"])


def _with_family(name: str, typed: pd.DataFrame, products: pd.DataFrame | None) -> pd.DataFrame:
    if not _by_product_or_family(name) or products is None:
        return typed
    own = _own_family(typed, products)
    return typed.assign(family=typed["family"].where(typed["family"].ne(ALL) | own.isna(), own))


def _row_problems(table: Found, products: pd.DataFrame | None) -> list[dict]:
    """Return what is wrong with a row as a whole, beyond each cell's own rule."""
    df, found = table.frame, []
    if table.name == "sales":
        given = [c for c in ("ordered", "shipped") if c in table.columns]
        blank = table.raw.cells[[table.columns[c] for c in given]].isna().all(axis=1)
        found += table.problems(blank, given[0], "neither ordered nor shipped", "give one of them, 0 for nothing")
    if table.name == "products":
        twice = df.groupby("product")["family"].transform("nunique") > 1
        found += table.problems(twice, "family", "product in two families", "keep the product in one family")
        for c in ("product", "family"):
            found += table.problems(df[c].eq(ALL), c, f"{ALL} is no name", "it stands for all of them; choose another")
    if table.name == "launches":
        outside = (df["low"] > df["volume_year_1"]) | (df["high"] < df["volume_year_1"])
        found += table.problems(outside, "volume_year_1", "not between low and high", "low is P10, high is P90 of it")
        own = df["cannibalises"].eq(df["product"])
        found += table.problems(own, "cannibalises", "a launch cannot take from itself", "name another product")
        own = df["like_product"].eq(df["product"]) & df["region"].eq(ALL)
        found += table.problems(own, "like_product", "a launch cannot be like itself", "name another product")
    if _by_product_or_family(table.name):
        nobody = df["product"].eq(ALL) & df["family"].eq(ALL)
        found += table.problems(nobody, "product", "neither product nor family", "give one of them")
    if _by_product_or_family(table.name) and products is not None:
        own = _own_family(df, products)
        remedy = "take " + own.astype(str) + ", or leave the family blank"
        found += table.problems(own.notna() & own.ne(df["family"]), "family", "not the product's family", remedy)
    if table.name == "demand_inputs":
        rule, remedy = "the stream also gives a part of this", "give the whole or its parts, not both"
        found += table.problems(_also_in_parts(df), "quantity", rule, remedy)
    return found


def _also_in_parts(df: pd.DataFrame) -> pd.Series:
    """Return which rows speak of a whole of which other rows of the same stream and month give a part."""
    group = ["cycle", "stream", "month", "family"]
    product, region = df["product"].ne(ALL), df["region"].ne(ALL)
    each, families, places = product & region, product & ~region, ~product & region

    def among(rows: pd.Series, *columns: str) -> pd.Series:
        return rows.groupby([df[c] for c in (*group, *columns)]).transform("any")

    whole = ~product & ~region & among(product | region)
    return whole | families & (among(places) | among(each, "product")) | places & among(each, "region")


def in_planning_units(found: dict[str, Found]) -> tuple[Found, list[dict]]:
    """Return `demand_inputs` with every quantity in the planning unit and `unit` blank, and what cannot be converted.

    That is a unit without a factor in `units` for its product and month, and a whole family in another unit.
    """
    table, frame = found["demand_inputs"], found["demand_inputs"].frame
    own = found["families"].frame.set_index("family")["unit"] if "families" in found else pd.Series(dtype="object")
    other = frame["unit"].notna() & frame["unit"].ne(frame["family"].map(own))
    left = frame[other].assign(at=frame.index[other]).sort_values("month", kind="stable")
    known = found["units"].frame if "units" in found else tables.empty("units")
    right = known.rename(columns={"from_month": "month"}).sort_values("month", kind="stable")
    factor = pd.merge_asof(left, right, on="month", by=["product", "unit"]).set_index("at")["factor"]
    factor = factor.where(factor > 0).reindex(frame.index)
    whole = other & frame["product"].eq(ALL)
    remedy = "give it per product, or in the planning unit with unit left blank"
    problems = table.problems(whole, "unit", "a whole family in another unit", remedy)
    remedy = "add its factor to units with a from_month not after that month, or "
    remedy += "give it in the planning unit with unit left blank"
    problems += table.problems(other & ~whole & factor.isna(), "unit", "no factor of this unit", remedy)
    return replace(table, frame=frame.assign(quantity=frame["quantity"] / factor.fillna(1.0), unit=None)), problems


def _advised(name: str, broken: pd.DataFrame, source: Source) -> pd.DataFrame:
    """Return the problems with a remedy that names the setting when the value looks written another way."""
    if broken.empty:
        return broken
    out, place, value = broken.copy(), f"in [inputs.{name}]", broken["value"].astype("str")
    other = "," if source.decimal == "." else "."
    numbers = out["rule"].isin(["not a number", "not a whole"])
    swapped = value.str.fullmatch(r"-?[\d. ']*,\d+" if other == "," else r"-?[\d· ']*·\d+")
    out.loc[numbers, "remedy"] = "write a number, without unit or thousands mark"
    out.loc[numbers & swapped, "remedy"] = f'if {other} is the decimal mark, set decimal = "{other}" {place}'
    dates = out["rule"].isin(["not a month", "not a date"])
    for pattern, form in FORMATS.items():
        out.loc[dates & value.str.fullmatch(pattern), "remedy"] = f'set date_format = "{form}", or what fits, {place}'
    return out


def _located(name: str, raw: Raw, columns: dict[str, str], hit: pd.DataFrame) -> list[dict]:
    """Return problems at positions of a table as problems at the rows and columns of its source."""
    keys = {c: " + ".join(columns[p] for p in c.split("+") if p in columns) for c in hit["column"] if "+" in c}
    theirs = hit["column"].map(lambda c: keys.get(c) or columns.get(c, c))
    cells = zip(hit["row"], theirs, hit["value"], strict=True)
    found = [raw.cells.at[at, c] if c in raw.cells else value for at, c, value in cells]
    if raw.rows is None:
        key = raw.cells[[columns[k] for k in tables.table(name).key if k in columns]]
        rows = [" · ".join(map(str, cells)) for cells in key.loc[hit["row"]].itertuples(index=False)]
    else:
        rows = raw.rows.loc[hit["row"]].to_list()
    out = hit.assign(file=raw.file, row=rows, column=theirs, value=pd.Series(found, hit.index, dtype="object"))
    return out[PROBLEM].astype("object").to_dict("records")


def changes_ahead(changes: pd.DataFrame, cycle: pd.Timestamp) -> pd.DataFrame:
    """Return the engineering changes with a successor that come in or after the cycle, the earliest first."""
    ahead = changes[changes["successor"].notna() & (changes["effective_month"] >= cycle)]
    return ahead.sort_values(["effective_month", "change"])


def in_circles(found: dict[str, Found], cycle: pd.Timestamp) -> list[dict]:
    """Return a problem for each successor that leads back to its own product, as engineering changes ahead set them.

    Only the earliest of several changes of a product is followed, and changes of the past say nothing.
    """
    rows = {name: found[name].frame.dropna(subset="successor") for name in ("products",) if name in found}
    if "engineering_changes" in found:
        ahead = changes_ahead(found["engineering_changes"].frame, cycle)
        rows["engineering_changes"] = ahead.drop_duplicates("product")
    follows: dict[str, str] = {}
    for frame in rows.values():
        follows |= frame.set_index("product")["successor"].to_dict()
    circles = {product: _circle(product, follows) for product in follows}
    problems, advice = [], "leave successor blank at the product that stays, in "
    for name, frame in rows.items():
        table = found[name]
        circle = table.frame["product"].map(circles).fillna("")
        followed = table.frame["successor"].eq(table.frame["product"].map(follows))
        at = circle.ne("") & followed & table.frame.index.isin(frame.index)
        problems += table.problems(at, "successor", "successors run in a circle", advice + circle)
    return problems


def _circle(product: str, follows: dict[str, str]) -> str:
    """Return the chain that leads from a product back to it, 'A > B > A'; empty when none does.

    >>> _circle("A", {"A": "B", "B": "A"}), _circle("C", {"C": "A", "A": "B", "B": "A"})
    ('A > B > A', '')
    """
    chain = [product]
    while follows.get(chain[-1], product) not in chain:
        chain.append(follows[chain[-1]])
    return " > ".join([*chain, product]) if follows.get(chain[-1]) == product else ""


def unknown_members(table: Found, found: dict[str, Found]) -> list[dict]:
    """Return a problem for each cell that names a product, family, region or material nobody declares."""
    problems = []
    for c in tables.table(table.name).columns:
        target, _, column = (c.refers_to or ("sales.region" if c.name == "region" else "")).partition(".")
        if target not in found or (table.name, c.name) == (target, column):
            continue
        known = found[target].frame[column].dropna().unique().tolist()
        cells, there = table.frame[c.name], f"{target} has {listed(known)}"
        at = cells.notna() & cells.ne(ALL) & ~cells.isin(known)
        hints = {v: nearest(v, known) or there for v in cells[at].unique()[:200]}
        remedy = f"add it to {target} or correct it; " + cells.map(hints).fillna(there).astype("object")
        problems += table.problems(at, c.name, f"unknown {column}", remedy)
    return problems
