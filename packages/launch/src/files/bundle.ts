import { readdir, realpath } from "node:fs/promises";
import { join, sep } from "node:path";
import { CmcpError } from "@cmcp/boundary";
import { isBundlePath, MAX_BUNDLE_FILE, MAX_BUNDLE_FILES } from "../document/schema.ts";
import { readText, unreadable, type FileRole } from "./read.ts";

const ROLE: FileRole = { what: "policy bundle file", code: "POLICY_BUNDLE_INVALID", maxBytes: MAX_BUNDLE_FILE };
const FOLDER = { what: "policy bundle folder", code: "POLICY_BUNDLE_INVALID" } as const;
const MAX_DEPTH = 16;
const MAX_ENTRIES = 4000;

function refuse(path: string, why: string): CmcpError {
  return new CmcpError("POLICY_BUNDLE_INVALID", `${path}: ${why}`, { detail: { file: path } });
}

/** Relative paths of the bundle's files below `root`, which has no symbolic link in it. */
async function listFiles(root: string): Promise<string[]> {
  const found: string[] = [];
  let entries = 0;
  const walk = async (relative: string, depth: number): Promise<void> => {
    const folder = join(root, relative);
    if (depth > MAX_DEPTH) throw refuse(folder, `a policy bundle nests at most ${MAX_DEPTH} folders`);
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      entries += 1;
      if (entries > MAX_ENTRIES) throw refuse(root, `a policy bundle folder holds at most ${MAX_ENTRIES} entries`);
      const path = relative === "" ? entry.name : `${relative}/${entry.name}`;
      if (entry.isDirectory()) await walk(path, depth + 1);
      else if (isBundlePath(path)) found.push(await requireInside(root, path));
    }
  };
  await walk("", 0);
  if (found.length > MAX_BUNDLE_FILES) throw refuse(root, `a policy bundle has at most ${MAX_BUNDLE_FILES} files`);
  return found;
}

/** A link may stand for a file of the bundle, never for one elsewhere. */
async function requireInside(root: string, path: string): Promise<string> {
  const target = await realpath(join(root, path));
  if (!target.startsWith(root + sep))
    throw refuse(join(root, path), "a symbolic link leads out of the policy bundle folder");
  return path;
}

/**
 * Reads a policy bundle folder: manifest.json, schema.cedarschema and every `.cedar` file below it, by
 * relative path. Other files are not part of a bundle.
 * @throws CmcpError `POLICY_BUNDLE_INVALID` naming the path
 */
export async function readBundleFolder(folder: string): Promise<Record<string, string>> {
  let root: string;
  let paths: string[];
  try {
    root = await realpath(folder);
    paths = await listFiles(root);
  } catch (thrown) {
    throw thrown instanceof CmcpError ? thrown : unreadable(FOLDER, folder, thrown);
  }
  const files: Record<string, string> = {};
  for (const path of paths.sort()) files[path] = await readText(join(root, path), ROLE);
  return files;
}
