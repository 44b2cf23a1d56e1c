import type { TestContext } from "node:test";
import type { EnclaveProcess } from "@cmcp/host-proxy";
import type { Dialer } from "@cmcp/wire";

/** What the processor was given at launch, where a test plays one; a played processor answers for every start of a place. */
export interface PlayedProcessor {
  readonly platform: "sev-snp" | "tdx";
  /** HOST_DATA (32 bytes) or MRCONFIGID (48 bytes), hex. */
  readonly carried: string;
  /** Whether it says what it was launched with, but signs no report. */
  readonly signsNothing?: true;
}

/** What a place uses of the test it is for. */
export type Owner = Pick<TestContext, "after" | "diagnostic" | "skip">;

/** Where an enclave of a conformance test runs. Each test is one text; what differs between process and machine is here. */
export interface Target {
  readonly name: "process" | "vm";
  /** The image's measurements, where what runs is measured. */
  readonly measurements: string | null;
  /** A place for one enclave, given back after the test; `null` where this machine lacks what it needs, and then the test is skipped. */
  open(owner: Owner, played?: PlayedProcessor): Promise<Place | null>;
}

/** Where one enclave runs, with a TPM of its own unless a processor is played. */
export interface Place {
  readonly dialer: Dialer;
  /** Where the host's services must listen: an address for `listenAt`. */
  readonly services: string;
  /** Starts the enclave, which is then neither launched nor provisioned. `pid` is what it runs in. */
  start(): Promise<EnclaveProcess>;
}
