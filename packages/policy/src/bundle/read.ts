import { CmcpError, type JsonObject } from "@cmcp/boundary";
import { bundleHash } from "./hash.ts";
import type { HistoryDeclaration } from "./history.ts";
import { MAX_BUNDLE_LENGTH, MAX_FILES, MAX_FILE_LENGTH, MAX_PATH_LENGTH } from "./limits.ts";
import { readManifest } from "./manifest.ts";

/** A bundle folder's files: relative path with `/` to text. */
export type BundleFiles = Readonly<Record<string, string>>;

/** A policy bundle whose parts are present and hashed; its policies are not parsed yet. */
export interface PolicyBundle {
  /** See {@link bundleHash}. */
  readonly hash: string;
  readonly version: string;
  /** manifest.json in full, `signature` included. */
  readonly manifest: JsonObject;
  /** What is counted of a principal for rules to read: `history` of manifest.json. */
  readonly history: readonly HistoryDeclaration[];
  /** `*.cedar` files at any depth, by relative path, in path order. */
  readonly cedarFiles: ReadonlyMap<string, string>;
  /** Text of `schema.cedarschema`. */
  readonly schemaText: string;
}

function refuse(why: string): never {
  throw new CmcpError("POLICY_BUNDLE_INVALID", why);
}

function requireFile(files: BundleFiles, path: string): string {
  return (Object.hasOwn(files, path) ? files[path] : undefined) ?? refuse(`the bundle has no ${path}`);
}

/** Line ends as `\n`, as the existing implementation reads files before it hashes them; what is hashed is what is evaluated. */
function normalLines(text: string): string {
  return text.replaceAll(/\r\n?/g, "\n");
}

const SEGMENT = /^(?!\.{1,2}$)[^/\\\0]+$/;

function checkBounds(files: BundleFiles): void {
  const entries = Object.entries(files);
  if (entries.length > MAX_FILES) refuse(`the bundle has ${entries.length} files, limit ${MAX_FILES}`);
  let total = 0;
  for (const [path, text] of entries) {
    if (path.length > MAX_PATH_LENGTH || !path.split("/").every((segment) => SEGMENT.test(segment)))
      refuse("a bundle path is not a plain relative path");
    if (!text.isWellFormed()) refuse(`${path} is not well-formed text`);
    if (text.length > MAX_FILE_LENGTH) refuse(`${path} is ${text.length} characters, limit ${MAX_FILE_LENGTH}`);
    total += text.length;
  }
  if (total > MAX_BUNDLE_LENGTH) refuse(`the bundle is ${total} characters, limit ${MAX_BUNDLE_LENGTH}`);
}

/**
 * Reads a bundle from its files: `manifest.json`, `schema.cedarschema` and at least one `*.cedar`; other
 * files are not part of it. Parses no Cedar.
 *
 * @throws CmcpError `POLICY_BUNDLE_INVALID`, or a `JSON_*` code for a manifest that is not strict JSON.
 */
export function readBundle(files: BundleFiles): PolicyBundle {
  checkBounds(files);
  const paths = Object.keys(files)
    .filter((path) => path.endsWith(".cedar"))
    .toSorted();
  if (paths.length === 0) refuse("the bundle has no .cedar file");
  const { manifest, version, history } = readManifest(requireFile(files, "manifest.json"));
  const schemaText = normalLines(requireFile(files, "schema.cedarschema"));
  const cedarFiles = new Map(paths.map((path) => [path, normalLines(requireFile(files, path))]));
  return { hash: bundleHash(manifest, cedarFiles, schemaText), version, manifest, history, cedarFiles, schemaText };
}
