# mypy: ignore-errors
"""fastapi-users with its database strategy: cookies, SQLAlchemy, the SQLite file in ``SQLITE``."""

import os
import uuid
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin, schemas
from fastapi_users.authentication import AuthenticationBackend, CookieTransport
from fastapi_users.authentication.strategy.db import DatabaseStrategy
from fastapi_users_db_sqlalchemy import SQLAlchemyBaseUserTableUUID, SQLAlchemyUserDatabase
from fastapi_users_db_sqlalchemy.access_token import (
    SQLAlchemyAccessTokenDatabase,
    SQLAlchemyBaseAccessTokenTableUUID,
)
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

engine = create_async_engine(f"sqlite+aiosqlite:///{os.environ['SQLITE']}")
open_session = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    """The tables."""


class User(SQLAlchemyBaseUserTableUUID, Base):
    """Who signs in."""


class AccessToken(SQLAlchemyBaseAccessTokenTableUUID, Base):
    """One session of theirs."""


class UserManager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    """As it comes."""


async def session():
    async with open_session() as opened:
        yield opened


async def manager(opened=Depends(session)):
    yield UserManager(SQLAlchemyUserDatabase(opened, User))


def strategy(opened=Depends(session)):
    tokens = SQLAlchemyAccessTokenDatabase(opened, AccessToken)
    return DatabaseStrategy(tokens, lifetime_seconds=7 * 86400)


@asynccontextmanager
async def lifespan(_):
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield


backend = AuthenticationBackend("database", CookieTransport(cookie_secure=False), strategy)
users = FastAPIUsers[User, uuid.UUID](manager, [backend])
app = FastAPI(lifespan=lifespan)
app.include_router(users.get_auth_router(backend), prefix="/auth")
app.include_router(
    users.get_register_router(schemas.BaseUser[uuid.UUID], schemas.BaseUserCreate), prefix="/auth"
)
app.include_router(
    users.get_users_router(schemas.BaseUser[uuid.UUID], schemas.BaseUserUpdate), prefix="/users"
)
