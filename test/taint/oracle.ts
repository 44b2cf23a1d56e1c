import { isJsonObject, type JsonObject } from "@cmcp/boundary";
import type { AuditEntry } from "@cmcp/audit";
import type { Exchange } from "./agent.ts";
import type { Received } from "./server.ts";

const GATEWAY = /^cmcp\.gateway\//;
/** What the gateway puts beside a server's own words in the data of an error. */
const IN_ERROR_DATA = ["receipt", "call_id", "claim", "salts"];

/** The receipt of an answer; `null` for an answer that has none. */
export function receiptOf({ messages }: Exchange): JsonObject | null {
  const last = messages.at(-1) ?? {};
  const meta = isJsonObject(last.result) ? last.result._meta : undefined;
  const data = isJsonObject(last.error) ? last.error.data : undefined;
  const receipt =
    (isJsonObject(meta) ? meta["cmcp.gateway/receipt"] : undefined) ?? (isJsonObject(data) ? data.receipt : undefined);
  return isJsonObject(receipt) ? receipt : null;
}

/** Everything the agent was handed, as the record is to commit to it (packages/claim SPEC). */
export function handedMessages({ messages }: Exchange): JsonObject[] {
  return messages.map(committed);
}

/** A message without `jsonrpc`, `id` and the gateway's own members. */
function committed(whole: JsonObject): JsonObject {
  const { jsonrpc: _, id: __, ...message } = whole;
  const { result, error } = message;
  if (isJsonObject(result)) return { result: withoutMeta(result) };
  if (!isJsonObject(error) || !isJsonObject(error.data)) return message;
  const data = Object.fromEntries(Object.entries(error.data).filter(([name]) => !IN_ERROR_DATA.includes(name)));
  return { error: { ...error, data } };
}

function withoutMeta(result: JsonObject): JsonObject {
  const { _meta: meta, ...rest } = result;
  if (!isJsonObject(meta)) return result;
  const kept = Object.entries(meta).filter(([name]) => !GATEWAY.test(name) || name === "cmcp.gateway/error");
  return kept.length === 0 ? rest : { ...rest, _meta: Object.fromEntries(kept) };
}

/** Ids that a server has for what an agent knows by another, by the server's. */
export type Ids = ReadonlyMap<string, string>;

/** What a server got, under the agent's ids, as the record is to commit to it. */
export function committedRequest({ method, message }: Received, ids: Ids, requestState: string | null): JsonObject {
  const { _meta: meta, ...params } = isJsonObject(message.params) ? message.params : {};
  const trace = Object.entries(isJsonObject(meta) ? meta : {}).filter(([name]) => /^trace(?:parent|state)$/.test(name));
  const sent: JsonObject = { ...params, ...(trace.length === 0 ? {} : { _meta: Object.fromEntries(trace) }) };
  if (typeof sent.taskId === "string") sent.taskId = ids.get(sent.taskId) ?? sent.taskId;
  if (sent.requestState !== undefined && requestState !== null) sent.requestState = requestState;
  return { method, params: sent };
}

/** A request that was sent again with what the agent answered meanwhile, as it was sent first, and those answers. */
export function withoutAnswers(got: Received): { readonly first: Received; readonly answers: JsonObject } {
  const { inputResponses, requestState: _, ...params } = isJsonObject(got.message.params) ? got.message.params : {};
  const first = { ...got, message: { ...got.message, params } };
  return { first, answers: isJsonObject(inputResponses) ? inputResponses : {} };
}

/** What an agent answers while a server waits; every question of the suite is an elicitation. */
export function committedAnswers(answers: JsonObject): JsonObject[] {
  return Object.values(answers).map((answer) => ({ method: "elicitation/create", answer }));
}

/** The entry of a call. */
export function entryOf(entries: readonly AuditEntry[], callId: unknown): AuditEntry | undefined {
  return entries.find(({ call_id: id, entry_type: type }) => type === "tool_call" && id === callId);
}
