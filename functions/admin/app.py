"""The routing table: which page answers which address and method, and for whom."""

from __future__ import annotations

from functions.admin import addresses
from functions.admin.addresses import Address
from functions.admin.bulk.pages import BulkPages
from functions.admin.callbacks.pages import CallbackPages
from functions.admin.dashboard.page import DashboardPages
from functions.admin.export.pages import ExportPages
from functions.admin.failures.page import FailurePages
from functions.admin.media.content import Media
from functions.admin.media.thumbnails import Thumbnails
from functions.admin.objects.list_page import ListPage
from functions.admin.objects.pages import ObjectPages
from functions.admin.web.access_control import Access, Gate
from functions.admin.web.assets import Assets
from functions.admin.web.context import RequestContext
from functions.admin.web.login import LoginPages
from functions.admin.web.problems import ProblemPages
from functions.admin.web.responses import redirect
from functions.admin.web.routing import Page, Route, find
from shared.errors import ServiceError
from shared.http.event import Request, Response


class Admin:
    """The admin.

    Args:
        gate: decides who may see a page; every request passes it.
        login: the login form, and what it does.
        dashboard: the first page.
        listed: the list of objects.
        objects: the page of one object.
        bulk: actions on many objects.
        failures: why objects failed.
        export: objects as CSV and JSON.
        callbacks: what the client could not be told.
        media: the content of files.
        thumbnails: small versions of images.
        assets: style sheet, script and icon.
        problems: the pages of errors.
    """

    def __init__(
        self,
        *,
        gate: Gate,
        login: LoginPages,
        dashboard: DashboardPages,
        listed: ListPage,
        objects: ObjectPages,
        bulk: BulkPages,
        failures: FailurePages,
        export: ExportPages,
        callbacks: CallbackPages,
        media: Media,
        thumbnails: Thumbnails,
        assets: Assets,
        problems: ProblemPages,
    ) -> None:
        self._gate = gate
        self._problems = problems
        user, visitor, public = Access.USER, Access.VISITOR, Access.PUBLIC
        self.routes = (
            Route(addresses.DASHBOARD, user, get=dashboard.show),
            Route(addresses.LIVE, user, get=dashboard.live),
            Route(addresses.LIST, user, get=listed.show, post=listed.act),
            Route(addresses.OBJECT, user, get=objects.object, post=objects.act_on_object),
            Route(addresses.FAILURES, user, get=failures.show),
            Route(addresses.NEW_ACTION, user, get=bulk.ask),
            Route(addresses.ACTIONS, user, get=bulk.log, post=bulk.begin),
            Route(addresses.ACTION, user, get=bulk.show, post=bulk.act),
            Route(addresses.ACTION_LIVE, user, get=bulk.live),
            Route(addresses.EXPORT, user, get=export.show),
            Route(addresses.EXPORT_FILE, user, get=export.file),
            Route(addresses.CALLBACKS, user, get=callbacks.list, post=callbacks.act),
            Route(addresses.MEDIA, user, get=media.file),
            Route(addresses.THUMBNAIL, user, get=thumbnails.file),
            Route(addresses.LOGIN, visitor, get=login.form, post=login.log_in),
            Route(addresses.LOGOUT, public, post=login.log_out),
            Route(addresses.STATIC, public, get=assets.file),
            *(Route(a, user, get=_redirect_to(b)) for a, b in addresses.SHORTENED.items()),
        )

    def answer(self, request: Request) -> Response:
        """Answer one request; errors of the service become pages too."""
        context = self._gate.context(request)
        try:
            self._gate.require_network(request)
            route, values = find(self.routes, request.path)
            page = route.page(request.method)
            return page(self._gate.admit(context, route.access), **values)
        except ServiceError as error:
            return self._problems.page(context, error)


def _redirect_to(address: Address) -> Page:
    def page(_: RequestContext, **values: str) -> Response:
        return redirect(address.url(**values))

    return page
