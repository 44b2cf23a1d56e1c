/** `make vm-demo`: the main job under the seal, with the published image in a virtual machine that a TPM measures, verified at the end. */
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import process from "node:process";
import { auditBundleSchema } from "@cmcp/audit/schema";
import { decisions } from "../conformance/policy-tee/decisions.ts";
import { TOKEN } from "../conformance/policy-tee/deployment.ts";
import {
  enrolled,
  unknownKey,
  unknownKeyIn,
  verified,
  type Claimed,
  type Judgement,
} from "../conformance/policy-tee/verifying.ts";
import { Agent } from "../demo/agent.ts";
import { expectCall, show } from "../demo/calls.ts";
import { quote, say, step } from "../demo/screen.ts";
import { startTap } from "../demo/tap.ts";
import { startConnect } from "../gateway/connected.ts";
import { ROOT } from "../gateway/deployment.ts";
import { startScene, type Scene } from "./scene.ts";
import { TAMPERINGS } from "./tampering.ts";

// The paths of sockets are short; what is worth keeping goes to `out`.
const folder = await mkdtemp(join(tmpdir(), "cmcp-vm-"));
const out = join(ROOT, "out/vm-demo");
const startedAt = performance.now();
const seconds = (): string => ((performance.now() - startedAt) / 1000).toFixed(1);
/** How an agent's `cmcp connect` is told what the machine must be. */
const pinsOf = ({ launchDocument, measurements }: Scene["expected"], policy: string): readonly string[] => [
  "--launch-document",
  launchDocument,
  "--measurements",
  measurements,
  "--appraisal-policy",
  policy,
];
/** What `cmcp connect` says where it does not accept the machine. */
const refusal = async (gateway: string, expected: readonly string[]): Promise<string> =>
  await startConnect(gateway, { expected }).then(
    () => "",
    (thrown: unknown) => String(thrown),
  );
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
  const scene = await startScene(folder, {}, { channel: "sealed", memoryServer: true });
  const stop: (() => Promise<unknown>)[] = [() => scene.close()];
  try {
    say(`cmcp start --config ${scene.config}`);
    say(`it listens on ${scene.url}; the machine is process ${scene.pid}, up after ${seconds()} s`);

    step(2, "An agent's cmcp connect verifies the machine before it sends anything");
    const atTheHost = await startTap(scene.url);
    stop.push(() => atTheHost.close());
    const policy = join(out, "policy.json");
    await mkdir(out, { recursive: true });
    const unvouched = await refusal(atTheHost.url, pinsOf(scene.expected, "vtpm"));
    await writeFile(policy, enrolled(unknownKeyIn(unvouched), true));
    say("INSTANCE_NOT_ACCEPTED: nobody vouches for the maker of this TPM, because this machine's owner made it");
    const connected = await startConnect(atTheHost.url, { expected: pinsOf(scene.expected, policy) });
    stop.push(() => connected.stop());
    say("with the TPM's key given in out/vm-demo/policy.json, image, launch document and keys are accepted");

    step(3, "An agent calls tools: cmcp connect, host, vsock, enclave, TLS, a real MCP server, and back");
    const atTheAgent = await startTap(connected.url);
    stop.push(() => atTheAgent.close());
    const agent = await Agent.connect(`${atTheAgent.url}/mcp`, TOKEN, "sessions");
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
    const entities = [{ name: "visit", entityType: "note", observations: ["known inside"] }];
    expectCall((await agent.call("create_entities", { entities })).allowed, "server-memory remembers");
    const graph = await agent.call("read_graph", {});
    show("read_graph, of the published server-memory, over stdio", graph);
    expectCall(graph.allowed && graph.text.includes("known inside"), "a server inside the machine answers");
    say("the host sent its files as the archive whose digest the catalog has; it runs confined beside the enclave");
    const secrets = new Set([TOKEN, ...agent.said]);
    const [readByHost, readBefore] = [atTheHost, atTheAgent].map((tap) => tap.reads(secrets).length);
    say(`the host moved ${atTheHost.bytes} bytes`);
    say(`of ${secrets.size} arguments, results and tokens it can read ${readByHost} (before the seal: ${readBefore})`);
    expectCall(readByHost === 0 && readBefore === secrets.size, "the host reads nothing that the agent said");

    step(4, "The session is closed; its claim carries a quote of the machine's TPM");
    const { session_id: session } = message.receipt as { session_id: string };
    const files = await scene.closeSession(session, connected.url);
    await agent.close();
    for (const path of Object.values(files)) {
      await cp(path, join(out, basename(path)));
      say(`out/vm-demo/${basename(path)}`);
    }

    const { entries } = auditBundleSchema.parse(JSON.parse(await readFile(files.bundle, "utf8")));
    const classes = entries.flatMap(({ tool_name: tool, evidence_class: known }) =>
      tool === "read_graph" ? [known] : [],
    );
    say(`the record says of read_graph: ${classes.join()}`);
    expectCall(classes.join() === "attested", "what ran is what the catalog approves, in the machine of the evidence");

    step(5, "An auditor verifies it against the published measurements.json and the launch document");
    const claimed: Claimed = { ...files, policy: "vtpm", sealed: true };
    const unknown = await verified(claimed);
    expectCall(
      unknown.code === 10 && unknown.failed.join() === "attestation key binding EVIDENCE_CHAIN_INVALID",
      "only the maker of the software TPM is unknown",
    );
    say("everything holds but one: the TPM's maker, as for the agent. With the same policy, and sealed required:");
    const accepted = await verified({ ...claimed, policy });
    quote(verdict(accepted));
    expectCall(accepted.code === 0, "the claim is accepted");
  } finally {
    for (const undo of stop.toReversed()) await undo();
  }

  step(6, "Root on the host changes one byte, and starts the machine again");
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
      const refused = await refusal(scene.url, pinsOf(scene.expected, policy));
      expectCall(refused.includes("INSTANCE_NOT_ACCEPTED"), "an agent does not connect to it");
      say("an agent's cmcp connect refuses it: INSTANCE_NOT_ACCEPTED, nothing was sent");
    } finally {
      await scene.close();
    }
  }
  process.stdout.write(`\n   done in ${seconds()} s\n`);
} finally {
  await rm(folder, { recursive: true, force: true });
}
