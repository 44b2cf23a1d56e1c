/**
 * `cmcp verify --launch-document` over a claim of a machine of the test's own: what of policy, catalog and development
 * it accepts.
 */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { after, before, describe, test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { catalogHash } from "@cmcp/catalog";
import { Machine } from "../../../appraise/src/sev-snp/testing/machine.ts";
import type { Issued } from "../../../appraise/src/testing/authority.ts";
import { hardwareSession, MEASUREMENT, type HardwareSession } from "../../../verify/src/testing/hardware-session.ts";
import { ISSUED_AT } from "../../../verify/src/testing/session.ts";
import { bundleOf, CATALOG, documentOf, FIRST, PIN, type Written } from "./testing/launch-document.ts";
import { verify } from "./verify.ts";

const STRANGER = generateKeyPairSync("ed25519");
const SECOND = bundleOf("2.0.0", PIN.privateKey);
const THIRD = bundleOf("3.0.0", PIN.privateKey);

describe("cmcp verify --launch-document", () => {
  let folder: string;
  let machine: Machine;
  let key: Issued;
  let count = 0;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "cmcp-launch-"));
    machine = await Machine.make("Genoa");
    key = await machine.key();
    await writeFile(
      join(folder, "policy.json"),
      JSON.stringify({ sev_snp: { trust_anchors: machine.policy().trust_anchors } }),
    );
  });
  after(() => rm(folder, { recursive: true }));

  const written = async (name: string, content: unknown): Promise<string> => {
    const path = join(folder, `${(count += 1)}-${name}`);
    await writeFile(path, content instanceof Uint8Array ? content : JSON.stringify(content));
    return path;
  };
  const placed = async ({ files }: Written): Promise<string> => {
    const at = join(folder, `bundle-${(count += 1)}`);
    await mkdir(at);
    for (const [name, text] of Object.entries(files)) await writeFile(join(at, name), text);
    return at;
  };

  interface Attempt {
    readonly document?: Uint8Array;
    readonly policies?: readonly Written[];
    readonly given?: readonly Written[];
    readonly catalog?: string;
    readonly more?: readonly string[];
    readonly withoutBundle?: boolean;
    readonly change?: (session: HardwareSession) => HardwareSession;
  }

  /** Exit code, the checks that failed with their codes, and those not performed. */
  async function judge({
    document = documentOf(),
    policies = [FIRST],
    given = [],
    catalog = catalogHash(CATALOG),
    more = [],
    withoutBundle = false,
    change = (session) => session,
  }: Attempt) {
    const session = change(
      await hardwareSession(machine, key, document, {
        catalogHash: catalog,
        policies: policies.map(({ bundle: { hash, version } }) => ({ hash, version })),
      }),
    );
    const bundle = withoutBundle
      ? []
      : ["--audit-bundle", await written("bundle.json", session.instance.bundle(session.entries))];
    const folders = await Promise.all(given.map(placed));
    const out = new PassThrough();
    const code = await verify.run(
      [
        await written("claim.json", session.claim),
        "--evidence",
        await written("evidence.json", session.evidence),
        ...bundle,
        "--launch-document",
        await written("launch.json", document),
        "--appraisal-policy",
        join(folder, "policy.json"),
        "--measurement",
        MEASUREMENT,
        "--at",
        new Date((ISSUED_AT + 30) * 1000).toISOString(),
        "--json",
        ...folders.flatMap((path) => ["--policy-bundle", path]),
        ...more,
      ],
      { out, err: out, colour: false },
    );
    out.end();
    const { checks } = JSON.parse((await out.toArray()).join("")) as {
      checks: { name: string; status: string; code?: string; why: string }[];
    };
    const failed = checks.filter(({ status }) => status === "failed").map(({ name, code: why }) => `${name} ${why}`);
    return { code, failed, check: (name: string) => checks.find((one) => one.name === name) };
  }

  const accepted = async (attempt: Attempt): Promise<string | undefined> => {
    const { code, failed, check } = await judge(attempt);
    assert.deepEqual([failed, code], [[], 0]);
    return check("policy of launch document")?.why;
  };
  const rejected = async (attempt: Attempt, ...expected: string[]): Promise<void> => {
    const { code, failed } = await judge(attempt);
    assert.deepEqual([failed, code], [expected, 10]);
  };

  test("accepts the document's own policy and catalog, reload allowed or not", async () => {
    assert.match((await accepted({})) ?? "", /own bundle/);
    await accepted({ document: documentOf({ reload: false }) });
    assert.match((await accepted({ withoutBundle: true })) ?? "", /not looked at without the audit bundle/);
  });

  test("accepts one reload and several, before the session and within it, with every bundle at hand", async () => {
    assert.match(
      (await accepted({ policies: [FIRST, SECOND], given: [SECOND] })) ?? "",
      /1 of the bundles given followed/,
    );
    await accepted({ policies: [SECOND], given: [SECOND] });
    await accepted({ policies: [SECOND], given: [SECOND], withoutBundle: true });
    await accepted({ policies: [FIRST, SECOND, THIRD], given: [THIRD, SECOND] });
  });

  test("rejects a bundle that another key signed, or none", async () => {
    for (const signer of [STRANGER.privateKey, null]) {
      const second = bundleOf("2.0.0", signer);
      for (const policies of [[FIRST, second], [second]])
        await rejected({ policies, given: [second] }, "policy of launch document POLICY_SIGNATURE_INVALID");
    }
  });

  test("rejects a version that is not higher than the one before", async () => {
    for (const version of ["1.0.0", "1.0", "0.9"]) {
      const second = bundleOf(version, PIN.privateKey, "forbid (principal, action, resource);");
      await rejected(
        { policies: [FIRST, second], given: [second] },
        "policy of launch document POLICY_VERSION_NOT_HIGHER",
      );
    }
    await rejected(
      { policies: [THIRD, SECOND], given: [SECOND, THIRD] },
      "policy of launch document POLICY_VERSION_NOT_HIGHER",
    );
    await rejected(
      { policies: [SECOND, FIRST], given: [SECOND] },
      "policy of launch document POLICY_VERSION_NOT_HIGHER",
    );
    const unordered = bundleOf("next", PIN.privateKey);
    await rejected({ policies: [unordered], given: [unordered] }, "policy of launch document POLICY_BUNDLE_INVALID");
  });

  test("rejects another bundle in place of the one that was in force, and says what was not looked at when there is none", async () => {
    await rejected({ policies: [FIRST, SECOND], given: [THIRD] }, "policy of launch document POLICY_HASH_MISMATCH");
    await rejected(
      { policies: [FIRST, SECOND, THIRD], given: [THIRD] },
      "policy of launch document POLICY_HASH_MISMATCH",
    );
    const missing = await judge({ policies: [FIRST, SECOND] });
    assert.deepEqual(
      [missing.code, missing.failed, missing.check("policy of launch document")?.status],
      [10, ["required: policy of launch document POLICY_BUNDLE_MISSING"], "not-performed"],
    );
  });

  test("rejects any other policy where the document lets none follow, and one of another version than it is", async () => {
    for (const pinned of [false, true])
      await rejected(
        { document: documentOf({ reload: false, pinned }), policies: [SECOND], given: [SECOND] },
        "policy of launch document POLICY_NOT_OF_LAUNCH",
      );
    const lied = { ...FIRST, bundle: { ...FIRST.bundle, version: "9.0.0" } };
    await rejected({ policies: [lied], withoutBundle: true }, "policy of launch document POLICY_NOT_OF_LAUNCH");
  });

  test("rejects another catalog, and a document of a development instance unless that is accepted", async () => {
    await rejected({ catalog: `sha256:${"1".repeat(64)}` }, "catalog of launch document CATALOG_HASH_MISMATCH");
    await rejected({ document: documentOf({ development: true }) }, "development DEVELOPMENT_NOT_ACCEPTED");
    await accepted({ document: documentOf({ development: true }), more: ["--allow-software-only"] });
  });

  test("rejects a document that is none, though the hardware carries its digest, and one of another session", async () => {
    await rejected({ document: new TextEncoder().encode('{"v":1}') }, "launch document form LAUNCH_DOCUMENT_INVALID");
    const other = await hardwareSession(machine, key, documentOf({ reload: false }), {
      catalogHash: catalogHash(CATALOG),
      policies: [FIRST.bundle],
    });
    const swapped = await judge({ change: () => other });
    assert.equal(swapped.code, 10);
    assert.ok(
      swapped.failed.includes("launch digest in audit chain EVIDENCE_LAUNCH_NOT_BOUND"),
      swapped.failed.join("; "),
    );
  });

  test("a bundle without a launch document to hold it to is not understood", async () => {
    const out = new PassThrough();
    await assert.rejects(
      verify.run(["claim.json", "--policy-bundle", "x"], { out, err: out, colour: false }),
      (thrown) => thrown instanceof CmcpError && thrown.code === "USAGE",
    );
  });
});
