"""The command that serves."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .options import TokensFile

_PREFIX = "PNEUMOSCREEN_"


class LogForm(StrEnum):
    """What a line of the log is."""

    TEXT = "text"
    JSON = "json"


def _use_config(file: Path | None) -> Path | None:
    """Fill the environment from a file, before the other options look there."""
    if file is not None:
        from ..server.site_settings import use_file

        use_file(file)
    return file


def serve(
    studies: Annotated[
        Path, typer.Option(envvar=f"{_PREFIX}STUDIES", help="Folder of the studies that are offered to clients.")
    ],
    config: Annotated[
        Path | None,
        typer.Option(
            envvar=f"{_PREFIX}CONFIG",
            is_eager=True,
            callback=_use_config,
            help="YAML file of settings; options and variables have the last word.",
        ),
    ] = None,
    host: Annotated[str, typer.Option(envvar=f"{_PREFIX}HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(envvar=f"{_PREFIX}PORT", min=0, max=65535, help="Port to listen on; 0 takes a free one."),
    ] = 8000,
    root_path: Annotated[
        str, typer.Option(envvar=f"{_PREFIX}ROOT_PATH", help="Prefix under which a proxy shows the server.")
    ] = "",
    device: Annotated[
        str,
        typer.Option(envvar=f"{_PREFIX}DEVICE", help="auto, cpu, cuda or cuda:N; auto takes a GPU where there is one."),
    ] = "auto",
    tokens: TokensFile = None,
    ssl_certfile: Annotated[
        Path | None,
        typer.Option(
            "--ssl-certfile",
            "--ssl_certfile",
            envvar=f"{_PREFIX}SSL_CERTFILE",
            help="Serve HTTPS: certificate, a PEM file.",
        ),
    ] = None,
    ssl_keyfile: Annotated[
        Path | None,
        typer.Option(
            "--ssl-keyfile",
            "--ssl_keyfile",
            envvar=f"{_PREFIX}SSL_KEYFILE",
            help="Serve HTTPS: private key, a PEM file.",
        ),
    ] = None,
    ssl_keyfile_password: Annotated[
        str | None,
        typer.Option(
            "--ssl-keyfile-password",
            "--ssl_keyfile_password",
            envvar=f"{_PREFIX}SSL_KEYFILE_PASSWORD",
            help="Password of the key; other users of the machine see an option, but not a variable.",
        ),
    ] = None,
    follow_links: Annotated[
        list[Path] | None,
        typer.Option(help="Folder outside of the studies that links in them may lead to; may be given again."),
    ] = None,
    log_format: Annotated[
        LogForm, typer.Option(envvar=f"{_PREFIX}LOG_FORMAT", help="json: an object a line, for each request and job.")
    ] = LogForm.TEXT,
    log_file: Annotated[
        Path | None,
        typer.Option(envvar=f"{_PREFIX}LOG_FILE", help="File of the log.", show_default="standard error"),
    ] = None,
    log_mb: Annotated[
        int, typer.Option(envvar=f"{_PREFIX}LOG_MB", min=1, help="Megabytes from which on it is set aside.")
    ] = 50,
    log_files: Annotated[
        int, typer.Option(envvar=f"{_PREFIX}LOG_FILES", min=1, help="Files set aside that are kept.")
    ] = 5,
) -> None:
    """Start the MONAI Label server.

    Other machines reach it by --host, and then only with a token: see `pneumoscreen tokens add --help`.
    """
    from ..server.log_setup import LogChoice, LogFormat
    from ..server.serve import serve as start
    from ..tls import tls_files

    del config  # its callback has used it
    if device != "auto":
        from ..commands.device import pick_device

        os.environ[f"{_PREFIX}DEVICE"] = pick_device(device)
    start(
        studies,
        host=host,
        port=port,
        tokens=tokens,
        tls=tls_files(ssl_certfile, ssl_keyfile, ssl_keyfile_password),
        follow_links=follow_links or (),
        log=LogChoice(LogFormat(log_format.value), log_file, log_mb, log_files),
        root_path=root_path,
    )
