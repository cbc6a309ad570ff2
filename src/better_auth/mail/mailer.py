"""The mailer: everything that is sent is sent after the answer, and tried again if it fails.

A request only notes what is to be told; looking up, minting a link, finding words and delivering
happen in the background. So an answer takes the same time whether or not there is anybody to
tell, and does not depend on whether a mail server is up.
"""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from better_auth.errors import BadRequest, ConfigurationError
from better_auth.mail.letters import Letter, MailProvider, MailRefused, Render, Send
from better_auth.mail.templates import TemplateRenderer

logger = logging.getLogger("better_auth.mail")

RETRY_DELAYS = (1.0, 5.0, 25.0, 125.0)
"""Seconds between one attempt and the next."""


class Mailer:
    """Sends letters in the background.

    ``provider`` delivers them; without one, only those for which a plugin was given a function.
    ``templates`` is a directory whose files come before the library's of the same name
    (``reset-password.txt``, ``reset-password.html``, ``message.html``), ``app_name`` what they
    call the application; ``render`` takes the place of templates altogether. At most
    ``max_waiting`` letters wait, ``max_parallel`` are under way; what comes beyond is dropped and
    logged. ``delays`` are the seconds between attempts, ``sleep`` is for tests.
    """

    def __init__(
        self,
        provider: MailProvider | None = None,
        *,
        app_name: str = "",
        templates: Path | str | None = None,
        render: Render | None = None,
        max_waiting: int = 1000,
        max_parallel: int = 8,
        delays: tuple[float, ...] = RETRY_DELAYS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Raises ``MissingExtra`` where templates are needed and Jinja2 is not installed."""
        self.provider = provider
        if provider is not None and render is None:
            render = TemplateRenderer(templates, app_name=app_name)
        self._render = render
        self._own: dict[str, Send] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._max_waiting = max_waiting
        self._max_parallel = max_parallel
        self._places: tuple[asyncio.AbstractEventLoop, asyncio.Semaphore] | None = None
        self._delays = delays
        self._sleep = sleep

    def route(self, kind: str, own: Send | None, *, needed_by: str | None = None) -> None:
        """Settle who tells ``kind``: ``own`` if a plugin was given one, else the provider.

        Raises ``ConfigurationError`` where ``needed_by`` (a plugin that can do nothing without)
        has neither.
        """
        if own is not None:
            self._own[kind] = own
        elif needed_by is not None and not self.tells(kind):
            raise ConfigurationError(
                f"{needed_by}: give it a function that sends, or BetterAuth(mail=...)"
            )

    def tells(self, kind: str) -> bool:
        """Whether there is a way of sending ``kind``."""
        return self.provider is not None or kind in self._own

    def require(self, kind: str) -> None:
        """Raises ``BadRequest`` (``MAIL_NOT_CONFIGURED``) where ``kind`` cannot be sent."""
        if not self.tells(kind):
            raise BadRequest("This application sends no such mail", "MAIL_NOT_CONFIGURED")

    def send(
        self,
        kind: str,
        to: str,
        *,
        url: str | None = None,
        code: str | None = None,
        token: str | None = None,
        details: Mapping[str, str] | None = None,
    ) -> None:
        """Tell ``to`` something, later; returns at once and raises nothing.

        Nothing happens where there is no way of sending ``kind``: see :meth:`require`.
        """
        if self.tells(kind):
            letter = Letter(kind, to, url, code, token, details or {})
            self.later(kind, lambda: self._deliver(letter))

    def later(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run ``work`` after the answer, again if it raises; ``name`` is what the log calls it.

        For what must not show in the time of an answer, such as minting a link for a user who
        may not exist.
        """
        if len(self._tasks) >= self._max_waiting:
            logger.error("%s: not sent, %d are waiting already", name, self._max_waiting)
            return
        task = asyncio.get_running_loop().create_task(self._attempt(name, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def flush(self, within: float | None = None) -> bool:
        """Wait until nothing is waiting, at most ``within`` seconds; whether that came to be."""
        loop = asyncio.get_running_loop()
        deadline = None if within is None else loop.time() + within
        while mine := [task for task in self._tasks if task.get_loop() is loop]:
            left = None if deadline is None else deadline - loop.time()
            if left is not None and left <= 0:
                return False
            await asyncio.wait(mine, timeout=left)
        return True

    async def close(self, within: float = 10.0) -> None:
        """Send what waits, as far as ``within`` seconds allow; the rest is lost, and logged."""
        if await self.flush(within):
            return
        lost = list(self._tasks)
        for task in lost:
            task.cancel()
        await asyncio.gather(*lost, return_exceptions=True)
        logger.error("%d letters were not sent before the end", len(lost))

    async def _attempt(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        for number, delay in enumerate((*self._delays, None), start=1):
            try:
                async with self._place():
                    await work()
                return
            except MailRefused:
                logger.warning("%s: refused for good", name)
                return
            except Exception as error:
                # Its text may hold an address or a link, so only its kind is told.
                kind = type(error).__name__
                if delay is None:
                    logger.error("%s: given up after %d attempts (%s)", name, number, kind)
                    return
                logger.warning("%s: attempt %d failed (%s)", name, number, kind)
            await self._sleep(delay)

    def _place(self) -> asyncio.Semaphore:
        """One of the places for what is under way, of the loop that is running."""
        loop = asyncio.get_running_loop()
        if self._places is None or self._places[0] is not loop:
            self._places = (loop, asyncio.Semaphore(self._max_parallel))
        return self._places[1]

    async def _deliver(self, letter: Letter) -> None:
        own = self._own.get(letter.kind)
        if own is not None:
            result = own(letter)
            if inspect.isawaitable(result):
                await result
        elif self.provider is not None and self._render is not None:
            await self.provider.send(await asyncio.to_thread(self._render, letter))
