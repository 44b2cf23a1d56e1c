import { isJsonObject, type JsonObject } from "@cmcp/boundary";
import { QUESTION_ID, TASK_TIMES } from "./fixed.ts";
import type { ServerEra } from "./offers.ts";
import type { Outcome } from "./outcomes.ts";

/** How a server answers. */
export type Said = { readonly result: JsonObject } | { readonly error: JsonObject };

/** A request, and what is to become of it. */
export interface Asked {
  readonly era: ServerEra;
  readonly method: string;
  readonly params: JsonObject;
  readonly outcome: Outcome;
  readonly made: { readonly id: string; readonly tasks: Map<string, Outcome> };
}

type Mark = (place: string) => string;

/** What a server says before it answers: progress where a token asks for it, and a log message. */
export function beforeAnswer({ _meta: meta }: JsonObject, mark: Mark): { method: string; params: JsonObject }[] {
  const token = isJsonObject(meta) ? meta.progressToken : undefined;
  const progress = { progressToken: token ?? 0, progress: 1, total: 2, message: mark("progress-message") };
  const log = { level: "warning", logger: mark("log-logger"), data: { text: mark("log-data") } };
  return [
    ...(token === undefined ? [] : [{ method: "notifications/progress", params: progress }]),
    { method: "notifications/message", params: log },
    { method: "notifications/unknown", params: { text: mark("unknown-notification") } },
  ];
}

/** The answer, with a marker in every free text that its shape has. */
export function answerOf(asked: Asked, mark: Mark): Said {
  const { method, outcome } = asked;
  if (method.startsWith("tasks/")) return aboutTask(asked, mark);
  if (outcome === "error") return refusal(mark);
  const task = becomesTask(asked);
  if (task) return madeTask(asked, mark);
  if (asked.era === "modern" && outcome === "question" && asked.params.inputResponses === undefined)
    return { result: { resultType: "input_required", ...questions(mark), requestState: mark("request-state") } };
  return { result: resultOf(asked, mark) };
}

function refusal(mark: Mark): Said {
  return { error: { code: -32_000, message: mark("error-message"), data: { text: mark("error-data") } } };
}

function becomesTask({ era, method, params, outcome }: Asked): boolean {
  if (method !== "tools/call" || !["task", "failing", "asking"].includes(outcome)) return false;
  if (era === "legacy") return params.task !== undefined;
  const meta = isJsonObject(params._meta) ? params._meta : {};
  const capabilities = meta["io.modelcontextprotocol/clientCapabilities"];
  const extensions = isJsonObject(capabilities) ? capabilities.extensions : undefined;
  return isJsonObject(extensions) && extensions["io.modelcontextprotocol/tasks"] !== undefined;
}

function madeTask({ era, outcome, made }: Asked, mark: Mark): Said {
  made.tasks.set(made.id, outcome);
  const task = { taskId: made.id, status: "working", statusMessage: mark("task-words"), ...TASK_TIMES };
  return { result: era === "legacy" ? { task } : { resultType: "task", ...task } };
}

function aboutTask({ method, params, outcome, made }: Asked, mark: Mark): Said {
  const { taskId: id } = params;
  if (typeof id !== "string" || !made.tasks.has(id)) return refusal(mark);
  const state = { taskId: id, statusMessage: mark("state-words"), ...TASK_TIMES };
  if (method === "tasks/cancel")
    return outcome === "failing" ? refusal(mark) : { result: { ...state, status: "cancelled" } };
  if (method === "tasks/update") return { result: {} };
  if (method === "tasks/result") return outcome === "failing" ? refusal(mark) : { result: toolResult(mark) };
  if (outcome === "failing")
    return { result: { ...state, status: "failed", error: { code: -32_000, message: mark("task-error") } } };
  if (outcome === "asking") return { result: { ...state, status: "input_required", ...questions(mark) } };
  return { result: { ...state, status: "completed", result: toolResult(mark) } };
}

function questions(mark: Mark): JsonObject {
  const params = {
    mode: "form",
    message: mark("input-message"),
    requestedSchema: { type: "object", properties: { answer: { type: "string" } } },
  };
  return { inputRequests: { [QUESTION_ID]: { method: "elicitation/create", params } } };
}

function toolResult(mark: Mark): JsonObject {
  return {
    content: [
      { type: "text", text: mark("text"), annotations: { audience: ["user"], priority: 1 } },
      { type: "resource_link", uri: "taint://link", name: mark("link-name") },
    ],
  };
}

function redactedResult(mark: Mark): JsonObject {
  const structuredContent = { kept: mark("structured"), number: mark("redacted") };
  return { structuredContent, content: [{ type: "text", text: JSON.stringify(structuredContent) }] };
}

function resultOf(asked: Asked, mark: Mark): JsonObject {
  const { method, params } = asked;
  switch (method) {
    case "tools/call":
      return asked.outcome === "redacted" ? redactedResult(mark) : toolResult(mark);
    case "resources/read":
      return { contents: [{ uri: params.uri ?? "", mimeType: "text/plain", text: mark("contents") }] };
    case "prompts/get":
      return {
        description: mark("description"),
        messages: [{ role: "user", content: { type: "text", text: mark("prompt") } }],
      };
    case "completion/complete":
      return { completion: { values: [mark("completion")], total: 1, hasMore: false } };
    default:
      return {};
  }
}
