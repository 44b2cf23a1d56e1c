import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { UpstreamClient, type Dial, type UpstreamLimits, type UpstreamTool } from "../index.ts";
import { ScriptedServer, type Handshake, type Script } from "./scripted-server.ts";

/** The signal of a caller that stays. */
export const forever = new AbortController().signal;

/** A tool whose schema asks for nothing. */
export function toolNamed(name: string): UpstreamTool {
  return { name, inputSchema: { type: "object" } };
}

/** A client of a plain server, closed with the test. */
export function plainClient(
  t: TestContext,
  url: URL,
  dial: Dial,
  limits: Partial<UpstreamLimits> = {},
): UpstreamClient {
  const client = new UpstreamClient({
    url,
    dial,
    tls: { mode: "none" },
    clientInfo: { name: "gateway", version: "1" },
    limits,
  });
  t.after(() => client.close());
  return client;
}

/** A scripted server and a client to it, closed with the test. */
export async function start(
  t: TestContext,
  script: Script,
  limits: Partial<UpstreamLimits> = {},
  handshake?: Handshake,
): Promise<{ server: ScriptedServer; client: UpstreamClient }> {
  const server = await ScriptedServer.start(script);
  if (handshake !== undefined) server.handshake = handshake;
  const client = plainClient(t, server.url, server.dial, limits);
  t.after(() => server.close());
  return { server, client };
}

/** The error a call ends with. */
export async function faultOf(call: Promise<unknown>): Promise<CmcpError> {
  try {
    await call;
  } catch (thrown) {
    assert.ok(thrown instanceof CmcpError, String(thrown));
    return thrown;
  }
  throw new Error("the call succeeded");
}
