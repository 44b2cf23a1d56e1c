import assert from "node:assert/strict";
import { test } from "node:test";
import type { ManifestProblem } from "@cmcp/manifest";
import type { SessionManifest } from "../access/manifests.ts";
import { makeCall, requestFor, sessionOf } from "../testing/calls.ts";
import { checkManifest } from "./check-manifest.ts";

/** The rule and code of a refusal; `null` where the call goes on. */
function checked(manifest: SessionManifest | null, problem: ManifestProblem | null): unknown {
  const recorded = Object.assign(sessionOf(), { manifest });
  const step = checkManifest(makeCall(requestFor(), { recorded }), { problemOf: () => problem });
  if (step.kind === "continue") return null;
  assert.ok(step.outcome.kind === "error" && !step.sent);
  return [step.rule, step.outcome.code];
}

const MANIFEST = { facts: {}, source: "svid" } as unknown as SessionManifest;

test("a call goes on while the manifest of its session counts, and a session without one sends nothing", () => {
  assert.equal(checked(MANIFEST, null), null);
  assert.deepEqual(checked(MANIFEST, "revoked"), ["agent_manifest:revoked", "AGENT_MANIFEST_BINDING_FAILED"]);
  assert.deepEqual(checked(MANIFEST, "policy"), ["agent_manifest:policy", "AGENT_MANIFEST_BINDING_FAILED"]);
  assert.deepEqual(checked(null, null), ["agent_manifest:key", "AGENT_MANIFEST_BINDING_FAILED"]);
});

test("where no manifests are asked for, none is looked at", () => {
  assert.equal(checkManifest(makeCall(requestFor()), null).kind, "continue");
});
