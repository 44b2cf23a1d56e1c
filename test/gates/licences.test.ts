/** What may be installed, and what may be shipped, by its licence. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { installedPackages, shippedPackages } from "../../scripts/installed-packages.ts";

const SHIPPED: ReadonlySet<string> = new Set(["MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "0BSD"]);
/** Permissive too, or free as files, but for tools that are not shipped. */
const TOOLS: ReadonlySet<string> = new Set([
  ...SHIPPED,
  "Artistic-2.0",
  "BlueOak-1.0.0",
  "CC0-1.0",
  "CC-BY-3.0",
  "MPL-2.0",
  "Python-2.0",
  "WTFPL",
  "Zlib",
]);
/** Packages that name no licence in their manifest; only tests run them, and nothing of them is shipped. */
const UNNAMED: ReadonlySet<string> = new Set([
  "@modelcontextprotocol/server-everything",
  "@modelcontextprotocol/server-filesystem",
  "@modelcontextprotocol/server-memory",
]);

/** Whether an SPDX expression of names, AND and OR can be met with the allowed licences alone. */
function isAllowed(expression: string, allowed: ReadonlySet<string>): boolean {
  const text = expression.trim().replace(/^\((.*)\)$/, "$1");
  if (/[()]/.test(text)) return false;
  return text.split(" OR ").some((choice) => choice.split(" AND ").every((name) => allowed.has(name.trim())));
}

test("what is shipped is permissively licensed", () => {
  const shipped = shippedPackages();
  assert.ok(
    shipped.has("zod@4.6.7") || [...shipped.keys()].some((key) => key.startsWith("zod@")),
    "the notices were read",
  );
  assert.deepEqual(
    [...shipped].filter(([, licence]) => !isAllowed(licence, SHIPPED)),
    [],
  );
});

test("what is installed is on the list", () => {
  const installed = installedPackages();
  assert.ok(installed.length > 100, "the packages were listed");
  assert.deepEqual(
    installed.filter(({ name, licence }) => !UNNAMED.has(name) && !isAllowed(licence, TOOLS)),
    [],
  );
});

test("a licence that is not on the list is refused, and a choice needs one that is", () => {
  for (const licence of [
    "GPL-3.0-or-later",
    "AGPL-3.0",
    "MIT AND GPL-2.0",
    "(MIT AND (GPL-2.0 OR MIT))",
    "UNLICENSED",
    "Unknown",
    "SEE LICENSE IN x",
    "",
    "Artistic-2.0",
  ])
    assert.equal(isAllowed(licence, SHIPPED), false, licence);
  for (const licence of ["MIT", "(MIT OR GPL-3.0-or-later)", "MIT AND ISC"])
    assert.equal(isAllowed(licence, SHIPPED), true, licence);
});
