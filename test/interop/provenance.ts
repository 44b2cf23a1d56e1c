import { createPrivateKey, createPublicKey } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CmcpError, toBase64, type JsonObject } from "@cmcp/boundary";
import { isListOf, loadCatalog, type Provenance } from "@cmcp/catalog";

import { toolListHash } from "../../packages/catalog/src/provenance/tool-list.ts";
import { recordMembers, signRecord } from "../../packages/catalog/src/testing/provenance.ts";
import { Comparison } from "./comparison.ts";
import { script } from "./python.ts";

const SEED = "09".repeat(32);
/** PKCS #8 of an Ed25519 seed (RFC 8410, section 7). */
const PKCS8 = "302e020100300506032b657004220420";
const URL = "https://tools.example/mcp";
const SPKI = Buffer.alloc(32, 7);
const ENDPOINT = { url: URL, spki_sha256: `sha256:${SPKI.toString("hex")}` };

/** A tool whose texts and schema try every way in which the two forms of JSON could differ. */
const tool = (name: string, description: string, inputSchema: JsonObject): JsonObject => ({
  name,
  description,
  inputSchema,
});
const LISTS: readonly (readonly JsonObject[])[] = [
  [
    tool("write", 'Schreibt Grüße 😀.\n\t\u0000\u001f\u007f\u2028"\\/', {
      type: "object",
      maximum: -9_007_199_254_740_991,
    }),
    tool("read", "", { "\ufb01": 1, "😀": 2, "\ud7ff": 3, é: [null, true, { b: {}, a: [] }] }),
  ],
  [],
  [
    { name: "bare" },
    { ...tool("a", "same name", {}), title: "x", annotations: { readOnlyHint: true } },
    tool("a", "again", {}),
  ],
  [tool("half", "", { maximum: 0.5 })],
  [tool("far", "", { maximum: 9_007_199_254_740_992 })],
];

/** What this project makes of a record; `null` where it refuses it. */
function read(record: JsonObject, jwk: JsonObject): Provenance | null {
  const server = { name: "tools", url: URL, tls_fingerprint: `SHA256:${toBase64(SPKI)}` };
  const catalog = { entries: [], servers: [{ ...server, provenance: { record, publisher_jwk: jwk } }] };
  try {
    const { servers } = loadCatalog(catalog, {
      developmentMode: false,
      vocabulary: { has: () => true, hasDomain: () => true },
    });
    return servers[0]?.settings?.provenance ?? null;
  } catch (thrown) {
    if (thrown instanceof CmcpError) return null;
    throw thrown;
  }
}

/** Records of provenance that the public package and this project make and read. Returns the number of differences. */
export async function compareProvenance(folder: string): Promise<number> {
  await mkdir(folder, { recursive: true });
  const key = createPrivateKey({ key: Buffer.from(`${PKCS8}${SEED}`, "hex"), format: "der", type: "pkcs8" });
  const { x = "" } = createPublicKey(key).export({ format: "jwk" });
  const jwk = { kty: "OKP", crv: "Ed25519", x };
  const [tools = []] = LISTS;
  const own = signRecord({ jwk, key }, recordMembers({ endpoint: ENDPOINT }, tools));
  const others = signRecord({ jwk, key }, recordMembers({ endpoint: ENDPOINT }, tools.slice(1)));
  const changed = { ...own, issued_at: 1 };
  const path = join(folder, "provenance.json");
  const identity = { endpoint: ENDPOINT };
  await writeFile(path, JSON.stringify({ lists: LISTS, seed: SEED, jwk, identity, records: [own, others, changed] }));
  const theirs = JSON.parse(await script("provenance.py", [path])) as {
    readonly hashes: readonly (string | null)[];
    readonly record: JsonObject;
    readonly verdicts: readonly string[];
  };
  const comparison = new Comparison();
  for (const [index, list] of LISTS.entries())
    comparison.add(`hash of list ${index}`, String(theirs.hashes[index]), String(toolListHash(list)));
  const verdictOf = (record: JsonObject): string => {
    const provenance = read(record, jwk);
    return provenance !== null && isListOf(provenance, tools) ? "verified" : "refused";
  };
  for (const [index, record] of [own, others, changed].entries())
    comparison.add(`verdict on our record ${index}`, String(theirs.verdicts[index]), verdictOf(record));
  comparison.add("their record here", "verified", verdictOf(theirs.record));
  comparison.add("their record, changed", "refused", verdictOf({ ...theirs.record, kind: "publisher-asserted" }));
  return comparison.print("Records of provenance of the public package");
}
