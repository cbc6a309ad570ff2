"""What a trial run needs and production must not have: a secret of its own making."""

import os
import secrets
import stat
from pathlib import Path

from better_auth.errors import ConfigurationError


def development_secret(directory: Path) -> str:
    """The secret kept in ``directory/secret`` (made, mode 0600, if missing).

    Processes that start at once agree on one. Raises ``ConfigurationError`` where others can read
    the file, and where there can be none.
    """
    try:
        return _kept_secret(directory / "secret", directory)
    except OSError as error:
        raise ConfigurationError(
            f"no secret can be kept in {directory}: {error.strerror}; set BETTER_AUTH_SECRET"
        ) from None


def _kept_secret(path: Path, directory: Path) -> str:
    directory.mkdir(parents=True, exist_ok=True)
    fresh = directory / f"secret.{os.getpid()}.{secrets.token_hex(4)}"
    if not path.exists():
        descriptor = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48))
        try:
            os.link(fresh, path)  # whole or not at all, and the first to come wins
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ConfigurationError(f"{path} can be read by others: chmod 600 {path}")
    return path.read_text().strip()
