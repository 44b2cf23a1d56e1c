/** `cmcp start` with an enclave in a machine: one it starts itself, and one that somebody else started. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { EgressRelay, egressAllowList, listenServices, SqliteStore, startHost, type Host } from "@cmcp/host-proxy";
import { ExchangePool, hybridVsockSocket, type Opening } from "@cmcp/wire";
import { MAX_LAUNCH_DOCUMENT } from "@cmcp/launch";
import { readLaunchInputs } from "@cmcp/launch/files";
import { SERVICES_PORT } from "../../host-proxy/src/launcher/vsock/ports.ts";
import { memoryLog } from "../../host-proxy/src/testing/memory-log.ts";
import { clientOf } from "../gateway/client.ts";
import { ALLOW_ALL, deploy } from "../gateway/deployment.ts";
import { eventually } from "../gateway/principals.ts";
import { StartRefused, startGateway, type Gateway } from "../gateway/gateway.ts";
import { callReply, reply, startRawServer } from "../servers/hostile-servers.ts";
import { debugMachine, programs, started, temporaryFolder } from "./image.ts";
import { debugImage, ENTRY, processesWith, propertiesOf } from "./launch-scene.ts";
import { emulatorPath } from "./launch-settings.ts";

const TOKEN = "launcher-token-launcher-token-launcher-tok";
/** A machine that is emulated comes up within this, in milliseconds. */
const UP_MS = 180_000;
const CONSOLE_BYTES = 1024 * 1024;
/** Agents at a time, of which each waits a millisecond longer than the one before. */
const IMPATIENT = { rounds: 40, agents: 12 } as const;

/** What all machines of this file are started from. */
const shared = { folder: "", image: "", path: "" };
before(async () => {
  shared.folder = await mkdtemp(join(tmpdir(), "cmcp-vm-"));
  // Everything a gateway of this file makes is in there, so that what it leaves behind can be told.
  process.env["TMPDIR"] = shared.folder;
  shared.image = await debugImage(shared.folder);
  shared.path = await emulatorPath(shared.folder);
});
after(() => rm(shared.folder, { recursive: true, force: true }));

interface Deployment {
  readonly folder: string;
  readonly config: string;
  readonly environment: Record<string, string>;
  /** From now on the tool server does not answer; resolves when it has been asked, and it answers again. */
  readonly hanging: () => Promise<void>;
}

/** A deployment of one tool. */
async function deployment(t: TestContext, launcher: string): Promise<Deployment> {
  const folder = temporaryFolder(t);
  let asked: PromiseWithResolvers<void> | null = null;
  const server = await startRawServer("echo", (socket, { id }) => {
    if (asked === null) socket.write(reply(callReply(id, "echo")));
    asked?.resolve();
    asked = null;
  });
  t.after(() => server.close());
  await mkdir(join(folder, "d"));
  const config = await deploy(join(folder, "d"), {
    tools: [{ name: "echo", url: server.url }],
    policies: ALLOW_ALL,
    config: `attestation: {provider: tpm}\n${launcher}`,
  });
  return {
    folder,
    config,
    environment: { CMCP_DEV_MODE: "1", CMCP_BEARER_TOKEN: TOKEN, PATH: shared.path, TMPDIR: shared.folder },
    hanging: () => (asked = Promise.withResolvers<void>()).promise,
  };
}

/** Process ids of the programs of this file's machines: each is told a path in their folder. */
function programsOfMachines(): number[] {
  return processesWith(`=${shared.folder}`);
}

/** Folders of running gateways, which are the ones no test made. */
function runtimeFolders(): string[] {
  return readdirSync(shared.folder).filter((name) => /^cmcp-(?!vm-)/.test(name));
}

function qemu(): string {
  return `launcher: qemu\nqemu: {image: ${shared.image}, memory_mb: 512, accelerator: tcg}\n`;
}

async function gatewayOf(t: TestContext, { config, environment }: Deployment): Promise<Gateway> {
  const gateway = await startGateway(config, environment, { entry: ENTRY }).catch((thrown: unknown) => {
    if (thrown instanceof StartRefused) t.diagnostic(thrown.output.slice(-4_000));
    throw thrown;
  });
  t.after(() => gateway.stop());
  return gateway;
}

async function logged(log: () => string, text: string, times = 1): Promise<void> {
  for (const deadline = Date.now() + UP_MS; log().split(text).length <= times; await delay(100))
    assert.ok(Date.now() < deadline, `${text} was not logged ${times} times`);
}

async function refusalOf(starting: Promise<Gateway>): Promise<{ code: string | undefined; exit: number | null }> {
  const thrown: unknown = await starting.then(
    (gateway) => gateway.stop(),
    (error: unknown) => error,
  );
  assert.ok(thrown instanceof StartRefused, "the start was refused");
  return { code: /"code":"([A-Z_]+)"/.exec(thrown.output)?.[1], exit: thrown.exitCode };
}

test("cmcp start boots the image, answers through it, and survives the machine's death during a call", async (t) => {
  const deployed = await deployment(t, qemu());
  const gateway = await gatewayOf(t, deployed);
  const ready = gateway as Gateway & Record<string, unknown>;
  assert.deepEqual(
    [ready["launcher"], ready["isolation"], ready["measured_by"], ready["bearer_principals"]],
    ["qemu", "machine", "host-tpm", "host-asserted"],
  );
  const client = clientOf(gateway, TOKEN);
  const status = await client.json("/v1/status");
  assert.equal(status["isolation"], "network-namespace", "the enclave sees no network");
  assert.equal(`sha256:${(await readLaunchInputs(deployed.config, deployed.environment)).digest}`, ready.launch_digest);
  assert.equal((await client.call("echo", "a")).status, 200);

  const asked = deployed.hanging();
  const pending = client.call("echo", "a");
  await asked;
  process.kill(gateway.enclave_pid, "SIGKILL");
  const { status: failed, body } = await pending;
  assert.equal(failed, 503);
  assert.match(JSON.stringify(body), /ENCLAVE_UNAVAILABLE/);
  await logged(() => gateway.log(), '"msg":"enclave up"', 2);
  assert.equal((await client.call("echo", "a")).status, 200, "the next machine serves");

  const console = join(deployed.folder, "d/console.log");
  for (const path of [console, `${console}.1`]) {
    assert.match(readFileSync(path, "utf8"), /Linux version/);
    assert.ok(statSync(path).size <= CONSOLE_BYTES);
    assert.equal(statSync(path).mode & 0o777, 0o600);
  }

  assert.equal(programsOfMachines().length, 3, "QEMU, the vsock daemon and the TPM");
  assert.equal(await gateway.stop(), 0);
  assert.match(gateway.log(), /"msg":"enclave restarts"/);
  assert.deepEqual(programsOfMachines(), []);
  assert.deepEqual(runtimeFolders(), []);
});

test("a machine somebody else started is served, by one gateway at a time, and launched once", async (t) => {
  const machineFolder = temporaryFolder(t);
  const socket = join(machineFolder, "vsock");
  const attached = `launcher: vsock\nvsock: {hybrid_socket: ${socket}}\n`;
  const machine = await started(t, debugMachine("vtpm", join(shared.image, "initramfs.cpio.zst")), machineFolder);
  const deployed = await deployment(t, attached);
  const gateway = await gatewayOf(t, deployed);
  const ready = gateway as Gateway & Record<string, unknown>;
  assert.deepEqual([ready["launcher"], ready["measured_by"], ready.enclave_pid], ["vsock", "unknown", null]);
  const client = clientOf(gateway, TOKEN);
  assert.equal((await client.call("echo", "a")).status, 200);

  const second = await refusalOf(startGateway(deployed.config, deployed.environment, { entry: ENTRY }));
  assert.deepEqual(second, { code: "LAUNCH_VSOCK_IN_USE", exit: 10 });
  assert.equal((await client.call("echo", "b")).status, 200, "the first is not disturbed by it");
  assert.equal(await gateway.stop(), 0);
  assert.ok(existsSync(`/proc/${machine.pid}`), "the machine is its owner's to stop");

  const again = await refusalOf(startGateway(deployed.config, deployed.environment, { entry: ENTRY }));
  assert.deepEqual(again, { code: "PHASE_VIOLATION", exit: 10 });
});

/** A host in this process, whose machine is given up as soon as it is not to be reached. */
async function hostOf(
  t: TestContext,
  deployed: Deployment,
  launch?: Uint8Array,
): Promise<{ host: Host; log: () => string }> {
  const inputs = await readLaunchInputs(deployed.config, deployed.environment);
  const { log, text } = memoryLog();
  const host = await startHost({
    listen: { host: "127.0.0.1", port: 0 },
    launch: launch ?? inputs.document,
    provision: inputs.provision,
    egressAllow: inputs.egressTargets.map(({ host: name, port }) => `${name}:${port}`),
    storePath: null,
    witnesses: null,
    enclave: {
      launcher: "qemu",
      image: shared.image,
      platform: "vtpm",
      memoryMegabytes: 512,
      processors: 1,
      processorModel: null,
      accelerator: "tcg",
      vsock: { kind: "daemon" },
      consolePath: join(deployed.folder, "console.log"),
      tpmState: join(deployed.folder, "tpm"),
      programs: await programs(),
      watch: { everyMs: 2_000, dialMs: 10_000, attempts: 2 },
    },
    log,
  });
  t.after(() => host.close());
  return { host, log: text };
}

test("a vsock daemon that stalls costs the machine, not the gateway", async (t) => {
  const deployed = await deployment(t, qemu());
  const { host, log } = await hostOf(t, deployed);
  const first = host.enclavePid;
  const [daemon] = processesWith(`uds-path=${shared.folder}`);
  const up = once(host.events, "up");
  process.kill(daemon ?? assert.fail("a vsock daemon"), "SIGSTOP");
  await up;
  assert.match(log(), /can be reached no more/);
  assert.notEqual(host.enclavePid, first);
  const answer = await fetch(`http://127.0.0.1:${host.address.port}/v1/status`, {
    headers: { authorization: `Bearer ${TOKEN}` },
  });
  assert.equal(answer.status, 200);
  assert.ok(!existsSync(`/proc/${daemon}`));
});

test("agents that go away while a stream is opened for them cost nobody the machine", async (t) => {
  const { host, log } = await hostOf(t, await deployment(t, qemu()));
  const first = host.enclavePid;
  const ask = async (signal: AbortSignal): Promise<number> =>
    (
      await fetch(`http://127.0.0.1:${host.address.port}/v1/status`, {
        headers: { authorization: `Bearer ${TOKEN}` },
        signal,
      })
    ).status;
  let gone = 0;
  for (let round = 0; round < IMPATIENT.rounds; round += 1) {
    await Promise.all(
      Array.from({ length: IMPATIENT.agents }, (_, agent) => ask(AbortSignal.timeout(agent)).catch(() => (gone += 1))),
    );
  }
  assert.ok(gone > IMPATIENT.rounds, `${gone} went away`);
  // So many at once are more than the guest takes up at once.
  await eventually("the machine answers", async () => (await ask(AbortSignal.timeout(UP_MS))) === 200);
  assert.equal(host.enclavePid, first);
  assert.doesNotMatch(log(), /can be reached no more|panicked/);
});

test("a launch document that is too big, or not one, is refused by the machine, and nothing stays", async (t) => {
  const deployed = await deployment(t, qemu());
  for (const [what, bytes] of [
    ["not one", Buffer.from("{}")],
    ["too big", Buffer.alloc(MAX_LAUNCH_DOCUMENT + 1, " ")],
  ] as const) {
    await assert.rejects(hostOf(t, deployed, bytes), { code: "LAUNCH_DOCUMENT_INVALID" }, what);
    assert.deepEqual([programsOfMachines(), runtimeFolders()], [[], []], what);
  }
});

test("a document that asks for no hardware is refused by a machine with a TPM: its command line says what it is", async (t) => {
  const deployed = await deployment(t, qemu());
  const config = join(deployed.folder, "d/software.yaml");
  writeFileSync(config, "attestation: {provider: software-only}\n");
  const { document } = await readLaunchInputs(config, deployed.environment);
  await assert.rejects(hostOf(t, deployed, document), {
    code: "ATTESTATION_PROVIDER_UNSUPPORTED",
    message: /software-only is not what this image was started as: its command line says vtpm/,
  });
  assert.deepEqual([programsOfMachines(), runtimeFolders()], [[], []]);
});

test("nothing is served before the launch document, which may be late and comes once", async (t) => {
  const folder = temporaryFolder(t);
  const quiet = memoryLog().log;
  const store = new SqliteStore(null, { durable: false });
  t.after(() => store.close());
  const services = await listenServices(hybridVsockSocket(join(folder, "vsock"), SERVICES_PORT), {
    relay: new EgressRelay(egressAllowList([]), quiet),
    store,
    log: quiet,
  });
  t.after(() => services.close());
  const machine = await started(t, debugMachine("vtpm", join(shared.image, "initramfs.cpio.zst")), folder);
  const pool = new ExchangePool(machine.dialer, { maxStreams: 2 });
  t.after(() => pool.close());
  const { document, provision } = await readLaunchInputs((await deployment(t, qemu())).config, {
    CMCP_DEV_MODE: "1",
    CMCP_BEARER_TOKEN: TOKEN,
  });
  const send = async (opening: Opening, body: Uint8Array): Promise<number> => {
    const exchange = await pool.open(opening);
    const sent = exchange.write(body).then(() => exchange.end());
    const { status } = await Promise.race([
      exchange.head,
      sent.then(
        () => exchange.head,
        () => exchange.head,
      ),
    ]);
    return status;
  };
  const request: Opening = {
    t: "request",
    method: "GET",
    path: "/v1/status",
    headers: { authorization: `Bearer ${TOKEN}` },
  };
  await assert.rejects(send(request, new Uint8Array(1)), { code: "PHASE_VIOLATION" });
  await assert.rejects(send({ t: "provision" }, provision ?? assert.fail()), { code: "PHASE_VIOLATION" });
  assert.equal(await send({ t: "launch" }, document), 200);
  await assert.rejects(send({ t: "launch" }, document), { code: "PHASE_VIOLATION" });
  assert.equal(await send({ t: "provision" }, provision ?? assert.fail()), 200);
  assert.deepEqual(
    await machine.stop(),
    { exitCode: 0, exitSignal: undefined },
    "QEMU ends in order when it is told to",
  );
});

test("the locked QEMU knows every property a SEV-SNP machine is started with", async () => {
  const known = await propertiesOf("sev-snp-guest");
  // cbitpos and reduced-phys-bits belong to each object and are not listed.
  for (const name of ["policy", "kernel-hashes", "host-data"])
    assert.ok(known.includes(name), `${name} of ${known.join()}`);
});
