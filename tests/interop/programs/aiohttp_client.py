"""Talks by aiohttp: aiohttp_client.py PLANS.json"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from pathlib import Path
from typing import Any

import aiohttp


async def talk(plan: dict[str, Any], session: aiohttp.ClientSession) -> dict[str, Any]:
    result: dict[str, Any] = {"name": plan["name"], "types": [], "audio": 0, "error": None, "code": None}
    try:
        async with session.ws_connect(
            plan["url"], protocols=plan["protocols"], headers=plan["headers"], max_msg_size=0
        ) as socket:
            result["subprotocol"] = socket.protocol
            left = iter(plan["say"])

            async def say() -> bool:
                for event in left:
                    await socket.send_json(event)
                    if event["type"] == "response.create":
                        return True
                return False

            async for message in socket:
                event = message.json()
                result["types"].append(event["type"])
                if event["type"] == "session.created":
                    result["session"] = event["session"]
                    await say()
                if event["type"].endswith("audio.delta"):
                    result["audio"] += len(base64.b64decode(event["delta"]))
                if event["type"] == "response.done" and not await say():
                    await socket.close()
            result["code"] = socket.close_code
    except aiohttp.WSServerHandshakeError as error:
        result["error"] = f"{error.status}"
    return result


async def main() -> None:
    plans = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    async with aiohttp.ClientSession() as session:
        print(json.dumps([await talk(plan, session) for plan in plans]))


asyncio.run(main())
