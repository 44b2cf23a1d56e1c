import assert from "node:assert/strict";
import { test } from "node:test";
import { readNpmLock } from "./npm-lock.ts";

const INTEGRITY = `sha512-${"A".repeat(86)}==`;
const ENTRY = { version: "1.0.0", resolved: "https://registry.example/a.tgz", integrity: INTEGRITY };
const lockOf = (packages: object, version = 3): Uint8Array =>
  Buffer.from(JSON.stringify({ lockfileVersion: version, packages: { "": {}, ...packages } }));

test("every package is read with what pins it; those with scripts are named", () => {
  const lock = readNpmLock(
    lockOf({
      "node_modules/a": ENTRY,
      "node_modules/a/node_modules/@x/b": { ...ENTRY, version: "2.0.0", hasInstallScript: true },
      "node_modules/a/node_modules/c": { version: "1.0.0", inBundle: true },
    }),
  );
  assert.deepEqual(
    lock.packages.map(({ name, version, integrity }) => [name, version, integrity]),
    [
      ["a", "1.0.0", INTEGRITY],
      ["@x/b", "2.0.0", INTEGRITY],
    ],
  );
  assert.deepEqual(lock.withScripts, ["a/node_modules/@x/b"]);
});

test("what nothing pins is refused by name", () => {
  const refusals: readonly (readonly [object, RegExp])[] = [
    [{ ...ENTRY, integrity: undefined }, /"a" has no SHA-512/],
    [{ ...ENTRY, integrity: "sha1-AAAA" }, /"a" has no SHA-512/],
    [{ ...ENTRY, resolved: "git+ssh://git@example.org/a.git#1" }, /another place than a registry/],
    [{ ...ENTRY, resolved: "file:../a" }, /another place than a registry/],
    [{ link: true, resolved: "../a" }, /not a package of a registry/],
    [{ version: "1.0.0", integrity: INTEGRITY }, /not a package of a registry/],
  ];
  for (const [entry, message] of refusals)
    assert.throws(() => readNpmLock(lockOf({ "node_modules/a": entry })), { code: "PACKAGE_REFUSED", message });
  assert.throws(() => readNpmLock(lockOf({ "../a": ENTRY })), { code: "PACKAGE_REFUSED", message: /outside/ });
  assert.throws(() => readNpmLock(lockOf({}, 2)), { code: "PACKAGE_REFUSED", message: /npm 9/ });
  const many = Object.fromEntries(Array.from({ length: 5_001 }, (_, at) => [`node_modules/p${at}`, ENTRY]));
  assert.throws(() => readNpmLock(lockOf(many)), { code: "PACKAGE_REFUSED", message: /more than 5000/ });
});
