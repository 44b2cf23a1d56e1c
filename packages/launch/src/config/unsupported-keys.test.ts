import assert from "node:assert/strict";
import { test } from "node:test";
import { configSchema } from "./schema.ts";
import { parseConfig } from "./load.ts";
import { UNSUPPORTED_KEYS } from "./unsupported-keys.ts";
import { memberSchema, schemaHasKey } from "./schema-members.ts";

const parse = (value: unknown): unknown =>
  parseConfig(JSON.stringify(value), { env: { CMCP_DEV_MODE: "1" }, file: "conf.yaml" });
const at = (key: string, value: unknown): unknown =>
  key.split(".").reduceRight<unknown>((inner, step) => ({ [step]: inner }), value);

for (const { key, value, why, code } of UNSUPPORTED_KEYS) {
  if (value !== undefined) {
    test(`${key}: ${value} is refused with its sentence and its code, and no other value`, () => {
      assert.throws(() => parse(at(key, value)), {
        code,
        message: `conf.yaml: ${key}: ${why}`,
        detail: { file: "conf.yaml", key },
      });
      assert.throws(() => parse(at(key, `${value}-not`)), { code: "CONFIG_INVALID" });
      assert.doesNotThrow(() => parse(at(key, null)));
    });
    continue;
  }
  test(`${key} is refused with its sentence and its code, whatever it is set to`, () => {
    for (const value of ["sample", 0, 60, true, false, [], ["a"], { path: "a.json" }, { enabled: true }])
      assert.throws(() => parse(at(key, value)), {
        code,
        message: `conf.yaml: ${key}: ${why}`,
        detail: { file: "conf.yaml", key },
      });
  });

  test(`${key} may stand in a file that asks nothing of it`, () => {
    for (const value of [null, {}, { path: null }, { enabled: false }, { enabled: false, window_seconds: 10 }])
      assert.deepEqual(parse(at(key, value)), parse({}));
  });

  test(`${key} is in this table alone`, () => {
    const steps = key.split(".");
    const section = steps.slice(0, -1).reduce<unknown>((schema, step) => memberSchema(schema, step), configSchema);
    assert.ok(!schemaHasKey(section, steps.at(-1) ?? ""));
  });
}

test("a refused key is named before another that is not known, and what stands beside it is read", () => {
  assert.throws(() => parse({ nonsense: 1, agent_manifest: { path: "a.json" } }), { code: "CONFIG_NOT_SUPPORTED" });
  assert.throws(() => parse({ agent_manifest: { path: null }, attestation: { provider: "sgx" } }), {
    code: "CONFIG_INVALID",
    message: /attestation\.provider/,
  });
  assert.throws(() => parse({ attestation: "sev-snp" }), { code: "CONFIG_INVALID", message: /attestation/ });
});
