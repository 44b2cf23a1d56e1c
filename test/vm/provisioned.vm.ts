/** Outside development a machine gets its secrets from whoever verified it, and from nobody else. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { readLaunchInputs } from "@cmcp/launch/files";
import { decisions } from "../conformance/policy-tee/decisions.ts";
import { deployRecords, keyFile, TOKEN } from "../conformance/policy-tee/deployment.ts";
import { enrolledFor } from "../conformance/policy-tee/verified-instance.ts";
import { cmcp, type CommandResult } from "../gateway/cli.ts";
import { startGateway, StartRefused, type Gateway } from "../gateway/gateway.ts";
import { tokenLine } from "../gateway/principals.ts";
import { startRecordsServer } from "../servers/records-server.ts";
import { published, temporaryFolder } from "./image.ts";
import { ENTRY } from "./launch-scene.ts";
import { emulatorEnvironment, useMachine } from "./launch-settings.ts";
import { startScene } from "./scene.ts";
import { TAMPERINGS } from "./tampering.ts";

/** `cmcp provision` as an operator of the published image runs it, with the machine's TPM enrolled. */
async function provisioned(folder: string, config: string, { url }: Gateway, enrol: boolean): Promise<CommandResult> {
  const written = async (name: string, content: string | Uint8Array): Promise<string> => {
    await writeFile(join(folder, name), content, { mode: 0o600 });
    return join(folder, name);
  };
  const report = new Uint8Array(await (await fetch(`${url}/attestation`)).arrayBuffer());
  const { document } = await readLaunchInputs(config, {});
  const named = {
    url,
    key: await written("provisioning.pem", keyFile()),
    tokens: await written("tokens", tokenLine("default", TOKEN)),
    "launch-document": await written("expected-launch.json", document),
    measurements: published("measurements.json"),
    "appraisal-policy": enrol ? await written("policy.json", await enrolledFor(report, true)) : "vtpm",
  };
  const options = Object.entries(named).flatMap(([name, value]) => [`--${name}`, value]);
  return await cmcp(["provision", ...options, "--json"]);
}

const errorOf = ({ code, stdout }: CommandResult): readonly [number, string] => [
  code,
  (JSON.parse(stdout) as { error?: { code: string } }).error?.code ?? "",
];

test("a machine serves nobody until it was verified and given its token, over the host, which reads none of it", async (t) => {
  const folder = temporaryFolder(t);
  const said: CommandResult[] = [];
  const give = async (gateway: Gateway, config: string): Promise<void> => {
    const ready = await fetch(`${gateway.url}/readyz`);
    assert.deepEqual([ready.status, await ready.json()], [503, { ready: false, why: "NOT_PROVISIONED" }]);
    const unknown = await provisioned(folder, config, gateway, false);
    assert.deepEqual(errorOf(unknown), [10, "INSTANCE_NOT_ACCEPTED"], "a TPM that nobody knows");
    said.push(await provisioned(folder, config, gateway, true));
    assert.ok(!gateway.log().includes(TOKEN));
  };
  const scene = await startScene(folder, {}, { provisioned: give });
  t.after(() => scene.close());
  const { code, stdout, stderr } = said[0] ?? assert.fail("it was provisioned");
  assert.equal(code, 0, `${stdout}${stderr}`);
  assert.equal((JSON.parse(stdout) as { assurance: string }).assurance, "host-trusted");
  const { decided, session } = await decisions(`${scene.url}/mcp`);
  assert.deepEqual(decided, [true, true, false]);
  const exported = await fetch(`${scene.url}/audit/export?session_id=${session}`, {
    headers: { authorization: `Bearer ${TOKEN}` },
  });
  const { entries } = (await exported.json()) as { entries: { detail: Record<string, unknown> }[] };
  assert.equal(entries[0]?.detail["provisioning"], "signed");
});

test("a machine with one byte of its script changed is given nothing", async (t) => {
  const folder = temporaryFolder(t);
  const { image } = TAMPERINGS["the bundled script"];
  const refused: CommandResult[] = [];
  const give = async (gateway: Gateway, config: string): Promise<void> => {
    refused.push(await provisioned(folder, config, gateway, true));
  };
  const scene = await startScene(folder, { image }, { provisioned: give });
  t.after(() => scene.close());
  assert.deepEqual(errorOf(refused[0] ?? assert.fail("it was tried")), [10, "INSTANCE_NOT_ACCEPTED"]);
  assert.equal((await fetch(`${scene.url}/readyz`)).status, 503);
});

test("a host's own tokens, unsigned, start no machine outside development", async (t) => {
  const folder = temporaryFolder(t);
  const records = await startRecordsServer();
  t.after(() => records.close());
  const config = await deployRecords(join(folder, "deployment"), records, "tpm", []);
  await useMachine(config);
  const environment = { CMCP_BEARER_TOKEN: TOKEN, ...(await emulatorEnvironment(folder)) };
  const thrown: unknown = await startGateway(config, environment, { entry: ENTRY }).then(
    (gateway) => gateway.stop(),
    (error: unknown) => error,
  );
  assert.ok(thrown instanceof StartRefused);
  assert.match(thrown.output, /"code":"PROVISION_NOT_SIGNED"/);
});
