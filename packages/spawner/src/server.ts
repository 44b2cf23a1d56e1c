/** What one process tree of a stdio server may use. */
export interface ServerBounds {
  /** Processes and threads at one time, 1 to 1024. */
  readonly tasks: number;
  /**
   * Private writable address space of one process in MiB (RLIMIT_DATA), and what it may hold by any other means, 16 to
   * 65536. Node sets 512 of it aside before it runs anything.
   */
  readonly memoryMib: number;
  /** Size of `/tmp`, its only writable place, in MiB, 1 to 4096. */
  readonly scratchMib: number;
  /** Open descriptors of one process, 16 to 4096. */
  readonly openFiles: number;
  /** Processor time of one process in seconds, 1 to 30 days. */
  readonly cpuSeconds: number;
}

/** 64 tasks, 1 GiB each, 64 MiB of scratch space, 256 descriptors, one hour of processor time. */
export const DEFAULT_BOUNDS: ServerBounds = {
  tasks: 64,
  memoryMib: 1024,
  scratchMib: 64,
  openFiles: 256,
  cpuSeconds: 3600,
};

/** A stdio server that may be started: an entry of the table the spawner is given once. */
export interface AllowedServer {
  /** Absolute path of the folder with everything the server is, or of its only file. It sees it at the same place. */
  readonly tree: string;
  /** SHA-256 its tree must have, 32 bytes; `null` lets it run whatever its digest is. */
  readonly digest: Uint8Array | null;
  /** Absolute path of a program in the tree, or the name of an interpreter of the machine. */
  readonly program: string;
  readonly args: readonly string[];
  /** All there is in its environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly bounds: ServerBounds;
  /** Whether it has a way out: a proxy on loopback, whose connections the enclave takes. It has none when absent. */
  readonly hasEgress?: boolean;
}

/** How the processes of a spawner are shut in. `none`: for development only. */
export type Confinement = "confined" | "none";

/** How a record names what is known about the code behind a call. */
export type SpawnEvidence = "spawn-measured" | "spawn-unmeasured";

/** `spawn-measured` only where the digest was required, and found in the very bytes that a confined process runs. */
export function spawnEvidence(server: Pick<AllowedServer, "digest">, confinement: Confinement): SpawnEvidence {
  return server.digest !== null && confinement === "confined" ? "spawn-measured" : "spawn-unmeasured";
}
