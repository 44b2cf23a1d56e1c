import { isJsonObject } from "@cmcp/boundary";
import { block, MAX_DESCRIPTION, MAX_PARTS, MAX_TEXT, MAX_WORD, role } from "./content.ts";
import { either, flag, integer, list, members, number, text, word, type Shape } from "./members.ts";

const MAX_MESSAGES = 1_000;
const MAX_TOOLS = 256;
const MAX_HINTS = 64;
const MAX_STOPS = 64;

/** Any JSON object: arguments of a model's call, or a schema, which only the client that is asked reads. */
const object: Shape = (value) => (isJsonObject(value) ? value : undefined);

/** MCP 2025-11-25 "ToolUseContent", "ToolResultContent". */
const toolUse = members({ type: word("tool_use"), id: text(MAX_WORD), name: text(MAX_WORD), input: object });
const toolResult = members(
  { type: word("tool_result"), toolUseId: text(MAX_WORD), content: list(block, MAX_PARTS) },
  { structuredContent: object, isError: flag },
);

/** What a sampling message holds: text, image or audio, or a model's use of a tool (MCP 2025-11-25 "SamplingMessageContentBlock"). */
const part: Shape = (value, at, surplus) => {
  const type = isJsonObject(value) ? value["type"] : undefined;
  if (type === "tool_use") return toolUse(value, at, surplus);
  if (type === "tool_result") return toolResult(value, at, surplus);
  return type === "text" || type === "image" || type === "audio" ? block(value, at, surplus) : undefined;
};

const content = either(part, list(part, MAX_PARTS));

const modelPreferences = members(
  {},
  {
    hints: list(members({}, { name: text(MAX_WORD) }), MAX_HINTS),
    costPriority: number(0, 1),
    speedPriority: number(0, 1),
    intelligencePriority: number(0, 1),
  },
);

const tool = members(
  { name: text(MAX_WORD), inputSchema: object },
  { title: text(MAX_WORD), description: text(MAX_DESCRIPTION) },
);

/** MCP 2025-11-25 "CreateMessageRequestParams". */
export const samplingQuestion = members(
  { messages: list(members({ role, content }), MAX_MESSAGES), maxTokens: integer() },
  {
    modelPreferences,
    systemPrompt: text(MAX_TEXT),
    includeContext: word("none", "thisServer", "allServers"),
    temperature: number(),
    stopSequences: list(text(MAX_WORD), MAX_STOPS),
    tools: list(tool, MAX_TOOLS),
    toolChoice: members({}, { mode: word("auto", "required", "none") }),
  },
);

/** MCP 2025-11-25 "CreateMessageResult". */
export const samplingAnswer = members({ role, content, model: text(MAX_WORD) }, { stopReason: text(MAX_WORD) });
