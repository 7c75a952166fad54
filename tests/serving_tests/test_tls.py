"""HTTPS, and callers that must show a certificate, against a real server with certificates made here."""

import asyncio
import datetime
import ipaddress
import json
import ssl
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from edge.async_client import AsyncClient
from edge.client import Client
from edge.errors import RemoteError, SetupError, UsageError
from edge.tls import Tls
from serving import keys
from serving.safety import Safety


class Authority:
    """Signs certificates; each is written with its key beside it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.key = folder, ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self.path(name, self._signed(self.name, self.key, True))

    def path(self, name: str, certificate: x509.Certificate) -> Path:
        file = self.folder / f"{name}.pem"
        file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return file

    def issue(self, name: str) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self.path(name, self._signed(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key, False))
        file = self.folder / f"{name}.key"
        form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        file.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, none))
        file.chmod(0o600)
        return certificate, file

    def _signed(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, authority: bool) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder().issuer_name(self.name).subject_name(subject).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(1))
        builder = builder.add_extension(x509.BasicConstraints(authority, None), critical=True)
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        return builder.add_extension(names, critical=False).sign(self.key, hashes.SHA256())


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ours"), "ours")


@pytest.fixture(scope="module")
def ports(
    authority: Authority, tiny_bundles: Path, start: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[int]]:
    """The two ports of a server that wants a certificate of its callers."""
    import socket

    certificate, key = authority.issue("server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        admin = probe.getsockname()[1]
    words = ["--tls-cert", certificate, "--tls-key", key, "--tls-client-ca", authority.certificate, "--admin-port", admin]
    with start(tiny_bundles, tmp_path_factory.mktemp("tls"), *map(str, words)) as (port, log):
        assert f"on https://127.0.0.1:{port}" in log.read_text()
        yield [port, admin]


def ask(port: int, authority: Authority, shown: tuple[Path, Path] | None, scheme: str = "https") -> Any:
    context = ssl.create_default_context(cafile=authority.certificate)
    if shown is not None:
        context.load_cert_chain(*shown)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    with opener.open(f"{scheme}://127.0.0.1:{port}/v2", timeout=20) as answer:
        return json.load(answer)


def test_who_shows_our_certificate_is_answered_on_both_ports(ports: list[int], authority: Authority) -> None:
    shown = authority.issue("caller")
    assert [ask(port, authority, shown)["name"] for port in ports] == ["tandem", "tandem"]


def test_nobody_else_is(ports: list[int], authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger").issue("caller")
    for port in ports:
        for shown, scheme in ((None, "https"), (stranger, "https"), (None, "http")):
            with pytest.raises(OSError, match="(?i)alert|reset|closed|disconnected|EOF|aborted"):
                ask(port, authority, shown, scheme)


def test_the_clients_show_it(ports: list[int], authority: Authority) -> None:
    certificate, key = authority.issue("device")
    shown, url = Tls(authority.certificate, certificate, key), f"https://127.0.0.1:{ports[0]}"
    with Client(url, tls=shown) as client:
        assert client.server()["name"] == "tandem"

    async def ask_too() -> str:
        async with AsyncClient(url, tls=shown) as client:
            return str((await client.server())["name"])

    assert asyncio.run(ask_too()) == "tandem"
    for other in (None, Tls(authority.certificate)):
        with Client(url, tls=other) as client, pytest.raises(RemoteError, match="cannot be reached"):
            client.server()


def test_certificates_of_a_client_that_cannot_be_used_are_named(authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.issue("device2")
    other = authority.issue("other2")[1]
    with pytest.raises(UsageError, match=r"certificates came for 'http://127.0.0.1:1', where no TLS is spoken"):
        Client("http://127.0.0.1:1", tls=Tls(certificate))
    with pytest.raises(UsageError, match="a key came without its certificate"):
        Tls(key=key)
    for wrong in (Tls(tmp_path / "none"), Tls(cert=certificate, key=other), Tls(cert=key)):
        with pytest.raises(SetupError, match="TLS cannot begin with .*; expected PEM files that fit one another"):
            Client("https://127.0.0.1:1", tls=wrong)


def test_files_that_cannot_be_used_are_named(authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.issue("server2")
    other = authority.issue("other")[1]
    keys.check(Safety(tls_cert=certificate, tls_key=key, tls_client_ca=authority.certificate))
    (tmp_path / "text").write_text("no certificate")
    (tmp_path / "text").chmod(0o600)
    for cert, secret, ca in ((certificate, other, None), (tmp_path / "text", key, None), (certificate, key, tmp_path / "text")):
        with pytest.raises(SetupError, match="TLS cannot begin with .*; expected PEM files that fit"):
            keys.check(Safety(tls_cert=cert, tls_key=secret, tls_client_ca=ca))
    key.chmod(0o644)
    with pytest.raises(SetupError, match="TANDEM_TLS_KEY: .* has mode 0644: others may read or change it"):
        keys.check(Safety(tls_cert=certificate, tls_key=key))
