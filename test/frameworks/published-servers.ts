import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../gateway/deployment.ts";
import type { ScriptedCall } from "./task.ts";

/** A server that somebody else published, as `cmcp server add` gets it, and a call of it. */
export interface PublishedServer {
  /** Source of `cmcp server add`, in the version that is tried. */
  readonly source: string;
  /** What else it needs. */
  readonly options: readonly string[];
  readonly call: ScriptedCall;
  /** What its answer has. */
  readonly answer: RegExp;
}

const npm = (name: string, call: ScriptedCall, answer: RegExp, options: readonly string[] = []): PublishedServer => ({
  source: `npx:${name}`,
  options,
  call,
  answer,
});

/** Ten servers that need no network once they are added. docs/reference/published-servers.md lists them. */
export const PUBLISHED_SERVERS: readonly PublishedServer[] = [
  npm(
    "@modelcontextprotocol/server-filesystem@2026.8.31",
    { tool: "list_allowed_directories", arguments: {} },
    /\/tmp/,
    ["--arg", "/tmp"],
  ),
  npm("@modelcontextprotocol/server-memory@2026.8.31", { tool: "read_graph", arguments: {} }, /entities/, [
    "--env",
    "MEMORY_FILE_PATH=/tmp/memory.jsonl",
  ]),
  npm(
    "@modelcontextprotocol/server-everything@2026.8.31",
    { tool: "echo", arguments: { message: "hello" } },
    /Echo: hello/,
  ),
  npm(
    "@modelcontextprotocol/server-sequential-thinking@2026.8.31",
    {
      tool: "sequentialthinking",
      arguments: { thought: "one", thoughtNumber: 1, totalThoughts: 1, nextThoughtNeeded: false },
    },
    /thoughtNumber/,
  ),
  npm(
    "mcp-sequentialthinking-tools@0.0.3",
    {
      tool: "sequentialthinking_tools",
      arguments: {
        available_mcp_tools: ["echo"],
        thought: "one",
        thought_number: 1,
        total_thoughts: 1,
        next_thought_needed: false,
      },
    },
    /thought_number/,
  ),
  npm("@kazuph/mcp-taskmanager@1.1.1", { tool: "list_requests", arguments: {} }, /./, [
    "--env",
    "TASK_MANAGER_FILE_PATH=/tmp/tasks.json",
  ]),
  npm("@itseasy21/mcp-knowledge-graph@1.0.7", { tool: "mcp_knowledge_graph_read_graph", arguments: {} }, /entities/, [
    "--env",
    "MEMORY_FILE_PATH=/tmp/graph.jsonl",
  ]),
  npm("@coo-quack/calc-mcp@2.1.1", { tool: "math", arguments: { expression: "6*7" } }, /42/),
  {
    source: "uvx:mcp-server-time@2026.10.19",
    options: [],
    call: {
      tool: "convert_time",
      arguments: { source_timezone: "UTC", time: "12:00", target_timezone: "Asia/Tokyo" },
    },
    answer: /21:00/,
  },
  {
    source: "uvx:mcp-server-calculator@0.2.1",
    options: [],
    call: { tool: "calculate", arguments: { expression: "2+3" } },
    answer: /5/,
  },
];

/** A Python with pip: the system's, which is smaller than one with debug symbols, else that of a framework's environment. */
export function pythonWithPip(): string {
  const system = "/usr/bin/python3";
  const asked = (python: string): boolean => {
    try {
      execFileSync(python, ["-c", "import sys, pip; sys.exit(sys.version_info < (3, 11))"], { stdio: "ignore" });
      return true;
    } catch {
      return false;
    }
  };
  return existsSync(system) && asked(system) ? system : join(ROOT, ".cache/frameworks/mcp/venv/bin/python");
}
