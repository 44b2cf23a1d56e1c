import assert from "node:assert/strict";
import { test } from "node:test";
import { silentPeer } from "@cmcp/mcp";
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
  const terms: PeerTerms = { maxBytes: 1_000, withholdText: false, mode: "buffered", taskId: null, mayBecomeTask: false, reached: () => void order.push("seen"), questions: { put: () => ({ answered: () => void order.push("decided again") }), detail: {} } };
  const { signal } = new AbortController();
  assert.deepEqual(await new GovernedPeer(agent, terms).ask("elicitation/create", { message: "?" }, signal), { action: "accept" });
  assert.equal(open, signal);
  assert.deepEqual(order.splice(0), ["seen", "asked", "decided again"]);
  const told = new GovernedPeer(agent, terms);
  for (let event = 0; event < 2; event += 1) await told.notify("notifications/message", { level: "info", data: "x" });
  assert.deepEqual(order, ["seen", "told", "told"]);
});
