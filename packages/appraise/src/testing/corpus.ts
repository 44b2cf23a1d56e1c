import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fromHex } from "@cmcp/boundary";
import { sharedFile, sharedFolder } from "./shared.ts";

const PEM = /-----BEGIN (?:CERTIFICATE|X509 CRL)-----([A-Za-z0-9+/=\s]+)-----END/g;

/** A certificate or revocation list of the corpus and the file it came from. */
export interface CorpusItem {
  readonly file: string;
  readonly der: Uint8Array<ArrayBuffer>;
}

/** Every distinct certificate and list of the corpus: DER files, PEM anywhere in a file, hex in collateral. */
export function corpusCertificates(): readonly CorpusItem[] {
  const folder = sharedFolder();
  if (folder === null) return [];
  const found = new Map<string, CorpusItem>();
  const add = (file: string, bytes: Uint8Array): void =>
    void found.set(Buffer.from(bytes).toString("base64"), { file, der: Uint8Array.from(bytes) });
  for (const entry of readdirSync(join(folder, "evidence"), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name).slice(folder.length + 1);
    const bytes = sharedFile(file) ?? new Uint8Array();
    if (file.endsWith(".der") || file.endsWith("pckcrl")) add(file, bytes);
    const text = Buffer.from(bytes).toString("latin1").replaceAll(String.raw`\n`, "\n");
    for (const [, body = ""] of text.matchAll(PEM)) add(file, Buffer.from(body, "base64"));
    for (const [, hex = ""] of text.matchAll(/"(?:root_ca_crl|pck_crl)"\s*:\s*"([0-9a-fA-F]+)"/g))
      add(file, fromHex(hex) ?? new Uint8Array());
  }
  return [...found.values()];
}
