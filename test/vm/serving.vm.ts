/** The main job with the enclave in a machine: agent, host, vsock, enclave, TLS, real servers, and a claim over the machine's TPM. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Agent } from "../demo/agent.ts";
import { startScene, TOKEN, writeMeasurementsOf } from "./scene.ts";
import { temporaryFolder } from "./image.ts";
import { enrolled, unknownKey, verified, type Claimed } from "./verifying.ts";

test("a call goes through a machine to real servers and back, and its claim carries the machine's TPM", async (t) => {
  const folder = temporaryFolder(t);
  const scene = await startScene(folder);
  t.after(() => scene.close());
  const agent = await Agent.connect(`${scene.gateway.url}/mcp`, TOKEN, "sessions");

  const early = await agent.call("send_message", { to: "friend@example.org", text: "lunch?" });
  assert.ok(early.allowed);
  const record = await agent.call("get_patient_record", { patient_id: "P-1001" });
  assert.ok(record.allowed);
  assert.match(JSON.stringify(record.structured), /Type 2 diabetes/);
  assert.doesNotMatch(JSON.stringify(record), /078-05-1120/);
  const message = await agent.call("send_message", { to: "friend@example.org", text: "guess what I read" });
  assert.ok(!message.allowed);
  assert.deepEqual(scene.records.calls.map(({ tool }) => tool), ["send_message", "get_patient_record"], "what was denied never left the machine");

  const files = await scene.closeSession((message.receipt as { session_id: string }).session_id);
  const claimed: Claimed = { ...files, policy: "vtpm" };
  const unknown = await verified(claimed);
  await t.test("the root of a TPM nobody knows is what stands between the claim and its acceptance", () => {
    assert.equal(unknown.code, 10, unknown.output);
    assert.deepEqual(unknown.failed, ["attestation key binding"]);
  });

  const policy = join(folder, "policy.json");
  await writeFile(policy, enrolled(unknownKey(unknown)));
  await t.test("with that key given, the claim is accepted for this image and this launch document", async () => {
    const { code, output } = await verified({ ...claimed, policy });
    assert.equal(code, 0, output);
    assert.match(output, /host-trusted/);
  });

  await t.test("one byte of the script, of the command line or of the policy, and it fails at its own check", async () => {
    const bytes = await readFile(scene.initramfs);
    bytes[bytes.length - 1000] = (bytes.at(-1000) ?? 0) ^ 1;
    await writeFile(join(folder, "changed"), bytes);
    const script = await verified({ ...claimed, policy, measurements: await writeMeasurementsOf(join(folder, "script.json"), { initramfs: join(folder, "changed") }) });
    const words = await verified({ ...claimed, policy, measurements: await writeMeasurementsOf(join(folder, "words.json"), { initramfs: scene.initramfs, commandLine: (line) => line.replace("panic=-1", "panic=-2") }) });
    const document = Buffer.from(scene.gateway.launchDocument);
    document.write("g", document.indexOf("forbid"));
    await writeFile(join(folder, "launch-changed.json"), document);
    const changed = await verified({ ...claimed, policy, launchDocument: join(folder, "launch-changed.json") });
    assert.deepEqual([script.code, words.code, changed.code], [10, 10, 10]);
    assert.deepEqual([script.failed, words.failed].map((names) => names.includes("image")), [true, true]);
    assert.ok(changed.failed.includes("launch digest"), changed.output);
  });
});
