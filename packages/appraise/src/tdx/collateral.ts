import { asCmcpError, CmcpError, toHex } from "@cmcp/boundary";
import { Certificate } from "../x509/certificate.ts";
import { derOfText } from "../x509/der-text.ts";
import { looksLikePem, parsePemCertificates, pemBlocks } from "../x509/pem.ts";
import { RevocationList } from "../x509/revocation-list.ts";
import { decodedChain } from "./chain-text.ts";
import { readBundle } from "./collateral-bundle.ts";
import type { TdxCollateral } from "./unverified-collateral.ts";

/** Files of collateral one verification takes. */
export const MAX_COLLATERAL_FILES = 16;
/** Largest of them, in bytes. */
export const MAX_COLLATERAL_BYTES = 2 * 1024 * 1024;
/** Certificates, or revocation lists, of one PEM file. */
const MAX_BLOCKS = 8;

/**
 * Reads collateral over any number of files, in the forms it is handed round in. One is a JSON object with everything
 * (`tcb_info`, `tcb_info_signature`, `pck_crl`, ...). Others are answers of Intel's service as they came
 * (`{"tcbInfo":...,"signature":...}`, `{"enclaveIdentity":...,"signature":...}`), or as text beside their
 * `issuer_chain`. Revocation lists are in DER, PEM, hex or base64. Certificates are in those or, alone and in JSON,
 * as answered in a header.
 *
 * @throws CmcpError `EVIDENCE_COLLATERAL_INVALID` for anything else, and for the same document twice.
 */
export function parseCollateral(files: readonly Uint8Array[]): TdxCollateral {
  const found: TdxCollateral = { tcbInfo: null, qeIdentity: null, revocationLists: [], certificates: [], pckChain: [] };
  try {
    if (files.length > MAX_COLLATERAL_FILES) throw invalid(`${files.length} files, limit ${MAX_COLLATERAL_FILES}`);
    for (const file of files) readFile(file, found);
  } catch (thrown) {
    throw invalid(`collateral: ${asCmcpError(thrown, "EVIDENCE_COLLATERAL_INVALID", "unreadable").message}`);
  }
  return { ...found, certificates: distinct(found.certificates) };
}

/** Every chain repeats the root, and issuers are looked for among a bounded number of certificates. */
function distinct(certificates: readonly Certificate[]): Certificate[] {
  return [...new Map(certificates.map((one) => [toHex(one.raw), one])).values()];
}

function invalid(why: string): CmcpError {
  return new CmcpError("EVIDENCE_COLLATERAL_INVALID", why);
}

/** First byte of DER of a certificate or list. */
const SEQUENCE = 0x30;

function readFile(file: Uint8Array, found: TdxCollateral): void {
  if (file.length > MAX_COLLATERAL_BYTES)
    throw invalid(`a file of ${file.length} bytes, limit ${MAX_COLLATERAL_BYTES}`);
  // Before DER, whose first byte is the digit 0 that hex may begin with.
  const der = derOfText(file, MAX_COLLATERAL_BYTES);
  if (der !== null || file[0] === SEQUENCE) return readDer(der ?? file, found);
  const text = decodeUtf8(file);
  if (text.trimStart().startsWith("{")) return readBundle(text, found);
  const chain = decodedChain(text);
  if (chain === null && !looksLikePem(file)) throw invalid("a file is neither JSON, PEM, DER, hex nor base64");
  readPem(chain === null ? file : new TextEncoder().encode(chain), chain ?? text, found);
}

function readPem(file: Uint8Array, text: string, found: TdxCollateral): void {
  if (text.includes("-----BEGIN X509 CRL-----")) {
    const blocks = pemBlocks(file, "X509 CRL", { blocks: MAX_BLOCKS, bytes: MAX_COLLATERAL_BYTES });
    found.revocationLists.push(...blocks.map((der) => RevocationList.parse(der)));
  } else found.certificates.push(...parsePemCertificates(file, MAX_BLOCKS));
}

function readDer(der: Uint8Array, found: TdxCollateral): void {
  let list: RevocationList;
  try {
    list = RevocationList.parse(der);
  } catch {
    // Not a list: then it has to be a certificate, whose error says what is wrong.
    found.certificates.push(Certificate.parse(der));
    return;
  }
  found.revocationLists.push(list);
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (thrown) {
    throw asCmcpError(thrown, "EVIDENCE_COLLATERAL_INVALID", "a file is neither JSON, PEM, DER, hex nor base64");
  }
}
