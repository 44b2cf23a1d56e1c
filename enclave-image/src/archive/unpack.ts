import { linkSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { TarEntry } from "./tar.ts";

/** Writes entries below `folder`; a later entry replaces an earlier one. Owners and times are not kept. */
export function unpack(entries: readonly TarEntry[], folder: string): void {
  for (const entry of entries) {
    const path = join(folder, entry.path);
    if (entry.kind === "directory") {
      mkdirSync(path, { recursive: true });
      continue;
    }
    mkdirSync(dirname(path), { recursive: true });
    rmSync(path, { force: true });
    switch (entry.kind) {
      case "file":
        writeFileSync(path, entry.data, { mode: (entry.mode & 0o111) === 0 ? 0o644 : 0o755 });
        break;
      case "symlink":
        symlinkSync(entry.target, path);
        break;
      case "hardlink":
        linkSync(join(folder, entry.target), path);
        break;
    }
  }
}
