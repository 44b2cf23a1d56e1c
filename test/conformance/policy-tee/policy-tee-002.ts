import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { readLaunchInputs } from "@cmcp/launch/files";
import { startRecordsServer, type RecordsServer } from "../../servers/records-server.ts";
import { closeSession, composeHost, serveComposed } from "./composed-host.ts";
import { decisions } from "./decisions.ts";
import { deployRecords } from "./deployment.ts";
import { relyingParty } from "./relying-party.ts";
import type { Target } from "./target.ts";

/** A file of the deployment and the one byte that root changes in it: everything still parses and starts. */
const CHANGES = {
  policy: { file: "policies/records.cedar", from: '"hipaa_phi"', to: '"hipaa_phj"' },
  schema: { file: "policies/schema.cedarschema", from: "// ", to: "// _" },
  manifest: { file: "policies/manifest.json", from: '"1.', to: '"2.' },
  catalog: { file: "catalog.json", from: '"approved_by":"', to: '"approved_by":"_' },
  configuration: { file: "cmcp-config.yaml", from: "session_idle_seconds: 900", to: "session_idle_seconds: 901" },
} as const;
type Part = keyof typeof CHANGES;
const PARTS = Object.keys(CHANGES) as Part[];

interface Deployed {
  readonly folder: string;
  readonly records: RecordsServer;
  readonly config: string;
}

async function deployed(t: TestContext, provider: "tpm" | "sev-snp" | "tdx"): Promise<Deployed> {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-tee2-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const records = await startRecordsServer();
  t.after(() => records.close());
  return { folder, records, config: await deployRecords(join(folder, "deployment"), records, provider) };
}

/** Changes one part on the host's disk; the returned function puts it back. */
async function changed({ config }: Deployed, part: Part): Promise<() => Promise<void>> {
  const { file, from, to } = CHANGES[part];
  const path = join(dirname(config), file);
  const text = await readFile(path, "utf8");
  assert.ok(text.includes(from), `${file} has ${from}`);
  await writeFile(path, text.replace(from, to));
  return async () => await writeFile(path, text);
}

/** Bytes that root hands over instead of the deployment's document, and their refusal by a machine that was launched for just them. */
const OTHERS = {
  "a document for software, in development": {
    bytes: forSoftware,
    refusal: { code: "ATTESTATION_PROVIDER_UNSUPPORTED", message: /not what this image was started as/ },
  },
  "no document": { bytes: () => Promise.resolve(Buffer.from("{}")), refusal: { code: "LAUNCH_DOCUMENT_INVALID" } },
} as const;
type Other = keyof typeof OTHERS;
const EVERYTHING = [...PARTS, ...(Object.keys(OTHERS) as Other[])];

/** What is tried against a carrier: one byte of a part changed, or something else altogether. */
export type Trial = Part | Other;

/** The deployment's document, but that it asks for no hardware: the weakest that a host could write. */
async function forSoftware({ config }: Deployed): Promise<Uint8Array> {
  const other = join(dirname(config), "software.yaml");
  await writeFile(
    other,
    (await readFile(config, "utf8")).replace(/provider: (sev-snp|tdx)/, "provider: software-only"),
  );
  return (await readLaunchInputs(other, { CMCP_DEV_MODE: "1" })).document;
}

/** A host's attempt to launch with other bytes than the machine was launched for. */
async function handed(deployment: Deployed, trial: Trial): Promise<Uint8Array> {
  if (isOther(trial)) return await OTHERS[trial].bytes(deployment);
  const restore = await changed(deployment, trial);
  const { document } = await readLaunchInputs(deployment.config, {});
  await restore();
  return document;
}

function isOther(trial: Trial): trial is Other {
  return trial in OTHERS;
}

/** What the verifier finds wrong with any other document than the one it expects: in the root entry, in PCR 15, in the chain. */
const NOT_BOUND = [
  "launch digest in root entry EVIDENCE_LAUNCH_NOT_BOUND",
  "launch digest EVIDENCE_LAUNCH_NOT_BOUND",
  "required: launch EVIDENCE_POLICY_VIOLATION",
  "launch digest in audit chain EVIDENCE_LAUNCH_NOT_BOUND",
];
const OTHER_POLICY = "required: policy of launch document POLICY_BUNDLE_MISSING";
/** What it finds wrong besides, by what was changed. */
const OWN_CHECK: Readonly<Record<Part, readonly string[]>> = {
  policy: [OTHER_POLICY],
  schema: [OTHER_POLICY],
  manifest: [OTHER_POLICY],
  catalog: ["catalog of launch document CATALOG_HASH_MISMATCH"],
  configuration: [],
};

/** What the verifier finds wrong with what ran on a TPM with one byte of a part changed: name and code of each check. */
export function foundChanged(part: Part): readonly string[] {
  return [...NOT_BOUND, ...OWN_CHECK[part]];
}

/** What is tried on each kind of hardware. */
interface Trials {
  readonly "sev-snp": readonly Trial[];
  readonly tdx: readonly Trial[];
  readonly tpm: readonly Part[];
}

/** POLICY-TEE-002: the bundle is measured before it is used. */
export function policyTee002(
  target: Target,
  trials: Trials = { "sev-snp": EVERYTHING, tdx: EVERYTHING, tpm: PARTS },
): void {
  for (const [platform, algorithm, carrier] of [
    ["sev-snp", "sha256", "HOST_DATA"],
    ["tdx", "sha384", "MRCONFIGID"],
  ] as const) {
    test(`POLICY-TEE-002 (${target.name}): launched for one document, the enclave refuses any other by ${carrier} and serves nothing`, async (t) => {
      const deployment = await deployed(t, platform);
      const { document } = await readLaunchInputs(deployment.config, {});
      const place = await target.open(t, { platform, carried: createHash(algorithm).update(document).digest("hex") });
      if (place === null) return;

      for (const trial of trials[platform]) {
        await t.test(isOther(trial) ? trial : `${trial}: one byte changed`, async () => {
          const bytes = await handed(deployment, trial);
          assert.notDeepEqual(bytes, document);
          const host = await composeHost(t, place, deployment.config);
          await assert.rejects(host.launch(bytes), { code: "LAUNCH_DIGEST_MISMATCH", message: new RegExp(carrier) });
          // Not only is a launch over once it was tried: the refusal ended the instance.
          const ended = { code: "PHASE_VIOLATION", message: /while Fatal/ };
          await assert.rejects(host.launch(document), ended, "no second attempt, not with the right one either");
          await assert.rejects(host.serve(), ended);
          await assert.rejects(async () => {
            const exchange = await host.pool.open({ t: "request", method: "GET", path: "/v1/status", headers: {} });
            await exchange.end();
            await exchange.head;
          }, ended);
          await host.close();
          assert.equal(deployment.records.calls.length, 0);
        });
      }
      await t.test("the document it was launched for is served", async () => {
        const host = await serveComposed(t, place, deployment.config);
        assert.deepEqual((await decisions(host.mcp)).decided, [true, true, false]);
        await host.close();
      });
    });

    for (const trial of trials[platform].filter(isOther)) {
      test(`POLICY-TEE-002 (${target.name}): what ${carrier} carries is judged once it is read: ${trial}`, async (t) => {
        const deployment = await deployed(t, platform);
        const bytes = await OTHERS[trial].bytes(deployment);
        const place = await target.open(t, { platform, carried: createHash(algorithm).update(bytes).digest("hex") });
        if (place === null) return;
        const host = await composeHost(t, place, deployment.config);
        await assert.rejects(host.launch(bytes), OTHERS[trial].refusal);
        await assert.rejects(host.serve(), { code: "PHASE_VIOLATION", message: /while Fatal/ });
        assert.equal(deployment.records.calls.length, 0);
      });
    }
  }

  for (const part of trials.tpm) {
    test(`POLICY-TEE-002 (${target.name}): with a TPM, the verifier rejects what ran with one byte of the ${part} changed`, async (t) => {
      const deployment = await deployed(t, "tpm");
      const place = await target.open(t);
      if (place === null) return;
      const { document } = await readLaunchInputs(deployment.config, {});
      const expected = join(deployment.folder, "expected-launch.json");
      await writeFile(expected, document);
      await changed(deployment, part);
      const host = await serveComposed(t, place, deployment.config);
      const { decided, session } = await decisions(host.mcp);
      assert.deepEqual(decided, [true, true, part === "policy"], "the host's policy is in force");
      const judge = await relyingParty(target, await closeSession(host, session, deployment.folder), deployment.folder);
      assert.deepEqual((await judge()).failed, [], "nothing but the document is wrong");
      const { outcome, failed } = await judge({ launchDocument: expected });
      assert.deepEqual([outcome, failed], ["rejected", foundChanged(part)]);
    });
  }
}
