/** What packages/claim/SPEC.md says carries the build's identity, through `cmcp verify`: the evidence, held against measurements.json. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { after, before, describe, test } from "node:test";
import { catalogHash } from "@cmcp/catalog";
import { Machine } from "../../packages/appraise/src/sev-snp/testing/machine.ts";
import type { Issued } from "../../packages/appraise/src/testing/authority.ts";
import { writeSmallImage } from "../../enclave-image/src/build/testing/small-image.ts";
import { CATALOG, documentOf, FIRST } from "../../packages/cli/src/verify/testing/launch-document.ts";
import { verify } from "../../packages/cli/src/verify/verify.ts";
import {
  hardwareSession,
  MEASUREMENT,
  type HardwareSession,
} from "../../packages/verify/src/testing/hardware-session.ts";
import { altered, ISSUED_AT } from "../../packages/verify/src/testing/session.ts";

describe("the build of a claim", () => {
  let folder: string;
  let machine: Machine;
  let key: Issued;
  let published: { accepted: { platform: string; registers: Record<string, string[]> }[] };
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-build-identity-"));
    machine = await Machine.make("Genoa");
    key = await machine.key();
    await writeFile(
      join(folder, "policy.json"),
      JSON.stringify({ sev_snp: { trust_anchors: machine.policy().trust_anchors } }),
    );
    await writeSmallImage(join(folder, "image"), null);
    published = JSON.parse(await readFile(join(folder, "image/measurements.json"), "utf8")) as typeof published;
  });
  after(() => rm(folder, { recursive: true }));

  /** The image's measurements, as if SEV-SNP machines measured it as `measurement`. */
  const measuredAs = (measurement: string): unknown => ({
    ...published,
    accepted: published.accepted.map((entry) =>
      entry.platform === "sev-snp" ? { ...entry, registers: { measurement: [measurement] } } : entry,
    ),
  });

  async function judge(
    measurements: unknown,
    change: (session: HardwareSession) => HardwareSession = (session) => session,
  ): Promise<{ code: number; failed: string[]; passed: string[] }> {
    const document = documentOf();
    const { claim, evidence } = change(
      await hardwareSession(machine, key, document, {
        catalogHash: catalogHash(CATALOG),
        policies: [{ hash: FIRST.bundle.hash, version: FIRST.bundle.version }],
      }),
    );
    const at = (name: string): string => join(folder, name);
    for (const [name, content] of Object.entries({
      "claim.json": claim,
      "evidence.json": evidence,
      "measurements.json": measurements,
    }))
      await writeFile(at(name), JSON.stringify(content));
    await writeFile(at("launch.json"), document);
    const out = new PassThrough();
    const args = [
      "--evidence",
      at("evidence.json"),
      "--launch-document",
      at("launch.json"),
      "--appraisal-policy",
      at("policy.json"),
      "--measurements",
      at("measurements.json"),
      "--at",
      new Date((ISSUED_AT + 30) * 1000).toISOString(),
    ];
    const code = await verify.run([at("claim.json"), ...args, "--json"], { out, err: out, colour: false });
    out.end();
    const { checks } = JSON.parse((await out.toArray()).join("")) as {
      checks: { name: string; status: string; code?: string }[];
    };
    const named = (status: string): string[] =>
      checks
        .filter((check) => check.status === status)
        .map(({ name, code: why }) => (why === undefined ? name : `${name} ${why}`));
    return { code, failed: named("failed"), passed: named("passed") };
  }

  test("is the image whose measurements are pinned", async () => {
    const { code, failed, passed } = await judge(measuredAs(MEASUREMENT));
    assert.deepEqual([code, failed], [0, []]);
    for (const name of ["image", "measurement in claim"]) assert.ok(passed.includes(name), name);
  });

  test("is not another image's, whatever the claim says of itself", async () => {
    const { code, failed } = await judge(published);
    assert.equal(code, 10);
    assert.ok(failed.includes("image EVIDENCE_MEASUREMENT_MISMATCH"), failed.join());
    const own = published.accepted.find(({ platform }) => platform === "sev-snp")?.registers["measurement"]?.[0] ?? "";
    const boasting = await judge(published, (session) => ({
      ...session,
      claim: session.instance.claim(
        altered(session.claim, (draft) => (draft.trace.runtime.measurement = `sha384:${own}`)),
      ),
    }));
    assert.deepEqual(boasting.failed.filter((failure) => failure.includes("MEASUREMENT")).sort(), [
      "image EVIDENCE_MEASUREMENT_MISMATCH",
      "measurement in claim EVIDENCE_MEASUREMENT_MISMATCH",
    ]);
  });

  test("is in no member that the instance could write", async () => {
    const { code } = await judge(measuredAs(MEASUREMENT), (session) => ({
      ...session,
      claim: session.instance.claim(
        altered(session.claim, (draft) =>
          Object.assign(draft.trace.runtime, { container_image_digest: `sha256:${"0".repeat(64)}` }),
        ),
      ),
    }));
    assert.equal(code, 30, "a claim with such a member is none");
  });
});
