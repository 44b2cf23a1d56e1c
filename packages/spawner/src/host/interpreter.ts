import { execFile } from "node:child_process";
import { access } from "node:fs/promises";
import process from "node:process";
import { CmcpError } from "@cmcp/boundary";

/** The dynamic loader's path is part of each architecture's ABI. */
const LOADERS: Readonly<Record<string, string>> = {
  x64: "/lib64/ld-linux-x86-64.so.2",
  arm64: "/lib/ld-linux-aarch64.so.1",
};
/** Milliseconds the loader may take. */
const LIST_MS = 5_000;

/**
 * The files a dynamically linked interpreter needs to run: itself, its libraries, the loader. The loader reads the
 * interpreter to tell, so this is for programs of the machine, never for a server's own.
 * @param path absolute
 * @throws CmcpError `SPAWN_UNAVAILABLE`
 */
export async function interpreterFiles(path: string): Promise<string[]> {
  const loader = LOADERS[process.arch];
  if (loader === undefined)
    throw new CmcpError("SPAWN_UNAVAILABLE", `stdio servers cannot be confined on ${process.arch}`);
  const listed = await new Promise<string>((resolve, reject) => {
    execFile(loader, ["--list", path], { env: {}, timeout: LIST_MS }, (error, stdout) => {
      if (error === null) resolve(stdout);
      else reject(new CmcpError("SPAWN_UNAVAILABLE", `the libraries of ${path} cannot be told`, { cause: error }));
    });
  });
  const files = listed.split("\n").map((line) => /^\s*(?:\S+ => )?(\/\S+) \(0x[0-9a-f]+\)$/.exec(line)?.[1]);
  const found = [...new Set([path, loader, ...files.filter((file) => file !== undefined)])];
  await Promise.all(found.map((file) => access(file)));
  return found;
}
