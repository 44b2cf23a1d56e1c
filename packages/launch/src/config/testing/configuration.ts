import assert from "node:assert/strict";
import { CmcpError } from "@cmcp/boundary";
import { parseConfig, type Environment } from "../../index.ts";

export const DEVELOPMENT: Environment = { CMCP_DEV_MODE: "1" };
/** Reads a configuration. */
export const parse = (text: string, env: Environment = DEVELOPMENT): ReturnType<typeof parseConfig> =>
  parseConfig(text, { env, file: "conf.yaml" });
/** The public key of RFC 8037 appendix A.2. */
export const KEY = { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", kid: "k" };
/** The section of principals that come with JWTs. */
export const IDENTITY = {
  resource: "https://gw.example/mcp",
  jwt: [
    {
      issuer: "https://login.example/",
      audience: ["https://gw.example/mcp"],
      jwks: { keys: [KEY] },
      algorithms: ["EdDSA"],
      subjects: [{ subject: "x", principal: "billing" }],
    },
  ],
};
/** Asserts that a configuration is refused with this code and message. */
export const refused = (text: string, code: string, message: RegExp, env: Environment = DEVELOPMENT): void => {
  assert.throws(
    () => parse(text, env),
    (thrown) => thrown instanceof CmcpError && thrown.code === code && message.test(thrown.message),
    `${JSON.stringify(text)} should be ${code} ${String(message)}`,
  );
};
