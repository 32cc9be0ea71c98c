"""All settings of a server: their names in a file, their variables, and what they do.

A setting is taken from the option, else from the environment, else from the file, else it is what stands here. The file
fills the environment before the options are read, so every part of the program finds it where it looks anyway.
``docs/settings.md`` is made of this list.
"""

import json
import os
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import create_model

from ..config import Settings, load_config
from ..limits import PREFIX, Limits, variable_of

CONFIG_VARIABLE = "PNEUMOSCREEN_CONFIG"


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        name: its key in the file.
        kind: type of its value there.
        default: what holds without it, as the page says it.
        what: what it does.
        variable: its variable; by default the prefix and its name.
        option: of ``pneumoscreen serve``; empty where there is none.
        text: its value as the variable has it.
    """

    name: str
    kind: Any
    default: str
    what: str
    variable: str = ""
    option: str = ""
    text: Callable[[Any], str] = str

    @property
    def in_environment(self) -> str:
        """The variable."""
        return self.variable or PREFIX + self.name.upper()


def _option(name: str, kind: Any, default: str, what: str) -> Setting:
    return Setting(name, kind, default, what, option=f"--{name.replace('_', '-')}")


def _paths(value: list[Path]) -> str:
    return os.pathsep.join(map(str, value))


OF_SERVE = (
    _option("studies", Path, "", "folder of the studies"),
    _option("host", str, "127.0.0.1", "address to listen on; others than this machine's need a token file or OIDC"),
    _option("port", int, "8000", "port; 0 takes a free one"),
    _option("root_path", str, "", "prefix under which a proxy shows the server, such as `/pneumoscreen`"),
    _option("device", str, "auto", "where the networks run: `auto`, `cpu`, `cuda` or `cuda:N`"),
    _option("tokens", str, "the user's own", "file of the API tokens; `none` for a server without"),
    _option("ssl_certfile", Path, "", "certificate (PEM) for HTTPS"),
    _option("ssl_keyfile", Path, "", "its private key (PEM)"),
    Setting(
        "follow_links",
        list[Path],
        "none",
        "folders that links in the studies may lead to",
        "",
        "--follow-links",
        _paths,
    ),
    _option("log_format", Literal["text", "json"], "text", "`json`: an object a line, for each request and job"),
    _option("log_file", Path, "standard error", "file of the log"),
    _option("log_mb", int, "50", "megabytes from which on it is set aside"),
    _option("log_files", int, "5", "files set aside that are kept"),
    Setting("models", Path, "the project's own", "folder of the published models"),
    Setting("lease_minutes", float, "60", "how long a case stays with its reader without a sign of life"),
    Setting("oidc_audience", str, "", "audience that tokens of the realm must name"),
)
OF_MONAI_LABEL = (
    Setting("api_prefix", str, "", "stands before all paths of the interface", "MONAI_LABEL_API_STR"),
    Setting("session_path", Path, "the user's cache", "folder of the sessions", "MONAI_LABEL_SESSION_PATH"),
    Setting("session_expiry", int, "3600", "seconds after which an unused session goes", "MONAI_LABEL_SESSION_EXPIRY"),
    Setting(
        "cors_origins",
        list[str],
        "none",
        "origins whose pages may call the server",
        "MONAI_LABEL_CORS_ORIGINS",
        text=json.dumps,
    ),
    Setting("auth_enable", bool, "false", "whether a realm (OIDC) says who speaks", "MONAI_LABEL_AUTH_ENABLE"),
    Setting("auth_realm_uri", str, "", "address of the realm", "MONAI_LABEL_AUTH_REALM_URI"),
    Setting("read_only", bool, "false", "keep nothing in the studies folder", "MONAI_LABEL_DATASTORE_READ_ONLY"),
    Setting("auto_reload", bool, "true", "look for new images while it runs", "MONAI_LABEL_DATASTORE_AUTO_RELOAD"),
)
LIMITS = {
    "max_scan_mb": "voxels or pixels of one scan before compression; checked by its header, before anything is decoded",
    "read_memory_mb": "memory of a process that reads scans, label maps and archives",
    "read_seconds": "seconds of the processor for one of them (ten times as many may pass); cancelling ends it at once",
    "max_upload_mb": "one upload",
    "max_document_mb": "one case document or another JSON text",
    "max_archive_files": "entries of an archive (ZIP, tar); links, devices, more than 200 times its size: refused",
    "max_session_mb": "one session, unpacked",
    "max_sessions_mb": "all sessions together",
    "max_jobs": "inferences that wait or run; one whose client went away leaves with it",
    "max_jobs_per_reader": "of them of one reader, on a server with tokens; readers are served in turn",
    "max_requests_per_reader": "other requests of one reader at a time, with tokens; eight times as many may wait",
    "max_connections": "connections at a time; keep it a hundred below the process's file descriptors (`ulimit -n`)",
    "header_seconds": "until a connection has sent the header of a request",
}
OF_LIMITS = tuple(
    Setting(field.name, int, str(field.default), LIMITS[field.name], variable_of(field.name))
    for field in fields(Limits)
)
ELSEWHERE = (
    ("PNEUMOSCREEN_CONFIG", "the file of settings, as `--config`"),
    ("PNEUMOSCREEN_SSL_KEYFILE_PASSWORD", "of the key; never in the file"),
    (
        "PNEUMOSCREEN_PACS_PASSWORD",
        "who `pneumoscreen pacs watch` and `receive` are at the PACS ([pacs.md](pacs.md)); never in the file",
    ),
    ("PNEUMOSCREEN_PACS_TOKEN", "the same, as a bearer token; never in the file"),
    ("FORWARDED_ALLOW_IPS", "addresses of proxies that are believed whom they speak for; as it stands 127.0.0.1"),
    ("PNEUMOSCREEN_DEBUG", "set: the command line shows the details of a fault"),
)
"""What only the environment says."""

ALL = (*OF_SERVE, *OF_LIMITS, *OF_MONAI_LABEL)
_FIELDS: dict[str, Any] = {setting.name: (setting.kind | None, None) for setting in ALL}
ServerSettings = cast("type[Settings]", create_model("ServerSettings", __base__=Settings, **_FIELDS))
"""The file: one key a setting, none of them needed."""


def use_file(path: Path, environment: MutableMapping[str, str] | None = None) -> None:
    """Fill the environment with the settings of a file; what stands there already has the last word.

    Raises:
        ConfigError: if the file cannot be read, or a key is unknown or its value wrong.
    """
    environment = os.environ if environment is None else environment
    found = load_config(path, ServerSettings)
    for setting in ALL:
        value = getattr(found, setting.name)
        if value is not None and not environment.get(setting.in_environment, "").strip():
            environment[setting.in_environment] = _as_text(setting, value)


def without_site(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment for a server that has its options from its caller: not the site's address, certificate or log."""
    of_options = {setting.in_environment for setting in OF_SERVE if setting.option and setting.name != "device"}
    return {name: value for name, value in environment.items() if name not in of_options | {CONFIG_VARIABLE}}


def _as_text(setting: Setting, value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else setting.text(value)


def page() -> str:
    """``docs/settings.md``."""
    lines = [_HEAD]
    for title, settings in (
        ("Of `pneumoscreen serve`", OF_SERVE),
        ("Limits", OF_LIMITS),
        ("Of MONAI Label", OF_MONAI_LABEL),
    ):
        lines += [f"\n## {title}\n", "| key | variable | option | as it stands | what |", "|---|---|---|---|---|"]
        for each in settings:
            option = f"`{each.option}`" if each.option else ""
            lines.append(f"| `{each.name}` | `{each.in_environment}` | {option} | {each.default} | {each.what} |")
    lines += ["\n## Only in the environment\n", "| variable | what |", "|---|---|"]
    lines += [f"| `{variable}` | {what} |" for variable, what in ELSEWHERE]
    return "\n".join(lines) + "\n"


_HEAD = """# All settings of a server

Made by `python -m pneumoscreen.server.site_settings`; a test compares. Write what you need into a YAML file, one
`key: value` a line, and start `pneumoscreen serve --config FILE`. The option has the last word, then the environment,
then the file. A key that is none, or a value that cannot be, stops the start with a sentence. Passwords do not belong
into the file.

```yaml
studies: /srv/pneumoscreen/studies
models: /srv/pneumoscreen/models
host: 0.0.0.0
tokens: /etc/pneumoscreen/tokens.json
log_format: json
max_jobs: 50
```

What `pneumoscreen serve` has an option for, `max_connections` and `header_seconds` do not hold under
`monailabel start_server`, which reads the environment alone. `max_scan_mb` holds for the command line too."""


if __name__ == "__main__":
    print(page(), end="")
