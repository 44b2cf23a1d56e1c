import { CmcpError, fromHex, type JsonLimits, type Untrusted, schemaProblem } from "@cmcp/boundary";
import * as z from "zod";
import { fromBase64 } from "../bytes/base64.ts";
import { readJson } from "../bytes/json.ts";
import { bankRegisters, registersFromJson, sha256Registers } from "../tpm/forms/registers.ts";
import type { AzureCvmEvidence } from "./evidence.ts";

/** A log of 1 MiB in base64, or reports as arrays of numbers, and what goes with it. */
const LIMITS: JsonLimits = { maxBytes: 4 * 1024 * 1024, maxDepth: 8, maxItems: 60_000 };

const base64 = z
  .string()
  .min(1)
  .max(2 * 1024 * 1024);
const hexBytes = z
  .string()
  .regex(/^(?:[0-9a-fA-F]{2})+$/)
  .max(4096);
const bytes = z.array(z.int().min(0).max(255)).max(16_384);

/** The form of this project, described in SPEC.md of the tpm folder. */
const own = z.strictObject({
  hcl_report: base64,
  td_quote: base64.optional(),
  certificates: z.array(base64).max(8).optional(),
  quote: base64,
  signature: base64,
  ak_public: base64.optional(),
  pcrs: bankRegisters.optional(),
  event_log: base64.optional(),
});

/** What the first cMCP gateways collect: the SEV-SNP report and runtime data apart, without register values. */
const firstGateways = z.strictObject({
  v: z.literal(1),
  snp_report: base64,
  runtime_data: base64,
  quote_msg: base64,
  quote_sig: base64,
  ak_pub_pem: z.string().max(4096),
  vcek_chain_pem: base64,
});

/** What Confidential Containers attesters send, numbered from 1; quotes in hex. */
const hexQuote = z.strictObject({ message: hexBytes, signature: hexBytes, pcrs: z.array(hexBytes.length(64)).max(24) });
const containers = z.union([
  z.strictObject({ version: z.int(), hcl_report: base64, tpm_quote: hexQuote, vcek: base64 }),
  z.strictObject({ version: z.int(), hcl_report: base64, tpm_quote: hexQuote, td_quote: base64 }),
]);
/** The same before it had a number: arrays of bytes. */
const byteQuote = z.strictObject({ message: bytes, signature: bytes, pcrs: z.array(bytes.length(32)).max(24) });
const earlyContainers = z.union([
  z.strictObject({ quote: byteQuote, report: bytes, vcek: z.string().max(16_384) }),
  z.strictObject({ tpm_quote: byteQuote, hcl_report: bytes, td_quote: bytes }),
]);

/** Reads Azure evidence in JSON. Throws `EVIDENCE_MALFORMED`. */
export function readAzureJson(input: Untrusted<Uint8Array>): AzureCvmEvidence {
  const value = readJson(input, LIMITS, "Azure evidence");
  const ours = own.safeParse(value);
  if (ours.success) return fromOwn(ours.data);
  const first = firstGateways.safeParse(value);
  if (first.success) return fromFirstGateways(first.data);
  const numbered = containers.safeParse(value);
  if (numbered.success) return fromContainers(numbered.data);
  const early = earlyContainers.safeParse(value);
  if (early.success) return fromEarlyContainers(early.data);
  throw new CmcpError("EVIDENCE_MALFORMED", `Azure evidence: ${schemaProblem(ours.error).text}`);
}

function fromOwn(data: z.infer<typeof own>): AzureCvmEvidence {
  return {
    paravisor: { hclReport: fromBase64(data.hcl_report, "hcl_report") },
    ...(data.td_quote === undefined ? {} : { tdQuote: fromBase64(data.td_quote, "td_quote") }),
    certificates: (data.certificates ?? []).map((text) => fromBase64(text, "certificates")),
    quote: fromBase64(data.quote, "quote"),
    signature: fromBase64(data.signature, "signature"),
    ...(data.ak_public === undefined ? {} : { attestationKey: fromBase64(data.ak_public, "ak_public") }),
    registers: registersFromJson(data.pcrs),
    ...(data.event_log === undefined ? {} : { eventLog: fromBase64(data.event_log, "event_log") }),
  };
}

function hexOf(text: string): Uint8Array {
  return fromHex(text) ?? new Uint8Array();
}

function fromFirstGateways(data: z.infer<typeof firstGateways>): AzureCvmEvidence {
  return {
    paravisor: {
      snpReport: fromBase64(data.snp_report, "snp_report"),
      runtimeData: fromBase64(data.runtime_data, "runtime_data"),
    },
    certificates: [fromBase64(data.vcek_chain_pem, "vcek_chain_pem")],
    quote: fromBase64(data.quote_msg, "quote_msg"),
    signature: fromBase64(data.quote_sig, "quote_sig"),
    attestationKey: new TextEncoder().encode(data.ak_pub_pem),
    registers: new Map(),
  };
}

function fromContainers(data: z.infer<typeof containers>): AzureCvmEvidence {
  const { message, signature, pcrs } = data.tpm_quote;
  return {
    paravisor: { hclReport: fromBase64(data.hcl_report, "hcl_report") },
    ...("td_quote" in data ? { tdQuote: fromBase64(data.td_quote, "td_quote") } : {}),
    certificates: "vcek" in data ? [fromBase64(data.vcek, "vcek")] : [],
    quote: hexOf(message),
    signature: hexOf(signature),
    registers: sha256Registers(pcrs.map(hexOf)),
  };
}

function fromEarlyContainers(data: z.infer<typeof earlyContainers>): AzureCvmEvidence {
  const { message, signature, pcrs } = "quote" in data ? data.quote : data.tpm_quote;
  return {
    paravisor: { hclReport: Uint8Array.from("report" in data ? data.report : data.hcl_report) },
    ...("td_quote" in data ? { tdQuote: Uint8Array.from(data.td_quote) } : {}),
    certificates: "vcek" in data ? [new TextEncoder().encode(data.vcek)] : [],
    quote: Uint8Array.from(message),
    signature: Uint8Array.from(signature),
    registers: sha256Registers(pcrs.map((value) => Uint8Array.from(value))),
  };
}
