import {
  IDEMPOTENCY_KEY_FORM,
  IDEMPOTENCY_META_KEY,
  isJsonObject,
  readIdempotencyKey,
  type IdempotencyKey,
  type JsonObject,
  type JsonValue,
} from "@cmcp/boundary";
import { invalidParams } from "../ingress/refusal.ts";
import type { Completion, Reference, RequestContent } from "./request.ts";
import type { Member, Shape } from "./shape.ts";
import { readTrace } from "./trace.ts";
import {
  MAX_COMPLETED,
  MAX_KNOWN,
  MAX_NAME,
  MAX_RESPONSES,
  MAX_STATE,
  MAX_URI,
  closed,
  entries,
  object,
  text,
} from "./values.ts";

/** The parameters of a governed request, one by one. */
export interface GovernedParams extends Omit<RequestContent, "input" | "completion"> {
  readonly reference: Reference | null;
  readonly argument: Completion["argument"] | null;
  readonly known: Completion["known"];
  readonly responses: Readonly<Record<string, JsonObject>> | null;
  readonly state: string | null;
}

const EMPTY: GovernedParams = {
  name: "",
  arguments: {},
  reference: null,
  argument: null,
  known: {},
  trace: null,
  idempotencyKey: null,
  responses: null,
  state: null,
  task: null,
};

/** The closed shape of a governed method; every one may have `_meta`. */
export function governed(...members: readonly Member<GovernedParams>[]): Shape<GovernedParams> {
  return { members: [...members, meta], empty: EMPTY };
}

const meta: Member<GovernedParams> = {
  name: "_meta",
  type: `object, of which \`traceparent\` and \`tracestate\` go on (W3C Trace Context); \`${IDEMPOTENCY_META_KEY}\` is read`,
  read: (value) => {
    const read = object("_meta", value);
    return { trace: readTrace(read), idempotencyKey: readKey(read[IDEMPOTENCY_META_KEY]) };
  },
};

/** A key of another form is refused, and not left out: its call would not be guarded. */
function readKey(value: JsonValue | undefined): IdempotencyKey | null {
  if (value === undefined) return null;
  const key = typeof value === "string" ? readIdempotencyKey(value) : null;
  if (key === null) throw invalidParams(`_meta["${IDEMPOTENCY_META_KEY}"] must be ${IDEMPOTENCY_KEY_FORM}`);
  return key;
}

function named(name: string, max: number): Member<GovernedParams> {
  return {
    name,
    type: `string of 1 to ${max} characters`,
    required: true,
    read: (value) => ({ name: text(name, value, max) }),
  };
}

export const nameParam = named("name", MAX_NAME);
export const uriParam = named("uri", MAX_URI);
export const taskIdParam = named("taskId", MAX_NAME);

export const argumentsParam: Member<GovernedParams> = {
  name: "arguments",
  type: "object, of the approved schema or arguments",
  read: (value) => ({ arguments: object("arguments", value) }),
};

/** MCP 2025-11-25, Tasks, "Task Parameters". */
export const taskParam: Member<GovernedParams> = {
  name: "task",
  type: "`{ ttl? }` in milliseconds",
  dialects: ["legacy-tasks"],
  read: (value) => {
    const { ttl = null } = closed("task", value, ["ttl"]);
    if (ttl !== null && !(typeof ttl === "number" && Number.isSafeInteger(ttl) && ttl >= 0))
      throw invalidParams("task.ttl must be a number of milliseconds");
    return { task: { ttlMs: ttl } };
  },
};

/** The official client of 2025-11-25 repeats `task` in requests about a task, where it says nothing. */
export const repeatedTaskParam: Member<GovernedParams> = {
  name: "task",
  type: "`{ ttl? }`, which says nothing here",
  dialects: ["legacy-tasks"],
  read: (value) => {
    taskParam.read(value);
    return {};
  },
};

function readResponses(value: JsonValue | undefined): Readonly<Record<string, JsonObject>> {
  return entries("inputResponses", value, MAX_RESPONSES, (response) => object("an input response", response));
}

/** MCP 2026-07-28, "InputResponseRequestParams". A server that asked for nothing but its state back gets no response. */
export const inputResponsesParam: Member<GovernedParams> = {
  name: "inputResponses",
  type: `object of at most ${MAX_RESPONSES} objects, by ids of 1 to ${MAX_NAME} characters`,
  dialects: ["modern"],
  read: (value) => ({ responses: readResponses(value) }),
};

export const taskResponsesParam: Member<GovernedParams> = {
  name: "inputResponses",
  type: `object of 1 to ${MAX_RESPONSES} objects, by ids of 1 to ${MAX_NAME} characters`,
  required: true,
  read: (value) => {
    const responses = readResponses(value);
    if (Object.keys(responses).length === 0) throw invalidParams("inputResponses must have a response to give");
    return { responses };
  },
};

export const requestStateParam: Member<GovernedParams> = {
  name: "requestState",
  type: `string of 1 to ${MAX_STATE} characters`,
  dialects: ["modern"],
  read: (value) => ({ state: text("requestState", value, MAX_STATE) }),
};

export const refParam: Member<GovernedParams> = {
  name: "ref",
  type: '`{ type: "ref/prompt", name }` or `{ type: "ref/resource", uri }`',
  required: true,
  read: (value) => {
    const type = isJsonObject(value) ? value.type : undefined;
    if (type === "ref/prompt") {
      const found = text("name", closed("ref", value, ["type", "name"]).name, MAX_NAME);
      return { name: found, reference: { type, name: found } };
    }
    if (type !== "ref/resource") throw invalidParams("ref must be of type ref/prompt or ref/resource");
    const found = text("uri", closed("ref", value, ["type", "uri"]).uri, MAX_URI);
    return { name: found, reference: { type, uri: found } };
  },
};

export const argumentParam: Member<GovernedParams> = {
  name: "argument",
  type: `\`{ name, value }\`, strings of at most ${MAX_NAME} and ${MAX_COMPLETED} characters`,
  required: true,
  read: (value) => {
    const read = closed("argument", value, ["name", "value"]);
    return {
      argument: {
        name: text("argument.name", read.name, MAX_NAME),
        value: text("argument.value", read.value, MAX_COMPLETED, 0),
      },
    };
  },
};

export const contextParam: Member<GovernedParams> = {
  name: "context",
  type: `\`{ arguments? }\`, at most ${MAX_KNOWN} strings of at most ${MAX_COMPLETED} characters`,
  read: (value) => {
    const { arguments: known = {} } = closed("context", value, ["arguments"]);
    return {
      known: entries("context.arguments", known, MAX_KNOWN, (each) =>
        text("an argument of context", each, MAX_COMPLETED, 0),
      ),
    };
  },
};
