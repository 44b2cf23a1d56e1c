/** `make vm-demo`: the main job with the enclave in a virtual machine, measured by its TPM and verified at the end. */
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import process from "node:process";
import { Agent } from "../demo/agent.ts";
import { expectCall, show } from "../demo/calls.ts";
import { quote, say, step } from "../demo/screen.ts";
import { ROOT } from "../gateway/deployment.ts";
import { startScene, TOKEN, writeMeasurementsOf } from "./scene.ts";
import { enrolled, unknownKey, verified, type Claimed } from "./verifying.ts";

// The paths of sockets are short; what is worth keeping goes to `out`.
const folder = await mkdtemp(join(tmpdir(), "cmcp-vm-"));
const out = join(ROOT, "out/vm-demo");
const startedAt = performance.now();

step(1, "A machine with a TPM boots the image; host and enclave meet over vsock");
say("QEMU emulates every instruction, so this takes a while; nothing is installed and nothing runs as root");
const scene = await startScene(folder);
try {
  say(`agents connect to ${scene.gateway.url}/mcp; the machine is process ${scene.gateway.machine.pid}, up after ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);

  step(2, "An agent calls tools: host, vsock, enclave, TLS, a real MCP server, and back");
  const agent = await Agent.connect(`${scene.gateway.url}/mcp`, TOKEN, "sessions");
  const early = await agent.call("send_message", { to: "friend@example.org", text: "lunch?" });
  show("send_message, before any record was read", early);
  expectCall(early.allowed, "send_message is allowed in a session that has seen nothing sensitive");
  const record = await agent.call("get_patient_record", { patient_id: "P-1001" });
  show("get_patient_record P-1001", record, true);
  expectCall(record.allowed && !JSON.stringify(record).includes("078-05-1120"), "the social security number is redacted");
  const message = await agent.call("send_message", { to: "friend@example.org", text: "guess what I read" });
  show("send_message, after it", message);
  expectCall(!message.allowed, "send_message is denied once the session has seen health data");
  expectCall(scene.records.calls.filter(({ tool }) => tool === "send_message").length === 1, "the denied message never left the machine");

  step(3, "The session is closed; its claim carries a quote of the machine's TPM");
  const files = await scene.closeSession((message.receipt as { session_id: string }).session_id);
  await agent.close();
  await mkdir(out, { recursive: true });
  for (const path of Object.values(files)) {
    await cp(path, join(out, basename(path)));
    say(`out/vm-demo/${basename(path)}`);
  }

  step(4, "An auditor verifies it against the image's measurements and the launch document");
  const claimed: Claimed = { ...files, policy: "vtpm" };
  const unknown = await verified(claimed);
  expectCall(unknown.code === 10 && unknown.failed.join() === "attestation key binding", "only the maker of the software TPM is unknown");
  say("everything holds but one: nobody vouches for the maker of this TPM, because this machine's owner made it");
  const policy = join(out, "policy.json");
  await writeFile(policy, enrolled(unknownKey(unknown)));
  say("with the TPM's key given in out/vm-demo/policy.json:");
  const accepted = await verified({ ...claimed, policy });
  quote(accepted.output);
  expectCall(accepted.code === 0, "the claim is accepted");

  step(5, "The same claim for another image, and for another policy");
  const other = await writeMeasurementsOf(join(folder, "measurements-other.json"), { initramfs: scene.initramfs, commandLine: (line) => line.replace("lockdown=confidentiality ", "") });
  const image = await verified({ ...claimed, policy, measurements: other });
  say(`an image without lockdown in its command line was expected: ${image.failed.join(", ")}`);
  const document = Buffer.from(scene.gateway.launchDocument);
  document.write("g", document.indexOf("forbid"));
  await writeFile(join(folder, "launch-other.json"), document);
  const launch = await verified({ ...claimed, policy, launchDocument: join(folder, "launch-other.json") });
  say(`one letter of the policy was another: ${launch.failed.join(", ")}`);
  expectCall(image.code === 10 && launch.code === 10, "both are rejected");
  process.stdout.write(`\n   done in ${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`);
} finally {
  await scene.close();
  await rm(folder, { recursive: true, force: true });
}
