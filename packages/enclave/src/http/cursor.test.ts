import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { Cursors } from "./cursor.ts";

test("a cursor leads to its offset, in its own list only", () => {
  const cursors = new Cursors();
  fc.assert(
    fc.property(
      fc.array(fc.string(), { maxLength: 4 }),
      fc.array(fc.string(), { maxLength: 4 }),
      fc.nat({ max: 2 ** 32 - 1 }),
      (context, other, offset) => {
        const cursor = cursors.make(context, offset);
        assert.equal(cursors.read(context, cursor), offset);
        fc.pre(JSON.stringify(context) !== JSON.stringify(other));
        assert.throws(() => cursors.read(other, cursor), { code: "CURSOR_INVALID" });
      },
    ),
  );
});

test("a cursor that was never issued is refused", () => {
  const cursors = new Cursors();
  const given = cursors.make(["list"], 7);
  assert.throws(() => new Cursors().read(["list"], given), { code: "CURSOR_INVALID" });
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.base64String(),
        fc.nat(159).map((bit) => {
          const bytes = Buffer.from(given, "base64url");
          bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          return bytes.toString("base64url");
        }),
      ),
      (cursor) => {
        fc.pre(cursor !== given);
        assert.throws(() => cursors.read(["list"], cursor), { code: "CURSOR_INVALID" });
      },
    ),
  );
});
