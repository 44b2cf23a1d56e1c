import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { fromBase64Url } from "@cmcp/boundary";
import { formatVerifierKey, SIGNATURE_TYPE, verifierKey, type SignatureType } from "@cmcp/log";
import { witnessSettings } from "./witness-settings.ts";

function key(name: string, type: SignatureType = SIGNATURE_TYPE.cosignature): string {
  const { x = "" } = generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" });
  return formatVerifierKey(verifierKey(name, type, fromBase64Url(x) ?? new Uint8Array()));
}

const LINES = `witness a ${key("w.example/a")}\nwitness b ${key("w.example/b")}\nwitness c ${key("w.example/c")}\n`;
const TWO_OF_THREE = `${LINES}group g 2 a b c\nquorum g\n`;
const NONE = { origin: "gateway.example/0", predecessors: [], appraisal: {}, certificates: [] };
const log = { ...NONE, witness_wait_ms: 700 };

test("a configuration without witnesses has none", () => {
  assert.equal(witnessSettings(NONE), null);
});

test("the policy is read, and its text is as measured", () => {
  const settings = witnessSettings({ ...log, witnesses: TWO_OF_THREE }) ?? assert.fail("no settings");
  assert.equal(settings.text, TWO_OF_THREE);
  assert.equal(settings.waitMs, 700);
  assert.deepEqual(
    settings.policy.witnesses.map(({ name }) => name),
    ["a", "b", "c"],
  );
});

const REFUSED: readonly (readonly [string, string, RegExp])[] = [
  ["no policy", "two of three, please\n", /line 1/],
  ["quorums that do not intersect", `${LINES}group g 1 a b c\nquorum g\n`, /witness in common/],
  ["no quorum", `${LINES}quorum none\n`, /witness in common/],
  ["a log's key", `log ${key("gateway.example/0", SIGNATURE_TYPE.ed25519)}\n${TWO_OF_THREE}`, /log line/],
  ["a witness's URL", `witness a ${key("w.example/a")} https://w.example/\nquorum a\n`, /witness_urls/],
];

for (const [what, witnesses, message] of REFUSED)
  test(`${what} is refused`, () => {
    assert.throws(() => witnessSettings({ ...log, witnesses }), { code: "CONFIG_INVALID", message });
  });

test("witnesses without a wait are refused", () => {
  const { witness_wait_ms: _, ...without } = log;
  assert.throws(() => witnessSettings({ ...without, witnesses: TWO_OF_THREE }), { code: "CONFIG_INVALID" });
});
