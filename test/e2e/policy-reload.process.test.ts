/**
 * Signed hot reload in production, on a TPM, and in development, with and without a pinned hash: what is refused,
 * what changes, and calls that were under way.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import type { AuditEntry } from "@cmcp/audit/schema";
import { NO_SWTPM, Swtpm } from "../../attestation/src/tpm/transport/testing/swtpm.ts";
import { platformArguments, tpmArguments } from "../gateway/appraisal.ts";
import { cmcp } from "../gateway/cli.ts";
import { clientOf, logged, type Client } from "../gateway/client.ts";
import { deploy } from "../gateway/deployment.ts";
import { receiptOf } from "../gateway/fixture.ts";
import { developmentEnvironment, startGateway, type Gateway } from "../gateway/gateway.ts";
import { IN_MACHINE, PATIENCE } from "../gateway/launcher.ts";
import { giveTokens, newProvisioner } from "../gateway/provisioner.ts";
import { BundleShelf, signingKey } from "../gateway/signed-bundle.ts";
import { makeServerCertificate } from "../servers/certificate.ts";
import { callReply, reply, startRawServer, type RawServer } from "../servers/hostile-servers.ts";

const TOKEN = "reload-token-reload-token-reload-token-re";
const { key, publicKey } = signingKey();
const rule = (id: string, tool: string, effect = "permit"): string =>
  `@id("${id}") ${effect} (principal, action, resource == cMCP::Resource::"${tool}");\n`;
/** `held` may be called under the first bundle only, `late` under the later ones only. */
const FIRST = rule("held-1", "held") + rule("late-1", "late", "forbid");
const SECOND = rule("held-2", "held", "forbid") + rule("late-2", "late");

const probe = IN_MACHINE ? null : await Swtpm.start();
await probe?.stop();
/** A machine brings its TPM, and is no other platform in development. */
const NO_TPM = probe === null && !IN_MACHINE ? NO_SWTPM : false;

for (const [surroundings, pinned] of [
  ["production", false],
  ["production", true],
  ["development", true],
] as const) {
  const production = surroundings === "production";
  const onTpm = production || IN_MACHINE;
  describe(`in ${surroundings}, a gateway with a pinned signing key ${pinned ? "and a pinned hash" : "and no pinned hash"}`, {
    skip: production ? NO_TPM : false,
  }, () => {
    const servers: RawServer[] = [];
    const provisioner = newProvisioner();
    const waiting: { socket: Socket; id: number | null }[] = [];
    let folder: string;
    let gateway: Gateway;
    let client: Client;
    let shelf: BundleShelf;
    let firstHash: string;
    let secondHash: string;
    let tpm: Swtpm | null = null;

    /** In development the host does it. */
    const provisioned = async (): Promise<void> => {
      if (production) await giveTokens(gateway.url, provisioner, ["default", TOKEN]);
    };

    /** What the gateway is started with beside its key: production has hardware and no development mode. */
    const environment = async (): Promise<Record<string, string>> => {
      if (!production) return developmentEnvironment(TOKEN);
      if (IN_MACHINE) return {};
      tpm = await Swtpm.start();
      assert.ok(tpm !== null);
      return { CMCP_TPM_SOCKET: tpm.socket };
    };

    before(async () => {
      folder = await mkdtemp(join(tmpdir(), "cmcp-reload-"));
      const certificate = await makeServerCertificate();
      servers.push(
        await startRawServer("held", (socket, { id }) => waiting.push({ socket, id }), undefined, certificate),
        await startRawServer(
          "late",
          (socket, { id }) => socket.write(reply(callReply(id, "late"))),
          undefined,
          certificate,
        ),
      );
      const tools = ["held", "late"].map((name, index) => ({
        name,
        url: servers[index]?.url ?? "",
        fingerprint: certificate.fingerprint,
      }));
      const config = await deploy(join(folder, "d"), {
        tools,
        policies: FIRST,
        config:
          `policy_reload_interval_seconds: 1\nattestation: {provider: ${onTpm ? "tpm" : "software-only"}}\n` +
          (production ? `enclave: {provisioning_keys: [${provisioner.publicKey}]}\n` : ""),
      });
      await rm(join(folder, "d/policies"), { recursive: true });
      shelf = new BundleShelf(folder, join(folder, "d/policies"));
      firstHash = await shelf.place({ version: "1.0.0", rules: FIRST, key });
      const env = {
        ...(await environment()),
        CMCP_POLICY_SIGNING_KEY: publicKey,
        ...(pinned ? { CMCP_POLICY_HASH: firstHash } : {}),
      };
      const checked = await cmcp(
        ["validate-config", "--config", config, "--launch-document", join(folder, "launch.json")],
        env,
      );
      assert.equal(checked.code, 0, checked.stderr);
      gateway = await startGateway(config, env);
      await provisioned();
      client = clientOf(gateway, TOKEN);
    });

    after(async () => {
      await gateway?.stop();
      await tpm?.stop();
      for (const server of servers) await server.close();
      await rm(folder, { recursive: true, force: true });
    });

    const inForce = async (): Promise<unknown> =>
      ((await client.json("/v1/status"))["policy"] as { bundle_hash: string }).bundle_hash;
    const lateCall = async (label: string): Promise<string | undefined> =>
      (await client.call("late", label)).body.error?.data?.error_code;
    /** How an auditor judges a claim of a production gateway: with its evidence, the launch document, and the bundle that followed. */
    const productionArguments = async (session: string): Promise<string[]> => [
      ...(await tpmArguments(gateway, { token: TOKEN, session, folder }, ["report_data", "launch"])),
      "--launch-document",
      join(folder, "launch.json"),
      "--policy-bundle",
      join(folder, "d/policies"),
    ];
    let refusals = 0;
    /** The bundle now in the folder is refused with this code and one log line, and changes nothing. */
    const refusedWith = async (code: string, expected = firstHash): Promise<void> => {
      refusals += 1;
      await logged(gateway, /reload refused/, refusals);
      assert.match(
        gateway
          .log()
          .split("\n")
          .findLast((line) => line.includes("reload refused")) ?? "",
        new RegExp(`"code":"${code}"`),
      );
      assert.equal(await inForce(), expected);
    };

    test("refuses bundles that are not signed, wrongly signed, not higher, or no policy, each once, and stays as it was", async () => {
      const good = { version: "2.0.0", rules: SECOND, key };
      await shelf.place({ ...good, key: null });
      await refusedWith("POLICY_SIGNATURE_INVALID");
      await shelf.place({ ...good, key: signingKey().key });
      await refusedWith("POLICY_SIGNATURE_INVALID");
      await shelf.place(good, (files) => (files["rules.cedar"] += "\n// changed after signing\n"));
      await refusedWith("POLICY_SIGNATURE_INVALID");
      for (const version of ["1.0.0", "1.0", "0.99.99"]) {
        await shelf.place({ ...good, version });
        await refusedWith("POLICY_VERSION_NOT_HIGHER");
      }
      await shelf.place({ ...good, version: "2.0.0-rc1" });
      await refusedWith("POLICY_BUNDLE_INVALID");
      await shelf.place({ ...good, rules: "permit (principal, action" });
      await refusedWith("POLICY_BUNDLE_INVALID");
      await shelf.place({
        ...good,
        rules: `permit (principal, action, resource) when { ${"(".repeat(400)}true${")".repeat(400)} };`,
      });
      await refusedWith("POLICY_BUNDLE_INVALID");
      await shelf.place(
        good,
        (files) => (files["manifest.json"] = `{"version":"3","version":"4"${files["manifest.json"]?.slice(1)}`),
      );
      await refusedWith("JSON_DUPLICATE_KEY");
      assert.equal(await lateCall("before"), "POLICY_DENY");
    });

    test("takes a higher signed bundle in the middle of a call, which ends under the policy it was decided with", async () => {
      const held = client.call("held", "across");
      for (const deadline = Date.now() + 5000 * PATIENCE; waiting.length === 0; ) {
        assert.ok(Date.now() < deadline, "the call did not reach its server");
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      const { session_id: session } = receiptOf((await client.call("late", "across")).body);
      secondHash = await shelf.place({ version: "2.0.0", rules: SECOND, key });
      await logged(gateway, /reloaded/);
      assert.equal(await inForce(), secondHash);
      assert.equal(await lateCall("across"), undefined, "the new policy allows it");
      for (const { socket, id } of waiting.splice(0)) socket.write(reply(callReply(id, "at last")));
      const ended = await held;
      assert.match(JSON.stringify(ended.body.result), /at last/);
      assert.equal(receiptOf(ended.body).policy_hash, firstHash);
      assert.equal(
        (await client.call("held", "across")).body.error?.data?.error_code,
        "POLICY_DENY",
        "the next such call is decided anew",
      );

      const claim = await client.close(session);
      const bundle = await client.export(session);
      const told = (entry: AuditEntry): unknown[] => [
        entry.entry_type,
        entry.tool_name,
        entry.policy_decision,
        entry.policy_rule_matched,
        entry.detail?.["policy_hash"],
      ];
      assert.deepEqual(bundle.entries.map(told), [
        ["session_start", null, "n/a", null, firstHash],
        ["tool_call", "late", "deny", "late-1", firstHash],
        ["policy_load", null, "n/a", null, secondHash],
        ["tool_call", "late", "allow", "late-2", secondHash],
        ["tool_call", "held", "allow", "held-1", firstHash],
        ["tool_call", "held", "deny", "held-2", secondHash],
        ["session_end", null, "n/a", null, secondHash],
      ]);
      const load = bundle.entries[2]?.detail ?? {};
      assert.deepEqual([load["previous_policy_hash"], load["policy_version"]], [firstHash, "2.0.0"]);
      assert.match(String(load["report_data"]), /^[A-Za-z0-9_-]{86}$/);
      assert.deepEqual([claim.trace.policy.bundle_hash, claim.trace.policy.version], [secondHash, "2.0.0"]);
      await writeFile(join(folder, "claim.json"), JSON.stringify(claim));
      await writeFile(join(folder, "bundle.json"), JSON.stringify(bundle));
      const platform = production
        ? await productionArguments(session)
        : await platformArguments(gateway, { token: TOKEN, session, folder });
      const verify = (...more: string[]) =>
        cmcp([
          "verify",
          join(folder, "claim.json"),
          "--audit-bundle",
          join(folder, "bundle.json"),
          ...platform,
          "--json",
          ...more,
        ]);
      const verdict = await verify();
      assert.equal(verdict.code, 0, verdict.stdout);
      assert.equal(
        (await verify("--policy-hash", secondHash)).code,
        10,
        "a pinned policy must be the only one that decided",
      );
    });

    test("reports, sessions and status name the new policy; a session that never used anything was not touched", async () => {
      const attested = await client.json("/attestation?nonce=abcdefghijklmnop");
      assert.equal((attested["binding"] as { policy_hash: string }).policy_hash, secondHash);
      assert.deepEqual(
        [(await client.json("/v1/status"))["development"], (await client.json("/v1/status"))["platform"]],
        [!production, onTpm ? "tpm2" : "software-only"],
      );
      const { session_id: session } = receiptOf((await client.call("late", "afterwards")).body);
      const { entries } = await client.export(session);
      assert.deepEqual(
        entries.map((entry) => [entry.entry_type, entry.detail?.["policy_hash"]]),
        [
          ["session_start", secondHash],
          ["tool_call", secondHash],
        ],
      );
    });

    test("refuses the bundle before, and the same again", async () => {
      await shelf.replay(1);
      await refusedWith("POLICY_VERSION_NOT_HIGHER", secondHash);
      await shelf.place({ version: "2.0.0", rules: SECOND + rule("more", "held"), key });
      await refusedWith("POLICY_VERSION_NOT_HIGHER", secondHash);
    });

    test("an enclave that crashes comes back under the policy that was in force, before it serves", async () => {
      process.kill(gateway.enclave_pid, "SIGKILL");
      await logged(gateway, /enclave up/, 2);
      await provisioned();
      assert.equal(await inForce(), secondHash);
      assert.equal(await lateCall("after-crash"), undefined);
    });
  });
}

describe("a gateway without reload", () => {
  test("keeps its bundle whatever is put in the folder", async () => {
    const folder = await mkdtemp(join(tmpdir(), "cmcp-no-reload-"));
    const server = await startRawServer("late", (socket, { id }) => socket.write(reply(callReply(id, "late"))));
    const config = await deploy(join(folder, "d"), { tools: [{ name: "late", url: server.url }], policies: FIRST });
    await rm(join(folder, "d/policies"), { recursive: true });
    const shelf = new BundleShelf(folder, join(folder, "d/policies"));
    await shelf.place({ version: "1.0.0", rules: FIRST, key });
    const gateway = await startGateway(config, {
      ...developmentEnvironment(TOKEN),
      CMCP_POLICY_SIGNING_KEY: publicKey,
    });
    await shelf.place({ version: "2.0.0", rules: SECOND, key });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.equal((await clientOf(gateway, TOKEN).call("late", "x")).body.error?.data?.error_code, "POLICY_DENY");
    await gateway.stop();
    await server.close();
    await rm(folder, { recursive: true, force: true });
  });
});
