"""Talks by the openai package, as its users do: openai_client.py PLANS.json

It makes the address itself, from the endpoint. GA is dialled by `AsyncOpenAI`, and the
previews by `AsyncAzureOpenAI`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from openai import AsyncAzureOpenAI, AsyncOpenAI
from websockets.exceptions import InvalidStatus


def connection(plan: dict[str, Any]) -> Any:
    url = urlsplit(plan["url"])
    query = dict(parse_qsl(url.query))
    origin = f"{url.scheme.replace('ws', 'http')}://{url.netloc}"
    key = next(iter(plan["headers"].values())).removeprefix("Bearer ")
    more = {
        "extra_query": {"scenario": query["scenario"]},
        "websocket_connection_options": {"max_size": None},
    }
    if "api-version" not in query:
        client = AsyncOpenAI(base_url=origin + url.path.removesuffix("/realtime"), api_key=key)
        return client.realtime.connect(model=query["model"], **more)
    azure = AsyncAzureOpenAI(
        azure_endpoint=origin,
        api_version=query["api-version"],
        api_key=key,
        websocket_base_url=f"{url.scheme}://{url.netloc}/openai",  # it would make wss:// of http://
    )
    return azure.beta.realtime.connect(model=query["deployment"], **more)


async def talk(plan: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {"name": plan["name"], "types": [], "audio": 0, "error": None, "code": None}
    try:
        async with connection(plan) as socket:
            result["subprotocol"] = socket._connection.subprotocol
            left = iter(plan["say"])

            async def say() -> bool:
                for event in left:
                    await socket.send(event)
                    if event["type"] == "response.create":
                        return True
                return False

            async for event in socket:
                result["types"].append(event.type)
                if event.type == "session.created":
                    result["session"] = event.session.model_dump(mode="json")
                    await say()
                if event.type.endswith("audio.delta"):
                    result["audio"] += len(base64.b64decode(event.delta))
                if event.type == "response.done" and not await say():
                    await socket.close()
            result["code"] = socket._connection.protocol.close_code
    except InvalidStatus as error:
        result["error"] = f"{error.response.status_code}"
    return result


async def main() -> None:
    plans = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    print(json.dumps([await talk(plan) for plan in plans]))


asyncio.run(main())
