import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { after, before, test } from "node:test";
import { untrusted } from "@cmcp/boundary";
import { readRevocations } from "@cmcp/manifest";
import { manifestRevocations } from "./revocations.ts";

const vectors = new URL("../../../manifest/vectors/public-package.json", import.meta.url);
const { crl } = JSON.parse(readFileSync(vectors, "utf8")) as { readonly crl: string };
const ID = "018f4a3b-2c1d-7e5f-a8b9-0d1e2f3a4b5d";

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "cmcp-revocations-"));
  const { privateKey } = generateKeyPairSync("ed25519");
  await writeFile(join(folder, "key.pem"), privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
});
after(async () => await rm(folder, { recursive: true, force: true }));

/** The manifests of the list that the command makes of a file of revocation records. */
async function manifestsOf(records: string): Promise<readonly string[]> {
  const [file, list] = [join(folder, "crl.jsonl"), join(folder, "list.json")];
  await writeFile(file, records);
  const terminal = { out: new PassThrough(), err: new PassThrough(), colour: false };
  const args = ["--key", join(folder, "key.pem"), "--out", list, "--crl", file];
  assert.equal(await manifestRevocations.run(args, terminal), 0);
  return readRevocations(untrusted(new Uint8Array(await readFile(list)))).list.manifests;
}

test("records of the public package are the list's manifests, none twice", async () => {
  assert.deepEqual(await manifestsOf(crl), [ID]);
  assert.deepEqual(await manifestsOf(`${crl}\n${crl.replaceAll(ID, ID.toUpperCase())}`), [ID]);
});

test("a record that cannot be read is passed over nowhere", async () => {
  for (const [records, line] of [
    [`${crl}${crl.slice(1)}`, 2],
    [crl.replace('"manifest_id"', '"manifest"'), 1],
  ] as const)
    await assert.rejects(manifestsOf(records), { code: "USAGE", message: new RegExp(`line ${line} is no`) });
});
