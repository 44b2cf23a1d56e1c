import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError, type JsonObject } from "@cmcp/boundary";
import { ELICITATION_COMPLETE, silentPeer } from "@cmcp/mcp";
import { GovernedPeer, type PeerTerms } from "./governed-peer.ts";

test("before the agent hears anything the session has seen it, and a question is the agent's for as long as the server leaves it open", async () => {
  const order: string[] = [];
  let open: AbortSignal | undefined;
  const agent = {
    ...silentPeer(new AbortController().signal),
    notify: async () => void order.push("told"),
    ask: (_method: string, _params: object, until?: AbortSignal) => {
      order.push("asked");
      open = until;
      return Promise.resolve({ action: "accept" });
    },
  };
  const terms: PeerTerms = {
    maxBytes: 1_000,
    withholdText: false,
    mode: "buffered",
    taskId: null,
    mayBecomeTask: false,
    reached: () => void order.push("seen"),
    questions: { put: () => ({ answered: () => void order.push("decided again") }), detail: {} },
  };
  const { signal } = new AbortController();
  assert.deepEqual(
    await new GovernedPeer(agent, terms).ask(
      "elicitation/create",
      { message: "?", requestedSchema: { type: "object", properties: {} } },
      signal,
    ),
    {
      action: "accept",
    },
  );
  assert.equal(open, signal);
  assert.deepEqual(order.splice(0), ["seen", "asked", "decided again"]);
  const told = new GovernedPeer(agent, terms);
  for (let event = 0; event < 2; event += 1) await told.notify("notifications/message", { level: "info", data: "x" });
  assert.deepEqual(order, ["seen", "told", "told"]);
});

const QUESTIONS: Readonly<Record<string, (elicitationId: string) => JsonObject>> = {
  "elicitation/create url": (elicitationId) => ({
    mode: "url",
    message: "?",
    url: "https://a.example/",
    elicitationId,
  }),
  "elicitation/create form": (elicitationId) => ({
    mode: "form",
    message: "?",
    requestedSchema: { type: "object", properties: {} },
    elicitationId,
  }),
  "sampling/createMessage url": (elicitationId) => ({ messages: [], maxTokens: 1, mode: "url", elicitationId }),
};

test("that an elicitation is complete reaches the agent that was asked for it in this call, once, and nobody else", async () => {
  const told: unknown[] = [];
  const agent = {
    ...silentPeer(new AbortController().signal),
    notify: async (_: string, params: object) => void told.push(params),
    ask: async () => ({ action: "accept" }),
  };
  let permitted = true;
  const put = (): { answered: () => void } => {
    if (!permitted) throw new CmcpError("POLICY_DENY", "not this");
    return { answered: () => undefined };
  };
  const terms: PeerTerms = {
    maxBytes: 100_000,
    withholdText: false,
    mode: "buffered",
    taskId: null,
    mayBecomeTask: false,
    reached: () => undefined,
    questions: { put, detail: {} },
  };
  const [peer, another] = [new GovernedPeer(agent, terms), new GovernedPeer(agent, terms)];
  const ask = (elicitationId: string, mode = "url", method = "elicitation/create"): Promise<unknown> =>
    peer.ask(method, QUESTIONS[`${method} ${mode}`]?.(elicitationId) ?? {});
  const complete = (elicitationId: string, by = peer): Promise<void> =>
    by.notify(ELICITATION_COMPLETE, { elicitationId });
  await complete("early");
  await ask("early");
  await ask("form", "form");
  await ask("sampling", "url", "sampling/createMessage");
  const long = "x".repeat(257);
  await assert.rejects(ask(long), { code: "UPSTREAM_PROTOCOL_ERROR" });
  permitted = false;
  await assert.rejects(ask("denied"), { code: "POLICY_DENY" });
  permitted = true;
  for (const id of ["form", "sampling", long, "denied", "early", "early"]) await complete(id);
  await ask("another's");
  await complete("another's", another);
  assert.deepEqual(told.splice(0), [{ elicitationId: "early" }]);
  // The oldest is forgotten.
  for (let n = 0; n < 65; n += 1) await ask(String(n));
  for (const id of ["0", "1", "64"]) await complete(id);
  assert.deepEqual(told, [{ elicitationId: "1" }, { elicitationId: "64" }]);
});
