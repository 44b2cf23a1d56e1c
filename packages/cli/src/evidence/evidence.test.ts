import assert from "node:assert/strict";
import { createServer } from "node:http";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { after, before, describe, test } from "node:test";
import { NO_SHARED_FOLDER, sharedFile, sharedFolder } from "@cmcp/attestation/testing";
import type { Command } from "../command.ts";
import { evidenceFetch } from "./evidence-fetch.ts";
import { evidenceShow } from "./evidence-show.ts";
import { evidenceVerify } from "./evidence-verify.ts";

const corpus = sharedFolder();
const skip = corpus === null ? NO_SHARED_FOLDER : false;
const path = (name: string): string => join(corpus ?? "", "evidence", name);

async function run(command: Command, ...args: string[]): Promise<{ code: number; out: string }> {
  const chunks: string[] = [];
  const out = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      chunks.push(chunk.toString());
      done();
    },
  });
  const code = await command.run(args, { out, err: new Writable({ write: (_chunk, _encoding, done) => done() }), colour: false });
  return { code, out: chunks.join("") };
}

interface Verdict {
  readonly outcome: string;
  readonly assurance: string;
  readonly checks: readonly { readonly name: string; readonly status: string; readonly code?: string; readonly why: string }[];
  readonly ear: { readonly submods: Readonly<Record<string, { readonly "ear.status": string }>> };
}

async function verdict(...args: string[]): Promise<{ code: number; verdict: Verdict; failed: readonly string[] }> {
  const { code, out } = await run(evidenceVerify, ...args, "--json");
  const parsed = JSON.parse(out) as Verdict;
  return { code, verdict: parsed, failed: parsed.checks.flatMap((check) => (check.status === "failed" ? [check.code ?? ""] : [])) };
}

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

const validAt = ({ checks }: AmdItem): string => `${(checks.validity?.[0] ?? "2025-06-01 00:00:00").slice(0, 10)}T23:59:59Z`;

describe("cmcp evidence verify", { skip }, () => {
  test("every SEV-SNP report with its certificate is authentic at its time, and without one is not", async () => {
    for (const item of amdItems()) {
      const evidence = ["--platform", "sev-snp", "--evidence", path(`amd/reports/${item.file}`), "--policy", "authenticity-only", "--at", validAt(item)];
      const bare = await verdict(...evidence);
      assert.deepEqual([bare.code, bare.failed.includes("EVIDENCE_CHAIN_INVALID") || bare.failed.includes("EVIDENCE_SIGNATURE_INVALID")], [10, true], item.file);
      const [certificate] = item.ek_cert;
      if (certificate === undefined) continue;
      const whole = await verdict(...evidence, "--certs", path(`amd/certs/${certificate}`));
      assert.deepEqual([whole.code, whole.verdict.assurance], [0, "authentic"], `${item.file} ${JSON.stringify(whole.failed)}`);
    }
  });

  test("the strict default wants measurement and report data, and takes no others than the right ones", async () => {
    const item = amdItems().find(({ file }) => file.startsWith("milan-v3-vcek-19ade12877"));
    assert.ok(item !== undefined);
    const evidence = ["--platform", "sev-snp", "--evidence", path(`amd/reports/${item.file}`), "--certs", path(`amd/certs/${item.ek_cert[0]}`), "--at", "2026-11-01T00:00:00Z"];
    const open = await verdict(...evidence);
    assert.deepEqual([open.code, open.verdict.checks.filter(({ name, status }) => name.startsWith("required: ") && status === "failed").map(({ name }) => name)], [10, ["required: report data", "required: measurement"]]);
    const expected = ["--measurement", item.measurement, "--report-data", item.report_data];
    const closed = await verdict(...evidence, ...expected);
    assert.deepEqual([closed.code, closed.verdict.outcome, closed.verdict.assurance, closed.verdict.ear.submods["sev-snp"]?.["ear.status"]], [0, "verified", "hardware", "affirming"]);
    const flipped = (hex: string): string => `${hex.slice(0, -1)}${hex.endsWith("0") ? "1" : "0"}`;
    assert.deepEqual((await verdict(...evidence, "--measurement", flipped(item.measurement), "--report-data", item.report_data)).failed, ["EVIDENCE_MEASUREMENT_MISMATCH", "EVIDENCE_POLICY_VIOLATION"]);
    assert.deepEqual((await verdict(...evidence, "--measurement", item.measurement, "--report-data", flipped(item.report_data))).failed, ["EVIDENCE_REPORT_DATA_MISMATCH", "EVIDENCE_POLICY_VIOLATION"]);
    assert.equal((await verdict(...evidence, ...expected, "--policy", "self-hosted-tdx")).code, 10, "a policy for another platform");
  });

  test("genuine quotes that nobody should accept are rejected with their code", async () => {
    const quote = (name: string): string[] => ["--platform", "tdx", "--evidence", path(`intel/quotes/${name}.quote.bin`), "--at", "2024-01-01T00:00:00Z"];
    assert.ok((await verdict(...quote("v4-50806f000000-12b401a88a-DEBUG"))).failed.includes("EVIDENCE_DEBUG"));
    assert.ok((await verdict(...quote("v4-10806f070000-3f49cfeb29-preprod-root"), "--policy", "authenticity-only")).failed.includes("EVIDENCE_ROOT_NOT_TRUSTED"));
    assert.ok((await verdict(...quote("v4-nofmspc-aa2cafadb3-other"), "--policy", "authenticity-only")).failed.includes("EVIDENCE_CHAIN_INVALID"));
  });

  test("a TDX quote with its vendor's collateral is verified at that time, and not without it", async () => {
    const fields = (JSON.parse(Buffer.from(sharedFile("evidence/intel/INDEX.json") ?? new Uint8Array()).toString()) as { file: string; fields: Record<string, string> }[]).find(({ file }) => file.startsWith("v4-b0c06f000000-0c699dd453"))?.fields;
    const { mrtd = "", reportdata = "" } = fields ?? {};
    const quote = ["--platform", "tdx", "--evidence", path("intel/quotes/v4-b0c06f000000-0c699dd453.quote.bin"), "--at", "2025-06-25T00:00:00Z", "--measurement", mrtd, "--report-data", reportdata];
    const collateral = ["--collateral", path("intel/collateral/dcap-qvl__sample_tdx_quote_collateral.json")];
    const without = await verdict(...quote);
    assert.ok(without.verdict.checks.some(({ name, status }) => name === "required: tcb" && status === "failed"));
    const status = (await verdict(...quote, ...collateral)).verdict.checks.find(({ name }) => name === "TCB status");
    assert.ok(status !== undefined && status.status !== "not-performed", JSON.stringify(status));
  });

  test("what is not evidence is malformed, and wrong options are usage", async () => {
    for (const platform of ["sev-snp", "tdx", "tpm", "azure-cvm"]) {
      const { code } = await verdict("--platform", platform, "--evidence", path("README.md"));
      assert.equal(code, 30, platform);
    }
    const evidence = ["--evidence", path("README.md")];
    for (const args of [["--platform", "sgx", ...evidence], ["--platform", "tdx"], ["--platform", "tdx", ...evidence, "--policy", "lenient"], ["--platform", "tdx", ...evidence, "--report-data", "00"], ["--platform", "tdx", ...evidence, "--at", "never"]]) {
      await assert.rejects(run(evidenceVerify, ...args), { code: "USAGE" }, args.join(" "));
    }
  });

  test("a policy file is held to its schema", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "cmcp-policy-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const file = join(folder, "policy.json");
    const evidence = ["--platform", "sev-snp", "--evidence", path("amd/reports/milan-v3-vcek-19ade12877.report.bin"), "--policy", file];
    for (const text of ["{", '{"version":2}', '{"sev_snp":{"debug":"any"}}', '{"version":1,"version":1}', '{"required":["nothing"]}']) {
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
    for (const [file, expected] of Object.entries(shown)) assert.match((await run(evidenceShow, path(file))).out, expected, file);
    await assert.rejects(run(evidenceShow, path("README.md")), { code: "EVIDENCE_MALFORMED" });
  });
});

describe("cmcp evidence fetch", { skip }, () => {
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-fetch-"));
  });
  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  test("asks for the report's own certificate, and keeps nothing unless everything was answered", async (t) => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url ?? "");
      const file = request.url?.includes("cert_chain") === true ? "amd/ca/ask_ark_milan.pem" : "amd/certs/sev-vcek-milan-b4165c7b5d.der";
      if (request.url?.endsWith("/crl") === true) response.writeHead(404).end();
      else response.end(Buffer.from(sharedFile(`evidence/${file}`) ?? new Uint8Array()));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    t.after(() => server.close());
    const service = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const evidence = path("amd/reports/milan-v3-vcek-19ade12877.report.bin");
    const args = ["--platform", "sev-snp", "--evidence", evidence, "--out", folder, "--service", service];
    await assert.rejects(run(evidenceFetch, ...args), { code: "EVIDENCE_COLLATERAL_UNAVAILABLE" });
    assert.match(asked[0] ?? "", /^\/vcek\/v1\/Milan\/[0-9a-f]{128}\?blSPL=4&teeSPL=0&snpSPL=24&ucodeSPL=219$/);
    await assert.rejects(readFile(join(folder, "vcek.der")), { code: "ENOENT" }, "nothing is half done");
    await assert.rejects(run(evidenceFetch, ...args.slice(0, -1), "http://127.0.0.1:1"), { code: "EVIDENCE_COLLATERAL_UNAVAILABLE" });
  });

  test("Intel's answers come with the certificates of who signed them", async (t) => {
    const chain = Buffer.from(sharedFile("evidence/intel/collateral/dcap-qvl__sample_tdx_quote_collateral.json") ?? new Uint8Array());
    const bundle = JSON.parse(chain.toString()) as Record<string, string>;
    const answers: Record<string, { body: string | Buffer; header?: [string, string] }> = {
      "/tdx/certification/v4/tcb?fmspc=b0c06f000000": { body: `{"tcbInfo":${bundle["tcb_info"]},"signature":"${bundle["tcb_info_signature"]}"}`, header: ["tcb-info-issuer-chain", bundle["tcb_info_issuer_chain"] ?? ""] },
      "/tdx/certification/v4/qe/identity": { body: `{"enclaveIdentity":${bundle["qe_identity"]},"signature":"${bundle["qe_identity_signature"]}"}`, header: ["sgx-enclave-identity-issuer-chain", bundle["qe_identity_issuer_chain"] ?? ""] },
      "/sgx/certification/v4/pckcrl?ca=platform&encoding=der": { body: Buffer.from(bundle["pck_crl"] ?? "", "hex"), header: ["sgx-pck-crl-issuer-chain", bundle["pck_crl_issuer_chain"] ?? ""] },
      "/IntelSGXRootCA.der": { body: Buffer.from(bundle["root_ca_crl"] ?? "", "hex") },
    };
    const server = createServer((request, response) => {
      const answer = answers[request.url ?? ""];
      if (answer?.header !== undefined) response.setHeader(answer.header[0], encodeURIComponent(answer.header[1]));
      response.writeHead(answer === undefined ? 404 : 200).end(answer?.body);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    t.after(() => server.close());
    const quote = path("intel/quotes/v4-b0c06f000000-0c699dd453.quote.bin");
    const { out } = await run(evidenceFetch, "--platform", "tdx", "--evidence", quote, "--out", folder, "--service", `http://127.0.0.1:${(server.address() as AddressInfo).port}`, "--json");
    const { collateral } = JSON.parse(out) as { collateral: string[] };
    assert.equal(collateral.length, 7);
    const { verdict: result } = await verdict("--platform", "tdx", "--evidence", quote, "--at", "2025-06-25T00:00:00Z", ...collateral.flatMap((file) => ["--collateral", file]));
    assert.deepEqual(result.checks.filter(({ name }) => ["collateral format", "TCB info signature", "QE identity signature", "PCK revocation"].includes(name)).map(({ status }) => status), ["passed", "passed", "passed", "passed"]);
  });
});
