import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { LOCK_PATH, packageNamed, packagesOf, readLock } from "./lock.ts";
import { configuredMirrors, sourcesOf } from "./sources.ts";

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "cmcp-lock-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test("the lock file names every input once, each with a reason and a hash of its own", () => {
  const { packages } = readLock();
  const names = packages.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  assert.equal(new Set(packages.map(({ sha256 }) => sha256)).size, packages.length);
  for (const group of ["kernel", "firmware", "stub", "runtime", "toolchain", "emulator"] as const)
    assert.ok(packagesOf(readLock(), group).length > 0, group);
  assert.match(packageNamed(readLock(), "linux-image-cloud-amd64").name, /^linux-image-[\d.]+\S*-cloud-amd64$/);
  assert.throws(() => packageNamed(readLock(), "bash"), { code: "IMAGE_INPUT_INVALID" });
});

test("the image's Node is the one pnpm's lock file pins", () => {
  const { node } = readLock();
  const pnpm = readFileSync(new URL("../../../pnpm-lock.yaml", import.meta.url), "utf8");
  assert.ok(pnpm.includes(`  ${node.name}@${node.version}:\n    resolution: {integrity: ${node.integrity}}`));
});

test("a lock file that is not one is refused with the place", (t) => {
  const path = join(folder(t), "lock.json");
  const whole = JSON.parse(readFileSync(LOCK_PATH, "utf8")) as { packages: Record<string, unknown>[] };
  const [first] = whole.packages;
  const wrong: Readonly<Record<string, unknown>> = {
    "no JSON": undefined,
    "an unknown key": { ...whole, extra: 1 },
    "another version": { ...whole, version: 2 },
    "a short hash": { ...whole, packages: [{ ...first, sha256: "abc" }] },
    "a path that leaves the archive": { ...whole, packages: [{ ...first, path: "pool/../../x.deb" }] },
    "a path elsewhere": { ...whole, packages: [{ ...first, path: "http://example.org/x.deb" }] },
    "no reason": { ...whole, packages: [{ ...first, why: "" }] },
  };
  for (const [what, value] of Object.entries(wrong)) {
    writeFileSync(path, value === undefined ? "{" : JSON.stringify(value));
    assert.throws(() => readLock(path), { code: "IMAGE_INPUT_INVALID" }, what);
  }
  assert.throws(() => readLock(join(path, "nowhere")), { code: "IMAGE_INPUT_INVALID" });
});

test("the machine's own mirror comes first, the snapshot archive last", (t) => {
  const apt = folder(t);
  mkdirSync(join(apt, "sources.list.d"));
  writeFileSync(
    join(apt, "sources.list"),
    "# deb http://comment.example/debian trixie main\ndeb [signed-by=/k] http://old.example/debian/ bookworm main\n",
  );
  writeFileSync(
    join(apt, "sources.list.d/a.sources"),
    "Types: deb\nURIs: https://mirror.example/debian https://mirror.example/debian-security\nSuites: trixie\n",
  );
  writeFileSync(join(apt, "sources.list.d/b.sources.disabled"), "URIs: https://never.example/debian\n");
  const mirrors = configuredMirrors(apt);
  assert.deepEqual(mirrors, [
    "http://old.example/debian",
    "https://mirror.example/debian",
    "https://mirror.example/debian-security",
  ]);
  assert.deepEqual(configuredMirrors(join(apt, "nowhere")), []);

  const lock = { ...readLock(), snapshot: "20260102T030405Z" };
  const entry = { ...packageNamed(lock, "libc6"), archive: "debian-security", path: "pool/x.deb" } as const;
  assert.deepEqual(sourcesOf(entry, lock, mirrors), [
    "https://mirror.example/debian-security/pool/x.deb",
    "http://deb.debian.org/debian-security/pool/x.deb",
    "https://snapshot.debian.org/archive/debian-security/20260102T030405Z/pool/x.deb",
  ]);
  assert.equal(sourcesOf(entry, lock, ["http://deb.debian.org/debian-security"]).length, 2, "each source once");
});
