import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "@cmcp/boundary";
import { buildLog } from "../event-log/testing/build-log.ts";
import { issue } from "../testing/authority.ts";
import { describeAttestationKey, describeTpmEvidence } from "./describe.ts";
import type { TpmEvidence } from "./evidence.ts";
import { ATTESTATION_KEY_ATTRIBUTES, sampleAttest, sampleKey, samplePublicArea } from "./testing/sample-quote.ts";

const shown = (evidence: Partial<TpmEvidence>): readonly (readonly [string, string])[] =>
  describeTpmEvidence(evidence).map(({ label, value }) => [label, value]);

test("evidence is shown part by part", async () => {
  const key = sampleKey("ecdsa");
  const { der } = await issue({ subject: "CN=key" });
  const quote = sampleAttest({
    extraData: Buffer.of(0xab),
    clock: 5n,
    restartCount: 2,
    selections: [
      [0x0b, [0, 7]],
      [0x0c, []],
      [0x99, [1]],
    ],
    pcrDigest: Buffer.alloc(32, 9),
  });
  const registers = new Map([
    [0x0b, new Map([[7, Uint8Array.of(1, 2)]])],
    [0x99, new Map([[0, Uint8Array.of(3)]])],
  ]);
  const eventLog = buildLog([{ register: 7, type: 3, data: "a" }]);
  assert.deepEqual(
    shown({ quote, signature: Uint8Array.of(4), attestationKey: key.spki, certificates: [der], registers, eventLog }),
    [
      ["qualifying data", "ab"],
      ["clock", "5 ms, 3 resets, 2 restarts, safe"],
      ["firmware version", "02".repeat(8)],
      ["quoted PCRs sha256", "0 7"],
      ["quoted PCRs sha384", "none"],
      ["quoted PCRs 0x0099", "1"],
      ["digest over the PCRs", "09".repeat(32)],
      ["qualified signer", "07".repeat(34)],
      ["signature", "04"],
      ["attestation key", "P-256, a bare public key"],
      ["public key", toHex(key.spki)],
      ["certificate", "CN=key, issued by CN=key, 2025-01-01T00:00:00.000Z to 2027-01-01T00:00:00.000Z"],
      ["PCR 7 sha256, as given", "0102"],
      ["PCR 0 0x0099, as given", "03"],
      ["event log", "1 events, digests sha256"],
      ["0 PCR 7 EV_NO_ACTION", "a"],
    ],
  );
});

test("what is not there is said or left out, and what cannot be read says why", () => {
  assert.deepEqual(shown({}), [["signature", "none"]]);
  const unsafe = new Map(shown({ quote: sampleAttest({ safe: 0 }) }));
  assert.equal(unsafe.get("clock"), "1000 ms, 3 resets, 0 restarts, not safe");
  assert.equal(unsafe.get("qualifying data"), "none");
  const junk = Uint8Array.of(1);
  for (const [label, value] of shown({ quote: junk, attestationKey: junk, certificates: [junk], eventLog: junk }))
    assert.match(value, label === "signature" ? /^none$/ : /^unreadable: /, label);
});

test("an attestation key is shown with what its TPM lets it do", () => {
  const rsa = sampleKey("rsassa");
  const [kind, spki] = describeAttestationKey(samplePublicArea(rsa, ATTESTATION_KEY_ATTRIBUTES));
  assert.deepEqual(kind, {
    label: "attestation key",
    value: "RSA 2048, fixedTpm, fixedParent, sensitiveDataOrigin, restricted, sign",
  });
  assert.deepEqual(spki, { label: "public key", value: toHex(rsa.spki) });
});
