/** What the vectors of TPM quotes and of Azure's bundles have in common: where bytes come from, and what is compared. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import * as z from "zod";
import type { EvidenceResult } from "../../../packages/appraise/src/checks/result.ts";
import { NO_SHARED_FOLDER, sharedFile, sharedFolder } from "../../../packages/appraise/src/testing/shared.ts";

const hex = z
  .string()
  .regex(/^([0-9a-f]{2})*$/)
  .transform((text) => Uint8Array.from(Buffer.from(text, "hex")));
const changeSchema = z.union([
  z.strictObject({ write: hex, at: z.int() }),
  z.strictObject({ insert: hex, at: z.int() }),
  z.strictObject({ append: hex, times: z.int() }),
  z.strictObject({ truncate: z.int() }),
  z.strictObject({ slice: z.tuple([z.int(), z.int()]) }),
]);
export const changesSchema = z.array(changeSchema);
export const sourceSchema = z.union([
  z.strictObject({ file: z.string(), sha256: z.string(), changes: changesSchema.default([]) }),
  z.strictObject({ here: z.string() }),
]);

const clock = z.strictObject({ clock: z.string().transform(BigInt), resetCount: z.int(), restartCount: z.int() });
/** What is expected of the evidence, as the verifiers take it. */
export const expectSchema = z
  .strictObject({
    report_data: hex.optional(),
    launch_digest: hex.optional(),
    measurements: z.array(z.string()).optional(),
    earlier_clock: clock.optional(),
  })
  .prefault({})
  .transform(({ report_data: reportData, launch_digest: launchDigest, measurements, earlier_clock: earlierClock }) => ({
    ...(reportData && { reportData }),
    ...(launchDigest && { launchDigest }),
    ...(measurements && { measurements }),
    ...(earlierClock && { earlierClock }),
  }));

const expectedSchema = z.strictObject({
  authentic: z.boolean(),
  failed: z.array(z.strictObject({ check: z.string(), code: z.string() })),
  not_performed: z.array(z.string()).default([]),
});

function applied(bytes: Uint8Array, one: z.infer<typeof changeSchema>): Uint8Array {
  if ("truncate" in one) return bytes.subarray(0, one.truncate);
  if ("slice" in one) return bytes.slice(...one.slice);
  if ("append" in one)
    return Uint8Array.from([...bytes, ...Array.from({ length: one.times }, () => [...one.append]).flat()]);
  if ("insert" in one) return Uint8Array.from([...bytes.subarray(0, one.at), ...one.insert, ...bytes.subarray(one.at)]);
  const copy = Uint8Array.from(bytes);
  copy.set(one.write, one.at);
  return copy;
}

export function applyChanges(bytes: Uint8Array, changes: z.infer<typeof changesSchema>): Uint8Array {
  return changes.reduce(applied, bytes);
}

/** Bytes of a source: a file of the corpus, or one beside the case. */
export function bytesOf(source: z.infer<typeof sourceSchema>, folder: URL): Uint8Array {
  if ("here" in source) return Uint8Array.from(readFileSync(new URL(source.here, folder)));
  const genuine = sharedFile(source.file) ?? new Uint8Array();
  assert.equal(
    createHash("sha256").update(genuine).digest("hex"),
    source.sha256,
    `${source.file} is the file the vector was made with`,
  );
  return applyChanges(genuine, source.changes);
}

function read<T>(schema: z.ZodType<T>, url: URL): T {
  return schema.parse(JSON.parse(readFileSync(url, "utf8")));
}

/** Runs every numbered case of a folder as a test of its own. */
export function runVectors<Input>(
  all: URL,
  inputSchema: z.ZodType<Input>,
  verify: (input: Input, folder: URL) => Promise<EvidenceResult<unknown>>,
): void {
  const names = readdirSync(all, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .toSorted();
  test("the vectors are numbered without a gap", () => {
    assert.ok(names.length > 0);
    assert.deepEqual(
      names.map((name) => Number(name.slice(0, 3))),
      names.map((_, index) => index + 1),
    );
  });
  for (const name of names) {
    test(name, { skip: sharedFolder() === null ? NO_SHARED_FOLDER : false }, async () => {
      const folder = new URL(`${name}/`, all);
      const expected = read(expectedSchema, new URL("expected.json", folder));
      const { verified, checks } = await verify(read(inputSchema, new URL("input.json", folder)), folder);
      const failed = checks
        .filter(({ status }) => status === "failed")
        .map(({ name: check, code }) => ({ check, code }));
      assert.deepEqual(
        { authentic: verified !== null, failed },
        { authentic: expected.authentic, failed: expected.failed },
      );
      for (const check of expected.not_performed)
        assert.equal(checks.find((one) => one.name === check)?.status, "not-performed", check);
    });
  }
}
