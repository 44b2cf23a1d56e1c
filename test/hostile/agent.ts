import { asCmcpError, ERROR_CODES, examine } from "@cmcp/boundary";
import { RECEIPT_META_KEY, receiptSchema, type Receipt } from "@cmcp/audit/schema";
import type { ExchangePool } from "@cmcp/wire";
import type { RpcReply } from "../gateway/fixture.ts";
import type { Find } from "./oracle/finding.ts";

/** How long an agent waits for an answer where nothing stands still, and where something does. */
const PATIENCE_MS = 20_000;
const IMPATIENCE_MS = 100;

/** What a request came to. */
export type Outcome =
  | { readonly kind: "silence" }
  /** The enclave gave no HTTP answer but said why. */
  | { readonly kind: "error-frame"; readonly code: string }
  /** `opened` is an answer that was sealed, and so no word of the host. */
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly handle: string | null;
      readonly text: string;
      readonly opened?: true;
    };

/** One request as an agent means it. */
export interface Request {
  readonly method: "GET" | "POST" | "DELETE";
  readonly path: string;
  readonly token: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: object;
}

/** What went wrong on the way, rather than in the enclave. */
export const ON_THE_WAY: ReadonlySet<string> = new Set([
  "WIRE_CLOSED",
  "WIRE_UNREACHABLE",
  "REQUEST_CANCELLED",
  "OVERLOADED",
]);

/** Requests under way, which lose their patience when something comes to a standstill. */
export class Patience {
  readonly #waiting = new Set<AbortController>();

  /** Something came to a standstill. */
  lost(): void {
    for (const waiting of this.#waiting) setTimeout(() => waiting.abort(), IMPATIENCE_MS).unref();
  }

  /** Runs something with a signal that ends it when the patience does. */
  async during<T>(stalled: boolean, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const waiting = new AbortController();
    this.#waiting.add(waiting);
    const timer = setTimeout(() => waiting.abort(), stalled ? IMPATIENCE_MS : PATIENCE_MS);
    try {
      return await work(waiting.signal);
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(waiting);
    }
  }
}

/** Sends one request through the wire. */
export async function send(pool: ExchangePool, request: Request, signal: AbortSignal): Promise<Outcome> {
  try {
    const headers = {
      authorization: `Bearer ${request.token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...request.headers,
    };
    const { method, path } = request;
    const exchange = await pool.open({ t: "request", method, path, headers }, signal);
    if (request.body !== undefined) await exchange.write(Buffer.from(JSON.stringify(request.body)));
    await exchange.end();
    const { status, headers: answered } = await exchange.head;
    let text = "";
    for await (const chunk of exchange.body) text += Buffer.from(examine(chunk)).toString();
    return { kind: "answer", status, handle: answered["mcp-session-id"] ?? null, text };
  } catch (thrown) {
    const { code } = asCmcpError(thrown, "INTERNAL", "the request failed");
    return ON_THE_WAY.has(code) ? { kind: "silence" } : { kind: "error-frame", code };
  }
}

/** A tool call's reply, as far as it is one. */
export type Called =
  | { readonly kind: "silence" }
  | { readonly kind: "refused"; readonly code: string; readonly receipt: Receipt | null }
  | { readonly kind: "done"; readonly reply: RpcReply; readonly receipt: Receipt };

/** Whether a code is one of the gateway's, and not the one that stands for a bug. */
export function isTyped(code: unknown): boolean {
  return typeof code === "string" && Object.hasOwn(ERROR_CODES, code) && code !== "INTERNAL";
}

function receiptOfRecord(value: unknown): Receipt | null {
  const parsed = receiptSchema.safeParse(value);
  return parsed.success ? parsed.data : null;
}

/** Reads an outcome as the reply to a call; anything that is none of the three is found. */
export function readCall(outcome: Outcome, find: Find): Called {
  if (outcome.kind === "silence") return { kind: "silence" };
  if (outcome.kind === "error-frame") {
    if (!isTyped(outcome.code)) find("reply", `an error frame says ${outcome.code}`);
    return { kind: "refused", code: outcome.code, receipt: null };
  }
  let reply: RpcReply;
  try {
    reply = JSON.parse(outcome.text) as typeof reply;
  } catch {
    find("reply", `status ${outcome.status} with a body that is no JSON: ${outcome.text.slice(0, 80)}`);
    return { kind: "silence" };
  }
  const meta = (reply.result?.["_meta"] ?? {}) as Readonly<Record<string, unknown>>;
  const told = meta["cmcp.gateway/error"] as { readonly code?: unknown } | undefined;
  // Where the host changed the path, what refuses is no JSON-RPC and has its code in another place.
  const code = reply.error?.data?.error_code ?? told?.code ?? reply.error?.code;
  if (reply.result !== undefined && told === undefined) {
    const receipt = receiptOfRecord(meta[RECEIPT_META_KEY]);
    if (receipt !== null) return { kind: "done", reply, receipt };
    find("reply", `a result without a receipt: ${outcome.text.slice(0, 200)}`);
    return { kind: "silence" };
  }
  if (!isTyped(code)) find("reply", `status ${outcome.status} without a code: ${outcome.text.slice(0, 200)}`);
  return {
    kind: "refused",
    code: typeof code === "string" ? code : "none",
    receipt: receiptOfRecord(reply.error?.data?.receipt ?? meta[RECEIPT_META_KEY]),
  };
}
