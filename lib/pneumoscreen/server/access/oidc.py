"""MONAI Label's OIDC with the check that it lacks: who speaks, by a token that the site's realm has signed.

MONAI Label 0.8.5 decodes a token without naming an algorithm, which PyJWT refuses, so that no token passes. Its
settings (``MONAI_LABEL_AUTH_...``) keep their meaning; what is checked here, on every request:

- the signature, by the realm's public key and only by an algorithm that fits its kind: never ``none``, never an HMAC,
  for which the public key would be the secret;
- the issuer, which is the realm's address; that the token has not expired; and the audience where
  ``PNEUMOSCREEN_OIDC_AUDIENCE`` names one. MONAI Label has no setting for it, and a Keycloak realm writes its own.

The realm's key is asked for once in five minutes (ours), and again when a signature does not fit: a realm may change
its key at any time.
"""

import logging
import math
import os
import threading
import time
from collections.abc import Mapping
from typing import Any

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from monailabel.config import settings

from ...studies.layout import is_reader_name
from ..failures import RequestError
from .identity import Role, Speaker

AUDIENCE_VARIABLE = "PNEUMOSCREEN_OIDC_AUDIENCE"

_KEY_LIFE_S = 300.0
_KEY_RETRY_S = 10.0
_ALGORITHMS: tuple[tuple[type, tuple[str, ...]], ...] = (
    (RSAPublicKey, ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
    (EllipticCurvePublicKey, ("ES256", "ES384", "ES512")),
    (Ed25519PublicKey, ("EdDSA",)),
)

logger = logging.getLogger(__name__)


class RealmError(RequestError):
    """A realm that cannot be asked, or does not answer as one."""

    status = 503


class TokenRefusedError(RequestError):
    """A token that does not open this server.

    Attributes:
        status: 401 for a token that is not valid, 403 for a person without a role here.
        reason: one word for the audit log.
        reader: who the token speaks for, where its signature was good.
    """

    def __init__(self, status: int, detail: str, reason: str, reader: str = "") -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.reader = reader


def is_switched_on() -> bool:
    """Whether the site uses MONAI Label's OIDC."""
    return bool(settings.MONAI_LABEL_AUTH_ENABLE)


class Realm:
    """The site's realm, such as ``https://login.clinic.org/realms/monailabel``.

    Thread contract: ``speaker_of`` may run in several threads; the key is fetched by one of them at a time.

    Args:
        uri: its address, which is also the issuer that its tokens name.
        audience: whom tokens must be made for; None for whomever.
    """

    def __init__(self, uri: str, audience: str | None = None) -> None:
        self.uri = uri.rstrip("/")
        self._audience = audience
        self._key: Any = None
        self._fetched = -math.inf
        self._failure: RealmError | None = None
        self._failed = -math.inf
        self._guard = threading.Lock()

    @classmethod
    def of_settings(cls) -> "Realm | None":
        """The realm that MONAI Label's settings name; None where they switch it off."""
        if not is_switched_on():
            return None
        return cls(settings.MONAI_LABEL_AUTH_REALM_URI, os.environ.get(AUDIENCE_VARIABLE) or None)

    def speaker_of(self, token: str) -> Speaker:
        """Who speaks with a token.

        Raises:
            TokenRefusedError: if it is not valid here, or its owner has no role here.
            RealmError: if the realm does not give its key.
        """
        # A signature that does not fit may be of a newer key; a forged one must not keep the realm busy.
        for life_s in (_KEY_LIFE_S, _KEY_RETRY_S):
            key = self._public_key(life_s)
            try:
                return _speaker(self._claims(token, key))
            except jwt.InvalidSignatureError:
                continue
            except jwt.PyJWTError as error:
                raise _refused(error) from None
        raise _refused(jwt.InvalidSignatureError())

    def log_in(self, username: str, password: str) -> dict[str, Any]:
        """A token for a name and a password, as MONAI Label's clients ask for one.

        Returns:
            The realm's answer; ``access_token`` and ``token_type`` stand in it.

        Raises:
            TokenRefusedError: if the realm does not know them.
            RealmError: if it cannot be asked.
        """
        found = self._get(f"{self.uri}/.well-known/openid-configuration", "token_endpoint")
        form = {
            "client_id": settings.MONAI_LABEL_AUTH_CLIENT_ID,
            "username": username,
            "password": password,
            "grant_type": "password",
        }
        try:
            response = requests.post(found, data=form, timeout=settings.MONAI_LABEL_AUTH_TIMEOUT)
            if response.status_code in (400, 401, 403):
                raise TokenRefusedError(401, "the realm refuses this name and password", "password")
            response.raise_for_status()
            return dict(response.json())
        except (requests.RequestException, ValueError, TypeError) as error:
            raise RealmError(f"the realm {self.uri} gives no token ({type(error).__name__})") from None

    def _claims(self, token: str, key: Any) -> Mapping[str, Any]:
        return dict(
            jwt.decode(
                token,
                key,
                algorithms=_algorithms(key),
                issuer=self.uri,
                audience=self._audience,
                # A realm's clock that runs a second ahead is no forgery: the time of issue opens nothing.
                options={"require": ["exp", "iss"], "verify_aud": self._audience is not None, "verify_iat": False},
            )
        )

    def _public_key(self, life_s: float) -> Any:
        """The realm's key, not older than ``life_s``.

        Raises:
            RealmError: if the realm does not give it, or did not a few seconds ago.
        """
        with self._guard:
            now = time.monotonic()
            if self._failure is not None and now - self._failed < _KEY_RETRY_S:
                raise self._failure
            if now - self._fetched < life_s:
                return self._key
            try:
                self._key = _load_key(self._get(self.uri, "public_key"))
            except RealmError as error:
                self._failure, self._failed = RealmError(str(error)), time.monotonic()
                raise
            self._failure, self._fetched = None, time.monotonic()
            return self._key

    def _get(self, address: str, field: str) -> str:
        """A field of a document of the realm."""
        try:
            response = requests.get(address, timeout=settings.MONAI_LABEL_AUTH_TIMEOUT)
            response.raise_for_status()
            return str(response.json()[field])
        except (ValueError, KeyError, TypeError):
            raise RealmError(f"{address} answers without {field}; correct MONAI_LABEL_AUTH_REALM_URI") from None
        except requests.RequestException as error:
            raise RealmError(f"the realm at {address} does not answer ({type(error).__name__})") from None


def _load_key(body: str) -> Any:
    pem = f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----"
    try:
        key = load_pem_public_key(pem.encode())
    except ValueError:
        raise RealmError("the public key of the realm cannot be read") from None
    _algorithms(key)
    return key


def _algorithms(key: Any) -> tuple[str, ...]:
    for kind, algorithms in _ALGORITHMS:
        if isinstance(key, kind):
            return algorithms
    raise RealmError(f"the realm signs by a kind of key that is not known here ({type(key).__name__})")


def _refused(error: jwt.PyJWTError) -> TokenRefusedError:
    if isinstance(error, jwt.ExpiredSignatureError):
        return TokenRefusedError(401, "this token has expired; log in again", "expired")
    # What exactly was wrong would only help whoever forges one; the log has it.
    logger.info("a token was refused: %s", type(error).__name__)
    return TokenRefusedError(401, "this token is not valid here; log in at this site's realm", "unknown")


def _speaker(claims: Mapping[str, Any]) -> Speaker:
    name = claims.get(settings.MONAI_LABEL_AUTH_TOKEN_USERNAME)
    if not isinstance(name, str) or not is_reader_name(name):
        raise TokenRefusedError(
            401, f"this token's {settings.MONAI_LABEL_AUTH_TOKEN_USERNAME} is not a reader's name", "unknown"
        )
    roles = _roles(claims)
    if not roles:
        detail = f"{name} has no role at this server; the realm's administrator can give one"
        raise TokenRefusedError(403, detail, "role", name)
    return Speaker(name, max(roles))


def stock_roles(role: Role) -> list[str]:
    """MONAI Label's names of the roles that one of ours covers."""
    return [name for name, ours in _named_roles().items() if ours <= role]


def _roles(claims: Mapping[str, Any]) -> set[Role]:
    """Our roles of a token: MONAI Label's reviewer trains and adjudicates, its annotator and user are readers."""
    named = _named_roles()
    value: Any = claims
    for part in settings.MONAI_LABEL_AUTH_TOKEN_ROLES.split("#"):
        value = value.get(part) if isinstance(value, Mapping) else None
    texts = [role for role in value if isinstance(role, str)] if isinstance(value, list) else []
    return {named[role] for role in texts if role in named}


def _named_roles() -> dict[str, Role]:
    return {
        settings.MONAI_LABEL_AUTH_ROLE_ADMIN: Role.ADMINISTRATOR,
        settings.MONAI_LABEL_AUTH_ROLE_REVIEWER: Role.TRAINER,
        settings.MONAI_LABEL_AUTH_ROLE_ANNOTATOR: Role.READER,
        settings.MONAI_LABEL_AUTH_ROLE_USER: Role.READER,
    }
