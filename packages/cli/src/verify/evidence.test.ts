/** `cmcp verify` with nothing but a claim, its evidence file and a pin; and with what the evidence file lacks. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { after, before, describe, test } from "node:test";
import { catalogHash } from "@cmcp/catalog";
import { PRESETS } from "@cmcp/appraise";
import { AT, Machine } from "../../../appraise/src/sev-snp/testing/machine.ts";
import { issueList, type Issued } from "../../../appraise/src/testing/authority.ts";
import {
  hardwareSession,
  MEASUREMENT,
  type HardwareSession,
  type SessionOptions,
} from "../../../verify/src/testing/hardware-session.ts";
import { Instance } from "../../../verify/src/testing/instance.ts";
import { ISSUED_AT } from "../../../verify/src/testing/session.ts";
import { evidenceFetch } from "../evidence/evidence-fetch.ts";
import { run } from "../evidence/testing/commands.ts";
import { replay } from "../evidence/testing/replay.ts";
import { CATALOG, documentOf, FIRST } from "./testing/launch-document.ts";
import { verify } from "./verify.ts";

const DOCUMENT = documentOf({ reload: false });
const OTHER = documentOf({ reload: true });
const digest = (bytes: Uint8Array, algorithm = "sha256"): string => createHash(algorithm).update(bytes).digest("hex");
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

describe("cmcp verify --evidence", () => {
  let folder: string;
  let machine: Machine;
  let key: Issued;
  let count = 0;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-evidence-"));
    machine = await Machine.make("Genoa");
    key = await machine.key();
    await writeFile(
      join(folder, "policy.json"),
      JSON.stringify({ sev_snp: { trust_anchors: machine.policy().trust_anchors } }),
    );
  });
  after(() => rm(folder, { recursive: true }));

  const session = async (options: SessionOptions = {}, document = DOCUMENT, signer = key): Promise<HardwareSession> =>
    await hardwareSession(machine, signer, document, {
      catalogHash: catalogHash(CATALOG),
      policies: [{ hash: FIRST.bundle.hash, version: FIRST.bundle.version }],
      ...options,
    });

  const writtenAs = async (name: string, content: unknown): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, content instanceof Uint8Array ? content : JSON.stringify(content));
    return path;
  };
  const written = async (content: unknown): Promise<string> => await writtenAs(`${(count += 1)}`, content);

  async function judge({ claim }: Pick<HardwareSession, "claim">, evidence: unknown, ...more: string[]) {
    const out = new PassThrough();
    const at = new Date((ISSUED_AT + 30) * 1000).toISOString();
    const code = await verify.run(
      [
        await written(claim),
        "--evidence",
        await written(evidence),
        "--measurement",
        MEASUREMENT,
        "--at",
        at,
        "--json",
        ...(more.includes("--appraisal-policy") ? [] : ["--appraisal-policy", join(folder, "policy.json")]),
        ...more,
      ],
      { out, err: out, colour: false },
    );
    out.end();
    const { checks } = JSON.parse((await out.toArray()).join("")) as {
      checks: { name: string; status: string; code?: string; why: string }[];
    };
    return {
      code,
      failed: checks.filter(({ status }) => status === "failed").map(({ name, code: why }) => `${name} ${why}`),
      check: (name: string) => checks.find((one) => one.name === name),
    };
  }

  test("needs no further file where the launch digest is pinned, and holds policy and catalog to the document in it", async () => {
    const made = await session();
    for (const algorithm of ["sha256", "sha384"]) {
      const { code, failed, check } = await judge(made, made.evidence, "--launch-digest", digest(DOCUMENT, algorithm));
      assert.deepEqual([failed, code], [[], 0]);
      for (const name of [
        "launch document in evidence",
        "launch document",
        "launch digest in root entry",
        "policy of launch document",
        "catalog of launch document",
      ])
        assert.equal(check(name)?.status, "passed", name);
    }
    const foreign = await session({ policies: [{ hash: `sha256:${"1".repeat(64)}`, version: "1.0.0" }] });
    assert.equal(
      (await judge(foreign, foreign.evidence, "--launch-digest", digest(DOCUMENT))).code,
      10,
      "another policy than the document's",
    );
  });

  test("a document that only agrees with the hardware is the operator's word, whatever else is pinned", async () => {
    const made = await session();
    const { code, failed, check } = await judge(
      made,
      made.evidence,
      "--policy-hash",
      FIRST.bundle.hash,
      "--catalog-hash",
      catalogHash(CATALOG),
    );
    assert.deepEqual(
      [failed, code],
      [["launch document EVIDENCE_LAUNCH_NOT_BOUND", "required: launch EVIDENCE_POLICY_VIOLATION"], 10],
    );
    assert.deepEqual(
      [check("launch document in evidence")?.status, check("policy of launch document")?.status],
      ["not-performed", "not-performed"],
    );
    assert.match(check("launch document in evidence")?.why ?? "", new RegExp(digest(DOCUMENT)));
  });

  test("another document than the pinned, given or measured one is refused", async () => {
    const made = await session();
    const swapped = { ...made.evidence, launch_document: base64(OTHER) };
    const inEvidence = "launch document in evidence EVIDENCE_LAUNCH_NOT_BOUND";
    assert.deepEqual((await judge(made, swapped, "--launch-digest", digest(DOCUMENT))).failed, [inEvidence]);
    assert.deepEqual((await judge(made, swapped, "--launch-document", await written(DOCUMENT))).failed, [inEvidence]);
    const { failed } = await judge(made, swapped, "--launch-digest", digest(OTHER));
    for (const expected of [
      "launch document EVIDENCE_LAUNCH_NOT_BOUND",
      "launch digest in root entry EVIDENCE_LAUNCH_NOT_BOUND",
    ])
      assert.ok(failed.includes(expected), failed.join("; "));
    const unbound = await session({ hostData: new Uint8Array(32).fill(1) });
    assert.deepEqual((await judge(unbound, unbound.evidence, "--launch-digest", digest(DOCUMENT))).failed, [
      "launch document EVIDENCE_LAUNCH_NOT_BOUND",
      "required: launch EVIDENCE_POLICY_VIOLATION",
    ]);
  });

  test("forged, swapped, replayed, truncated, changed or missing evidence is rejected, never verified", async () => {
    const instance = new Instance();
    const [made, sameKey, stranger] = [await session({ instance }), await session({ instance }), await session()];
    const forger = await Machine.make("Genoa");
    const forged = await hardwareSession(forger, await forger.key(), DOCUMENT, {
      instance,
      catalogHash: catalogHash(CATALOG),
      policies: [{ hash: FIRST.bundle.hash, version: FIRST.bundle.version }],
    });
    const text = JSON.stringify(made.evidence);
    const report = "report" in made.evidence ? Buffer.from(made.evidence.report, "base64") : Buffer.alloc(0);
    const withReport = (bytes: Uint8Array): unknown => ({ ...made.evidence, report: base64(bytes) });
    const attacks: Record<string, readonly [Pick<HardwareSession, "claim">, unknown, string]> = {
      "another root's": [forged, forged.evidence, "VCEK chain EVIDENCE_ROOT_NOT_TRUSTED"],
      "another session's": [made, stranger.evidence, "report data EVIDENCE_REPORT_DATA_MISMATCH"],
      "another session's of the same key": [made, sameKey.evidence, "report data EVIDENCE_REPORT_DATA_MISMATCH"],
      truncated: [made, new TextEncoder().encode(text.slice(0, -40)), "evidence file EVIDENCE_MALFORMED"],
      "a truncated report": [made, withReport(report.subarray(0, -1)), "report form EVIDENCE_MALFORMED"],
      "a changed report": [
        made,
        withReport(Uint8Array.from(report).with(0x90, 0)),
        "signature EVIDENCE_SIGNATURE_INVALID",
      ],
      "no report": [made, withReport(new Uint8Array()), "evidence file EVIDENCE_MALFORMED"],
      "none of the kind": [made, { ...made.evidence, provider: "software-only" }, "evidence file EVIDENCE_MALFORMED"],
    };
    for (const [name, [claimed, evidence, expected]] of Object.entries(attacks)) {
      const { code, failed } = await judge(claimed, evidence, "--launch-digest", digest(DOCUMENT));
      assert.deepEqual(
        [code, failed.includes(expected)],
        [expected.endsWith("EVIDENCE_MALFORMED") ? 30 : 10, true],
        `${name}: ${failed.join("; ")}`,
      );
    }
    const out = new PassThrough();
    assert.equal(
      await verify.run([await written(made.claim), "--launch-digest", digest(DOCUMENT)], {
        out,
        err: out,
        colour: false,
      }),
      10,
      "none at all",
    );
    out.end();
    assert.match((await out.toArray()).join(""), /^REJECTED[^]*EVIDENCE_MISSING/);
  });

  test("takes certificates and lists that the evidence file lacks", async () => {
    const made = await session();
    const bare = { ...made.evidence, certificates: [] };
    const pinned = ["--launch-digest", digest(DOCUMENT)];
    assert.ok((await judge(made, bare, ...pinned)).failed.includes("VCEK chain EVIDENCE_CHAIN_INVALID"));
    const certificates = await Promise.all(
      [key, machine.signing.VCEK, machine.root].map(async ({ der }) => ["--certs", await written(der)]),
    );
    assert.equal((await judge(made, bare, ...pinned, ...certificates.flat())).code, 0);
    const listed = async (serial: string): Promise<string> =>
      await written(await issueList(machine.root, { serials: [serial] }));
    const clean = await judge(made, made.evidence, ...pinned, "--collateral", await listed("99"));
    assert.deepEqual([clean.code, clean.check("VCEK revocation")?.status], [0, "passed"], clean.failed.join());
    const revoked = await judge(made, made.evidence, ...pinned, "--collateral", await listed("02"));
    assert.deepEqual(revoked.failed, ["VCEK revocation EVIDENCE_REVOKED"]);
    assert.deepEqual((await judge(made, made.evidence, ...pinned, "--collateral", await written("no list"))).code, 10);
  });

  test("is whole once the vendor's answers are in the file, of which the latest certificate of a key stays", async (t) => {
    const made = await session();
    const earlier = await machine.key({ keys: key.keys, serial: "01" });
    const path = await written({ ...made.evidence, certificates: [base64(earlier.der)] });
    const chain = Buffer.concat(
      [machine.signing.VCEK, machine.root].map(({ der }) =>
        Buffer.from(`-----BEGIN CERTIFICATE-----\n${base64(der)}\n-----END CERTIFICATE-----\n`),
      ),
    );
    const list = await issueList(machine.root);
    const { service } = await replay(t, (url) => ({
      body: Buffer.from(url.endsWith("/crl") ? list : url.endsWith("/cert_chain") ? chain : key.der),
    }));
    const at = ["--at", new Date((ISSUED_AT + 30) * 1000).toISOString()];
    await assert.rejects(
      run(evidenceFetch, "--into", path, "--service", service, ...at),
      { code: "EVIDENCE_ROOT_NOT_TRUSTED" },
      "a stranger's root",
    );
    for (let times = 0; times < 2; times += 1)
      await run(evidenceFetch, "--into", path, "--service", service, "--policy", join(folder, "policy.json"), ...at);
    const evidence = JSON.parse(await readFile(path, "utf8")) as { certificates: string[]; collateral: string[] };
    assert.deepEqual(
      [evidence.certificates, evidence.collateral],
      [[key, machine.signing.VCEK, machine.root].map(({ der }) => base64(der)), [base64(list)]],
    );
    const { code, failed, check } = await judge(made, evidence, "--launch-digest", digest(DOCUMENT));
    assert.deepEqual([failed, code, check("VCEK revocation")?.status], [[], 0, "passed"]);
  });

  /** A preset with the roots of this test's machine. */
  async function preset(name: "gcp" | "aws-snp"): Promise<string> {
    const { sev_snp: snp, ...rest } = PRESETS[name];
    return await writtenAs(`${name}.json`, {
      ...rest,
      sev_snp: { ...snp, trust_anchors: machine.policy().trust_anchors },
    });
  }

  test("on GCP and AWS the preset takes their keys and privilege levels, and no report without the launch digest in it", async () => {
    const vlek = await machine.key({ kind: "VLEK", cspId: "CN=cc-us-east-2.amazonaws.com" });
    const vmpl1 = [AT.vmpl, 1] as const;
    const signedByVlek = [AT.keyInfo, 0b100] as const;
    const cases = [
      { name: "gcp", signer: key, fields: [vmpl1] },
      { name: "aws-snp", signer: vlek, fields: [vmpl1, signedByVlek] },
    ] as const;
    for (const { name, signer, fields } of cases) {
      const policy = ["--appraisal-policy", await preset(name), "--launch-digest", digest(DOCUMENT)];
      const made = async (hostData?: Uint8Array): Promise<HardwareSession> =>
        await session({ fields, ...(hostData === undefined ? {} : { hostData }) }, DOCUMENT, signer);
      const bound = await made();
      assert.deepEqual([(await judge(bound, bound.evidence, ...policy)).failed], [[]], name);
      assert.notEqual(
        (await judge(bound, bound.evidence, "--launch-digest", digest(DOCUMENT))).code,
        0,
        `${name}: not under the strict default`,
      );
      const unbound = await made(new Uint8Array(32));
      assert.deepEqual(
        (await judge(unbound, unbound.evidence, ...policy)).failed,
        ["launch document EVIDENCE_LAUNCH_NOT_BOUND", "required: launch EVIDENCE_POLICY_VIOLATION"],
        name,
      );
    }
  });
});
