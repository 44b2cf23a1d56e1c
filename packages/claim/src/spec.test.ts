import assert from "node:assert/strict";
import { createHash, createPrivateKey, sign } from "node:crypto";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import {
  auditBundleSchema,
  auditEntrySchema,
  decidedBy,
  DECISIONS,
  encodeRecord,
  ENTRY_TYPES,
  EVIDENCE_CLASSES,
  bundleText,
  handOverSchema,
  HISTORY_REASONS,
  incompleteSessionSchema,
  INSPECTION_RESULTS,
  LEAF_VERSION,
  MAX_BUNDLE_ENTRIES,
  MAX_DETAIL_MEMBERS,
  MAX_ENTRY_TEXT,
  MAX_PARTS,
  MAX_RECEIPT_BYTES,
  MAX_RECORD_BYTES,
  MAX_SIGNED_TOGETHER,
  readRecord,
  RECEIPT_V2,
  RECEIPT_META_KEY,
  RECEIPT_VERSION,
  RECORD_KINDS,
  receiptSchema,
  resetDetailSchema,
  resetStatementSchema,
  rootDetailSchema,
  TREE_VERSION,
} from "@cmcp/audit";
import { canonicalText, parseJsonText, toBase64Url, untrusted, type JsonValue } from "@cmcp/boundary";
import {
  appendLeaves,
  EMPTY_RANGE,
  formatCheckpoint,
  instanceKeyName,
  leafHash,
  SIGNATURE_TYPE,
  signNote,
  verifierKey,
} from "@cmcp/log";
import * as z from "zod";
import { buildClaim } from "./build.ts";
import { CLAIM_META_KEY, claimSchema, CMCP_VERSION, EAT_PROFILES } from "./claim.ts";
import { claimHash, signClaim } from "./sign.ts";
import { RECORD_MEMBERS } from "./testing/record-members.ts";
import { factsOf, isSignedBy } from "./testing/session.ts";
import {
  buildTraceRecord,
  MODEL_NOT_ASSERTED,
  NO_SELF_APPRAISAL,
  signTraceRecord,
  traceRecordSchema,
} from "./trace-record.ts";

const spec = await readFile(new URL("../SPEC.md", import.meta.url), "utf8");
const blocks = new Map(
  Array.from(spec.matchAll(/^```json ([a-z-]+)\n([^]*?)\n```$/gm), ([, name = "", json = ""]): [string, JsonValue] => [
    name,
    parseJsonText(json),
  ]),
);

const key = z
  .strictObject({ kty: z.literal("OKP"), crv: z.literal("Ed25519"), d: z.string(), x: z.string() })
  .parse(blocks.get("key"));
const derived = z
  .strictObject({
    thumbprint: z.string(),
    request: z.json(),
    response: z.json(),
    root: z.string(),
    tip: z.string(),
    report_data: z.string(),
    bundle_signature: z.string(),
    claim_hash: z.string(),
    build_digest: z.string(),
  })
  .parse(blocks.get("derived"));
const entries = z.array(auditEntrySchema).parse(blocks.get("entries"));
const receipt = receiptSchema.parse(blocks.get("receipt"));
const object = z.record(z.string(), z.json());
const handOver = object.parse(blocks.get("hand-over"));
const intent = object.parse(blocks.get("intent"));
const intentLeaf = object.parse(blocks.get("leaf"));
const claim = claimSchema.parse(blocks.get("claim"));
const record = traceRecordSchema.parse(blocks.get("trace-record"));
const [first, call] = entries;
assert.ok(first !== undefined && call !== undefined);

const privateKey = createPrivateKey({ format: "jwk", key });
const signWithKey = (bytes: Uint8Array): Uint8Array => sign(null, bytes, privateKey);
const sha256 = (bytes: Uint8Array | string): Buffer => createHash("sha256").update(bytes).digest();

test("the example follows from what the page says, by hashing and signing alone", () => {
  const { kty, crv, x } = key;
  const thumbprint = sha256(canonicalText({ crv, kty, x }));
  assert.equal(derived.thumbprint, toBase64Url(thumbprint));
  let previous = "genesis";
  for (const [index, { entry_hash: hash, ...body }] of entries.entries()) {
    assert.equal(hash, sha256(canonicalText(body)).toString("hex"));
    assert.deepEqual([body.prev_entry_hash, body.sequence_number], [previous, index]);
    previous = hash;
  }
  assert.deepEqual([derived.root, derived.tip], [first.entry_hash, previous]);
  assert.equal(
    call.request_payload_hash,
    `sha256:${sha256(canonicalText(z.looseObject({}).parse(derived.request))).toString("hex")}`,
  );
  assert.equal(
    call.response_payload_hash,
    `sha256:${sha256(canonicalText(z.array(z.looseObject({})).parse(derived.response))).toString("hex")}`,
  );
  assert.equal(
    derived.report_data,
    thumbprint.toString("hex") + sha256(Buffer.from(derived.root, "hex")).toString("hex"),
  );
  assert.equal(claim.trace.runtime.nonce, toBase64Url(Buffer.from(derived.report_data, "hex")));
  assert.ok(isSignedBy(key, sha256(canonicalText(entries)), derived.bundle_signature));
  for (const { signature, ...body } of [claim, record])
    assert.ok(isSignedBy(key, Buffer.from(canonicalText(body)), signature));
  assert.equal(derived.claim_hash, `sha256:${sha256(canonicalText(claim)).toString("hex")}`);
});

test("the example's log follows from what the page says, by hashing and signing alone", () => {
  const leafOf = (kind: string, seq: number, body: string): string =>
    canonicalText({
      v: "cmcp-leaf-v1",
      kind,
      instance: derived.thumbprint,
      seq,
      body_hash: `sha256:${sha256(body).toString("hex")}`,
    });
  const { log, ...said } = receipt;
  const node = (left: Buffer, right: Buffer): Buffer => sha256(Buffer.concat([Uint8Array.of(1), left, right]));
  const leaves = [
    leafOf("hand-over", 0, canonicalText(handOver)),
    leafOf("entry", 1, canonicalText(first)),
    canonicalText(intentLeaf),
    canonicalText(said),
  ];
  assert.equal(leaves[2], leafOf("intent", 2, canonicalText(intent)));
  assert.deepEqual(
    [intent["call_id"], intent["tip_before"], intent["length_before"], intent["request_hash"]],
    [call.call_id, first.entry_hash, 1, call.request_payload_hash],
  );
  const [one, two, three, four] = leaves.map((leaf) => sha256(`\0${leaf}`));
  assert.ok(one !== undefined && two !== undefined && three !== undefined && four !== undefined);
  assert.deepEqual([log.index, log.path], [3, [toBase64Url(three), toBase64Url(node(one, two))]]);
  const text = `gateway.example/0\n4\n${node(node(one, two), node(three, four)).toString("base64")}\n`;
  const name = `cmcp-instance-${derived.thumbprint}`;
  const id = sha256(Buffer.concat([Buffer.from(`${name}\n\u0001`), Buffer.from(key.x, "base64url")])).subarray(0, 4);
  const line = new RegExp(`^\n— ${name} ([A-Za-z0-9+/=]+)\n$`).exec(log.note.slice(text.length))?.[1];
  assert.ok(line !== undefined && log.note.startsWith(text));
  const signature = Buffer.from(line, "base64");
  assert.deepEqual(signature.subarray(0, 4), id);
  assert.ok(isSignedBy(key, Buffer.from(text), toBase64Url(signature.subarray(4))));
});

test("the example is what this implementation makes of the same facts", () => {
  const { trace, gateway } = claim;
  const built = buildClaim({
    eatProfile: trace.eat_profile,
    issuedAt: trace.iat,
    jwk: key,
    gatewayVersion: gateway.gateway_version,
    session: { id: gateway.session_id, ...gateway.audit_chain, crossBoundaryEvents: [] },
    calls: factsOf(entries),
    policy: { hash: trace.policy.bundle_hash, version: trace.policy.version, mode: "enforcing" },
    catalog: { hash: gateway.catalog.hash, driftDetected: false },
    attestation: {
      platform: "software-only",
      measurement: trace.runtime.measurement,
      reportData: Buffer.from(derived.report_data, "hex"),
      firmware: "software-only",
      generatedAt: Date.parse(gateway.attestation_generated_at),
      validitySeconds: 86_400,
    },
    surroundings: { isolation: "network-namespace", channel: "plain" },
    sequenceNumber: 1,
  });
  assert.deepEqual(signClaim(built, signWithKey), claim);
  assert.equal(claimHash(claim), derived.claim_hash);
  assert.deepEqual(
    signTraceRecord(buildTraceRecord(claim, { buildDigest: derived.build_digest }), signWithKey),
    record,
  );
  assert.ok(
    [...bundleText(gateway.session_id, entries, signWithKey)].at(-1)?.includes(`"${derived.bundle_signature}"`),
  );
  assert.ok(rootDetailSchema.safeParse(first.detail).success);
});

test("the example's log is what this implementation writes and reads", () => {
  const instance = derived.thumbprint;
  const stored = (leaf: JsonValue, body: JsonValue) =>
    readRecord(
      untrusted(Buffer.from(canonicalText(object.parse(leaf)))),
      untrusted(Buffer.from(canonicalText(object.parse(body)))),
    );
  const { log, ...said } = receipt;
  const read = stored(intentLeaf, intent);
  assert.ok(read?.kind === "intent" && read.seq === 2 && read.instance === instance);
  const { receipt: decided, body } = stored(said, call) ?? assert.fail("the page's decision is not read");
  assert.deepEqual([decided, body], [said, call]);
  const leaves = [
    encodeRecord({ kind: "hand-over", body: handOverSchema.parse(handOver) }, { instance, seq: 0 }),
    encodeRecord({ kind: "entry", body: first }, { instance, seq: 1 }),
    encodeRecord({ kind: "intent", body: read.body }, { instance, seq: 2 }),
    encodeRecord({ kind: "entry", body: call }, { instance, seq: 3 }, decidedBy(call, "plain")),
  ].map(({ leaf }) => leafHash(leaf));
  const { root, paths } = appendLeaves(EMPTY_RANGE, leaves);
  assert.deepEqual((paths[3] ?? []).map(toBase64Url), log.path);
  const name = verifierKey(instanceKeyName(instance), SIGNATURE_TYPE.ed25519, Buffer.from(key.x, "base64url"));
  assert.equal(signNote(formatCheckpoint({ origin: "gateway.example/0", size: 4, root }), name, signWithKey), log.note);
});

/** Names of all members a schema knows, at every depth. */
function members(schema: unknown): string[] {
  const json = z.toJSONSchema(schema as z.ZodType);
  const walk = (value: unknown): string[] => {
    if (typeof value !== "object" || value === null) return [];
    const properties: unknown = (value as Record<string, unknown>)["properties"];
    const own =
      typeof properties === "object" &&
      properties !== null &&
      !("type" in properties && typeof properties.type === "string")
        ? Object.keys(properties)
        : [];
    return [...own, ...Object.values(value).flatMap(walk)];
  };
  return walk(json);
}

test("the page names every member, word and bound of the formats", () => {
  const said = spec.slice(0, spec.indexOf("## 13."));
  const words = new Set(
    Array.from(said.matchAll(/`([^`]+)`/g), ([, code = ""]) => code).flatMap((code) => [
      code,
      ...(code.match(/[A-Za-z_0-9]+/g) ?? []),
    ]),
  );
  const named = [
    claimSchema,
    auditEntrySchema,
    auditBundleSchema,
    receiptSchema,
    incompleteSessionSchema,
    traceRecordSchema,
    resetStatementSchema,
    resetDetailSchema,
    handOverSchema,
  ].flatMap(members);
  assert.ok(named.length > 150);
  const vocabulary = [
    ...ENTRY_TYPES,
    ...DECISIONS,
    ...INSPECTION_RESULTS,
    ...EVIDENCE_CLASSES,
    ...EAT_PROFILES,
    CMCP_VERSION,
    RECEIPT_VERSION,
    ...RECORD_KINDS,
    ...HISTORY_REASONS,
    ...RECORD_MEMBERS,
    LEAF_VERSION,
    RECEIPT_V2,
    TREE_VERSION,
    MODEL_NOT_ASSERTED,
    NO_SELF_APPRAISAL,
  ];
  assert.deepEqual([...new Set([...named, ...vocabulary].filter((name) => !words.has(name)))], []);
  for (const metaKey of [RECEIPT_META_KEY, CLAIM_META_KEY]) assert.ok(said.includes(`_meta["${metaKey}"]`));
  for (const [name, value] of Object.entries({
    MAX_ENTRY_TEXT,
    MAX_DETAIL_MEMBERS,
    MAX_BUNDLE_ENTRIES,
    MAX_RECEIPT_BYTES,
    MAX_RECORD_BYTES,
    MAX_PARTS,
    MAX_SIGNED_TOGETHER,
  })) {
    assert.match(said, new RegExp(`\\(\`${name}\`\\)[^|]*\\| ${value} \\|`));
  }
});

test("a canonical form the page quotes is the entry's", () => {
  const { entry_hash: _, ...body } = entries.at(-1) ?? first;
  const quoted = /begins\n`([^`]+)…`/.exec(spec)?.[1];
  assert.ok(quoted !== undefined && quoted.length > 100);
  assert.ok(canonicalText(body).startsWith(quoted));
});
