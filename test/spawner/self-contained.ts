import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import process from "node:process";

/** A tree that needs nothing of a machine: a dynamic program, its libraries, and the loader that is started. */
export interface SelfContained {
  readonly tree: string;
  /** The loader's path in the tree. */
  readonly loader: string;
  /** Arguments of the loader where the tree is seen at `seen`. */
  args(seen: string): string[];
}

/** The libraries a program is linked with, and its loader (ld.so(8), `--list`). */
export function librariesOf(program: string): string[] {
  const listed = execFileSync("ldd", [program], { encoding: "utf8" });
  return [...listed.matchAll(/(\/\S+) \(0x/g)].map(([, path = ""]) => path);
}

/** Lays `program` out in `tree` with everything that it is linked with, in `bin` and `lib`. */
export function layOut(tree: string, program: string): { readonly loader: string } {
  mkdirSync(join(tree, "bin"), { recursive: true });
  mkdirSync(join(tree, "lib"), { recursive: true });
  copyFileSync(realpathSync(program), join(tree, "bin", basename(program)));
  const libraries = librariesOf(program);
  for (const path of libraries) copyFileSync(realpathSync(path), join(tree, "lib", basename(path)));
  const loader = libraries.map((path) => basename(path)).find((name) => name.startsWith("ld-"));
  if (loader === undefined) throw new Error(`${program} names no loader`);
  return { loader: `lib/${loader}` };
}

const SOURCE =
  '#include <stdio.h>\n#include <unistd.h>\nint main(void) { puts("self-contained\\nand running"); fflush(stdout); return pause(); }\n';

/** Compiles a small dynamic program into a tree below `folder`. */
export function selfContained(folder: string): SelfContained {
  const tree = join(folder, "self-contained");
  const program = join(folder, "hello");
  writeFileSync(`${program}.c`, SOURCE);
  execFileSync(process.env["CC"] ?? "cc", ["-o", program, `${program}.c`]);
  const { loader } = layOut(tree, program);
  return { tree, loader, args: (seen) => ["--library-path", `${seen}/lib`, `${seen}/bin/hello`] };
}
