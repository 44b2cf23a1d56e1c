import { CmcpError, fromHex, type JsonLimits, type Untrusted, schemaProblem } from "@cmcp/boundary";
import * as z from "zod";
import type { TpmEvidence } from "../evidence.ts";
import { fromBase64 } from "../../bytes/base64.ts";
import { readJson } from "../../bytes/json.ts";
import { bankRegisters, registersFromJson, sha256Registers } from "./registers.ts";

/** A log of 1 MiB in base64 and what goes with it. */
const LIMITS: JsonLimits = { maxBytes: 4 * 1024 * 1024, maxDepth: 8, maxItems: 20_000 };
const MAX_TEXT = 2 * 1024 * 1024;

const base64 = z.string().min(1).max(MAX_TEXT);

/** The form of this project, described in SPEC.md. */
const own = z.strictObject({
  quote: base64,
  signature: base64,
  ak_public: base64.optional(),
  ak_certificates: z.array(base64).max(16).optional(),
  pcrs: bankRegisters.optional(),
  event_log: base64.optional(),
});

/** What the Confidential Containers attester for TPMs sends: the key as DER SubjectPublicKeyInfo, all SHA-256 registers in order. */
const confidentialContainers = z.strictObject({
  ak_public: base64,
  tpm_quote: z.strictObject({ message: base64, signature: base64, pcrs: z.array(z.string().length(64)).max(24) }),
});

/** Reads evidence in JSON. Throws `EVIDENCE_MALFORMED`. */
export function readJsonEvidence(bytes: Untrusted<Uint8Array>): TpmEvidence {
  const value = readJson(bytes, LIMITS, "TPM evidence");
  const ours = own.safeParse(value);
  if (ours.success) return fromOwn(ours.data);
  const theirs = confidentialContainers.safeParse(value);
  if (theirs.success) return fromConfidentialContainers(theirs.data);
  throw new CmcpError("EVIDENCE_MALFORMED", `TPM evidence: ${schemaProblem(ours.error).text}`);
}

function fromOwn(data: z.infer<typeof own>): TpmEvidence {
  return {
    quote: fromBase64(data.quote, "quote"),
    signature: fromBase64(data.signature, "signature"),
    ...(data.ak_public === undefined ? {} : { attestationKey: fromBase64(data.ak_public, "ak_public") }),
    certificates: (data.ak_certificates ?? []).map((text) => fromBase64(text, "ak_certificates")),
    registers: registersFromJson(data.pcrs),
    ...(data.event_log === undefined ? {} : { eventLog: fromBase64(data.event_log, "event_log") }),
  };
}

function fromConfidentialContainers({ ak_public, tpm_quote }: z.infer<typeof confidentialContainers>): TpmEvidence {
  return {
    quote: fromBase64(tpm_quote.message, "message"),
    signature: fromBase64(tpm_quote.signature, "signature"),
    attestationKey: fromBase64(ak_public, "ak_public"),
    certificates: [],
    registers: sha256Registers(tpm_quote.pcrs.map(fromHex)),
  };
}
