import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import * as fc from "fast-check";
import { readSecrets } from "../host/read-table.ts";
import { MAX_SECRETS, MAX_SECRETS_BYTES, MAX_SECRET_BYTES, MAX_SECRET_NAME } from "../limits.ts";
import { START_HEAD_BYTES, encodeStart } from "./encode.ts";

const name = fc.stringMatching(/^[A-Z_][A-Z0-9_]{0,12}$/);
const value = fc.string({ unit: "binary", maxLength: 40 }).filter((text) => !text.includes("\0"));
const secrets = fc.dictionary(name, value, { maxKeys: MAX_SECRETS });

test("a start brings its secrets, whole", () => {
  fc.assert(
    fc.property(fc.nat(0xffff), secrets, (index, given) => {
      const bytes = Buffer.from(encodeStart(index, given));
      assert.deepEqual(
        [bytes[0], bytes.readUInt16BE(1), bytes.readUInt32BE(3)],
        [0x53, index, bytes.length - START_HEAD_BYTES],
      );
      assert.deepEqual({ ...readSecrets(bytes.subarray(START_HEAD_BYTES)) }, { ...given });
    }),
  );
});

test("one that is cut, longer or changed is refused, or is within the bounds", () => {
  const bodies = secrets.map((given) => Buffer.from(encodeStart(0, given)).subarray(START_HEAD_BYTES));
  fc.assert(
    fc.property(bodies, fc.nat(), fc.nat(255), (body, at, byte) => {
      const refused = { name: "CmcpError", code: "CONFIG_INVALID" };
      assert.throws(() => readSecrets(body.subarray(0, at % body.length)), refused);
      assert.throws(() => readSecrets(Buffer.concat([body, Uint8Array.of(byte)])), refused);
      const changed = Buffer.from(body);
      changed[at % body.length] = byte;
      try {
        for (const [variable, secret] of Object.entries(readSecrets(changed))) {
          assert.match(variable, /^[A-Z_][A-Z0-9_]*$/);
          assert.ok(!secret.includes("\0"));
        }
      } catch (thrown) {
        assert.ok(thrown instanceof CmcpError && thrown.code === "CONFIG_INVALID", String(thrown));
      }
    }),
  );
});

test("names, lengths and numbers out of bounds are refused by both sides, and no message has a value", () => {
  const many = Object.fromEntries(Array.from({ length: MAX_SECRETS + 1 }, (_, index) => [`N${index}`, "unspoken"]));
  const wrong: readonly Readonly<Record<string, string>>[] = [
    many,
    ...["", "lower", "1A", "A-B", "A B", "Ä", "N".repeat(MAX_SECRET_NAME + 1)].map((bad) => ({ [bad]: "unspoken" })),
    { A: `unspoken${"x".repeat(MAX_SECRET_BYTES)}` },
    { A: "unspoken\0" },
  ];
  const text = (content: string): Buffer => {
    const bytes = Buffer.from(content);
    return Buffer.concat([Uint8Array.of(bytes.length >> 8, bytes.length & 0xff), bytes]);
  };
  const isRefused = (thrown: unknown): boolean =>
    thrown instanceof CmcpError && thrown.code === "CONFIG_INVALID" && !thrown.message.includes("unspoken");
  for (const given of wrong) {
    const listed = Object.entries(given);
    const body = Buffer.concat([Uint8Array.of(0, listed.length), ...listed.map(([key, one]) => text(`${key}=${one}`))]);
    assert.throws(() => encodeStart(0, given), isRefused, JSON.stringify(given).slice(0, 80));
    assert.throws(() => readSecrets(body), isRefused, JSON.stringify(given).slice(0, 80));
  }
  const most = Object.fromEntries(
    Array.from({ length: MAX_SECRETS }, (_, index) => [
      `N${index}`.padEnd(MAX_SECRET_NAME, "_"),
      "x".repeat(MAX_SECRET_BYTES),
    ]),
  );
  assert.equal(encodeStart(0, most).length, START_HEAD_BYTES + MAX_SECRETS_BYTES);
});
