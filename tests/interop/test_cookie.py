"""The session's cookie is better-auth's own, bit for bit."""

import os
import subprocess
from pathlib import Path
from urllib.parse import quote

from better_auth.crypto import CookieSigner
from tests.support import SECRET


def test_a_cookie_signed_here_is_the_one_signed_there(folder: Path) -> None:
    """A session made there is valid here, and the other way round."""
    values = ["session_" + "a-_Z9" * 8, "A" * 32, "with (marks)!~*'", "a.b"]
    printed = subprocess.run(
        ["node", "cookie.mjs", *values],
        cwd=folder,
        env=os.environ | {"SECRET": SECRET},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    signer = CookieSigner([SECRET])
    assert printed == ["c=" + quote(signer.signed(value), safe="!~*'()") for value in values]
    assert [signer.opened(signer.signed(value)) for value in values] == values
