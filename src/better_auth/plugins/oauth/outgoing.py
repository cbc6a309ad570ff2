"""Requests to providers: bounded in time and size, to the address given and no other."""

import asyncio
from collections.abc import Mapping
from typing import Any, TypeAlias

import httpx
from pydantic_core import from_json

from better_auth.plugins.oauth.errors import ProviderUnavailable

LARGEST_ANSWER = 512 * 1024
"""Bytes read of any answer."""

Json: TypeAlias = Any
"""A JSON value that somebody else wrote: to be looked at before it is used."""


class Outgoing:
    """One HTTP client for all providers of an application; opened when first needed."""

    def __init__(self, timeout: float, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """``timeout``: seconds from the first byte sent to the last one read."""
        self._timeout = timeout
        self._transport = transport
        self._client: httpx.AsyncClient | None = None

    async def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def get(self, url: str, *, token: str | None = None) -> Json:
        """The JSON at ``url``. Raises ``ProviderUnavailable`` unless it is answered with 200."""
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        status, answer = await self._ask("GET", url, headers)
        if status != httpx.codes.OK:
            raise ProviderUnavailable(f"{_place(url)} answered {status}")
        return answer

    async def post(
        self, url: str, form: Mapping[str, str], headers: Mapping[str, str]
    ) -> tuple[int, Json]:
        """Status and JSON of the answer to ``form``. Raises ``ProviderUnavailable``."""
        return await self._ask("POST", url, headers, form)

    async def _ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        form: Mapping[str, str] | None = None,
    ) -> tuple[int, Json]:
        if self._client is None:
            self._client = httpx.AsyncClient(
                transport=self._transport,
                timeout=self._timeout,
                follow_redirects=False,  # a provider's redirection could lead into our own network
                headers={"Accept": "application/json", "User-Agent": "better_auth"},
            )
        try:
            async with asyncio.timeout(self._timeout):
                request = self._client.build_request(
                    method, url, headers=dict(headers), data=dict(form) if form else None
                )
                response = await self._client.send(request, stream=True)
                try:
                    body = await _bounded(response)
                finally:
                    await response.aclose()
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise ProviderUnavailable(f"{_place(url)}: {type(error).__name__}") from None
        except TimeoutError:
            raise ProviderUnavailable(f"{_place(url)} did not answer in time") from None
        if response.status_code >= 500 or response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise ProviderUnavailable(f"{_place(url)} answered {response.status_code}")
        try:
            # Refuses what Python's own parser takes: NaN, lone surrogates, endless nesting.
            return response.status_code, from_json(body, allow_inf_nan=False)
        except ValueError:
            raise ProviderUnavailable(
                f"{_place(url)} answered {response.status_code} without JSON"
            ) from None


async def _bounded(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise ProviderUnavailable(f"{response.url.host} answered more than is read")
    return bytes(body)


def _place(url: str) -> str:
    """What of ``url`` may be logged: its query could hold anything."""
    return url.split("?", 1)[0]
