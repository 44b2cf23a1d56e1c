"""A run of the OpenAI agents SDK whose model is a script. Standard input says what it calls; standard output is what its model was given."""

import asyncio
import json
import sys

from agents import Agent, Runner, set_tracing_disabled
from agents.mcp import MCPServerStreamableHttp
from agents.testing import ModelCall, ModelStep, ScriptedModel, assistant_message, function_call
from turns import next_turn


def text_of(output: object) -> str:
    """The text of one tool output, which is a string or a list of parts."""
    if isinstance(output, str):
        return output
    return "".join(part["text"] for part in output)


def outputs_in(call: ModelCall) -> list[str]:
    """The texts of the tool outputs that one call of the model was given."""
    return [text_of(item["output"]) for item in call.input if item.get("type") == "function_call_output"]


async def main() -> None:
    task = json.load(sys.stdin)
    set_tracing_disabled(True)
    turns = [
        [function_call(call["tool"], call["arguments"], call_id=f"call-{index}")]
        for index, call in enumerate(task["calls"])
    ]

    def step(output: list) -> ModelStep:
        async def respond(call: ModelCall) -> list:
            await next_turn(task, (outputs_in(call) or [""])[-1])
            return output

        return ModelStep.respond(respond)

    model = ScriptedModel([step(output) for output in [*turns, [assistant_message("done")]]])
    params = {"url": task["url"], "headers": {"Authorization": f"Bearer {task['token']}"}}
    async with MCPServerStreamableHttp(params, cache_tools_list=task["listOnce"]) as gateway:
        ended = await Runner.run(Agent(name="agent", model=model, mcp_servers=[gateway]), "begin", max_turns=len(task["calls"]) + 1)
        protocol = gateway.session.protocol_version

    print(
        json.dumps(
            {
                "protocol": protocol,
                "answers": [{"text": text, "error": None} for text in outputs_in(model.calls[-1])],
                "end": ended.final_output,
            }
        )
    )


asyncio.run(main())
