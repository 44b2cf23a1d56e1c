import type { JsonObject } from "@cmcp/boundary";
import type { Dialect, Era } from "./era.ts";
import { INITIALIZE_PARAMS, LEVEL_PARAMS, LISTEN_PARAMS, NO_PARAMS, PAGE_PARAMS } from "./local-params.ts";
import {
  argumentParam,
  argumentsParam,
  contextParam,
  inputResponsesParam,
  nameParam,
  refParam,
  requestStateParam,
  taskIdParam,
  taskParam,
  repeatedTaskParam,
  taskResponsesParam,
  uriParam,
  governed,
  type GovernedParams,
} from "./governed-params.ts";
import type { RequestContent, SentContent } from "./request.ts";
import { readShape, type Shape } from "./shape.ts";
import * as outgoing from "./upstream-params.ts";

/** What can be listed. */
export type ListKind = "tools" | "prompts" | "resources" | "templates";
/** Cedar's action of a decided request. */
export type GovernedAction = "call_tool" | "get_prompt" | "read_resource" | "subscribe_resource" | "complete";
/** What a request's name names. */
export type RequestTarget = "tool" | "prompt" | "resource" | "reference" | "task";
/** Which inspector reads a server's result; an acknowledgement is written by the gateway itself. */
export type ResultKind = "tool" | "contents" | "messages" | "completion" | "task" | "acknowledgement";

const BOTH: readonly Era[] = ["legacy", "modern"];
const LEGACY: readonly Era[] = ["legacy"];
const MODERN: readonly Era[] = ["modern"];

/** A method that reaches a server: decided one by one, or a cancellation, which is always allowed and carries nothing. */
interface GovernedRow {
  readonly name: string;
  readonly eras: readonly Era[];
  readonly kind: "decided" | "cancellation";
  readonly target: RequestTarget;
  /** A task's methods are decided as the call that made the task. */
  readonly action: GovernedAction | null;
  readonly params: Shape<GovernedParams>;
  /** The parameters that leave, rebuilt from decided values. */
  readonly upstream: (sent: SentContent) => JsonObject;
  readonly result: ResultKind;
}

/** A list of approved definitions, filtered for the caller. */
export interface ListMethod {
  readonly name: string;
  readonly eras: readonly Era[];
  readonly kind: "list";
  readonly params: typeof PAGE_PARAMS;
  readonly list: {
    readonly kind: ListKind;
    /** The member of the result that holds the items, and the member of an item that tells it apart. */
    readonly member: string;
    readonly key: string;
  };
}

/** A method that the gateway answers by itself. */
interface LocalRow {
  readonly name: string;
  readonly eras: readonly Era[];
  readonly kind: "local";
  readonly params: Shape<object>;
}

/** Every method of both eras. Dispatchers, outgoing parameters, headers, lists and the reference page derive from it. */
const TABLE = [
  {
    name: "tools/call",
    eras: BOTH,
    kind: "decided",
    target: "tool",
    action: "call_tool",
    params: governed(nameParam, argumentsParam, inputResponsesParam, requestStateParam, taskParam),
    upstream: outgoing.invocation,
    result: "tool",
  },
  {
    name: "prompts/get",
    eras: BOTH,
    kind: "decided",
    target: "prompt",
    action: "get_prompt",
    params: governed(nameParam, argumentsParam, inputResponsesParam, requestStateParam),
    upstream: outgoing.invocation,
    result: "messages",
  },
  {
    name: "resources/read",
    eras: BOTH,
    kind: "decided",
    target: "resource",
    action: "read_resource",
    params: governed(uriParam, inputResponsesParam, requestStateParam),
    upstream: outgoing.resource,
    result: "contents",
  },
  {
    name: "resources/subscribe",
    eras: LEGACY,
    kind: "decided",
    target: "resource",
    action: "subscribe_resource",
    params: governed(uriParam),
    upstream: outgoing.resource,
    result: "acknowledgement",
  },
  {
    name: "resources/unsubscribe",
    eras: LEGACY,
    kind: "cancellation",
    target: "resource",
    action: null,
    params: governed(uriParam),
    upstream: outgoing.unsubscription,
    result: "acknowledgement",
  },
  {
    name: "completion/complete",
    eras: BOTH,
    kind: "decided",
    target: "reference",
    action: "complete",
    params: governed(refParam, argumentParam, contextParam),
    upstream: outgoing.completion,
    result: "completion",
  },
  {
    name: "tasks/get",
    eras: BOTH,
    kind: "decided",
    target: "task",
    action: null,
    params: governed(taskIdParam, repeatedTaskParam),
    upstream: outgoing.task,
    result: "task",
  },
  {
    name: "tasks/result",
    eras: LEGACY,
    kind: "decided",
    target: "task",
    action: null,
    params: governed(taskIdParam, repeatedTaskParam),
    upstream: outgoing.task,
    result: "tool",
  },
  {
    name: "tasks/update",
    eras: MODERN,
    kind: "decided",
    target: "task",
    action: null,
    params: governed(taskIdParam, taskResponsesParam),
    upstream: outgoing.task,
    result: "acknowledgement",
  },
  {
    name: "tasks/cancel",
    eras: BOTH,
    kind: "cancellation",
    target: "task",
    action: null,
    params: governed(taskIdParam, repeatedTaskParam),
    upstream: outgoing.cancelledTask,
    result: "acknowledgement",
  },
  {
    name: "tools/list",
    eras: BOTH,
    kind: "list",
    params: PAGE_PARAMS,
    list: { kind: "tools", member: "tools", key: "name" },
  },
  {
    name: "prompts/list",
    eras: BOTH,
    kind: "list",
    params: PAGE_PARAMS,
    list: { kind: "prompts", member: "prompts", key: "name" },
  },
  {
    name: "resources/list",
    eras: BOTH,
    kind: "list",
    params: PAGE_PARAMS,
    list: { kind: "resources", member: "resources", key: "uri" },
  },
  {
    name: "resources/templates/list",
    eras: BOTH,
    kind: "list",
    params: PAGE_PARAMS,
    list: { kind: "templates", member: "resourceTemplates", key: "uriTemplate" },
  },
  { name: "initialize", eras: LEGACY, kind: "local", params: INITIALIZE_PARAMS },
  { name: "ping", eras: LEGACY, kind: "local", params: NO_PARAMS },
  { name: "logging/setLevel", eras: LEGACY, kind: "local", params: LEVEL_PARAMS },
  { name: "tasks/list", eras: LEGACY, kind: "local", params: PAGE_PARAMS },
  { name: "server/discover", eras: MODERN, kind: "local", params: NO_PARAMS },
  { name: "subscriptions/listen", eras: MODERN, kind: "local", params: LISTEN_PARAMS },
] as const satisfies readonly (GovernedRow | ListMethod | LocalRow)[];

type Row = (typeof TABLE)[number];
/** A method that is decided, or that cancels what was. */
export type GovernedMethod = Extract<Row, { readonly kind: "decided" | "cancellation" }>["name"];
/** A governed method about a task, which has an id where other requests have a name. */
export type TaskMethod = Extract<Row, { readonly target: "task" }>["name"];

export type Governed = GovernedRow & { readonly name: GovernedMethod };
/** One row of the table. */
export type Method = Governed | ListMethod | LocalRow;
export const METHODS: readonly Method[] = TABLE;

const BY_NAME: ReadonlyMap<string, Method> = new Map(METHODS.map((method) => [method.name, method]));
const GOVERNED = METHODS.filter(isGoverned);

/** The row of a method; `undefined` for a name that is no method of MCP here. */
export function methodOf(method: string): Method | undefined {
  return BY_NAME.get(method);
}

/** True for the rows that reach a server. */
export function isGoverned(method: Method): method is Governed {
  return method.kind === "decided" || method.kind === "cancellation";
}

/** The row of a governed method. */
export function governedMethod(method: GovernedMethod): Governed {
  const found = GOVERNED.find((known) => known.name === method);
  if (found === undefined) throw new TypeError("a governed method is missing from its own table");
  return found;
}

/** True for the methods about a task. */
export function isTaskMethod(method: string): method is TaskMethod {
  return GOVERNED.some((known) => known.name === method && known.target === "task");
}

/** One governed request as its parameters say it, rebuilt from its method's shape. @throws Refusal -32602 */
export function readRequest(
  method: Governed,
  params: JsonObject,
  dialect: Dialect,
): RequestContent & { readonly method: GovernedMethod } {
  const { reference, argument, known, responses, state, ...content } = readShape(
    method.params,
    params,
    method.name,
    dialect,
  );
  return {
    method: method.name,
    ...content,
    completion: reference === null || argument === null ? null : { reference, argument, known },
    input: responses === null && state === null ? null : { responses, state },
  };
}

/** Which parameter a target is named by. */
const NAMES: Readonly<Record<RequestTarget, string | null>> = {
  tool: "name",
  prompt: "name",
  resource: "uri",
  reference: null,
  task: "taskId",
};

/**
 * Which parameter `Mcp-Name` repeats (MCP 2026-07-28, Streamable HTTP, "Standard Request Headers"; Tasks extension,
 * "Routing Headers").
 */
export const NAMED_BY: ReadonlyMap<string, string> = new Map(
  GOVERNED.filter(({ eras }) => eras.includes("modern")).flatMap(({ name: method, target }) => {
    const parameter = NAMES[target];
    return parameter === null ? [] : [[method, parameter] as const];
  }),
);
