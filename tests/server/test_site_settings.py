"""One list of all settings: the file, the environment, the options, the page."""

import inspect
import re
from pathlib import Path

import pytest

from pneumoscreen.cli import main
from pneumoscreen.cli.serving import serve
from pneumoscreen.errors import ConfigError
from pneumoscreen.limits import Limits
from pneumoscreen.server.inference.engine import DEVICE_VARIABLE, chosen_device
from pneumoscreen.server.site_settings import ALL, OF_SERVE, page, use_file, without_site

REPOSITORY = Path(__file__).resolve().parents[2]


def test_the_page_is_that_of_the_list() -> None:
    assert (REPOSITORY / "docs" / "settings.md").read_text(encoding="utf-8") == page()


def test_every_option_of_serve_is_in_the_list_with_its_variable_and_default() -> None:
    found = {setting.name: setting for setting in OF_SERVE if setting.option}
    parameters = inspect.signature(serve, eval_str=True).parameters
    only_elsewhere = {"context", "config", "ssl_keyfile_password"}
    assert found.keys() == parameters.keys() - only_elsewhere
    for name, parameter in parameters.items():
        if name in only_elsewhere or name == "follow_links":
            continue
        option = parameter.annotation.__metadata__[0]
        assert option.envvar == found[name].in_environment
        if parameter.default not in (None, "", inspect.Parameter.empty):
            assert str(parameter.default) == found[name].default


def test_the_environment_has_the_last_word_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(
        "studies: /srv/studies\nmax_jobs: 7\nmax_scan_mb: 9\nread_only: true\nlease_minutes: 1.5\n"
        "follow_links: [/a, /b]\ncors_origins: ['https://viewer.clinic.org']\n"
    )
    environment = {"PNEUMOSCREEN_MAX_JOBS": "5", "PNEUMOSCREEN_MAX_SCAN_MB": " "}
    use_file(file, environment)
    assert environment == {
        "PNEUMOSCREEN_STUDIES": "/srv/studies",
        "PNEUMOSCREEN_MAX_JOBS": "5",
        "PNEUMOSCREEN_MAX_SCAN_MB": "9",
        "PNEUMOSCREEN_LEASE_MINUTES": "1.5",
        "PNEUMOSCREEN_FOLLOW_LINKS": "/a:/b",
        "MONAI_LABEL_DATASTORE_READ_ONLY": "true",
        "MONAI_LABEL_CORS_ORIGINS": '["https://viewer.clinic.org"]',
    }
    assert Limits.of_environment(environment) == Limits(max_jobs=5, max_scan_mb=9)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("max_job: 7", "key max_job: not a setting"),
        ("max_jobs: many", "key max_jobs: Input should be a valid integer"),
        ("log_format: xml", "key log_format"),
        ("ssl_keyfile_password: secret", "key ssl_keyfile_password: not a setting"),
        ("- studies", "(top level)"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "site.yaml").write_text(line + "\n")
    with pytest.raises(ConfigError) as error:
        use_file(tmp_path / "site.yaml", {})
    assert said in str(error.value) and "site.yaml" in str(error.value) and "secret" not in str(error.value)


def test_a_file_that_is_not_there_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--config", "nowhere.yaml", "--studies", "x"]) == 2
    assert re.fullmatch(r"nowhere\.yaml: .*name a YAML file\n", capsys.readouterr().err)


def test_the_demonstrations_server_is_not_the_sites() -> None:
    """In a container the variables name an address that is open to others, where the demonstration has no tokens."""
    site = {"PNEUMOSCREEN_HOST": "0.0.0.0", "PNEUMOSCREEN_SSL_CERTFILE": "x", "PNEUMOSCREEN_CONFIG": "x"}
    stays = {
        "PNEUMOSCREEN_MODELS": "/models",
        "PNEUMOSCREEN_DEVICE": "cpu",
        "PNEUMOSCREEN_MAX_JOBS": "5",
        "PATH": "/bin",
    }
    assert without_site({**site, **stays}) == stays


def test_a_device_that_is_not_there_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--studies", str(tmp_path), "--device", "tpu"]) == 2
    assert capsys.readouterr().err == "--device tpu: not a device; use auto, cpu, cuda or cuda:N\n"


@pytest.mark.parametrize(("chosen", "device"), [("", None), ("auto", None), ("cpu", "cpu"), ("cuda:1", "cuda:1")])
def test_networks_are_loaded_where_the_site_says(
    chosen: str, device: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None takes a GPU where there is one."""
    monkeypatch.setenv(DEVICE_VARIABLE, chosen)
    assert chosen_device() == device


def test_every_variable_of_a_setting_is_read_somewhere() -> None:
    """A setting that nobody reads would be taken and do nothing."""
    sources = "".join(path.read_text(encoding="utf-8") for path in (REPOSITORY / "lib").rglob("*.py"))
    limits = set(vars(Limits()))
    for setting in ALL:
        name = setting.in_environment
        of_option = f'{{_PREFIX}}{name.removeprefix("PNEUMOSCREEN_")}"'
        assert (
            setting.name in limits
            or sources.count(f'"{name}"') + sources.count(of_option) > 0
            or (f"settings.{name}" in sources)
        ), name
