"""SCRAM-SHA-256: RFC 7677's example, another implementation as client, and every way to fail."""

import base64
import hashlib

import pytest
import scramp

from kalam_pg.pgwire import scram
from kalam_pg.pgwire.errors import ProtocolViolationError
from kalam_pg.pgwire.saslprep import prepare

# RFC 7677, section 3.
RFC_SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
RFC_CLIENT_NONCE = "rOprNGfwEbeRWgbNEkqO"
RFC_SERVER_NONCE = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
RFC_FINAL = (
    f"c=biws,r={RFC_CLIENT_NONCE}{RFC_SERVER_NONCE},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
)
VERIFIER = scram.make_verifier("pencil", salt=RFC_SALT)


def rfc_server(**options) -> scram.ScramServer:
    return scram.ScramServer(scram.MECHANISM, VERIFIER, nonce=RFC_SERVER_NONCE, **options)


def test_the_rfcs_example():
    server = rfc_server()
    first = server.first(f"n,,n=user,r={RFC_CLIENT_NONCE}".encode())
    assert first == (
        f"r={RFC_CLIENT_NONCE}{RFC_SERVER_NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096".encode()
    )
    assert server.final(RFC_FINAL.encode()) == b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_a_verifier_round_trips_through_its_text():
    text = str(VERIFIER)
    assert text.startswith("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$")
    assert scram.parse_verifier(text) == VERIFIER


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pencil",
        "md5" + "0" * 32,
        "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy",  # keys are not 32 bytes
        str(VERIFIER).replace("4096", "0"),
        str(VERIFIER).replace("4096", "99999999"),
        str(VERIFIER).replace("4096", "4_096"),
        str(VERIFIER).replace("SHA-256", "SHA-512"),
        str(VERIFIER) + "=",
        str(VERIFIER) + "\n",
    ],
)
def test_what_is_no_verifier_is_a_password(text):
    assert scram.parse_verifier(text) is None


def exchange(
    password: str, server: scram.ScramServer, mechanism=scram.MECHANISM, binding=None
) -> bytes | None:
    """Let the client of another implementation (pg8000's) talk to `server`."""
    client = scramp.ScramClient([mechanism], "user", password, channel_binding=binding)
    client.set_server_first(server.first(client.get_client_first().encode()).decode())
    answer = server.final(client.get_client_final().encode())
    if answer is not None:
        client.set_server_final(answer.decode())  # Checks that the server knows the password too.
    return answer


@pytest.mark.parametrize("password", ["pencil", "pass word", "IX", "пароль", "ⅸ", "a\u00adb"])
def test_another_implementation_gets_in_with_the_password(password):
    verifier = scram.make_verifier(password)
    assert exchange(password, scram.ScramServer(scram.MECHANISM, verifier)) is not None


def test_a_wrong_password_is_a_value_not_an_error():
    assert exchange("pencils", scram.ScramServer(scram.MECHANISM, VERIFIER)) is None


def test_an_unknown_user_has_the_same_exchange_and_no_password_fits():
    mock = scram.mock_verifier("nobody", b"secret of this server")
    again = scram.mock_verifier("nobody", b"secret of this server")
    other = scram.mock_verifier("somebody", b"secret of this server")
    assert mock.salt == again.salt != other.salt
    assert len(mock.salt) == len(scram.make_verifier("x").salt)
    server = scram.ScramServer(scram.MECHANISM, mock, known=False)
    assert exchange("pencil", server) is None


def test_a_right_proof_of_a_user_who_may_not_log_in_fails():
    assert exchange("pencil", scram.ScramServer(scram.MECHANISM, VERIFIER, known=False)) is None


def test_channel_binding_binds_to_the_certificate():
    assert scram.mechanisms(channel_binding=True)[0] == scram.MECHANISM_PLUS
    mine, other = hashlib.sha256(b"mine").digest(), hashlib.sha256(b"other").digest()

    def server() -> scram.ScramServer:
        return scram.ScramServer(scram.MECHANISM_PLUS, VERIFIER, channel_binding=mine)

    endpoint = "tls-server-end-point"
    assert exchange("pencil", server(), scram.MECHANISM_PLUS, (endpoint, mine)) is not None
    with pytest.raises(ProtocolViolationError, match="channel binding"):
        exchange("pencil", server(), scram.MECHANISM_PLUS, (endpoint, other))
    with pytest.raises(ProtocolViolationError):
        exchange("pencil", server(), scram.MECHANISM_PLUS, ("tls-unique", mine))


def test_a_client_that_was_told_there_is_no_binding_is_warned():
    server = scram.ScramServer(scram.MECHANISM, VERIFIER, channel_binding=b"hash")
    with pytest.raises(ProtocolViolationError, match="negotiation"):
        server.first(b"y,,n=,r=abc")


def test_plus_is_not_offered_or_taken_without_tls():
    assert scram.mechanisms(channel_binding=False) == (scram.MECHANISM,)
    with pytest.raises(ProtocolViolationError):
        scram.ScramServer(scram.MECHANISM_PLUS, VERIFIER)
    with pytest.raises(ProtocolViolationError):
        scram.ScramServer("SCRAM-SHA-1", VERIFIER)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"n",
        b"n,,",
        b"n,,n=",
        b"n,,r=abc",
        b"n,,n=,r=",
        b"n,,n=,r=a\x7fb",
        b"n,a=admin,n=,r=abc",
        b"n,,m=ext,n=,r=abc",
        b"p=tls-server-end-point,,n=,r=abc",
        b"x,,n=,r=abc",
        b"n,,n=,r=\xff",
        b"n,,n=,r=abc\0",
    ],
)
def test_a_malformed_first_message_is_a_protocol_violation(message):
    with pytest.raises(ProtocolViolationError):
        rfc_server().first(message)


@pytest.mark.parametrize(
    "final",
    [
        "",
        "p=",
        RFC_FINAL[:-4],
        RFC_FINAL + "=",  # not the one spelling of base64
        RFC_FINAL.replace("p=d", "p= d"),
        RFC_FINAL.replace("c=biws", "c=eSws"),
        RFC_FINAL.replace("c=biws", "c=biws="),
        RFC_FINAL.replace("hNlF$k0", "hNlF$k1"),
        RFC_FINAL.replace("c=biws,", ""),
        RFC_FINAL.partition(",p=")[0],
        RFC_FINAL.partition(",p=")[0] + ",p=YWJj",
    ],
)
def test_a_malformed_final_message_is_a_protocol_violation(final):
    server = rfc_server()
    server.first(f"n,,n=user,r={RFC_CLIENT_NONCE}".encode())
    with pytest.raises(ProtocolViolationError):
        server.final(final.encode())


def test_an_extension_in_the_final_message_is_part_of_what_is_signed():
    server = rfc_server()
    server.first(f"n,,n=user,r={RFC_CLIENT_NONCE}".encode())
    assert server.final(RFC_FINAL.replace(",p=", ",x=1,p=").encode()) is None


def test_nonces_are_different_each_time():
    nonces = {scram.ScramServer(scram.MECHANISM, VERIFIER).first(b"n,,n=,r=abc") for _ in range(20)}
    assert len(nonces) == 20


@pytest.mark.parametrize(
    ("password", "prepared"),
    [  # RFC 4013, section 3, and PostgreSQL's fallback to the bytes as they are
        ("I\u00adX", b"IX"),
        ("user", b"user"),
        ("USER", b"USER"),
        ("ª", b"a"),
        ("\u2168", b"IX"),
        ("\u0007", b"\x07"),
        ("\u0627\u0031", "\u0627\u0031".encode()),
        ("a\u00a0b", b"a b"),
        ("\u00ad", "\u00ad".encode()),
    ],
)
def test_saslprep(password, prepared):
    assert prepare(password) == prepared
