import { ENGINE_FLAGS } from "../../engine-flags.ts";

/**
 * What is asked of V8 in the enclave besides: the old space may grow to twice what it held. The room V8 leaves a
 * small heap is less than the new space below, and then it marks the whole heap several times a second. More than
 * twice is memory that nothing gains from.
 */
const LATER_FLAGS = [...ENGINE_FLAGS, "--heap-growing-percent=100"];

/**
 * Runs the entry. Flags that Node's embedded code was not made with are set once everything is loaded, as V8 refuses
 * that code under them. Then: the host holds the other end of standard input, so its end is the host's end, however the
 * host died: the enclave must not outlive it. The pipe alone does not keep the process running. A service manager's
 * signal to every process of the gateway must not end the enclave before the host has had it close its sessions.
 */
const RUN = `for(const name of["SIGINT","SIGTERM"])process.on(name,()=>{});require(process.argv[1]);for(const flag of ${JSON.stringify(LATER_FLAGS)})require("node:v8").setFlagsFromString(flag);process.stdin.on("end",()=>process.exit(0)).resume().unref();`;

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
    // A call makes some 50 KiB of garbage, and loading more than V8's first new space holds a dozen times. A larger one
    // than this costs more in cold memory.
    "--min-semi-space-size=32",
    "--max-semi-space-size=32",
    // Workers widen the permission model, as is known.
    "--disable-warning=PERM0006",
    ...enclave.extraFlags,
    "--eval",
    RUN,
    "--",
    enclave.entry,
    ...enclave.extraArguments,
  ];
}
