import { isJsonObject, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { inspectResult, type InspectedResult, type ResultOptions } from "./inspect.ts";
import { removeLookAlikes } from "./look-alike.ts";
import { isLarger } from "./size.ts";

/** Methods other than `tools/call` whose results are inspected. */
export type AnsweredMethod = "resources/read" | "prompts/get" | "completion/complete";

/** Members the protocol gives a result (MCP 2026-07-28: "ReadResourceResult", "GetPromptResult", "CompleteResult"). */
const MEMBERS: Readonly<Record<AnsweredMethod, readonly string[]>> = {
  "resources/read": ["contents", "_meta", "ttlMs", "cacheScope"],
  "prompts/get": ["description", "messages", "_meta"],
  "completion/complete": ["completion", "_meta"],
};
/** What some of them have to be to be theirs: MCP 2026-07-28, "CacheableResult". */
const CACHING: Readonly<Record<string, (value: JsonValue) => boolean>> = {
  ttlMs: (value) => typeof value === "number" && Number.isSafeInteger(value) && value >= 0,
  cacheScope: (value) => value === "public" || value === "private",
};
const ROLES: readonly JsonValue[] = ["user", "assistant"];

function isContents(value: JsonValue | undefined): boolean {
  return (
    Array.isArray(value) &&
    value.every(
      (one) =>
        isJsonObject(one) &&
        typeof one.uri === "string" &&
        (typeof one.text === "string" || typeof one.blob === "string"),
    )
  );
}

function isMessages(value: JsonValue | undefined): boolean {
  return (
    Array.isArray(value) &&
    value.every(
      (one) =>
        isJsonObject(one) &&
        one.role !== undefined &&
        ROLES.includes(one.role) &&
        isJsonObject(one.content) &&
        typeof one.content.type === "string",
    )
  );
}

function isCompletion(value: JsonValue | undefined): boolean {
  return (
    isJsonObject(value) &&
    Array.isArray(value.values) &&
    value.values.length <= 100 &&
    value.values.every((one) => typeof one === "string")
  );
}

const SHAPED: Readonly<Record<AnsweredMethod, (result: JsonObject) => boolean>> = {
  "resources/read": ({ contents }) => isContents(contents),
  "prompts/get": ({ messages, description }) =>
    isMessages(messages) && (description === undefined || typeof description === "string"),
  "completion/complete": ({ completion }) => isCompletion(completion),
};

/** The result without members the protocol does not give it, or not like this. */
function onlyMembers(method: AnsweredMethod, result: JsonObject, removed: string[]): JsonObject {
  const out: JsonObject = {};
  for (const [name, value] of Object.entries(result)) {
    if (MEMBERS[method].includes(name) && (CACHING[name]?.(value) ?? true)) out[name] = value;
    else removed.push(name);
  }
  return out;
}

/** Takes fields out of texts one by one, counting; what fields cannot be told in goes whole. */
class TextRedaction {
  readonly #options: ResultOptions;
  redacted = 0;
  withheld = 0;

  constructor(options: ResultOptions) {
    this.#options = options;
  }

  /** The text without the fields, or `null` when it is withheld. */
  text(text: string): string | null {
    const inspected = inspectResult(
      { toolName: "", inputSchema: {}, outputSchema: null },
      { content: [{ type: "text", text }] },
      this.#options,
    );
    this.redacted += inspected.redacted;
    const content = inspected.result?.content;
    const [block] = Array.isArray(content) ? content : [];
    if (isJsonObject(block) && typeof block.text === "string") return block.text;
    this.withheld += 1;
    return null;
  }

  /** A part of a result that is content: text redacted, anything else withheld, because no field can be told in it. */
  part(part: JsonObject): JsonObject | null {
    const text = typeof part.text === "string" ? this.text(part.text) : null;
    if (text !== null) return { ...part, text };
    if (typeof part.text !== "string") this.#withhold();
    return null;
  }

  #withhold(): void {
    this.withheld += 1;
    this.redacted += 1;
  }
}

function redact(
  method: AnsweredMethod,
  result: JsonObject,
  options: ResultOptions,
): Pick<InspectedResult, "result" | "redacted" | "withheld"> {
  const redaction = new TextRedaction(options);
  const kept = (parts: JsonValue | undefined, take: (part: JsonObject) => JsonObject | null): JsonObject[] =>
    (Array.isArray(parts) ? parts : []).flatMap((part) => {
      const taken = isJsonObject(part) ? take(part) : null;
      return taken === null ? [] : [taken];
    });
  let out: JsonObject;
  switch (method) {
    case "resources/read":
      out = { contents: kept(result.contents, (part) => redaction.part(part)) };
      break;
    case "prompts/get":
      out = {
        messages: kept(result.messages, (message) => {
          const content = isJsonObject(message.content) ? redaction.part(message.content) : null;
          return content === null ? null : { ...message, content };
        }),
      };
      break;
    case "completion/complete": {
      const completion = isJsonObject(result.completion) ? result.completion : {};
      const values = (Array.isArray(completion.values) ? completion.values : []).flatMap((value) =>
        typeof value === "string" ? (redaction.text(value) ?? []) : [],
      );
      out = { completion: { values } };
      break;
    }
  }
  return { result: out, redacted: redaction.redacted, withheld: redaction.withheld };
}

/** Inspects the result of a method other than `tools/call`: size, shape, members posing as the gateway's, then the fields that policy wants out. */
export function inspectAnswer(method: AnsweredMethod, result: JsonObject, options: ResultOptions): InspectedResult {
  const refused = (outcome: "schema_violation" | "size_exceeded"): InspectedResult => ({
    outcome,
    result: null,
    stripped: [],
    redacted: 0,
    withheld: 0,
  });
  if (isLarger(result, options.maxBytes)) return refused("size_exceeded");
  if (!SHAPED[method](result)) return refused("schema_violation");
  const stripped: string[] = [];
  const own = removeLookAlikes(onlyMembers(method, result, stripped), stripped);
  const outcome = stripped.length === 0 ? "pass" : "surplus_stripped";
  if (options.redactFields.length === 0) return { outcome, result: own, stripped, redacted: 0, withheld: 0 };
  return { outcome, stripped, ...redact(method, own, options) };
}
