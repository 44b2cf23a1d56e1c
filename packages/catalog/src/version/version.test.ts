import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  catalogKeyId as configured,
  MAX_CATALOG_KEYS as MOST_CONFIGURED,
} from "../../../launch/src/config/catalog-keys.ts";
import { MAX_VERSIONS_BYTES as MOST_READ } from "../../../launch/src/files/catalog-versions.ts";
import { CmcpError, toBase64Url, untrusted, type ErrorCode } from "@cmcp/boundary";
import {
  approvalsOf,
  catalogKeyId,
  catalogVersionInput,
  followVersions,
  MAX_CATALOG_KEYS,
  MAX_VERSIONS,
  MAX_VERSIONS_BYTES,
  readCatalogVersions,
  writeCatalogVersions,
  type CatalogVersion,
} from "./index.ts";

const hashOf = (n: number): string => `sha256:${n.toString(16).padStart(64, "0")}`;
const pairs = ["alice", "bob", "carol"].map((id) => ({ id, ...generateKeyPairSync("ed25519") }));
const keys = pairs.map(({ id, publicKey }) => ({ id, ed25519: publicKey.export({ format: "jwk" }).x ?? "" }));
const terms = { keys, needed: 2 };

/** A version from one catalog to another, approved by these. */
function version(
  number: number,
  [from, to]: readonly [number, number],
  by: readonly string[] = ["alice", "bob"],
): CatalogVersion {
  const said = { version: number, catalog_hash: hashOf(to), previous_catalog_hash: hashOf(from) };
  const approvals = by.map((id) => {
    const pair = pairs.find((each) => each.id === id) ?? pairs[0];
    assert.ok(pair !== undefined);
    return { key_id: id, signature: toBase64Url(sign(null, catalogVersionInput(said, id), pair.privateKey)) };
  });
  return { ...said, approvals };
}

const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const read = (value: unknown) => readCatalogVersions(untrusted(bytes(value)));
const isRefused = (value: unknown, message: RegExp): void => {
  assert.throws(() => read(value), { code: "CATALOG_VERSION_INVALID", message });
};

const CHAIN = [version(1, [0, 1]), version(3, [1, 2]), version(4, [2, 0]), version(5, [0, 3])];

test("a file of versions reads back as it was written", () => {
  assert.deepEqual(readCatalogVersions(untrusted(new TextEncoder().encode(writeCatalogVersions(CHAIN)))), CHAIN);
  assert.deepEqual(read({ v: 1, versions: [] }), []);
});

test("versions that do not rise, do not follow each other, or that one key approves twice are refused", () => {
  const [first, second] = CHAIN;
  assert.ok(first !== undefined && second !== undefined);
  isRefused({ v: 1, versions: [first, { ...second, version: 1 }] }, /do not rise/);
  isRefused({ v: 1, versions: [first, version(2, [5, 6])] }, /does not follow the one before it/);
  isRefused({ v: 1, versions: [version(1, [1, 1])] }, /follows its own catalog/);
  isRefused({ v: 1, versions: [{ ...first, approvals: [first.approvals[0], first.approvals[0]] }] }, /approves twice/);
  for (const value of [{}, { v: 2, versions: [] }, { v: 1, versions: [{ ...first, more: 1 }] }, [], { v: 1 }])
    isRefused(value, /catalog versions: /);
});

test("a file ends where its bounds are", () => {
  const many = (count: number) => Array.from({ length: count }, (_, at) => version(at + 1, [at, at + 1], []));
  assert.equal(read({ v: 1, versions: many(MAX_VERSIONS) }).length, MAX_VERSIONS);
  isRefused({ v: 1, versions: many(MAX_VERSIONS + 1) }, /versions/);
  const approvals = (count: number) =>
    Array.from({ length: count }, (_, at) => ({ key_id: `k${at}`, signature: "A".repeat(86) }));
  const with_ = (count: number) => ({ v: 1, versions: [{ ...version(1, [0, 1], []), approvals: approvals(count) }] });
  assert.equal(read(with_(MAX_CATALOG_KEYS))[0]?.approvals.length, MAX_CATALOG_KEYS);
  isRefused(with_(MAX_CATALOG_KEYS + 1), /approvals/);
  const padded = (length: number) => untrusted(new TextEncoder().encode('{"v":1,"versions":[]}'.padEnd(length)));
  assert.deepEqual(readCatalogVersions(padded(MAX_VERSIONS_BYTES)), []);
  assert.throws(() => readCatalogVersions(padded(MAX_VERSIONS_BYTES + 1)), { code: "CATALOG_VERSION_INVALID" });
});

test("the host reads as much, and the configuration takes such names and as many keys, as a version has", () => {
  assert.deepEqual([MOST_CONFIGURED, MOST_READ], [MAX_CATALOG_KEYS, MAX_VERSIONS_BYTES]);
  for (const id of ["a", "a".repeat(64), "a".repeat(65), "", "A", "-a", "a b", "0.x_y-z"])
    assert.equal(configured.safeParse(id).success, catalogKeyId.safeParse(id).success, id);
});

test("any other bytes are a typed refusal", () => {
  const good = new TextEncoder().encode(writeCatalogVersions(CHAIN.slice(0, 1)));
  const mutated = fc
    .tuple(fc.nat(good.byteLength - 1), fc.nat(255))
    .map(([at, byte]) => Uint8Array.from(good, (was, index) => (index === at ? byte : was)));
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        mutated,
        fc.json().map((text) => new TextEncoder().encode(text)),
      ),
      (input) => {
        try {
          readCatalogVersions(untrusted(input));
        } catch (thrown) {
          assert.ok(thrown instanceof CmcpError && thrown.code === "CATALOG_VERSION_INVALID", String(thrown));
        }
      },
    ),
  );
});

test("approvals count for the version, the catalogs and the name that they were signed for, and no other", () => {
  const made = version(1, [0, 1], ["alice", "bob"]);
  assert.deepEqual(approvalsOf(made, keys), { approved: ["alice", "bob"], missing: ["carol"], unknown: [] });
  assert.deepEqual(approvalsOf(made, keys.slice(1)), { approved: ["bob"], missing: ["carol"], unknown: ["alice"] });
  const [alice] = made.approvals;
  assert.ok(alice !== undefined);
  for (const change of [
    { version: 2 },
    { catalog_hash: hashOf(9) },
    { previous_catalog_hash: hashOf(9) },
    { approvals: [{ ...alice, key_id: "bob" }] },
  ])
    assert.throws(() => approvalsOf({ ...made, ...change }, keys), { code: "CATALOG_APPROVAL_INVALID" });
});

/** What following the chain from a catalog in force gives, or the code of its refusal. */
function followed(
  [hash, inForce, number]: readonly [number, number, number | null],
  versions: readonly CatalogVersion[] = CHAIN,
): number | null | ErrorCode {
  try {
    const at = { hash: hashOf(hash), inForce: { hash: hashOf(inForce), version: number }, terms };
    return followVersions(versions, at)?.version ?? null;
  } catch (thrown) {
    assert.ok(thrown instanceof CmcpError);
    return thrown.code;
  }
}

test("versions are followed from the catalog in force to the last, whatever was missed between", () => {
  assert.equal(followed([3, 1, 1]), 5);
  assert.equal(followed([3, 0, 4]), 5);
  assert.equal(followed([3, 3, 5]), null);
  assert.equal(followed([2, 7, null], [version(1, [7, 2])]), 1);
  // The launch document's catalog may be any of them; the last that has its hash counts.
  for (const first of [0, 1, 2]) assert.equal(followed([3, first, null]), 5, `${first}`);
  assert.equal(followed([3, 3, null]), null);
  assert.equal(followed([3, 3, null], []), null);
});

test("a catalog that is not the last version's, follows another, or is not higher is refused", () => {
  assert.equal(followed([2, 1, 1]), "CATALOG_VERSION_INVALID");
  assert.equal(followed([3, 9, 1]), "CATALOG_VERSION_INVALID");
  assert.equal(followed([3, 9, null]), "CATALOG_VERSION_INVALID");
  assert.equal(followed([2, 3, 5]), "CATALOG_VERSION_NOT_HIGHER");
  assert.equal(followed([2, 3, 9]), "CATALOG_VERSION_NOT_HIGHER");
  assert.equal(followed([2, 3, null], []), "CATALOG_VERSION_NOT_HIGHER");
  const equal = [version(1, [0, 1]), version(3, [1, 9])];
  assert.equal(followed([9, 2, 3], equal), "CATALOG_VERSION_NOT_HIGHER", "the same number with another catalog");
});

test("every version on the way needs its approvals", () => {
  for (const poor of [0, 1])
    assert.equal(
      followed(
        [2, 0, null],
        [version(1, [0, 1], poor === 0 ? ["alice"] : undefined), version(2, [1, 2], poor === 1 ? ["bob"] : undefined)],
      ),
      "CATALOG_APPROVALS_MISSING",
      `${poor}`,
    );
});

test("the page of the format has the numbers and the bytes that the code has", async () => {
  const page = await readFile(new URL("../../SPEC.md", import.meta.url), "utf8");
  for (const number of [MAX_CATALOG_KEYS, MAX_VERSIONS, MAX_VERSIONS_BYTES])
    assert.ok(page.includes(`${number}`), `${number}`);
  const example = /```text\n(cmcp-catalog-version-v1\|.*)\n```/.exec(page)?.[1];
  const said = { version: 7, catalog_hash: hashOf(2), previous_catalog_hash: hashOf(1) };
  assert.equal(example, new TextDecoder().decode(catalogVersionInput(said, "alice")));
});
