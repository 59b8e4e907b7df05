"""Talks by websockets: websockets_client.py PLANS.json"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect


def talk(plan: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {"name": plan["name"], "types": [], "audio": 0, "error": None, "code": None}
    try:
        socket = connect(
            plan["url"],
            subprotocols=plan["protocols"] or None,
            additional_headers=plan["headers"],
            max_size=None,
        )
    except InvalidStatus as error:
        return {**result, "error": f"{error.response.status_code}"}
    with socket:
        result["subprotocol"] = socket.subprotocol
        left = iter(plan["say"])

        def say() -> bool:
            for event in left:
                socket.send(json.dumps(event))
                if event["type"] == "response.create":
                    return True
            return False

        for message in socket:
            event = json.loads(message)
            result["types"].append(event["type"])
            if event["type"] == "session.created":
                result["session"] = event["session"]
                say()
            if event["type"].endswith("audio.delta"):
                result["audio"] += len(base64.b64decode(event["delta"]))
            if event["type"] == "response.done" and not say():
                socket.close()
        result["code"] = socket.protocol.close_code
    return result


print(json.dumps([talk(plan) for plan in json.loads(Path(sys.argv[1]).read_text("utf-8"))]))
