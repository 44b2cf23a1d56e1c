import assert from "node:assert/strict";
import { test } from "node:test";
import type { AuditEntry } from "@cmcp/audit";
import { Instance, relink } from "../testing/instance.ts";
import { altered, CATALOG_HASH, claimOf, entriesOf, failures, judge, OTHER_HASH } from "../testing/session.ts";
import type { Verdict } from "../verdict.ts";

const instance = new Instance();
const THIRD_HASH = `sha256:${"9".repeat(64)}`;
const [start, first, second, third, , , end] = entriesOf(instance) as [
  AuditEntry,
  AuditEntry,
  AuditEntry,
  AuditEntry,
  AuditEntry,
  AuditEntry,
  AuditEntry,
];
const load = (from: string, to: string, version = 1): AuditEntry => ({
  ...start,
  entry_type: "catalog_load",
  detail: { catalog_hash: to, catalog_version: version, previous_catalog_hash: from },
});
const under = (entry: AuditEntry, hash: string): AuditEntry => ({
  ...entry,
  detail: { ...entry.detail, catalog_hash: hash },
});

/** A claim over these entries that names this catalog, verified with them. */
async function judged(
  entries: readonly AuditEntry[],
  hash: string,
  expected: Parameters<typeof judge>[1] = {},
): Promise<Verdict> {
  const linked = relink(entries.map((entry) => ({ ...entry, timestamp_utc: start.timestamp_utc })));
  const claim = altered(claimOf(instance, linked), (draft) => (draft.gateway.catalog.hash = hash));
  return await judge({ claim: instance.claim(claim), bundle: instance.bundle(linked) }, expected);
}

const CHANGED = [
  start,
  under(first, CATALOG_HASH),
  load(CATALOG_HASH, OTHER_HASH),
  under(second, OTHER_HASH),
  under(third, CATALOG_HASH),
  end,
];

test("a session whose catalog changed is accepted under its last catalog, calls that were under way included", async () => {
  const verdict = await judged(CHANGED, OTHER_HASH);
  assert.deepEqual(failures(verdict), []);
  assert.match(
    verdict.checks.find(({ name }) => name === "catalog of every decision")?.why ?? "",
    /2 catalogs .* 1 ended after/,
  );
});

test("a call names its catalog once another came into force; before that the root entry's counts", async () => {
  assert.deepEqual(failures(await judged([start, first, load(CATALOG_HASH, OTHER_HASH), end], OTHER_HASH)), []);
  assert.deepEqual(failures(await judged([start, load(CATALOG_HASH, OTHER_HASH), first, end], OTHER_HASH)), [
    "catalog of every decision CATALOG_HASH_MISMATCH",
  ]);
});

test("a claim that names the catalog before the change is rejected", async () => {
  assert.deepEqual(failures(await judged(CHANGED, CATALOG_HASH)), ["catalog in force CATALOG_HASH_MISMATCH"]);
});

test("a decision under a catalog that had not come into force is rejected", async () => {
  for (const entries of [
    [start, under(first, OTHER_HASH), load(CATALOG_HASH, OTHER_HASH), end],
    [start, load(CATALOG_HASH, OTHER_HASH), under(first, THIRD_HASH), end],
  ])
    assert.deepEqual(failures(await judged(entries, OTHER_HASH)), ["catalog of every decision CATALOG_HASH_MISMATCH"]);
});

test("a load that does not follow from the one before, is not higher, or says nothing is rejected", async () => {
  for (const loads of [
    [load(THIRD_HASH, OTHER_HASH)],
    [load(CATALOG_HASH, THIRD_HASH, 2), load(THIRD_HASH, OTHER_HASH, 2)],
    [{ ...load(CATALOG_HASH, OTHER_HASH), detail: { catalog_hash: OTHER_HASH } }],
    [{ ...load(CATALOG_HASH, OTHER_HASH), detail: null }],
  ])
    assert.deepEqual(failures(await judged([start, ...loads, end], OTHER_HASH)), [
      "catalog of every decision CATALOG_HASH_MISMATCH",
    ]);
  const twice = [start, load(CATALOG_HASH, THIRD_HASH, 2), load(THIRD_HASH, OTHER_HASH, 3), end];
  assert.deepEqual(failures(await judged(twice, OTHER_HASH)), []);
});

test("a pinned catalog must be the only one that decided", async () => {
  assert.deepEqual(failures(await judged(CHANGED, OTHER_HASH, { catalogHash: OTHER_HASH })), [
    "catalog of every decision CATALOG_HASH_MISMATCH",
  ]);
});
