import type { StdioServer } from "../catalog/stdio-server.ts";

/** A package, with what pins it. */
export interface PinnedPackage {
  readonly name: string;
  readonly version: string;
  /** Digest of its archive, as its registry writes it. */
  readonly integrity: string;
}

/** The files of a server, and how it is started from them. */
export interface ServerTree {
  readonly start: Pick<StdioServer, "tree" | "command" | "args">;
  /** Every package in it, its own first; empty for files of one's own. */
  readonly packages: readonly PinnedPackage[];
  /** File beside the tree that pins the packages; `null` for files of one's own. */
  readonly lockFile: string | null;
  /** What a reviewer should know of how it was made. */
  readonly notes: readonly string[];
}

/** Where a server's files are made. */
export interface TreePlace {
  /** Folder that is not there yet. */
  readonly tree: string;
  /** Path of its lock file without an ending: a file beside the tree. */
  readonly lock: string;
}
