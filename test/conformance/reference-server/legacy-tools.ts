import { setTimeout as sleep } from "node:timers/promises";
import type { RequestHandlerExtra } from "@modelcontextprotocol/sdk/shared/protocol.js";
import {
  CreateMessageResultSchema,
  ElicitResultSchema,
  type ElicitRequestFormParams,
  type ServerNotification,
  type ServerRequest,
} from "@modelcontextprotocol/sdk/types.js";
import { text } from "./content.ts";
import type { Running, SharedTool, ToolResult } from "./tools.ts";

/** What a running tool may do in the legacy era: also ask the client, and give up its stream. */
export interface LegacyRunning extends Running {
  readonly send: RequestHandlerExtra<ServerRequest, ServerNotification>["sendRequest"];
  readonly closeStream?: () => void;
}

/** A tool that exists in the legacy era only. */
export interface LegacyTool extends Omit<SharedTool, "run"> {
  run(running: LegacyRunning, args: { readonly [name: string]: unknown }): ToolResult | Promise<ToolResult>;
}

const NO_ARGUMENTS = { type: "object" } as const;

function oneText(argument: string): LegacyTool["inputSchema"] {
  return { type: "object", properties: { [argument]: { type: "string" } }, required: [argument] };
}

async function elicit(
  running: LegacyRunning,
  message: string,
  requestedSchema: ElicitRequestFormParams["requestedSchema"],
): Promise<string> {
  const { action, content } = await running.send(
    { method: "elicitation/create", params: { mode: "form", message, requestedSchema } },
    ElicitResultSchema,
  );
  return `action=${action}, content=${JSON.stringify(content ?? {})}`;
}

const DEFAULTS: ElicitRequestFormParams["requestedSchema"] = {
  type: "object",
  properties: {
    name: { type: "string", default: "John Doe" },
    age: { type: "integer", default: 30 },
    score: { type: "number", default: 95.5 },
    status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
    verified: { type: "boolean", default: true },
  },
};

/** The five ways to offer a choice (SEP-1330), the deprecated one included. */
const CHOICES: ElicitRequestFormParams["requestedSchema"] = {
  type: "object",
  properties: {
    untitledSingle: { type: "string", enum: ["option1", "option2", "option3"] },
    titledSingle: {
      type: "string",
      oneOf: [
        { const: "value1", title: "First Option" },
        { const: "value2", title: "Second Option" },
        { const: "value3", title: "Third Option" },
      ],
    },
    legacyEnum: {
      type: "string",
      enum: ["opt1", "opt2", "opt3"],
      enumNames: ["Option One", "Option Two", "Option Three"],
    },
    untitledMulti: { type: "array", items: { type: "string", enum: ["option1", "option2", "option3"] } },
    titledMulti: {
      type: "array",
      items: {
        anyOf: [
          { const: "value1", title: "First Choice" },
          { const: "value2", title: "Second Choice" },
          { const: "value3", title: "Third Choice" },
        ],
      },
    },
  },
};

/** Tools that ask the client while they run, or let it come back for the result. */
export const LEGACY_TOOLS: readonly LegacyTool[] = [
  {
    name: "test_sampling",
    description: "Asks the client for a sample.",
    inputSchema: oneText("prompt"),
    run: async (running, { prompt }) => {
      const params = { messages: [{ role: "user" as const, content: text(String(prompt)) }], maxTokens: 100 };
      const { content } = await running.send({ method: "sampling/createMessage", params }, CreateMessageResultSchema);
      return { content: [text(`LLM response: ${content.type === "text" ? content.text : content.type}`)] };
    },
  },
  {
    name: "test_elicitation",
    description: "Asks the client's user for a name and an address.",
    inputSchema: oneText("message"),
    run: async (running, { message }) => {
      const properties = {
        username: { type: "string" as const, description: "User's response" },
        email: { type: "string" as const, description: "User's email address" },
      };
      return {
        content: [
          text(
            `User response: ${await elicit(running, String(message), { type: "object", properties, required: ["username", "email"] })}`,
          ),
        ],
      };
    },
  },
  {
    name: "test_elicitation_sep1034_defaults",
    description: "Asks with default values.",
    inputSchema: NO_ARGUMENTS,
    run: async (running) => ({
      content: [text(`Elicitation completed: ${await elicit(running, "Please review", DEFAULTS)}`)],
    }),
  },
  {
    name: "test_elicitation_sep1330_enums",
    description: "Asks with every kind of choice.",
    inputSchema: NO_ARGUMENTS,
    run: async (running) => ({
      content: [text(`Elicitation completed: ${await elicit(running, "Please choose", CHOICES)}`)],
    }),
  },
  {
    name: "test_reconnection",
    description: "Closes its stream before it has a result (SEP-1699).",
    inputSchema: NO_ARGUMENTS,
    run: async (running) => {
      running.closeStream?.();
      await sleep(100);
      return { content: [text("the client came back")] };
    },
  },
];
