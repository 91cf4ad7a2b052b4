"""HTML for notebooks and pages: every data string is escaped, every number names its source table."""

import base64
import io
import re
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import matplotlib as mpl
import nbformat
import pandas as pd
from IPython.display import HTML
from markupsafe import Markup
from matplotlib.figure import Figure

from sop_lib import charts, tables

__all__ = [
    "between", "bullets", "count", "export", "figure", "lead", "missing", "money", "note", "number", "pair",
    "percent", "section", "shown", "spark", "table", "tiles",
    "together",
]  # fmt: skip

BLANK = "–"


def shown(value: object, form: str = "") -> str:
    """Return a value as a page shows it: months like 'Nov 26', blanks as a dash, a real minus sign, no sign of zero.

    >>> shown(pd.Timestamp("2026-11-01")), shown(-1234.5, "{:,.0f}"), shown(None)
    ('Nov 26', '−1,234', '–')
    """
    if value is None or value is pd.NaT or (isinstance(value, float) and pd.isna(value)):
        return BLANK
    if isinstance(value, pd.Timestamp):
        return f"{value:%b %y}" if value.day == 1 else f"{value.day} {value:%b %Y}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    text = form.format(value) if form else f"{value:,.10g}"
    if not text.strip("+-0.,"):
        return text.lstrip("+-")
    return text.replace("-", "−", 1) if text.startswith("-") else text


def count(value: float, sign: str = "") -> str:
    r"""Return a quantity to three significant digits, in millions from one million on; `sign="+"` shows a plus.

    >>> count(14187), count(-1234567, "+"), count(3.2, "+")
    ('14,200', '−1.23\xa0m', '+3')
    """
    value = value if abs(value) < 1000 else float(f"{value:.3g}")
    size, word = next((s, w) for s, w in ((1e9, "\u00a0bn"), (1e6, "\u00a0m"), (1.0, "")) if abs(value) >= s or s == 1)
    digits = 0 if size == 1 else 2 - len(str(int(abs(value) / size))) + 1
    return shown(value / size, f"{{:{sign},.{max(digits, 0)}f}}") + word


def money(value: float, currency: str, sign: str = "") -> str:
    r"""Return money to three significant digits with its currency.

    >>> money(2_140_000, "EUR"), money(-820_400, "EUR", "+")
    ('EUR\xa02.14\xa0m', '−EUR\xa0820,000')
    """
    text = count(value, sign)
    before = text[0] if text[0] in "+−" else ""
    return f"{before}{currency}\u00a0{text.removeprefix(before)}"


def between(low: float, high: float) -> str:
    r"""Return a range of two quantities, with the size named once where both share it.

    >>> between(6.89e6, 7.02e6), between(8000, 21000)
    ('6.89 to 7.02\xa0m', '8,000 to 21,000')
    """
    first, last = count(low), count(high)
    same = first[-2:] == last[-2:] and first.endswith("m")
    return f"{first[:-2] if same else first} to {last}"


def percent(rate: float, digits: int = 0, sign: str = "") -> str:
    r"""Return a rate in percent.

    >>> percent(0.9614, 1), percent(-0.012, sign="+")
    ('96.1\xa0%', '−1\xa0%')
    """
    return shown(100 * rate, f"{{:{sign}.{digits}f}}") + "\u00a0%"


def number(value: float, text: str, *, source: str, column: str, **key: Any) -> Markup:
    """Return a number in a sentence, marked with where it comes from.

    It is the sum of the source table's `column` over the rows that `key` names (a tuple names a span of months);
    `a/b` is the ratio of two such sums, `a/b-1` the change between them.

    >>> str(number(96.5, "97", source="gap", column="late", family="A"))
    '<data value="96.5" data-source="gap" data-column="late" data-key="family=A">97</data>'
    """
    mark = Markup('<data value="{}" data-source="{}" data-column="{}" data-key="{}">{}</data>')
    return mark.format(f"{value:.9g}", source, column, _key(key), text)


def _key(named: dict[str, object]) -> str:
    return " · ".join(f"{name}={_part(value)}" for name, value in named.items())


def _part(value: object) -> str:
    if isinstance(value, tuple):
        return "..".join(_part(v) for v in value)
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    return f"{value:%Y-%m-%d}".removesuffix("-01") if isinstance(value, pd.Timestamp) else str(value)


def section(title: str, *parts: HTML, note: str = "") -> HTML:
    """Return parts under a heading that the contents of the page link to; nothing when all parts are empty."""
    body = Markup("").join(Markup(p.data) for p in parts)
    if not body:
        return HTML("")
    anchor = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    small = Markup('<p class="small">{}</p>').format(note) if note else ""
    return HTML(Markup('<section><h2 id="{}">{}</h2>{}{}</section>').format(anchor, title, small, body))


def pair(*parts: HTML, least: int = 400) -> HTML:
    """Return parts side by side where each has `least` pixels, else below each other; empty parts take no room."""
    full = [Markup("<div>{}</div>").format(Markup(p.data)) for p in parts if p.data]
    return HTML(
        Markup('<div class="pair" style="--least:{}px">{}</div>').format(least, Markup("").join(full)) if full else ""
    )


def together(*parts: HTML) -> HTML:
    """Return parts one below the other."""
    return HTML(Markup("").join(Markup(p.data) for p in parts))


def spark(values: list[float]) -> Markup:
    """Return the course of some values as a small line, without scale; blanks are left out."""
    known = [(at, v) for at, v in enumerate(values) if not pd.isna(v)]
    if len(known) < 2:
        return Markup("")
    low, high = min(v for _, v in known), max(v for _, v in known)
    spots = [(4 + 72 * at / (len(values) - 1), 17 - 14 * (v - low) / ((high - low) or 1)) for at, v in known]
    line, (x, y) = " ".join(f"{a:.1f},{b:.1f}" for a, b in spots), spots[-1]
    shell = '<svg class="spark" viewBox="0 0 80 20" aria-hidden="true"><polyline points="{}"/>{}</svg>'
    return Markup(shell).format(line, Markup('<circle cx="{}" cy="{}" r="2.4"/>').format(f"{x:.1f}", f"{y:.1f}"))


@cache
def in_lab_style() -> Markup:
    """Return the style of results for a notebook open in JupyterLab; exported pages have it in their head."""
    style = _style()
    names = style.split("{", 1)[1].split("}", 1)[0]
    results = style.split("/* results: also shown inside JupyterLab */")[1].split("/* end of results */")[0]
    return Markup(f"<style>.jp-RenderedHTMLCommon{{{names};{results}}}</style>")


def _style() -> str:
    return (files("sop_lib") / "template" / "sop" / "style.css").read_text(encoding="utf-8")


def lead(sentences: Sequence[str]) -> HTML:
    """Return the first-screen answer as one large paragraph."""
    return HTML(in_lab_style() + Markup('<p class="lead">{}</p>').format(Markup(" ").join(sentences)))


def note(text: str) -> HTML:
    """Return a boxed remark."""
    return HTML(Markup('<p class="note">{}</p>').format(text))


def bullets(sentences: Sequence[str]) -> HTML:
    """Return sentences as a list; nothing for no sentences."""
    items = Markup("").join(Markup("<li>{}</li>").format(s) for s in sentences)
    return HTML(Markup("<ul>{}</ul>").format(items) if sentences else "")


def tiles(pairs: list[tuple[str, str]], source: str = "") -> HTML:
    """Return figures as tiles: (value, caption) each; nothing for no figures."""
    cell = Markup("<div><b>{}</b><span>{}</span></div>")
    body = Markup("").join(cell.format(value, caption) for value, caption in pairs)
    return HTML(Markup('<div class="tiles" data-source="{}">{}</div>').format(source, body) if pairs else "")


def missing(part: str, needs: list[str]) -> HTML:
    """Return which input tables a part needs and what they would unlock, as their definitions say."""
    lines = [f"{n}: unlocks {tables.table(n).unlocks}" for n in needs]
    listed = Markup("").join(Markup("<li>{}</li>").format(line) for line in lines)
    return HTML(
        Markup('<div class="missing"><p>{} needs input tables that are not there.</p><ul>{}</ul></div>').format(
            part, listed
        )
    )


def table(
    df: pd.DataFrame, *, source: str, caption: str = "", formats: dict[str, str | Callable[[float], str]] | None = None,
    labels: dict[str, str] | None = None, hidden: tuple[str, ...] = (), right: tuple[str, ...] = (),
    empty: str = "No rows.",
) -> HTML:  # fmt: skip
    """Return a table whose first column heads its rows; numbers stand right, blanks are dashes.

    Each row carries its key and each cell its column, so that a reader can find the source; `formats` are format
    strings or functions, `labels` the heads to show instead of column names, `hidden` columns belong to the key alone,
    `right` columns stand right though they are text.
    """
    if df.empty:
        return HTML(Markup('<p class="empty">{}{}</p>').format(f"{caption}: " if caption else "", empty))
    types = pd.api.types
    numeric = {c: c in right or (types.is_numeric_dtype(df[c]) and not types.is_bool_dtype(df[c])) for c in df}
    seen: list = [c for c in df if c not in hidden]
    names = labels or {}
    heads = [Markup('<th scope="col"{}>{}</th>').format(_side(numeric[c]), names.get(c) or _label(c)) for c in seen]
    key = [c for c in (tables.table(source).key if source in tables.tables() else []) if c in df]
    rows = df.itertuples(index=False, name=None)
    body = [_row(dict(zip(df, row, strict=True)), seen, numeric, formats or {}, key) for row in rows]
    title = Markup("<caption>{}</caption>").format(caption) if caption else ""
    shell = Markup('<table data-source="{}">{}<thead><tr>{}</tr></thead><tbody>{}</tbody></table>')
    return scroll(shell.format(source, title, Markup("").join(heads), Markup("").join(body)), caption or source)


def scroll(content: Markup, label: str) -> HTML:
    """Return content that scrolls by itself where it is wider than the page, also by keyboard."""
    shell = '<div class="scroll" role="region" tabindex="0" aria-label="{}">{}</div>'
    return HTML(Markup(shell).format(label, content))


def _label(name: object) -> str:
    return shown(name) if isinstance(name, pd.Timestamp) else str(name).replace("_", " ")


def _side(numeric: bool) -> Markup:
    return Markup("") if numeric else Markup(' class="text"')


def _row(named: dict, seen: list, numeric: dict, forms: dict, key: list[str]) -> Markup:
    first, *rest = seen
    cell = Markup('<td{} data-column="{}">{}</td>')
    cells = Markup("").join(cell.format(_side(numeric[c]), c, _cell(named[c], forms.get(c, ""))) for c in rest)
    head = Markup('<tr data-key="{}"><th scope="row">{}</th>{}</tr>')
    return head.format(_key({k: named[k] for k in key}), _cell(named[first], forms.get(first, "")), cells)


def _cell(value: Any, form: str | Callable[[float], str]) -> str:
    if isinstance(value, Markup):
        return value
    return form(value) if callable(form) and not pd.isna(value) else shown(value, "" if callable(form) else form)


def figure(fig: Figure, *, title: str, alt: str, source: str, wide: bool = True) -> HTML:
    """Return a figure as an SVG image with its finding as title, a text alternative and its source table.

    A wide figure with one pair of axes is drawn a second time, narrow, for phones; one with more of them scrolls.
    """
    twice = wide and len(fig.axes) == 1
    image = Markup('<img alt="{}" src="{}">').format(alt, _drawn(fig))
    if twice:
        image = Markup('<picture><source media="screen and (max-width:700px)" srcset="{}">{}</picture>').format(
            _narrow(fig), image
        )
    held = image if twice or not wide else Markup(scroll(image, f"Chart: {title}").data)
    shell = '<figure class="{}" data-source="{}"><figcaption>{}</figcaption>{}</figure>'
    return HTML(Markup(shell).format("wide" if wide and not twice else "", source, title, held))


def _narrow(fig: Figure) -> str:
    """Return the figure drawn for a phone: narrower, with half of the labels where they would touch."""
    ax = fig.axes[0]
    names = [label.get_text() for label in ax.get_xticklabels()]
    if len(names) > 6 and all(names):
        ax.set_xticks(ax.get_xticks()[::2], names[::2])
    fig.set_size_inches(4.6, max(fig.get_figheight(), 2.8))
    return _drawn(fig)


def _drawn(fig: Figure) -> str:
    drawn = io.BytesIO()
    with mpl.rc_context(charts.STYLE):
        fig.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    return f"data:image/svg+xml;base64,{base64.b64encode(drawn.getvalue()).decode()}"


def export(notebook: nbformat.NotebookNode, title: str, links: list[tuple[str, str]] | None = None) -> str:
    """Return an executed notebook as one self-contained HTML page that shows text and results, no code.

    Cells tagged `not-in-page` are left out. `links` are (label, relative address) of the sister pages.
    The page forbids every request by its Content-Security-Policy.
    """
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    settings = Config()
    settings.TagRemovePreprocessor.enabled = True
    settings.TagRemovePreprocessor.remove_cell_tags = {"not-in-page", "papermill-error-cell-tag"}
    exporter = HTMLExporter(
        config=settings,
        template_name="sop",
        extra_template_basedirs=[str(files("sop_lib") / "template")],
        exclude_input=True,
        exclude_anchor_links=True,
    )
    given = {"title": title, "links": links or [], "style": _style()}
    page, _ = exporter.from_notebook_node(_plain(notebook), resources={"page": given})
    return _with_contents(page.replace(in_lab_style(), ""))


def _with_contents(page: str) -> str:
    """Return the page with links to its sections at the top, when it has more than three."""
    found = re.findall(r'<h2 id="([^"]+)">(.*?)</h2>', page)
    links = "".join(f'<a href="#{anchor}">{title}</a>' for anchor, title in found)
    contents = f'<nav class="contents" aria-label="Contents">{links}</nav>' if len(found) > 3 else ""
    return page.replace("<!--contents-->", contents, 1)


def _plain(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return the notebook without what differs from run to run: ids, run metadata, streams, widget state."""
    plain = nbformat.from_dict(notebook)
    plain.metadata = nbformat.from_dict({"language_info": {"name": "python"}, "title": ""})
    for number, cell in enumerate(plain.cells):
        cell.id = f"c{number:02d}"
        cell.metadata = nbformat.from_dict({"tags": cell.metadata.get("tags", [])})
        if cell.cell_type == "code":
            cell.execution_count = None
            cell.outputs = [o for o in cell.outputs if o.output_type in ("display_data", "execute_result")]
    return plain
