"""Engines of SQLAlchemy whose log, at whatever level, has statements and nothing of what is in
the database."""

import logging
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

LOGGER = "sqlalchemy.engine.Engine.better_auth"
"""Where statements are logged, at INFO."""


def make_engine(url: sa.URL | str, **options: Any) -> AsyncEngine:
    """``create_async_engine``, which would log parameters at INFO and rows at DEBUG."""
    logging.getLogger(LOGGER).addFilter(_without_rows)
    return create_async_engine(
        url, hide_parameters=True, logging_name=LOGGER.rpartition(".")[2], **options
    )


def _without_rows(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG
