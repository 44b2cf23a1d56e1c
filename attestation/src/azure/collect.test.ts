import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { fromBase64Url, toBase64Url } from "@cmcp/boundary";
import { NO_SHARED_FOLDER, sharedFile } from "../testing/shared.ts";
import { createPrimary, flush } from "../tpm/commands/objects.ts";
import { HANDLE } from "../tpm/commands/codes.ts";
import { AZURE_KEY_HANDLE } from "../tpm/commands/attestation-key.ts";
import { tpmQualifyingData } from "../tpm/collect.ts";
import { parseQuote } from "../tpm/attest.ts";
import { withNvIndex } from "../tpm/transport/testing/nv-overlay.ts";
import { persist, rsaKeyTemplate } from "../tpm/transport/testing/provision.ts";
import { NO_SWTPM, Swtpm } from "../tpm/transport/testing/swtpm.ts";
import { AzureCollector, HCL_REPORT_INDEX, type AzureSource } from "./collect.ts";
import { parseHclReport } from "./hcl-report.ts";
import { metadataOver } from "./metadata-http.ts";
import { MAX_ANSWER_BYTES, type MetadataService } from "./metadata.ts";

// A virtual TPM as Azure sets it up, played by swtpm; reports, certificates and quote are genuine and replayed.

const UNAVAILABLE = { code: "ATTESTATION_REPORT_UNAVAILABLE" };
const REPORT_DATA = Uint8Array.from({ length: 64 }, (_, index) => 255 - index);
const CORPUS = "evidence/azure";

/** The metadata service, answering as the test says; every request is noted. */
async function serveMetadata(t: TestContext, answer: (request: IncomingMessage, body: Buffer, response: ServerResponse) => void): Promise<{ metadata: MetadataService; seen: string[] }> {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      seen.push(`${request.method} ${request.url}`);
      answer(request, Buffer.concat(chunks), response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  return { metadata: metadataOver(() => Promise.resolve(connect(port, "127.0.0.1")), 2000), seen };
}

const metadataOf = (t: TestContext, body: string | Buffer, status = 200) => serveMetadata(t, (_request, _body, response) => response.writeHead(status).end(body));

async function azureTpm(t: TestContext, hclReport: Uint8Array): Promise<Pick<AzureSource, "open" | "eventLogPath"> | undefined> {
  const swtpm = await Swtpm.start();
  if (swtpm === null) {
    t.skip(NO_SWTPM);
    return undefined;
  }
  t.after(async () => await swtpm.stop());
  await swtpm.use(async (tpm) => {
    const key = await createPrimary(tpm, HANDLE.owner, rsaKeyTemplate());
    await persist(tpm, key.handle, AZURE_KEY_HANDLE);
    await flush(tpm, key.handle);
  });
  return { open: async () => withNvIndex(await swtpm.connect(), HCL_REPORT_INDEX, hclReport), eventLogPath: null };
}

const pemBlocks = (bytes: Uint8Array): string[] => Buffer.from(bytes).toString().match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g) ?? [];

test("SEV-SNP: the paravisor's report, the certificates of the chip and the key's quotes", async (t) => {
  const hcl = sharedFile(`${CORPUS}/kinvolk/hcl-report-snp.bin`);
  const certificates = sharedFile(`${CORPUS}/kinvolk/certs.pem`);
  if (hcl === null || certificates === null) return t.skip(NO_SHARED_FOLDER);
  const tpm = await azureTpm(t, hcl);
  if (tpm === undefined) return;
  const [vcek = "", ...above] = pemBlocks(certificates);
  const { metadata, seen } = await serveMetadata(t, (request, _body, response) => {
    assert.equal(request.headers["metadata"], "true");
    response.end(JSON.stringify({ vcekCert: vcek, tcbm: "1", certificateChain: above.join(""), cacheControl: "86400" }));
  });
  const collector = new AzureCollector({ ...tpm, metadata });
  const evidence = await collector.collect(REPORT_DATA, 3);
  assert.equal(evidence.platform, "azure-cvm-sev-snp");
  assert.equal(evidence.measurement, `sha384:${Buffer.from(hcl.subarray(0x20 + 0x90, 0x20 + 0xc0)).toString("hex")}`);
  const { parts } = evidence;
  assert.ok(parts.provider === "azure-cvm");
  assert.deepEqual(parts.hclReport, hcl);
  assert.deepEqual(parts.certificates.map((bytes) => Buffer.from(bytes).toString()), [vcek, above.join("")]);
  assert.equal(parts.tdQuote, null);
  assert.deepEqual(parseQuote(parts.tpm.quote.attest).extraData, new Uint8Array(tpmQualifyingData(REPORT_DATA)));
  assert.deepEqual(parseQuote(parts.tpm.keyQuote.attest).extraData, REPORT_DATA.slice(0, 32));
  await collector.collect(REPORT_DATA, 4);
  assert.deepEqual(seen, ["GET /metadata/THIM/amd/certification"], "asked once while the report stays");
});

test("TDX: the quote comes for the paravisor's TDREPORT", async (t) => {
  const hcl = sharedFile(`${CORPUS}/trustee-az-tdx-vtpm/hcl-report.bin`);
  const quote = sharedFile(`${CORPUS}/trustee-az-tdx-vtpm/td-quote.bin`);
  if (hcl === null || quote === null) return t.skip(NO_SHARED_FOLDER);
  const tpm = await azureTpm(t, hcl);
  if (tpm === undefined) return;
  const { metadata, seen } = await serveMetadata(t, (_request, body, response) => {
    const { report } = JSON.parse(body.toString()) as { report: string };
    assert.deepEqual(fromBase64Url(report), hcl.slice(0x20, 0x20 + 1024));
    response.end(JSON.stringify({ quote: toBase64Url(quote) }));
  });
  const evidence = await new AzureCollector({ ...tpm, metadata }).collect(REPORT_DATA, 3);
  assert.equal(evidence.platform, "intel-tdx");
  assert.match(evidence.measurement, /^sha384:[0-9a-f]{96}$/);
  assert.ok(evidence.parts.provider === "azure-cvm");
  assert.deepEqual(evidence.parts.tdQuote, quote);
  assert.deepEqual(seen, ["POST /acc/tdquote"]);
});

test("a virtual TPM without the paravisor's report or key, or with a report that is none, has no evidence", async (t) => {
  const { metadata } = await metadataOf(t, "{}");
  const empty = await azureTpm(t, new Uint8Array(2600));
  if (empty === undefined) return;
  await assert.rejects(new AzureCollector({ ...empty, metadata }).collect(REPORT_DATA, 0), { ...UNAVAILABLE, message: /HCLA/ });
  const bare = await Swtpm.start();
  assert.ok(bare !== null);
  t.after(async () => await bare.stop());
  await assert.rejects(new AzureCollector({ open: async () => await bare.connect(), metadata }).collect(REPORT_DATA, 0), UNAVAILABLE);
});

test("answers of the metadata service that are no answers are refused, whatever they are", async (t) => {
  const request = { method: "GET", path: "/metadata/THIM/amd/certification", headers: {}, body: null } as const;
  const { metadata } = await metadataOf(t, Buffer.alloc(MAX_ANSWER_BYTES + 1));
  await assert.rejects(metadata(request), { ...UNAVAILABLE, message: /more than/ });
  const silent = await serveMetadata(t, (_request, _body, response) => setTimeout(() => response.end(), 10_000).unref());
  await assert.rejects(silent.metadata(request), UNAVAILABLE);
  await assert.rejects(metadataOver(() => Promise.reject(new Error("no relay")))(request), { ...UNAVAILABLE, message: /cannot be reached/ });
  const hcl = sharedFile(`${CORPUS}/kinvolk/hcl-report-snp.bin`);
  if (hcl === null) return t.skip(NO_SHARED_FOLDER);
  const tpm = await azureTpm(t, hcl);
  if (tpm === undefined) return;
  for (const [body, status] of [["", 200], ["[]", 200], ['{"vcekCert":""}', 200], ["not found", 404], ['{"vcekCert":1,"certificateChain":2}', 200]] as const) {
    const { metadata } = await metadataOf(t, body, status);
    await assert.rejects(new AzureCollector({ ...tpm, metadata }).collect(REPORT_DATA, 0), UNAVAILABLE, body);
  }
});

test("the paravisor's report is taken apart where its lengths agree", () => {
  const hcl = sharedFile(`${CORPUS}/kinvolk/hcl-report-snp.bin`);
  const runtimeData = sharedFile(`${CORPUS}/kinvolk/var-data.bin`);
  if (hcl === null || runtimeData === null) return;
  const parsed = parseHclReport(hcl);
  assert.equal(parsed.kind, "sev-snp");
  assert.equal(parsed.runtimeHash, "SHA-256");
  assert.equal(parsed.hardwareReport.length, 1184);
  for (const at of [0, 0x4c0, 0x4c8, 0x4cc, 0x4d0]) assert.throws(() => parseHclReport(hcl.with(at, 0x7f)), { code: "EVIDENCE_MALFORMED" }, `byte ${at}`);
  assert.throws(() => parseHclReport(hcl.subarray(0, 0x4d4 + parsed.runtimeData.length - 1)), { code: "EVIDENCE_MALFORMED" });
  assert.throws(() => parseHclReport(new Uint8Array(16 * 1024 + 1)), { code: "EVIDENCE_MALFORMED" });
});
