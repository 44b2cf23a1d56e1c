/** Another claim beside the one that is judged: one history passes, a second one does not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AuditEntry } from "@cmcp/audit";
import { claimHash, type Claim } from "@cmcp/claim";
import { Instance, relink } from "../testing/instance.ts";
import { altered, claimOf, entriesOf, failures, judge } from "../testing/session.ts";

const instance = new Instance();
const entries = entriesOf(instance);
const bundle = instance.bundle(entries);

/** The instance's claim of that number, after another. */
function numbered(of: readonly AuditEntry[], number: number, previous?: Claim): Claim {
  return instance.claim(
    altered(claimOf(instance, of), ({ gateway }) => {
      gateway.sequence_number = number;
      if (previous !== undefined) gateway.prev_claim_hash = claimHash(previous);
    }),
  );
}

const first = numbered(entries.slice(0, 3), 1);
const second = numbered(entries, 2, first);
/** The same session with another fourth entry: what a copy of the instance would have gone on with. */
const fork = relink(entries.map((entry, index) => (index === 3 ? { ...entry, call_id: "call-of-the-fork" } : entry)));

/** Failed checks, and the others about held claims by name and status. */
async function against(
  shown: Claim,
  held: Claim,
  chain: readonly AuditEntry[] | null = entries,
): Promise<{ failed: readonly string[]; others: readonly string[]; why: string }> {
  const verdict = await judge({
    claim: shown,
    heldClaims: [held],
    ...(chain === null ? {} : { bundle: instance.bundle(chain) }),
  });
  const about = verdict.checks.filter(({ name }) => name.startsWith("held claim"));
  return {
    failed: failures(verdict),
    others: about.filter(({ status }) => status !== "failed").map(({ name, status }) => `${name}: ${status}`),
    why: about.map(({ why }) => why).join("; "),
  };
}

test("the claim before it, of the same session, agrees in number and chain", async () => {
  const { failed, others } = await against(second, first);
  assert.deepEqual(
    [failed, others],
    [
      [],
      [
        "held claim form: passed",
        "held claim 1 signature: passed",
        "held claim 1: passed",
        "held claim 1 in the chain: passed",
      ],
    ],
  );
});

test("the same claim agrees with itself, and one of another session next to it", async () => {
  assert.deepEqual((await against(second, second)).failed, []);
  const other = numbered(entriesOf(instance), 3, second);
  assert.deepEqual((await against(second, other)).failed, []);
});

test("claims two numbers apart are not linked, and how many are between them is said", async () => {
  const third = numbered(entriesOf(instance), 3, second);
  const apart = await against(first, third, entries.slice(0, 3));
  assert.deepEqual([apart.failed, apart.others.at(-1)], [[], "held claim 3: not-performed"]);
  assert.match(apart.why, /the 1 claims between the two are not here/);
  const next = await against(third, second, null);
  assert.match(next.why, /the claim before this one/);
  assert.match((await against(second, third)).why, /the claim after this one/);
});

test("a later claim shows what an earlier one withholds", async () => {
  const { failed, why } = await against(first, second, entries.slice(0, 3));
  assert.deepEqual(failed, ["held claim 2 in the chain CHAIN_BROKEN"]);
  assert.match(why, /covers 7 entries of this session, and 3 are shown/);
});

test("a second history of the instance contradicts the first, wherever the two are compared", async () => {
  const twin = numbered(fork, 2, first);
  assert.deepEqual((await against(second, twin)).failed, [
    "held claim 2 CHAIN_BROKEN",
    "held claim 2 in the chain CHAIN_BROKEN",
  ]);
  const later = numbered(fork.slice(0, 5), 3, numbered(fork.slice(0, 4), 2, first));
  assert.deepEqual(
    (await against(second, later)).failed,
    ["held claim 3 CHAIN_BROKEN", "held claim 3 in the chain CHAIN_BROKEN"],
    "not after the second claim that was shown",
  );
  assert.deepEqual(
    (await against(numbered(entries, 9), later)).failed,
    ["held claim 3 in the chain CHAIN_BROKEN"],
    "numbers far apart: the chain tells",
  );
  const elsewhere = numbered(
    relink(
      entries.map((entry, index) => (index === 0 ? { ...entry, timestamp_utc: "2026-01-01T00:00:00.000Z" } : entry)),
    ),
    9,
  );
  assert.deepEqual(
    (await against(second, elsewhere)).failed,
    ["held claim 9 in the chain CHAIN_BROKEN"],
    "another root",
  );
});

test("a fork of equal length is found by the chain's end, where numbers say nothing", async () => {
  const { failed, why } = await against(numbered(entries, 9), numbered(fork, 2, first), null);
  assert.deepEqual(failed, ["held claim 2 in the chain CHAIN_BROKEN"]);
  assert.match(why, /chain ends otherwise there: it was forked/);
  const same = await against(numbered(entries, 9), second, null);
  assert.deepEqual(
    [same.failed, same.others.at(-1)],
    [[], "held claim 2 in the chain: passed"],
    "of equal length and the same",
  );
});

test("another instance's claim is no part of this history", async () => {
  const another = new Instance();
  const { failed, why } = await against(second, claimOf(another, entriesOf(another)));
  assert.deepEqual(failed, ["held claim 1 CHAIN_BROKEN"]);
  assert.match(why, /restarted between the two, or two run beside each other/);
});

test("a held claim that was changed says nothing", async () => {
  assert.deepEqual(
    (
      await against(
        second,
        altered(first, ({ gateway }) => (gateway.sequence_number = 2)),
      )
    ).failed,
    ["held claim 2 signature SIGNATURE_INVALID"],
  );
});

test("what cannot be compared is not performed, and said so", async () => {
  const { failed, others, why } = await against(numbered(entries, 5), first, null);
  assert.deepEqual(
    [failed, others],
    [
      [],
      [
        "held claim form: passed",
        "held claim 1 signature: passed",
        "held claim 1: not-performed",
        "held claim 1 in the chain: not-performed",
      ],
    ],
  );
  assert.match(why, /3 claims between.*--audit-bundle/);
  assert.equal(
    (await judge({ claim: second, bundle })).checks.find(({ name }) => name === "held claims")?.status,
    "not-performed",
  );
});
