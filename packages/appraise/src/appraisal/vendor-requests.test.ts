import assert from "node:assert/strict";
import { test } from "node:test";
import { azureFile } from "../azure/testing/genuine.ts";
import type { EvidenceParts, TpmParts } from "../evidence/evidence.ts";
import { NO_SHARED_FOLDER, sharedFile, sharedFolder } from "../testing/shared.ts";
import { vendorRequests, vendorRequestsFor } from "./vendor-requests.ts";
import { Machine, signedReport } from "../sev-snp/testing/machine.ts";
import { makeQuote } from "../tdx/testing/platform.ts";

const quote = { attest: new Uint8Array(1), signature: new Uint8Array(1) };
const tpm: TpmParts = {
  quote,
  keyQuote: quote,
  attestationKey: new Uint8Array(1),
  certificates: [],
  bank: 0x0b,
  registers: new Map(),
  eventLog: null,
};
const azure = (hclReport: Uint8Array, tdQuote: Uint8Array | null): EvidenceParts => ({
  provider: "azure-cvm",
  hclReport,
  tdQuote,
  certificates: [],
  tpm,
});

test("on Azure the paravisor's report or quote is what the vendor is asked about", (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  const [key, ...others] = vendorRequestsFor(azure(azureFile("trustee-az-snp-vtpm/hcl-report.bin"), null), "Milan");
  assert.match(key?.path ?? "", /^\/vcek\/v1\/Milan\/[0-9a-f]{128}\?blSPL=/);
  assert.deepEqual(
    others.map(({ path }) => path),
    ["/vcek/v1/Milan/cert_chain", "/vcek/v1/Milan/crl"],
  );
  assert.throws(
    () => vendorRequestsFor(azure(azureFile("trustee-az-snp-vtpm/hcl-report.bin"), null)),
    { code: "USAGE" },
    "a report that names no processor",
  );
  const td = vendorRequestsFor(
    azure(azureFile("trustee-az-tdx-vtpm/hcl-report.bin"), azureFile("trustee-az-tdx-vtpm/td-quote.bin")),
  );
  assert.match(td[0]?.path ?? "", /^\/tdx\/certification\/v4\/tcb\?fmspc=[0-9a-f]{12}$/);
});

test("a Turin chip is named by eight bytes and its FMC, a provider's key by nothing", (t) => {
  if (sharedFolder() === null) return t.skip(NO_SHARED_FOLDER);
  const report = (name: string): Uint8Array =>
    sharedFile(`evidence/amd/reports/${name}.report.bin`) ?? new Uint8Array();
  assert.match(
    vendorRequests("sev-snp", report("turin-v5-vcek-3f44a09b76"))[0]?.path ?? "",
    /^\/vcek\/v1\/Turin\/[0-9a-f]{16}\?fmcSPL=/,
  );
  assert.deepEqual(
    vendorRequests("sev-snp", report("milan-v3-vlek-decdab949a")).map(({ path }) => path),
    ["/vlek/v1/Milan/cert_chain", "/vlek/v1/Milan/crl"],
  );
});

test("nobody is asked about a TPM or software", () => {
  for (const parts of [{ provider: "tpm", tpm }, { provider: "software-only" }] as const)
    assert.throws(() => vendorRequestsFor(parts), { code: "USAGE" });
});

test("AMD is asked for the chip's certificate at its versions, the chain and the list, and where each belongs", async () => {
  const machine = await Machine.make("Genoa");
  const report = await signedReport("Genoa", await machine.key());
  const chip = Array.from({ length: 64 }, (_, index) => (index + 1).toString(16).padStart(2, "0")).join("");
  const requests = vendorRequestsFor({ provider: "sev-snp", report, certificates: [] });
  assert.deepEqual(requests, [
    {
      vendor: "amd",
      path: `/vcek/v1/Genoa/${chip}?blSPL=10&teeSPL=0&snpSPL=23&ucodeSPL=84`,
      file: "vcek.der",
      is: "certificate",
    },
    { vendor: "amd", path: "/vcek/v1/Genoa/cert_chain", file: "amd-chain.pem", is: "certificate" },
    { vendor: "amd", path: "/vcek/v1/Genoa/crl", file: "amd.crl", is: "collateral" },
  ]);
  assert.deepEqual(
    vendorRequests("sev-snp", report, "Milan"),
    requests,
    "a report that names its processor is believed",
  );
});

test("Intel is asked about the platform of the quote's certificate, and who signed comes with the answers", async () => {
  const quote = await makeQuote();
  const requests = vendorRequestsFor({ provider: "tdx", quote, eventLog: null });
  const chain = (header: string, file: string) => ({ header, file });
  assert.deepEqual(requests, [
    {
      vendor: "intel",
      path: "/tdx/certification/v4/tcb?fmspc=aabbcc000001",
      file: "tcb-info.json",
      issuerChain: chain("tcb-info-issuer-chain", "tcb-info-chain.pem"),
      is: "collateral",
    },
    {
      vendor: "intel",
      path: "/tdx/certification/v4/qe/identity",
      file: "qe-identity.json",
      issuerChain: chain("sgx-enclave-identity-issuer-chain", "qe-identity-chain.pem"),
      is: "collateral",
    },
    {
      vendor: "intel",
      path: "/sgx/certification/v4/pckcrl?ca=platform&encoding=der",
      file: "pck.crl",
      issuerChain: chain("sgx-pck-crl-issuer-chain", "pck-crl-chain.pem"),
      is: "collateral",
    },
    { vendor: "intel-certificates", path: "/IntelSGXRootCA.der", file: "root.crl", is: "collateral" },
  ]);
  assert.deepEqual(vendorRequests("tdx", quote), requests);
  for (const certification of [
    { type: 4, data: new Uint8Array(9) },
    { type: 5, data: new Uint8Array(9).fill(0x41) },
  ]) {
    const bare = await makeQuote({ certification });
    assert.throws(() => vendorRequests("tdx", bare), { name: "CmcpError" });
  }
});
