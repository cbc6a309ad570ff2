# mypy: ignore-errors
"""better-auth-server (whose module has our name) on FastAPI, with the SQLite file in ``SQLITE``."""

import os
from contextlib import asynccontextmanager

from better_auth.adapters.sqlalchemy import SQLAlchemyAdapter
from better_auth.integrations.fastapi import BetterAuthFastAPI
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import create_async_engine

from better_auth import BetterAuth, EmailAndPassword, RateLimit

adapter = SQLAlchemyAdapter(create_async_engine(f"sqlite+aiosqlite:///{os.environ['SQLITE']}"))
auth = BetterAuth(
    secret="the benchmarks' own secret, 32 characters or more",
    base_url=f"http://127.0.0.1:{os.environ['PORT']}",
    adapter=adapter,
    email_and_password=EmailAndPassword(enabled=True),
    rate_limit=RateLimit(enabled=False),
)


@asynccontextmanager
async def lifespan(_):
    await adapter.create_tables()
    yield


app = FastAPI(lifespan=lifespan)
app.include_router(BetterAuthFastAPI(auth).router)
