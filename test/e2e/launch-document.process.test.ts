/** The launch document of a running gateway, as `validate-config` writes it, and claims that are held to it after a reload. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { platformArguments } from "../gateway/appraisal.ts";
import { cmcp } from "../gateway/cli.ts";
import { clientOf, logged } from "../gateway/client.ts";
import { ALLOW_ALL, deploy } from "../gateway/deployment.ts";
import { receiptOf } from "../gateway/fixture.ts";
import { developmentEnvironment, startGateway } from "../gateway/gateway.ts";
import { BundleShelf, signingKey } from "../gateway/signed-bundle.ts";
import { callReply, reply, startRawServer } from "../servers/hostile-servers.ts";

const TOKEN = "launch-token-launch-token-launch-token-la";

test("a claim made after a reload follows from the launch document only with the reloaded bundle", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-launch-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const at = (name: string): string => join(folder, name);
  const { key, publicKey } = signingKey();
  const server = await startRawServer("echo", (socket, { id }) => socket.write(reply(callReply(id, "echo"))));
  t.after(() => server.close());
  const config = await deploy(at("d"), {
    tools: [{ name: "echo", url: server.url }],
    policies: ALLOW_ALL,
    config: "policy_reload_interval_seconds: 1\n",
  });
  await rm(at("d/policies"), { recursive: true });
  const shelf = new BundleShelf(folder, at("d/policies"));
  await shelf.place({ version: "1.0.0", rules: ALLOW_ALL, key });
  const environment = { ...developmentEnvironment(TOKEN), CMCP_POLICY_SIGNING_KEY: publicKey };
  const written = await cmcp(
    ["validate-config", "--config", config, "--launch-document", at("launch.json"), "--json"],
    environment,
  );
  assert.equal(written.code, 0, written.stdout);
  const gateway = await startGateway(config, environment);
  t.after(() => gateway.stop());
  assert.equal(
    `sha256:${createHash("sha256")
      .update(await readFile(at("launch.json")))
      .digest("hex")}`,
    gateway.launch_digest,
  );

  const client = clientOf(gateway, TOKEN);
  const { session_id: session } = receiptOf((await client.call("echo", "s")).body);
  await shelf.place({ version: "2.0.0", rules: `${ALLOW_ALL}// again\n`, key });
  await logged(gateway, /reloaded/);
  await client.call("echo", "s");
  await cp(at("bundle-2"), at("reloaded"), { recursive: true });
  await writeFile(at("claim.json"), JSON.stringify(await client.close(session)));
  await writeFile(at("bundle.json"), JSON.stringify(await client.export(session)));

  const platform = await platformArguments(gateway, { token: TOKEN, session, folder });
  const verify = async (...more: string[]): Promise<readonly [number, readonly string[]]> => {
    const { code, stdout } = await cmcp([
      "verify",
      at("claim.json"),
      "--audit-bundle",
      at("bundle.json"),
      ...platform,
      "--launch-document",
      at("launch.json"),
      "--json",
      ...more,
    ]);
    const { checks } = JSON.parse(stdout) as { checks: { status: string; code?: string }[] };
    return [code, checks.flatMap(({ status, code: why = "" }) => (status === "failed" ? [why] : []))];
  };
  assert.deepEqual(await verify("--policy-bundle", at("reloaded")), [0, []]);
  assert.deepEqual(await verify(), [10, ["POLICY_BUNDLE_MISSING"]]);
  assert.deepEqual(await verify("--policy-bundle", at("bundle-1")), [10, ["POLICY_BUNDLE_MISSING"]]);
  const manifest = JSON.parse(await readFile(at("reloaded/manifest.json"), "utf8")) as { signature?: string };
  delete manifest.signature;
  await writeFile(at("reloaded/manifest.json"), JSON.stringify(manifest));
  assert.deepEqual(await verify("--policy-bundle", at("reloaded")), [10, ["POLICY_SIGNATURE_INVALID"]]);
});
