import assert from "node:assert/strict";
import { test } from "node:test";
import { untrusted, type Untrusted } from "@cmcp/boundary";
import type { JwtHeader } from "../jwt/header.ts";
import { KEY_FETCH_INTERVAL_MS, KEY_RETRY_INTERVAL_MS, MAX_WAITING_FOR_KEYS } from "../limits.ts";
import { ISSUER, publicJwk, testKey, type TestKey } from "../testing/issuer.ts";
import { RemoteKeys } from "./remote-keys.ts";

const REFRESH_MS = 100_000;
const MAX_AGE_MS = 400_000;
const [OLD, NEW] = [testKey("ES256", "old"), testKey("ES256", "new")];
const naming = (kid: string | null): JwtHeader => ({ alg: "ES256", typ: "at+jwt", kid });
const setOf = (...keys: readonly TestKey[]): Untrusted<Uint8Array> =>
  untrusted(Buffer.from(JSON.stringify({ keys: keys.map(publicJwk) })));

/** An issuer whose answer the test sets, and a clock. */
function scene() {
  let now = 0;
  let answer: () => Promise<Untrusted<Uint8Array>> = async () => await Promise.resolve(setOf(OLD));
  let fetches = 0;
  const keys = new RemoteKeys({
    issuer: ISSUER,
    algorithms: ["ES256"],
    refreshMs: REFRESH_MS,
    maxAgeMs: MAX_AGE_MS,
    fetch: async () => {
      fetches += 1;
      return await answer();
    },
    now: () => now,
  });
  /** `null` if the key was found, else why not. */
  const ask = async (kid: string | null): Promise<unknown> =>
    await keys.select(naming(kid)).then(
      () => null,
      ({ code, detail }: { code: string; detail: Record<string, unknown> }) => [
        code,
        detail["reason"] ?? detail["keys"],
      ],
    );
  return {
    keys,
    ask,
    fetches: () => fetches,
    at: (ms: number) => void (now = ms),
    serves: (...served: readonly TestKey[]) => void (answer = async () => await Promise.resolve(setOf(...served))),
    answers: (given: typeof answer) => void (answer = given),
    settled: async () => await new Promise((resolve) => setImmediate(resolve)),
  };
}

const UNKNOWN = ["UNAUTHENTICATED", "key"];
const fails = async (): Promise<never> => await Promise.reject(new Error("out of reach"));

test("keys are fetched when a token first needs them, and serve until they are old", async () => {
  const { ask, fetches, at, keys } = scene();
  assert.equal(fetches(), 0);
  assert.deepEqual([await ask("old"), await ask("old"), await ask(null)], [null, null, null]);
  at(REFRESH_MS - 1);
  assert.equal(await ask("old"), null);
  assert.equal(fetches(), 1);
  assert.match((await keys.select(naming("old"))).keySet ?? "", /^sha256:/);
});

test("a key that the issuer adds is found by the token that names it first", async () => {
  const { ask, fetches, at, serves } = scene();
  assert.equal(await ask("old"), null);
  serves(OLD, NEW);
  at(KEY_FETCH_INTERVAL_MS);
  assert.deepEqual([await ask("new"), await ask("old")], [null, null]);
  assert.equal(fetches(), 2);
});

test("a key that the issuer takes back stops verifying: at the refresh, or at the bound", async () => {
  const { ask, at, serves, settled } = scene();
  assert.equal(await ask("old"), null);
  serves(NEW);
  at(REFRESH_MS);
  assert.equal(await ask("old"), null, "the one that finds the keys old does not wait");
  await settled();
  assert.deepEqual([await ask("old"), await ask("new")], [UNKNOWN, null]);

  const idle = scene();
  assert.equal(await idle.ask("old"), null);
  idle.serves(NEW);
  idle.at(MAX_AGE_MS);
  assert.deepEqual(await idle.ask("old"), UNKNOWN, "no token counts under keys that have reached the bound");
});

test("any number of unknown kids costs one fetch in an interval, and known ones go on", async () => {
  const { ask, fetches, at } = scene();
  assert.equal(await ask("old"), null);
  for (let round = 1; round <= 3; round += 1) {
    at(round * KEY_FETCH_INTERVAL_MS);
    const flood = Array.from({ length: 500 }, async (_, index) => await ask(`${round}-${index}`));
    assert.equal(await ask("old"), null);
    for (const answer of await Promise.all(flood)) assert.deepEqual(answer, UNKNOWN);
    assert.equal(fetches(), 1 + round);
  }
});

test("while a fetch hangs, known keys verify at once and a bounded number of requests waits", async () => {
  const { ask, at, answers, fetches } = scene();
  assert.equal(await ask("old"), null);
  at(KEY_FETCH_INTERVAL_MS);
  const hanging = Promise.withResolvers<Untrusted<Uint8Array>>();
  answers(async () => await hanging.promise);
  let answered = 0;
  const flood = Array.from({ length: 500 }, async () => {
    await ask("unknown");
    answered += 1;
  });
  assert.equal(await ask("old"), null);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(answered, 500 - MAX_WAITING_FOR_KEYS);
  hanging.resolve(setOf(OLD));
  await Promise.all(flood);
  assert.equal(fetches(), 2);
});

test("a fetch that fails leaves the keys until their bound, and then nothing is verified", async () => {
  const { ask, at, answers, serves, keys, settled } = scene();
  assert.equal(await ask("old"), null);
  answers(fails);
  at(MAX_AGE_MS - 1);
  assert.equal(await ask("old"), null);
  await settled();
  assert.match(keys.state.failure ?? "", /cannot be fetched/);
  at(MAX_AGE_MS);
  assert.deepEqual(await ask("old"), ["ISSUER_KEYS_UNAVAILABLE", "fetch"]);
  serves(OLD);
  at(MAX_AGE_MS + KEY_RETRY_INTERVAL_MS);
  assert.equal(await ask("old"), null, "it comes back with the issuer");
  assert.equal(keys.state.failure, null);
});

test("after a failure the next fetch waits for its interval", async () => {
  const { ask, at, answers, fetches } = scene();
  answers(fails);
  for (let index = 0; index < 20; index += 1) assert.deepEqual(await ask("old"), ["ISSUER_KEYS_UNAVAILABLE", "fetch"]);
  assert.equal(fetches(), 1);
  at(KEY_RETRY_INTERVAL_MS);
  await ask("old");
  assert.equal(fetches(), 2);
});

test("a set that is refused does not replace one that was taken, and status says why", async () => {
  const { ask, at, answers, keys, settled } = scene();
  assert.equal(await ask("old"), null);
  const leaked = { ...NEW.privateKey.export({ format: "jwk" }), kid: "new" };
  answers(async () => await Promise.resolve(untrusted(Buffer.from(JSON.stringify({ keys: [leaked] })))));
  at(REFRESH_MS);
  await ask("old");
  await settled();
  assert.deepEqual([await ask("old"), await ask("new")], [null, UNKNOWN]);
  assert.match(keys.state.failure ?? "", /private or shared key/);
  assert.deepEqual([keys.state.set?.keys, keys.state.set?.ageMs], [1, REFRESH_MS]);
});
