"""A LangGraph run whose model is a script. Standard input says what it calls; standard output is what its model was given."""

import asyncio
import json
import sys

from langchain_core.messages import AIMessage, ToolMessage
from langchain_mcp_adapters.client import MultiServerMCPClient
from langchain_mcp_adapters.tools import load_mcp_tools
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from turns import next_turn


async def main() -> None:
    task = json.load(sys.stdin)
    connection = {
        "transport": "streamable_http",
        "url": task["url"],
        "headers": {"Authorization": f"Bearer {task['token']}"},
    }
    script = [
        AIMessage(content="", tool_calls=[{"name": call["tool"], "args": call["arguments"], "id": f"call-{index}"}])
        for index, call in enumerate(task["calls"])
    ]
    script.append(AIMessage(content="done"))
    script_turns = iter(script)

    async def model(state: MessagesState) -> dict:
        given = state["messages"]
        await next_turn(task, given[-1].text if given else "")
        return {"messages": [next(script_turns)]}

    async with MultiServerMCPClient({"gateway": connection}).session("gateway", auto_initialize=False) as session:
        opened = await session.initialize()
        graph = StateGraph(MessagesState)
        graph.add_node("model", model)
        graph.add_node("tools", ToolNode(await load_mcp_tools(session)))
        graph.add_edge(START, "model")
        graph.add_conditional_edges("model", tools_condition)
        graph.add_edge("tools", "model")
        ended = await graph.compile().ainvoke({"messages": []})

    messages = ended["messages"]
    answers = [message for message in messages if isinstance(message, ToolMessage)]
    print(
        json.dumps(
            {
                "protocol": opened.protocolVersion,
                "answers": [{"text": answer.text, "error": answer.status == "error"} for answer in answers],
                "end": messages[-1].text,
            }
        )
    )


asyncio.run(main())
