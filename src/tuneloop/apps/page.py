"""A page of an application: its own script in a frame that loads nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from tuneloop.core.page import STYLE

if TYPE_CHECKING:
    from fastapi import FastAPI

HERE = Path(__file__).parent
FRAME = Markup(
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{}</title>\n'
    '<link rel="icon" href="data:,">\n<style>{}</style>\n</head>\n'
    "<body>\n<main></main>\n<script>{}</script>\n</body>\n</html>\n"
)


def add_page(server: FastAPI, script: Path, *, title: str, path: str = "/") -> None:
    """Show a page at `path` that `script` builds.

    The script finds `ask(path, body)` for the server's routes, `el(tag, attributes, ...children)` for elements, whose
    text is always text, `say({en, zh})` for the reader's language, `conversation({...})`, `sources(citations)`, and the
    element `main`. See `page.js`.

    Args:
        server: as `tuneloop.serve` hands it to `around`.
        script: a file of JavaScript.
    """
    from fastapi.responses import HTMLResponse

    async def show() -> HTMLResponse:
        code = (HERE / "page.js").read_text(encoding="utf-8") + script.read_text(encoding="utf-8")
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        policy = (
            f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; connect-src 'self'; "
            "img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        )
        style = STYLE + (HERE / "page.css").read_text(encoding="utf-8")
        html = FRAME.format(title, Markup(style), Markup(code))
        return HTMLResponse(str(html), headers={"Content-Security-Policy": policy})

    server.add_api_route(path, show, methods=["GET"], include_in_schema=False)
