import { CmcpError, toHex } from "@cmcp/boundary";
import { parseHclReport } from "../azure/hcl-report.ts";
import type { EvidenceParts } from "../evidence/evidence.ts";
import { splitExtendedReport } from "../sev-snp/extended-report.ts";
import { chipIdBytes, productOfCpuid, type Product } from "../sev-snp/product.ts";
import { parseSnpReport, readKeyInfo } from "../sev-snp/report.ts";
import { readTcb } from "../sev-snp/tcb.ts";
import { pckPlatform } from "../tdx/pck.ts";
import { CERTIFICATION_PCK_CHAIN, parseTdxQuote } from "../tdx/quote.ts";
import { evidenceBytes } from "./evidence-text.ts";
import { parsePemCertificates } from "../x509/pem.ts";

/** One request to a vendor's service, and where its answer belongs. */
export interface VendorRequest {
  readonly vendor: "amd" | "intel" | "intel-certificates";
  /** Path and query at the vendor's service. */
  readonly path: string;
  /** Name of the file the answer is kept in. */
  readonly file: string;
  /** An answer's header that holds the certificates of who signed it, percent-encoded PEM; kept in a file of its own. */
  readonly issuerChain?: { readonly header: string; readonly file: string };
  readonly is: "certificate" | "collateral";
}

const MAX_CERTIFICATES = 8;

/** Security version numbers as the key distribution service wants them (AMD 57230, "VCEK Certificate Format"). */
function vcekQuery(product: Product, tcb: ReturnType<typeof readTcb>): string {
  const fmc = product === "Turin" ? `fmcSPL=${tcb.fmc ?? 0}&` : "";
  return `${fmc}blSPL=${tcb.bootloader}&teeSPL=${tcb.tee}&snpSPL=${tcb.snp}&ucodeSPL=${tcb.microcode}`;
}

function forSnp(evidence: Uint8Array, product: Product | undefined): readonly VendorRequest[] {
  const { unverified: report } = parseSnpReport(evidence);
  const line = report.cpuid === null ? product : productOfCpuid(report.cpuid);
  if (line === undefined)
    throw new CmcpError("USAGE", "the report does not say which processor it is of; give --product");
  const { signer } = readKeyInfo(report.keyInfo);
  const kind = signer === "VLEK" ? "vlek" : "vcek";
  const own: VendorRequest[] =
    kind === "vlek"
      ? []
      : [
          {
            vendor: "amd",
            path: `/vcek/v1/${line}/${toHex(report.chipId.subarray(0, chipIdBytes(line)))}?${vcekQuery(line, readTcb(report.reportedTcb, line))}`,
            file: "vcek.der",
            is: "certificate",
          },
        ];
  return [
    ...own,
    { vendor: "amd", path: `/${kind}/v1/${line}/cert_chain`, file: "amd-chain.pem", is: "certificate" },
    { vendor: "amd", path: `/${kind}/v1/${line}/crl`, file: "amd.crl", is: "collateral" },
  ];
}

function forTdx(evidence: Uint8Array): readonly VendorRequest[] {
  const { certification } = parseTdxQuote(evidence);
  if (certification.type !== CERTIFICATION_PCK_CHAIN)
    throw new CmcpError(
      "EVIDENCE_CHAIN_INVALID",
      "the quote carries no PCK certificate, which says whose collateral is needed",
    );
  const [leaf] = parsePemCertificates(certification.data, MAX_CERTIFICATES);
  if (leaf === undefined) throw new CmcpError("EVIDENCE_CHAIN_INVALID", "the quote carries no PCK certificate");
  const { fmspc } = pckPlatform(leaf);
  const ca = leaf.issuerText.includes("Platform") ? "platform" : "processor";
  return [
    {
      vendor: "intel",
      path: `/tdx/certification/v4/tcb?fmspc=${fmspc}`,
      file: "tcb-info.json",
      issuerChain: { header: "tcb-info-issuer-chain", file: "tcb-info-chain.pem" },
      is: "collateral",
    },
    {
      vendor: "intel",
      path: "/tdx/certification/v4/qe/identity",
      file: "qe-identity.json",
      issuerChain: { header: "sgx-enclave-identity-issuer-chain", file: "qe-identity-chain.pem" },
      is: "collateral",
    },
    {
      vendor: "intel",
      path: `/sgx/certification/v4/pckcrl?ca=${ca}&encoding=der`,
      file: "pck.crl",
      issuerChain: { header: "sgx-pck-crl-issuer-chain", file: "pck-crl-chain.pem" },
      is: "collateral",
    },
    { vendor: "intel-certificates", path: "/IntelSGXRootCA.der", file: "root.crl", is: "collateral" },
  ];
}

/**
 * What to ask a vendor for, to verify a piece of evidence without a network later. Nothing of the evidence is verified
 * here; a wrong answer fails when it is.
 * @throws CmcpError `EVIDENCE_MALFORMED`, `EVIDENCE_CHAIN_INVALID`, `USAGE`
 */
export function vendorRequests(
  platform: "sev-snp" | "tdx",
  evidence: Uint8Array,
  product?: Product,
): readonly VendorRequest[] {
  const bytes = evidenceBytes(platform, evidence);
  return platform === "sev-snp" ? forSnp(splitExtendedReport(bytes).report, product) : forTdx(bytes);
}

/**
 * The same for evidence as an evidence file has it; on Azure for the paravisor's report or quote.
 * @throws CmcpError as {@link vendorRequests}, and `USAGE` where no vendor has anything to add
 */
export function vendorRequestsFor(parts: EvidenceParts, product?: Product): readonly VendorRequest[] {
  switch (parts.provider) {
    case "sev-snp":
      return forSnp(parts.report, product);
    case "tdx":
      return forTdx(parts.quote);
    case "azure-cvm":
      return parts.tdQuote === null
        ? forSnp(parseHclReport(parts.hclReport).hardwareReport, product)
        : forTdx(parts.tdQuote);
    case "tpm":
    case "software-only":
      throw new CmcpError("USAGE", `evidence of ${parts.provider} carries what it needs; no vendor's service has more`);
  }
}
