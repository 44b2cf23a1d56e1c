import { hash } from "node:crypto";
import { readdir, rename, rm, writeFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { CmcpError, isJsonObject, parseJson, untrusted, type JsonObject } from "@cmcp/boundary";
import { readAtMost, readSmallFile } from "../read-file.ts";
import { MAX_LOCK_BYTES, readNpmLock } from "./npm-lock.ts";
import { requireSame } from "./required-digest.ts";
import { runProgram, type Program } from "./run-program.ts";
import type { ServerTree, TreePlace } from "./server-tree.ts";

const NPM: Program = {
  program: "npm",
  install: "npx: sources need npm 9 or newer, which comes with Node.js (https://nodejs.org).",
};
const QUIET = [
  "--ignore-scripts",
  "--no-audit",
  "--no-fund",
  "--omit=dev",
  "--no-bin-links",
  "--lockfile-version=3",
  "--omit-lockfile-registry-resolved=false",
  "--loglevel=error",
];
/** First bytes of a script that are looked at. */
const MAX_SCRIPT_BYTES = 64 * 1024 * 1024;

/** A package of npm. */
export interface NpmPackage {
  readonly name: string;
  /** Exact, or a tag; `null` for the newest. */
  readonly version: string | null;
  /** Which of its programs; `null` for the only one, or the one of the package's name. */
  readonly bin: string | null;
  /** SHA-256 that its own archive must have. */
  readonly sha256?: string;
}

async function npm(args: readonly string[], tree: string): Promise<void> {
  const { code, stderr } = await runProgram(NPM, [...args, ...QUIET], tree);
  if (code !== 0)
    throw new CmcpError(
      "PACKAGE_UNAVAILABLE",
      `npm ${args[0] ?? ""} failed: ${stderr === "" ? `exit code ${code}` : stderr}`,
    );
}

/** The script of a package's program, seen from its folder. @throws CmcpError `PACKAGE_REFUSED` */
export function scriptOf(manifest: JsonObject, name: string, bin: string | null): string {
  const refuse = (why: string): never => {
    throw new CmcpError("PACKAGE_REFUSED", `the package ${name} ${why}`);
  };
  const own = name.slice(name.indexOf("/") + 1);
  const { bin: written } = manifest;
  const programs: JsonObject = typeof written === "string" ? { [own]: written } : isJsonObject(written) ? written : {};
  const names = Object.keys(programs);
  const chosen = bin ?? (names.length === 1 ? names[0] : names.find((one) => one === own));
  if (chosen === undefined || !Object.hasOwn(programs, chosen))
    return refuse(
      names.length === 0 ? "has no program to run" : `has the programs ${names.join(", ")}; choose one with --bin`,
    );
  const script = programs[chosen];
  const path = typeof script === "string" ? posix.normalize(script) : "..";
  if (path.startsWith("..") || path.startsWith("/")) return refuse("has a program outside its folder");
  return path;
}

/** @throws CmcpError `PACKAGE_REFUSED` for a program that Node does not run */
async function requireNodeScript(path: string): Promise<void> {
  if (/\.[cm]?js$/.test(path)) return;
  const [first = ""] = Buffer.from(await readAtMost(MAX_SCRIPT_BYTES, path))
    .toString("latin1")
    .split("\n", 1);
  if (!/^#!.*\bnode\b/.test(first)) throw new CmcpError("PACKAGE_REFUSED", `${path} is not a script that Node runs`);
}

/** Gets a package's archive and holds it to a digest. @throws CmcpError `PACKAGE_REFUSED` */
async function requireArchive(what: string, sha256: string, tree: string): Promise<void> {
  await npm(["pack", what, "--pack-destination", "."], tree);
  const [file = ""] = (await readdir(tree)).filter((name) => name.endsWith(".tgz"));
  const path = join(tree, file);
  requireSame(what, hash("sha256", await readAtMost(MAX_SCRIPT_BYTES, path)), sha256);
  await rm(path);
}

/**
 * Installs a package of npm with everything it depends on, each pinned by its integrity, and runs none of their scripts.
 * The lock file stands beside the tree.
 * @throws CmcpError `PROGRAM_MISSING`, `PACKAGE_UNAVAILABLE`, `PACKAGE_REFUSED`
 */
export async function makeNpmTree(
  { name, version, bin, sha256 }: NpmPackage,
  { tree, lock }: TreePlace,
): Promise<ServerTree> {
  if (sha256 !== undefined) await requireArchive(`${name}@${version ?? "latest"}`, sha256, tree);
  const manifest = { private: true, dependencies: { [name]: version ?? "latest" } };
  await writeFile(join(tree, "package.json"), JSON.stringify(manifest));
  await npm(["install", "--package-lock-only"], tree);
  const { packages, withScripts } = readNpmLock(await readAtMost(MAX_LOCK_BYTES, join(tree, "package-lock.json")));
  await npm(["ci"], tree);
  const lockFile = `${lock}.package-lock.json`;
  await rename(join(tree, "package-lock.json"), lockFile);
  await rm(join(tree, "package.json"));
  const folder = join(tree, "node_modules", name);
  const own = parseJson(untrusted(await readSmallFile(join(folder, "package.json"))));
  const script = join(folder, scriptOf(isJsonObject(own) ? own : {}, name, bin));
  await requireNodeScript(script);
  return {
    start: { tree, command: "node", args: [script] },
    packages: packages.toSorted((left, right) => Number(right.name === name) - Number(left.name === name)),
    lockFile,
    notes: withScripts.map((one) => `${one} has scripts for its installation; none was run`),
  };
}
