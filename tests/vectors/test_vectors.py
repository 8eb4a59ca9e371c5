# test_vectors.py - published vectors against the crypto room
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Wycheproof's vectors are read from the folder that DSQ_VECTORS names; the others stand here. The
room is behind a pipe: the program that DSQ_CRYPTO_PIPE names."""

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest

LONG = os.environ.get("DSQ_LONG") == "1"


class Room:
    def __init__(self):
        self.process = subprocess.Popen(
            [os.environ["DSQ_CRYPTO_PIPE"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(60) == 0
        self.process.stdout.close()

    def __call__(self, function, *arguments):
        """Bytes, or None where the room refuses."""
        words = [
            str(word) if isinstance(word, int) else (word.hex() or "-") for word in arguments
        ]
        self.process.stdin.write(" ".join([function, *words]).encode() + b"\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().decode().strip()
        assert answer, "the program is gone"
        if answer == "refused":
            return None
        return b"" if answer == "-" else bytes.fromhex(answer)


@pytest.fixture(scope="module")
def room():
    room = Room()
    yield room
    room.close()


def wycheproof(name, *, least, **sizes):
    """The tests of the groups of `sizes`; at least `least`."""
    folder = os.environ.get("DSQ_VECTORS")
    if not folder:
        pytest.skip("DSQ_VECTORS names no folder with Wycheproof's vectors")
    groups = json.loads(Path(folder, name).read_text())["testGroups"]
    tests = [
        test
        for group in groups
        if all(group[size] == bits for size, bits in sizes.items())
        for test in group["tests"]
    ]
    assert len(tests) >= least
    return tests


def unhex(test, *names):
    return [bytes.fromhex(test[name]) for name in names]


def test_wycheproof_aes_256_gcm(room):
    tests = wycheproof("aes_gcm_test.json", least=60, keySize=256, ivSize=96, tagSize=128)
    results = set()
    for test in tests:
        key, nonce, aad, plain, sealed, tag = unhex(test, "key", "iv", "aad", "msg", "ct", "tag")
        unsealed = room("unseal", key, nonce, aad, sealed + tag)
        results.add(test["result"])
        if test["result"] == "valid":
            assert room("seal", key, nonce, aad, plain) == sealed + tag, test
            assert unsealed == plain, test
        else:
            assert unsealed is None, test
    assert results == {"valid", "invalid"}


def test_wycheproof_hmac_sha256(room):
    for test in wycheproof("hmac_sha256_test.json", least=174):
        key, data, tag = unhex(test, "key", "msg", "tag")
        equal = room("hmac", key, data)[: len(tag)] == tag
        assert equal == (test["result"] == "valid"), test


def test_wycheproof_hkdf_sha256(room):
    n_run = 0
    for test in wycheproof("hkdf_sha256_test.json", least=86):
        secret, salt, info, out = unhex(test, "ikm", "salt", "info", "okm")
        # the only invalid ones ask for more than HKDF has
        assert (test["result"] == "valid") == (test["size"] <= 255 * 32), test
        if test["result"] == "valid":
            assert room("hkdf", test["size"], secret, salt, info) == out, test
            n_run += 1
    assert n_run >= 80


@pytest.mark.parametrize(
    "secret, salt, info, out",
    [  # RFC 5869, appendix A.1 to A.3
        (
            "0b" * 22,
            "000102030405060708090a0b0c",
            "f0f1f2f3f4f5f6f7f8f9",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            bytes(range(0x00, 0x50)).hex(),
            bytes(range(0x60, 0xB0)).hex(),
            bytes(range(0xB0, 0x100)).hex(),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41"
            "c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
        ),
        (
            "0b" * 22,
            "",
            "",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ],
    ids=["A.1", "A.2", "A.3"],
)
def test_rfc_5869_hkdf(room, secret, salt, info, out):
    expected = bytes.fromhex(out)
    found = room("hkdf", len(expected), *map(bytes.fromhex, (secret, salt, info)))
    assert found == expected


def test_rfc_9106_argon2id(room):
    """Section 5.3."""
    tag = room(
        "argon2id", 32, 3, 4, 32, b"\1" * 32, b"\2" * 16, b"\3" * 8, b"\4" * 12
    )
    assert tag.hex() == "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"


def test_argon2id_without_secret(room):
    """From the reference implementation's own tests: one lane, as stores have it."""
    tag = room("argon2id", 65536, 2, 1, 32, b"password", b"somesalt", b"", b"")
    assert tag.hex() == "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7"


@pytest.mark.parametrize(
    "key, aad, sealed",
    [  # C2SP, XAES-256-GCM: the most significant bit of L is 0, and 1
        (b"\1" * 32, b"", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
        (
            b"\3" * 32,
            b"c2sp.org/XAES-256-GCM",
            "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d",
        ),
    ],
)
def test_c2sp_xaes(room, key, aad, sealed):
    nonce, plain = b"ABCDEFGHIJKLMNOPQRSTUVWX", b"XAES-256-GCM"
    assert room("seal", key, nonce, aad, plain).hex() == sealed
    assert room("unseal", key, nonce, aad, bytes.fromhex(sealed)) == plain
    assert room("unseal", key, nonce, aad + b"x", bytes.fromhex(sealed)) is None


def test_c2sp_xaes_accumulated(room):
    """The ciphertexts of 10,000 random messages as one hash; with DSQ_LONG of 1,000,000."""
    n_messages, expected = 10_000, (
        "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939"
    )
    if LONG:
        n_messages, expected = 1_000_000, (
            "2163ae1445985a30b60585ee67daa55674df06901b890593e824b8a7c885ab15"
        )
    stream = hashlib.shake_128().digest(n_messages * (32 + 24 + 2 * 256))
    assert stream[:16].hex() == "7f9c2ba4e88f827d616045507605853e"
    at = 0

    def take(length):
        nonlocal at
        at += length
        return stream[at - length : at]

    digest = hashlib.shake_128()
    for _ in range(n_messages):
        key, nonce = take(32), take(24)
        plain = take(take(1)[0])
        aad = take(take(1)[0])
        sealed = room("seal", key, nonce, aad, plain)
        digest.update(sealed)
    assert digest.hexdigest(32) == expected
