"""A loop of tool calls over the MCP SDK's own client, which has no model. Standard input says what it calls; standard output is what each call gave."""

import asyncio
import json
import sys

import httpx2
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ElicitResult
from turns import next_turn


async def main() -> None:
    task = json.load(sys.stdin)
    if "server" in task:
        transport = stdio_client(StdioServerParameters(**task["server"]))
    else:
        headers = {"Authorization": f"Bearer {task['token']}"}
        transport = streamable_http_client(task["url"], http_client=httpx2.AsyncClient(headers=headers, timeout=30))
    answers = []

    async def visit(_context: object, params: object) -> ElicitResult:
        await next_turn(task, params.url)
        return ElicitResult(action="accept")

    callback = visit if task.get("showsUrls") else None
    async with Client(transport, mode=task["mode"], elicitation_callback=callback) as client:
        for call in task["calls"]:
            await next_turn(task, answers[-1]["text"] if answers else "")
            result = await client.call_tool(call["tool"], call["arguments"])
            answers.append({"text": result.content[0].text, "error": result.is_error})
        await next_turn(task, answers[-1]["text"])
        protocol = client.protocol_version
    print(json.dumps({"protocol": protocol, "answers": answers, "end": "done"}))


asyncio.run(main())
