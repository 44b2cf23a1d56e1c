import assert from "node:assert/strict";
import { test } from "node:test";
import { UpstreamRefusal, type Peer } from "@cmcp/mcp";
import { agentPeer, policyStub } from "../testing/calls.ts";
import { codeOf, start, type Scene } from "../testing/pipeline-scene.ts";

const SECRET = "the patient of room nine has been started on amoxicillin";
const noFlows = policyStub(
  ({ flows }) => ({ decision: flows.flows.length > 0 || !flows.complete ? "deny" : "allow" }),
  {
    reads: (_, attribute) => attribute === "flow_labels",
  },
);

for (const [what, answer] of [
  ["a result", () => ({ kind: "complete" as const, result: { content: [{ type: "text", text: SECRET }] } })],
  [
    "a log message",
    async (_request: unknown, peer: Peer) => {
      await peer.notify("notifications/message", { level: "info", data: SECRET });
      return { kind: "complete" as const, result: { content: [] } };
    },
  ],
  [
    "a question",
    async (_request: unknown, peer: Peer) => {
      await peer.ask("elicitation/create", {
        mode: "form",
        message: SECRET,
        requestedSchema: { type: "object", properties: {} },
      });
      return { kind: "complete" as const, result: { content: [] } };
    },
  ],
  [
    "an error",
    () => {
      throw new UpstreamRefusal({ code: -32_000, message: SECRET });
    },
  ],
] satisfies readonly (readonly [string, NonNullable<Scene["answer"]>])[])
  test(`what the agent is handed in ${what} is found in a later call`, async () => {
    const { run, upstreams, entries } = await start({ policy: noFlows, answer });
    const { peer } = agentPeer();
    const present: Peer["present"] = (outcome) =>
      outcome.kind === "error" && outcome.rpc !== undefined
        ? { error: { code: outcome.rpc.code, message: outcome.rpc.message }, status: 200 }
        : peer.present(outcome);
    await run({ arguments: { q: "which" } }, { ...peer, present });
    assert.equal(upstreams.sent.length, 1);
    assert.equal(codeOf(await run({ arguments: { q: `FYI ${SECRET}` } })), "POLICY_DENY");
    assert.match(String(entries().at(-1)?.detail?.["flow_from"]), /^notes\/lookup:fingerprint:/);
    await run({ arguments: { q: "which" } }, agentPeer().peer);
    assert.equal(upstreams.sent.length, 2);
  });
