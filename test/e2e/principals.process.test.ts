import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { receiptOf } from "../gateway/fixture.ts";
import {
  eventually,
  newToken,
  startDeployment,
  tokenLine,
  type Agent,
  type Answer,
  type Deployment,
} from "../gateway/principals.ts";
import { startGateway } from "../gateway/gateway.ts";
import { cmcp } from "../gateway/cli.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { listenInBothEras } from "../gateway/listening.ts";

const MESSAGE = { to: "ops@example.org", text: "hello" };

describe("two principals of one gateway", () => {
  let deployment: Deployment;
  let alice: Agent;
  let bob: Agent;
  before(async () => {
    deployment = await startDeployment({ alice: ["default", "claims"], bob: null }, [], startGateway);
    alice = deployment.agent(deployment.tokenOf("alice"));
    bob = deployment.agent(deployment.tokenOf("bob"));
  });
  after(() => deployment.close());

  test("each has its own sessions, named as itself in the record", async () => {
    const [first, second] = [
      receiptOf((await alice.call("send_message", MESSAGE)).body),
      receiptOf((await bob.call("send_message", MESSAGE)).body),
    ];
    assert.notEqual(first.session_id, second.session_id);
    const bundle = JSON.parse((await alice.request(`/audit/export?session_id=${first.session_id}`)).text) as {
      entries: { detail: { principal?: string } }[];
    };
    assert.equal(bundle.entries[0]?.detail.principal, "alice");
  });

  test("a request that names no session uses its principal's one session, by whatever connection", async () => {
    const sessions = new Set<string>();
    for (let n = 0; n < 3; n += 1) sessions.add(receiptOf((await alice.call("send_message", MESSAGE)).body).session_id);
    assert.equal(sessions.size, 1);
    assert.notEqual(
      receiptOf((await alice.call("send_message", MESSAGE, { label: "other" })).body).session_id,
      [...sessions][0],
    );
  });

  test("what one has seen is not held against the other", async () => {
    assert.equal((await bob.call("get_patient_record", { patient_id: "P-1001" })).status, 200);
    assert.equal(
      (await bob.call("send_message", MESSAGE)).body.error?.data?.error_code,
      "SESSION_SENSITIVITY_POLICY_DENY",
    );
    assert.equal((await alice.call("send_message", MESSAGE)).status, 200);
  });

  test("a workflow is the principal's own, whoever else has it", async () => {
    const reached = deployment.records.calls.length;
    assert.equal((await alice.call("send_message", MESSAGE, { workflow: "claims" })).status, 200);
    const refused = await bob.call("send_message", MESSAGE, { workflow: "claims" });
    assert.equal(refused.status, 403);
    assert.equal(refused.body.error?.data?.error_code, "WORKFLOW_NOT_ALLOWED");
    assert.equal(receiptOf(refused.body).decision, "deny");
    assert.equal(deployment.records.calls.length, reached + 1, "the refused call did not leave");
  });

  describe("another principal's session is exactly like one that does not exist", () => {
    let id: string;
    let handle: string;
    before(async () => {
      handle = await alice.open();
      id = receiptOf((await alice.call("send_message", MESSAGE, { handle })).body).session_id;
      await alice.call("send_message", MESSAGE, { label: "quarterly" });
    });

    const facts = ({ status, headers, text }: Answer): object => ({ status, type: headers.get("content-type"), text });
    const same = async (ask: (name: string) => Promise<Answer>, theirs: string, nobodys: string): Promise<void> => {
      const found = await ask(theirs);
      assert.deepEqual(facts(found), facts(await ask(nobodys)));
      assert.ok(found.status >= 400, "it is refused");
    };

    test("by handle", async () => {
      const ask = async (name: string): Promise<Answer> =>
        await bob.post(
          { jsonrpc: "2.0", id: 7, method: "tools/call", params: { name: "send_message", arguments: MESSAGE } },
          { "mcp-session-id": name },
        );
      await same(ask, handle, newToken());
      const list = async (name: string): Promise<Answer> =>
        await bob.post({ jsonrpc: "2.0", id: 7, method: "tools/list" }, { "mcp-session-id": name });
      await same(list, handle, newToken());
      const end = async (name: string): Promise<Answer> =>
        await bob.request("/mcp", { method: "DELETE", headers: { "mcp-session-id": name } });
      await same(end, handle, newToken());
    });

    for (const [what, path, method] of [
      ["claim", (name: string) => `/sessions/${name}/trace-claim`, "GET"],
      ["trust record", (name: string) => `/sessions/${name}/trace-record`, "GET"],
      ["evidence", (name: string) => `/sessions/${name}/evidence`, "GET"],
      ["close", (name: string) => `/sessions/${name}/close`, "POST"],
      ["export", (name: string) => `/audit/export?session_id=${name}`, "GET"],
    ] as const) {
      test(`${what}: by id, handle and label, open and closed`, async () => {
        const ask = async (name: string): Promise<Answer> => await bob.request(path(name), { method });
        await same(ask, id, randomUUID());
        await same(ask, handle, newToken());
        await same(ask, "quarterly", "yearly");
        const closed = receiptOf((await alice.call("send_message", MESSAGE, { label: what })).body).session_id;
        assert.equal((await alice.request(`/sessions/${closed}/close`, { method: "POST" })).status, 200);
        await same(ask, closed, randomUUID());
      });
    }

    test("and its owner still has it", async () => {
      assert.equal(receiptOf((await alice.call("send_message", MESSAGE, { handle })).body).session_id, id);
      assert.equal((await alice.request(`/sessions/${id}/trace-claim`)).status, 200);
    });
  });

  test("a label is private: the same word is another session for another principal", async () => {
    const session = async (agent: Agent): Promise<string> =>
      receiptOf((await agent.call("get_patient_record", { patient_id: "P-1001" }, { label: "shared" })).body)
        .session_id;
    const [mine, theirs] = [await session(alice), await session(bob)];
    assert.notEqual(mine, theirs);
    assert.equal(await session(alice), mine);
  });
});

describe("tokens", () => {
  let deployment: Deployment;
  before(async () => {
    deployment = await startDeployment({ alice: ["default", "claims"], bob: null }, [], startGateway);
  });
  after(() => deployment.close());

  const list = { jsonrpc: "2.0", id: 1, method: "tools/list" };
  const reread = async (): Promise<void> => {
    const count = (): number => deployment.gateway.log().split("tokens ").length;
    const seen = count();
    process.kill(deployment.gateway.pid, "SIGHUP");
    await eventually("the token file is read again", () => count() > seen);
  };

  test("that are given anew leave an entry in an open session, and its bundle verifies with it", async () => {
    const alice = deployment.agent(deployment.tokenOf("alice"));
    const { session_id: session } = receiptOf((await alice.call("send_message", MESSAGE, { label: "anew" })).body);
    await reread();
    const claim = join(deployment.folder, "anew-claim.json");
    const bundle = join(deployment.folder, "anew-bundle.json");
    await writeFile(claim, (await alice.request(`/sessions/${session}/close`, { method: "POST" })).text);
    const { text } = await alice.request(`/audit/export?session_id=${session}`);
    await writeFile(bundle, text);
    const { entries } = JSON.parse(text) as {
      entries: { entry_type: string; detail: { provision_sequence?: number; provision_hash?: string } }[];
    };
    const [root, , provision] = entries;
    assert.equal(provision?.entry_type, "provision");
    assert.equal(provision.detail.provision_sequence, (root?.detail.provision_sequence ?? 0) + 1);
    assert.match(provision.detail.provision_hash ?? "", /^sha256:[0-9a-f]{64}$/);
    const verified = await cmcp(["verify", claim, "--audit-bundle", bundle, "--allow-software-only"]);
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
  });

  test("that are wrong, malformed or missing are refused alike", async () => {
    const token = deployment.tokenOf("alice");
    const refusals = [];
    for (const header of [
      `Bearer ${newToken()}`,
      `Bearer ${token.slice(1)}`,
      `Bearer ${token}x`,
      `Bearer ${token} x`,
      "Bearer",
      "Bearer ",
      `Basic ${token}`,
      token,
      null,
    ]) {
      const response = await fetch(`${deployment.gateway.url}/mcp`, {
        method: "POST",
        body: JSON.stringify(list),
        headers: {
          "content-type": "application/json",
          accept: "application/json",
          ...(header === null ? {} : { authorization: header }),
        },
      });
      // Of an error only where a token was sent (RFC 6750 section 3.1).
      assert.equal(
        response.headers.get("www-authenticate"),
        header?.startsWith("Bearer") === true ? 'Bearer error="invalid_token"' : "Bearer",
        String(header?.slice(0, 7)),
      );
      refusals.push(`${response.status} ${await response.text()}`);
    }
    assert.equal(new Set(refusals).size, 1, refusals.join("\n"));
    assert.match(refusals[0] ?? "", /^401 .*UNAUTHENTICATED/);
  });

  test("that are taken away are refused from then on, and so is everything of their principal to everybody else", async () => {
    const [alice, bob] = [deployment.agent(deployment.tokenOf("alice")), deployment.agent(deployment.tokenOf("bob"))];
    const { session_id: id } = receiptOf((await alice.call("send_message", MESSAGE)).body);
    await deployment.writeTokens(tokenLine("bob", deployment.tokenOf("bob")));
    assert.equal((await alice.post(list)).status, 200, "not before the file is read again");
    await reread();
    for (const answer of [
      await alice.post(list),
      await alice.request(`/sessions/${id}/trace-claim`),
      await alice.request("/v1/status"),
    ])
      assert.equal(answer.status, 401);
    assert.equal((await bob.post(list)).status, 200);
    assert.equal((await bob.request(`/sessions/${id}/trace-claim`)).status, 404);

    const fresh = newToken();
    await deployment.writeTokens(tokenLine("bob", deployment.tokenOf("bob")) + tokenLine("alice", fresh));
    await reread();
    assert.equal((await alice.post(list)).status, 401);
    assert.equal(
      receiptOf((await deployment.agent(fresh).call("send_message", MESSAGE)).body).session_id,
      id,
      "the principal's session waited for its new token",
    );
  });

  test("that are replaced end the streams they opened, in both eras, and no other", {
    timeout: 60_000 * PATIENCE,
  }, async () => {
    const kept = newToken();
    await deployment.writeTokens(tokenLine("bob", deployment.tokenOf("bob")) + tokenLine("bob", kept));
    await reread();
    const [replaced, staying] = [
      await listenInBothEras(deployment.gateway, deployment.tokenOf("bob")),
      await listenInBothEras(deployment.gateway, kept),
    ];
    await deployment.writeTokens(tokenLine("bob", kept) + tokenLine("bob", newToken()));
    await reread();
    assert.match(await replaced.modern.text(), /"id":7,"result":/, "the subscription ends with its result");
    await replaced.legacy.text();
    const { load } = JSON.parse((await deployment.agent(kept).request("/v1/status")).text) as {
      load: { agent_streams: { open: number } };
    };
    assert.equal(load.agent_streams.open, 2);
    await Promise.all([staying.modern.body?.cancel(), staying.legacy.body?.cancel()]);
  });

  test("survive a restart of the enclave as they were last read", async () => {
    const fresh = newToken();
    await deployment.writeTokens(tokenLine("bob", fresh));
    await reread();
    await deployment.killEnclave();
    assert.equal((await deployment.agent(fresh).post(list)).status, 200);
    assert.equal((await deployment.agent(deployment.tokenOf("bob")).post(list)).status, 401);
  });

  test("in a file that is wrong leave the ones before in force", async () => {
    const fresh = newToken();
    await deployment.writeTokens(tokenLine("bob", fresh));
    await reread();
    for (const wrong of [`bob ${newToken()}\n`, tokenLine("mallory", newToken())]) {
      await deployment.writeTokens(wrong);
      await reread();
      assert.match(deployment.gateway.log(), /tokens not replaced: CONFIG_INVALID/);
      assert.equal((await deployment.agent(fresh).post(list)).status, 200);
    }
  });

  test("are made by a command that prints them once and the line for the file", async () => {
    const made = await cmcp(["token", "new", "alice", "--json"]);
    const { token, line } = JSON.parse(made.stdout) as { token: string; line: string };
    assert.equal(Buffer.from(token, "base64url").length, 32);
    assert.equal(`${line}\n`, tokenLine("alice", token));
    await deployment.writeTokens(`${line}\n`);
    await reread();
    assert.equal((await deployment.agent(token).post(list)).status, 200);
    assert.equal((await cmcp(["token", "new", "a b"])).code, 64);
  });

  test("may be for one workflow of their principal, and then name no other", async () => {
    const made = await cmcp(["token", "new", "alice", "--workflow", "claims", "--json"]);
    const { token, line } = JSON.parse(made.stdout) as { token: string; line: string };
    await deployment.writeTokens(`${line}\n`);
    await reread();
    const agent = deployment.agent(token);
    const refused = await agent.call("send_message", MESSAGE, { workflow: "default" });
    assert.equal(refused.body.error?.data?.error_code, "WORKFLOW_NOT_ALLOWED");
    assert.equal((await agent.call("send_message", MESSAGE)).status, 200);
    assert.equal((await agent.call("send_message", MESSAGE, { workflow: "claims" })).status, 200);
    assert.equal((await cmcp(["token", "new", "alice", "--workflow", "a b"])).code, 64);

    await deployment.writeTokens(tokenLine("bob", newToken()).replace("\n", " claims\n"));
    await reread();
    assert.match(deployment.gateway.log(), /tokens not replaced: PRINCIPAL_NOT_MEASURED/);
  });
});
