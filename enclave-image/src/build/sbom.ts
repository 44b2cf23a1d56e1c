import { hash } from "node:crypto";
import { canonicalText, type JsonObject } from "@cmcp/boundary";
import type { CpioMember } from "../archive/cpio.ts";
import type { InputLock, LockedPackage } from "../lock/lock.ts";
import type { BundledPackage } from "./bundled-packages.ts";

const SHA256 = "SHA-256";

/**
 * The bill of materials of an image, CycloneDX 1.6. Packages whose bytes are in the image, or in its scripts, are
 * required; those it was built with are excluded. Every file in it has its hash. Equal builds give equal text.
 */
export function imageSbom(lock: InputLock, bundled: readonly BundledPackage[], members: readonly CpioMember[]): string {
  const packages = lock.packages
    .filter(({ group }) => group !== "emulator")
    .map((entry) => debianComponent(entry, lock.snapshot));
  const files = members.flatMap((member) => (member.kind === "file" ? [fileComponent(member.path, member.data)] : []));
  return `${canonicalText({
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: { component: { type: "operating-system", name: "cmcp-enclave-image", "bom-ref": "image" } },
    components: [...packages, nodeComponent(lock.node), ...bundled.map(bundledComponent), ...files],
    dependencies: [
      {
        ref: "image",
        dependsOn: [
          ...lock.packages.filter(isShipped).map(packageReference),
          ...[lock.node, ...bundled].map(npmReference),
        ],
      },
    ],
  })}\n`;
}

function isShipped({ group }: LockedPackage): boolean {
  return group !== "toolchain" && group !== "emulator";
}

/** Package URL as the purl specification has it for Debian. */
function packageReference({ name, version }: LockedPackage): string {
  return `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}`;
}

function debianComponent(entry: LockedPackage, snapshot: string): JsonObject {
  return {
    type: entry.group === "kernel" || entry.group === "firmware" ? "firmware" : "library",
    "bom-ref": packageReference(entry),
    purl: packageReference(entry),
    name: entry.name,
    version: entry.version,
    description: entry.why,
    scope: isShipped(entry) ? "required" : "excluded",
    hashes: [{ alg: SHA256, content: entry.sha256 }],
    externalReferences: [
      { type: "distribution", url: `https://snapshot.debian.org/archive/${entry.archive}/${snapshot}/${entry.path}` },
    ],
  };
}

/** Package URL as the purl specification has it for npm. */
function npmReference({ name, version }: Pick<BundledPackage, "name" | "version">): string {
  return `pkg:npm/${name.replace("@", "%40")}@${encodeURIComponent(version)}`;
}

function npmComponent(type: "platform" | "library", entry: Omit<BundledPackage, "licence">): JsonObject {
  const [scope, bare] = entry.name.startsWith("@") ? entry.name.split("/") : [];
  const sha512 = Buffer.from(entry.integrity.slice("sha512-".length), "base64").toString("hex");
  return {
    type,
    "bom-ref": npmReference(entry),
    purl: npmReference(entry),
    ...(scope === undefined ? {} : { group: scope }),
    name: bare ?? entry.name,
    version: entry.version,
    scope: "required",
    hashes: [{ alg: "SHA-512", content: sha512 }],
  };
}

function nodeComponent(node: InputLock["node"]): JsonObject {
  return npmComponent("platform", node);
}

function bundledComponent(entry: BundledPackage): JsonObject {
  // One name of SPDX's list, or an expression over several.
  const licence = /^[A-Za-z0-9.+-]+$/.test(entry.licence)
    ? { license: { id: entry.licence } }
    : { expression: entry.licence };
  return { ...npmComponent("library", entry), licenses: [licence] };
}

function fileComponent(path: string, data: Uint8Array): JsonObject {
  return {
    type: "file",
    "bom-ref": `file:${path}`,
    name: `/${path}`,
    hashes: [{ alg: SHA256, content: hash("sha256", data) }],
  };
}
