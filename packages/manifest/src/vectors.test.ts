/** What the public package makes, read without it: its manifests, one byte changed of each, and its revocation records. */
import assert from "node:assert/strict";
import { createHash, createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fromHex, isJsonObject, parseJson, untrusted, type JsonValue } from "@cmcp/boundary";
import { readAnchorFile } from "./anchors.ts";
import { problemOf, revocationProblem } from "./appraise.ts";
import { factsOf, type ManifestFacts } from "./facts.ts";
import { readManifest } from "./read-manifest.ts";
import { MAX_REVOCATIONS_SECONDS, type RevocationList } from "./revocations.ts";

interface Vector {
  readonly name: string;
  readonly form: string;
  readonly hex: string;
  readonly public_verdict: { readonly result: string; readonly signed: boolean; readonly intent: string };
}
const vectors = JSON.parse(readFileSync(new URL("../vectors/public-package.json", import.meta.url), "utf8")) as {
  readonly anchors: JsonValue;
  readonly agent_id: string;
  readonly policy_hash: string;
  readonly catalog_hash: string;
  readonly manifests: readonly Vector[];
  readonly crl: string;
};
const bytesOf = (text: string) => untrusted(new Uint8Array(Buffer.from(text)));
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const [named] = readAnchorFile(bytesOf(JSON.stringify(vectors.anchors)));
const { anchor, keyId } = named ?? assert.fail("the vectors have no anchor");
const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: anchor.public_key }, format: "jwk" });

/** What is read of a vector, and whether its signature verifies. */
function readOf({ hex, form }: Vector): { readonly facts: ManifestFacts; readonly isSigned: boolean } {
  const read = readManifest(untrusted(new Uint8Array(fromHex(hex) ?? assert.fail("not hex"))));
  assert.deepEqual([read.form, read.keyId], [form, keyId]);
  const intent = read.intent === null ? null : sha256(read.intent);
  return {
    facts: factsOf(read, { identified: sha256(read.identified), intent }),
    isSigned: verify(null, read.signed, key, read.signature),
  };
}
const vectorOf = (name: string): Vector =>
  vectors.manifests.find((vector) => vector.name === name) ?? assert.fail(`no vector ${name}`);

test("the vectors are a good and a tampered manifest of each form", () => {
  assert.deepEqual(
    vectors.manifests.map(({ name, public_verdict: { result } }) => `${name} ${result}`),
    ["json-good VALID", "json-tampered MISMATCH", "cose-good VALID", "cose-tampered MISMATCH"],
  );
});

for (const form of ["json", "cose"]) {
  test(`${form}: a manifest of the public package verifies, and counts for what it names`, () => {
    const vector = vectorOf(`${form}-good`);
    const { facts, isSigned } = readOf(vector);
    assert.ok(isSigned && vector.public_verdict.signed);
    assert.equal(facts.intentHash, vector.public_verdict.intent);
    const { agent_id: subject, policy_hash: policyHash, catalog_hash: catalogHash } = vectors;
    const terms = { anchor, subject, policyHash, catalogHash, mode: "enforcing", now: facts.expiresAt - 1 };
    assert.equal(problemOf(facts, terms), null);
    assert.equal(problemOf(facts, { ...terms, now: facts.expiresAt }), "expired");
  });

  test(`${form}: with one byte changed it is read, and its signature does not verify`, () => {
    const vector = vectorOf(`${form}-tampered`);
    const good = vectorOf(`${form}-good`);
    const changed = [...Buffer.from(vector.hex, "hex")].filter((byte, at) => byte !== Buffer.from(good.hex, "hex")[at]);
    assert.deepEqual([vector.hex.length, changed.length], [good.hex.length, 1]);
    const { facts, isSigned } = readOf(vector);
    assert.ok(!isSigned && !vector.public_verdict.signed);
    assert.equal(facts.intentHash, vector.public_verdict.intent);
    assert.notEqual(facts.thumbprint, readOf(good).facts.thumbprint);
  });
}

test("a revocation record names the manifest as a list does", () => {
  const record = parseJson(bytesOf(vectors.crl));
  const id = isJsonObject(record) ? record["manifest_id"] : undefined;
  assert.ok(typeof id === "string");
  const list: RevocationList = {
    v: 1,
    sequence: 1,
    issued_at: 1_000,
    valid_until: 1_000 + MAX_REVOCATIONS_SECONDS,
    manifests: [id],
    issuers: [],
    keys: [],
  };
  const problem = (name: string): unknown => revocationProblem(readOf(vectorOf(name)).facts, list, 1_000_000);
  assert.deepEqual([problem("cose-good"), problem("json-good")], ["revoked", null]);
});
