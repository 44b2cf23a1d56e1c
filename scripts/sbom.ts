/** Writes the software bill of materials, CycloneDX 1.6, to out/sbom.cdx.json: equal inputs give equal bytes. */
import { hash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Enums, Models, SPDX, Serialize, Spec } from "@cyclonedx/cyclonedx-library";
import { installedPackages, shippedPackages } from "./installed-packages.ts";
import { lockedPackages } from "./locked-packages.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const DIST = "packages/cli/dist";

function licenceOf(text: string): Models.License {
  if (SPDX.isSupportedSpdxId(text)) return new Models.SpdxLicense(text);
  return /^SEE |^Unknown$/i.test(text) ? new Models.NamedLicense(text) : new Models.LicenseExpression(text);
}

/** A component of the registry: package URL as the purl specification has it for npm. */
function packageComponent(
  key: string,
  integrity: string,
  licence: string | undefined,
  shipped: boolean,
): Models.Component {
  const at = key.lastIndexOf("@");
  const [name, version] = [key.slice(0, at), key.slice(at + 1)];
  const [group, bare] = name.startsWith("@") ? name.split("/") : [undefined, name];
  const purl = `pkg:npm/${group === undefined ? "" : `${encodeURIComponent(group)}/`}${bare}@${encodeURIComponent(version)}`;
  const [, algorithm, base64] = /^(sha512|sha1)-(.+)$/.exec(integrity) ?? [];
  if (algorithm === undefined || base64 === undefined) throw new Error(`${key} has no integrity in the lockfile`);
  const component = new Models.Component(Enums.ComponentType.Library, bare ?? name, {
    ...(group === undefined ? {} : { group }),
    version,
    purl,
    bomRef: purl,
    scope: shipped ? Enums.ComponentScope.Required : Enums.ComponentScope.Excluded,
    hashes: new Models.HashDictionary([
      [
        algorithm === "sha512" ? Enums.HashAlgorithm["SHA-512"] : Enums.HashAlgorithm["SHA-1"],
        Buffer.from(base64, "base64").toString("hex"),
      ],
    ]),
  });
  if (licence !== undefined) component.licenses.add(licenceOf(licence));
  return component;
}

function bundleComponents(): Models.Component[] {
  const files = readdirSync(join(root, DIST), { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return files.map((entry) => {
    const path = join(entry.parentPath, entry.name).slice(join(root, DIST).length + 1);
    const sha256 = hash("sha256", readFileSync(join(root, DIST, path)));
    return new Models.Component(Enums.ComponentType.File, path, {
      bomRef: `file:${path}`,
      hashes: new Models.HashDictionary([[Enums.HashAlgorithm["SHA-256"], sha256]]),
    });
  });
}

/** The bill of materials of what is built and installed now, as JSON text. */
export function makeSbom(): string {
  const { version } = JSON.parse(readFileSync(join(root, "packages/cli/package.json"), "utf8")) as { version: string };
  const product = new Models.Component(Enums.ComponentType.Application, "cli", {
    group: "@cmcp",
    version,
    bomRef: "cmcp",
    purl: `pkg:npm/%40cmcp/cli@${version}`,
  });
  product.licenses.add(new Models.SpdxLicense("MIT"));
  for (const file of bundleComponents()) product.components.add(file);
  const bom = new Models.Bom({ metadata: new Models.Metadata({ component: product }) });
  const licences = new Map(
    installedPackages().map(({ name, version: installed, licence }) => [`${name}@${installed}`, licence]),
  );
  const shipped = shippedPackages();
  for (const [key, integrity] of lockedPackages()) {
    const component = packageComponent(key, integrity, licences.get(key), shipped.has(key));
    if (shipped.has(key)) product.dependencies.add(component.bomRef);
    bom.components.add(component);
  }
  const serializer = new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6));
  return `${serializer.serialize(bom, { sortLists: true, space: 2 })}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const path = join(root, "out/sbom.cdx.json");
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, makeSbom());
  process.stdout.write(`${path}\n`);
}
