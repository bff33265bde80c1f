"""Who may see the studio: every request and websocket from this machine's own pages, with the key where one is set.

A pure ASGI middleware around everything, as NiceGUI itself answers any host name and any origin.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from tuneloop.core.i18n import LANGUAGES, t, use_language
from tuneloop.core.page import page, paragraph
from tuneloop.serve.gate import limit_body, send_problem
from tuneloop.serve.problems import Problem, preferred_language
from tuneloop.serve.requests import ClientGone, read_body
from tuneloop.serve.security import Guard

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LANGUAGE = "tuneloop_language"
SESSION = "tuneloop_session"
SESSION_S = 30 * 24 * 3600
MAX_BODY_BYTES = 32 << 20
"""Of one request; a file that is uploaded is one."""

MAX_LOGIN_BYTES, LOGIN_S = 1 << 14, 30.0
"""Of what is sent to log in, and how long it may take."""

POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; frame-ancestors 'self'; base-uri 'self'; "
    "form-action 'self'; object-src 'none'"
)
"""Pages load nothing from elsewhere and send nothing there; Vue compiles its templates, hence 'unsafe-eval'."""

HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class StudioGuard:
    """Lets a connection through to `app`, or refuses it.

    Args:
        app: what is guarded.
        guard: the names that the studio answers to, and the key.
        api_key: the same key, with which sessions are signed; None where none is needed.
    """

    def __init__(self, app: App, *, guard: Guard, api_key: str | None) -> None:
        self._app = app
        self._guard = guard
        self._secret = None if api_key is None else hashlib.sha256(b"tuneloop studio " + api_key.encode()).digest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection of any kind."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if scope["type"] == "http":
            use_language(_language(headers))
        try:
            self._guard.check_names(headers)
            if scope["type"] == "http" and scope["path"] == "/login" and self._secret:
                await self._login(scope, receive, send)
            elif not self._known(headers):
                await self._to_login(scope, send)
            else:
                await self._app(scope, limit_body(receive, headers, MAX_BODY_BYTES), _with_headers(send))
        except ClientGone:  # before it had said its key
            return
        except Problem as problem:
            if scope["type"] == "http":
                await send_problem(problem, send, scope["path"])
            else:
                await send({"type": "websocket.close", "code": 1008})

    def _known(self, headers: dict[bytes, bytes]) -> bool:
        if self._secret is None:
            return True
        until, _, signature = cookie(headers, SESSION).partition(".")
        valid = until.isdecimal() and int(until) > time.time()
        return valid and hmac.compare_digest(signature, self._signature(until))

    def _signature(self, until: str) -> str:
        return hmac.new(self._secret or b"", until.encode(), hashlib.sha256).hexdigest()

    async def _to_login(self, scope: Scope, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            raise Problem(401, t("The studio answers only after the API key was given."), t("Open /login."))
        await _answer(send, 303, [(b"location", b"/login")])

    async def _login(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            await _answer(send, 200, HTML, _login_page(failed=False))
            return
        limited = limit_body(receive, dict(scope["headers"]), MAX_LOGIN_BYTES)
        body = await read_body(limited, LOGIN_S)
        given = parse_qs(body.decode("utf-8", "replace")).get("key", [""])[0].strip()
        if not self._guard.is_key(given.encode()):
            await _answer(send, 401, HTML, _login_page(failed=True))
            return
        until = str(int(time.time()) + SESSION_S)
        secure = "; Secure" if scope.get("scheme") == "https" else ""
        session = f"{SESSION}={until}.{self._signature(until)}; Path=/; Max-Age={SESSION_S}; HttpOnly; SameSite=Strict"
        await _answer(send, 303, [(b"location", b"/"), (b"set-cookie", (session + secure).encode())])


HTML = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"),
]


def cookie(headers: dict[bytes, bytes], name: str) -> str:
    """The value of a cookie, "" if there is none."""
    try:
        found = SimpleCookie(headers.get(b"cookie", b"").decode("latin-1"))
    except CookieError:
        return ""
    return found[name].value if name in found else ""


def _language(headers: dict[bytes, bytes]) -> str:
    """What was chosen in the studio, else what the browser prefers."""
    chosen = cookie(headers, LANGUAGE)
    return (
        chosen if chosen in LANGUAGES else preferred_language(headers.get(b"accept-language", b"en").decode("latin-1"))
    )


def _login_page(*, failed: bool) -> bytes:
    from markupsafe import Markup

    form = Markup(
        '<form method="post" action="/login"><p><label for="key">{}</label><br>'
        '<input id="key" name="key" type="password" autocomplete="current-password" autofocus required size="50"></p>'
        '<p><button type="submit">{}</button></p></form>'
    ).format(t("API key"), t("Open the studio"))
    parts = [paragraph(t("This is not the right key."), "worse")] if failed else []
    return page("tuneloop", [*parts, form]).encode()


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes = b"") -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *HEADERS, length]})
    await send({"type": "http.response.body", "body": body})


def _with_headers(send: Send) -> Send:
    """`send` that adds what browsers are to refuse, where the answer does not say it itself."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = {name.lower() for name, _ in message["headers"]}
            policy = [] if b"content-security-policy" in given else [(b"content-security-policy", POLICY.encode())]
            message["headers"] = [*message["headers"], *policy, *HEADERS]
        await send(message)

    return sending
