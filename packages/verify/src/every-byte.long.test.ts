/**
 * One changed byte anywhere in any file of a record: rejected or malformed, never accepted. The files are
 * canonical JSON, so no byte of them is without meaning.
 */
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";
import type { IncompleteSession } from "@cmcp/audit";
import { canonicalBytes } from "@cmcp/boundary";
import * as fc from "fast-check";
import { Instance } from "./testing/instance.ts";
import { answeredBy } from "./testing/interrupted.ts";
import { EXPECTED, recordOf } from "./testing/session.ts";
import type { Outcome } from "./verdict.ts";
import { verifyClaim } from "./verify-claim.ts";
import { verifyIncomplete } from "./verify-incomplete.ts";

const { claim, bundle, receipts, instance, entries } = recordOf();
const files = {
  claim: canonicalBytes(claim),
  bundle: canonicalBytes(bundle),
  receipt: canonicalBytes(receipts[2] ?? {}),
};
const left: IncompleteSession = {
  session_id: claim.gateway.session_id,
  incomplete: true,
  signing_key: instance.jwk,
  entries: entries.slice(0, -1),
  receipts: [...receipts],
};
const incomplete = canonicalBytes(answeredBy(new Instance(), instance, left));

const judge = async (changed: Partial<typeof files>): Promise<Outcome> => {
  const { receipt, ...rest } = { ...files, ...changed };
  return (await verifyClaim({ ...rest, receipts: [receipt] }, EXPECTED, webcrypto)).outcome;
};

/** The file with one byte replaced by another. */
function changed(file: Uint8Array, at: number, by: number): Uint8Array<ArrayBuffer> {
  const copy = Uint8Array.from(file);
  copy[at] = (copy[at] ?? 0) ^ by;
  return copy;
}

const notAccepted = (outcome: Outcome): void => assert.ok(outcome === "rejected" || outcome === "malformed", outcome);

test("the files are accepted as they are", async () => {
  assert.equal(await judge({}), "accepted");
  assert.equal((await verifyIncomplete({ export: incomplete }, EXPECTED, webcrypto)).outcome, "accepted");
});

for (const name of ["claim", "receipt"] as const) {
  test(`every byte of the ${name}`, async () => {
    for (let at = 0; at < files[name].length; at += 1)
      notAccepted(await judge({ [name]: changed(files[name], at, 1) }));
  });
}

test("any byte of any file, changed to any other", async () => {
  const places = fc
    .constantFrom("claim", "bundle", "receipt")
    .chain((name) => fc.tuple(fc.constant(name), fc.nat(files[name].length - 1), fc.integer({ min: 1, max: 255 })));
  await fc.assert(
    fc.asyncProperty(places, async ([name, at, by]) => {
      notAccepted(await judge({ [name]: changed(files[name], at, by) }));
    }),
    { numRuns: 2500 },
  );
});

test("any byte of an incomplete session's export, changed to any other", async () => {
  const places = fc.tuple(fc.nat(incomplete.length - 1), fc.integer({ min: 1, max: 255 }));
  await fc.assert(
    fc.asyncProperty(places, async ([at, by]) => {
      notAccepted((await verifyIncomplete({ export: changed(incomplete, at, by) }, EXPECTED, webcrypto)).outcome);
    }),
    { numRuns: 1500 },
  );
});

test("any file cut short", async () => {
  for (const name of ["claim", "bundle", "receipt"] as const) {
    await fc.assert(
      fc.asyncProperty(fc.nat(files[name].length - 1), async (length) =>
        notAccepted(await judge({ [name]: files[name].slice(0, length) })),
      ),
      { numRuns: 50 },
    );
  }
});

test("bytes of a record overwritten, put in or cut out at several places change nothing or are not accepted", async () => {
  const verdictOf = async ({ receipt, ...rest }: typeof files) =>
    verifyClaim({ ...rest, receipts: [receipt] }, EXPECTED, webcrypto);
  const expected = await verdictOf(files);
  const edit = fc.record({
    name: fc.constantFrom("claim" as const, "bundle" as const, "receipt" as const),
    place: fc.double({ min: 0, max: 1, noNaN: true }),
    cut: fc.nat(3),
    put: fc.uint8Array({ maxLength: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
      const record = { ...files };
      for (const { name, place, cut, put } of edits) {
        const bytes = [...record[name]];
        bytes.splice(Math.floor(place * bytes.length), cut, ...put);
        record[name] = Uint8Array.from(bytes);
      }
      const verdict = await verdictOf(record);
      if (verdict.outcome === "accepted") assert.deepEqual(verdict, expected);
    }),
    { numRuns: 500 },
  );
});
