"""The peers: what is installed, what is served, and how each one's API is spoken to."""

from dataclasses import dataclass

from benchmarks.peers.environments import Environment, NodeEnvironment, PythonEnvironment


@dataclass(frozen=True, slots=True)
class Api:
    """The routes of one library."""

    sign_up: str
    sign_in: str
    check: str
    """Who is asking, by cookie."""
    listing: str | None
    """The sessions of whoever is asking."""
    form_sign_in: bool = False
    """Sign-in takes a form (``username``, ``password``) in place of JSON."""
    names_origin: bool = True
    """Whether requests that change something carry ``Origin``, as a browser's would."""


def api_at(base: str, *, names_origin: bool = True) -> Api:
    """The routes better-auth has, which ports of it share."""
    return Api(
        f"{base}/sign-up/email",
        f"{base}/sign-in/email",
        f"{base}/get-session",
        f"{base}/list-sessions",
        names_origin=names_origin,
    )


OURS = api_at("/auth", names_origin=False)
THEIRS = api_at("/api/auth")


@dataclass(frozen=True, slots=True)
class Peer:
    """One library to be measured against."""

    name: str
    environment: Environment
    program: str
    """The file of ``servers``, without its ending."""
    api: Api = THEIRS
    on_postgres: bool = False
    check_target: float | None = None
    """How many times its session checks ours should be."""
    listing_target: float | None = None


NODE = NodeEnvironment(
    "node", {"better-auth": "~1.7.0", "pg": "^8.0.0"}, {"better-sqlite3": "^12.0.0"}
)
"""better-sqlite3 13 needs Node 22."""

PEERS = {
    "node-sqlite": Peer(
        "better-auth, Node, SQLite",
        NODE,
        "better_auth_node",
        check_target=15.0,
        listing_target=5.0,
    ),
    "node-postgres": Peer(
        "better-auth, Node, PostgreSQL",
        NODE,
        "better_auth_node",
        on_postgres=True,
        check_target=8.0,
        listing_target=5.0,
    ),
    "fastapi-users": Peer(
        "fastapi-users",
        PythonEnvironment("fastapi-users", ["fastapi-users[sqlalchemy]>=15,<16", "aiosqlite"]),
        "fastapi_users_app",
        Api("/auth/register", "/auth/login", "/users/me", None, form_sign_in=True),
    ),
    "better-auth-server": Peer(
        "better-auth-server",
        PythonEnvironment(
            "better-auth-server",
            ["better-auth-server[fastapi,sqlalchemy]>=1.1,<2", "aiosqlite"],
        ),
        "better_auth_server_app",
    ),
    "kernia": Peer(
        "kernia",
        PythonEnvironment("kernia", ["kernia[sqlalchemy,starlette]>=0.1,<0.2"]),
        "kernia_app",
    ),
}
"""Every peer by the name ``--only`` takes."""
