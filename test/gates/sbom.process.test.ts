/** The bill of materials: valid, complete, and the same each time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Spec, Validation } from "@cyclonedx/cyclonedx-library";
import { installedPackages, shippedPackages } from "../../scripts/installed-packages.ts";
import { lockedPackages } from "../../scripts/locked-packages.ts";
import { makeSbom } from "../../scripts/sbom.ts";

interface Component {
  readonly group?: string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly scope?: string;
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
  readonly licenses?: readonly object[];
}
interface Sbom {
  readonly serialNumber?: string;
  readonly metadata: { readonly timestamp?: string; readonly component: { readonly components: readonly Component[] } };
  readonly components: readonly Component[];
}

const text = makeSbom();
const sbom = JSON.parse(text) as Sbom;
const keyOf = ({ group, name, version }: Component): string =>
  `${group === undefined ? "" : `${group}/`}${name}@${version}`;

test("it is valid CycloneDX 1.6, strictly, and the validator does refuse", async () => {
  const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot6);
  assert.equal(await validator.validate(text), null);
  assert.notEqual(await validator.validate(JSON.stringify({ ...sbom, surplus: 1 })), null);
});

test("it is the same twice, without a time or a random number", () => {
  assert.equal(makeSbom(), text);
  assert.equal(sbom.serialNumber, undefined);
  assert.equal(sbom.metadata.timestamp, undefined);
});

test("every package of the lockfile stands in it with its integrity, and nothing else", () => {
  const locked = lockedPackages();
  assert.ok(locked.size > 100);
  assert.deepEqual(sbom.components.map(keyOf).toSorted(), [...locked.keys()].toSorted());
  for (const component of sbom.components) {
    const [hash] = component.hashes ?? [];
    assert.equal(
      `${hash?.alg === "SHA-512" ? "sha512" : "sha1"}-${Buffer.from(hash?.content ?? "", "hex").toString("base64")}`,
      locked.get(keyOf(component)),
      keyOf(component),
    );
    assert.match(component.purl, /^pkg:npm\/(%40[^/@]+\/)?[^/@]+@[^@/]+$/);
  }
});

test("every installed package has its licence, and every shipped one is required", () => {
  const byKey = new Map(sbom.components.map((component) => [keyOf(component), component]));
  for (const { name, version } of installedPackages())
    assert.equal(byKey.get(`${name}@${version}`)?.licenses?.length, 1, name);
  const required = sbom.components.filter(({ scope }) => scope === "required").map(keyOf);
  assert.deepEqual(required.toSorted(), [...shippedPackages().keys()].toSorted());
});

test("every shipped file stands in it with its hash", () => {
  const files = sbom.metadata.component.components;
  for (const name of ["cmcp.mjs", "enclave/enclave.cjs", "enclave/policy-worker.cjs", "enclave/cedar_wasm_bg.wasm"])
    assert.ok(
      files.some((file) => file.name === name),
      name,
    );
  for (const { hashes } of files) assert.match(hashes?.[0]?.content ?? "", /^[0-9a-f]{64}$/);
});
