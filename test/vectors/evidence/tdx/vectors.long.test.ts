/** Runs the numbered vectors of this folder through the TDX verifier. */
import assert from "node:assert/strict";
import { createHash, webcrypto } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import * as z from "zod";
import { tdxPolicySchema } from "../../../../packages/appraise/src/tdx/policy.ts";
import { verifyTdx } from "../../../../packages/appraise/src/tdx/verify.ts";
import { NO_SHARED_FOLDER, sharedFile, sharedFolder } from "../../../../packages/appraise/src/testing/shared.ts";

const FOLDER = new URL("./", import.meta.url);
const hex = z
  .string()
  .regex(/^([0-9a-f]{2})*$/)
  .transform((text) => Uint8Array.from(Buffer.from(text, "hex")));
const change = z.union([
  z.strictObject({ write: hex, at: z.int() }),
  z.strictObject({ insert: hex, at: z.int() }),
  z.strictObject({ append: hex, times: z.int() }),
  z.strictObject({ truncate: z.int() }),
]);
const source = z.union([
  z.strictObject({ file: z.string(), sha256: z.string(), changes: z.array(change).default([]) }),
  z.strictObject({ hex }),
]);
const inputSchema = z.strictObject({
  describes: z.string(),
  specification: z.string(),
  quote: source,
  collateral: z.array(source).default([]),
  event_log: source.optional(),
  at: z.iso.datetime(),
  policy: tdxPolicySchema.default(tdxPolicySchema.parse({})),
  expect: z
    .strictObject({
      report_data: hex.optional(),
      launch_digest: hex.optional(),
      measurements: z.array(z.string()).default([]),
    })
    .prefault({}),
});
const expectedSchema = z.strictObject({
  authentic: z.boolean(),
  tcb_status: z.string().nullable(),
  failed: z.array(z.strictObject({ check: z.string(), code: z.string() })),
  not_performed: z.array(z.string()).default([]),
});

function applied(bytes: Uint8Array, one: z.infer<typeof change>): Uint8Array {
  if ("truncate" in one) return bytes.subarray(0, one.truncate);
  if ("append" in one)
    return Uint8Array.from([...bytes, ...Array.from({ length: one.times }, () => [...one.append]).flat()]);
  if ("insert" in one) return Uint8Array.from([...bytes.subarray(0, one.at), ...one.insert, ...bytes.subarray(one.at)]);
  const copy = Uint8Array.from(bytes);
  copy.set(one.write, one.at);
  return copy;
}

function bytesOf(from: z.infer<typeof source>): Uint8Array {
  if ("hex" in from) return from.hex;
  const genuine = sharedFile(from.file) ?? new Uint8Array();
  assert.equal(
    createHash("sha256").update(genuine).digest("hex"),
    from.sha256,
    `${from.file} is the file the vector was made with`,
  );
  return from.changes.reduce(applied, genuine);
}

const read = <T>(schema: z.ZodType<T>, path: string): T =>
  schema.parse(JSON.parse(readFileSync(new URL(path, FOLDER), "utf8")));
const names = readdirSync(FOLDER, { withFileTypes: true })
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
    const input = read(inputSchema, `${name}/input.json`);
    const expected = read(expectedSchema, `${name}/expected.json`);
    const { report_data: reportData, launch_digest: launchDigest, measurements } = input.expect;
    const evidence = {
      quote: bytesOf(input.quote),
      collateral: input.collateral.map(bytesOf),
      ...(input.event_log === undefined ? {} : { eventLog: bytesOf(input.event_log) }),
    };
    const result = await verifyTdx(
      { ...evidence, measurements, ...(reportData && { reportData }), ...(launchDigest && { launchDigest }) },
      input.policy,
      new Date(input.at),
      webcrypto,
    );
    const failed = result.checks
      .filter(({ status }) => status === "failed")
      .map(({ name: check, code }) => ({ check, code }));
    assert.deepEqual(
      { authentic: result.verified !== null, tcb_status: result.verified?.tcb?.status ?? null, failed },
      { authentic: expected.authentic, tcb_status: expected.tcb_status, failed: expected.failed },
    );
    for (const check of expected.not_performed)
      assert.equal(result.checks.find((one) => one.name === check)?.status, "not-performed", check);
  });
}
