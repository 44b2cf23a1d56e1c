import { ByteReader, CmcpError, isZero, toHex } from "@cmcp/boundary";

/** Bytes of one entry: GUID, offset, length (AMD GHCB specification 56421, section 8.1). One of zeros ends the table. */
export const CERTIFICATE_ENTRY_BYTES = 24;
/** Most entries looked at; AMD defines five, clouds add a few. */
const MAX_ENTRIES = 32;
/** Largest certificate taken, in bytes. */
const MAX_CERTIFICATE_BYTES = 16 * 1024;

/** GUIDs in RFC 4122 byte order, which the tables of Linux hosts have. */
const KINDS: ReadonlyMap<string, CertificateKind> = new Map([
  ["63da758de6644564adc5f4b93be8accd", "vcek"],
  ["a8074bc2a25a483eaae639c045a0b8a1", "vlek"],
  ["4ab7b379bbac4fe4a02f05aef327c782", "ask"],
  ["c0b406a4a803495297433fb6014cd0ae", "ark"],
]);

/** What a certificate of the table is. */
export type CertificateKind = "vcek" | "vlek" | "ask" | "ark";

/**
 * The certificates a host put beside an SEV-SNP report, each DER or PEM as the host had it. The host chooses all
 * of it: a verifier accepts a certificate only by a chain to its own root. Entries of other kinds are left out.
 *
 * @throws CmcpError `EVIDENCE_MALFORMED` for a table that leads out of itself.
 */
export function parseCertificateTable(table: Uint8Array): Map<CertificateKind, Uint8Array> {
  const found = new Map<CertificateKind, Uint8Array>();
  if (table.length === 0) return found;
  const reader = new ByteReader(table, "the certificate table", "little");
  for (let entry = 0; entry < MAX_ENTRIES; entry += 1) {
    const guid = reader.take(16);
    const offset = reader.u32();
    const length = reader.u32();
    if (isZero(guid)) return found;
    const kind = KINDS.get(toHex(guid)) ?? KINDS.get(toHex(swapped(guid)));
    if (kind === undefined || length === 0) continue;
    if (length > MAX_CERTIFICATE_BYTES || offset + length > table.length)
      throw new CmcpError("EVIDENCE_MALFORMED", "the certificate table points outside itself");
    found.set(kind, reader.slice(offset, length).slice());
  }
  throw new CmcpError("EVIDENCE_MALFORMED", `the certificate table has more than ${MAX_ENTRIES} entries`);
}

/** A GUID with its first three fields the other way round: the byte order of UEFI, which some hosts write. */
function swapped(guid: Uint8Array): Uint8Array {
  return Uint8Array.of(
    ...guid.subarray(0, 4).toReversed(),
    ...guid.subarray(4, 6).toReversed(),
    ...guid.subarray(6, 8).toReversed(),
    ...guid.subarray(8),
  );
}
