/** Secrets of a stdio server: provisioned as other credentials are, and known to its process alone. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chmod, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import type { JsonObject } from "@cmcp/boundary";
import { definitionHash } from "@cmcp/catalog";
import { cmcp } from "../gateway/cli.ts";
import { clientOf } from "../gateway/client.ts";
import { ALLOW_ALL } from "../gateway/deployment.ts";
import { StartRefused, developmentEnvironment, startGateway, type Gateway } from "../gateway/gateway.ts";
import { PATIENCE } from "../gateway/launcher.ts";
import { eventually, newToken, tokenLine } from "../gateway/principals.ts";
import { newProvisioner, shownInstance, statementFor, tokensOf } from "../gateway/provisioner.ts";
import { deployStdioServer, type StdioDeployment } from "../gateway/stdio-server.ts";
import { processesWith } from "../spawner/fixture.ts";
import { PLACES, recordingFetch, startRecordingHost } from "../taint/recording-host.ts";

const [FIRST, SECOND] = ["first-secret-of-the-server-b1946ac9", "second-secret-of-the-server-591785b7"];
const digest = (secret: string): string => createHash("sha256").update(secret).digest("hex");
const PERMITTED = { tools: ["digest", "slow"], secrets: { API_TOKEN: "server-token" }, policies: ALLOW_ALL };

/** What a tool of the server answers. */
async function called(gateway: Pick<Gateway, "mcp">, token: string, name = "digest"): Promise<string> {
  const answer = await fetch(gateway.mcp, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: {} } }),
  });
  return await answer.text();
}

/** No secret is in the log, in a file of the deployment, or on a command line. */
async function unseen(gateway: Gateway, { config }: StdioDeployment): Promise<void> {
  const folder = dirname(config);
  const names = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  for (const secret of [FIRST, SECOND]) {
    assert.ok(!gateway.log().includes(secret), "the log");
    assert.deepEqual(processesWith(secret), []);
    for (const { parentPath, name } of names) {
      if (name === "credentials") continue;
      assert.ok(!(await readFile(join(parentPath, name))).includes(secret), join(parentPath, name));
    }
  }
}

describe("a stdio server with a secret", { timeout: 120_000 * PATIENCE }, () => {
  const token = newToken();
  let folder = "";
  let deployed: StdioDeployment;
  let gateway: Gateway;
  const credentials = async (text: string): Promise<void> =>
    await writeFile(join(dirname(deployed.config), "credentials"), text, { mode: 0o600 });
  const replaced = async (text: string, said: RegExp): Promise<void> => {
    const before = gateway.log().length;
    await credentials(text);
    process.kill(gateway.pid, "SIGHUP");
    await eventually("the host has said so", () => said.test(gateway.log().slice(before)));
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-stdio-secrets-"));
    await chmod(folder, 0o755);
    deployed = await deployStdioServer(folder, "secret-stdio.mjs", {
      ...PERMITTED,
      config: "enclave: {credentials_file: credentials}\n",
    });
    await credentials(`server-token ${FIRST}\n`);
    gateway = await startGateway(deployed.config, developmentEnvironment(token));
  });
  after(async () => {
    await gateway?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test("is not started before it is provisioned, and has the secret then", async () => {
    assert.deepEqual(processesWith(join(deployed.tree, "secret-stdio.mjs")), []);
    assert.match(await called(gateway, token), new RegExp(digest(FIRST)));
    await unseen(gateway, deployed);
  });

  test("gets another by the next provisioning, and the call that runs is answered", async () => {
    const running = called(gateway, token, "slow");
    await eventually("the call runs", () => processesWith(join(deployed.tree, "secret-stdio.mjs")).length > 0);
    await replaced(`server-token ${FIRST}\n`, /credentials replaced/);
    const [pid] = processesWith(join(deployed.tree, "secret-stdio.mjs"));
    await replaced(`server-token ${SECOND}\n`, /credentials replaced/);
    assert.match(await called(gateway, token), new RegExp(digest(SECOND)));
    assert.match(await running, new RegExp(digest(FIRST)));
    await eventually(
      "no process has the old one",
      () => !processesWith(join(deployed.tree, "secret-stdio.mjs")).includes(pid ?? 0),
    );
    assert.match(await called(gateway, token), new RegExp(digest(SECOND)));
    await unseen(gateway, deployed);
  });

  test("what lacks it is refused by its name, and nothing changes", async () => {
    await replaced("# none\n", /CREDENTIAL_NOT_PROVISIONED: the catalog names the credential server-token/);
    assert.match(await called(gateway, token), new RegExp(digest(SECOND)));
    assert.equal((await clientOf(gateway, token).json("/v1/status")).server_faults, undefined);
    await gateway.stop();
    await assert.rejects(
      startGateway(deployed.config, developmentEnvironment(token)),
      (thrown) => thrown instanceof StartRefused && /CREDENTIAL_NOT_PROVISIONED/.test(thrown.output),
    );
  });

  test("is compared with the catalog before its first call: a tool that differs is refused", async () => {
    const path = join(dirname(deployed.config), "catalog.json");
    const catalog = JSON.parse(await readFile(path, "utf8")) as {
      entries: { tool_name: string; approved_definition: JsonObject }[];
    };
    const entries = catalog.entries.map((entry) => {
      if (entry.tool_name !== "digest") return entry;
      const definition = { ...entry.approved_definition, description: "Another." };
      return { ...entry, approved_definition: definition, definition_hash: definitionHash(definition) };
    });
    await writeFile(path, JSON.stringify({ ...catalog, entries }));
    await credentials(`server-token ${FIRST}\n`);
    gateway = await startGateway(deployed.config, developmentEnvironment(token));
    assert.match(await called(gateway, token), /CATALOG_DRIFT_DETECTED/);
    assert.match(await called(gateway, token, "slow"), new RegExp(digest(FIRST)));
  });
});

describe("a stdio server whose secret comes in a signed statement", { timeout: 120_000 * PATIENCE }, () => {
  const [provisioner, token] = [newProvisioner(), newToken()];
  let folder = "";
  let deployed: StdioDeployment;
  let gateway: Gateway;
  const file = (name: string): string => join(folder, name);
  const provision = async (line: string): Promise<string> => {
    await writeFile(file("credentials"), line, { mode: 0o600 });
    const named = {
      url: gateway.url,
      key: file("provisioning.pem"),
      tokens: file("tokens"),
      credentials: file("credentials"),
      "launch-digest": gateway.launch_digest.replace("sha256:", ""),
    };
    const options = Object.entries(named).flatMap(([name, value]) => [`--${name}`, value]);
    return (await cmcp(["provision", ...options, "--allow-software-only", "--json"])).stdout;
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-stdio-secrets-"));
    await chmod(folder, 0o755);
    deployed = await deployStdioServer(folder, "secret-stdio.mjs", {
      ...PERMITTED,
      config: `enclave: {provisioning_keys: [${provisioner.publicKey}], principals: [{id: agent}]}\n`,
    });
    const pem = provisioner.privateKey.export({ type: "pkcs8", format: "pem" });
    await writeFile(file("provisioning.pem"), pem, { mode: 0o600 });
    await writeFile(file("tokens"), tokenLine("agent", token), { mode: 0o600 });
    gateway = await startGateway(deployed.config, { CMCP_DEV_MODE: "1" });
  });
  after(async () => {
    await gateway?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test("is not started, and nobody is served, until a statement has it; what the host keeps has no secret", async () => {
    assert.deepEqual(processesWith(join(deployed.tree, "secret-stdio.mjs")), []);
    assert.match(await provision("# none\n"), /CREDENTIAL_NOT_PROVISIONED/);
    assert.equal((await fetch(`${gateway.url}/readyz`)).status, 503);
    assert.match(await provision(`server-token ${FIRST}\n`), /"provision_hash"/);
    assert.match(await called(gateway, token), new RegExp(digest(FIRST)));
    assert.match(await provision(`server-token ${SECOND}\n`), /"provision_hash"/);
    assert.match(await called(gateway, token), new RegExp(digest(SECOND)));
    await unseen(gateway, deployed);
  });
});

test("a host that records every byte it carries and stores hears no secret of a stdio server", async (t) => {
  const [provisioner, token] = [newProvisioner(), newToken()];
  const folder = await mkdtemp(join(tmpdir(), "cmcp-stdio-secrets-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await chmod(folder, 0o755);
  const { config } = await deployStdioServer(folder, "secret-stdio.mjs", {
    ...PERMITTED,
    config: `enclave: {provisioning_keys: [${provisioner.publicKey}], principals: [{id: agent}]}\n`,
  });
  const gateway = await startRecordingHost(config, { CMCP_DEV_MODE: "1" });
  t.after(() => gateway.stop());
  const carried = recordingFetch(gateway.heard);
  const shown = shownInstance(await (await carried(`${gateway.url}/attestation`)).text());
  const message = { ...tokensOf(["agent", token]), credentials: [{ name: "server-token", value: FIRST }] };
  const body = statementFor(shown, provisioner, message, { sequence: Date.now() });
  assert.equal((await carried(`${gateway.url}/statements`, { method: "POST", body })).status, 200);
  assert.match(await called(gateway, token), new RegExp(digest(FIRST)), "the server has it");
  for (const place of PLACES) {
    const streams = gateway.heard.at(place);
    assert.ok(
      streams.some(({ length }) => length > 100),
      `it heard something: ${place}`,
    );
    assert.ok(!streams.some((stream) => stream.includes(FIRST)), place);
  }
  assert.ok(
    gateway.heard.at("link").some((stream) => stream.includes(token)),
    "what is in the clear is found",
  );
  assert.ok(!gateway.log().includes(FIRST));
});
