/** Agent manifests on their way: presented plainly and sealed, bound to sessions of both eras, in receipts, record and claim. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { auditBundleSchema, receiptSchema, RECEIPT_META_KEY, type AuditEntry } from "@cmcp/audit/schema";
import type { JsonObject } from "@cmcp/boundary";
import { claimSchema, type Claim } from "@cmcp/claim/schema";
import { MAX_MANIFEST_BYTES } from "@cmcp/manifest";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { cmcp } from "../gateway/cli.ts";
import { startConnect } from "../gateway/connected.ts";
import { receiptOf } from "../gateway/fixture.ts";
import { DESK, DOOR, startManifestDeployment, type ManifestDeployment } from "../gateway/manifests.ts";
import { stateless } from "../gateway/stateless.ts";
import { ManifestIssuer } from "../../packages/manifest/src/testing/issuer.ts";

const MESSAGE = { to: "ops@example.org", text: "hello" };

/** Signs a list of revoked manifests as an operator does, and gives it to the gateway. */
async function revoke(deployment: ManifestDeployment, ...args: readonly string[]): Promise<void> {
  const key = join(deployment.folder, "revocation.pem");
  await writeFile(key, deployment.authority.privateKey.export({ type: "pkcs8", format: "pem" }).toString());
  const { url } = deployment.gateway;
  const run = await cmcp(["manifest", "revocations", "--key", key, "--url", url, ...args]);
  assert.equal(run.code, 0, run.stderr);
}

describe("a gateway that asks for agent manifests", () => {
  let deployment: ManifestDeployment;
  let sequence = 0;
  const next = (): readonly string[] => ["--sequence", String((sequence += 1))];
  const call = async (label?: string) =>
    await deployment
      .agent(deployment.tokenOf(DESK))
      .call("send_message", MESSAGE, label === undefined ? {} : { label });
  const codeOf = async (label?: string): Promise<string> =>
    (await call(label)).body.error?.data?.error_code ?? "answered";
  const presented = async (manifest: Uint8Array, principal = DESK): Promise<string> => {
    const { status, body } = await deployment.present(principal, manifest);
    assert.equal(status === 200, body.error === undefined);
    return body.thumbprint ?? `${body.error?.code}: ${body.error?.message}`;
  };
  before(async () => {
    deployment = await startManifestDeployment();
  });
  after(() => deployment?.close());

  test("without a manifest nothing goes out, and without a revocation list no manifest counts", async () => {
    assert.equal(await codeOf(), "AGENT_MANIFEST_BINDING_FAILED");
    const { issuer, members } = deployment;
    assert.match(await presented(issuer.json(members())), /^AGENT_MANIFEST_BINDING_FAILED: .*no revocation list/);
    assert.equal(await codeOf(), "AGENT_MANIFEST_BINDING_FAILED");
    assert.equal(deployment.records.calls.length, 0);
    await revoke(deployment, ...next());
    assert.equal(await codeOf(), "AGENT_MANIFEST_BINDING_FAILED", "a list is no manifest");
  });

  test("a list counts once, in order, and only of a measured key", async () => {
    const key = join(deployment.folder, "other.pem");
    const { privateKey } = deployment.authority;
    await writeFile(key, privateKey.export({ type: "pkcs8", format: "pem" }).toString());
    const { url } = deployment.gateway;
    const again = await cmcp(["manifest", "revocations", "--key", key, "--url", url, "--sequence", String(sequence)]);
    assert.equal(again.code, 10);
    assert.match(again.stderr, /^AGENT_MANIFEST_REVOCATIONS_REFUSED: .*sequence/);
    for (const wrong of [
      ["--days", "32"],
      ["--issuer", "desk"],
      ["--sequence", "one"],
      ["--crl", key],
    ])
      assert.equal(
        (await cmcp(["manifest", "revocations", "--key", key, "--url", url, ...wrong])).code,
        64,
        wrong.join(),
      );
    const status = await deployment.agent(deployment.tokenOf("alice")).request("/v1/status");
    assert.match(
      status.text,
      new RegExp(`"agent_manifests":\\{"revocations":\\{"sequence":${sequence},"valid_until":[0-9]+\\}\\}`),
    );
    const other = new ManifestIssuer(9);
    const forged = { list: {}, key: other.publicKey, signature: "" };
    const answer = await fetch(`${url}/manifest-revocations`, { method: "POST", body: JSON.stringify(forged) });
    assert.equal(answer.status, 403);
  });

  test("a manifest that is bad in any way is refused, and none of them lets a call out", async () => {
    const { issuer, members } = deployment;
    const text = issuer.json(members()).toString("utf8");
    const artifacts = members()["artifacts"] as { policy_bundle: JsonObject; tool_manifest: JsonObject };
    const other = `sha256:${"0".repeat(64)}`;
    const deep = (levels: number): JsonObject[string] => (levels === 0 ? 1 : [deep(levels - 1)]);
    const bad: readonly (readonly [string, Uint8Array, RegExp])[] = [
      ["a duplicate key", Buffer.from(text.replace("{", '{"version":"0.1",')), /MALFORMED: .*duplicate/],
      ["another subject", issuer.json(members({ agent_id: DOOR })), /BINDING_FAILED: .*another agent/],
      [
        "a hash of another bundle",
        issuer.json(members({ artifacts: { ...artifacts, policy_bundle: { hash: other } } })),
        /BINDING_FAILED: .*another policy bundle/,
      ],
      [
        "a hash of another catalog",
        issuer.json(members({ artifacts: { ...artifacts, tool_manifest: { catalog_hash: other } } })),
        /BINDING_FAILED: .*another catalog/,
      ],
      [
        "another mode",
        issuer.json(
          members({
            artifacts: { ...artifacts, policy_bundle: { ...artifacts.policy_bundle, enforcement_mode: "advisory" } },
          }),
        ),
        /BINDING_FAILED: .*enforcement mode/,
      ],
      [
        "one that has expired",
        issuer.json(members({ issued_at: "2026-01-01T00:00:00Z", expires_at: "2026-01-02T00:00:00Z" })),
        /BINDING_FAILED: .*expired/,
      ],
      ["one too large", Buffer.alloc(MAX_MANIFEST_BYTES + 1, 0x20), /MCP_PAYLOAD_TOO_LARGE/],
      ["one too deep", issuer.json(members({ data_scope: deep(40) })), /MALFORMED: .*nested/],
      ["an unknown algorithm", Buffer.from(text.replace('"Ed25519"', '"RS256"')), /MALFORMED: .*Ed25519/],
      ["trailing bytes", Buffer.concat([issuer.cose(members({ version: "0.2" })), Buffer.of(0)]), /MALFORMED: .*many/],
      ["a key without an anchor", new ManifestIssuer(9).json(members()), /BINDING_FAILED: .*no anchor/],
      [
        "a change after signing",
        Buffer.from(text.replace("reads tickets", "reads secrets")),
        /BINDING_FAILED: .*verify/,
      ],
      ["nothing", Buffer.alloc(0), /MALFORMED/],
    ];
    for (const [what, bytes, answer] of bad) assert.match(await presented(bytes), answer, what);
    assert.equal(await codeOf(), "AGENT_MANIFEST_BINDING_FAILED");
    assert.equal(deployment.records.calls.length, 0);
  });

  test("a manifest counts for the caller that it names, and for no other that shows it", async () => {
    const manifest = deployment.issuer.json(deployment.members());
    for (const principal of [DOOR, "alice"])
      assert.match(await presented(manifest, principal), /BINDING_FAILED: .*another agent/, principal);
  });

  let thumbprint = "";
  let own: Uint8Array = new Uint8Array();
  let receipt: ReturnType<typeof receiptOf>;

  test("under a manifest calls go out, and receipt, root entry and claim name it", async () => {
    own = deployment.issuer.json(deployment.members());
    thumbprint = await presented(own);
    assert.match(thumbprint, /^sha256:[0-9a-f]{64}$/);
    const { status, body } = await call("first");
    assert.equal(status, 200);
    receipt = receiptOf(body);
    assert.equal(receipt.agent_manifest, thumbprint);
  });

  test("both eras are under it, by whatever client", async () => {
    const { gateway } = deployment;
    const token = deployment.tokenOf(DESK);
    const modern = await stateless({ mcp: gateway.mcp, token }, "tools/call", {
      name: "send_message",
      arguments: MESSAGE,
    });
    assert.equal(receiptOf(modern.body).agent_manifest, thumbprint);
    for (const mode of ["legacy", "auto"] as const) {
      const agent = new Client({ name: "agent", version: "1" }, { versionNegotiation: { mode } });
      const headers = { authorization: `Bearer ${token}` };
      await agent.connect(new StreamableHTTPClientTransport(new URL(gateway.mcp), { requestInit: { headers } }));
      const { _meta: meta } = await agent.callTool({ name: "send_message", arguments: MESSAGE });
      assert.equal(receiptSchema.parse(meta?.[RECEIPT_META_KEY]).agent_manifest, thumbprint, mode);
      await agent.close();
    }
  });

  let claim: Claim;

  test("cmcp verify holds the claim to the manifest, and says so in words and in JSON", async () => {
    const agent = deployment.agent(deployment.tokenOf(DESK));
    claim = claimSchema.parse(
      JSON.parse((await agent.request(`/sessions/${receipt.session_id}/close`, { method: "POST" })).text),
    );
    assert.equal(claim.gateway.agent_identity?.agent_id, DESK);
    assert.equal(claim.gateway.agent_identity?.subject_source, "config");
    const file = async (name: string, content: string | Uint8Array): Promise<string> => {
      await writeFile(join(deployment.folder, name), content);
      return join(deployment.folder, name);
    };
    const bundle = (await agent.request(`/audit/export?session_id=${receipt.session_id}`)).text;
    const root = auditBundleSchema.parse(JSON.parse(bundle)).entries[0] as AuditEntry;
    assert.equal(root.detail?.["agent_manifest"], thumbprint);
    const parts = [
      await file("claim.json", JSON.stringify(claim)),
      "--audit-bundle",
      await file("bundle.json", bundle),
      "--receipt",
      await file("receipt.json", JSON.stringify(receipt)),
      "--allow-software-only",
      "--json",
    ];
    const { issuer, members } = deployment;
    const anchors = await file(
      "anchors.json",
      JSON.stringify({ keys: [{ public_key_base64url: issuer.publicKey, key_id: issuer.keyId }] }),
    );
    const verified = async (manifest: string, ...more: readonly string[]) => {
      const run = await cmcp(["verify", ...parts, "--manifest", manifest, "--manifest-anchors", anchors, ...more]);
      return {
        code: run.code,
        verdict: JSON.parse(run.stdout) as { agent?: object; checks: { name: string; code?: string }[] },
      };
    };
    const good = await verified(await file("manifest.json", own));
    assert.equal(good.code, 0, JSON.stringify(good.verdict.checks));
    assert.deepEqual(good.verdict.agent, {
      agentId: DESK,
      manifestId: claim.gateway.agent_identity?.manifest_id,
      thumbprint,
      manifestVerified: true,
    });
    const listed = join(deployment.folder, "revoked.json");
    const key = join(deployment.folder, "revocation.pem");
    const ownFile = join(deployment.folder, "manifest.json");
    const heldTo = ["--manifest-revocations", listed, "--revocation-key", deployment.authority.publicKey];
    for (const [revoked, code] of [
      ["spiffe://bank.example/issuers/gone", 0],
      [claim.gateway.agent_identity.issuer, 10],
    ] as const) {
      assert.equal(
        (await cmcp(["manifest", "revocations", "--key", key, "--out", listed, "--issuer", revoked])).code,
        0,
      );
      assert.equal((await verified(ownFile, ...heldTo)).code, code, revoked);
    }
    for (const stray of [heldTo.slice(0, 2), heldTo.slice(2), [...heldTo.slice(0, 2), "--revocation-key", "short"]])
      assert.equal(
        (await cmcp(["verify", ...parts, "--manifest", ownFile, "--manifest-anchors", anchors, ...stray])).code,
        64,
      );
    assert.equal((await cmcp(["verify", ...parts, ...heldTo])).code, 64, "it needs the manifest");
    const other = await verified(await file("other.json", issuer.json(members({ intent: { statement: "x" } }))));
    assert.equal(other.code, 10);
    assert.ok(other.verdict.checks.some(({ code }) => code === "AGENT_MANIFEST_MISMATCH"));
    const without = await cmcp(["verify", ...parts.slice(0, -1)]);
    assert.equal(without.code, 0);
    assert.match(without.stdout, /^agent {3}spiffe:\/\/bank\.example\/agents\/desk, by the enclave's word/m);
  });

  test("another manifest ends the sessions under the one before, and a repeated one ends none", async () => {
    const before = receiptOf((await call("kept")).body);
    assert.equal(await presented(own), thumbprint);
    assert.equal(receiptOf((await call("kept")).body).session_id, before.session_id);
    const { issuer, members } = deployment;
    const next = await presented(issuer.cose(members({ version: "0.2" })));
    const after = receiptOf((await call("kept")).body);
    assert.notEqual(after.session_id, before.session_id);
    assert.deepEqual([next === thumbprint, after.agent_manifest], [false, next]);
  });

  test("a manifest that is revoked lets no call of its open session out, which the record says", async () => {
    const sent = deployment.records.calls.length;
    await revoke(deployment, ...next(), "--issuer", "spiffe://bank.example/issuers/desk");
    const { status, body } = await call("kept");
    assert.deepEqual([status, body.error?.data?.error_code], [403, "AGENT_MANIFEST_BINDING_FAILED"]);
    assert.equal(receiptOf(body).decision, "deny");
    assert.equal(await codeOf("another"), "AGENT_MANIFEST_BINDING_FAILED", "and opens no session");
    assert.equal(deployment.records.calls.length, sent);
    assert.match(await presented(own), /BINDING_FAILED: .*revoked/);
    await revoke(deployment, ...next());
    assert.equal(await codeOf("kept"), "answered");
  });

  test("after a restart both are missing, and nothing goes out until they are there", async () => {
    await deployment.restart();
    assert.equal(await codeOf(), "AGENT_MANIFEST_BINDING_FAILED");
    await revoke(deployment, ...next());
    assert.equal(await codeOf(), "AGENT_MANIFEST_BINDING_FAILED");
    await presented(own);
    assert.equal(await codeOf(), "answered");
  });
});

describe("a sealed gateway that asks for agent manifests", () => {
  test("a manifest comes under the seal with cmcp connect, and one in the clear is not taken", async (t) => {
    const deployment = await startManifestDeployment(["channel: sealed"]);
    t.after(() => deployment.close());
    await revoke(deployment);
    const manifest = deployment.issuer.json(deployment.members());
    const { body } = await deployment.present(DESK, manifest);
    assert.equal(body.error?.code, "SEAL_REQUIRED");
    const path = join(deployment.folder, "manifest.json");
    await writeFile(path, manifest);
    const token = deployment.tokenOf(DESK);
    const connected = await startConnect(deployment.gateway.url, {
      expected: ["--development", "--manifest", path],
      token,
    });
    t.after(() => connected.stop());
    const answer = await stateless({ mcp: connected.mcp, token }, "tools/call", {
      name: "send_message",
      arguments: MESSAGE,
    });
    const receipt = receiptOf(answer.body);
    assert.deepEqual([receipt.channel, receipt.agent_manifest?.startsWith("sha256:")], ["sealed", true]);
    await assert.rejects(
      startConnect(deployment.gateway.url, {
        expected: ["--development", "--manifest", path],
        token: deployment.tokenOf(DOOR),
      }),
      /AGENT_MANIFEST_BINDING_FAILED/,
    );
  });

  test("what is presented in the clear changes nothing for sealed sessions", async (t) => {
    const deployment = await startManifestDeployment();
    t.after(() => deployment.close());
    await revoke(deployment);
    assert.equal((await deployment.present(DESK, deployment.issuer.json(deployment.members()))).status, 200);
    const token = deployment.tokenOf(DESK);
    const connected = await startConnect(deployment.gateway.url, { token });
    t.after(() => connected.stop());
    const sealed = await stateless({ mcp: connected.mcp, token }, "tools/call", {
      name: "send_message",
      arguments: MESSAGE,
    });
    assert.match(JSON.stringify(sealed.body), /"code":"AGENT_MANIFEST_BINDING_FAILED"/);
  });
});

describe("conformance_profile: aarm", () => {
  test("starts where its conditions are met, and the root entry says so", async (t) => {
    const deployment = await startManifestDeployment([], "conformance_profile: aarm");
    t.after(() => deployment.close());
    await revoke(deployment);
    await deployment.present(DESK, deployment.issuer.json(deployment.members()));
    const agent = deployment.agent(deployment.tokenOf(DESK));
    const { session_id } = receiptOf((await agent.call("send_message", MESSAGE)).body);
    const { text } = await agent.request(`/audit/export?session_id=${session_id}`);
    assert.equal(auditBundleSchema.parse(JSON.parse(text)).entries[0]?.detail?.["conformance_profile"], "aarm");
  });
});
