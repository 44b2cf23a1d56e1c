import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError, type JsonValue } from "@cmcp/boundary";
import {
  answerTo,
  flipped,
  newPasskey,
  requestOf,
  type AssertionChanges,
} from "../../../../approval/src/testing/statements.ts";
import { configurationLines, registering } from "./registering.ts";

const ORIGIN = "http://localhost:4000";
const answer = answerTo(requestOf(), "alice");

/** A registration whose passkey is made, and what the page asks of it. */
async function start(algorithm: "ES256" | "EdDSA" = "ES256") {
  const key = newPasskey(algorithm);
  const { api, registered } = registering("alice", ORIGIN);
  const outcome = registered.then(
    (approver) => ({ approver }),
    (thrown: unknown) => ({ thrown }),
  );
  const post = async (path: string, value: JsonValue) =>
    await api({ method: "POST", path, body: new Uint8Array(Buffer.from(JSON.stringify(value))) });
  const make = async (): Promise<string> => {
    const { challenge } = { ...(await post("passkey", { public_key: key.passkey.public_key })) } as {
      challenge: string;
    };
    return challenge;
  };
  const challenge = await make();
  const signed = (client: AssertionChanges["client"] = {}, more: AssertionChanges = {}) => ({
    ...key.assert(answer, { ...more, client: { challenge, ...client } }),
  });
  return { key, outcome, post, make, challenge, signed };
}

for (const algorithm of ["ES256", "EdDSA"] as const)
  test(`a passkey of ${algorithm} that signs the challenge is the approver's`, async () => {
    const { key, outcome, post, signed, challenge } = await start(algorithm);
    assert.equal(Buffer.from(challenge, "base64url").length, 32);
    const approver = { id: "alice", passkey: key.passkey };
    assert.deepEqual(await post("test", { assertion: signed() }), { lines: configurationLines(approver) });
    assert.deepEqual(await outcome, { approver });
  });

test("a passkey that signs nothing, or something else, ends the registration, and there are no lines", async () => {
  const stranger = newPasskey("ES256");
  for (const [why, check, testOf] of [
    ["refused", undefined, () => null],
    ["no assertion", undefined, () => ({ signature: "AA" })],
    ["too large", undefined, () => "x".repeat(4_000)],
    ["a changed signature", "signature", ({ signed }) => ({ ...signed(), signature: flipped(signed().signature, 9) })],
    ["another passkey", "signature", ({ challenge }) => ({ ...stranger.assert(answer, { client: { challenge } }) })],
    ["an answer", "challenge", ({ key }) => ({ ...key.assert(answer) })],
    ["another page", "origin", ({ signed }) => signed({ origin: "http://localhost:4001" })],
    ["another relying party", "rp-id", ({ signed }) => signed({}, { rpId: "example.org" })],
    ["nobody verified", "user-verified", ({ signed }) => signed({}, { flags: 0x01 })],
  ] as readonly (readonly [string, string | undefined, (started: Awaited<ReturnType<typeof start>>) => JsonValue])[]) {
    const started = await start();
    const isRefused = (thrown: unknown): boolean => {
      assert.ok(thrown instanceof CmcpError && thrown.code === "APPROVAL_PASSKEY_INVALID", why);
      assert.equal(thrown.detail["check"], check, why);
      assert.equal(/was not used/.test(thrown.message), why === "refused", why);
      return true;
    };
    await assert.rejects(started.post("test", { assertion: testOf(started) }), isRefused);
    const { thrown } = { thrown: null, ...(await started.outcome) };
    assert.ok(isRefused(thrown));
    // It is over: neither a sound signature nor another passkey counts.
    await assert.rejects(started.post("test", { assertion: started.signed() }), { code: "APPROVAL_PASSKEY_INVALID" });
    await assert.rejects(started.make(), { code: "APPROVAL_PASSKEY_INVALID" });
  }
});

test("each passkey that is made gets a challenge of its own, and the last one counts", async () => {
  const { post, make, challenge, signed, outcome } = await start();
  const next = await make();
  assert.notEqual(next, challenge);
  await assert.rejects(post("test", { assertion: signed() }), { code: "APPROVAL_PASSKEY_INVALID" });
  assert.ok("thrown" in (await outcome));
});

test("nothing is tested before a passkey is made, and a key of another kind is none", async () => {
  const { api } = registering("alice", ORIGIN);
  const post = async (path: string, text: string) =>
    await api({ method: "POST", path, body: new Uint8Array(Buffer.from(text)) });
  await assert.rejects(post("test", '{"assertion":null}'), { code: "APPROVAL_PASSKEY_INVALID" });
  await assert.rejects(post("passkey", '{"public_key":"AAAA"}'), { code: "APPROVAL_MALFORMED" });
  assert.equal(await post("other", "{}"), null);
});
