"""Who speaks, as clients may ask: ``/pneumoscreen/whoami``, and MONAI Label's ``/auth`` where its OIDC is on.

Stock endpoints check a role of MONAI Label's own, which ``access`` has done already by this project's table:
``stock_user`` stands in for the user they look up, with all of MONAI Label's roles and the speaker's name, which they
write into what they store.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.security import OAuth2PasswordRequestForm
from monailabel.config import RBAC_USER, settings
from monailabel.endpoints.user.auth import RBAC, User

from .... import __version__
from ...access.identity import Role, speaker
from ...access.oidc import Realm, stock_roles

CurrentUser = Annotated[User, Depends(RBAC(settings.MONAI_LABEL_AUTH_ROLE_USER))]


async def stock_user() -> User:
    """The speaker as stock endpoints know a user: every role, since ``access`` has let the request in."""
    return User(username=speaker().reader, name=speaker().reader, roles=stock_roles(Role.ADMINISTRATOR))


def whoami_router() -> APIRouter:
    """``/pneumoscreen/whoami``."""
    router = APIRouter(prefix="/pneumoscreen", tags=["PneumoScreen"])

    @router.get("/whoami", summary=f"{RBAC_USER}Who speaks, as the server understands the request")
    async def whoami() -> dict[str, Any]:
        who = speaker()
        return {"reader": who.reader, "role": who.role.label, "is_known": who.is_known, "version": __version__}

    return router


def login_router(realm: Realm) -> APIRouter:
    """MONAI Label's ``/auth``: its clients ask whether there is a realm, and get their token by it."""
    router = APIRouter(prefix="/auth", tags=["Auth"])

    @router.get("/", summary="Check If Auth is Enabled")
    async def is_enabled() -> dict[str, Any]:
        return {"enabled": True, "client_id": settings.MONAI_LABEL_AUTH_CLIENT_ID, "realm": realm.uri}

    @router.post("/token", summary="Fetch new access code/token")
    def log_in(form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> dict[str, Any]:
        return realm.log_in(form.username, form.password)

    @router.get("/token/valid", summary="Check If current token is Valid")
    async def is_valid() -> dict[str, Any]:
        who = speaker()
        return {"username": who.reader, "name": who.reader, "email": None, "roles": stock_roles(who.role)}

    return router
