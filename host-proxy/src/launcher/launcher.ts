import type { ByteStream, Dialer, Listener } from "@cmcp/wire";

/** How a program ended. */
export interface Exit {
  readonly exitCode: number | undefined;
  readonly exitSignal: string | undefined;
}

/** An enclave that accepts connections. */
export interface RunningEnclave {
  /** Process id of what this host started; `undefined` for a machine that somebody else started. */
  readonly pid: number | undefined;
  /** Resolves when it has ended or can be reached no more; never rejects. */
  readonly exited: Promise<Exit>;
  /** Ends it, or for a machine that somebody else started, the attachment to it; resolves when that is done. */
  stop(): Promise<Exit>;
}

/** Where an enclave runs, for operators. */
export interface EnclaveLocation {
  readonly launcher: "process" | "vsock" | "qemu";
  /** What keeps the enclave from the network, as the launcher arranged it: the enclave's own word is in its records. */
  readonly isolation: "network-namespace" | "machine" | "none";
  /**
   * What measures the enclave before it runs. `nothing`: a process of this host; `host-tpm`: a TPM that this host
   * plays, so the evidence is worth what the host is worth; `processor`: SEV-SNP or TDX; `unknown`: whoever started the
   * machine knows.
   */
  readonly measuredBy: "nothing" | "host-tpm" | "processor" | "unknown";
}

/** One way to have an enclave: what the host needs of it, whatever it runs in. */
export interface Launcher {
  readonly placement: EnclaveLocation;
  /** Opens streams to the enclave that was started last. */
  readonly dialer: Dialer;
  /** Listens where the enclave looks for the host's services. Called once, before the first start. */
  listen(onStream: (stream: ByteStream) => void): Promise<Listener>;
  /**
   * Starts one enclave, which is not launched and not provisioned yet, and waits until it can be dialled. What was
   * started is stopped when a step fails.
   * @param signal gives the start up
   * @throws CmcpError `ENCLAVE_UNAVAILABLE` when it does not come up; what else the launcher's own module says
   */
  start(signal: AbortSignal): Promise<RunningEnclave>;
  /** Removes and releases what the launcher holds. Whatever it started has ended before. */
  close(): Promise<void>;
}
