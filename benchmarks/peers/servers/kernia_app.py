# mypy: ignore-errors
"""kernia on Starlette, with the SQLite file in ``SQLITE``."""

import os
from contextlib import asynccontextmanager

from kernia.auth import init
from kernia.plugins import email_and_password
from kernia.types.init_options import EmailPasswordOptions, KerniaOptions, RateLimitOptions
from kernia_sqlalchemy import sqlalchemy_adapter
from kernia_starlette import mount_kernia
from starlette.applications import Starlette


@asynccontextmanager
async def lifespan(app):
    database = await sqlalchemy_adapter(url=f"sqlite+aiosqlite:///{os.environ['SQLITE']}")
    options = KerniaOptions(
        database=database,
        secret="the benchmarks' own secret, 32 characters or more",
        base_url=f"http://127.0.0.1:{os.environ['PORT']}",
        email_and_password=EmailPasswordOptions(enabled=True),
        rate_limit=RateLimitOptions(enabled=False),
        plugins=[email_and_password()],
    )
    mount_kernia(app, init(options))
    yield


app = Starlette(lifespan=lifespan)
