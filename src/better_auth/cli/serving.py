"""``better-auth serve``: the application behind uvicorn."""

import asyncio
import gc
import json
import secrets
from copy import deepcopy
from typing import Any

import uvicorn
from uvicorn.config import LOGGING_CONFIG
from uvicorn.supervisors import Multiprocess

from better_auth.auth import BetterAuth
from better_auth.cli.application import load
from better_auth.errors import ConfigurationError

GRACE = 10
"""Seconds a request may take to finish once the server is told to stop."""


def run(host: str, port: int, workers: int, access_log: bool, log_format: str) -> None:
    """Serve until told to stop. Exits, saying so, where the address is taken."""
    auth = load()
    if workers > 1 and getattr(getattr(auth.database, "sql", auth.database), "is_in_memory", False):
        raise ConfigurationError("--workers: a database in memory is that of one process")
    asyncio.run(_try(auth))
    # What is loaded by now stays: collecting garbage need not look at it again, which would stop
    # every request for tens of milliseconds.
    gc.collect()
    gc.freeze()
    config = uvicorn.Config(
        auth if workers == 1 else "better_auth.cli.application:load",
        factory=workers > 1,
        host=host,
        port=port,
        workers=workers,
        log_config=log_config(auth, access_log, log_format),
        access_log=access_log,
        proxy_headers=False,  # which proxies to believe is AuthConfig.trusted_proxies' to say
        server_header=False,
        timeout_graceful_shutdown=GRACE,
        lifespan="on",
    )
    listener = config.bind_socket()
    listener.listen(config.backlog)  # whoever connects from here on is answered
    print(welcome(auth, host, listener.getsockname()[1]), flush=True)
    if workers == 1:
        uvicorn.Server(config).run(sockets=[listener])
    else:
        Multiprocess(config, sockets=[listener]).run()


def log_config(auth: BetterAuth[Any], access_log: bool, log_format: str) -> dict[str, Any]:
    """What is logged and how, as ``logging.config.dictConfig`` understands it."""
    config = deepcopy(LOGGING_CONFIG)
    level = "INFO" if access_log else "WARNING"
    config["loggers"]["uvicorn"]["level"] = config["loggers"]["uvicorn.error"]["level"] = level
    if access_log:
        templates = [path for path in auth.openapi()["paths"] if "{" in path]
        bases = {auth.config.base_path, auth.config.javascript_path or auth.config.base_path}
        config["filters"] = {
            "no_secrets": {
                "()": "better_auth.logs.WithoutSecrets",
                "templates": [base + path for base in bases for path in templates],
            }
        }
        config["handlers"]["access"]["filters"] = ["no_secrets"]
    config["root"] = {"handlers": ["default"]}
    if log_format == "json":
        for formatter in config["formatters"]:
            config["formatters"][formatter] = {"()": "better_auth.logs.JsonFormatter"}
    return config


async def _try(auth: BetterAuth[Any]) -> None:
    """Migrate once, before workers start, and find out before anything is promised whether there
    is a database at all; connections do not survive into workers."""
    try:
        await auth.open_database()
    finally:
        await auth.database.close()


def welcome(auth: BetterAuth[Any], host: str, port: int) -> str:
    """What to say at start: where it is, where its data is, and what to try."""
    shown = "localhost" if host in ("127.0.0.1", "0.0.0.0", "::", "::1") else host  # noqa: S104
    base = auth.config.base_url or f"http://{shown}:{port}"
    url = base + auth.config.base_path
    person = {
        "name": "Ada",
        "email": f"ada-{secrets.token_hex(3)}@example.com",
        "password": "correct horse battery",
    }
    lines = [
        f"better_auth listens on http://{shown}:{port}{auth.config.base_path}",
        *(
            [f"The official JavaScript client is served at {auth.config.javascript_path}"]
            if auth.config.javascript_path
            else []
        ),
        f"Its data is in {auth.database}",
    ]
    if not auth.config.session.cookie_secure:
        lines.append("On plain http the session cookie is not Secure; use https for real users")
    lines += [
        "",
        "Sign up, get the session, list sessions:",
        f"curl -c cookies.txt -H 'Content-Type: application/json' -d '{json.dumps(person)}' "
        f"{url}/sign-up/email",
        f"curl -b cookies.txt {url}/get-session",
        f"curl -b cookies.txt {url}/list-sessions",
        "",
    ]
    return "\n".join(lines)
