import { hash } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CmcpError } from "@cmcp/boundary";
import { readAtMost } from "../read-file.ts";
import { MAX_BUNDLE_BYTES, unpackBundle } from "./bundle.ts";
import { download } from "./download.ts";
import { requireSame } from "./required-digest.ts";
import { makeNpmTree } from "./npm-tree.ts";
import { ownTree } from "./own-tree.ts";
import { makePythonTree } from "./python-tree.ts";
import type { ServerTree } from "./server-tree.ts";
import type { ServerSource } from "./source.ts";

/** Folder of a deployment with the trees of its servers. */
const SERVERS = "servers";

/** What else is said of a server whose files are made. */
export interface TreeOptions {
  readonly bin: string | null;
  readonly script: string | null;
  readonly python: string;
  readonly programs: readonly string[];
  readonly args: readonly string[];
}

/** Files that a source became, and how to take them away again. */
export interface MadeTree extends ServerTree {
  remove(): Promise<void>;
}

/**
 * Makes the files of a server in a deployment's folder. Files of one's own stay where they are.
 * @param deployment the folder of the configuration
 * @throws CmcpError `USAGE` where the deployment has files of that name; as `makeNpmTree`, `makePythonTree`, `ownTree`
 */
export async function makeTree(
  source: Exclude<ServerSource, { readonly kind: "http" | "registry" }>,
  { deployment, name }: { readonly deployment: string; readonly name: string },
  { bin, script, python, programs, args }: TreeOptions,
): Promise<MadeTree> {
  if (source.kind === "path") return { ...(await ownTree({ path: source.path, script })), remove: async () => {} };
  const place = { tree: join(deployment, SERVERS, name), lock: join(deployment, SERVERS, name) };
  await mkdir(dirname(place.tree), { recursive: true });
  await mkdir(place.tree).catch((cause: unknown) => {
    throw new CmcpError("USAGE", `${place.tree} is there already; take another --name, or remove it`, { cause });
  });
  const remove = async (): Promise<void> => {
    await rm(place.tree, { recursive: true, force: true });
    for (const ending of ["package-lock.json", "requirements.txt"])
      await rm(`${place.lock}.${ending}`, { force: true });
  };
  const filled = async (): Promise<ServerTree> => {
    switch (source.kind) {
      case "npm":
        return await makeNpmTree({ ...source, bin }, place);
      case "pypi":
        return await makePythonTree({ ...source, bin, python, programs }, place);
      case "bundle":
        return await unpackBundle(await readAtMost(MAX_BUNDLE_BYTES, source.file), place.tree, args);
      case "bundle-url": {
        const bytes = await download(source.url, MAX_BUNDLE_BYTES);
        requireSame(source.url.href, hash("sha256", bytes), source.sha256);
        return await unpackBundle(bytes, place.tree, args);
      }
    }
  };
  try {
    return { ...(await filled()), remove };
  } catch (thrown) {
    await remove();
    throw thrown;
  }
}
