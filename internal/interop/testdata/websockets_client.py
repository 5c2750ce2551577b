"""A WebSocket peer on Python's websockets, driven by JSON lines: see ../doc.go."""

import asyncio
import base64
import json
import platform
import sys

import websockets
from websockets.exceptions import ConnectionClosed, InvalidStatusCode
from websockets.legacy.client import connect as ws_connect

ws = None
background = set()  # asyncio itself holds its tasks weakly


def emit(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def spawn(coroutine):
    task = asyncio.create_task(coroutine)
    background.add(task)
    task.add_done_callback(background.discard)


async def receive(conn):
    try:
        while True:
            message = await conn.recv()
            if isinstance(message, str):
                emit("text", text=message)
            else:
                emit("binary", data=base64.b64encode(message).decode())
    except ConnectionClosed:
        emit("close", code=conn.close_code, reason=conn.close_reason)


async def connect(url, subprotocols=None, headers=None, compression=False):
    global ws
    try:
        ws = await ws_connect(
            url,
            subprotocols=subprotocols or None,
            extra_headers=headers,
            compression="deflate" if compression else None,
            ping_interval=None,
            max_size=None,
        )
    except InvalidStatusCode as err:
        emit("rejected", status=err.status_code, headers={k.lower(): v for k, v in err.headers.raw_items()})
        return
    emit(
        "open",
        subprotocol=ws.subprotocol or "",
        extensions=", ".join(ext.name for ext in ws.extensions),
    )
    spawn(receive(ws))


async def send(text=None, data=None):
    await ws.send(base64.b64decode(data) if text is None else text)


async def ping(text=""):
    pong = await ws.ping(text)

    async def wait():
        try:
            await pong
        except ConnectionClosed:
            return  # receive reports it
        emit("pong", text=text)

    spawn(wait())


async def close(code, reason=""):
    spawn(ws.close(code, reason))


async def terminate():
    ws.transport.abort()


COMMANDS = {f.__name__: f for f in (connect, send, ping, close, terminate)}


async def main():
    emit("ready", text=f"websockets {websockets.__version__}, python {platform.python_version()}")
    loop = asyncio.get_running_loop()
    # One command after the other: what is sent keeps its order.
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        cmd = command.pop("cmd")
        try:
            await COMMANDS[cmd](**command)
        except Exception as err:  # whatever it is, the test must see it
            emit("error", message=f"{cmd}: {err}")


asyncio.run(main())
