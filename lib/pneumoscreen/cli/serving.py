"""``pneumoscreen serve``: the server, on a folder of studies or on a PACS."""

from pathlib import Path
from typing import Annotated

import typer

from ..pacs.choices import Kernel, Send
from .options import TokensFile
from .pacs import PASSWORD, TOKEN

_PACS = "With a PACS"
_OF_A_PACS = (
    "state", "pacs_user", "pacs_token_file", "pacs_ca_file", "pacs_client_cert", "days", "interval", "quiet",
    "cache_gb", "kernel", "send_results",
)  # fmt: skip


def serve(
    context: typer.Context,
    studies: Annotated[
        str,
        typer.Option(help="Folder of the studies that are offered, or the address of a PACS: https://host/dicom-web."),
    ],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8000,
    tokens: TokensFile = None,
    ssl_certfile: Annotated[
        Path | None, typer.Option("--ssl-certfile", "--ssl_certfile", help="Serve HTTPS: certificate, a PEM file.")
    ] = None,
    ssl_keyfile: Annotated[
        Path | None, typer.Option("--ssl-keyfile", "--ssl_keyfile", help="Serve HTTPS: private key, a PEM file.")
    ] = None,
    ssl_keyfile_password: Annotated[
        str | None,
        typer.Option(
            "--ssl-keyfile-password",
            "--ssl_keyfile_password",
            envvar="PNEUMOSCREEN_SSL_KEYFILE_PASSWORD",
            help="Password of the key; other users of the machine see an option, but not a variable.",
        ),
    ] = None,
    follow_links: Annotated[
        list[Path] | None,
        typer.Option(help="Folder outside of the studies that links in them may lead to; may be given again."),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(help="Folder for all that a server on a PACS keeps.", rich_help_panel=_PACS),
    ] = None,
    pacs_user: Annotated[
        str | None,
        typer.Option(help=f"User for basic authentication; the password stands in {PASSWORD}.", rich_help_panel=_PACS),
    ] = None,
    pacs_token_file: Annotated[
        Path | None,
        typer.Option(help=f"File with a bearer token, instead of {TOKEN}.", rich_help_panel=_PACS),
    ] = None,
    pacs_ca_file: Annotated[
        Path | None, typer.Option(help="Certificates that the PACS' own is checked with.", rich_help_panel=_PACS)
    ] = None,
    pacs_client_cert: Annotated[
        Path | None, typer.Option(help="Certificate with key that the PACS asks for.", rich_help_panel=_PACS)
    ] = None,
    days: Annotated[
        int, typer.Option(min=0, help="List studies of the last days, by StudyDate; 0: all.", rich_help_panel=_PACS)
    ] = 3,
    interval: Annotated[
        float, typer.Option(min=0.1, help="Seconds between two looks for new studies.", rich_help_panel=_PACS)
    ] = 30.0,
    quiet: Annotated[
        float,
        typer.Option(min=0.0, help="Seconds after which a study no longer grows.", rich_help_panel=_PACS),
    ] = 60.0,
    cache_gb: Annotated[
        float, typer.Option(min=0.0, help="Gigabytes that fetched images may take.", rich_help_panel=_PACS)
    ] = 20.0,
    kernel: Annotated[
        Kernel,
        typer.Option(help="Reconstruction of a CT to take where there are several.", rich_help_panel=_PACS),
    ] = Kernel.SOFT,
    send_results: Annotated[
        Send,
        typer.Option(
            help="Store results in the PACS: none, of what readers submit, or of all screenings too.",
            rich_help_panel=_PACS,
        ),
    ] = Send.NONE,
) -> None:
    """Start the MONAI Label server.

    Other machines reach it by --host, and then only with a token: see `pneumoscreen tokens add --help`.
    """
    from ..pacs.settings import PacsSettings
    from ..server.pacs_start import is_address, require_folder, state_folder
    from ..server.serve import serve as start
    from ..server.tls import tls_files

    tls = tls_files(ssl_certfile, ssl_keyfile, ssl_keyfile_password)
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
    start(folder, host=host, port=port, tokens=tokens, tls=tls, follow_links=follow_links or ())


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _absolute(file: Path | None) -> str | None:
    return None if file is None else str(file.resolve())
