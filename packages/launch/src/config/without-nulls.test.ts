import assert from "node:assert/strict";
import { test } from "node:test";
import * as z from "zod";
import { CmcpError } from "@cmcp/boundary";
import { configSchema, parseConfig } from "../index.ts";
import { unwrapSchema } from "./schema-members.ts";

/** What a file is read as, or how it is refused. */
function outcome(value: unknown): unknown {
  try {
    return parseConfig(typeof value === "string" ? value : JSON.stringify(value), { env: { CMCP_DEV_MODE: "1" } });
  } catch (thrown) {
    assert.ok(thrown instanceof CmcpError);
    return [thrown.code, thrown.message];
  }
}

const at = (path: readonly string[], value: unknown): unknown =>
  path.reduceRight<unknown>((inner, step) => ({ [step]: inner }), value);

/** Every key of the schema that stands in no list and no map of names. */
function keysOf(schema: unknown, path: readonly string[] = []): (readonly string[])[] {
  const inner = unwrapSchema(schema);
  if (!(inner instanceof z.ZodObject)) return [];
  return Object.entries(inner.shape).flatMap(([key, member]) => [[...path, key], ...keysOf(member, [...path, key])]);
}

test("null is as absent for every key there is", () => {
  const keys = keysOf(configSchema);
  assert.ok(keys.length > 50);
  for (const path of keys)
    assert.deepEqual(outcome(at(path, null)), outcome(at(path.slice(0, -1), {})), path.join("."));
});

test("the header of an empty section is as none", () => {
  for (const text of [
    "enclave:\n",
    "catalog:\nattestation:\n",
    "audit_db_path: null\n",
    "enclave: {max_sessions: null}\n",
    "enclave: {stdio: {servers: }}\n",
    "~",
  ]) {
    const stdio = text.includes("stdio") ? { enclave: { stdio: {} } } : {};
    assert.deepEqual(outcome(text), outcome(stdio), text);
  }
});

test("null is as absent in members of lists and of maps too, and what is needed is then missing", () => {
  const key = { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", kid: "k" };
  const issuer = {
    issuer: "https://login.example/",
    audience: ["https://gw.example/mcp"],
    jwks: { keys: [key] },
    algorithms: ["EdDSA"],
    subjects: [{ subject: "x", principal: "default" }],
  };
  const identity = (change: object, keys: object = {}): unknown =>
    outcome({
      enclave: {
        identity: {
          resource: "https://gw.example/mcp",
          jwt: [{ ...issuer, jwks: { keys: [{ ...key, ...keys }] }, ...change }],
        },
      },
    });
  assert.deepEqual(identity({ types: null, clock_skew_seconds: null }), identity({}));
  assert.deepEqual(identity({}, { alg: null }), identity({}));
  assert.match(String(identity({ issuer: null })), /jwt\.0\.issuer/);
  assert.deepEqual(
    outcome({ sensitivity: { vocabulary: { board: 4, gone: null } } }),
    outcome({ sensitivity: { vocabulary: { board: 4 } } }),
  );
  assert.deepEqual(
    outcome({ enclave: { principals: [{ id: "default", workflows: null }] } }),
    outcome({ enclave: { principals: [{ id: "default" }] } }),
  );
  assert.match(String(outcome({ enclave: { workflows: [null] } })), /enclave\.workflows\.0/, "a list has no keys");
});

test("a key that is not known is refused with null as with anything", () => {
  for (const path of [
    ["enclaves"],
    ["constructor"],
    ["enclave", "max_session"],
    ["attestation", "toString"],
    ["enclave", "stdio", "servers", "notes", "memory"],
  ]) {
    assert.match(String(outcome(at(path, null))), /CONFIG_INVALID,.*unknown key/, path.join("."));
  }
  for (const path of [
    ["sensitivity", "vocabulary", "NO LABEL"],
    ["enclave", "stdio", "servers", "notes", "environment", "NO-VARIABLE"],
  ])
    assert.match(String(outcome(at(path, null))), /CONFIG_INVALID/, path.join("."));
  assert.match(String(outcome("__proto__: null\n")), /CONFIG_INVALID,.*unknown key/);
  assert.match(
    String(
      outcome({
        enclave: {
          identity: { resource: "https://gw.example/mcp", jwt: [{ jwks: { keys: [{ kty: "OKP", d: null }] } }] },
        },
      }),
    ),
    /CONFIG_INVALID/,
  );
});
