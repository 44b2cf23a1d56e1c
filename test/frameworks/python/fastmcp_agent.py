"""A loop of tool calls over the FastMCP client, which has no model. Standard input says what it calls; standard output is what each call gave."""

import asyncio
import json
import sys

from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult
from fastmcp.client.transports import StreamableHttpTransport
from fastmcp.exceptions import ToolError
from turns import next_turn


async def main() -> None:
    task = json.load(sys.stdin)
    transport = StreamableHttpTransport(task["url"], headers={"Authorization": f"Bearer {task['token']}"})
    answers = []

    async def visit(_message: str, _type: object, params: object, _context: object) -> ElicitResult:
        await next_turn(task, params.url)
        return ElicitResult(action="accept")

    handler = visit if task.get("showsUrls") else None
    async with Client(transport, mode=task["mode"], elicitation_handler=handler) as client:
        for call in task["calls"]:
            await next_turn(task, answers[-1]["text"] if answers else "")
            try:
                result = await client.call_tool(call["tool"], call["arguments"])
                answers.append({"text": result.content[0].text, "error": False})
            except ToolError as refused:
                # What a tool says of its failure. An error of the protocol is none and ends the loop.
                answers.append({"text": str(refused), "error": True})
        await next_turn(task, answers[-1]["text"])
        protocol = client.session.protocol_version
    print(json.dumps({"protocol": protocol, "answers": answers, "end": "done"}))


asyncio.run(main())
