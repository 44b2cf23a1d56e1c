import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { certificateTable, GUID } from "../../../appraise/src/sev-snp/testing/certificate-table.ts";
import { NO_SHARED_FOLDER, sharedFile, sharedFolder } from "@cmcp/appraise/testing";
import { evidenceShow } from "./evidence-show.ts";
import { evidenceVerify } from "./evidence-verify.ts";
import { corpusPath, run, verdict } from "./testing/commands.ts";

const skip = sharedFolder() === null ? NO_SHARED_FOLDER : false;
const path = corpusPath;

interface AmdItem {
  readonly file: string;
  readonly ek_cert: readonly string[];
  readonly measurement: string;
  readonly report_data: string;
  readonly checks: { readonly validity?: readonly [string, string] };
}

function amdItems(): readonly AmdItem[] {
  return JSON.parse(Buffer.from(sharedFile("evidence/amd/INDEX.json") ?? new Uint8Array()).toString()) as AmdItem[];
}

const validAt = ({ checks }: AmdItem): string =>
  `${(checks.validity?.[0] ?? "2025-06-01 00:00:00").slice(0, 10)}T23:59:59Z`;

describe("cmcp evidence verify", { skip }, () => {
  test("every SEV-SNP report with its certificate is authentic at its time, and without one is not", async () => {
    for (const item of amdItems()) {
      const evidence = [
        "--platform",
        "sev-snp",
        "--evidence",
        path(`amd/reports/${item.file}`),
        "--policy",
        "authenticity-only",
        "--at",
        validAt(item),
      ];
      const bare = await verdict(...evidence);
      assert.deepEqual(
        [
          bare.code,
          bare.failed.includes("EVIDENCE_CHAIN_INVALID") || bare.failed.includes("EVIDENCE_SIGNATURE_INVALID"),
        ],
        [10, true],
        item.file,
      );
      const [certificate] = item.ek_cert;
      if (certificate === undefined) continue;
      const whole = await verdict(...evidence, "--certs", path(`amd/certs/${certificate}`));
      assert.deepEqual(
        [whole.code, whole.verdict.assurance],
        [0, "authentic"],
        `${item.file} ${JSON.stringify(whole.failed)}`,
      );
    }
  });

  test("the strict default wants measurement and report data, and takes no others than the right ones", async () => {
    const item = amdItems().find(({ file }) => file.startsWith("milan-v3-vcek-19ade12877"));
    assert.ok(item !== undefined);
    const evidence = [
      "--platform",
      "sev-snp",
      "--evidence",
      path(`amd/reports/${item.file}`),
      "--certs",
      path(`amd/certs/${item.ek_cert[0]}`),
      "--at",
      "2026-11-01T00:00:00Z",
    ];
    const open = await verdict(...evidence);
    assert.deepEqual(
      [
        open.code,
        open.verdict.checks
          .filter(({ name, status }) => name.startsWith("required: ") && status === "failed")
          .map(({ name }) => name),
      ],
      [10, ["required: report data", "required: measurement"]],
    );
    const expected = ["--measurement", item.measurement, "--report-data", item.report_data];
    const closed = await verdict(...evidence, ...expected);
    assert.deepEqual(
      [
        closed.code,
        closed.verdict.outcome,
        closed.verdict.assurance,
        closed.verdict.ear.submods["sev-snp"]?.["ear.status"],
      ],
      [0, "verified", "hardware", "affirming"],
    );
    const flipped = (hex: string): string => `${hex.slice(0, -1)}${hex.endsWith("0") ? "1" : "0"}`;
    assert.deepEqual(
      (await verdict(...evidence, "--measurement", flipped(item.measurement), "--report-data", item.report_data))
        .failed,
      ["EVIDENCE_MEASUREMENT_MISMATCH", "EVIDENCE_POLICY_VIOLATION"],
    );
    assert.deepEqual(
      (await verdict(...evidence, "--measurement", item.measurement, "--report-data", flipped(item.report_data)))
        .failed,
      ["EVIDENCE_REPORT_DATA_MISMATCH", "EVIDENCE_POLICY_VIOLATION"],
    );
    assert.equal(
      (await verdict(...evidence, ...expected, "--policy", "self-hosted-tdx")).code,
      10,
      "a policy for another platform",
    );
  });

  test("genuine quotes that nobody should accept are rejected with their code", async () => {
    const quote = (name: string): string[] => [
      "--platform",
      "tdx",
      "--evidence",
      path(`intel/quotes/${name}.quote.bin`),
      "--at",
      "2024-01-01T00:00:00Z",
    ];
    assert.ok((await verdict(...quote("v4-50806f000000-12b401a88a-DEBUG"))).failed.includes("EVIDENCE_DEBUG"));
    assert.ok(
      (
        await verdict(...quote("v4-10806f070000-3f49cfeb29-preprod-root"), "--policy", "authenticity-only")
      ).failed.includes("EVIDENCE_ROOT_NOT_TRUSTED"),
    );
    assert.ok(
      (await verdict(...quote("v4-nofmspc-aa2cafadb3-other"), "--policy", "authenticity-only")).failed.includes(
        "EVIDENCE_CHAIN_INVALID",
      ),
    );
  });

  test("a TDX quote with its vendor's collateral is verified at that time, and not without it", async () => {
    const fields = (
      JSON.parse(Buffer.from(sharedFile("evidence/intel/INDEX.json") ?? new Uint8Array()).toString()) as {
        file: string;
        fields: Record<string, string>;
      }[]
    ).find(({ file }) => file.startsWith("v4-b0c06f000000-0c699dd453"))?.fields;
    const { mrtd = "", reportdata = "" } = fields ?? {};
    const quote = [
      "--platform",
      "tdx",
      "--evidence",
      path("intel/quotes/v4-b0c06f000000-0c699dd453.quote.bin"),
      "--at",
      "2025-06-25T00:00:00Z",
      "--measurement",
      mrtd,
      "--report-data",
      reportdata,
    ];
    const collateral = ["--collateral", path("intel/collateral/dcap-qvl__sample_tdx_quote_collateral.json")];
    const without = await verdict(...quote);
    assert.ok(without.verdict.checks.some(({ name, status }) => name === "required: tcb" && status === "failed"));
    const status = (await verdict(...quote, ...collateral)).verdict.checks.find(({ name }) => name === "TCB status");
    assert.ok(status !== undefined && status.status !== "not-performed", JSON.stringify(status));
  });

  test("what is not evidence is malformed, and wrong options are usage", async (t) => {
    for (const platform of ["sev-snp", "tdx", "tpm", "azure-cvm"]) {
      const { code } = await verdict("--platform", platform, "--evidence", path("README.md"));
      assert.equal(code, 30, platform);
    }
    for (const unreadable of ["/dev/zero", tmpdir(), join(tmpdir(), "no-such-file")])
      await assert.rejects(
        run(evidenceVerify, "--platform", "tdx", "--evidence", unreadable),
        { code: "USAGE" },
        unreadable,
      );
    const empty = join(await mkdtemp(join(tmpdir(), "cmcp-empty-")), "evidence");
    t.after(() => rm(dirname(empty), { recursive: true, force: true }));
    await writeFile(empty, "");
    assert.equal((await verdict("--platform", "tdx", "--evidence", empty)).code, 30);
    const evidence = ["--evidence", path("README.md")];
    for (const args of [
      ["--platform", "sgx", ...evidence],
      ["--platform", "tdx"],
      ["--platform", "tdx", ...evidence, "--policy", "lenient"],
      ["--platform", "tdx", ...evidence, "--report-data", "00"],
      ["--platform", "tdx", ...evidence, "--at", "never"],
    ]) {
      await assert.rejects(run(evidenceVerify, ...args), { code: "USAGE" }, args.join(" "));
    }
  });

  test("evidence comes as bytes, as text, in JSON, or as the evidence file beside a claim", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "cmcp-forms-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const quote = await readFile(path("intel/quotes/v4-b0c06f000000-f1c8503301.quote.bin"));
    const common = {
      format: "cmcp-evidence-v1",
      report_data: Buffer.alloc(64).toString("base64"),
      generated_at: "2026-01-01T00:00:00Z",
    };
    const file = JSON.stringify({ ...common, provider: "tdx", platform: "intel-tdx", quote: quote.toString("base64") });
    const outcome = async (platform: string, content: string | Buffer, ...more: string[]): Promise<number> => {
      await writeFile(join(folder, "evidence"), content);
      return (
        await verdict(
          "--platform",
          platform,
          "--evidence",
          join(folder, "evidence"),
          "--policy",
          "authenticity-only",
          "--at",
          "2026-08-20T00:00:00Z",
          ...more,
        )
      ).code;
    };
    for (const form of [
      quote,
      quote.toString("hex"),
      `${quote.toString("base64")}\n`,
      JSON.stringify({ quote: quote.toString("hex"), event_log: "[]" }),
      file,
    ])
      assert.equal(await outcome("tdx", form), 0, form.slice(0, 20).toString());
    assert.equal(await outcome("sev-snp", file), 30, "of another platform");
    assert.equal(await outcome("tdx", `${file.slice(0, -1)},"more":1}`), 30);
    const report = await readFile(path("amd/reports/milan-v3-vcek-19ade12877.report.bin"));
    const snp = JSON.stringify({
      ...common,
      provider: "sev-snp",
      platform: "amd-sev-snp",
      report: report.toString("base64"),
      certificates: [],
    });
    const certificate = ["--certs", path("amd/certs/sev-vcek-milan-b4165c7b5d.der")];
    assert.deepEqual(
      [
        await outcome("sev-snp", snp),
        await outcome("sev-snp", snp, ...certificate),
        await outcome("sev-snp", report.toString("hex"), ...certificate),
      ],
      [10, 0, 0],
    );
    const table = certificateTable([[GUID.vcek, await readFile(path("amd/certs/sev-vcek-milan-b4165c7b5d.der"))]]);
    const extended = async (behind: Buffer | Uint8Array): Promise<number> =>
      await outcome("sev-snp", Buffer.concat([report, behind]), ...certificate);
    assert.deepEqual(
      [
        await outcome("sev-snp", Buffer.concat([report, table])),
        await extended(Buffer.alloc(2912)),
        await extended(Buffer.alloc(2912, 1)),
      ],
      [0, 0, 30],
      "a host's certificates behind it, or its empty table, and nothing else",
    );
  });

  test("a policy file is held to its schema", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "cmcp-policy-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const file = join(folder, "policy.json");
    const evidence = [
      "--platform",
      "sev-snp",
      "--evidence",
      path("amd/reports/milan-v3-vcek-19ade12877.report.bin"),
      "--policy",
      file,
    ];
    for (const text of [
      "{",
      '{"version":2}',
      '{"sev_snp":{"debug":"any"}}',
      '{"version":1,"version":1}',
      '{"required":["nothing"]}',
    ]) {
      await writeFile(file, text);
      await assert.rejects(run(evidenceVerify, ...evidence), { code: "APPRAISAL_POLICY_INVALID" }, text);
    }
  });
});

describe("cmcp evidence show", { skip }, () => {
  test("prints what each kind of file says", async () => {
    const shown: Record<string, RegExp> = {
      "amd/reports/turin-v5-vcek-3f44a09b76.report.bin": /^sev-snp, not verified[\s\S]*Turin/,
      "amd/ca/ARK-Milan.der": /^certificates, not verified[\s\S]*ARK-Milan/,
      "intel/quotes/v5-90c06f000000-4c453ea417.quote.bin": /^tdx, not verified[\s\S]*version 5/,
      "intel/collateral/dcap-rs__data_intel_root_ca_crl.der": /^revocation-list, not verified/,
      "tpm/azure-trusted-launch-cmcp/quote.msg": /^tpm, not verified[\s\S]*qualifying data/,
      "azure/kinvolk/hcl-report-snp.bin": /^azure-cvm, not verified/,
      "tpm/gce-go-tpm-tools/eventlogs/debian-10.bin": /^event-log, not verified/,
    };
    for (const [file, expected] of Object.entries(shown))
      assert.match((await run(evidenceShow, path(file))).out, expected, file);
    await assert.rejects(run(evidenceShow, path("README.md")), { code: "EVIDENCE_MALFORMED" });
  });
});
