"""Trusted devices: browsers that proved the second factor and need not for 30 days.

Trust is a row on the server and a cookie that names it; without either there is none. The cookie
changes with every use, so a copied one is noticed by being worth nothing, and trust ends when its
30 days do, however often it is used.
"""

import secrets
from collections.abc import Sequence
from datetime import timedelta

from better_auth.adapters.base import NEWEST_FIRST, gt, in_
from better_auth.crypto import Purpose
from better_auth.http.call import Call, Context
from better_auth.plugins.two_factor.records import TrustedDevice

COOKIE = "trust-device"


class TrustedDevices:
    """The trusted devices of one application's users."""

    def __init__(self, context: Context, lifetime: timedelta) -> None:
        self._context = context
        self._lifetime = lifetime

    async def trust(self, call: Call, user_id: str) -> None:
        """Trust the browser that is calling."""
        now = self._context.clock()
        token, key = self._new_token()
        device = TrustedDevice(
            user_id=user_id,
            token_key=key,
            ip_address=call.client.ip_address,
            user_agent=call.client.bounded_user_agent,
            created_at=now,
            updated_at=now,
            expires_at=now + self._lifetime,
        )
        await self._context.database.insert(device)
        call.set_plugin_cookie(COOKIE, token, self._lifetime)

    async def is_trusted(self, call: Call, user_id: str) -> bool:
        """Whether the calling browser is trusted by ``user_id``; if so its cookie is renewed."""
        token = call.cookie(COOKIE)
        if not token or not token.isascii():
            return False
        database, now = self._context.database, self._context.clock()
        keys = self._context.keyring.fingerprints(Purpose.TRUSTED_DEVICE, token)
        new_token, new_key = self._new_token()
        moved = await database.update(
            TrustedDevice,
            {"token_key": new_key, "updated_at": now},
            user_id=user_id,
            token_key=in_(keys),
            expires_at=gt(now),
        )
        device = await database.find_one(TrustedDevice, token_key=new_key) if moved else None
        if device is None:
            return False
        call.set_plugin_cookie(COOKIE, new_token, device.expires_at - now)
        return True

    async def list_for(self, user_id: str) -> Sequence[TrustedDevice]:
        """The devices ``user_id`` trusts, newest first."""
        return await self._context.database.find(
            TrustedDevice,
            user_id=user_id,
            expires_at=gt(self._context.clock()),
            order_by=NEWEST_FIRST,
        )

    async def revoke(self, user_id: str, device_id: str) -> None:
        """Trust one device no longer."""
        await self._context.database.delete(TrustedDevice, user_id=user_id, id=device_id)

    async def revoke_all(self, user_id: str) -> None:
        """Trust no device of ``user_id`` any longer."""
        await self._context.database.delete(TrustedDevice, user_id=user_id)

    def _new_token(self) -> tuple[str, str]:
        token = f"device_{secrets.token_urlsafe(32)}"
        return token, self._context.keyring.fingerprint(Purpose.TRUSTED_DEVICE, token)
