import { setTimeout as sleep } from "node:timers/promises";
import keywords from "./keywords.json" with { type: "json" };
import { audio, embedded, image, text } from "./content.ts";

/** Pause between two notifications of one call, in milliseconds: long enough that they are separate writes. */
const STEP_MS = 50;

/** A result both SDKs take. */
export interface ToolResult {
  [member: string]: unknown;
  content: (
    | ReturnType<typeof text>
    | ReturnType<typeof image>
    | ReturnType<typeof audio>
    | ReturnType<typeof embedded>
  )[];
  isError?: boolean;
}

/** What a running tool may do beside returning a result, in either era. */
export interface Running {
  /** The progress token of the request, if it carries one. */
  readonly progressToken: string | number | undefined;
  progress(token: string | number, progress: number, total: number): Promise<void>;
  /** A log message of level `info`, sent only when the client asked for that level. */
  log(message: string): Promise<void>;
}

/** A tool that is the same in both eras. */
export interface SharedTool {
  readonly name: string;
  readonly description: string;
  /** JSON Schema, given to the client as it stands here. */
  readonly inputSchema: { readonly [keyword: string]: unknown; readonly type: "object" };
  run(running: Running, args: { readonly [name: string]: unknown }): ToolResult | Promise<ToolResult>;
}

const NO_ARGUMENTS = { type: "object" } as const;

/** Keywords of JSON Schema 2020-12 that a gateway or an SDK could lose on the way (SEP-1613, SEP-2106). */
const KEYWORDS = { ...keywords, type: "object" } as const;

function returning(name: string, description: string, content: ToolResult["content"]): SharedTool {
  return { name, description, inputSchema: NO_ARGUMENTS, run: () => ({ content }) };
}

async function logThrice(running: Running): Promise<ToolResult> {
  await running.log("Tool execution started");
  await sleep(STEP_MS);
  await running.log("Tool processing data");
  await sleep(STEP_MS);
  await running.log("Tool execution completed");
  return { content: [text("logged three times")] };
}

/** Tools every scenario set calls. The first one takes no arguments and always succeeds: header scenarios call it. */
export const SHARED_TOOLS: readonly SharedTool[] = [
  returning("test_simple_text", "Returns a text.", [text("This is a simple text response for testing.")]),
  returning("test_image_content", "Returns an image.", [image()]),
  returning("test_audio_content", "Returns a sound.", [audio()]),
  returning("test_embedded_resource", "Returns a resource inside its result.", [
    embedded("test://embedded-resource", "text/plain", "This is an embedded resource content."),
  ]),
  returning("test_multiple_content_types", "Returns a text, an image and a resource.", [
    text("Multiple content types test:"),
    image(),
    embedded("test://mixed-content-resource", "application/json", JSON.stringify({ test: "data", value: 123 })),
  ]),
  {
    name: "test_error_handling",
    description: "Fails on purpose.",
    inputSchema: NO_ARGUMENTS,
    run: () => ({ isError: true, content: [text("This tool intentionally returns an error for testing")] }),
  },
  {
    name: "test_tool_with_progress",
    description: "Reports progress three times.",
    inputSchema: NO_ARGUMENTS,
    run: async (running) => {
      for (const progress of [0, 50, 100]) {
        if (running.progressToken !== undefined) await running.progress(running.progressToken, progress, 100);
        if (progress < 100) await sleep(STEP_MS);
      }
      return { content: [text(String(running.progressToken ?? "no progress token"))] };
    },
  },
  {
    name: "test_tool_with_logging",
    description: "Logs three times while it runs.",
    inputSchema: NO_ARGUMENTS,
    run: logThrice,
  },
  {
    name: "json_schema_2020_12_tool",
    description: "Has an input schema with many keywords.",
    inputSchema: KEYWORDS,
    run: (_, args) => ({ content: [text(JSON.stringify(args))] }),
  },
];

/** The modern suite's name for the tool that logs. */
export const LOGGING_TOOL: SharedTool = {
  name: "test_logging_tool",
  description: "Logs three times while it runs.",
  inputSchema: NO_ARGUMENTS,
  run: logThrice,
};
