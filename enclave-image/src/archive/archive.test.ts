import assert from "node:assert/strict";
import { existsSync, lstatSync, mkdtempSync, readFileSync, readlinkSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import { CmcpError } from "@cmcp/boundary";
import * as fc from "fast-check";
import { readAr } from "./ar.ts";
import { readDeb } from "./deb.ts";
import { readTar, type TarEntry } from "./tar.ts";
import { sample } from "./testing/samples.ts";
import { unpack } from "./unpack.ts";
import { unxz } from "./xz/unxz.ts";

const tar = unxz(sample("a tar archive"), 64 * 1024);

/** An `ar` archive as ar(5) describes it. */
function ar(members: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const parts: Uint8Array[] = [Buffer.from("!<arch>\n")];
  for (const [name, data] of Object.entries(members)) {
    const header = `${name.padEnd(16)}${"0".padEnd(12)}${"0".padEnd(6)}${"0".padEnd(6)}${"100644".padEnd(8)}${String(data.length).padEnd(10)}\`\n`;
    parts.push(Buffer.from(header, "latin1"), data, Buffer.from(data.length % 2 === 0 ? "" : "\n"));
  }
  return new Uint8Array(Buffer.concat(parts));
}

function entry(entries: readonly TarEntry[], path: string): TarEntry {
  const found = entries.find((each) => each.path === path);
  assert.ok(found, `${path} is in the archive`);
  return found;
}

test("files, folders and links of GNU tar, long names included", () => {
  const entries = readTar(tar);
  const a = entry(entries, "dir/a");
  assert.ok(a.kind === "file");
  assert.equal(Buffer.from(a.data).toString(), "hello");
  const b = entry(entries, "dir/sub/b");
  assert.ok(b.kind === "file" && b.mode === 0o755 && b.data.length === 700);
  assert.deepEqual(entry(entries, "dir/link"), { kind: "symlink", path: "dir/link", target: "a" });
  assert.deepEqual(entry(entries, "dir/hard"), { kind: "hardlink", path: "dir/hard", target: "dir/a" });
  assert.equal(entry(entries, "dir").kind, "directory");
  assert.ok(entries.some(({ path }) => path === `dir/${"long".repeat(40)}`));
  assert.equal(entries.length, 7);
});

test("a package is unpacked into a folder, a later entry over an earlier one", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "cmcp-unpack-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  unpack(
    readDeb(
      ar({
        "debian-binary": Buffer.from("2.0\n"),
        "control.tar.xz": new Uint8Array(3),
        "data.tar.xz": sample("a tar archive"),
      }),
    ),
    folder,
  );
  assert.equal(readFileSync(join(folder, "dir/a"), "utf8"), "hello");
  assert.equal(readlinkSync(join(folder, "dir/link")), "a");
  assert.equal(statSync(join(folder, "dir/sub/b")).mode & 0o777, 0o755);
  assert.equal(statSync(join(folder, "dir/hard")).ino, statSync(join(folder, "dir/a")).ino);
  unpack([{ kind: "file", path: "dir/link", mode: 0o644, data: Buffer.from("other") }], folder);
  assert.ok(lstatSync(join(folder, "dir/link")).isFile());
  assert.equal(readFileSync(join(folder, "dir/a"), "utf8"), "hello", "a link is replaced, not followed");
});

test("a package compressed with zstd", () => {
  assert.equal(readDeb(ar({ "data.tar.zst": zstdCompressSync(tar) })).length, 7);
});

test("what is no package, or has another compression, is refused", () => {
  assert.throws(() => readDeb(new Uint8Array(Buffer.from("PK\u0003\u0004"))), { code: "IMAGE_INPUT_INVALID" });
  assert.throws(() => readDeb(ar({ "data.tar.lzma": new Uint8Array(4) })), { code: "IMAGE_INPUT_INVALID" });
  assert.throws(() => readAr(ar({ a: new Uint8Array(100) }).subarray(0, 100)), { code: "IMAGE_INPUT_INVALID" });
});

/** The archive with the header of its first member changed and its checksum made right again. */
function withHeader(change: (header: Buffer) => void): Uint8Array {
  const bytes = Buffer.from(tar);
  const header = bytes.subarray(0, 512);
  change(header);
  header.fill(" ", 148, 156);
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, "0")}\0 `,
    148,
  );
  return bytes;
}

test("a name that leaves the archive, and a device, are refused", () => {
  for (const name of ["/etc/passwd", "../up", "a/../../b"])
    assert.throws(
      () => readTar(withHeader((header) => header.write(`${name}\0`, 0))),
      { code: "IMAGE_INPUT_INVALID", message: /leaves/ },
      name,
    );
  assert.throws(() => readTar(withHeader((header) => header.write("3", 156))), {
    code: "IMAGE_INPUT_INVALID",
    message: /neither/,
  });
  assert.throws(() => readTar(withHeader((header) => header.write("77777777777\0", 124))), {
    code: "IMAGE_INPUT_INVALID",
    message: /ends early/,
  });
  assert.throws(() => readTar(tar.subarray(0, 512)), { code: "IMAGE_INPUT_INVALID", message: /end is missing/ });
});

test("damaged archives end in an error or in entries inside the folder, never in anything else", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(tar.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }), (damages) => {
      const bytes = Uint8Array.from(tar);
      for (const [at, value] of damages) bytes[at] = value;
      try {
        for (const { path } of readTar(bytes)) assert.ok(!path.startsWith("/") && !path.split("/").includes(".."));
      } catch (thrown) {
        assert.ok(thrown instanceof CmcpError, String(thrown));
      }
    }),
  );
  assert.equal(existsSync("/dir"), false);
});
