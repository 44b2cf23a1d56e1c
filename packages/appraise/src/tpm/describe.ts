import { asCmcpError, toHex } from "@cmcp/boundary";
import { describeEventLog, parseEventLog, type Row } from "../event-log/index.ts";
import { hashAlgorithm } from "../event-log/hash-algorithm.ts";
import { Certificate } from "../x509/certificate.ts";
import { parseTpmQuote, type TpmQuote } from "./quote.ts";
import type { TpmEvidence } from "./evidence.ts";
import { parseAttestationKey } from "./public-key.ts";

/** TPM evidence for a person to read. It shows what the bytes say, not what was verified; what cannot be read says why. */
export function describeTpmEvidence(evidence: Partial<TpmEvidence>): readonly Row[] {
  const {
    quote,
    signature,
    attestationKey,
    certificates = [],
    registers = new Map<number, ReadonlyMap<number, Uint8Array>>(),
    eventLog,
  } = evidence;
  return [
    ...(quote === undefined ? [] : readRows("quote", () => quoteRows(parseTpmQuote(quote)))),
    { label: "signature", value: signature === undefined ? "none" : toHex(signature) },
    ...(attestationKey === undefined ? [] : readRows("attestation key", () => describeAttestationKey(attestationKey))),
    ...certificates.flatMap((der) => readRows("certificate", () => certificateRows(Certificate.parse(der)))),
    ...[...registers].flatMap(([bankId, values]) =>
      [...values].map(([register, value]) => ({
        label: `PCR ${register} ${bankName(bankId)}, as given`,
        value: toHex(value),
      })),
    ),
    ...(eventLog === undefined ? [] : readRows("event log", () => describeEventLog(parseEventLog(eventLog), "pcr"))),
  ];
}

/** Rows of something that may be unreadable; then one row says why. */
export function readRows(label: string, rows: () => readonly Row[]): readonly Row[] {
  try {
    return rows();
  } catch (thrown) {
    return [{ label, value: `unreadable: ${asCmcpError(thrown, "EVIDENCE_MALFORMED", "of another form").message}` }];
  }
}

function quoteRows({
  qualifiedSigner,
  extraData,
  clockInfo,
  firmwareVersion,
  selections,
  pcrDigest,
}: TpmQuote): readonly Row[] {
  return [
    { label: "qualifying data", value: toHex(extraData) || "none" },
    {
      label: "clock",
      value: `${clockInfo.clock} ms, ${clockInfo.resetCount} resets, ${clockInfo.restartCount} restarts, ${clockInfo.safe ? "safe" : "not safe"}`,
    },
    { label: "firmware version", value: firmwareVersion.toString(16).padStart(16, "0") },
    ...selections.map(({ bankId, registers }) => ({
      label: `quoted PCRs ${bankName(bankId)}`,
      value: registers.join(" ") || "none",
    })),
    { label: "digest over the PCRs", value: toHex(pcrDigest) },
    { label: "qualified signer", value: toHex(qualifiedSigner) },
  ];
}

function bankName(id: number): string {
  return hashAlgorithm(id)?.name ?? `0x${id.toString(16).padStart(4, "0")}`;
}

/** An attestation key for a person to read. @throws CmcpError as {@link parseAttestationKey} */
export function describeAttestationKey(bytes: Uint8Array): readonly Row[] {
  const { key, area } = parseAttestationKey(bytes);
  const kind = key.kind === "rsa" ? `RSA ${key.modulusBytes * 8}` : key.curve;
  const spki = { label: "public key", value: toHex(key.spki) };
  if (area === null) return [{ label: "attestation key", value: `${kind}, a bare public key` }, spki];
  const attributes = Object.entries(area.attributes).flatMap(([name, set]) => (set === true ? [name] : []));
  return [{ label: "attestation key", value: `${kind}, ${attributes.join(", ")}` }, spki];
}

function certificateRows(certificate: Certificate): readonly Row[] {
  return [
    {
      label: "certificate",
      value: `${certificate.subjectText || "no name"}, issued by ${certificate.issuerText}, ${certificate.notBefore.toISOString()} to ${certificate.notAfter.toISOString()}`,
    },
  ];
}
