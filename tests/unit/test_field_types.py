"""What a field may be: every kind is stored, found, changed and added to rows already there, on
every database alike."""

import asyncio
import enum
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
from pydantic import Field

from better_auth import Account, Session, User, Verification
from better_auth.adapters import SqlDatabaseAdapter, gt, in_, ne
from better_auth.clock import UtcDatetime
from better_auth.errors import BadRequest, ConfigurationError, ReferenceViolation
from better_auth.models import Column, Record
from tests import databases
from tests.support import PATIENCE
from tests.unit.test_adapters import NOW, user

OTHERS = [Session, Account, Verification]
THERE = timezone(timedelta(hours=2))
OLD_NAME = "it's 100% \\ %s"


class Color(enum.StrEnum):
    """Texts."""

    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    """Numbers."""

    LOW = 1
    HIGH = 2


class Everything(User):
    """A user with a field of every kind, each with the value that old rows are given."""

    color: Color = Color.RED
    maybe_color: Color | None = None
    level: Level = Level.LOW
    letter: Literal["a", "b"] = "a"
    number: Literal[1, 2] = 1
    tags: list[str] = Field(default_factory=list)
    words: list[str] = ["x"]
    settings: dict[str, Any] = {"a": 1}
    maybe_tags: list[str] | None = None
    moments: list[UtcDatetime] = Field(default_factory=list)
    colors: dict[str, Color] = Field(default_factory=dict)
    title: Annotated[str, Column(length=40)] = OLD_NAME
    essay: str = OLD_NAME
    score: float = 0.1
    count: int = -1
    is_new: bool = True
    is_maybe: bool | None = None
    since: UtcDatetime = NOW
    until: UtcDatetime | None = None


VALUES: dict[str, Any] = {
    "color": Color.BLUE,
    "maybe_color": Color.BLUE,
    "level": Level.HIGH,
    "letter": "b",
    "number": 2,
    "tags": ["é", "😀"],
    "words": [],
    "settings": {"b": [None, 1.5]},
    "maybe_tags": ["a"],
    "moments": [NOW],
    "colors": {"a": Color.RED},
    "title": "😀",
    "essay": "😀" * 20_000,
    "score": 1e300,
    "count": 2**63 - 1,
    "is_new": False,
    "is_maybe": False,
    "since": NOW.replace(microsecond=7000),
    "until": NOW,
}
DEFAULTS = {name: Everything(**dict(user(1))).__dict__[name] for name in VALUES}


@pytest.fixture(params=databases.kinds_for(__name__))
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind, which can be opened again."""
    with databases.kept_database(request.param, tmp_path) as url:
        yield url


def run_on(
    url: str,
    model: type[User],
    work: Callable[[SqlDatabaseAdapter], Any],
    *others: type[Record],
) -> None:
    """Runs ``work`` on the database of ``url``, brought to the tables of ``model``."""

    async def opened() -> None:
        database = SqlDatabaseAdapter(url, patience=PATIENCE)
        database.bind([model, *others, *OTHERS])
        await database.migrate()
        await database.connect()
        try:
            await work(database)
        finally:
            await database.close()

    asyncio.run(opened())


def check(found: User | None, values: dict[str, Any]) -> None:
    """Whether ``found`` holds ``values``, each of the type it had."""
    assert found is not None
    for name, value in values.items():
        held = found.__dict__[name]
        assert (name, held, type(held)) == (name, value, type(value))


def test_every_kind(url: str) -> None:
    """What is stored comes back the same, by whichever verb it was written and is read."""

    async def work(database: SqlDatabaseAdapter) -> None:
        await database.insert(Everything(**{**dict(user(1)), **VALUES}))
        await database.insert(Everything(**dict(user(2))))
        check(await database.find_one(Everything, id="user-1"), VALUES)
        check(await database.find_one(Everything, name="Name 2"), DEFAULTS)
        assert await database.update(Everything, DEFAULTS, id="user-1") == 1
        check((await database.find(Everything, order_by="id"))[0], DEFAULTS)
        assert await database.update(Everything, VALUES, id=in_(["user-1"])) == 1
        check(await database.find_one(Everything, id="user-1"), VALUES)
        for name in ("color", "level", "letter", "number", "score", "count", "is_new", "since"):
            assert await database.count(Everything, **{name: VALUES[name]}) == 1, name
            assert await database.count(Everything, **{name: in_([VALUES[name]])}) == 1, name
        check((await database.take(Everything, id="user-1"))[0], VALUES)

    run_on(url, Everything, work)


def test_nothing_is_nothing(url: str) -> None:
    """None is found by None, in a field of JSON too."""

    async def work(database: SqlDatabaseAdapter) -> None:
        await database.insert(Everything(**{**dict(user(1)), **VALUES}))
        await database.insert(Everything(**dict(user(2))))
        await database.insert(Everything(**{**dict(user(3)), **VALUES}))
        await database.update(Everything, dict.fromkeys(names), id="user-3")
        for name in names:
            assert await database.count(Everything, **{name: None}) == 2, name
            assert await database.count(Everything, **{name: ne(None)}) == 1, name

    names = ("maybe_color", "maybe_tags", "is_maybe", "until")
    run_on(url, Everything, work)


def test_every_kind_comes_to_rows_already_there(url: str) -> None:
    """A constant default is what old rows are given, and what a plain INSERT leaves out."""

    async def before(database: SqlDatabaseAdapter) -> None:
        await database.insert(user(1))

    async def after(database: SqlDatabaseAdapter) -> None:
        check(await database.find_one(Everything, id="user-1"), DEFAULTS)
        assert await database.is_up_to_date()
        assert await database.pending_migration() == []

    run_on(url, User, before)
    run_on(url, Everything, after)


def test_moments_of_other_places(url: str) -> None:
    """A moment is the same wherever its clock hangs, written and compared; what says no time zone
    is refused."""

    async def work(database: SqlDatabaseAdapter) -> None:
        await database.insert(user(1))
        there = datetime(2024, 5, 1, 2, 0, 0, 123_999, tzinfo=THERE)
        assert await database.update(User, {"updated_at": there}, id="user-1") == 1
        found = await database.find_one(User, id="user-1")
        assert found is not None
        assert found.updated_at == datetime(2024, 5, 1, 0, 0, 0, 123_000, tzinfo=UTC)
        assert await database.count(User, updated_at=there) == 1
        assert await database.count(User, updated_at=gt(there)) == 0
        assert await database.count(User, updated_at=gt(there - timedelta(hours=1))) == 1
        with pytest.raises(BadRequest, match="time zone"):
            await database.update(User, {"updated_at": datetime(2024, 1, 1)}, id="user-1")
        with pytest.raises(BadRequest, match="time zone"):
            await database.find(User, updated_at=gt(datetime(2024, 1, 1)))
        with pytest.raises(BadRequest, match="time zone"):
            await database.insert(user(2).revised(created_at=datetime(2024, 1, 1)))

    run_on(url, User, work)


def test_numbers_too_large(url: str) -> None:
    """What no column holds is refused as a bad value, by each verb."""

    async def work(database: SqlDatabaseAdapter) -> None:
        large = Everything(**{**dict(user(1)), "count": 2**63})
        with pytest.raises(BadRequest):
            await database.insert(large)
        await database.insert(large.revised(count=1))
        with pytest.raises(BadRequest):
            await database.update(Everything, {"count": 2**63}, id="user-1")
        async with database.transaction() as verbs:
            with pytest.raises(BadRequest):
                await verbs.insert(user(2).revised(large.__dict__, id="user-2", email="2@x.com"))

    run_on(url, Everything, work)


def test_a_choice_of_two_types() -> None:
    """What is now a text and now a number has no column."""

    class Mixed(User):
        choice: Literal["a", 1] = "a"

    with pytest.raises(ConfigurationError, match="choice"):
        SqlDatabaseAdapter("sqlite://").bind([Mixed, *OTHERS])


def test_the_statements_printed_are_what_they_say(url: str) -> None:
    """What ``migrate --sql`` prints can be run by hand: a default in it is the default."""

    async def work(database: SqlDatabaseAdapter) -> None:
        await database.insert(user(1))
        later = SqlDatabaseAdapter(url, patience=PATIENCE)
        later.bind([Everything, *OTHERS])
        statements = await later.pending_migration()
        async with later._backend.writing.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            run = (await driver.cursor()).execute if "mysql" in url else driver.execute
            for statement in statements:
                await run(statement)
        assert await later.is_up_to_date()
        check(await later.find_one(Everything, id="user-1"), DEFAULTS)
        await later.close()

    run_on(url, User, work)


class Team(Record):
    """What users of a later version belong to."""

    table_name: ClassVar[str] = "team"


class TeamUser(User):
    """A later version of an application's user."""

    team_id: Annotated[str | None, Column(length=64, references="team", index=True)] = None
    boss_id: Annotated[str | None, Column(length=64, references="user")] = None


def test_what_a_new_column_refers_to(url: str) -> None:
    """A column that comes to a table refers to what it would refer to in a new one."""

    async def before(database: SqlDatabaseAdapter) -> None:
        await database.insert(user(1))

    async def after(database: SqlDatabaseAdapter) -> None:
        for number in (1, 2):
            await database.insert(Team(id=f"team-{number}"))
        await database.update(TeamUser, {"team_id": "team-1"}, id="user-1")
        await database.insert(TeamUser(**dict(user(2)), team_id="team-2", boss_id="user-1"))
        with pytest.raises(ReferenceViolation):
            await database.update(TeamUser, {"team_id": "team-3"}, id="user-1")
        assert await database.delete(Team, id="team-1") == 1
        assert await database.count(TeamUser) == 0
        assert await database.is_up_to_date()
        assert await database.migrate() == await database.pending_migration() == []

    run_on(url, User, before)
    run_on(url, TeamUser, after, Team)


def test_very_many_values(url: str) -> None:
    """Any number may be asked for at once, whatever is in them."""
    odd = ["it's", "\\' OR 1=1 -- ", "100%s %(x)s", ':name "q"', "é😀", "back\\slash"]

    async def work(database: SqlDatabaseAdapter) -> None:
        for number, name in enumerate(odd, 1):
            await database.insert(user(number, name=name))
        await database.insert(user(9, name="not asked for"))
        many = [*odd, *(f"nobody-{number}" for number in range(70_000))]
        found = await database.find(User, name=in_(many), order_by="id")
        assert [one.name for one in found] == odd
        assert await database.count(User, name=in_(many)) == len(odd)
        assert await database.update(User, {"image": "x"}, name=in_(many)) == len(odd)
        days = [NOW.replace(day=1) + timedelta(days=number) for number in range(40_000)]
        assert await database.count(User, created_at=in_(days)) == len(odd) + 1
        assert len(await database.take(User, name=in_(many))) == len(odd)
        assert await database.count(User) == 1

    run_on(url, User, work)
