import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { fromBase64Url } from "@cmcp/boundary";
import { readInstancePolicy } from "./instance-policy.ts";
import { formatVerifierKey, SIGNATURE_TYPE, type SignatureType } from "./key.ts";
import { readWitnessPolicy, verifierKey } from "./verify.ts";

function newKey(name: string, type: SignatureType = SIGNATURE_TYPE.cosignature): string {
  const { publicKey } = generateKeyPairSync("ed25519");
  const { x } = publicKey.export({ format: "jwk" });
  return formatVerifierKey(verifierKey(name, type, fromBase64Url(x ?? "") ?? assert.fail()));
}
const [A, B] = [newKey("witness.example/a"), newKey("witness.example/b")];
const WITNESSES = `witness a ${A}\nwitness b ${B}\n`;

test("an instance's policy is read as any other, with a quorum that no host can split", () => {
  for (const quorum of ["quorum a\n", "group both all a b\nquorum both\n"]) {
    const policy = readInstancePolicy(WITNESSES + quorum);
    assert.deepEqual(policy, readWitnessPolicy(WITNESSES + quorum));
    assert.deepEqual(
      policy.witnesses.map(({ name }) => name),
      ["a", "b"],
    );
  }
});

test("what is its host's to say, and quorums without a common witness, are refused", () => {
  const log = `log ${newKey("example.com/log", SIGNATURE_TYPE.ed25519)}\n`;
  for (const [text, message] of [
    [`${log}${WITNESSES}quorum a\n`, /log line/],
    [`witness a ${A} https://a.example/\nquorum a\n`, /witness_urls/],
    [`${WITNESSES}group either any a b\nquorum either\n`, /in common/],
    [`${WITNESSES}quorum none\n`, /in common/],
    ["quorum unknown\n", /./],
  ] as const)
    assert.throws(() => readInstancePolicy(text), { code: "WITNESS_POLICY_INVALID", message }, text);
});
