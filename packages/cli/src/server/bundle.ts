import { chmod, mkdir, writeFile } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import { hash } from "node:crypto";
import { CmcpError, isJsonObject, parseJson, untrusted, type JsonObject, type JsonValue } from "@cmcp/boundary";
import type { ServerTree } from "./server-tree.ts";
import { readZip } from "./zip.ts";

/** Largest bundle file, in bytes. */
export const MAX_BUNDLE_BYTES = 128 * 1024 * 1024;
const MANIFEST = "manifest.json";
const MAX_ARGUMENTS = 64;
const EXECUTABLE = 0o755;
const READABLE = 0o644;

function refuse(why: string): never {
  throw new CmcpError("BUNDLE_REFUSED", `the bundle ${why}`);
}

/** What a bundle's manifest says of its start (MCPB manifest, "server"). */
interface BundleStart {
  readonly name: string;
  readonly version: string;
  readonly type: "node" | "binary";
  /** Below the bundle's root. */
  readonly entryPoint: string;
  readonly args: readonly string[];
  /** Names of variables that the operator sets with `--env`. */
  readonly variables: readonly string[];
}

const member = (value: JsonValue | undefined, name: string): JsonObject => {
  const found = isJsonObject(value) ? value[name] : undefined;
  return isJsonObject(found) ? found : {};
};

/** The arguments after the entry point; `null` when they are settings of the person who installs it. */
function argumentsOf(config: JsonObject, type: BundleStart["type"]): readonly string[] | null {
  const { args = [] } = config;
  if (!Array.isArray(args) || args.length > MAX_ARGUMENTS || !args.every((arg) => typeof arg === "string"))
    return refuse("has arguments that are no list of texts");
  const own = type === "node" ? args.slice(1) : args;
  return own.some((arg) => /\$\{(?!__dirname\})/.test(arg)) ? null : own;
}

/** Reads a bundle's manifest. @throws CmcpError `BUNDLE_REFUSED` */
function readManifest(bytes: Uint8Array, givenArguments: readonly string[]): BundleStart {
  const manifest = parseJson(untrusted(bytes));
  const { name, version } = isJsonObject(manifest) ? manifest : {};
  const server = member(manifest, "server");
  const { type, entry_point: entryPoint } = server;
  if (typeof name !== "string" || typeof version !== "string") return refuse("has a manifest without name and version");
  if (type !== "node" && type !== "binary")
    return refuse(
      `is for ${JSON.stringify(type ?? null)}: node and binary are taken; add a Python server with uvx:NAME`,
    );
  if (typeof entryPoint !== "string" || entryPoint.startsWith("/") || posix.normalize(entryPoint).startsWith(".."))
    return refuse("has an entry point that is no path in it");
  const config = member(server, "mcp_config");
  const args = argumentsOf(config, type);
  if (args === null && givenArguments.length === 0)
    return refuse("takes arguments from its user's settings: give all of them with --arg");
  return {
    name,
    version,
    type,
    entryPoint: posix.normalize(entryPoint),
    args: args === null || givenArguments.length > 0 ? [] : args,
    variables: Object.keys(member(config, "env")),
  };
}

/**
 * Unpacks an MCP bundle (`.mcpb`: a ZIP file with manifest.json) into a tree.
 * @param tree folder that is empty
 * @param givenArguments replace those of the manifest
 * @throws CmcpError `BUNDLE_REFUSED` naming what is wrong; nothing is written then but below the tree
 */
export async function unpackBundle(
  bytes: Uint8Array,
  tree: string,
  givenArguments: readonly string[],
): Promise<ServerTree> {
  const files = readZip(bytes);
  const manifest = files.find(({ path }) => path === MANIFEST);
  if (manifest === undefined) return refuse("has no manifest.json");
  const { name, version, type, entryPoint, args, variables } = readManifest(manifest.bytes, givenArguments);
  if (!files.some(({ path }) => path === entryPoint)) return refuse(`has no file ${JSON.stringify(entryPoint)}`);
  for (const { path, isExecutable, bytes: content } of files) {
    const at = join(tree, path);
    await mkdir(dirname(at), { recursive: true });
    const isProgram = isExecutable || (type === "binary" && path === entryPoint);
    await writeFile(at, content, { flag: "wx" });
    await chmod(at, isProgram ? EXECUTABLE : READABLE);
  }
  const main = join(tree, entryPoint);
  const own = args.map((arg) => arg.replaceAll("${__dirname}", tree));
  return {
    start: type === "node" ? { tree, command: "node", args: [main, ...own] } : { tree, command: main, args: own },
    packages: [{ name, version, integrity: `sha256:${hash("sha256", bytes)}` }],
    lockFile: null,
    notes: variables.length === 0 ? [] : [`its manifest sets ${variables.join(", ")}: give what it needs with --env`],
  };
}
