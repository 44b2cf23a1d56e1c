import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";
import { isJsonObject, parseJson, toHex, untrusted } from "@cmcp/boundary";
import * as fc from "fast-check";
import { z } from "zod";
import { preset } from "../appraisal/load-policy.ts";
import { NO_SHARED_FOLDER, sharedFile, sharedFolder } from "../testing/shared.ts";
import { readCertificates } from "./certificates.ts";
import { sevSnpPolicySchema, STRICT_SEV_SNP_POLICY, type SevSnpPolicy } from "./policy.ts";
import { parseSnpReport } from "./report.ts";
import { verifySevSnp, type SnpInput } from "./verify.ts";

const skip = sharedFolder() === null ? NO_SHARED_FOLDER : false;
const file = (path: string): Uint8Array<ArrayBuffer> => sharedFile(`evidence/amd/${path}`) ?? new Uint8Array();

const indexSchema = z.array(
  z.object({
    file: z.string(),
    product: z.string(),
    ek_cert: z.array(z.string()),
    measurement: z.string(),
    report_data: z.string(),
    version: z.number(),
    vmpl: z.number(),
    checks: z.object({ validity: z.tuple([z.string(), z.string()]).optional() }),
  }),
);
const index = skip === false ? indexSchema.parse(parseJson(untrusted(file("INDEX.json")))) : [];
type Item = (typeof index)[number];

const AUTHENTICITY = sevSnpPolicySchema.parse({ authenticity_only: true });
const endorsed = index.filter(({ ek_cert }) => ek_cert.length > 0);

const time = (text: string): Date => new Date(`${text.replace(" ", "T")}Z`);
const validFrom = (item: Item): Date => time(item.checks.validity?.[0] ?? "2026-01-01 00:00:00");
const inputOf = (item: Item): SnpInput => ({
  report: file(`reports/${item.file}`),
  certificates: item.ek_cert.map((name) => file(`certs/${name}`)),
});

async function run(
  input: SnpInput,
  at: Date,
  policy: SevSnpPolicy = AUTHENTICITY,
): Promise<{ readonly verified: boolean; readonly failed: readonly string[] }> {
  const { verified, checks } = await verifySevSnp(input, policy, at, webcrypto);
  return {
    verified: verified !== null,
    failed: checks.filter(({ status }) => status === "failed").map(({ name, code }) => `${name}: ${code}`),
  };
}

test("every genuine report with its key is authentic at the first and last second of its certificate", {
  skip,
}, async () => {
  assert.equal(endorsed.length, 13);
  for (const item of endorsed) {
    const [from = "", until = ""] = item.checks.validity ?? [];
    for (const at of [time(from), time(until)])
      assert.deepEqual(await run(inputOf(item), at), { verified: true, failed: [] }, item.file);
    for (const at of [new Date(time(from).getTime() - 1000), new Date(time(until).getTime() + 1000)]) {
      assert.deepEqual(
        (await run(inputOf(item), at)).failed.map((text) => text.replace(/^V.EK /, "")),
        ["validity: EVIDENCE_EXPIRED"],
        item.file,
      );
    }
  }
});

test("the verified report says what the index says", { skip }, async () => {
  for (const item of endorsed) {
    const { verified } = await verifySevSnp(inputOf(item), AUTHENTICITY, validFrom(item), webcrypto);
    assert.ok(verified !== null);
    assert.deepEqual(
      [
        verified.product.toLowerCase(),
        toHex(verified.measurement),
        toHex(verified.reportData),
        verified.version,
        verified.vmpl,
      ],
      [item.product, item.measurement, item.report_data, item.version, item.vmpl],
    );
  }
});

test("reports without their key have no chain, a removed chip identity is named", { skip }, async () => {
  const alone = index.filter(({ ek_cert }) => ek_cert.length === 0);
  assert.equal(alone.length, 3);
  for (const item of alone) {
    const redacted = item.file.includes("f325a30231");
    const expected = ["VCEK chain: EVIDENCE_CHAIN_INVALID", ...(redacted ? ["chip: EVIDENCE_POLICY_VIOLATION"] : [])];
    assert.deepEqual(
      await run(inputOf(item), validFrom(item), STRICT_SEV_SNP_POLICY),
      { verified: false, failed: expected },
      item.file,
    );
    const [other] = endorsed;
    assert.ok(other !== undefined);
    assert.deepEqual(
      (await run({ ...inputOf(item), certificates: inputOf(other).certificates }, validFrom(other))).failed[0],
      "signature: EVIDENCE_SIGNATURE_INVALID",
      item.file,
    );
  }
});

/** What the strict policy says of each genuine report; the others pass it. */
const REFUSED: Readonly<Record<string, readonly string[]>> = {
  // Debugging allowed; firmware of 2022.
  "377e6241d3": [
    "report version: EVIDENCE_POLICY_VIOLATION",
    "guest debug: EVIDENCE_DEBUG",
    "platform memory alias check: EVIDENCE_POLICY_VIOLATION",
    "reported TCB: EVIDENCE_TCB_NOT_ACCEPTED",
    "launch TCB: EVIDENCE_TCB_NOT_ACCEPTED",
  ],
  // Firmware below AMD-SB-3019, and a HOST_DATA that commits to something.
  a20e02a2e8: [
    "reported TCB: EVIDENCE_TCB_NOT_ACCEPTED",
    "launch TCB: EVIDENCE_TCB_NOT_ACCEPTED",
    "launch document: EVIDENCE_LAUNCH_NOT_BOUND",
  ],
  // A provider's key, asked for from VMPL 1, microcode newer than committed.
  decdab949a: [
    "key kind allowed: EVIDENCE_POLICY_VIOLATION",
    "cloud provider: EVIDENCE_POLICY_VIOLATION",
    "VMPL: EVIDENCE_POLICY_VIOLATION",
    "reported TCB: EVIDENCE_TCB_NOT_ACCEPTED",
    "committed firmware: EVIDENCE_TCB_NOT_ACCEPTED",
  ],
  "7c614616fe": [
    "report version: EVIDENCE_POLICY_VIOLATION",
    "platform memory alias check: EVIDENCE_POLICY_VIOLATION",
    "reported TCB: EVIDENCE_TCB_NOT_ACCEPTED",
    "launch TCB: EVIDENCE_TCB_NOT_ACCEPTED",
    "committed firmware: EVIDENCE_TCB_NOT_ACCEPTED",
  ],
  "2e63568e22": [
    "report version: EVIDENCE_POLICY_VIOLATION",
    "platform memory alias check: EVIDENCE_POLICY_VIOLATION",
    "reported TCB: EVIDENCE_TCB_NOT_ACCEPTED",
    "launch TCB: EVIDENCE_TCB_NOT_ACCEPTED",
    "committed firmware: EVIDENCE_TCB_NOT_ACCEPTED",
  ],
  "120d77b213": [
    "report version: EVIDENCE_POLICY_VIOLATION",
    "platform memory alias check: EVIDENCE_POLICY_VIOLATION",
    "reported TCB: EVIDENCE_TCB_NOT_ACCEPTED",
    "launch TCB: EVIDENCE_TCB_NOT_ACCEPTED",
  ],
};

test("the strict policy accepts the genuine reports of current machines and refuses the others for their reasons", {
  skip,
}, async () => {
  let accepted = 0;
  for (const item of endorsed) {
    const name = /-([0-9a-f]{10})\.report/.exec(item.file)?.[1] ?? "";
    const input = {
      ...inputOf(item),
      reportData: Buffer.from(item.report_data, "hex"),
      measurements: [item.measurement],
    };
    assert.deepEqual(
      await run(input, validFrom(item), STRICT_SEV_SNP_POLICY),
      { verified: true, failed: REFUSED[name] ?? [] },
      item.file,
    );
    if (REFUSED[name] === undefined) accepted += 1;
  }
  assert.equal(accepted, 7);
});

test("a provider's report passes a policy for that provider", { skip }, async () => {
  const item = endorsed.find(({ file: name }) => name.includes("vlek"));
  assert.ok(item !== undefined);
  const floors = { Milan: { bootloader: 4, tee: 0, snp: 24, microcode: 217 } };
  const aws = preset("aws-snp").sev_snp;
  const policy: SevSnpPolicy = { ...aws, tcb: { ...aws.tcb, floors } };
  assert.deepEqual(await run(inputOf(item), validFrom(item), policy), { verified: true, failed: [] });
});

test("malformed keys of others' making are refused", { skip }, async () => {
  for (const name of ["legacy", "new"]) {
    for (const item of endorsed) {
      const { verified, failed } = await run(
        { ...inputOf(item), certificates: [file(`tampered/trustee-test-vcek-invalid-${name}.der`)] },
        validFrom(item),
      );
      assert.equal(verified, false);
      assert.ok(
        failed.some((text) => text.startsWith("V") || text.startsWith("signature")),
        failed.join(),
      );
    }
  }
});

test("every chain file AMD publishes serves, and no other product's does harm", { skip }, async () => {
  const files = ["milan", "milan_vlek", "genoa", "genoa_vlek", "turin_vcek", "turin_vlek"].map((name) =>
    file(`ca/ask_ark_${name}.pem`),
  );
  for (const item of endorsed)
    for (const chain of files)
      assert.deepEqual(
        await run({ ...inputOf(item), certificates: [...inputOf(item).certificates, chain] }, validFrom(item)),
        { verified: true, failed: [] },
      );
});

/** One report of each layout: v2, v3 with VCEK and VLEK, and Turin's v5. */
const SAMPLES = [
  "milan-v2-vcek-120d77b213",
  "milan-v3-vcek-19ade12877",
  "milan-v3-vlek-decdab949a",
  "genoa-v3-vcek-227a641db2",
  "turin-v5-vcek-3f44a09b76",
];
const samples = endorsed.filter(({ file: name }) => SAMPLES.some((sample) => name.startsWith(sample)));

/** Fields by name, first byte and length. */
const FIELDS: readonly (readonly [string, number, number])[] = [
  ["version", 0x0, 4],
  ["guest SVN", 0x4, 4],
  ["policy", 0x8, 8],
  ["family and image", 0x10, 32],
  ["VMPL", 0x30, 4],
  ["current TCB", 0x38, 8],
  ["platform", 0x40, 8],
  ["key info", 0x48, 4],
  ["report data", 0x50, 64],
  ["measurement", 0x90, 48],
  ["host data", 0xc0, 32],
  ["ID key", 0xe0, 48],
  ["author key", 0x110, 48],
  ["report ID", 0x140, 32],
  ["reported TCB", 0x180, 8],
  ["processor", 0x188, 3],
  ["chip", 0x1a0, 64],
  ["committed TCB", 0x1e0, 8],
  ["versions", 0x1e8, 8],
  ["launch TCB", 0x1f0, 8],
  ["mitigations", 0x1f8, 16],
  ["r", 0x2a0, 72],
  ["s", 0x2a0 + 72, 72],
];

test("no field can be taken from another genuine report", { skip }, async () => {
  let swapped = 0;
  for (const item of samples) {
    for (const other of samples) {
      for (const [name, at, length] of FIELDS) {
        const report = Uint8Array.from(inputOf(item).report);
        const taken = inputOf(other).report.subarray(at, at + length);
        if (Buffer.from(report.subarray(at, at + length)).equals(taken)) continue;
        report.set(taken, at);
        const { verified, failed } = await run({ ...inputOf(item), report }, validFrom(item));
        assert.ok(!verified && failed.length > 0, `${name} of ${other.file} in ${item.file}`);
        swapped += 1;
      }
    }
  }
  assert.ok(swapped > 200);
});

test("two reports of one guest have one measurement", { skip }, async () => {
  const pair = endorsed.filter(({ file: name }) => name.includes("05b7438a3d") || name.includes("2cf09fff14"));
  const results = await Promise.all(
    pair.map(async (item) => (await verifySevSnp(inputOf(item), AUTHENTICITY, validFrom(item), webcrypto)).verified),
  );
  assert.equal(results.length, 2);
  assert.equal(new Set(results.map((report) => toHex(report?.measurement ?? new Uint8Array()))).size, 1);
});

test("whatever is sent, the answer is a list of checks", { skip }, async () => {
  const bytes = fc.uint8Array({ maxLength: 1300 });
  const genuine = fc.constantFrom(...samples);
  const mutation = fc.record({
    item: genuine,
    at: fc.nat(0x49f),
    value: fc.nat(255),
    cut: fc.option(fc.nat(0x4a0)),
    certificate: fc.option(fc.record({ at: fc.nat(1300), value: fc.nat(255) })),
    extra: fc.option(bytes),
    lists: fc.array(bytes, { maxLength: 2 }),
  });
  await fc.assert(
    fc.asyncProperty(mutation, async ({ item, at, value, cut, certificate, extra, lists }) => {
      const { report, certificates } = inputOf(item);
      const changed = Uint8Array.from(report);
      const same = changed[at] === value && cut === null && certificate === null && extra === null;
      changed[at] = value;
      const [first = new Uint8Array()] = certificates;
      const leaf = Uint8Array.from(first);
      if (certificate !== null && certificate.at < leaf.length) leaf[certificate.at] = certificate.value;
      const input = {
        report: cut === null ? changed : changed.subarray(0, cut),
        certificates: extra === null ? [leaf] : [leaf, extra],
        revocationLists: lists,
      };
      const { verified, failed } = await run(input, validFrom(item));
      assert.ok(verified || failed.length > 0);
      if (verified && !same) assert.ok(Buffer.from(input.report).equals(report), "only the genuine bytes verify");
    }),
    { numRuns: 300 },
  );
});

test("the index and the certificates are what the tests take them for", { skip }, () => {
  assert.ok(isJsonObject(parseJson(untrusted(file("ca/INDEX.json")))));
  for (const item of endorsed) {
    assert.equal(readCertificates(inputOf(item).certificates).length, item.ek_cert.length);
    assert.equal(parseSnpReport(inputOf(item).report).unverified.version, item.version);
  }
});
