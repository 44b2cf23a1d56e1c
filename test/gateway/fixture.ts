import { mkdtemp, rm } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RECEIPT_META_KEY, receiptSchema, type Receipt } from "@cmcp/audit/schema";
import { startEverythingServer } from "../servers/everything-server.ts";
import { startRecordsServer, type RecordsServer } from "../servers/records-server.ts";
import { deployQuickstart, listenOnAnyPort } from "./deployment.ts";
import { developmentEnvironment, type Gateway } from "./gateway.ts";
import { startInProcess, type StartsGateway } from "./in-process.ts";

/** A gateway in front of both real servers, with a token. */
export interface Fixture {
  readonly gateway: Gateway;
  readonly records: RecordsServer;
  readonly token: string;
  readonly folder: string;
  /** A request to the gateway with the token. */
  request(path: string, init?: RequestInit): Promise<Response>;
  /** One plain JSON-RPC POST, as existing single-POST clients send it. */
  post(
    body: object | string,
    headers?: Record<string, string>,
  ): Promise<{ status: number; headers: Headers; body: RpcReply }>;
  /** One plain tools/call in a labelled session. */
  call(name: string, args: object, label?: string): Promise<{ status: number; body: RpcReply }>;
  close(): Promise<void>;
}

/** A JSON-RPC reply as tests read it. */
export interface RpcReply {
  readonly id?: unknown;
  readonly result?: { readonly [key: string]: unknown };
  readonly error?: {
    readonly code: number;
    readonly message: string;
    readonly data?: { readonly error_code?: string; readonly call_id?: string; readonly receipt?: unknown };
  };
}

/**
 * Starts servers and gateway; `close` stops all of it.
 * @param start what starts the gateway: `startGateway` where its processes are the subject
 */
export async function startFixture(start: StartsGateway = startInProcess): Promise<Fixture> {
  const undo: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).toReversed()) await step();
  };
  try {
    const folder = await mkdtemp(join(tmpdir(), "cmcp-e2e-"));
    undo.push(() => rm(folder, { recursive: true, force: true }));
    const everything = await startEverythingServer();
    undo.push(() => everything.close());
    const records = await startRecordsServer();
    undo.push(() => records.close());
    const config = await deployQuickstart(join(folder, "deployment"), {
      everythingPort: everything.port,
      recordsPort: records.port,
      recordsFingerprint: records.fingerprint,
    });
    await listenOnAnyPort(config);
    const token = randomBytes(32).toString("base64url");
    const gateway = await start(config, developmentEnvironment(token));
    undo.push(() => gateway.stop());
    const request = async (path: string, init: RequestInit = {}): Promise<Response> =>
      await fetch(`${gateway.url}${path}`, {
        ...init,
        headers: { authorization: `Bearer ${token}`, ...(init.headers as Record<string, string> | undefined) },
      });
    const post: Fixture["post"] = async (body, headers = {}) => {
      const response = await request("/mcp", {
        method: "POST",
        body: typeof body === "string" ? body : JSON.stringify(body),
        headers: { "content-type": "application/json", accept: "application/json, text/event-stream", ...headers },
      });
      const text = await response.text();
      return {
        status: response.status,
        headers: response.headers,
        body: text === "" ? {} : (JSON.parse(text) as RpcReply),
      };
    };
    const call: Fixture["call"] = async (name, args, label) =>
      await post({
        jsonrpc: "2.0",
        id: 1,
        method: "tools/call",
        params: { name, arguments: args, ...(label === undefined ? {} : { _cmcp: { session_id: label } }) },
      });
    return { gateway, records, token, folder, request, post, call, close };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

/** The session a reply's receipt names, whether the call was allowed or refused. */
export function receiptOf(reply: RpcReply): Receipt {
  const meta = reply.result?.["_meta"] as Record<string, unknown> | undefined;
  return receiptSchema.parse(reply.error === undefined ? meta?.[RECEIPT_META_KEY] : reply.error.data?.receipt);
}
