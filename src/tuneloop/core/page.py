"""Self-contained HTML pages: no network, every value escaped, light and dark; a script only where one is given."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from tuneloop.core.i18n import language

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, MUTED, ACCENT, WARN = "#4269d0", "#8a8f98", "#3ca951", "#ff725c"
"""Colours of plots; they read on light and on dark ground."""

STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8881;--accent:#4269d0}
body{font:15px/1.55 system-ui,"Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif;
max-width:62rem;margin:0 auto;padding:1.5rem 1rem 4rem}
h1{font-size:1.6rem;margin:.2em 0}h2{font-size:1.15rem;margin:2.2em 0 .6em;border-bottom:1px solid var(--line)}
p.lead{font-size:1.05rem}p.note{opacity:.75;font-size:.9rem}
small{white-space:nowrap;opacity:.8}
p.better,p.worse,p.unclear{border-left:.3rem solid;padding:.5em .8em;background:var(--soft)}
p.better{border-color:#3ca951}p.worse{border-color:#ff725c}p.unclear{border-color:#8a8f98}
.wide{overflow-x:auto}table{border-collapse:collapse;margin:.5em 0}
th,td{padding:.3em .8em .3em 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums}
td.text{overflow-wrap:anywhere;white-space:pre-line;min-width:11rem}
.turn{overflow-wrap:anywhere;white-space:pre-line;border-left:.2rem solid var(--line);padding-left:.5em;margin:.2em 0}
.figures{display:flex;flex-wrap:wrap;gap:1rem}figure{margin:0;max-width:100%}figure svg{max-width:100%;height:auto}
figcaption{font-size:.85rem;opacity:.75}code{background:var(--soft);padding:.1em .3em;border-radius:3px}
@media(max-width:40rem){body{padding:1rem .6rem}th,td{padding-right:.5em}}
"""


def page(title: str, parts: Iterable[Markup], *, script: str = "", data: Any = None) -> str:
    """A whole HTML document with `parts` below the heading `title`.

    Args:
        script: of a page that is worked with; the browser runs this one and no other, and loads nothing.
        data: plain values that it finds as JSON in the element with the id `data`.
    """
    frame = Markup(
        '<!doctype html>\n<html lang="{}">\n<head>\n<meta charset="utf-8">\n{}'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{}</title>\n'
        "<style>{}</style>\n</head>\n<body>\n<h1>{}</h1>\n{}\n{}</body>\n</html>\n"
    )
    code = "zh-CN" if language() == "zh" else "en"
    policy, run = _script(script, data) if script else (Markup(""), Markup(""))
    return str(frame.format(code, policy, title, Markup(STYLE), title, Markup("\n").join(parts), run))


def _script(script: str, data: Any) -> tuple[Markup, Markup]:
    """What forbids every other script, and the script with its data, in which no "<" can end or begin an element."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    plain = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    return (
        Markup('<meta http-equiv="Content-Security-Policy" content="{}">\n').format(policy),
        Markup('<script type="application/json" id="data">{}</script>\n<script>{}</script>\n').format(
            Markup(plain), Markup(script)
        ),
    )


def section(title: str, *parts: Markup) -> Markup:
    """A heading and what stands below it."""
    return Markup("<section>\n<h2>{}</h2>\n{}\n</section>").format(title, Markup("\n").join(parts))


def paragraph(text: str, kind: str = "") -> Markup:
    """A paragraph; `kind` is any of "lead", "note", and the verdicts "better", "worse", "unclear"."""
    return Markup('<p class="{}">{}</p>').format(kind, text)


def gap() -> str:
    """What stands between two sentences: Chinese puts no space there."""
    return "" if language() == "zh" else " "


def turn(role: str, text: str) -> Markup:
    """What somebody says in a conversation."""
    return Markup('<div class="turn"><b>{}:</b> {}</div>').format(role, text)


def bullets(items: Iterable[str]) -> Markup:
    """A list of sentences."""
    return Markup("<ul>\n{}\n</ul>").format(Markup("\n").join(Markup("<li>{}</li>").format(item) for item in items))


def code_block(text: str) -> Markup:
    """Lines to copy, in one width."""
    return Markup('<pre class="wide"><code>{}</code></pre>').format(text)


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> Markup:
    """A table; numbers stand right, long texts may wrap. Numbers are shown as `number` shows them."""
    cells = [list(row) for row in rows]
    numeric = [
        all(isinstance(row[column], int | float) for row in cells) and bool(cells) for column in range(len(headers))
    ]
    head = Markup("").join(
        Markup("<th{}>{}</th>").format(_kind("number" if right else ""), name)
        for name, right in zip(headers, numeric, strict=True)
    )
    body = Markup("\n").join(Markup("<tr>{}</tr>").format(Markup("").join(map(_cell, row))) for row in cells)
    return Markup('<div class="wide"><table>\n<thead><tr>{}</tr></thead>\n<tbody>\n{}\n</tbody></table></div>').format(
        head, body
    )


def number(value: float) -> str:
    """An integer whole with separators, anything else with three decimals."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def plot(draw: Callable[[Axes], None], *, caption: str, width: float = 5.0, height: float = 3.2) -> Markup:
    """What `draw` draws, as inline SVG with real text; equal drawings give equal bytes.

    Args:
        draw: draws on the axes it is given.
        caption: what is to be seen, also read out by screen readers.
        width: inches.
        height: inches.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    settings: dict[Any, Any] = {
        "svg.fonttype": "none", "svg.hashsalt": "tuneloop", "font.size": 9, "font.family": "sans-serif",
        "axes.edgecolor": MUTED, "text.color": MUTED, "axes.labelcolor": MUTED, "xtick.color": MUTED,
        "ytick.color": MUTED, "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False,
    }  # fmt: skip
    # the browser draws the text, so it does not matter which letters matplotlib's own font lacks
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=(width, height), layout="tight")
        FigureCanvasSVG(figure)
        draw(figure.add_subplot())
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    drawing = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    drawing = drawing.replace(MUTED, "currentColor")  # as dark or light as the text around it
    return Markup('<figure role="img" aria-label="{}">{}<figcaption>{}</figcaption></figure>').format(
        caption, Markup(drawing), caption
    )


def figures(*plots: Markup) -> Markup:
    """Plots side by side where the page is wide enough."""
    return Markup('<div class="figures">{}</div>').format(Markup("\n").join(plots))


def _cell(value: Any) -> Markup:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Markup("<td{}>{}</td>").format(_kind("number"), number(value))
    return Markup("<td{}>{}</td>").format(_kind("text" if len(str(value)) > 60 else ""), value)


def _kind(name: str) -> Markup:
    return Markup(' class="{}"').format(name) if name else Markup("")
