/** The main job with the published image: agent, host, vsock, enclave, TLS, a real server, and a claim over the machine's TPM. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { RECEIPT_META_KEY, receiptSchema } from "@cmcp/audit/schema";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport, getDefaultEnvironment } from "@modelcontextprotocol/client/stdio";
import { decisions } from "../conformance/policy-tee/decisions.ts";
import { TOKEN } from "../conformance/policy-tee/deployment.ts";
import { enrolled, unknownKey, verified, type Claimed } from "../conformance/policy-tee/verifying.ts";
import { shownConfiguration } from "../docs/shown-configuration.ts";
import { startConnect } from "../gateway/connected.ts";
import { temporaryFolder } from "./image.ts";
import { startScene } from "./scene.ts";
import { spoken } from "./spoken.ts";
import { TAMPERINGS } from "./tampering.ts";

test("a call goes through a machine to a real server and back, and its claim carries the machine's TPM", async (t) => {
  const folder = temporaryFolder(t);
  const scene = await startScene(folder);
  t.after(() => scene.close());
  const { decided, outcomes, session } = await decisions(`${scene.url}/mcp`);
  assert.deepEqual(decided, [true, true, false]);
  assert.match(JSON.stringify(outcomes[1]), /Type 2 diabetes/);
  assert.doesNotMatch(JSON.stringify(outcomes), /078-05-1120/);
  assert.deepEqual(
    scene.records.calls.map(({ tool }) => tool),
    ["send_message", "get_patient_record"],
    "what was denied never left the machine",
  );
  const console = (await readFile(join(dirname(scene.config), "console.log"), "utf8")).split("\n");
  assert.deepEqual(spoken(console), [], "the image says nothing to its host");
  assert.ok(console.length > 1, "what the firmware prints was seen");

  const claimed: Claimed = { ...(await scene.closeSession(session)), policy: "vtpm" };
  const unknown = await verified(claimed);
  await t.test("the root of a TPM nobody knows is what stands between the claim and its acceptance", () => {
    assert.deepEqual([unknown.code, unknown.failed], [10, ["attestation key binding EVIDENCE_CHAIN_INVALID"]]);
  });
  const policy = join(folder, "appraisal-policy.json");
  await writeFile(policy, enrolled(unknownKey(unknown), true));
  await t.test(
    "with that key given, the claim is accepted for the published measurements and this launch document",
    async () => {
      const { code, assurance, failed } = await verified({ ...claimed, policy });
      assert.deepEqual([code, assurance, failed], [0, "host-trusted", []]);
    },
  );
  await t.test("a desktop client that starts what docs/how-to/seal-requests.md shows is sealed to it", async () => {
    const { server } = shownConfiguration("mcpServers", {
      "https://gateway.example": scene.url,
      "/path/to/launch.json": scene.expected.launchDocument,
      "/path/to/measurements.json": scene.expected.measurements,
      "self-hosted-snp": policy,
      "…": TOKEN,
    });
    for (const mode of ["legacy", "auto"] as const) {
      const client = new Client({ name: "desktop", version: "1" }, { versionNegotiation: { mode } });
      const env = { ...getDefaultEnvironment(), ...server.env };
      await client.connect(new StdioClientTransport({ ...server, args: [...server.args], env, stderr: "ignore" }));
      const sent = await client.callTool({ name: "get_patient_record", arguments: { patient_id: "P-1002" } });
      assert.equal(receiptSchema.parse(sent._meta?.[RECEIPT_META_KEY]).channel, "sealed");
      await client.close();
    }
  });
});

// The policy's is tried by POLICY-TEE-002.
for (const [what, { expected, ...tampering }] of Object.entries(TAMPERINGS).filter(
  ([, tampering]) => "image" in tampering,
)) {
  test(`a machine with one byte of ${what} changed serves, and its claim is rejected where it should be`, async (t) => {
    const folder = temporaryFolder(t);
    const scene = await startScene(folder, tampering);
    t.after(() => scene.close());
    const { session } = await decisions(`${scene.url}/mcp`);
    const claimed: Claimed = { ...(await scene.closeSession(session)), policy: "vtpm" };
    const policy = join(folder, "appraisal-policy.json");
    await writeFile(policy, enrolled(unknownKey(await verified(claimed)), true));
    const { code, failed } = await verified({ ...claimed, policy });
    assert.deepEqual([code, failed], [10, expected]);
    const { launchDocument, measurements } = scene.expected;
    const pins = ["--appraisal-policy", policy, "--launch-document", launchDocument, "--measurements", measurements];
    await assert.rejects(startConnect(scene.url, { expected: pins }), /INSTANCE_NOT_ACCEPTED.+nothing was sent.+image/);
  });
}
