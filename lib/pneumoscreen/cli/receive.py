"""``pneumoscreen receive``: take scans by C-STORE, screen them, hand the results on."""

from pathlib import Path
from typing import Annotated

import typer

from ..commands.terminal import complain
from ..errors import ConfigError
from ..limits import GIGABYTE
from .pacs import (
    CaFile,
    ClientCert,
    Device,
    First,
    ModelDir,
    Quiet,
    StateFolder,
    User,
    say,
)

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def receive(
    state: StateFolder,
    allow: Annotated[list[str], typer.Option(help="AE title that may send; may be given again.")],
    title: Annotated[str, typer.Option(help="AE title of this receiver.")] = "PNEUMOSCREEN",
    host: Annotated[str, typer.Option(help="Address of this machine to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 11112,
    pacs: Annotated[str | None, typer.Option(help="Store results at this DICOMweb service (STOW-RS).")] = None,
    out: Annotated[Path | None, typer.Option(help="Write results into this folder.")] = None,
    send_to: Annotated[str | None, typer.Option(help="Send results by C-STORE, as in PACS@10.0.0.5:104.")] = None,
    user: User = None,
    ca_file: CaFile = None,
    client_cert: ClientCert = None,
    ssl_certfile: Annotated[Path | None, typer.Option(help="Certificate for TLS, PEM.")] = None,
    ssl_keyfile: Annotated[Path | None, typer.Option(help="Its private key, PEM.")] = None,
    ssl_keyfile_password: Annotated[
        str | None, typer.Option(envvar="PNEUMOSCREEN_SSL_KEYFILE_PASSWORD", help="Password of the key.")
    ] = None,
    ssl_ca_certs: Annotated[
        Path | None, typer.Option(help="With TLS: only senders with a certificate of these authorities, PEM.")
    ] = None,
    max_pdu: Annotated[int, typer.Option(min=4096, max=1 << 20, help="Largest PDU that is taken, in bytes.")] = 131072,
    image_mb: Annotated[int, typer.Option(min=1, help="Largest image that is taken, in MB.")] = 1024,
    study_gb: Annotated[float, typer.Option(min=0.0, help="Largest study that is taken, in GB.")] = 10.0,
    folder_gb: Annotated[float, typer.Option(min=0.0, help="Gigabytes that all studies that wait may take.")] = 50.0,
    keep_hours: Annotated[
        float, typer.Option(min=0.0, help="Hours for which images that cannot be screened are kept.")
    ] = 24.0,
    quiet: Quiet = 60.0,
    first: First = None,
    model_dir: ModelDir = None,
    device: Device = "auto",
) -> None:
    """Receive scans by DICOM (C-STORE), screen each study once and hand SEG, SR, PDF and Secondary Capture on.

    Research use only. Results go to --pacs, --out or --send-to, of which one is given. A bearer token for --pacs stands
    in PNEUMOSCREEN_PACS_TOKEN.
    """
    from .. import RESEARCH_USE_ONLY
    from ..commands.device import pick_device
    from ..pacs.client import Access, Pacs
    from ..pacs.delivery import FolderDelivery, StoreDelivery
    from ..pacs.incoming import Incoming, Room
    from ..pacs.origin import Destination
    from ..pacs.priority import rules_of
    from ..pacs.reading import StudyReading
    from ..pacs.receiver import Listening, Receiver
    from ..pacs.screening import FolderScreener
    from ..pacs.state import State
    from ..pacs.watch import Pace, Watcher
    from ..tls import tls_files

    if sum(place is not None for place in (pacs, out, send_to)) != 1:
        raise ConfigError("receive: give one of --pacs, --out and --send-to, where the results go")
    tls = tls_files(ssl_certfile, ssl_keyfile, ssl_keyfile_password)
    if ssl_ca_certs is not None and tls is None:
        raise ConfigError("--ssl-ca-certs: needs TLS; give --ssl-certfile and --ssl-keyfile")
    destination: Destination
    if pacs is not None:
        destination = Pacs(Access.of_options(pacs, user, ca_file, client_cert))
    elif out is not None:
        destination = FolderDelivery(out)
    else:
        destination = StoreDelivery(str(send_to), title)
    rules, entries = rules_of(first or ()), State(state)
    complain(RESEARCH_USE_ONLY)
    if host not in _LOOPBACK and tls is None:
        complain(f"--host {host}: scans come over the network unencrypted; TLS needs --ssl-certfile and --ssl-keyfile")
    try:
        reading = StudyReading()
        room = Room(image_mb << 20, int(study_gb * GIGABYTE), int(folder_gb * GIGABYTE), keep_hours * 3600)
        incoming = Incoming(state / "incoming", reading, room, quiet)
        context = tls.context(ssl_ca_certs) if tls is not None else None
        receiver = Receiver(
            Listening(title, host, port, allow, max_pdu, room.image, context), incoming, state / "arriving", say
        )
        screen = FolderScreener(model_dir, pick_device(device), reading)
        watcher = Watcher(incoming, destination, entries, state, screen, Pace(1.0, quiet), say, rules)
        entries.still_coming()
        say(f"listening as {title} on {host} port {receiver.start()}")
        try:
            watcher.run()
        finally:
            receiver.stop()
    finally:
        entries.close()
