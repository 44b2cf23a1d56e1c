import { CmcpError } from "@cmcp/boundary";
import { BANKS } from "../../event-log/hash-algorithm.ts";
import type { RegisterValues, TpmEvidence } from "../evidence.ts";
import { protobufFields, type ProtobufField } from "./protobuf.ts";

/** Fields of the messages `attest.Attestation`, `tpm.Quote` and `tpm.PCRs` of go-tpm-tools. */
const ATTESTATION = { akPublic: 1, quotes: 2, eventLog: 3, akCertificate: 6, intermediates: 7 } as const;
const QUOTE = { quote: 1, signature: 2, pcrs: 3 } as const;
const PCRS = { hash: 1, entries: 2 } as const;
const ENTRY = { index: 1, value: 2 } as const;
const NAME = "go-tpm-tools attestation";

/**
 * Reads the attestation message of go-tpm-tools, which has one quote for each bank of the TPM. The one over the
 * strongest bank that can be accepted is taken, SHA-256 before SHA-384: logs have it more often.
 *
 * @throws CmcpError `EVIDENCE_MALFORMED`
 */
export function readGoTpmToolsAttestation(bytes: Uint8Array): TpmEvidence {
  const fields = protobufFields(bytes, NAME);
  const quotes = all(fields, ATTESTATION.quotes).map(readQuote);
  const quote =
    quotes.find(({ bankId }) => bankId === BANKS.sha256.id) ??
    quotes.find(({ bankId }) => bankId === BANKS.sha384.id) ??
    quotes[0];
  if (quote === undefined) throw new CmcpError("EVIDENCE_MALFORMED", `${NAME}: there is no quote`);
  const attestationKey = one(fields, ATTESTATION.akPublic);
  const eventLog = one(fields, ATTESTATION.eventLog);
  return {
    quote: quote.quote,
    signature: quote.signature,
    ...(attestationKey === undefined ? {} : { attestationKey }),
    certificates: [...all(fields, ATTESTATION.akCertificate), ...all(fields, ATTESTATION.intermediates)].filter(
      ({ length }) => length > 0,
    ),
    registers: new Map([[quote.bankId, quote.values]]),
    ...(eventLog === undefined ? {} : { eventLog }),
  };
}

interface BankQuote {
  readonly quote: Uint8Array;
  readonly signature: Uint8Array;
  readonly bankId: number;
  readonly values: RegisterValues;
}

function readQuote(bytes: Uint8Array): BankQuote {
  const fields = protobufFields(bytes, NAME);
  const pcrs = protobufFields(one(fields, QUOTE.pcrs) ?? new Uint8Array(), NAME);
  const values = new Map(all(pcrs, PCRS.entries).map((entry) => readEntry(protobufFields(entry, NAME))));
  return {
    quote: one(fields, QUOTE.quote) ?? new Uint8Array(),
    signature: one(fields, QUOTE.signature) ?? new Uint8Array(),
    bankId: number(pcrs, PCRS.hash),
    values,
  };
}

function readEntry(fields: readonly ProtobufField[]): readonly [number, Uint8Array] {
  return [number(fields, ENTRY.index), one(fields, ENTRY.value) ?? new Uint8Array()];
}

function all(fields: readonly ProtobufField[], wanted: number): readonly Uint8Array[] {
  return fields.flatMap(({ number, value }) => (number === wanted && typeof value !== "number" ? [value] : []));
}

/** A field that may be there once. */
function one(fields: readonly ProtobufField[], wanted: number): Uint8Array | undefined {
  const found = all(fields, wanted);
  if (found.length > 1) throw new CmcpError("EVIDENCE_MALFORMED", `${NAME}: a field is there twice`);
  return found[0];
}

/** A number; one that is left out is zero. */
function number(fields: readonly ProtobufField[], wanted: number): number {
  const field = fields.find((candidate) => candidate.number === wanted);
  return typeof field?.value === "number" ? field.value : 0;
}
