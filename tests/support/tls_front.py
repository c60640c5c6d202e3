"""A front that speaks TLS for a plain server, with a certificate of a CA of its own."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@contextmanager
def tls_front(
    url: str,
    folder: Path,
    *,
    address: str = "127.0.0.1",
    began: int = -1,
    ended: int = 1,
    names_its_issuer: bool = True,
) -> Iterator[tuple[str, Path]]:
    """Serve ``https://127.0.0.1:…`` for a plain address; return that address, and the path of the CA's certificate.

    :param address: that the server's certificate is for
    :param began: from when it is valid, in days from now
    :param ended: until when
    :param names_its_issuer: it has an Authority Key Identifier
    """
    folder.mkdir(exist_ok=True)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    signs = x509.KeyUsage(*[False] * 5, True, *[False] * 3)
    authority = _certificate("Corp CA", keys[0], keys[0], -1, 1, signs)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[0].public_key())
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
    own = _certificate(address, keys[1], keys[0], began, ended, names, *([issuer] if names_its_issuer else []))
    private = keys[1].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "corp-ca.pem").write_bytes(authority)
    (folder / "server.pem").write_bytes(private + own)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    plain = urlsplit(url)

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_connection(plain.hostname, plain.port)
        await asyncio.gather(_copy(reader, behind_writer), _copy(behind_reader, writer), return_exceptions=True)

    loop = asyncio.new_event_loop()
    front = loop.run_until_complete(asyncio.start_server(pass_on, "127.0.0.1", 0, ssl=context))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{front.sockets[0].getsockname()[1]}", folder / "corp-ca.pem"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        front.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.1))  # connections are closed in the loop's next turns
        loop.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: ec.EllipticCurvePrivateKey,
    began: int,
    ended: int,
    *extensions: x509.ExtensionType,
) -> bytes:
    """A certificate by "Corp CA", which is a CA's where it is signed with its own key."""
    is_authority = key is issuer
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Corp CA")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) + timedelta(days=began))
        .not_valid_after(datetime.now(UTC) + timedelta(days=ended))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(issuer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
