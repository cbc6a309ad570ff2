"""Keys with a purpose, seals bound to their row, secrets that rotate."""

from better_auth.crypto import Keyring

OLD, NEW = "old secret of at least 32 characters", "new secret of at least 32 characters"


def test_fingerprints() -> None:
    """One for each purpose and secret, the current first."""
    ring = Keyring([NEW, OLD])
    both = ring.fingerprints("a", "value")
    assert len(set(both)) == 2
    assert both[0] == ring.fingerprint("a", "value") == Keyring([NEW]).fingerprint("a", "value")
    assert both[1] == Keyring([OLD]).fingerprint("a", "value")
    assert ring.fingerprint("b", "value") != ring.fingerprint("a", "value")
    assert ring.is_fingerprint("a", "value", both[1])
    assert not ring.is_fingerprint("b", "value", both[1])
    assert not ring.is_fingerprint("a", "other", both[0])


def test_seals() -> None:
    """Opened only with the same purpose and row, and untouched."""
    ring = Keyring([OLD])
    sealed = ring.seal("a", "text", bound_to="row")
    assert sealed != ring.seal("a", "text", bound_to="row")
    assert ring.open("a", sealed, bound_to="row") == "text"
    assert ring.open("b", sealed, bound_to="row") is None
    assert ring.open("a", sealed, bound_to="other row") is None
    assert Keyring([NEW, OLD]).open("a", sealed, bound_to="row") == "text"
    assert Keyring([NEW]).open("a", sealed, bound_to="row") is None
    for broken in ("", "x", "é", sealed[:-4], sealed[:20] + "AAAA" + sealed[24:]):
        assert ring.open("a", broken, bound_to="row") is None
