/** Many exports of a long session at one time: each is whole, and others' calls go on meanwhile. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { receiptOf } from "../gateway/fixture.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { startDeployment } from "../gateway/principals.ts";

const EXPORTS = 32;
const CALLS = 320;

test("exports that nobody reads hold up no other principal, and each is whole once it is read", {
  timeout: 120_000 * PATIENCE,
}, async (t) => {
  const deployment = await startDeployment({ alice: null, bob: null });
  t.after(() => deployment.close());
  const alice = deployment.agent(deployment.tokenOf("alice"));
  const bob = deployment.agent(deployment.tokenOf("bob"));
  const sessions = new Set<string>();
  for (let count = 0; count < CALLS; count += 8) {
    const refused = Array.from({ length: 8 }, async (_, index) => {
      const { body } = await alice.call(`tool-${count + index}`, {}, { label: "long" });
      sessions.add(receiptOf(body).session_id);
    });
    await Promise.all(refused);
  }
  const [session] = sessions;
  assert.ok(session !== undefined && sessions.size === 1);
  const url = `${deployment.gateway.url}/audit/export?session_id=${session}`;
  const headers = { authorization: `Bearer ${deployment.tokenOf("alice")}` };
  const asked = Array.from({ length: EXPORTS }, async () => await fetch(url, { headers }));
  const first = await Promise.race(asked);
  assert.equal(first.status, 200);
  for (let count = 0; count < 5; count += 1)
    assert.equal((await bob.call("send_message", { to: "ops@example.org", text: "hello" })).status, 200);
  const texts = await Promise.all(asked.map(async (response) => await (await response).text()));
  assert.equal(new Set(texts).size, 1);
  const bundle = JSON.parse(texts[0] ?? "") as { entries: unknown[]; bundle_signature: string };
  assert.equal(bundle.entries.length, CALLS + 1);
  assert.equal(bundle.bundle_signature.length, 86);
});
