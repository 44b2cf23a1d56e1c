import { createHash } from "node:crypto";
import type { HashAlgorithm } from "../bytes/digest.ts";
import { invalid } from "../bytes/input.ts";
import type { PeImage } from "./image.ts";

/**
 * Authenticode digest of a PE file (Microsoft, Windows Authenticode Portable Executable Signature Format): the file
 * without its checksum, the directory entry of its certificates, and the certificates. UEFI firmware measures this
 * digest of every program it loads (TCG PC Client PFP 10.2.3). It hashes what lies in the file. Zeros that a tool
 * adds when it signs are in the digest once they are in the file (edk2 SecurityPkg, MeasureBootPeCoff.c, step 16).
 *
 * Sections must lie one after the other behind the headers: where they overlap or leave gaps, implementations differ.
 * @throws CmcpError `MEASURE_INPUT_INVALID`
 */
export function authenticodeDigest(image: PeImage, algorithm: HashAlgorithm): Uint8Array {
  const { reader, checksum, certificateDirectory, headersEnd, sections, certificates } = image;
  let end = headersEnd;
  for (const section of sections.filter(({ size }) => size > 0).toSorted((a, b) => a.offset - b.offset)) {
    if (section.offset !== end) throw invalid("PE file", "its sections overlap or leave gaps");
    end = section.offset + section.size;
  }
  if (end > certificates) throw invalid("PE file", "its certificates overlap a section");
  const hash = createHash(algorithm);
  hash.update(reader.slice(0, checksum));
  hash.update(reader.slice(checksum + 4, certificateDirectory - checksum - 4));
  hash.update(reader.slice(certificateDirectory + 8, certificates - certificateDirectory - 8));
  return hash.digest();
}
