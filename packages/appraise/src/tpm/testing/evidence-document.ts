import { toBase64Url, toHex } from "@cmcp/boundary";
import { hashAlgorithm } from "../../event-log/hash-algorithm.ts";
import type { TpmEvidence } from "../evidence.ts";

/** The JSON form of evidence (SPEC.md), which the reader of evidence files takes back. */
export function evidenceDocument({
  quote,
  signature,
  attestationKey,
  certificates,
  registers,
  eventLog,
}: TpmEvidence): Record<string, unknown> {
  const pcrs = Object.fromEntries(
    [...registers].map(([bankId, values]) => [
      hashAlgorithm(bankId)?.name ?? "",
      Object.fromEntries([...values].map(([register, value]) => [`${register}`, toHex(value)])),
    ]),
  );
  return {
    quote: toBase64Url(quote),
    signature: toBase64Url(signature ?? new Uint8Array()),
    ...(attestationKey === undefined ? {} : { ak_public: toBase64Url(attestationKey) }),
    ...(certificates.length === 0 ? {} : { ak_certificates: certificates.map((der) => toBase64Url(der)) }),
    ...(registers.size === 0 ? {} : { pcrs }),
    ...(eventLog === undefined ? {} : { event_log: toBase64Url(eventLog) }),
  };
}
