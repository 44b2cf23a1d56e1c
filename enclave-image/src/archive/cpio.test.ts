import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { writeCpio, type CpioMember } from "./cpio.ts";
import { readCpio } from "./testing/read-cpio.ts";

const member = fc.record({
  path: fc.stringMatching(/^[a-z]{1,8}(\/[a-z]{1,8}){0,3}$/),
  mode: fc.constantFrom(0o444, 0o555),
  data: fc.uint8Array({ maxLength: 40 }),
});
const members = fc
  .uniqueArray(member, { selector: ({ path }) => path, maxLength: 12 })
  .map((all) => all.map(({ path, mode, data }): CpioMember => ({ kind: "file", path, mode, data })));

test("what is written is read again, sorted, owned by root, without a date", () => {
  fc.assert(
    fc.property(members, (files) => {
      const read = readCpio(writeCpio(files));
      assert.deepEqual(
        read.map(({ path }) => path),
        files.map(({ path }) => path).sort(),
      );
      for (const { path, data, mode, owner, time } of read) {
        const file = files.find((each) => each.path === path);
        assert.ok(file?.kind === "file");
        assert.deepEqual(Buffer.from(data), Buffer.from(file.data));
        assert.equal(mode, 0o100000 | file.mode);
        assert.deepEqual([owner, time], [0, 0]);
      }
    }),
  );
});

test("the order in which members are given does not show", () => {
  fc.assert(
    fc.property(members, (files) => {
      assert.deepEqual(writeCpio(files), writeCpio(files.toReversed()));
    }),
  );
});

test("the bytes of a small archive are those of the format", () => {
  const text = Buffer.from(
    writeCpio([
      { kind: "directory", path: "d", mode: 0o555 },
      { kind: "file", path: "d/f", mode: 0o444, data: Buffer.from("xyz") },
    ]),
  ).toString("latin1");
  // inode, mode, uid, gid, links, mtime, size, four of devices, length of the name, check
  const header = (...fields: readonly number[]): string =>
    `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
  const directory = `${header(1, 0o040555, 0, 0, 2, 0, 0, 0, 0, 0, 0, 2, 0)}d\0`;
  const file = `${header(2, 0o100444, 0, 0, 1, 0, 3, 0, 0, 0, 0, 4, 0)}d/f\0\0\0xyz\0`;
  const trailer = `${header(0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 11, 0)}TRAILER!!!\0`;
  const content = `${directory}${file}${trailer}`;
  assert.equal(text, content.padEnd(text.length, "\0"));
  assert.ok(text.length - content.length < 4);
});
