/** `make vm-demo`: the main job with the published image in a virtual machine that a TPM measures, verified at the end. */
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import process from "node:process";
import { decisions } from "../conformance/policy-tee/decisions.ts";
import { TOKEN } from "../conformance/policy-tee/deployment.ts";
import { enrolled, unknownKey, verified, type Claimed, type Judgement } from "../conformance/policy-tee/verifying.ts";
import { Agent } from "../demo/agent.ts";
import { expectCall, show } from "../demo/calls.ts";
import { quote, say, step } from "../demo/screen.ts";
import { ROOT } from "../gateway/deployment.ts";
import { startScene } from "./scene.ts";
import { TAMPERINGS } from "./tampering.ts";

// The paths of sockets are short; what is worth keeping goes to `out`.
const folder = await mkdtemp(join(tmpdir(), "cmcp-vm-"));
const out = join(ROOT, "out/vm-demo");
const startedAt = performance.now();
const seconds = (): string => ((performance.now() - startedAt) / 1000).toFixed(1);
/** What `cmcp verify` says first and where it failed, as lines. */
const verdict = ({ outcome, completeness, assurance, failed, checks }: Judgement): string =>
  [
    `${outcome.toUpperCase()} (${completeness}; assurance: ${assurance})`,
    ...checks
      .filter(({ name }) => ["image", "launch digest", "report data", "event log"].includes(name))
      .map(({ name, why }) => `  ${name}: ${why}`),
    ...failed.map((name) => `  FAILED ${name}`),
  ].join("\n");

step(1, "cmcp start boots the published image in a machine with a TPM; host and enclave meet over vsock");
say(
  "its configuration says launcher: qemu and where the image is; QEMU emulates every instruction, so this takes a while",
);
say("kernel, initramfs and command line are out/image as it is: no console, so nothing of the guest is seen");
try {
  const scene = await startScene(folder);
  try {
    say(`cmcp start --config ${scene.config}`);
    say(`agents connect to ${scene.url}/mcp; the machine is process ${scene.pid}, up after ${seconds()} s`);

    step(2, "An agent calls tools: host, vsock, enclave, TLS, a real MCP server, and back");
    const agent = await Agent.connect(`${scene.url}/mcp`, TOKEN, "sessions");
    const early = await agent.call("send_message", { to: "friend@example.org", text: "lunch?" });
    show("send_message, before any record was read", early);
    expectCall(early.allowed, "send_message is allowed in a session that has seen nothing sensitive");
    const record = await agent.call("get_patient_record", { patient_id: "P-1001" });
    show("get_patient_record P-1001", record, true);
    expectCall(
      record.allowed && !JSON.stringify(record).includes("078-05-1120"),
      "the social security number is redacted",
    );
    const message = await agent.call("send_message", { to: "friend@example.org", text: "guess what I read" });
    show("send_message, after it", message);
    expectCall(!message.allowed, "send_message is denied once the session has seen health data");
    expectCall(
      scene.records.calls.filter(({ tool }) => tool === "send_message").length === 1,
      "the denied message never left the machine",
    );

    step(3, "The session is closed; its claim carries a quote of the machine's TPM");
    const files = await scene.closeSession((message.receipt as { session_id: string }).session_id);
    await agent.close();
    await mkdir(out, { recursive: true });
    for (const path of Object.values(files)) {
      await cp(path, join(out, basename(path)));
      say(`out/vm-demo/${basename(path)}`);
    }

    step(4, "An auditor verifies it against the published measurements.json and the launch document");
    const claimed: Claimed = { ...files, policy: "vtpm" };
    const unknown = await verified(claimed);
    expectCall(
      unknown.code === 10 && unknown.failed.join() === "attestation key binding EVIDENCE_CHAIN_INVALID",
      "only the maker of the software TPM is unknown",
    );
    say("everything holds but one: nobody vouches for the maker of this TPM, because this machine's owner made it");
    const policy = join(out, "policy.json");
    await writeFile(policy, enrolled(unknownKey(unknown), true));
    say("with the TPM's key given in out/vm-demo/policy.json:");
    const accepted = await verified({ ...claimed, policy });
    quote(verdict(accepted));
    expectCall(accepted.code === 0, "the claim is accepted");
  } finally {
    await scene.close();
  }

  step(5, "Root on the host changes one byte, and starts the machine again");
  for (const [index, [what, { expected, ...tampering }]] of Object.entries(TAMPERINGS).entries()) {
    const place = join(folder, String(index));
    const scene = await startScene(place, tampering);
    try {
      const { session } = await decisions(`${scene.url}/mcp`);
      const claimed: Claimed = { ...(await scene.closeSession(session)), policy: "vtpm" };
      const policy = join(place, "policy.json");
      await writeFile(policy, enrolled(unknownKey(await verified(claimed)), true));
      const rejected = await verified({ ...claimed, policy });
      say(`${what}: it boots and serves, and its claim is rejected:`);
      quote(rejected.failed.map((name) => `FAILED ${name}`).join("\n"));
      expectCall(rejected.code === 10 && rejected.failed.join() === expected.join(), "it fails at its own check");
    } finally {
      await scene.close();
    }
  }
  process.stdout.write(`\n   done in ${seconds()} s\n`);
} finally {
  await rm(folder, { recursive: true, force: true });
}
