import { ENGINE_FLAGS } from "../../engine-flags.ts";

/**
 * Runs in the enclave process before its entry. The host holds the other end of standard input, so its
 * end is the host's end, however the host died: the enclave must not outlive it. The pipe alone does not
 * keep the process running.
 */
const EXIT_WITH_HOST = 'process.stdin.on("end",()=>process.exit(0)).resume().unref();require(process.argv[1]);';

/** Megabytes of heap the enclave may use. */
const HEAP_MEGABYTES = 512;

/** What is started, and what it may read. */
export interface EnclaveEntry {
  /** Absolute path of a CommonJS file. */
  readonly entry: string;
  /** Files and folders the process may read; the entry itself need not be named. */
  readonly readable: readonly string[];
  readonly extraFlags: readonly string[];
  readonly extraArguments: readonly string[];
}

/**
 * Node's command line for the enclave process. The flags are defence in depth: of everything here only
 * the network namespace keeps the process from the network, as Node 24's permission model does not.
 * Of the file system it may change only the mode of its own socket.
 */
export function nodeArguments(enclave: EnclaveEntry, enclaveSocket: string): string[] {
  const readable = [enclave.entry, ...enclave.readable, enclaveSocket];
  return [
    "--permission",
    ...readable.map((path) => `--allow-fs-read=${path}`),
    `--allow-fs-write=${enclaveSocket}`,
    "--allow-worker",
    "--disallow-code-generation-from-strings",
    "--disable-proto=delete",
    "--no-addons",
    "--no-global-search-paths",
    "--disable-sigusr1",
    `--max-old-space-size=${HEAP_MEGABYTES}`,
    // A call makes some 180 KiB of garbage, and loading more than V8's first new space holds a dozen times. A larger one than this costs more in cold memory.
    "--min-semi-space-size=32",
    "--max-semi-space-size=32",
    ...ENGINE_FLAGS,
    // The old space may grow to twice what it held. The room V8 leaves a small heap is less than the new space above, and then it
    // marks the whole heap several times a second; more than twice is memory that nothing gains from.
    "--heap-growing-percent=100",
    // A policy is compiled and tried once before anything is served; V8 shall not optimise for that what it then hardly runs.
    "--wasm-tiering-budget=100000000",
    // Workers widen the permission model, as is known.
    "--disable-warning=PERM0006",
    ...enclave.extraFlags,
    "--eval",
    EXIT_WITH_HOST,
    "--",
    enclave.entry,
    ...enclave.extraArguments,
  ];
}
