"""Which page answers a request, and what stands before all of them: session, login, CSRF."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from functions.admin.addresses import HOME, LOGIN, LOGOUT, PICTURE, SHORT, methods
from functions.admin.dashboard.page import Dashboard
from functions.admin.errors import FormRefused, NotFound, PageError
from functions.admin.media import content
from functions.admin.media.content import Media
from functions.admin.media.thumbnails import SIDES, Pictures
from functions.admin.objects.listing import PATH
from functions.admin.objects.pages import FilePages, row_id_of
from functions.admin.web import assets
from functions.admin.web.assets import Assets
from functions.admin.web.context import Visit, read_form
from functions.admin.web.login import Login
from functions.admin.web.logouts import Logouts
from functions.admin.web.rendering import SAFE_HEADERS, Pages
from functions.admin.web.sessions import Session, Sessions
from shared.config.parsers import IpNetwork
from shared.errors import FileUnreadable, LedgerUnavailable, TooManyRequests
from shared.http.client_address import client_address
from shared.http.event import Request, Response

logger = logging.getLogger(__name__)


class Admin:
    """The admin's pages.

    Args:
        sessions: who is logged in.
        logouts: who is not any more.
        login: who may.
        pages: renders.
        files: the list and one object.
        dashboard: the first page.
        media: files' content.
        pictures: small versions of it.
        static: style sheet and script.
        trusted_proxies: networks whose X-Forwarded-For and -Proto count.
        always_secure: browsers reach this function over TLS alone, as they do on Lambda.
    """

    def __init__(  # collaborators
        self,
        *,
        sessions: Sessions,
        logouts: Logouts,
        login: Login,
        pages: Pages,
        files: FilePages,
        dashboard: Dashboard,
        media: Media,
        pictures: Pictures,
        static: Assets,
        trusted_proxies: Sequence[IpNetwork],
        always_secure: bool,
    ) -> None:
        self._sessions = sessions
        self._logouts = logouts
        self._login = login
        self._pages = pages
        self._files = files
        self._dashboard = dashboard
        self._media = media
        self._pictures = pictures
        self._static = static
        self._trusted_proxies = trusted_proxies
        self._always_secure = always_secure

    def answer(self, request: Request) -> Response:
        """Answers one request, whatever goes wrong with a page of its own."""
        visit = self._visit(request)
        try:
            return self._answer(visit)
        except LedgerUnavailable as error:
            logger.warning("ledger unreachable", extra={"reason": error})
            return self._pages.render("outage.html", visit, 503, **self._dashboard.outage())
        except TooManyRequests as refused:
            answer = self._problem(visit, 412, f"Too many tries. Wait {refused.retry_after} s.")
            return _with(answer, {"retry-after": str(refused.retry_after)})
        except FormRefused as error:
            logger.warning("form refused", extra={"path": request.path, "reason": error})
            return self._problem(visit, 403, f"{error}. Go back, reload the page and try again.")
        except FileUnreadable as error:
            return self._problem(visit, 404, f"{error}.")
        except PageError as error:
            return self._problem(visit, 404, f"{error}.")

    def _answer(self, visit: Visit) -> Response:
        request = visit.request
        allowed = methods(request.path)
        if not allowed:
            raise NotFound
        if request.method not in allowed:
            answer = self._problem(visit, 405, "There is nothing to be done this way.")
            return _with(answer, {"allow": ", ".join(allowed)})
        if request.path.startswith(assets.PREFIX):
            return self._static.answer(request)
        if request.path == LOGOUT:
            return self._log_out(visit)
        if visit.session.user and self._logouts.ended(visit.session):
            visit = self._visit_of(request, self._sessions.start())
        if request.method == "POST":
            return self._post(visit, self._form(visit))
        if request.path == LOGIN:
            return self._login_page(visit)
        return self._get(visit) if visit.session.user else _to_login(request)

    def _get(self, visit: Visit) -> Response:
        path = visit.request.path
        if path.startswith(content.PREFIX):
            return self._media.answer(visit.request)
        if path.startswith(PICTURE):
            return self._picture(path.removeprefix(PICTURE))
        if path in SHORT:
            return _redirect(SHORT[path])
        match path:
            case "/admin/":
                return self._pages.render("dashboard.html", visit, **self._dashboard.values())
            case "/admin/live/":
                return self._pages.render("live.html", visit, **self._dashboard.values())
        return self._files.list(visit) if path == PATH else self._object(visit)

    def _object(self, visit: Visit) -> Response:
        return self._files.object(visit, row_id_of(visit.request.path))

    def _picture(self, name: str) -> Response:
        size, _, row_id = name.partition("/")
        if size not in SIDES:
            raise NotFound
        return self._pictures.answer(row_id_of(f"{PATH}{row_id}/change/"), size)

    def _post(self, visit: Visit, form: Mapping[str, Sequence[str]]) -> Response:
        path = visit.request.path
        if path == LOGIN:
            return self._log_in(visit, form)
        if not visit.session.user:
            raise FormRefused("you are not logged in any more")
        if path == PATH:
            return self._files.act(visit, form)
        return self._files.act_on_object(visit, row_id_of(path), form)

    def _form(self, visit: Visit) -> Mapping[str, Sequence[str]]:
        form = read_form(visit.request)
        if not self._sessions.csrf_valid(visit.session, _field(form, "csrf")):
            raise FormRefused("it does not belong to this session")
        return form

    def _login_page(
        self, visit: Visit, status: int = 200, told: str = "", name: str = ""
    ) -> Response:
        target = visit.request.query.get("next", "")
        answer = self._pages.render(
            "login.html", visit, status, told=told, name=name, target=_local(target)
        )
        return _with(answer, {}, self._sessions.cookie(visit.session, secure=visit.secure))

    def _log_in(self, visit: Visit, form: Mapping[str, Sequence[str]]) -> Response:
        user = _field(form, "user")
        if not self._login.check(user, _field(form, "password"), visit.address):
            return self._login_page(visit, 403, "Wrong user or password.", user)
        session = self._sessions.start(user)
        cookie = self._sessions.cookie(session, secure=visit.secure)
        return _with(_redirect(_local(_field(form, "next"))), {}, cookie)

    def _log_out(self, visit: Visit) -> Response:
        self._form(visit)
        try:
            self._logouts.end(visit.session)
        except LedgerUnavailable as error:
            # The browser forgets its cookie all the same.
            logger.warning("logout not recorded", extra={"reason": error})
        cookie = self._sessions.ended(secure=visit.secure)
        return _with(_redirect(LOGIN), {}, cookie)

    def _problem(self, visit: Visit, status: int, told: str) -> Response:
        return self._pages.render("problem.html", visit, status, told=told)

    def _visit(self, request: Request) -> Visit:
        session = self._sessions.read(request.cookies) or self._sessions.start()
        return self._visit_of(request, session)

    def _visit_of(self, request: Request, session: Session) -> Visit:
        return Visit(
            request=request,
            session=session,
            csrf=self._sessions.csrf(session),
            secure=self._always_secure or self._proxy_says_tls(request),
            address=client_address(
                request.peer, request.headers.get("x-forwarded-for"), self._trusted_proxies
            ),
        )

    def _proxy_says_tls(self, request: Request) -> bool:
        # A peer whose word counts for addresses is believed here too: with it trusted, an address
        # that it forwards replaces its own.
        stand_in = "192.0.2.1"
        trusted = client_address(request.peer, stand_in, self._trusted_proxies) == stand_in
        return trusted and request.headers.get("x-forwarded-proto", "").lower() == "https"


def _to_login(request: Request) -> Response:
    if "text/html" not in request.headers.get("accept", ""):
        # A picture or a script cannot fill in a form: tell it plainly.
        return Response.json(401, {"detail": "Log in at /admin/"}, SAFE_HEADERS)
    target = quote(request.path, safe="/")
    return _redirect(LOGIN if request.path == HOME else f"{LOGIN}?next={quote(target)}")


def _local(target: str) -> str:
    """Gives where to go after the login: never to another site."""
    ours = target.startswith((HOME, content.PREFIX)) and "\\" not in target and target.isprintable()
    return target if ours and target.isascii() else HOME


def _redirect(target: str) -> Response:
    return Response(303, headers={**SAFE_HEADERS, "location": target, "cache-control": "no-store"})


def _with(answer: Response, headers: Mapping[str, str], *cookies: str) -> Response:
    return Response(answer.status, answer.body, {**answer.headers, **headers}, cookies)


def _field(form: Mapping[str, Sequence[str]], name: str) -> str:
    return next(iter(form.get(name, ())), "")
