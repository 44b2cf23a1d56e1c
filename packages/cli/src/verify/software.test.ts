/** `cmcp verify` of a software-only claim with options that are about hardware. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { canonicalBytes } from "@cmcp/boundary";
import { ISSUED_AT, OTHER_HASH, recordOf } from "../../../verify/src/testing/session.ts";
import { verify } from "./verify.ts";

const AT = ["--at", new Date((ISSUED_AT + 30) * 1000).toISOString()];
/** The sessions of these records ran under a document of this digest. */
const LAUNCH = ["--launch-digest", OTHER_HASH.slice(7)];
const POLICIES = fileURLToPath(new URL("../../../../examples/quickstart/policies", import.meta.url));
const { claim, bundle } = recordOf();
let folder = "";
const file = (name: string): string => join(folder, name);
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "cmcp-software-"));
  for (const [name, bytes] of Object.entries({
    claim: canonicalBytes(claim),
    bundle: canonicalBytes(bundle),
    empty: new Uint8Array(),
    "not-text": Uint8Array.of(0xff),
  }))
    await writeFile(file(name), bytes);
});
after(() => rm(folder, { recursive: true }));

async function judged(...args: string[]): Promise<{ code: number; failed: readonly string[] }> {
  const out = new PassThrough();
  const code = await verify.run([...args, "--allow-software-only", "--json"], { out, err: out, colour: false });
  out.end();
  const { checks } = JSON.parse((await out.toArray()).join("")) as {
    checks: { name: string; status: string; why: string }[];
  };
  return { code, failed: checks.flatMap(({ name, status, why }) => (status === "failed" ? [`${name}: ${why}`] : [])) };
}

test("none of them is ignored: each that is not met is a failed check that names it", async () => {
  const whole = [file("claim"), "--audit-bundle", file("bundle"), ...AT];
  assert.deepEqual(await judged(...whole, ...LAUNCH), { code: 0, failed: [] });
  const refused: readonly (readonly [option: string, value: string, why: RegExp])[] = [
    ["--launch-digest", "0".repeat(64), /^launch digest in audit chain: /],
    ["--policy-bundle", POLICIES, /^policy of launch document: .*--policy-bundle/],
    ["--measurement", "0".repeat(96), /^required: measurement: .*--measurement/],
    ["--appraisal-policy", "strict", /^required: appraisal policy: .*--appraisal-policy/],
    ["--certs", file("empty"), /^required: certificates: .*--certs/],
    ["--collateral", file("empty"), /^required: collateral: .*--collateral/],
    ["--earlier-evidence", file("empty"), /^required: earlier evidence: .*--earlier-evidence/],
    ["--evidence", file("empty"), /^evidence file: /],
    ["--evidence", file("not-text"), /^evidence file: /],
  ];
  for (const [option, value, why] of refused) {
    // A bundle is understood beside a pinned launch only.
    const { code, failed } = await judged(...whole, option, value, ...(option === "--policy-bundle" ? LAUNCH : []));
    assert.ok(code !== 0 && failed.length === 1, `${option} ${value}: ${code} ${failed.join("; ")}`);
    assert.match(failed[0] ?? "", why);
  }
});

test("beside what a crash left they are not understood", async () => {
  for (const option of [
    ["--measurement", "0".repeat(96)],
    ["--certs", file("empty")],
    ["--collateral", file("empty")],
  ])
    await assert.rejects(judged("--audit-bundle", file("bundle"), ...option), { code: "USAGE" }, option[0]);
});

test("an appraisal policy that is neither is refused under the name of this command's option", async () => {
  await assert.rejects(judged(file("claim"), "--appraisal-policy", "empty"), {
    code: "USAGE",
    message: /^--appraisal-policy is one of .*, or a file by its path/,
  });
});

test("the keys that requests were sealed to are named as cmcp instance verify names them", async () => {
  const bundled = [file("claim"), "--audit-bundle", file("bundle"), ...AT];
  const { code, failed } = await judged(...bundled, "--seal-keys", "A".repeat(43));
  assert.deepEqual([code, failed.map((one) => one.split(":", 1)[0])], [10, ["seal keys"]]);
  for (const name of ["", "A".repeat(42), OTHER_HASH])
    await assert.rejects(judged(...bundled, "--seal-keys", name), { code: "USAGE" });
});
