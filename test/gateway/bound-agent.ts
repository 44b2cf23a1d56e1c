/** An agent with tokens bound to its key, on the OAuth client of others. */
import { auditBundleSchema, type AuditBundle } from "@cmcp/audit/schema";
import { calculateJwkThumbprint, exportJWK } from "jose";
import * as oauth from "oauth4webapi";
import type { RpcReply } from "./fixture.ts";
import { AUDIENCE } from "./issuer.ts";

/** What an agent was answered. */
export interface BoundAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: RpcReply;
}

/** An agent that proves its key to a gateway. */
export interface BoundAgent {
  /** `cnf` of its tokens. */
  readonly confirmation: { readonly jkt: string };
  /** The record of one of its sessions. */
  export(token: string, session: string): Promise<AuditBundle>;
  /** Makes its proofs, also for an authorization server. */
  readonly proofs: oauth.DPoPHandle;
  /** Fields of the requests that it sent. */
  readonly sent: readonly Headers[];
  /** Calls a tool, a second time if it lacked the nonce. */
  call(token: string, workflow?: string): Promise<BoundAnswer>;
  /** Sends one request as it is, with a proof of its key. */
  once(token: string, workflow?: string): Promise<BoundAnswer>;
}

/** The body of a call that any caller may make. */
export function callBody(workflow?: string): string {
  const context = workflow === undefined ? {} : { _cmcp: { workflow_id: workflow } };
  const params = { name: "send_message", arguments: { to: "ops@example.org", text: "hello" }, ...context };
  return JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params });
}

/** The answer that a client of others read as a challenge, or the answer itself. */
async function answered(asking: Promise<Response>): Promise<BoundAnswer> {
  const response = await asking.catch((thrown: unknown) => {
    if (thrown instanceof oauth.WWWAuthenticateChallengeError) return thrown.response;
    throw thrown;
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as RpcReply };
}

/**
 * Makes an agent with a key of its own.
 * @param gateway base URL where it reaches the gateway; its proofs name the resource
 * @param send what sends its requests
 */
export async function boundAgent(gateway: string, send: typeof fetch = fetch): Promise<BoundAgent> {
  const keys = await oauth.generateKeyPair("ES256");
  const proofs = oauth.DPoP({}, keys);
  const sent: Headers[] = [];
  const there = async (url: string, { method, headers, body }: oauth.CustomFetchOptions<string, unknown>) => {
    sent.push(new Headers(headers));
    const { pathname, search } = new URL(url);
    const content = typeof body === "string" ? { body } : {};
    return await send(`${gateway}${pathname}${search}`, { method, headers, ...content });
  };
  const ask = async (token: string, workflow?: string): Promise<Response> =>
    await oauth.protectedResourceRequest(
      token,
      "POST",
      new URL(AUDIENCE),
      new Headers({ "content-type": "application/json", accept: "application/json, text/event-stream" }),
      callBody(workflow),
      { DPoP: proofs, [oauth.customFetch]: there },
    );
  return {
    confirmation: { jkt: await calculateJwkThumbprint(await exportJWK(keys.publicKey)) },
    proofs,
    sent,
    export: async (token, session) => {
      const url = new URL(`/audit/export?session_id=${session}`, AUDIENCE);
      const options = { DPoP: proofs, [oauth.customFetch]: there };
      const response = await oauth.protectedResourceRequest(token, "GET", url, new Headers(), null, options);
      return auditBundleSchema.parse(await response.json());
    },
    once: async (token, workflow) => await answered(ask(token, workflow)),
    call: async (token, workflow) =>
      await answered(
        ask(token, workflow).catch(async (thrown: unknown) => {
          if (oauth.isDPoPNonceError(thrown)) return await ask(token, workflow);
          throw thrown;
        }),
      ),
  };
}
