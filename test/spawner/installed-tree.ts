import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, realpathSync, symlinkSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/** The folder of a package in pnpm's store that holds the package and links to what it depends on. */
function storeFolder(installed: string, name: string): string {
  return dirname(join(installed, ...name.split("/").map(() => "..")));
}

function linked(nodeModules: string): string[] {
  return readdirSync(nodeModules)
    .filter((name) => !name.startsWith("."))
    .flatMap((name) =>
      name.startsWith("@") ? readdirSync(join(nodeModules, name)).map((inner) => `${name}/${inner}`) : [name],
    );
}

/**
 * Lays a package out as a server's folder: itself and everything it depends on, each once, with the links of pnpm's
 * store, and nothing else of this repository.
 * @param installed where the package is installed
 * @returns the package's folder, seen from the tree
 */
export function installTree(installed: string, name: string, tree: string): string {
  const done = new Map<string, string>();
  const place = (package_: string, named: string): string => {
    const real = realpathSync(package_);
    const known = done.get(real);
    if (known !== undefined) return known;
    const folder = join(tree, String(done.size));
    const here = join(folder, "node_modules", named);
    done.set(real, here);
    mkdirSync(dirname(here), { recursive: true });
    const nodeModules = join(storeFolder(real, named), "node_modules");
    execFileSync("cp", ["-R", real, here]);
    for (const dependency of linked(nodeModules)) {
      if (dependency === named) continue;
      const at = join(folder, "node_modules", dependency);
      const target = place(join(nodeModules, dependency), dependency);
      mkdirSync(dirname(at), { recursive: true });
      symlinkSync(relative(dirname(at), target), at);
    }
    return here;
  };
  const main = place(installed, name);
  // Some packages import what only their dependencies depend on; npm and pnpm both put everything in reach.
  for (const [index, inside] of [...done.values()].entries()) {
    const named = relative(join(tree, String(index), "node_modules"), inside);
    const at = join(tree, "node_modules", named);
    mkdirSync(dirname(at), { recursive: true });
    if (!existsSync(at)) symlinkSync(relative(dirname(at), inside), at);
  }
  return relative(tree, main);
}
