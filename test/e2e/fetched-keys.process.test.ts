/** Tokens of an authorization server of others, whose keys the enclave fetches through the host's relay. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { boundAgent, type BoundAgent } from "../gateway/bound-agent.ts";
import { receiptOf } from "../gateway/fixture.ts";
import { startGateway, type Gateway } from "../gateway/gateway.ts";
import { deployWithIdentity } from "../gateway/identity.ts";
import { AUDIENCE } from "../gateway/issuer.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { startKeyIssuer, type KeyIssuer } from "../servers/key-issuer.ts";
import { startRecordsServer, type RecordsServer } from "../servers/records-server.ts";

const BEARER = "fetched-keys-test-token-0123456789abcdefghij";

describe("a gateway that fetches an issuer's keys", () => {
  let folder: string;
  let records: RecordsServer;
  let issuer: KeyIssuer;
  let gateway: Gateway;
  let agent: BoundAgent;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-keys-"));
    records = await startRecordsServer();
    issuer = await startKeyIssuer();
    const identity = {
      resource: AUDIENCE,
      jwt: [
        {
          issuer: issuer.url,
          audience: [AUDIENCE],
          algorithms: ["ES256"],
          jwks_uri: issuer.keySet,
          jwks_fetch: { pins: [issuer.fingerprint], refresh_seconds: 30 },
          scope_workflows: { "records:read": ["default"], "records:write": ["settle"] },
          require_dpop: true,
          subjects: [{ subject: "desk-7", principal: "desk" }],
        },
      ],
    };
    gateway = await startGateway(await deployWithIdentity(join(folder, "d"), records, identity), {
      CMCP_DEV_MODE: "1",
      CMCP_BEARER_TOKEN: BEARER,
    });
    agent = await boundAgent(gateway.url);
  });
  after(async () => {
    await gateway.stop();
    await issuer.close();
    await records.close();
    await rm(folder, { recursive: true, force: true });
  });

  const status = async (): Promise<{ readonly issuers: readonly Record<string, unknown>[] }> =>
    (await (
      await fetch(`${gateway.url}/v1/status`, { headers: { authorization: `Bearer ${BEARER}` } })
    ).json()) as Awaited<ReturnType<typeof status>>;

  test("verifies its tokens, bound to the agent's key, with the workflows of their scopes, and says with which keys", async () => {
    assert.deepEqual((await status()).issuers, [{ issuer: issuer.url, keys: "none" }]);
    assert.equal(issuer.asked(), 0, "nothing is fetched before a token needs it");
    const token = await issuer.grant("records:read", agent.proofs);
    const { status: answered, body } = await agent.call(token);
    assert.equal(answered, 200, JSON.stringify(body));
    assert.equal((await agent.call(token, "settle")).body.error?.data?.error_code, "WORKFLOW_NOT_ALLOWED");
    assert.equal(issuer.asked(), 1);
    const [state] = (await status()).issuers;
    assert.match(String(state?.["key_set"]), /^sha256:[0-9a-f]{64}$/);
    const { entries } = await agent.export(token, receiptOf(body).session_id);
    for (const entry of [entries[0], entries.at(-1)])
      assert.equal(entry?.detail?.["identity_issuer_keys"], state?.["key_set"], entry?.entry_type);
  });

  test("refuses a token of its own issuer that is not bound, and a stranger's under a known kid", async () => {
    const free = await issuer.grant("records:read");
    const refused = await fetch(gateway.mcp, {
      method: "POST",
      body: "{}",
      headers: { authorization: `Bearer ${free}`, "content-type": "application/json" },
    });
    assert.equal(refused.status, 401);
    assert.match(await refused.text(), /only tokens of this issuer that are bound to a key/);
    const stranger = await startKeyIssuer();
    try {
      assert.equal((await agent.call(await stranger.grant("records:read", agent.proofs))).status, 401);
    } finally {
      await stranger.close();
    }
  });

  test("takes up a new key, and drops the one that the issuer took back", {
    timeout: 180_000 * PATIENCE,
  }, async () => {
    const before = await issuer.grant("records:read", agent.proofs);
    assert.equal((await agent.call(before)).status, 200);
    const asked = issuer.asked();
    issuer.rotate("second");
    const after = await issuer.grant("records:read", agent.proofs);
    // The first ones may come in the interval that follows a fetch.
    let answer = await agent.call(after);
    while (answer.status === 401) {
      await delay(500);
      answer = await agent.call(after);
    }
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    assert.ok(issuer.asked() - asked <= 2, "repeating it fetches nothing more often");
    assert.equal((await agent.call(before)).status, 401, "the key before verifies nothing");
  });
});
