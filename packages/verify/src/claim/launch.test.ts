import assert from "node:assert/strict";
import { test } from "node:test";
import type { AuditEntry } from "@cmcp/audit";
import { CmcpError } from "@cmcp/boundary";
import { Checklist } from "../checklist.ts";
import type { Expectations } from "../expectations.ts";
import { coveredBy, type CoveredSession } from "../session/covered.ts";
import { factsOf } from "../session/session-facts.ts";
import { Instance, relink } from "../testing/instance.ts";
import { altered, CATALOG_HASH, claimOf, entriesOf, EXPECTED, OTHER_HASH, POLICY_HASH } from "../testing/session.ts";
import { checkLaunch } from "./launch.ts";
import type { LaunchTerms } from "./launch-terms.ts";

const THIRD_HASH = `sha256:${"d4".repeat(32)}`;
const instance = new Instance();
const [start] = entriesOf(instance) as [AuditEntry];
const TERMS: LaunchTerms = {
  development: false,
  catalogHash: CATALOG_HASH,
  policyHash: POLICY_HASH,
  versions: new Map([[POLICY_HASH, "1.0.0"]]),
  requireMayFollow: () => undefined,
  requireCatalogMayFollow: () => {
    throw new CmcpError("CATALOG_HASH_MISMATCH", "the launch document lets no other catalog follow");
  },
};

/** Entries of a session that went through these policies. */
function entriesUnder(...hashes: readonly string[]): CoveredSession | null {
  const loads = hashes.slice(1).map(
    (hash, index): AuditEntry => ({
      ...start,
      entry_type: "policy_load",
      detail: { policy_hash: hash, policy_version: "2.0.0", previous_policy_hash: hashes[index] ?? "" },
    }),
  );
  const first = { ...start, detail: { ...start.detail, policy_hash: hashes[0] ?? "" } };
  return coveredBy(factsOf(relink([first, ...loads])));
}

interface Given {
  readonly terms?: Partial<LaunchTerms>;
  readonly entries?: CoveredSession | null;
  readonly policy?: { readonly hash: string; readonly version: string };
  readonly expected?: Partial<Expectations>;
}

/** The checks of a claim of this policy under a launch document of these terms. */
function judged({ terms = {}, entries = null, policy, expected = {} }: Given = {}) {
  const list = new Checklist();
  const claim = altered(claimOf(instance, entriesOf(instance)), (draft) => {
    if (policy === undefined) return;
    draft.trace.policy.bundle_hash = policy.hash;
    draft.trace.policy.version = policy.version;
  });
  const launch = { document: new Uint8Array(1), read: () => ({ ...TERMS, ...terms }) };
  checkLaunch(claim, entries, { ...EXPECTED, launch, ...expected }, list);
  const failed = list.checks.flatMap(({ name, status, code }) => (status === "failed" ? [`${name} ${code}`] : []));
  const check = (name: string) => list.checks.find((one) => one.name === name);
  return { failed, check, policyWhy: check("policy of launch document")?.why ?? "" };
}

test("without the launch document nothing is compared, and bundles that were given are then held by nothing", () => {
  const run = (expected: Expectations) => {
    const list = new Checklist();
    checkLaunch(claimOf(instance, entriesOf(instance)), null, expected, list);
    return list.checks.map(({ name, status, code }) => `${name} ${status} ${code ?? ""}`);
  };
  assert.deepEqual(run(EXPECTED), ["policy of launch document not-performed "]);
  assert.deepEqual(run({ ...EXPECTED, bundlesGiven: true }), ["policy of launch document failed POLICY_NOT_OF_LAUNCH"]);
});

test("a document that cannot be read, of development, or with another catalog is not the claim's", () => {
  const read = (): never => {
    throw new CmcpError("LAUNCH_DOCUMENT_INVALID", "no");
  };
  const unread = judged({ expected: { launch: { document: new Uint8Array(), read } } });
  assert.deepEqual(unread.failed, ["launch document form LAUNCH_DOCUMENT_INVALID"]);
  assert.deepEqual(judged({ expected: { allowSoftwareOnly: false } }).failed, []);
  const development = { terms: { development: true } };
  assert.deepEqual(judged({ ...development, expected: { allowSoftwareOnly: false } }).failed, [
    "development DEVELOPMENT_NOT_ACCEPTED",
  ]);
  assert.deepEqual(judged(development).failed, []);
  assert.match(judged(development).check("development")?.why ?? "", /explicitly accepted/);
  assert.match(judged().check("development")?.why ?? "", /not of a development instance/);
  assert.deepEqual(judged({ terms: { catalogHash: OTHER_HASH } }).failed, [
    "catalog of launch document CATALOG_HASH_MISMATCH",
  ]);
});

test("the document's own bundle needs no other, and has the version that the claim names", () => {
  const own = judged();
  assert.deepEqual(own.failed, []);
  assert.match(own.policyWhy, /^the launch document's own bundle was in force; policies before the claim's are not/);
  const whole = judged({ entries: entriesUnder(POLICY_HASH) });
  assert.equal(whole.policyWhy, "the launch document's own bundle was in force");
  assert.deepEqual(judged({ policy: { hash: POLICY_HASH, version: "1.0.1" } }).failed, [
    "policy of launch document POLICY_NOT_OF_LAUNCH",
  ]);
});

test("each policy of the session follows from the one before it, in the order they came into force", () => {
  const seen: string[] = [];
  const versions = new Map([
    [POLICY_HASH, "1.0.0"],
    [OTHER_HASH, "2.0.0"],
    [THIRD_HASH, "3.0.0"],
  ]);
  const requireMayFollow = (next: string, previous: string): void => {
    seen.push(`${versions.get(previous)} ${versions.get(next)}`);
  };
  const policy = { hash: THIRD_HASH, version: "3.0.0" };
  const entries = entriesUnder(POLICY_HASH, OTHER_HASH, THIRD_HASH);
  const followed = judged({ terms: { versions, requireMayFollow }, entries, policy });
  assert.deepEqual([followed.failed, seen], [[], ["1.0.0 2.0.0", "2.0.0 3.0.0"]]);
  assert.match(followed.policyWhy, /^2 of the bundles given followed/);
  seen.length = 0;
  const before = judged({
    terms: { versions, requireMayFollow },
    entries: entriesUnder(OTHER_HASH, THIRD_HASH),
    policy,
  });
  assert.deepEqual([before.failed, seen], [[], ["1.0.0 2.0.0", "2.0.0 3.0.0"]], "one was loaded before the session");
  seen.length = 0;
  assert.deepEqual(judged({ terms: { versions, requireMayFollow }, policy }).failed, []);
  assert.deepEqual(seen, ["1.0.0 3.0.0"]);
  const refusing = (): never => {
    throw new CmcpError("POLICY_VERSION_NOT_HIGHER", "lower");
  };
  const refused = judged({ terms: { versions, requireMayFollow: refusing }, entries, policy });
  assert.deepEqual(refused.failed, ["policy of launch document POLICY_VERSION_NOT_HIGHER"]);
  const failing = (): never => {
    throw new TypeError("a bug");
  };
  assert.deepEqual(judged({ terms: { versions, requireMayFollow: failing }, entries, policy }).failed, [
    "policy of launch document POLICY_NOT_OF_LAUNCH",
  ]);
});

test("a policy whose bundle nobody showed is not accepted, and the bundles that were given are named", () => {
  const policy = { hash: OTHER_HASH, version: "2.0.0" };
  const missing = judged({ policy });
  assert.deepEqual(missing.failed, ["required: policy of launch document POLICY_BUNDLE_MISSING"]);
  assert.equal(missing.check("policy of launch document")?.status, "not-performed");
  assert.match(missing.policyWhy, new RegExp(`^${OTHER_HASH} was in force, the launch document has ${POLICY_HASH}`));
  const versions = new Map([
    [POLICY_HASH, "1.0.0"],
    [THIRD_HASH, "2.0.0"],
  ]);
  const other = judged({ terms: { versions }, policy });
  assert.deepEqual(other.failed, ["policy of launch document POLICY_HASH_MISMATCH"]);
  assert.match(other.policyWhy, new RegExp(`the bundles given are ${THIRD_HASH}$`));
});
