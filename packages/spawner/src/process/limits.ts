/** Bounds on the processes of stdio servers. Times in milliseconds. */
export interface ProcessLimits {
  /** Processes at one time. */
  readonly maxProcesses: number;
  /** Processes of one principal at one time, and beyond the first at most half of the places others do not use. */
  readonly maxPerPrincipal: number;
  /** How long a process that nobody uses is kept. */
  readonly idleMs: number;
  /**
   * How long after a crash no other process is started for the same identity; doubled for each further crash in a row.
   */
  readonly firstDelayMs: number;
  /** The longest such wait. */
  readonly mostDelayMs: number;
  /** How long a process must have lived for its crash to count as the first. */
  readonly stableMs: number;
}

/** 64 processes, 8 of one principal; ended after 5 minutes without use; 0.5 s to 60 s between crashes. */
export const DEFAULT_PROCESS_LIMITS: ProcessLimits = {
  maxProcesses: 64,
  maxPerPrincipal: 8,
  idleMs: 300_000,
  firstDelayMs: 500,
  mostDelayMs: 60_000,
  stableMs: 30_000,
};
