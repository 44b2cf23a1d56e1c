import assert from "node:assert/strict";
import { test } from "node:test";
import { parseEfiVariable } from "./efi-variable.ts";

/** UEFI_VARIABLE_DATA: vendor, number of UTF-16 units, length of the data, name, data. */
function variable(name: string, data: Uint8Array, units = name.length, length = data.length): Uint8Array {
  const header = Buffer.from("61dfe48bca93d211aa0d00e098032b8c", "hex");
  const sizes = Buffer.alloc(16);
  sizes.writeBigUInt64LE(BigInt(units));
  sizes.writeBigUInt64LE(BigInt(length), 8);
  return new Uint8Array(Buffer.concat([header, sizes, Buffer.from(name, "utf16le"), data]));
}
const refused = (bytes: Uint8Array, message: RegExp): void =>
  assert.throws(() => parseEfiVariable(bytes), { code: "EVIDENCE_MALFORMED", message });

test("a variable is its vendor, name and data", () => {
  assert.deepEqual(parseEfiVariable(variable("SecureBoot", Uint8Array.of(1, 2))), {
    vendor: "8be4df61-93ca-11d2-aa0d-00e098032b8c",
    name: "SecureBoot",
    data: Uint8Array.of(1, 2),
  });
  assert.deepEqual(parseEfiVariable(variable("", new Uint8Array())).name, "");
});

test("a name has at most 512 units, and name and data fill the event", () => {
  assert.equal(parseEfiVariable(variable("x".repeat(512), Uint8Array.of(1))).name.length, 512);
  refused(variable("x".repeat(513), Uint8Array.of(1)), /name is too long/);
  refused(variable("a", Uint8Array.of(1), 1, 2), /data is longer than the event/);
  refused(variable("a", Uint8Array.of(1), 2), /data is longer|truncated/);
  refused(variable("a", Uint8Array.of(1, 2), 1, 1), /bytes too many/);
  refused(variable("a", new Uint8Array()).subarray(0, 31), /truncated/);
});
