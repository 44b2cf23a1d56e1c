import { aiSdkAgent } from "./ai-sdk-agent.ts";
import { pythonAgent } from "./python-agent.ts";
import type { Agent, Task } from "./task.ts";

/** A framework at one protocol version. */
export interface Framework {
  readonly name: string;
  readonly agent: Agent;
  readonly mode: Task["mode"];
  /** What it settles on with the gateway. */
  readonly protocol: string;
  /** Whether what its model is given marks a failed tool, beside the text. */
  readonly marks: boolean;
  /** Whether it can be told to show the URLs that a call is answered with in this era. */
  readonly showsUrls?: boolean;
}

const LEGACY = { mode: "legacy", protocol: "2025-11-25" } as const;
const MODERN = { mode: "auto", protocol: "2026-07-28" } as const;

const langGraph = { name: "LangGraph's tool node", agent: pythonAgent("langgraph", "langgraph_agent.py"), marks: true };
const openaiAgents = {
  name: "the OpenAI agents SDK",
  agent: pythonAgent("openai-agents", "openai_agents_agent.py"),
  marks: false,
};
const fastmcp = { name: "the FastMCP client", agent: pythonAgent("fastmcp", "fastmcp_agent.py"), marks: true };
const pythonSdk = { name: "the Python SDK", agent: pythonAgent("mcp", "mcp_agent.py"), marks: true };
const aiSdk = { name: "the AI SDK", agent: aiSdkAgent, marks: false };

/** The Python SDK in both eras, which also starts servers. */
export const PYTHON_SDK: readonly Framework[] = [
  { ...pythonSdk, ...LEGACY },
  { ...pythonSdk, ...MODERN, showsUrls: true },
];

/** Each framework in every era it speaks and can be told to speak. */
export const FRAMEWORKS: readonly Framework[] = [
  { ...langGraph, ...LEGACY },
  { ...openaiAgents, ...MODERN },
  { ...fastmcp, ...LEGACY },
  { ...fastmcp, ...MODERN, showsUrls: true },
  ...PYTHON_SDK,
  { ...aiSdk, ...LEGACY },
  { ...aiSdk, ...MODERN },
];
