"""TLS by files of the site, checked before a program listens: a wrong one is named in a sentence."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path

from .errors import ConfigError


@dataclass(frozen=True)
class TlsFiles:
    """What a site gives for TLS.

    Attributes:
        certificate: PEM file of the server's certificate, followed by those between it and its root.
        key: PEM file of its private key.
        password: of the key, where it has one.
    """

    certificate: Path
    key: Path
    password: str | None = field(default=None, repr=False)

    def context(self, authorities: Path | None = None) -> ssl.SSLContext:
        """The side of TLS that is connected to, with the versions and ciphers that this Python takes for safe.

        Args:
            authorities: PEM file; who connects has to show a certificate of one of these.

        Raises:
            ConfigError: if a file is missing, is not PEM, or key and certificate do not belong together.
        """
        for path in (self.certificate, self.key, *((authorities,) if authorities else ())):
            try:
                path.open("rb").close()
            except OSError as error:
                raise ConfigError(f"{path} cannot be read for TLS ({error.strerror}); name a PEM file") from None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        asked = False

        def password() -> str:
            # Never None: OpenSSL would ask the terminal, which a service does not have.
            nonlocal asked
            asked = True
            return self.password or ""

        try:
            context.load_cert_chain(self.certificate, self.key, password)
        except ssl.SSLError as error:
            raise ConfigError(f"{self._reason(error, asked)}, so TLS cannot be set up") from None
        if authorities is not None:
            try:
                context.load_verify_locations(authorities)
            except ssl.SSLError:
                raise ConfigError(f"{authorities} holds no certificate in PEM form, so TLS cannot be set up") from None
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _reason(self, error: ssl.SSLError, is_locked: bool) -> str:
        if error.reason == "KEY_VALUES_MISMATCH":
            return f"the key {self.key} does not belong to the certificate {self.certificate}"
        if is_locked:
            return f"the key {self.key} needs its password, and what was given is not it"
        if not _begins_pem(self.certificate, "CERTIFICATE"):
            return f"{self.certificate} holds no certificate in PEM form"
        if not _begins_pem(self.key, "PRIVATE KEY"):
            return f"{self.key} holds no private key in PEM form"
        return f"{self.certificate} and {self.key} cannot be used ({error.reason or error})"


def tls_files(certificate: Path | None, key: Path | None, password: str | None = None) -> TlsFiles | None:
    """The files as options give them; None where none is given.

    Raises:
        ConfigError: if one is given without the other.
    """
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        there, missing = ("--ssl-keyfile", "--ssl-certfile") if key else ("--ssl-certfile", "--ssl-keyfile")
        raise ConfigError(f"{there} is given without {missing}; TLS needs certificate and key")
    return TlsFiles(certificate, key, password)


def _begins_pem(path: Path, kind: str) -> bool:
    return f"{kind}-----" in path.read_text(encoding="ascii", errors="replace")
