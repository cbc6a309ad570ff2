"""The rows: ours and each peer in turns, under the same load."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import median

from benchmarks.lab import Comparison, Lab, Side, rate_of
from benchmarks.load import LoadFailed
from benchmarks.peers.environments import Environment, PeerFailed
from benchmarks.peers.peers import OURS, Api, Peer
from benchmarks.peers.process import serving
from benchmarks.peers.users import SignedIn, sign_up, sign_up_with_sessions
from benchmarks.report import Failure, Row, at_least, by_ratio
from benchmarks.servers import Listening, Server, ServerFailed, fetch

USERS = 32
"""Whose sessions are checked in turn: as many as connections ask at once, so that nobody can
answer two questions that are under way with one read."""

SESSIONS = 100

FAILURES = (PeerFailed, ServerFailed, LoadFailed, OSError, LookupError, TypeError, ValueError)
"""What a peer's failing looks like from here: no process, no answer, not the answer expected."""


@dataclass(frozen=True, slots=True)
class Question:
    """What servers are asked, each about users of its own."""

    route: str
    enter: Callable[[int, Api], Sequence[SignedIn]]
    """Makes the users, on the server at a port."""
    request: Callable[[SignedIn], bytes]
    verify: Callable[[SignedIn], None]

    def verify_all(self, *groups: Sequence[SignedIn]) -> None:
        """Raises ``PeerFailed`` unless everybody is answered what they should be."""
        for user in chain(*groups):
            self.verify(user)


CHECK = Question(
    "get-session",
    lambda port, api: [sign_up(port, api, f"user{n}@example.com") for n in range(USERS)],
    SignedIn.check,
    SignedIn.verify_check,
)
LISTING = Question(
    "list-sessions",
    lambda port, api: [sign_up_with_sessions(port, api, "many@example.com", SESSIONS)],
    SignedIn.listing,
    lambda user: user.verify_listing(SESSIONS),
)


class Installations:
    """Environments in ``directory``, each installed at most once a run."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._failed: dict[str, str] = {}

    def of(self, environment: Environment) -> Path:
        """Where ``environment`` is. Raises ``PeerFailed``, for the same reason each time."""
        if environment.name in self._failed:
            raise PeerFailed(self._failed[environment.name])
        directory = self._directory / environment.name
        try:
            environment.install(directory)
        except PeerFailed as failure:
            self._failed[environment.name] = str(failure)
            raise
        return directory


class Race:
    """Our server, with users of its own, and peers one after the other."""

    def __init__(self, lab: Lab, ours: Server, installations: Installations, postgres: str) -> None:
        self._lab = lab
        self._ours = ours
        self._installations = installations
        self._postgres = postgres
        self._users = {
            question.route: question.enter(ours.port, OURS) for question in (CHECK, LISTING)
        }

    def against(self, name: str, peer: Peer) -> Iterator[Row | Failure]:
        """The rows of one peer; where it cannot be installed or started, one that says why."""
        asked = [(CHECK, peer.check_target)]
        if peer.api.listing is not None:
            asked.append((LISTING, peer.listing_target))
        try:
            _say(f"{peer.name}: install")
            installed = self._installations.of(peer.environment)
            version = peer.environment.version(installed)
            with serving(peer, installed, self._lab, self._postgres) as server:
                for question, target in asked:
                    _say(f"{peer.name}: {question.route}")
                    try:
                        yield self._compare(question, name, peer, server, target, version)
                    except FAILURES as failure:
                        yield _failed(f"{question.route}: {peer.name}", failure)
        except FAILURES as failure:
            yield _failed(peer.name, failure)

    def _compare(
        self,
        question: Question,
        name: str,
        peer: Peer,
        server: Listening,
        target: float | None,
        version: str,
    ) -> Row:
        ours = self._users[question.route]
        theirs = question.enter(server.port, peer.api)
        question.verify_all(ours, theirs)
        asked = [question.request(user) for user in ours]
        asked_theirs = [question.request(user) for user in theirs]
        compared = self._lab.compare(Side(self._ours, asked), Side(server, asked_theirs))
        question.verify_all(ours, theirs)
        size = len(fetch(self._ours.port, asked[0])[2])
        their_size = len(fetch(server.port, asked_theirs[0])[2])
        return by_ratio(
            f"{question.route}: {peer.name}",
            f"{rate_of(compared.subject):,.0f}/s",
            f"{rate_of(compared.floor):,.0f}/s",
            compared.ratio,
            None if target is None else at_least(target),
            [
                f"{version}; answers of {their_size:,} bytes, ours {size:,}",
                *compared.notes,
                _by_processor(compared),
            ],
            compared.figures,
            f"{question.route}-{name}",
        )


def _by_processor(compared: Comparison) -> str:
    """What holds where something else kept the cores busy; a database server's is not counted."""
    ours, theirs = (
        median(turn.cpu / turn.result.answered for turn in turns)
        for turns in (compared.subject, compared.floor)
    )
    return f"by processor time of the server process alone: {theirs / ours:.1f} times"


def _failed(name: str, failure: Exception) -> Failure:
    lines = str(failure).splitlines() or [""]
    if isinstance(failure, PeerFailed):
        return Failure(name, lines[0])
    return Failure(name, f"{type(failure).__name__}: {lines[0]}")


def _say(what: str) -> None:
    print(f"{what} ...", file=sys.stderr, flush=True)
