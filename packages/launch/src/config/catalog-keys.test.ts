import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { canonicalBytes, untrusted } from "@cmcp/boundary";
import { buildLaunchDocument, parseConfig, parseLaunchDocument, type LaunchDocument } from "../index.ts";

const keyOf = (id: string) => ({
  id,
  ed25519: generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" }).x ?? "",
});
const [alice, bob] = [keyOf("alice"), keyOf("bob")];
const parse = (file: object) => parseConfig(JSON.stringify(file), { env: { CMCP_DEV_MODE: "1" } });
const changes = (keys: readonly object[], approvals: number | null, seconds = 5) => ({
  catalog_reload_interval_seconds: seconds,
  enclave: { catalog_keys: keys, catalog_approvals: approvals },
});

test("who may approve catalogs, and how many must, are measured, and how often the host looks is not", () => {
  const { config, host } = parse(changes([alice, bob], 2));
  assert.deepEqual([config.enclave.catalog_keys, config.enclave.catalog_approvals], [[alice, bob], 2]);
  assert.equal(host.catalog_reload_interval_seconds, 5);
  assert.ok(!("catalog_reload_interval_seconds" in config));
  const none = parse({}).config.enclave;
  assert.deepEqual([none.catalog_keys, none.catalog_approvals], [undefined, undefined]);
});

test("keys that could never approve a catalog, or that are one person's twice, are refused by name", () => {
  const refused: readonly (readonly [object, RegExp])[] = [
    [changes([alice], null), /enclave\.catalog_approvals: says how many/],
    [changes([], 1), /enclave\.catalog_keys: lists no key/],
    [changes([alice, bob], 3), /enclave\.catalog_approvals: is 3, and enclave\.catalog_keys has 2 keys/],
    [changes([alice, bob], 0), /enclave\.catalog_approvals/],
    [changes([alice, { ...bob, id: "alice" }], 1), /duplicate name/],
    [changes([alice, { ...alice, id: "other" }], 1), /two names have one key/],
    [changes([{ ...alice, id: "Alice A" }], 1), /enclave\.catalog_keys/],
    [changes([{ ...alice, ed25519: "AAAA" }], 1), /enclave\.catalog_keys/],
    [
      changes(
        Array.from({ length: 17 }, (_, at) => keyOf(`k${at}`)),
        1,
      ),
      /enclave\.catalog_keys/,
    ],
    [{ catalog_reload_interval_seconds: 5 }, /catalog_reload_interval_seconds: needs enclave\.catalog_keys/],
  ];
  for (const [file, message] of refused) assert.throws(() => parse(file), { code: "CONFIG_INVALID", message });
});

test("a launch document is held to the same, whoever made it", () => {
  const { config } = parse(changes([alice, bob], 2));
  const document: LaunchDocument = {
    v: 1,
    platform: "auto",
    development: true,
    config,
    policy_bundle: {},
    catalog: [],
    pins: {},
    trust_anchors: {},
  };
  assert.deepEqual(parseLaunchDocument(untrusted(buildLaunchDocument(document))), document);
  const more = { ...document, config: { ...config, enclave: { ...config.enclave, catalog_approvals: 3 } } };
  assert.throws(() => parseLaunchDocument(untrusted(canonicalBytes(more))), { code: "CONFIG_INVALID" });
});
