/** The image exactly as it is published: it serves, says nothing to its host, and ends when it cannot go on. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { composeHost } from "../conformance/policy-tee/composed-host.ts";
import { deployRecords } from "../conformance/policy-tee/deployment.ts";
import { startRecordsServer } from "../servers/records-server.ts";
import { machineTarget, placeOf } from "./machine-target.ts";
import { releaseMachine, temporaryFolder } from "./image.ts";

/** What firmware and boot stub print before the kernel runs; the kernel, PID 1 and the runtime print none of it. */
const BEFORE_KERNEL = /^(?:\p{Cc}|\[[0-9;=]*[A-Za-z])*(?:EFI stub: .*|BdsDxe: .*)?\s*$/u;

test("a served call and a refused launch print nothing", async (t) => {
  const records = await startRecordsServer();
  t.after(() => records.close());
  const folder = await mkdtemp(join(tmpdir(), "cmcp-release-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const config = await deployRecords(join(folder, "deployment"), records, "tpm");
  const machine = temporaryFolder(t);
  const printed: string[] = [];
  const host = await composeHost(t, placeOf(releaseMachine(), machine, t, (line) => printed.push(line)), config);
  await assert.rejects(host.launch(Buffer.from("{}")), { code: "LAUNCH_DOCUMENT_INVALID" });
  await host.close();
  assert.deepEqual(printed.filter((line) => !BEFORE_KERNEL.test(line)), []);
  assert.ok(printed.length > 0, "what the firmware prints was seen");
});

test("stdio servers are refused by name before anything is served: nothing in the machine could confine them", async (t) => {
  const records = await startRecordsServer();
  t.after(() => records.close());
  const folder = await mkdtemp(join(tmpdir(), "cmcp-release-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const config = await deployRecords(join(folder, "deployment"), records, "tpm");
  const path = join(dirname(config), "catalog.json");
  const [entry, ...entries] = JSON.parse(await readFile(path, "utf8")) as { server: object }[];
  const stdio = { ...entry, server: { display_name: "files", transport: "stdio", spawn: { command: "node", args: ["/srv/files/index.js"], measure_target: "/srv/files", binary_digest: `sha256:${"0".repeat(64)}` } } };
  await writeFile(path, JSON.stringify([stdio, ...entries]));
  const place = await machineTarget.open(t);
  assert.ok(place !== null);
  const host = await composeHost(t, place, config);
  await assert.rejects(host.launch(host.document), { code: "SPAWN_NOT_OFFERED", message: /stdio servers: files$/ });
  await assert.rejects(host.serve(), { code: "PHASE_VIOLATION" });
});
