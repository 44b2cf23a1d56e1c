import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import { type Evidence } from "@cmcp/appraise/evidence";
import { collectSoftware } from "@cmcp/attestation";
import { untrusted } from "@cmcp/boundary";
import { buildReload, parseConfig } from "@cmcp/launch";
import { compilePolicy, readBundle, signBundle } from "@cmcp/policy";
import { SigningKey } from "../instance/signing-key.ts";
import { instanceReport } from "../instance/report.ts";
import { callCatalog } from "../testing/call-catalog.ts";
import { ActiveRules, type ReloadPorts } from "./active-rules.ts";

const workerUrl = new URL("../../../policy/src/compile-worker.ts", import.meta.url);
const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const signingKey = publicKey.export({ format: "jwk" }).x ?? "";

function filesOf(version: string): Record<string, string> {
  const manifest = {
    version,
    authored_at: "2026-01-01T00:00:00Z",
    author_identity: "test@example.org",
    commit_sha: "0",
  };
  const files = {
    "manifest.json": JSON.stringify(manifest),
    "rules.cedar": "permit (principal, action, resource);",
    "schema.cedarschema": "",
  };
  const signature = signBundle(readBundle(files), (bytes) => sign(null, bytes, privateKey));
  return { ...files, "manifest.json": JSON.stringify({ ...manifest, signature }) };
}

const messageOf = (version: string) => untrusted<Uint8Array>(buildReload({ policy_bundle: filesOf(version) }));
const catalog = callCatalog();
const first = await compilePolicy(readBundle(filesOf("1.0")), catalog, { workerUrl });
const activeRules = (terms: { signingKey?: string | null; reloadable?: boolean } = {}): ActiveRules =>
  new ActiveRules(
    { policy: first, catalog },
    { signingKey, reloadable: true, workerUrl, hasDetectors: true, catalogs: null, ...terms },
  );

/** What a reload works on while no session is open. */
function core(
  attest: (reportData: Uint8Array) => Promise<Evidence> = (reportData) =>
    Promise.resolve(collectSoftware(reportData, Date.now())),
): ReloadPorts {
  const { config } = parseConfig("", { env: { CMCP_DEV_MODE: "1" } });
  const commitments = {
    config,
    key: new SigningKey(),
    launchDigest: "sha256:00",
    identity: null,
    clientCertificate: null,
    clientKey: null,
    sealKeys: { name: "A".repeat(43) },
  };
  return {
    journal: { assertWritable: () => undefined },
    sessions: { openSessions: () => [], scheduleClose: () => undefined },
    recorder: { noteInAll: () => ({ stored: Promise.resolve(), full: [] }) },
    report: async (hashes) => await instanceReport(commitments, hashes, hashes.policy, attest),
    installed: () => undefined,
  };
}

test("a launch document that allows no reload, or pins no key, allows none whatever the host sends", async () => {
  for (const terms of [{ reloadable: false }, { signingKey: null }]) {
    const held = activeRules(terms);
    await assert.rejects(held.reload(core(), messageOf("2.0")), { code: "NOT_SUPPORTED" });
    assert.equal(held.current.policy, first);
  }
});

test("a higher signed bundle is put in force and answered with a report that names it", async () => {
  const held = activeRules();
  const installed: unknown[] = [];
  const report = await held.reload({ ...core(), installed: (made) => void installed.push(made) }, messageOf("2.0"));
  const { binding } = report;
  assert.deepEqual(installed, [report]);
  assert.deepEqual([held.current.policy.bundle.version, binding.policy_hash], ["2.0", held.current.policy.bundle.hash]);
});

test("the report that names a bundle is there before the store has taken what was noted of it", async () => {
  const held = activeRules();
  const noted = Promise.withResolvers<void>();
  const installed = Promise.withResolvers<string>();
  const reloading = held.reload(
    {
      ...core(),
      recorder: { noteInAll: () => ({ stored: noted.promise, full: [] }) },
      installed: () => installed.resolve(held.current.policy.bundle.version),
    },
    messageOf("2.0"),
  );
  assert.equal(await installed.promise, "2.0");
  noted.resolve();
  await reloading;
});

test("the bundle in force can be sent again and changes nothing", async () => {
  const held = activeRules();
  await held.reload(core(), messageOf("2.0"));
  const inForce = { ...held.current };
  let installs = 0;
  const again: ReloadPorts = { ...core(), installed: () => void (installs += 1) };
  const { binding } = await held.reload(again, messageOf("2.0"));
  assert.deepEqual([binding.policy_hash, { ...held.current }, installs], [inForce.policy.bundle.hash, inForce, 0]);
  await assert.rejects(held.reload(core(), messageOf("2")), { code: "POLICY_VERSION_NOT_HIGHER" });
});

test("of two concurrent reloads the second is checked against the policy of the first", async () => {
  const held = activeRules();
  const at = core();
  const [higher, lower] = await Promise.allSettled([
    held.reload(at, messageOf("3.0")),
    held.reload(at, messageOf("2.0")),
  ]);
  assert.deepEqual([higher.status, lower.status, held.current.policy.bundle.version], ["fulfilled", "rejected", "3.0"]);
  await held.reload(at, messageOf("3.1"));
  assert.equal(held.current.policy.bundle.version, "3.1", "a refused one does not stop those after it");
});

test("without a report nothing is put in force", async () => {
  const held = activeRules();
  await assert.rejects(
    held.reload(
      core(() => Promise.reject(new Error("no device"))),
      messageOf("2.0"),
    ),
    /no device/,
  );
  assert.equal(held.current.policy, first);
});

test("a key that hands over while a bundle is compiled puts it into force no more", async () => {
  const held = activeRules();
  const ports = core();
  const report: ReloadPorts["report"] = async (hashes) => {
    held.keys.apply({ key: signingKey, next: "n".repeat(43) });
    return await ports.report(hashes);
  };
  await assert.rejects(held.reload({ ...ports, report }, messageOf("2.0")), { code: "POLICY_SIGNING_KEY_REVOKED" });
  assert.equal(held.current.policy, first);
  assert.ok(held.isTrusted, "the policy in force stays after a succession");
  await held.reload(ports, messageOf("1.0"));
  held.keys.apply({ key: signingKey, next: null });
  assert.ok(!held.isTrusted);
  await assert.rejects(held.reload(ports, messageOf("1.0")), { code: "POLICY_SIGNING_KEY_REVOKED" });
});
