import assert from "node:assert/strict";
import { createHash, createPublicKey, webcrypto } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { fromBase64Url, toBase64Url } from "@cmcp/boundary";
import { AT, Machine, signedReport } from "../../../packages/appraise/src/sev-snp/testing/machine.ts";
import { NOW, type Issued } from "../../../packages/appraise/src/testing/authority.ts";
import { NO_SHARED_FOLDER, sharedFile } from "../../../packages/appraise/src/testing/shared.ts";
import { measureLaunch } from "../tpm/commands/measure-launch.ts";
import { createPrimary, flush, readPublic } from "../tpm/commands/objects.ts";
import { HANDLE } from "../tpm/commands/codes.ts";
import { Tpm } from "../tpm/commands/tpm.ts";
import { parseAttestationKey } from "../../../packages/appraise/src/tpm/public-key.ts";
import { AZURE_KEY_HANDLE } from "../tpm/commands/attestation-key.ts";
import { tpmQualifyingData } from "../tpm/collect.ts";
import { parseTpmQuote } from "../../../packages/appraise/src/tpm/quote.ts";
import { withNvIndex } from "../tpm/transport/testing/nv-overlay.ts";
import { persist, rsaKeyTemplate } from "../tpm/transport/testing/provision.ts";
import { capability, response, scriptedTpm } from "../tpm/transport/testing/scripted-tpm.ts";
import { NO_SWTPM, Swtpm } from "../tpm/transport/testing/swtpm.ts";
import { AzureCollector, readParavisor, type AzureSource } from "./collect.ts";
import { STRICT_AZURE_CVM_POLICY } from "../../../packages/appraise/src/azure/policy.ts";
import { azureEvidenceOf } from "../../../packages/appraise/src/evidence/parts.ts";
import { verifyAzureCvm } from "../../../packages/appraise/src/azure/verify.ts";
import { metadataOver } from "./metadata-http.ts";
import type { MetadataService } from "./metadata.ts";

// A virtual TPM as Azure sets it up, played by swtpm; reports, certificates and quote are genuine and replayed.

const UNAVAILABLE = { code: "ATTESTATION_REPORT_UNAVAILABLE" };
const REPORT_DATA = Uint8Array.from({ length: 64 }, (_, index) => 255 - index);
const CORPUS = "evidence/azure";
/** Where Azure's paravisor leaves its report. */
const HCL_REPORT_INDEX = 0x01400001;

/** The metadata service, answering as the test says; every request is noted. */
async function serveMetadata(
  t: TestContext,
  answer: (request: IncomingMessage, body: Buffer, response: ServerResponse) => void,
): Promise<{ metadata: MetadataService; seen: string[] }> {
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

const metadataOf = (t: TestContext, body: string | Buffer, status = 200) =>
  serveMetadata(t, (_request, _body, response) => response.writeHead(status).end(body));

async function azureTpm(
  t: TestContext,
  hclReport: () => Uint8Array,
): Promise<Pick<AzureSource, "open" | "eventLogPath"> | undefined> {
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
  return { open: async () => withNvIndex(await swtpm.connect(), HCL_REPORT_INDEX, hclReport()), eventLogPath: null };
}

const pemBlocks = (bytes: Uint8Array): string[] =>
  Buffer.from(bytes)
    .toString()
    .match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g) ?? [];

test("SEV-SNP: the paravisor's report, the certificates of the chip and the key's quotes", async (t) => {
  let hcl = sharedFile(`${CORPUS}/kinvolk/hcl-report-snp.bin`);
  const certificates = sharedFile(`${CORPUS}/kinvolk/certs.pem`);
  if (hcl === null || certificates === null) return t.skip(NO_SHARED_FOLDER);
  const tpm = await azureTpm(t, () => hcl ?? new Uint8Array());
  if (tpm === undefined) return;
  const [vcek = "", ...above] = pemBlocks(certificates);
  const { metadata, seen } = await serveMetadata(t, (request, _body, response) => {
    assert.equal(request.headers["metadata"], "true");
    response.end(
      JSON.stringify({ vcekCert: vcek, tcbm: "1", certificateChain: above.join(""), cacheControl: "86400" }),
    );
  });
  const collector = new AzureCollector({ ...tpm, metadata });
  const evidence = await collector.collect(REPORT_DATA, 3);
  assert.equal(evidence.platform, "azure-cvm-sev-snp");
  assert.equal(evidence.measurement, `sha384:${Buffer.from(hcl.subarray(0x20 + 0x90, 0x20 + 0xc0)).toString("hex")}`);
  const { parts } = evidence;
  assert.ok(parts.provider === "azure-cvm");
  assert.deepEqual(parts.hclReport, hcl);
  assert.deepEqual(
    parts.certificates.map((bytes) => Buffer.from(bytes).toString()),
    [vcek, above.join("")],
  );
  assert.equal(parts.tdQuote, null);
  assert.deepEqual(parseTpmQuote(parts.tpm.quote.attest).extraData, new Uint8Array(tpmQualifyingData(REPORT_DATA)));
  assert.deepEqual(parseTpmQuote(parts.tpm.keyQuote.attest).extraData, REPORT_DATA.slice(0, 32));
  await collector.collect(REPORT_DATA, 4);
  assert.deepEqual(seen, ["GET /metadata/THIM/amd/certification"], "asked once while the report stays");
  hcl = hcl.with(0x20 + 0x180, 9);
  await collector.collect(REPORT_DATA, 5);
  assert.equal(seen.length, 2, "and again for another report, which another certificate may be of");
});

test("TDX: the quote comes for the paravisor's TDREPORT", async (t) => {
  const hcl = sharedFile(`${CORPUS}/trustee-az-tdx-vtpm/hcl-report.bin`);
  const quote = sharedFile(`${CORPUS}/trustee-az-tdx-vtpm/td-quote.bin`);
  if (hcl === null || quote === null) return t.skip(NO_SHARED_FOLDER);
  const tpm = await azureTpm(t, () => hcl);
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

/** The paravisor's report of a machine of our own making, naming the key that is in the virtual TPM. */
async function reportNaming(machine: Machine, chipKey: Issued, attestationKey: Uint8Array): Promise<Uint8Array> {
  const { key } = parseAttestationKey(attestationKey);
  const jwk = createPublicKey({ key: Buffer.from(key.spki), format: "der", type: "spki" }).export({ format: "jwk" });
  const runtimeData = Buffer.from(
    JSON.stringify({ keys: [{ kid: "HCLAkPub", key_ops: ["sign"], ...jwk }], "user-data": "00".repeat(64) }),
  );
  const bound = Buffer.concat([createHash("sha256").update(runtimeData).digest(), Buffer.alloc(32)]);
  const report = await signedReport(machine.product, chipKey, { fields: [[AT.reportData, new Uint8Array(bound)]] });
  const header = Buffer.alloc(32);
  header.write("HCLA");
  header.writeUInt32LE(1, 4);
  header.writeUInt32LE(32 + report.length + 20 + runtimeData.length, 8);
  const runtimeHeader = Buffer.alloc(20);
  for (const [index, value] of [20 + runtimeData.length, 1, 2, 1, runtimeData.length].entries())
    runtimeHeader.writeUInt32LE(value, index * 4);
  return new Uint8Array(Buffer.concat([header, report, runtimeHeader, runtimeData]));
}

test("what is collected the verifier accepts, from the chip's key to the report data", async (t) => {
  const machine = await Machine.make("Genoa");
  const chipKey = await machine.key();
  let hcl = new Uint8Array();
  const tpm = await azureTpm(t, () => hcl);
  if (tpm === undefined) return;
  const device = new Tpm(await tpm.open());
  hcl = new Uint8Array(await reportNaming(machine, chipKey, await readPublic(device, AZURE_KEY_HANDLE)));
  const launchDigest = new Uint8Array(32).fill(3);
  await measureLaunch(device, launchDigest);
  await device.close();
  const pem = (der: Uint8Array): string =>
    `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString("base64")}\n-----END CERTIFICATE-----\n`;
  const { metadata } = await metadataOf(
    t,
    JSON.stringify({
      vcekCert: pem(chipKey.der),
      certificateChain: pem(machine.signing.VCEK.der) + pem(machine.root.der),
    }),
  );
  const { parts } = await new AzureCollector({ ...tpm, metadata }).collect(REPORT_DATA, 3);
  assert.ok(parts.provider === "azure-cvm");
  const verify = async (reportData: Uint8Array, digest: Uint8Array): Promise<string[]> => {
    const { verified, checks } = await verifyAzureCvm(
      { evidence: azureEvidenceOf(parts), reportData, launchDigest: digest },
      { ...STRICT_AZURE_CVM_POLICY, sev_snp: machine.policy() },
      NOW,
      webcrypto,
    );
    assert.ok(verified !== null, JSON.stringify(checks.filter(({ status }) => status === "failed")));
    return checks.filter(({ status }) => status === "failed").map(({ name }) => name);
  };
  assert.deepEqual(await verify(REPORT_DATA, launchDigest), []);
  assert.deepEqual(await verify(REPORT_DATA.with(0, 1), launchDigest), ["report data"]);
  assert.deepEqual(await verify(REPORT_DATA, launchDigest.with(0, 1)), ["launch digest"]);
});

test("a virtual TPM without the paravisor's report or key, or with a report that is none, has no evidence", async (t) => {
  const { metadata } = await metadataOf(t, "{}");
  const empty = await azureTpm(t, () => new Uint8Array(2600));
  if (empty === undefined) return;
  await assert.rejects(new AzureCollector({ ...empty, metadata }).collect(REPORT_DATA, 0), {
    ...UNAVAILABLE,
    message: /HCLA/,
  });
  const bare = await Swtpm.start();
  assert.ok(bare !== null);
  t.after(async () => await bare.stop());
  await assert.rejects(
    new AzureCollector({ open: async () => await bare.connect(), eventLogPath: null, metadata }).collect(
      REPORT_DATA,
      0,
    ),
    UNAVAILABLE,
  );
});

test("the paravisor's measurement is read from the report that the virtual TPM holds, of either hardware", async (t) => {
  const snp = sharedFile(`${CORPUS}/kinvolk/hcl-report-snp.bin`);
  const tdx = sharedFile(`${CORPUS}/kinvolk/hcl-report-tdx.bin`);
  if (snp === null || tdx === null) return t.skip(NO_SHARED_FOLDER);
  const silent = scriptedTpm(() => response(0x101)).transport;
  const read = async (report: Uint8Array) => {
    const asked = scriptedTpm(() => capability(6, [], 0)).transport;
    return await readParavisor(new Tpm(withNvIndex(asked, HCL_REPORT_INDEX, report)));
  };
  const hex = (bytes: Uint8Array, from: number): string => Buffer.from(bytes.subarray(from, from + 48)).toString("hex");
  assert.deepEqual(await read(snp), {
    platform: "azure-cvm-sev-snp",
    measurement: `sha384:${hex(snp, 0x20 + 0x90)}`,
  });
  assert.deepEqual(await read(tdx), { platform: "intel-tdx", measurement: `sha384:${hex(tdx, 0x20 + 528)}` });
  await assert.rejects(read(snp.with(0, 0)), UNAVAILABLE);
  await assert.rejects(readParavisor(new Tpm(silent)), UNAVAILABLE);
});

test("answers of the metadata service that are no answers are refused, whatever they are", async (t) => {
  const request = { method: "GET", path: "/metadata/THIM/amd/certification", headers: {}, body: null } as const;
  const largest = await metadataOf(t, Buffer.alloc(65_536));
  assert.equal((await largest.metadata(request)).body.length, 65_536);
  const { metadata } = await metadataOf(t, Buffer.alloc(65_537));
  await assert.rejects(metadata(request), { ...UNAVAILABLE, message: /more than/ });
  const silent = await serveMetadata(t, (_request, _body, response) =>
    setTimeout(() => response.end(), 10_000).unref(),
  );
  await assert.rejects(silent.metadata(request), UNAVAILABLE);
  await assert.rejects(metadataOver(() => Promise.reject(new Error("no relay")))(request), {
    ...UNAVAILABLE,
    message: /cannot be reached/,
  });
  const timeout = t.mock.method(AbortSignal, "timeout");
  await assert.rejects(metadataOver(() => Promise.reject(new Error("no relay")))(request), UNAVAILABLE);
  assert.deepEqual(timeout.mock.calls[0]?.arguments, [30_000], "a request may take thirty seconds");
  timeout.mock.restore();
  const hcl = sharedFile(`${CORPUS}/kinvolk/hcl-report-snp.bin`);
  if (hcl === null) return t.skip(NO_SHARED_FOLDER);
  const tpm = await azureTpm(t, () => hcl);
  if (tpm === undefined) return;
  for (const [body, status] of [
    ["", 200],
    ["[]", 200],
    ['{"vcekCert":""}', 200],
    ['{"vcekCert":"a","certificateChain":"b"}', 404],
    ['{"vcekCert":1,"certificateChain":2}', 200],
  ] as const) {
    const { metadata } = await metadataOf(t, body, status);
    await assert.rejects(new AzureCollector({ ...tpm, metadata }).collect(REPORT_DATA, 0), UNAVAILABLE, body);
  }
});
