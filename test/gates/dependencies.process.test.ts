/** DEPENDENCIES.md gives a reason for each package that a package.json names, and for no other. */
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../docs/deployment-folder.ts";

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const SPECIFIED =
  "@cedar-policy/cedar-wasm @peculiar/webcrypto canonicalize cbor-x hono pino pnpm tsx undici zod".split(" ");

const manifests = globSync(["package.json", "*/package.json", "packages/*/package.json"], {
  cwd: ROOT,
  exclude: ["node_modules", "out", ".cache"],
}).map((path) => JSON.parse(readFileSync(join(ROOT, path), "utf8")) as Manifest);

/** Packages of a registry with their versions, as `name@version`. */
function named(manifest: Manifest): string[] {
  return [manifest.dependencies, manifest.devDependencies, manifest.optionalDependencies]
    .flatMap((group) => Object.entries(group ?? {}))
    .filter(([, version]) => !version.startsWith("workspace:"))
    .map(([name, version]) => `${name}@${version}`);
}

const nameOf = (id: string): string => id.slice(0, id.lastIndexOf("@"));

/** Names in the tables of the page, by the heading above. */
const sections = new Map(
  readFileSync(join(ROOT, "DEPENDENCIES.md"), "utf8")
    .split(/^## /m)
    .slice(1)
    .map((section) => [
      section.split("\n", 1)[0] ?? "",
      [...section.matchAll(/^\| `([^`]+)` \| [^|]+ \| [^|]+ \|$/gm)].map(([, name = ""]) => name),
    ]),
);
const listed = [...sections.values()].flat();

test("each package has one row, and each row is of a package that is used", () => {
  const used = new Set(manifests.flatMap(named).map(nameOf));
  assert.ok(used.size > 40, String(used.size));
  assert.deepEqual([...listed].sort(), [...used].sort());
});

test("the packages that the product is specified on stand first", () => {
  assert.deepEqual([...sections.keys()][0], "What the product is specified on");
  assert.deepEqual([...(sections.get("What the product is specified on") ?? [])].sort(), SPECIFIED);
});

test("a package has one exact version in the whole repository", () => {
  const ids = [...new Set(manifests.flatMap(named))];
  for (const id of ids) assert.match(id, /@\d+\.\d+\.\d+(?:-[a-z0-9.]+)?$/);
  assert.equal(new Set(ids.map(nameOf)).size, ids.length, ids.join(" "));
});

test("what is for tests, checks and the image's build is no dependency of a package that ships", () => {
  const shipped = globSync(["packages/*/package.json", "host-proxy/package.json", "attestation/package.json"], {
    cwd: ROOT,
  }).flatMap((path) =>
    Object.keys((JSON.parse(readFileSync(join(ROOT, path), "utf8")) as Manifest).dependencies ?? {}),
  );
  const apart = ["For the image's build", "For building and checking", "Others' implementations, in tests"].flatMap(
    (heading) => sections.get(heading) ?? [],
  );
  assert.ok(apart.length > 20, apart.join());
  assert.deepEqual(
    [...apart, "@peculiar/webcrypto", "canonicalize", "tsx"].filter((name) => shipped.includes(name)),
    [],
  );
});
