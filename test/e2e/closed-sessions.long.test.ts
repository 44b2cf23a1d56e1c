/** Claims and exports of closed sessions stay within reach of their principal, however many sessions others close. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { platformArguments } from "../gateway/appraisal.ts";
import { cmcp } from "../gateway/cli.ts";
import { receiptOf } from "../gateway/fixture.ts";
import { startDeployment, type Agent, type Answer, type Deployment } from "../gateway/principals.ts";

const MESSAGE = { to: "ops@example.org", text: "hello" };
/** More than the enclave keeps in memory. */
const MANY = 300;

describe("a closed session", () => {
  let deployment: Deployment;
  let alice: Agent;
  let bob: Agent;
  before(async () => {
    deployment = await startDeployment({ alice: null, bob: null });
    alice = deployment.agent(deployment.tokenOf("alice"));
    bob = deployment.agent(deployment.tokenOf("bob"));
  });
  after(() => deployment.close());

  const closed = async (agent: Agent, label: string): Promise<{ session: string; claim: string }> => {
    const session = receiptOf((await agent.call("send_message", MESSAGE, { label })).body).session_id;
    const answer = await agent.request(`/sessions/${session}/close`, { method: "POST" });
    assert.equal(answer.status, 200);
    return { session, claim: answer.text };
  };

  test("is read back for its principal, and for nobody else, after another has closed hundreds", async () => {
    const { session, claim } = await closed(bob, "bobs");
    const ask = async (agent: Agent, id: string): Promise<Answer[]> => [
      await agent.request(`/sessions/${id}/trace-claim`),
      await agent.request(`/sessions/${id}/close`, { method: "POST" }),
      await agent.request(`/audit/export?session_id=${id}`),
      await agent.request(`/sessions/${id}/evidence`),
    ];
    const before = await ask(bob, session);
    for (let n = 0; n < MANY / 4; n += 1)
      await Promise.all(["a", "b", "c", "d"].map((part) => closed(alice, `${part}-${n}`)));
    const after = await ask(bob, session);
    assert.deepEqual(
      after.map(({ status }) => status),
      [200, 200, 200, 200],
    );
    assert.deepEqual(
      after.slice(0, 3).map(({ text }) => text),
      before.slice(0, 3).map(({ text }) => text),
      "the same claim and the same export",
    );
    assert.equal(after[0]?.text, claim);
    const [theirs, nobodys] = [await ask(alice, session), await ask(alice, randomUUID())];
    assert.deepEqual(
      theirs.map(({ status, text }) => [status, text]),
      nobodys.map(({ status, text }) => [status, text]),
    );
    assert.ok(theirs.every(({ status }) => status === 404));
  });

  test("is what it was for its principal after a restart, whether its agent closed it or the gateway as it stopped", async () => {
    const byHand = await closed(bob, "by hand");
    const byStop = {
      session: receiptOf((await bob.call("send_message", MESSAGE, { label: "by the stop" })).body).session_id,
    };
    const exported = await bob.request(`/audit/export?session_id=${byHand.session}`);
    await deployment.restart();
    const again = deployment.agent(deployment.tokenOf("bob"));
    const text = async (path: string): Promise<string> => {
      const answer = await again.request(path);
      assert.equal(answer.status, 200, path);
      return answer.text;
    };
    assert.equal(await text(`/sessions/${byHand.session}/trace-claim`), byHand.claim);
    assert.equal(await text(`/audit/export?session_id=${byHand.session}`), exported.text);
    assert.equal((await again.request(`/sessions/${byHand.session}/close`, { method: "POST" })).text, byHand.claim);
    const folder = await mkdtemp(join(tmpdir(), "cmcp-closed-"));
    for (const { session } of [byHand, byStop]) {
      await writeFile(join(folder, "claim.json"), await text(`/sessions/${session}/trace-claim`));
      await writeFile(join(folder, "bundle.json"), await text(`/audit/export?session_id=${session}`));
      const verdict = await cmcp([
        "verify",
        join(folder, "claim.json"),
        "--audit-bundle",
        join(folder, "bundle.json"),
        ...(await platformArguments(deployment.gateway, { token: deployment.tokenOf("bob"), session, folder })),
      ]);
      assert.equal(verdict.code, 0, verdict.stdout + verdict.stderr);
      assert.match(verdict.stdout, /closed session/);
      const record = await again.request(`/sessions/${session}/trace-record`);
      assert.deepEqual(
        [record.status, /SESSION_INCOMPLETE/.test(record.text)],
        [409, true],
        "no key is left to sign another form of it",
      );
      const stranger = deployment.agent(deployment.tokenOf("alice"));
      for (const path of [
        `/sessions/${session}/trace-claim`,
        `/audit/export?session_id=${session}`,
        `/sessions/${session}/evidence`,
      ])
        assert.equal((await stranger.request(path)).status, 404, path);
    }
    await rm(folder, { recursive: true });
  });

  test("whose agent asked for ever new names has none of them in its claim, and is not filled by them", async () => {
    const sessions = new Map<string, number>();
    for (let count = 0; count < 50; count += 1) {
      const calls = ["a", "b", "c", "d"].map(async (part) => {
        const { body } = await alice.call(`${part}${count}`.padEnd(256, "ä"), {}, { label: "curious" });
        const { session_id: session } = receiptOf(body);
        sessions.set(session, (sessions.get(session) ?? 0) + 1);
      });
      await Promise.all(calls);
    }
    const [asked, ...more] = sessions.keys();
    assert.ok(asked !== undefined && more.length === 0);
    const folder = await mkdtemp(join(tmpdir(), "cmcp-full-"));
    const save = async (name: string, path: string): Promise<string> => {
      const { status, text } = await alice.request(path);
      assert.equal(status, 200, path);
      await writeFile(join(folder, name), text);
      return join(folder, name);
    };
    assert.equal((await alice.request(`/sessions/${asked}/close`, { method: "POST" })).status, 200);
    const claim = await save("claim.json", `/sessions/${asked}/trace-claim`);
    const bundle = await save("bundle.json", `/audit/export?session_id=${asked}`);
    for (const path of [claim, bundle]) assert.doesNotMatch(await readFile(path, "utf8"), /ää/);
    const shown = { token: deployment.tokenOf("alice"), session: asked, folder };
    const platform = await platformArguments(deployment.gateway, shown);
    const verdict = await cmcp(["verify", claim, "--audit-bundle", bundle, ...platform]);
    assert.equal(verdict.code, 0, verdict.stdout + verdict.stderr);
    assert.match(verdict.stdout, /closed session/);
    assert.match(verdict.stdout, new RegExp(`${sessions.get(asked)} calls`), "every refused call is in it");
    await rm(folder, { recursive: true });
  });

  test("is found by its id, and no longer by its label, which is free again", async () => {
    const label = "my session";
    const { body } = await alice.call("send_message", MESSAGE, { label });
    const { session_id: session } = receiptOf(body);
    const exported = async (name: string): Promise<Answer> =>
      await alice.request(`/audit/export?session_id=${encodeURIComponent(name)}`);
    assert.equal((await exported(label)).status, 200);
    assert.equal((await alice.request(`/sessions/${session}/close`, { method: "POST" })).status, 200);
    assert.equal((await exported(session)).status, 200);
    const [gone, nobodys] = [await exported(label), await exported(randomUUID())];
    assert.deepEqual([gone.status, gone.text], [404, nobodys.text]);
  });
});
