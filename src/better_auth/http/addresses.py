"""Who is at the other end: the connection's address, or what a trusted proxy says."""

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

from better_auth.http.messages import AuthRequest


class ClientAddress:
    """The address of the client, from the connection or from a trusted proxy's word.

    ``X-Forwarded-For`` is read right to left and only as long as each speaker is a trusted proxy;
    what stands left of the first untrusted address may have been written by anyone.
    """

    def __init__(self, proxies: Sequence[IPv4Network | IPv6Network]) -> None:
        self._proxies = proxies

    def of(self, request: AuthRequest) -> str | None:
        """The client's address in canonical form; None where it cannot be known.

        A peer's port of 0 is no connection's: a server took the address from a header before us,
        and without trusted proxies of our own it is not believed.
        """
        peer = request.peer
        forwarded = request.header(b"x-forwarded-for")
        speaker = peer[0] if peer else None
        rewritten = peer is not None and peer[1] == 0 and forwarded is not None
        if rewritten and not self._proxies:
            return None
        if not self._proxies or forwarded is None:
            return _canonical(speaker)
        if not rewritten and not self._is_proxy(speaker):
            return _canonical(speaker)
        for hop in reversed(forwarded.split(",")):
            address = _canonical(hop.strip())
            if address is None:
                return _canonical(speaker)
            speaker = address
            if not self._is_proxy(address):
                break
        return _canonical(speaker)

    def _is_proxy(self, text: str | None) -> bool:
        address = _canonical(text)
        return address is not None and any(
            ip_address(address) in network for network in self._proxies
        )


_WITH_PORT = re.compile(r"([\d.]+):\d+|\[(.+)\]:\d+")
"""As some proxies (Azure's Application Gateway) write an address in ``X-Forwarded-For``."""


@lru_cache(maxsize=1024)
def _canonical(text: str | None) -> str | None:
    if not text:
        return None
    with_port = _WITH_PORT.fullmatch(text)
    host = text if with_port is None else with_port[1] or with_port[2]
    try:
        address = ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)
