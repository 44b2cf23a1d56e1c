/**
 * Agents get what their claims need and the launch document's digest; the document goes to whom the measured
 * configuration lets read it.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cmcp } from "../gateway/cli.ts";
import { receiptOf } from "../gateway/fixture.ts";
import { startDeployment, type Agent, type Deployment } from "../gateway/principals.ts";

const MESSAGE = { to: "ops@example.org", text: "hello" };
const READERS = ["auditor", "operator"] as const;

interface EvidenceFile {
  readonly root_entry: { readonly detail: { readonly launch_digest: string } };
  readonly launch_document?: string;
}

describe("who reads the launch document", () => {
  let deployment: Deployment;
  before(async () => {
    deployment = await startDeployment({
      alice: null,
      plain: { role: "agent" },
      auditor: { role: "auditor" },
      operator: { role: "operator" },
    });
  });
  after(() => deployment.close());

  const of = (principal: string): Agent => deployment.agent(deployment.tokenOf(principal));
  const digestOf = (bytes: string | Uint8Array): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  const sessionOf = async (agent: Agent): Promise<string> =>
    receiptOf((await agent.call("send_message", MESSAGE)).body).session_id;
  const evidenceOf = async (agent: Agent, session: string): Promise<EvidenceFile> =>
    JSON.parse((await agent.request(`/sessions/${session}/evidence`)).text) as EvidenceFile;

  test("an agent gets its digest, of an open, a closed and an earlier instance's session", async () => {
    for (const principal of ["alice", "plain"]) {
      const agent = of(principal);
      const session = await sessionOf(agent);
      const open = await evidenceOf(agent, session);
      assert.deepEqual(
        [open.root_entry.detail.launch_digest, open.launch_document],
        [deployment.gateway.launch_digest, undefined],
      );
      assert.equal((await agent.request(`/sessions/${session}/close`, { method: "POST" })).status, 200);
      assert.equal((await evidenceOf(agent, session)).launch_document, undefined);
      const refused = await agent.request("/launch-document");
      assert.equal(refused.status, 403);
      assert.match(refused.text, /LAUNCH_DOCUMENT_NOT_ALLOWED/);
    }
  });

  test("an auditor and an operator get it, byte for byte, and nobody without a token", async () => {
    for (const principal of READERS) {
      const reader = of(principal);
      const { launch_document: inEvidence } = await evidenceOf(reader, await sessionOf(reader));
      assert.equal(digestOf(Buffer.from(inEvidence ?? "", "base64")), deployment.gateway.launch_digest);
      const { status, text } = await reader.request("/launch-document");
      assert.deepEqual([status, digestOf(text)], [200, deployment.gateway.launch_digest]);
    }
    assert.equal((await fetch(`${deployment.gateway.url}/launch-document`)).status, 401);
  });

  test("what an agent gets verifies beside the document that an auditor gets", async () => {
    const agent = of("alice");
    const session = await sessionOf(agent);
    const files = ["claim", "evidence", "launch"].map((name) => join(deployment.folder, `${name}.json`));
    const [claim = "", evidence = "", launch = ""] = files;
    await writeFile(claim, (await agent.request(`/sessions/${session}/close`, { method: "POST" })).text);
    await writeFile(evidence, (await agent.request(`/sessions/${session}/evidence`)).text);
    await writeFile(launch, (await of("auditor").request("/launch-document")).text);
    const given = ["verify", claim, "--evidence", evidence, "--allow-software-only"];
    const verified = await cmcp([...given, "--launch-document", launch]);
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
    assert.match(verified.stdout, /passed +launch digest in root entry/);
    assert.match(verified.stdout, /passed +policy of launch document/);
    const digest = deployment.gateway.launch_digest.slice("sha256:".length);
    assert.equal((await cmcp([...given, "--launch-digest", digest])).code, 0, "the digest alone pins it, too");
    assert.notEqual((await cmcp([...given, "--launch-digest", "0".repeat(64)])).code, 0);
  });

  test("a session of an earlier instance is answered the same way", async () => {
    const sessions = new Map<string, string>();
    for (const principal of ["alice", "auditor"]) {
      const session = await sessionOf(of(principal));
      await of(principal).request(`/sessions/${session}/close`, { method: "POST" });
      sessions.set(principal, session);
    }
    await deployment.restart();
    for (const [principal, session] of sessions) {
      const { launch_document: document } = await evidenceOf(of(principal), session);
      assert.equal(document !== undefined, principal === "auditor", principal);
    }
  });
});
