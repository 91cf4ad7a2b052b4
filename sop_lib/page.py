"""HTML for notebooks and pages: every data string is escaped, every number names its source table."""

import base64
import io
from importlib.resources import files

import matplotlib as mpl
import nbformat
import pandas as pd
from IPython.display import HTML
from markupsafe import Markup
from matplotlib.figure import Figure

from sop_lib import charts, tables

__all__ = ["bullets", "export", "figure", "lead", "missing", "note", "shown", "table", "tiles"]

BLANK = "–"


def shown(value: object, form: str = "") -> str:
    """Return a value as a page shows it: months like 'Nov 26', blanks as a dash, a real minus sign.

    >>> shown(pd.Timestamp("2026-11-01")), shown(-1234.5, "{:,.0f}"), shown(None)
    ('Nov 26', '−1,234', '–')
    """
    if value is None or value is pd.NaT or (isinstance(value, float) and pd.isna(value)):
        return BLANK
    if isinstance(value, pd.Timestamp):
        return f"{value:%b %y}" if value.day == 1 else f"{value:%-d %b %Y}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    text = form.format(value) if form else f"{value:,.10g}"
    return text.replace("-", "−", 1) if text.startswith("-") else text


def lead(sentences: list[str]) -> HTML:
    """Return the first-screen answer as one large paragraph."""
    return HTML(Markup('<p class="lead">{}</p>').format(" ".join(sentences)))


def note(text: str) -> HTML:
    """Return a boxed remark."""
    return HTML(Markup('<p class="note">{}</p>').format(text))


def bullets(sentences: list[str]) -> HTML:
    """Return sentences as a list; nothing for no sentences."""
    items = Markup("").join(Markup("<li>{}</li>").format(s) for s in sentences)
    return HTML(Markup("<ul>{}</ul>").format(items) if sentences else "")


def tiles(pairs: list[tuple[str, str]], source: str = "") -> HTML:
    """Return figures as tiles: (value, caption) each."""
    cell = Markup("<div><b>{}</b><span>{}</span></div>")
    body = Markup("").join(cell.format(value, caption) for value, caption in pairs)
    return HTML(Markup('<div class="tiles" data-source="{}">{}</div>').format(source, body))


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
    df: pd.DataFrame, *, source: str, caption: str = "", formats: dict[str, str] | None = None, empty: str = "No rows."
) -> HTML:
    """Return a table whose first column heads its rows; numbers stand right, blanks are dashes.

    Each row carries its key and each cell its column, so that a reader can find the source.
    """
    if df.empty:
        return HTML(Markup('<p class="empty">{}{}</p>').format(f"{caption}: " if caption else "", empty))
    forms = formats or {}
    numeric = {c: pd.api.types.is_numeric_dtype(df[c]) and not pd.api.types.is_bool_dtype(df[c]) for c in df}
    head = Markup("").join(Markup('<th scope="col"{}>{}</th>').format(_side(numeric[c]), _label(c)) for c in df)
    key = [c for c in (tables.table(source).key if source in tables.tables() else []) if c in df]
    body = Markup("").join(_row(row, df.columns, numeric, forms, key) for row in df.itertuples(index=False, name=None))
    title = Markup("<caption>{}</caption>").format(caption) if caption else ""
    shell = (
        '<div class="scroll" role="region" tabindex="0" aria-label="{}"><table data-source="{}">{}'
        "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>"
    )
    return HTML(Markup(shell).format(caption or source, source, title, head, body))


def _label(name: str) -> str:
    if isinstance(name, pd.Timestamp):
        return shown(name)
    return str(name).replace("_", " ")


def _side(numeric: bool) -> Markup:
    return Markup("") if numeric else Markup(' class="text"')


def _row(row: tuple, columns: pd.Index, numeric: dict, forms: dict, key: list[str]) -> Markup:
    named = dict(zip(columns, row, strict=True))
    first, *rest = columns
    cells = Markup("").join(
        Markup('<td{} data-column="{}">{}</td>').format(_side(numeric[c]), c, shown(named[c], forms.get(c, "")))
        for c in rest
    )
    where = " · ".join(shown(named[k]) for k in key)
    return Markup('<tr data-key="{}"><th scope="row">{}</th>{}</tr>').format(
        where, shown(named[first], forms.get(first, "")), cells
    )


def figure(fig: Figure, *, title: str, alt: str, source: str, wide: bool = True) -> HTML:
    """Return a figure as an SVG image with its finding as title, a text alternative and its source table."""
    drawn = io.BytesIO()
    with mpl.rc_context(charts.STYLE):
        fig.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    image = base64.b64encode(drawn.getvalue()).decode()
    shell = (
        '<figure class="{}" data-source="{}"><figcaption>{}</figcaption>'
        '<img alt="{}" src="data:image/svg+xml;base64,{}"></figure>'
    )
    return HTML(Markup(shell).format("wide" if wide else "", source, title, alt, image))


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
    style = (files("sop_lib") / "template" / "sop" / "style.css").read_text(encoding="utf-8")
    given = {"title": title, "links": links or [], "style": style}
    page, _ = exporter.from_notebook_node(_plain(notebook), resources={"page": given})
    return page


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
