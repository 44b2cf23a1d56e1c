"""A run of the OpenAI agents SDK whose model is a script. Standard input says what it calls; standard output is what its model was given."""

import asyncio
import json
import sys

from agents import Agent, Runner, set_tracing_disabled
from agents.mcp import MCPServerStreamableHttp
from agents.testing import ScriptedModel, assistant_message, function_call


def text_of(output: object) -> str:
    """The text of one tool output, which is a string or a list of parts."""
    if isinstance(output, str):
        return output
    return "".join(part["text"] for part in output)


async def main() -> None:
    task = json.load(sys.stdin)
    set_tracing_disabled(True)
    turns = [
        [function_call(call["tool"], call["arguments"], call_id=f"call-{index}")]
        for index, call in enumerate(task["calls"])
    ]
    model = ScriptedModel([*turns, [assistant_message("done")]])
    params = {"url": task["url"], "headers": {"Authorization": f"Bearer {task['token']}"}}
    async with MCPServerStreamableHttp(params, cache_tools_list=task["listOnce"]) as gateway:
        ended = await Runner.run(Agent(name="agent", model=model, mcp_servers=[gateway]), "begin")
        protocol = gateway.session.protocol_version

    outputs = [item for item in model.calls[-1].input if item.get("type") == "function_call_output"]
    print(
        json.dumps(
            {
                "protocol": protocol,
                "answers": [{"text": text_of(output["output"]), "error": None} for output in outputs],
                "end": ended.final_output,
            }
        )
    )


asyncio.run(main())
