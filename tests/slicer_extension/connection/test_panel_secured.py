"""The panel against a real server that asks for tokens and speaks HTTPS with a site's own certificate."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import SimpleITK as sitk
from tests.server.conftest import RunningServer, model_root, phantom, serving
from tests.server.test_serve import Certificate, certificate
from tests.slicer_extension.doubles.running_panel import Panel, running_panel

from pneumoscreen.images.volume import Volume
from pneumoscreen.server.access.identity import Role
from pneumoscreen.server.access.tokens import TokenFile
from pneumoscreen.server.client import Client

# The fixtures of the server's tests, used here by their names.
__all__ = ["certificate", "model_root", "phantom"]

WRONG = "pns_0123456789ab_" + "0" * 64


@dataclass(frozen=True)
class Site:
    """A server with the tokens of an annotator and of an administrator."""

    server: RunningServer
    tokens: TokenFile
    reader_token: str
    authority: str

    @property
    def address(self) -> str:
        return self.server.client.address

    def versions(self, case_id: str) -> list[dict[str, object]]:
        return list(self.server.client.get(f"/pneumoscreen/annotations/{case_id}").json()["versions"])


@pytest.fixture(scope="module")
def site(
    certificate: Certificate, model_root: Path, phantom: Volume, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    studies = tmp_path_factory.mktemp("site")
    for name in ("case-a", "case-b"):
        sitk.WriteImage(phantom.to_sitk(phantom.hu), studies / f"{name}.nii.gz")
    tokens = TokenFile(tmp_path_factory.mktemp("tokens") / "tokens.json")
    _, reader = tokens.add("dr-reader", Role.READER)
    _, administrator = tokens.add("chief", Role.ADMINISTRATOR)
    files = ("--ssl-certfile", str(certificate.certificate), "--ssl-keyfile", str(certificate.key))

    def client(address: str) -> Client:
        return Client(address.replace("http:", "https:"), administrator, verify=certificate.certificate)

    with serving(studies, model_root, tmp_path_factory, "--tokens", str(tokens.path), *files, client=client) as running:
        yield Site(running, tokens, reader, str(certificate.certificate))


@pytest.fixture
def signed_in(site: Site, tmp_path: Path) -> Iterator[Panel]:
    """The annotator's panel, connected."""
    with running_panel(
        tmp_path, address=site.address, reader="", token=site.reader_token, certificate=site.authority
    ) as panel:
        panel.show()
        panel.connect()
        yield panel


def connect_in_vain(panel: Panel) -> str:
    """Press "Test connection"; what the panel says then."""
    panel.ui.connectButton.click()
    panel.wait(lambda: bool(panel.said) and not panel.logic.connection.is_connecting)
    assert panel.ui.connectionLabel.text == "Not connected" and panel.ui.connectButton.enabled
    assert panel.ui.statusFrame.visible and "Traceback" not in panel.said
    return panel.said


@pytest.mark.parametrize(
    ("token", "remedy"), [("", "enter your API token under Connect"), (WRONG, "check the token under Connect")]
)
def test_without_a_good_token_one_is_told_what_to_do(site: Site, tmp_path: Path, token: str, remedy: str) -> None:
    with running_panel(tmp_path, address=site.address, token=token, certificate=site.authority) as panel:
        panel.show()
        assert remedy in connect_in_vain(panel)
        assert "did not let you in" in panel.said
        panel.ui.tokenEdit.text = site.reader_token
        panel.connect()
        assert not panel.said and "Signed in as dr-reader (reader)" in panel.ui.connectionLabel.text


def test_an_annotator_reads_corrects_and_submits(site: Site, signed_in: Panel) -> None:
    panel = signed_in
    assert "Signed in as dr-reader (reader)" in panel.ui.connectionLabel.text
    assert not panel.ui.readerEdit.enabled, "the token says who signs"
    panel.open("case-a")
    panel.screen()
    region = panel.session.reading.selected
    panel.session.correct("influenza_a")
    assert panel.session.reading.region(region).reader.name == "dr-reader"
    panel.submit_partly_read()
    panel.wait(lambda: panel.session.is_submitted)
    (version,) = site.versions("case-a")
    assert version["reader"] == "dr-reader"


def test_an_annotator_trains_nothing_and_reads_why(signed_in: Panel) -> None:
    panel = signed_in
    needed = "This needs the role trainer; you are signed in as dr-reader (reader)."
    for button in (panel.ui.startTrainButton, panel.ui.rollbackButton, panel.ui.sendButton):
        assert not button.enabled
    assert panel.ui.startTrainButton.toolTip == panel.ui.rollbackLabel.text == needed
    # The server refuses by itself; the button alone would be no protection.
    panel.logic.trainings.start("ct_classifier")
    panel.wait(lambda: bool(panel.said))
    assert panel.said.startswith("The server refused") and "trainer" in panel.said
    assert panel.logic.connection.server is not None


def test_a_token_that_is_revoked_meanwhile_costs_no_correction(site: Site, tmp_path: Path) -> None:
    entry, token = site.tokens.add("dr-guest", Role.READER)
    with running_panel(tmp_path, address=site.address, token=token, certificate=site.authority) as panel:
        panel.show()
        panel.connect()
        panel.open("case-b")
        panel.screen()
        panel.session.correct("covid19")
        site.tokens.revoke(entry.id)
        panel.submit_partly_read()
        panel.wait(lambda: bool(panel.said) and not panel.logic.asking.is_busy)
        assert "check the token under Connect" in panel.said and panel.ui.retryButton.visible
        assert panel.session.reading.is_modified and len(panel.kept) == 1
        assert site.versions("case-b") == []
        _, again = site.tokens.add("dr-guest", Role.READER)
        panel.ui.tokenEdit.text = again
        panel.connect()
        panel.ui.submitButton.click()
        panel.wait(lambda: panel.session.is_submitted)
        assert panel.kept == []
    (version,) = site.versions("case-b")
    assert version["reader"] == "dr-guest"


def test_a_certificate_that_nobody_vouches_for_is_refused_until_its_authority_is_named(
    site: Site, tmp_path: Path
) -> None:
    with running_panel(tmp_path, address=site.address, token=site.reader_token) as panel:
        panel.show()
        said = connect_in_vain(panel)
        assert "could not be verified" in said
        assert "choose the file of your site's certificate authority under Connect" in said
        panel.ui.certificatePath.currentPath = site.authority
        panel.connect()
        assert "dr-reader" in panel.ui.connectionLabel.text
    with running_panel(tmp_path, address=site.address, token=site.reader_token) as panel:
        panel.show()
        panel.ui.certificatePath.currentPath = str(tmp_path / "moved.pem")
        assert "choose it again under Connect" in connect_in_vain(panel)
        panel.ui.certificatePath.currentPath = site.authority
    import qt

    from PneumoScreenLib.connection.panel import connection_of

    kept = connection_of(qt.QSettings(str(tmp_path / "settings.ini"), qt.QSettings.IniFormat), "")
    assert kept["ca_file"] == site.authority


def test_a_file_that_holds_no_certificate_is_named(site: Site, tmp_path: Path) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    with running_panel(tmp_path, address=site.address, certificate=str(junk)) as panel:
        panel.show()
        assert "choose it again under Connect" in connect_in_vain(panel)


def test_http_where_https_is_spoken(site: Site, tmp_path: Path) -> None:
    plain = site.address.replace("https:", "http:")
    with running_panel(tmp_path, address=plain, token=site.reader_token) as panel:
        panel.show()
        assert "check that it runs and that the address is right" in connect_in_vain(panel)


def test_a_certificate_of_another_name(site: Site, tmp_path: Path) -> None:
    other = site.address.replace("127.0.0.1", "localhost")
    with running_panel(tmp_path, address=other, certificate=site.authority) as panel:
        panel.show()
        assert "is made out to another name" in connect_in_vain(panel)
