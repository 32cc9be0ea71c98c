"""``pneumoscreen serve``: the server, on a folder of studies or on a PACS."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..pacs.choices import PASSWORD, TOKEN, Kernel, Send
from .options import LogFiles, LogMegabytes, TokensFile

_PREFIX = "PNEUMOSCREEN_"
_PACS = "With a PACS"
_OF_A_PACS = (
    "state", "pacs_user", "pacs_token_file", "pacs_ca_file", "pacs_client_cert", "days", "interval", "quiet",
    "cache_gb", "kernel", "send_results",
)  # fmt: skip


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
    context: typer.Context,
    studies: Annotated[
        str,
        typer.Option(
            envvar=f"{_PREFIX}STUDIES",
            help="Folder of the studies that are offered, or the address of a PACS: https://host/dicom-web.",
        ),
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
    log_mb: LogMegabytes = 50,
    log_files: LogFiles = 5,
    state: Annotated[
        Path | None,
        typer.Option(
            envvar=f"{_PREFIX}STATE", help="Folder for all that a server on a PACS keeps.", rich_help_panel=_PACS
        ),
    ] = None,
    pacs_user: Annotated[
        str | None,
        typer.Option(
            envvar=f"{_PREFIX}PACS_USER",
            help=f"User for basic authentication; the password stands in {PASSWORD}.",
            rich_help_panel=_PACS,
        ),
    ] = None,
    pacs_token_file: Annotated[
        Path | None,
        typer.Option(
            envvar=f"{_PREFIX}PACS_TOKEN_FILE",
            help=f"File with a bearer token, instead of {TOKEN}.",
            rich_help_panel=_PACS,
        ),
    ] = None,
    pacs_ca_file: Annotated[
        Path | None,
        typer.Option(
            envvar=f"{_PREFIX}PACS_CA_FILE",
            help="Certificates that the PACS' own is checked with.",
            rich_help_panel=_PACS,
        ),
    ] = None,
    pacs_client_cert: Annotated[
        Path | None,
        typer.Option(
            envvar=f"{_PREFIX}PACS_CLIENT_CERT",
            help="Certificate with key that the PACS asks for.",
            rich_help_panel=_PACS,
        ),
    ] = None,
    days: Annotated[
        int,
        typer.Option(
            envvar=f"{_PREFIX}PACS_DAYS",
            min=0,
            help="List studies of the last days, by StudyDate; 0: all.",
            rich_help_panel=_PACS,
        ),
    ] = 3,
    interval: Annotated[
        float,
        typer.Option(
            envvar=f"{_PREFIX}PACS_INTERVAL",
            min=0.1,
            help="Seconds between two looks for new studies.",
            rich_help_panel=_PACS,
        ),
    ] = 30.0,
    quiet: Annotated[
        float,
        typer.Option(
            envvar=f"{_PREFIX}PACS_QUIET",
            min=0.0,
            help="Seconds after which a study no longer grows.",
            rich_help_panel=_PACS,
        ),
    ] = 60.0,
    cache_gb: Annotated[
        float,
        typer.Option(
            envvar=f"{_PREFIX}PACS_CACHE_GB",
            min=0.0,
            help="Gigabytes that fetched images may take.",
            rich_help_panel=_PACS,
        ),
    ] = 20.0,
    kernel: Annotated[
        Kernel,
        typer.Option(
            envvar=f"{_PREFIX}PACS_KERNEL",
            help="Reconstruction of a CT to take where there are several.",
            rich_help_panel=_PACS,
        ),
    ] = Kernel.SOFT,
    send_results: Annotated[
        Send,
        typer.Option(
            envvar=f"{_PREFIX}PACS_SEND_RESULTS",
            help="Store results in the PACS: none, of what readers submit, or of all screenings too.",
            rich_help_panel=_PACS,
        ),
    ] = Send.NONE,
) -> None:
    """Start the MONAI Label server.

    Other machines reach it by --host, and then only with a token: see `pneumoscreen tokens add --help`.
    """
    from ..pacs.settings import PacsSettings
    from ..server.logs import LogChoice, LogFormat
    from ..server.serve import serve as start
    from ..server.store.studies_source import is_address, require_folder, state_folder
    from ..tls import tls_files

    del config  # its callback has used it
    tls = tls_files(ssl_certfile, ssl_keyfile, ssl_keyfile_password)
    if device != "auto":
        from ..commands.device import pick_device

        os.environ[f"{_PREFIX}DEVICE"] = pick_device(device)
    if is_address(studies):
        settings = PacsSettings(
            studies,
            pacs_user,
            _absolute(pacs_token_file),
            _absolute(pacs_ca_file),
            _absolute(pacs_client_cert),
            cache_gb=cache_gb,
            days=days,
            interval_s=interval,
            quiet_s=quiet,
            kernel=kernel,
            send=send_results,
        )
        folder = state_folder(state, settings)
    else:
        given = [name for name in _OF_A_PACS if _is_given(context, name)]
        folder = require_folder(studies, ["--" + name.replace("_", "-") for name in given])
    start(
        folder,
        host=host,
        port=port,
        tokens=tokens,
        tls=tls,
        follow_links=follow_links or (),
        log=LogChoice(LogFormat(log_format.value), log_file, log_mb, log_files),
        root_path=root_path,
    )


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name in ("COMMANDLINE", "ENVIRONMENT")


def _absolute(file: Path | None) -> str | None:
    return None if file is None else str(file.resolve())
