"""Links and codes that may be used once: what is stored of them, and who wins."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from better_auth import Verification
from better_auth.errors import AuthError
from better_auth.proofs import Proofs
from tests.conftest import Site

HOUR = timedelta(hours=1)
MINUTES = timedelta(minutes=5)


def proofs_of(site: Site) -> Proofs:
    return site.auth.context.proofs


def refused(site: Site, code: str, subject: str = "ada@example.com") -> str:
    """The error code that redeeming ``code`` is answered with."""
    with pytest.raises(AuthError) as refusal:
        site.run(proofs_of(site).redeem_code("test-code", subject, code))
    return refusal.value.code


def wrong(code: str) -> str:
    """A code that is not ``code``."""
    return f"{(int(code) + 1) % 1_000_000:06}"


def test_a_link_is_good_once_and_for_a_while(site: Site) -> None:
    """What ``token`` stands for, and its end."""
    proofs = proofs_of(site)
    token = site.run(proofs.issue("test", "value", HOUR))
    assert site.run(proofs.look("test", token)) == "value"
    assert site.run(proofs.redeem("test", token)) == "value"
    assert site.run(proofs.redeem("test", token)) is None
    late = site.run(proofs.issue("test", "value", HOUR))
    site.clock.move(hours=1)
    assert site.run(proofs.redeem("test", late)) is None


def test_a_link_opens_no_other_door(site: Site) -> None:
    """Each has a purpose that is part of its keys: nothing minted for one door opens another."""
    proofs = proofs_of(site)
    token = site.run(proofs.issue("test", "value", HOUR))
    for forged in ("", "x", token[:32], token[:32] + "x" * 43, token + "x", "é" * 75, "\x00" * 75):
        assert site.run(proofs.redeem("test", forged)) is None
    assert site.run(proofs.redeem("tes", token)) is None
    assert site.run(proofs.redeem("test-code", token)) is None
    assert site.run(proofs.redeem("test", token)) == "value"


def test_the_last_link_of_a_subject_counts(site: Site) -> None:
    """With a ``subject`` it takes the place of the earlier one of the same purpose."""
    proofs = proofs_of(site)
    first = site.run(proofs.issue("test", "1", HOUR, subject="ada"))
    other = site.run(proofs.issue("test", "2", HOUR, subject="bob"))
    second = site.run(proofs.issue("test", "3", HOUR, subject="ada"))
    assert site.run(proofs.redeem("test", first)) is None
    assert site.run(proofs.redeem("test", second)) == "3"
    site.run(proofs.revoke("test", "bob"))
    assert site.run(proofs.redeem("test", other)) is None


def test_of_many_who_redeem_a_link_one_gets_it(site: Site) -> None:
    """Of any number of callers one gets the value."""
    proofs = proofs_of(site)

    async def at_once() -> list[str | None]:
        token = await proofs.issue("test", "value", HOUR)
        return await asyncio.gather(*(proofs.redeem("test", token) for _ in range(20)))

    results = site.run(at_once())
    assert results.count("value") == 1
    assert results.count(None) == 19


def test_links_issued_at_once_to_one_subject_leave_one(site: Site) -> None:
    """The last link counts, also where nobody can say which was last."""
    proofs = proofs_of(site)

    async def at_once() -> list[str | None]:
        tokens = await asyncio.gather(
            *(proofs.issue("test", "value", HOUR, subject="ada") for _ in range(8))
        )
        return [await proofs.redeem("test", token) for token in tokens]

    assert site.run(at_once()).count("value") == 1


def test_the_database_holds_neither_links_nor_codes_nor_values(site: Site) -> None:
    """The database keeps a keyed fingerprint... What a proof stands for is sealed."""
    proofs = proofs_of(site)
    token = site.run(proofs.issue("test", "ada@example.com", HOUR, subject="user 1"))
    site.run(proofs.issue_code("test-code", "ada@example.com", MINUTES, value="user 1"))
    rows = site.run(site.auth.database.find(Verification))
    assert len(rows) == 2
    stored = " ".join(f"{row.identifier} {row.value}" for row in rows)
    for secret in (token, token[32:], "ada@example.com", "user 1"):
        assert secret not in stored


def test_proofs_outlive_the_rotation_of_the_secret(site_with: Callable[..., Site]) -> None:
    """Secrets rotate: a list, the first signs, all verify."""
    old, new = "old secret of more than 32 characters", "new secret of more than 32 characters"
    site = site_with(secrets=[old])
    token = site.run(proofs_of(site).issue("test", "value", HOUR, subject="ada"))
    code = site.run(proofs_of(site).issue_code("test-code", "ada@example.com", MINUTES, value="v"))
    rotated = Proofs(site.auth.database, type(site.auth.context.keyring)([new, old]), site.clock)
    assert site.run(rotated.redeem("test", token)) == "value"
    assert site.run(rotated.redeem_code("test-code", "ada@example.com", code)) == "v"


def test_a_code_is_good_once_for_its_subject_and_for_a_while(site: Site) -> None:
    """The ``value`` of the code that was sent to ``subject`` last, and its end."""
    proofs = proofs_of(site)
    subject = "ada@example.com"
    code = site.run(proofs.issue_code("test-code", subject, MINUTES, value="user 1"))
    assert len(code) == 6
    assert refused(site, code, "bob@example.com") == "INVALID_OTP"
    assert refused(site, wrong(code)) == "INVALID_OTP"
    assert site.run(proofs.redeem_code("test-code", subject, code)) == "user 1"
    assert refused(site, code) == "INVALID_OTP"
    code = site.run(proofs.issue_code("test-code", subject, MINUTES))
    site.clock.move(minutes=5)
    assert refused(site, code) == "OTP_EXPIRED"


def test_another_code_buys_no_attempts(site: Site) -> None:
    """ "Attempts made so far stay paid: asking for another code buys none", for a quarter of an
    hour, after which there are new ones."""
    proofs = proofs_of(site)
    subject = "ada@example.com"
    for _ in range(5):
        code = site.run(proofs.issue_code("test-code", subject, MINUTES))
        assert refused(site, wrong(code)) == "INVALID_OTP"
    assert refused(site, code) == "TOO_MANY_ATTEMPTS"
    site.clock.move(minutes=14)
    code = site.run(proofs.issue_code("test-code", subject, MINUTES))
    assert refused(site, code) == "TOO_MANY_ATTEMPTS"
    site.clock.move(minutes=1)
    code = site.run(proofs.issue_code("test-code", subject, MINUTES, value="v"))
    assert site.run(proofs.redeem_code("test-code", subject, code)) == "v"


def test_parallel_guesses_buy_nothing(site: Site) -> None:
    """ "Each paid for before the code is looked at": of a burst five are looked at, and of the
    right code sent twenty times at once one is accepted."""
    proofs = proofs_of(site)
    subject = "ada@example.com"

    async def burst(of: Callable[[str], str], times: int) -> list[str]:
        code = await proofs.issue_code("test-code", subject, MINUTES, value="in")

        async def one() -> str:
            try:
                return await proofs.redeem_code("test-code", subject, of(code))
            except AuthError as refusal:
                return refusal.code

        return await asyncio.gather(*(one() for _ in range(times)))

    right = site.run(burst(lambda code: code, 5))
    assert sorted(right) == ["INVALID_OTP"] * 4 + ["in"]
    answers = site.run(burst(wrong, 20))
    assert answers.count("INVALID_OTP") == 5
    assert answers.count("TOO_MANY_ATTEMPTS") == 15
