/** The main job with the enclave in a machine: agent, host, vsock, enclave, TLS, real servers, and a claim over its TPM. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { deployQuickstart, listenOnAnyPort } from "../gateway/deployment.ts";
import { developmentEnvironment } from "../gateway/gateway.ts";
import { startEverythingServer } from "../servers/everything-server.ts";
import { startRecordsServer } from "../servers/records-server.ts";
import { readFile, writeFile } from "node:fs/promises";
import { startMachineGateway } from "./gateway.ts";
import { debugMachine, published, temporaryFolder } from "./image.ts";
import { writeOverlaid } from "./overlay.ts";

const TOKEN = "token-of-the-only-principal-0123456789";

test("a call goes through a machine to real servers and back, and its claim carries the machine's TPM", async (t) => {
  const folder = temporaryFolder(t);
  const everything = await startEverythingServer();
  t.after(() => everything.close());
  const records = await startRecordsServer();
  t.after(() => records.close());
  const config = await deployQuickstart(join(folder, "deployment"), { everythingPort: everything.port, recordsPort: records.port, recordsFingerprint: records.fingerprint });
  await listenOnAnyPort(config);
  await writeFile(config, (await readFile(config, "utf8")).replace("provider: auto", "provider: tpm"));
  const initramfs = join(folder, "initramfs");
  await writeOverlaid(published("initramfs.cpio.zst"), { scripts: { "enclave.cjs": "enclave.ts" } }, initramfs);
  const gateway = await startMachineGateway(t, { config, environment: developmentEnvironment(TOKEN), machine: debugMachine("vtpm", initramfs), folder });
  const call = async (name: string, args: object): Promise<string> => (await gateway.request("POST", "/mcp", { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: args } })).text;

  assert.match(await call("echo", { message: "through the machine" }), /through the machine/);
  const record = await call("get_patient_record", { patient_id: "P-1001" });
  assert.match(record, /Type 2 diabetes/);
  assert.doesNotMatch(record, /078-05-1120/);
  assert.match(await call("send_message", { to: "friend@example.org", text: "guess what I read" }), /POLICY_DENY/);
  assert.deepEqual(records.calls.map(({ tool }) => tool), ["get_patient_record"]);

  t.diagnostic((await gateway.request("GET", "/v1/status")).text);
});
