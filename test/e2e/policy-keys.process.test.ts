/** The policy signing key hands over while the gateway runs, and a revoked key's policy decides nothing, over a crash too. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { cmcp } from "../gateway/cli.ts";
import { clientOf, logged, type Client } from "../gateway/client.ts";
import { ALLOW_ALL, deploy } from "../gateway/deployment.ts";
import { receiptOf } from "../gateway/fixture.ts";
import { developmentEnvironment, startGateway, type Gateway } from "../gateway/gateway.ts";
import { newOperator } from "../gateway/operator.ts";
import { BundleShelf, signingKey } from "../gateway/signed-bundle.ts";
import { callReply, reply, startRawServer, type RawServer } from "../servers/hostile-servers.ts";

const TOKEN = "policy-keys-token-policy-keys-token-policy";
const pem = (key: ReturnType<typeof signingKey>["key"]): string =>
  key.export({ type: "pkcs8", format: "pem" }).toString();

describe("policy signing keys of a running gateway", () => {
  const [old, next] = [signingKey(), signingKey()];
  const operator = newOperator();
  let folder = "";
  let server: RawServer;
  let gateway: Gateway;
  let client: Client;
  let shelf: BundleShelf;
  let sequence = 0;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-policy-keys-"));
    server = await startRawServer("late", (socket, { id }) => socket.write(reply(callReply(id, "late"))));
    const config = await deploy(join(folder, "d"), {
      tools: [{ name: "late", url: server.url }],
      policies: ALLOW_ALL,
      config: `policy_reload_interval_seconds: 1\nenclave: {operator_keys: [${operator.publicKey}]}\n`,
    });
    await rm(join(folder, "d/policies"), { recursive: true });
    shelf = new BundleShelf(folder, join(folder, "d/policies"));
    await shelf.place({ version: "1.0.0", rules: ALLOW_ALL, key: old.key });
    gateway = await startGateway(config, { ...developmentEnvironment(TOKEN), CMCP_POLICY_SIGNING_KEY: old.publicKey });
    client = clientOf(gateway, TOKEN);
    await writeFile(join(folder, "operator.pem"), pem(operator.privateKey), { mode: 0o600 });
    await writeFile(join(folder, "old.pem"), pem(old.key), { mode: 0o600 });
  });
  after(async () => {
    await gateway?.stop();
    await server?.close();
    await rm(folder, { recursive: true, force: true });
  });

  const run = async (command: "succeed-key" | "revoke-key", ...args: string[]) => {
    sequence += 1;
    const { instance } = await client.json("/v1/status");
    return await cmcp([
      "policy",
      command,
      "--url",
      gateway.url,
      "--key",
      join(folder, "operator.pem"),
      "--reason",
      "test",
      "--instance",
      String(instance),
      "--sequence",
      String(sequence),
      ...args,
    ]);
  };
  const call = async (): Promise<string> => (await client.call("late", "one")).body.error?.data?.error_code ?? "sent";
  const version = async (): Promise<unknown> =>
    ((await client.json("/v1/status"))["policy"] as { version: string }).version;
  let refusals = 0;
  const refused = async (code: string): Promise<void> => {
    refusals += 1;
    await logged(gateway, /reload refused/, refusals);
    assert.match(gateway.log(), new RegExp(`"code":"${code}"`));
  };

  test("after a succession the old key's bundles are refused by a code of their own, and the policy in force stays", async () => {
    const { body } = await client.call("late", "one");
    const session = receiptOf(body).session_id;
    const done = await run("succeed-key", "--policy-key", join(folder, "old.pem"), "--next-key", next.publicKey);
    assert.equal(done.code, 0, done.stderr);
    assert.equal(await call(), "sent");
    await shelf.place({ version: "2.0.0", rules: ALLOW_ALL, key: old.key });
    await refused("POLICY_SIGNING_KEY_REVOKED");
    assert.equal(await version(), "1.0.0");
    const again = await run("succeed-key", "--policy-key", join(folder, "old.pem"), "--next-key", next.publicKey);
    assert.equal(again.code, 10);
    assert.match(again.stderr, /POLICY_KEY_REVOCATION_INVALID/);
    const { entries } = await client.export(session);
    const entry = entries.find(({ entry_type: type }) => type === "break_glass_used");
    assert.deepEqual(
      [entry?.detail?.["reason"], entry?.detail?.["policy_key"], entry?.detail?.["next_key"]],
      ["policy_key_succeeded", old.publicKey, next.publicKey],
    );
  });

  test("a revoked key's policy decides nothing, until a bundle of the key that follows is in force", async () => {
    const done = await run("revoke-key", "--policy-key", old.publicKey);
    assert.equal(done.code, 0, done.stderr);
    assert.equal(await call(), "POLICY_SIGNING_KEY_REVOKED");
    await shelf.place({ version: "3.0.0", rules: ALLOW_ALL, key: next.key });
    await logged(gateway, /reloaded/);
    assert.equal(await call(), "sent");
    assert.equal(await version(), "3.0.0");
  });

  test("an enclave that crashes comes back with both changes, though its launch document pins the old key", async () => {
    process.kill(gateway.enclave_pid, "SIGKILL");
    await logged(gateway, /enclave up/, 2);
    assert.equal(await call(), "sent");
    assert.equal(await version(), "3.0.0");
    await shelf.place({ version: "4.0.0", rules: ALLOW_ALL, key: old.key });
    await refused("POLICY_SIGNING_KEY_REVOKED");
  });
});
