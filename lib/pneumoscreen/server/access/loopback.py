"""Which addresses and names reach only this machine."""

import ipaddress
from urllib.parse import urlsplit

_LOCAL_NAME = "localhost"


def is_loopback(address: str) -> bool:
    """Whether an IP address reaches only this machine."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return (mapped or ip).is_loopback


def is_local_host(host: str) -> bool:
    """Whether a ``Host`` header names this machine: a loopback address or localhost, with or without a port."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name == _LOCAL_NAME or is_loopback(name)
