import assert from "node:assert/strict";
import { CmcpError } from "@cmcp/boundary";
import { NOW, settings, testKey, type TestKey } from "./issuer.ts";
import { ALGORITHMS } from "../jwt/algorithms.ts";
import { JwtAuthenticator } from "../jwt/authenticator.ts";

/** A key of each algorithm. */
export const KEYS = ALGORITHMS.map((alg) => testKey(alg));
export const [EDDSA, ES256, , RS256, PS256] = KEYS as [TestKey, TestKey, TestKey, TestKey, TestKey];

/** An authenticator that lets in tokens of these keys. */
export async function authenticator(
  keys: readonly TestKey[] = KEYS,
  rest: Record<string, unknown> = {},
  now: () => number = () => NOW,
): Promise<JwtAuthenticator> {
  return await JwtAuthenticator.of(settings(keys, rest), now);
}

/** The reason a token is refused with. */
export async function refused(jwt: JwtAuthenticator, what: string, because: string): Promise<void> {
  await assert.rejects(
    jwt.authenticate(what),
    (thrown) => {
      assert.ok(thrown instanceof CmcpError, String(thrown));
      assert.equal(thrown.code, "UNAUTHENTICATED");
      assert.equal(thrown.detail.reason, because);
      return true;
    },
    because,
  );
}
